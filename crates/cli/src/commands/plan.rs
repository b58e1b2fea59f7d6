//! `plan`: what would a deployment change?

use std::path::PathBuf;

use anyhow::Result;

use crate::arguments::{Format, ProjectArguments, Target};
use crate::commands::{compiled, saved};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::output;

pub(crate) async fn run(
    arguments: &ProjectArguments,
    format: Format,
    target: &Target,
    detailed_exitcode: bool,
    out: Option<PathBuf>,
) -> Result<Exit> {
    let Some(compiled) = compiled(arguments, format)? else {
        return Ok(Exit::Configuration);
    };
    let connection = Connection::open(target, &compiled.organization).await?;
    let observed = deployer::observe(&connection.cloud, &compiled.bundle).await?;
    let plan = deployer::plan(&compiled.bundle, &observed);
    if let Some(path) = &out {
        saved::write(path, &plan)?;
        eprintln!("The plan is saved in {}.", path.display());
    }
    match format {
        Format::Text | Format::Sarif | Format::Github | Format::Junit => {
            output::text(&report::plan::terminal(&plan))?;
            output::text(&connection.calls_line().await?)?;
        }
        Format::Markdown => output::text(&report::plan::markdown(&plan))?,
        Format::Json => output::json(&plan)?,
    }
    let exit = if !plan.problems.is_empty() {
        Exit::Blocked
    } else if detailed_exitcode && !plan.is_empty() {
        Exit::Changes
    } else {
        Exit::Done
    };
    connection.close().await;
    Ok(exit)
}
