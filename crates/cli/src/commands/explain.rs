//! `explain`: what becomes of one rule.

use anyhow::Result;
use report::explain::Explained;

use crate::arguments::{Format, ProjectArguments};
use crate::exit::Exit;
use crate::output;
use crate::project::{self, Project};

pub(crate) fn run(arguments: &ProjectArguments, format: Format, id: &str) -> Result<Exit> {
    let project = Project::load(arguments);
    let rule = match project::rule(&project.rule_library, id) {
        Ok(rule) => rule,
        Err(unknown) => {
            eprintln!("{unknown}");
            return Ok(Exit::Configuration);
        }
    };
    let explained = Explained::of(rule, project.bundle.as_ref(), project.organization.as_ref());
    if format == Format::Json {
        output::json(&explained)?;
    } else {
        output::text(&report::explain::text(&explained))?;
    }
    Ok(Exit::Done)
}
