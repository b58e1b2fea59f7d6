//! Resolves `regions: enabled` in the organization file by asking the management account.

use anyhow::Result;
use deployer::permissions::Command;
use deployer::ports::Organizations;

use crate::arguments::Target;
use crate::connection::{Connection, session_policies};
use crate::exit::Exit;
use crate::invocation::{Compiled, Invocation};

/// Connects for a command and runs `work` with a project whose Regions are resolved: to `pinned`, the
/// Regions of a saved plan, or to those that are enabled now. Ends the command before anything is
/// changed if they can't be resolved; `consequence` tells the user what was not done.
pub(crate) async fn with_regions(
    invocation: &Invocation<'_>,
    target: &Target,
    command: Command,
    compiled: Compiled,
    pinned: &[String],
    consequence: &str,
    work: impl AsyncFnOnce(&Connection, &Compiled) -> Result<Exit>,
) -> Result<Exit> {
    let organization = compiled.organization.clone();
    // Boxed, because a command's future is too large for each caller's stack.
    Box::pin(Connection::with(
        target,
        &organization,
        session_policies(&compiled.bundle, command),
        async |connection| {
            if organization.watched_regions().is_some() {
                return work(connection, &compiled).await;
            }
            let regions = if pinned.is_empty() {
                enabled(connection).await
            } else {
                Ok(pinned.to_vec())
            };
            let regions = match regions {
                Ok(regions) => regions,
                Err(why) => {
                    invocation.environment.note(format_args!(
                        "error: `regions: enabled` can't be resolved: {why}\n\
                     hint: allow the caller account:ListRegions in the management account, or list \
                     `regions` in the organization file"
                    ));
                    invocation.environment.note(consequence);
                    return Ok(Exit::Blocked);
                }
            };
            match invocation.watching(compiled, &regions, consequence) {
                Some(compiled) => work(connection, &compiled).await,
                None => Ok(Exit::Configuration),
            }
        },
    ))
    .await
}

/// The Regions that are enabled in the management account, or why they are unknown.
pub(crate) async fn enabled(connection: &Connection) -> Result<Vec<String>, String> {
    match connection.cloud.enabled_regions().await {
        Ok(Some(regions)) => Ok(regions),
        Ok(None) => Err("only the management account can list them".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
