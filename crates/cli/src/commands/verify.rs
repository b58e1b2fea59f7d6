//! The command `verify`: checks that events in member accounts become alerts in inboxes.

use anyhow::{Result, bail};
use deployer::permissions::Command as Permissions;

use crate::arguments::{DeploymentArguments, Format, ProofArguments, Target};
use crate::deployment;
use crate::exit::Exit;
use crate::invocation::Invocation;
use crate::resolved;
use crate::verification;

pub(crate) async fn run(
    invocation: &Invocation<'_>,
    target: &Target,
    proof: &ProofArguments,
) -> Result<Exit> {
    let environment = invocation.environment;
    let Some(compiled) = invocation.compiled("Nothing was verified.")? else {
        return Ok(Exit::Configuration);
    };
    let why = "Nothing was verified.";
    resolved::with_regions(
        invocation,
        target,
        Permissions::Verify,
        compiled,
        &[],
        why,
        async |connection, compiled| {
            if connection.is_embedded() {
                environment
                    .note("The embedded organization starts empty, so it is deployed first.");
                let how = DeploymentArguments::default();
                let deployed = deployment::deploy(invocation, connection, compiled, &how).await?;
                let Some(deployment) = deployed else {
                    return Ok(Exit::Interrupted);
                };
                if deployment::exit_of(deployment.report.outcome()) != Exit::Done {
                    bail!("the deployment did not succeed, so there is nothing to verify");
                }
            }
            let verification =
                verification::prove(environment, connection, compiled, proof).await?;
            if invocation.format == Format::Json {
                environment.print_json(&verification.to_json())?;
            } else {
                let (text, summary) = (verification.to_text(), verification.summary());
                environment.print(&format!("{text}\n{summary}"))?;
            }
            Ok(if verification.passed() {
                Exit::Done
            } else {
                Exit::Failed
            })
        },
    )
    .await
}
