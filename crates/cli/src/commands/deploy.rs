//! The command `deploy`: makes the fleet match the rules, then verifies the alert chain.

use anyhow::Result;
use deployer::preflight;
use report::plural;
use serde_json::json;

use crate::arguments::{DeploymentArguments, Format, Target};
use crate::connection::Connection;
use crate::deployment::{self, Deployment};
use crate::exit::Exit;
use crate::invocation::{Compiled, Invocation};
use crate::spelling;
use crate::verification::{self, Verification};

pub(crate) async fn run(
    invocation: &Invocation<'_>,
    target: &Target,
    verify: bool,
    how: &DeploymentArguments,
) -> Result<Exit> {
    let Some(compiled) = invocation.compiled("Nothing was deployed.")? else {
        return Ok(Exit::Configuration);
    };
    Connection::with(target, &compiled.organization, async |connection| {
        Box::pin(deploy(invocation, connection, &compiled, verify, how)).await
    })
    .await
}

async fn deploy(
    invocation: &Invocation<'_>,
    connection: &Connection,
    compiled: &Compiled,
    verify: bool,
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
    let verification = if verify && exit == Exit::Done {
        environment.note("Verifying the alert chain.");
        Some(verification::verify(environment, connection, compiled).await?)
    } else {
        None
    };
    print(invocation, &deployment, verification.as_ref(), &calls)?;
    Ok(match verification {
        Some(verification) if !verification.passed() => Exit::Failed,
        _ => exit,
    })
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
    verification: Option<&Verification>,
    calls: &str,
) -> Result<()> {
    if invocation.format == Format::Json {
        return invocation.environment.print_json(&json!({
            "plan": deployment.plan,
            "deployment": deployment.report,
            "verification": verification.map(Verification::to_json),
        }));
    }
    let mut text = String::new();
    if let Some(verification) = verification {
        text.push_str(&verification.to_text());
        text.push('\n');
    }
    text.push_str(&deployment.summary());
    text.push_str(calls);
    if let Some(verification) = verification {
        text.push_str(&verification.summary());
    }
    invocation.environment.print(&text)
}
