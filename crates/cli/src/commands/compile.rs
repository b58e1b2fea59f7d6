//! The command `compile`: writes CloudFormation templates.

use std::path::Path;

use anyhow::{Context, Result};
use report::plural;

use crate::arguments::Format;
use crate::exit::Exit;
use crate::invocation::Invocation;

pub(crate) fn run(invocation: &Invocation<'_>, out: Option<&Path>) -> Result<Exit> {
    let environment = invocation.environment;
    let Some(compiled) = invocation.compiled("Nothing was compiled.")? else {
        return Ok(Exit::Configuration);
    };
    let folder = out.map_or_else(
        || compiled.project.default_output.clone(),
        |out| environment.resolve(out),
    );
    let shown = environment.shown(&folder);
    let shown = shown.display();
    let files = compiled
        .bundle
        .write(&folder)
        .with_context(|| format!("could not write to {shown}"))?;
    if invocation.format == Format::Json {
        environment.print_json(&compiled.bundle)?;
    } else {
        let mut text = format!(
            "Compiled {} into {} in {shown}:\n",
            plural(compiled.project.rule_library.rules.len(), "rule"),
            plural(compiled.bundle.stack_sets.len(), "stack set")
        );
        for set in &compiled.bundle.stack_sets {
            text.push_str(&format!(
                "  {:<22} {:>6} bytes  {}\n",
                set.name,
                set.template.len(),
                set.description
            ));
        }
        text.push_str(&format!("{} written", plural(files.len(), "file")));
        environment.print(&text)?;
    }
    Ok(Exit::Done)
}
