//! The command `plan`: shows what a deployment would change.

use std::path::PathBuf;

use anyhow::Result;
use deployer::permissions::Command as Permissions;

use crate::arguments::{Format, Target};
use crate::exit::Exit;
use crate::invocation::Invocation;
use crate::resolved;
use crate::saved_plan;

pub(crate) async fn run(
    invocation: &Invocation<'_>,
    target: &Target,
    detailed_exitcode: bool,
    out: Option<PathBuf>,
) -> Result<Exit> {
    let environment = invocation.environment;
    let Some(compiled) = invocation.compiled("No plan was made.")? else {
        return Ok(Exit::Configuration);
    };
    let why = "No plan was made.";
    resolved::with_regions(
        invocation,
        target,
        Permissions::Plan,
        compiled,
        &[],
        why,
        async |connection, compiled| {
            let observed = deployer::observe(&connection.cloud, &compiled.bundle).await?;
            let bundle = compiled.bundle_for(&observed)?;
            let mut plan = deployer::plan(&bundle, &observed);
            let cloud = &connection.cloud;
            let broken = deployer::preflight::existing_trail(cloud, &bundle, &observed).await;
            plan.problems.extend(broken);
            if let Some(path) = &out {
                saved_plan::write(environment, path, &plan)?;
                environment.note(format_args!("Saved the plan to {}.", path.display()));
            }
            match invocation.format {
                Format::Text | Format::Sarif | Format::Github | Format::Junit => {
                    environment.print(&report::plan::terminal(&plan))?;
                    environment.print(&connection.calls_line().await?)?;
                }
                Format::Markdown => environment.print_document(&report::plan::markdown(&plan))?,
                Format::Json => environment.print_json(&plan)?,
            }
            Ok(if !plan.problems.is_empty() {
                Exit::Blocked
            } else if detailed_exitcode && !plan.is_empty() {
                Exit::Changes
            } else {
                Exit::Done
            })
        },
    )
    .await
}
