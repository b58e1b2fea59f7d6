//! The command `doctor`: checks whether a deployment can start.

use anyhow::Result;

use crate::arguments::{Format, Target};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::invocation::Invocation;

pub(crate) async fn run(invocation: &Invocation<'_>, target: &Target) -> Result<Exit> {
    let environment = invocation.environment;
    let Some(compiled) = invocation.compiled("The organization was not checked.")? else {
        return Ok(Exit::Configuration);
    };
    Connection::with(target, &compiled.organization, async |connection| {
        let found = deployer::preflight::thorough(&connection.cloud, &compiled.bundle).await;
        match invocation.format {
            Format::Json => environment.print_json(&found)?,
            Format::Markdown => environment.print(&report::preflight::markdown(&found))?,
            _ => {
                environment.print(&report::preflight::terminal(&found))?;
                environment.print(&connection.calls_line().await?)?;
            }
        }
        Ok(if found.passed() {
            Exit::Done
        } else {
            Exit::Blocked
        })
    })
    .await
}
