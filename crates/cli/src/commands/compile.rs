//! `compile`: rules and organization file to CloudFormation templates.

use std::path::PathBuf;

use anyhow::{Context, Result};
use report::plural;

use crate::arguments::{Format, ProjectArguments};
use crate::commands::compiled;
use crate::exit::Exit;
use crate::output;

pub(crate) fn run(
    arguments: &ProjectArguments,
    format: Format,
    out: Option<PathBuf>,
) -> Result<Exit> {
    let Some(compiled) = compiled(arguments, format)? else {
        return Ok(Exit::Configuration);
    };
    let folder = out.unwrap_or_else(|| compiled.project.default_output());
    let files = compiled
        .bundle
        .write(&folder)
        .with_context(|| format!("could not write to {}", folder.display()))?;
    if format == Format::Json {
        output::json(&compiled.bundle)?;
    } else {
        let mut text = format!(
            "Compiled {} into {} in {}:\n",
            plural(compiled.project.rule_library.rules.len(), "rule"),
            plural(compiled.bundle.stack_sets.len(), "stack set"),
            folder.display()
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
        output::text(&text)?;
    }
    Ok(Exit::Done)
}
