//! `deploy`: make the fleet equal the rules, then prove that the alert chain works.

use std::time::Duration;

use anyhow::Result;
use deployer::apply::Limits;
use deployer::{ApplyOutcome, preflight};
use report::plural;
use serde_json::json;

use crate::arguments::{DeploymentArguments, Format, ProjectArguments, Target};
use crate::commands::verify::{self, Verification};
use crate::commands::{Compiled, compiled, saved};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::interrupt;
use crate::output;
use crate::progress::Display;
use crate::spelling;

pub(crate) async fn run(
    arguments: &ProjectArguments,
    format: Format,
    target: &Target,
    verify: bool,
    how: &DeploymentArguments,
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
    let found = preflight::preflight(&connection.cloud, &compiled.bundle).await;
    if !found.passed() {
        if format == Format::Json {
            output::json(&json!({ "preflight": found }))?;
        } else {
            eprint!("{}", report::preflight::terminal(&found));
        }
        connection.close().await;
        return Ok(Exit::Blocked);
    }
    if format != Format::Json {
        eprint!("{}", report::preflight::warnings(&found));
    }
    let Some(deployment) = deploy(&connection, &compiled, format, how).await? else {
        connection.close().await;
        return Ok(Exit::Interrupted);
    };
    if let Some(reason) = deployment.refused {
        eprintln!(
            "error: {reason}; nothing was touched\nhint: {} shows what has become of it",
            spelling::command("plan --org")
        );
        connection.close().await;
        return Ok(Exit::Blocked);
    }
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
    /// Why a saved plan was not carried out.
    pub(crate) refused: Option<&'static str>,
}

impl Deployment {
    fn summary(&self) -> String {
        let fleet = format!(
            "{} x {}",
            plural(self.plan.accounts, "account"),
            plural(self.plan.regions, "Region")
        );
        match self.report.outcome() {
            ApplyOutcome::Blocked => {
                let count = plural(self.report.problems.len(), "problem");
                format!("Blocked: {count}; nothing was touched.\n")
            }
            ApplyOutcome::NothingToDo => {
                format!("{}\n", report::plan::summary(&self.plan))
            }
            _ => format!(
                "{}; {fleet}.\n",
                report::apply::summary(&self.report, "Deployed")
            ),
        }
    }
}

/// Plans and applies; shows the plan before it is applied. `None` if it was interrupted.
pub(crate) async fn deploy(
    connection: &Connection,
    compiled: &Compiled,
    format: Format,
    how: &DeploymentArguments,
) -> Result<Option<Deployment>> {
    let saved = how.plan.as_deref().map(saved::basis).transpose()?;
    let observed = deployer::observe_settled(&connection.cloud, &compiled.bundle).await?;
    let plan = deployer::plan(&compiled.bundle, &observed);
    let refused = saved.and_then(|saved| saved::outdated(&saved, &plan.basis));
    if refused.is_some() {
        return Ok(Some(Deployment {
            plan,
            report: deployer::ApplyReport::default(),
            refused,
        }));
    }
    let options = deployer::apply::Options {
        limits: Limits {
            operation: Duration::from_mins(how.time_limit),
            ..Limits::default()
        },
        allow_delete: how.allow_delete,
        delete_percent: how.max_delete,
        membership: Some(observed.membership),
        ..deployer::apply::Options::default()
    };
    if format != Format::Json {
        eprint!("{}", report::plan::terminal(&plan));
    }
    let progress = Display::new();
    let work = deployer::apply::apply_with(
        &connection.cloud,
        &compiled.bundle,
        &plan,
        &progress,
        options,
    );
    let Some(report) = interrupt::detachable(&connection.cloud, &progress, work).await else {
        return Ok(None);
    };
    let report = report?;
    if format != Format::Json && report.outcome() != ApplyOutcome::NothingToDo {
        eprint!("{}", report::apply::terminal(&report));
    }
    Ok(Some(Deployment {
        plan,
        report,
        refused: None,
    }))
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
