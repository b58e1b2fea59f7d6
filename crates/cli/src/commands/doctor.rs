//! The command `doctor`: checks whether a deployment can start.

use anyhow::Result;
use deployer::permissions::Command as Permissions;

use crate::arguments::{Format, Target};
use crate::connection::{Connection, session_policies};
use crate::exit::Exit;
use crate::invocation::Invocation;
use crate::resolved;

pub(crate) async fn run(invocation: &Invocation<'_>, target: &Target) -> Result<Exit> {
    let environment = invocation.environment;
    let Some(compiled) = invocation.compiled("The organization was not checked.")? else {
        return Ok(Exit::Configuration);
    };
    let organization = compiled.organization.clone();
    // Boxed, because a command's future is too large for each caller's stack.
    Box::pin(Connection::with(
        target,
        &organization,
        session_policies(&compiled.bundle, Permissions::Plan),
        async |connection| {
            // If the Regions can't be resolved, one of the checks says so.
            let mut compiled = compiled;
            if organization.watched_regions().is_none()
                && let Ok(regions) = resolved::enabled(connection).await
                && regions.contains(&organization.home_region)
            {
                let why = "The organization was not checked.";
                let Some(watching) = invocation.watching(compiled, &regions, why) else {
                    return Ok(Exit::Configuration);
                };
                compiled = watching;
            }
            let found = deployer::preflight::thorough(&connection.cloud, &compiled.bundle).await;
            match invocation.format {
                Format::Json => environment.print_json(&found)?,
                Format::Markdown => {
                    environment.print_document(&report::preflight::markdown(&found))?;
                }
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
        },
    ))
    .await
}
