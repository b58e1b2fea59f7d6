//! The command `compile`: writes CloudFormation templates.

use std::path::Path;

use anyhow::{Context, Result};
use compiler::organization::RegionSource;
use report::plural;

use crate::arguments::Format;
use crate::exit::Exit;
use crate::invocation::{Compiled, Invocation};
use crate::spelling;

pub(crate) fn run(
    invocation: &Invocation<'_>,
    out: Option<&Path>,
    regions: &[String],
) -> Result<Exit> {
    let environment = invocation.environment;
    let Some(compiled) = invocation.compiled("Nothing was compiled.")? else {
        return Ok(Exit::Configuration);
    };
    let Some(compiled) = with_regions(invocation, compiled, regions) else {
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

/// The project for the Regions of the command line, which are needed if and only if the organization
/// file leaves them to the management account.
fn with_regions(
    invocation: &Invocation<'_>,
    compiled: Compiled,
    regions: &[String],
) -> Option<Compiled> {
    const WHY: &str = "Nothing was compiled.";
    match (compiled.organization.region_source, regions.is_empty()) {
        (RegionSource::Unresolved, false) => invocation.watching(compiled, regions, WHY),
        (RegionSource::Unresolved, true) => {
            invocation.environment.note(format_args!(
                "error: the organization file says `regions: enabled`, and `compile` asks no account which those are\n\
                 hint: name them, such as `--regions eu-central-1,us-east-1`; {} resolves them",
                spelling::command("plan --org")
            ));
            None
        }
        (RegionSource::Listed | RegionSource::Enabled, true) => Some(compiled),
        (RegionSource::Listed | RegionSource::Enabled, false) => {
            invocation.environment.note(
                "error: the organization file lists its Regions\n\
                 hint: leave `--regions` out, or write `regions: enabled` in the organization file",
            );
            None
        }
    }
}
