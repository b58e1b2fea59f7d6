//! `doctor`: can a deployment begin?

use anyhow::Result;

use crate::arguments::{Format, ProjectArguments, Target};
use crate::commands::compiled;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::output;

pub(crate) async fn run(
    arguments: &ProjectArguments,
    format: Format,
    target: &Target,
) -> Result<Exit> {
    let Some(compiled) = compiled(arguments, format)? else {
        return Ok(Exit::Configuration);
    };
    let connection = Connection::open(target, &compiled.organization).await?;
    let found = deployer::preflight::thorough(&connection.cloud, &compiled.bundle).await;
    match format {
        Format::Json => output::json(&found)?,
        Format::Markdown => output::text(&report::preflight::markdown(&found))?,
        _ => {
            output::text(&report::preflight::terminal(&found))?;
            output::text(&connection.calls_line().await?)?;
        }
    }
    let exit = if found.passed() {
        Exit::Done
    } else {
        Exit::Blocked
    };
    connection.close().await;
    Ok(exit)
}
