//! The command `drift`: reports where the organization differs from the rules.

use anyhow::Result;
use deployer::DriftOptions;
use deployer::drift::DriftOutcome;
use deployer::permissions::Command as Permissions;

use crate::arguments::{Format, Target};
use crate::exit::Exit;
use crate::invocation::Invocation;
use crate::progress::Display;
use crate::resolved;

pub(crate) async fn run(
    invocation: &Invocation<'_>,
    target: &Target,
    options: &DriftOptions,
) -> Result<Exit> {
    let environment = invocation.environment;
    let Some(compiled) = invocation.compiled("Drift was not checked.")? else {
        return Ok(Exit::Configuration);
    };
    let why = "Drift was not checked.";
    resolved::with_regions(
        invocation,
        target,
        Permissions::Drift,
        compiled,
        &[],
        why,
        async |connection, compiled| {
            let progress = Display::new(environment);
            let cloud = &connection.cloud;
            let observed = deployer::observe_for_drift(cloud, &compiled.bundle, &progress).await?;
            let bundle = compiled.bundle_for(&observed)?;
            let drift = deployer::drift_of(cloud, &bundle, observed, options, &progress).await?;
            match invocation.format {
                Format::Text | Format::Github => {
                    environment.print(&report::drift::terminal(&drift))?;
                    environment.print(&connection.calls_line().await?)?;
                }
                Format::Sarif => {
                    let rules = &compiled.project.rule_library.rules;
                    let files = rules
                        .iter()
                        .map(|rule| (rule.id.clone(), environment.shown(&rule.file.path)))
                        .collect();
                    let organization = &compiled.project.organization_file;
                    environment.print_json(&report::drift::sarif(&drift, &files, organization))?;
                }
                Format::Junit => environment.print_document(&report::drift::junit(&drift))?,
                Format::Markdown => environment.print_document(&report::drift::markdown(&drift))?,
                Format::Json => environment.print_json(&drift)?,
            }
            Ok(match drift.outcome() {
                DriftOutcome::InSync => Exit::Done,
                DriftOutcome::Drifted => Exit::Drift,
                DriftOutcome::Incomplete => Exit::Failed,
                DriftOutcome::Blocked => Exit::Blocked,
            })
        },
    )
    .await
}
