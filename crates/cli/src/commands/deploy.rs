//! `deploy`: make the fleet equal the rules, then prove that the alert chain works.

use anyhow::Result;
use deployer::ApplyOutcome;
use report::plural;
use serde_json::json;

use crate::arguments::{Format, ProjectArguments, Target};
use crate::commands::verify::{self, Verification};
use crate::commands::{Compiled, compiled};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::output;
use crate::progress::Display;

pub(crate) async fn run(
    arguments: &ProjectArguments,
    format: Format,
    target: &Target,
    verify: bool,
) -> Result<Exit> {
    let Some(compiled) = compiled(arguments, format)? else {
        return Ok(Exit::Configuration);
    };
    let folder = compiled.project.default_output();
    compiled.bundle.write(&folder)?;
    let connection = Connection::open(target, &compiled.organization).await?;
    eprintln!(
        "Compiled {} into {}; deploying to {}.",
        plural(compiled.project.rule_library.rules.len(), "rule"),
        plural(compiled.bundle.stack_sets.len(), "stack set"),
        connection.describe(&compiled.organization)
    );
    let deployment = deploy(&connection, &compiled, format).await?;
    let mut exit = exit_of(deployment.report.outcome());
    let calls = connection.calls_line().await?;
    let verification = if verify && exit == Exit::Done {
        eprintln!("Verifying the alert chain.");
        Some(verify::chain(&connection, &compiled).await?)
    } else {
        None
    };
    if let Some(verification) = &verification
        && !verification.passed()
    {
        exit = Exit::Failed;
    }
    if format == Format::Json {
        output::json(&json!({
            "plan": deployment.plan,
            "deployment": deployment.report,
            "verification": verification.as_ref().map(Verification::to_json),
        }))?;
    } else {
        let mut text = String::new();
        if let Some(verification) = &verification {
            text.push_str(&verification.to_text());
            text.push('\n');
        }
        text.push_str(&deployment.summary());
        text.push_str(&calls);
        if let Some(verification) = &verification {
            text.push_str(&verification.summary());
        }
        output::text(&text)?;
    }
    connection.close().await;
    Ok(exit)
}

/// A plan and what came of it.
#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) plan: deployer::Plan,
    pub(crate) report: deployer::ApplyReport,
}

impl Deployment {
    fn summary(&self) -> String {
        let fleet = format!(
            "{} x {}",
            plural(self.plan.accounts, "account"),
            plural(self.plan.regions, "Region")
        );
        match self.report.outcome() {
            ApplyOutcome::NothingToDo | ApplyOutcome::Blocked => {
                format!("{}\n", report::plan::summary(&self.plan))
            }
            _ => format!(
                "{}; {fleet}.\n",
                report::apply::summary(&self.report, "Deployed")
            ),
        }
    }
}

/// Plans and applies; shows the plan before it is applied.
pub(crate) async fn deploy(
    connection: &Connection,
    compiled: &Compiled,
    format: Format,
) -> Result<Deployment> {
    let observed = deployer::observe(&connection.cloud, &compiled.bundle).await?;
    let plan = deployer::plan(&compiled.bundle, &observed);
    if format != Format::Json {
        eprint!("{}", report::plan::terminal(&plan));
    }
    let progress = Display::new();
    let report = deployer::apply(&connection.cloud, &compiled.bundle, &plan, &progress).await?;
    if format != Format::Json && report.outcome() != ApplyOutcome::NothingToDo {
        eprint!("{}", report::apply::terminal(&report));
    }
    Ok(Deployment { plan, report })
}

/// The exit code of a deployment or removal.
pub(crate) fn exit_of(outcome: ApplyOutcome) -> Exit {
    match outcome {
        ApplyOutcome::NothingToDo | ApplyOutcome::Done => Exit::Done,
        ApplyOutcome::Partial => Exit::Partial,
        ApplyOutcome::Failed => Exit::OperationFailed,
        ApplyOutcome::TimedOut => Exit::TimedOut,
        ApplyOutcome::Blocked => Exit::Blocked,
    }
}
