//! Planning and applying, shared by `deploy` and `verify`.

use std::time::Duration;

use anyhow::Result;
use deployer::ApplyOutcome;
use deployer::apply::Limits;
use report::plural;

use crate::arguments::{DeploymentArguments, Format};
use crate::connection::Connection;
use crate::detach;
use crate::exit::Exit;
use crate::invocation::{Compiled, Invocation};
use crate::progress::Display;
use crate::saved_plan;

/// A plan and the result of applying it.
#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) plan: deployer::Plan,
    pub(crate) report: deployer::ApplyReport,
    /// Why a saved plan was rejected; `None` if it was applied.
    pub(crate) refused: Option<&'static str>,
}

impl Deployment {
    pub(crate) fn summary(&self) -> String {
        let fleet = format!(
            "{} x {}",
            plural(self.plan.accounts, "account"),
            plural(self.plan.regions, "Region")
        );
        match self.report.outcome() {
            ApplyOutcome::Blocked => {
                let count = plural(self.report.problems.len(), "problem");
                format!("Blocked: {count}; nothing was changed.\n")
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

/// Plans and applies, and shows the plan first. Writes the deployed templates to the project's
/// output folder. `None` if the user interrupted it.
pub(crate) async fn deploy(
    invocation: &Invocation<'_>,
    connection: &Connection,
    compiled: &Compiled,
    how: &DeploymentArguments,
) -> Result<Option<Deployment>> {
    let environment = invocation.environment;
    let saved = how.plan.as_deref();
    let saved = saved.map(|path| saved_plan::basis(environment, path));
    let saved = saved.transpose()?;
    let observed = deployer::observe_settled(&connection.cloud, &compiled.bundle).await?;
    let bundle = compiled.bundle_for(&observed)?;
    bundle.write(&compiled.project.default_output)?;
    let plan = deployer::plan(&bundle, &observed);
    let refused = saved.and_then(|saved| saved_plan::outdated(&saved, &plan.basis));
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
    if invocation.format != Format::Json {
        environment.note_text(&report::plan::terminal(&plan));
    }
    let progress = Display::new(environment);
    let work = deployer::apply::apply_with(&connection.cloud, &bundle, &plan, &progress, options);
    let applied = detach::detachable(environment, &connection.cloud, &progress, work).await;
    let Some(report) = applied.transpose()? else {
        return Ok(None);
    };
    if invocation.format != Format::Json && report.outcome() != ApplyOutcome::NothingToDo {
        environment.note_text(&report::apply::terminal(&report));
    }
    Ok(Some(Deployment {
        plan,
        report,
        refused: None,
    }))
}

/// Exit code of a deployment or removal.
pub(crate) fn exit_of(outcome: ApplyOutcome) -> Exit {
    match outcome {
        ApplyOutcome::NothingToDo | ApplyOutcome::Done => Exit::Done,
        ApplyOutcome::Partial => Exit::Partial,
        ApplyOutcome::Failed => Exit::OperationFailed,
        ApplyOutcome::TimedOut => Exit::TimedOut,
        ApplyOutcome::Blocked => Exit::Blocked,
    }
}
