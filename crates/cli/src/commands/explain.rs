//! The command `explain`: shows what one rule compiles to.

use std::borrow::Cow;

use anyhow::Result;
use report::explain::Explained;

use crate::arguments::Format;
use crate::exit::Exit;
use crate::invocation::Invocation;
use crate::project::{self, Project};

pub(crate) fn run(invocation: &Invocation<'_>, id: &str) -> Result<Exit> {
    let environment = invocation.environment;
    let project = Project::load(invocation.files());
    let rule = match project::rule(&project.rule_library, id) {
        Ok(rule) => rule,
        Err(unknown) => {
            environment.note(unknown);
            return Ok(Exit::Configuration);
        }
    };
    let deployed = match &project.organization {
        Some(organization) => compiler::as_deployed(rule, organization),
        None => Cow::Borrowed(rule),
    };
    let explained = Explained::of(
        &deployed,
        project.bundle.as_ref(),
        project.organization.as_ref(),
    );
    if invocation.format == Format::Json {
        environment.print_json(&explained)?;
    } else {
        environment.print(&report::explain::text(&explained))?;
    }
    Ok(Exit::Done)
}
