//! The command `deploy`: makes the fleet match the rules, then verifies the alert chain.

use anyhow::Result;
use deployer::permissions::Command as Permissions;
use deployer::{BrokenLink, preflight};
use report::plural;
use serde_json::json;

use crate::arguments::{DeploymentArguments, Format, Target};
use crate::connection::Connection;
use crate::deployment::{self, Deployment};
use crate::exit::Exit;
use crate::invocation::{Compiled, Invocation};
use crate::verification::{self, Verification};
use crate::{resolved, saved_plan, spelling};

/// What follows a deployment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Afterward {
    /// Verify the alert chain.
    pub(crate) verify: bool,
    /// Fail if a rule in the hub differs from its template.
    pub(crate) fail_on_drift: bool,
}

pub(crate) async fn run(
    invocation: &Invocation<'_>,
    target: &Target,
    afterward: Afterward,
    how: &DeploymentArguments,
) -> Result<Exit> {
    let Some(compiled) = invocation.compiled("Nothing was deployed.")? else {
        return Ok(Exit::Configuration);
    };
    let pinned = match &how.plan {
        Some(path) => saved_plan::pinned_regions(invocation.environment, path)?,
        None => Vec::new(),
    };
    let why = "Nothing was deployed.";
    resolved::with_regions(
        invocation,
        target,
        Permissions::Deploy,
        compiled,
        &pinned,
        why,
        async |connection, compiled| {
            Box::pin(deploy(invocation, connection, compiled, afterward, how)).await
        },
    )
    .await
}

async fn deploy(
    invocation: &Invocation<'_>,
    connection: &Connection,
    compiled: &Compiled,
    afterward: Afterward,
    how: &DeploymentArguments,
) -> Result<Exit> {
    let environment = invocation.environment;
    environment.note(format_args!(
        "Compiled {} into {}; deploying to {}.",
        plural(compiled.project.rule_library.rules.len(), "rule"),
        plural(compiled.bundle.stack_sets.len(), "stack set"),
        connection.describe(&compiled.organization)
    ));
    if !can_begin(invocation, connection, compiled).await? {
        return Ok(Exit::Blocked);
    }
    let deployed = deployment::deploy(invocation, connection, compiled, how).await?;
    let Some(deployment) = deployed else {
        return Ok(Exit::Interrupted);
    };
    if let Some(reason) = deployment.refused {
        environment.note(format_args!(
            "error: {reason}; nothing was changed\nhint: {} shows the plan as it is now",
            spelling::command("plan --org")
        ));
        return Ok(Exit::Blocked);
    }
    let exit = deployment::exit_of(deployment.report.outcome());
    let calls = connection.calls_line().await?;
    let drift = if exit == Exit::Done {
        Some(hub_drift(connection, compiled).await)
    } else {
        None
    };
    let verification = if afterward.verify && exit == Exit::Done {
        environment.note("Verifying the alert chain.");
        Some(verification::verify(environment, connection, compiled).await?)
    } else {
        None
    };
    print(
        invocation,
        &deployment,
        drift.as_ref(),
        verification.as_ref(),
        &calls,
    )?;
    let drifted = drift.is_some_and(|drift| drift.is_ok_and(|rules| !rules.is_empty()));
    Ok(match verification {
        Some(verification) if !verification.passed() => Exit::Failed,
        _ if drifted && afterward.fail_on_drift => Exit::Drift,
        _ => exit,
    })
}

/// The hub's rules that differ from their templates: CloudFormation considers them up to date, so a
/// deployment doesn't repair them. The error says why they can't be read.
type HubDrift = Result<Vec<BrokenLink>, String>;

async fn hub_drift(connection: &Connection, compiled: &Compiled) -> HubDrift {
    let rules = deployer::proof::hub_rules(&connection.cloud, &compiled.bundle).await;
    rules.map_err(|error| error.to_string())
}

fn drift_text(drift: &HubDrift) -> String {
    let rules = match drift {
        Ok(rules) => rules,
        Err(reason) => return format!("unchecked: rules on the hub's bus: {reason}\n"),
    };
    let mut text = report::proof::drift(rules);
    if !rules.is_empty() {
        text.push_str(&format!(
            "DRIFT: {} on the hub's bus; {} finds out more, and a deployment repairs none of it.\n",
            plural(rules.len(), "changed rule"),
            spelling::command("drift --org")
        ));
    }
    text
}

/// Runs the preflight and prints its result.
async fn can_begin(
    invocation: &Invocation<'_>,
    connection: &Connection,
    compiled: &Compiled,
) -> Result<bool> {
    let environment = invocation.environment;
    let found = preflight::preflight(&connection.cloud, &compiled.bundle).await;
    let is_json = invocation.format == Format::Json;
    match (found.passed(), is_json) {
        (true, true) => {}
        (true, false) => environment.note_text(&report::preflight::warnings(&found)),
        (false, true) => environment.print_json(&json!({ "preflight": found }))?,
        (false, false) => environment.note_text(&report::preflight::terminal(&found)),
    }
    Ok(found.passed())
}

fn print(
    invocation: &Invocation<'_>,
    deployment: &Deployment,
    drift: Option<&HubDrift>,
    verification: Option<&Verification>,
    calls: &str,
) -> Result<()> {
    if invocation.format == Format::Json {
        return invocation.environment.print_json(&json!({
            "plan": deployment.plan,
            "deployment": deployment.report,
            "drift": drift,
            "verification": verification.map(Verification::to_json),
        }));
    }
    let mut text = String::new();
    if let Some(verification) = verification {
        text.push_str(&verification.to_text());
        text.push('\n');
    }
    text.push_str(&deployment.summary());
    text.push_str(&drift.map(drift_text).unwrap_or_default());
    text.push_str(calls);
    if let Some(verification) = verification {
        text.push_str(&verification.summary());
    }
    invocation.environment.print(&text)
}
