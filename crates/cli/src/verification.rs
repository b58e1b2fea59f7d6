//! Verifies the alert chain, for `verify` and `deploy`.

use anyhow::{Context, Result};
use deployer::ports::Organizations;
use deployer::probe::Finding;
use deployer::proof::{ProofOptions, ProofOutcome, ProofReport};
use deployer::verify::{VerifyOutcome, VerifyReport};
use deployer::{BrokenLink, Scope};
use serde_json::{Value, json};

use crate::arguments::ProofArguments;
use crate::connection::Connection;
use crate::environment::Environment;
use crate::invocation::Compiled;
use crate::progress::Display;

/// The result: the chain's health and, on the simulator, the result of every rule's events.
#[derive(Debug)]
pub(crate) struct Verification {
    health: Vec<BrokenLink>,
    events: Option<VerifyReport>,
    /// The proof, which includes the chain's health, with the number of calls that it took.
    proof: Option<(ProofReport, u64)>,
    /// What AWS's documents don't settle.
    probes: Option<Vec<Finding>>,
}

/// Checks the chain's health and, on the simulator, sends every rule's events through it.
pub(crate) async fn verify(
    environment: &Environment,
    connection: &Connection,
    compiled: &Compiled,
) -> Result<Verification> {
    let events = send_events(environment, connection, compiled).await?;
    let health = deployer::health(&connection.cloud, &compiled.bundle).await?;
    Ok(Verification {
        health,
        events,
        proof: None,
        probes: None,
    })
}

/// Sends canaries through the chain and, on the simulator, every rule's events.
pub(crate) async fn prove(
    environment: &Environment,
    connection: &Connection,
    compiled: &Compiled,
    arguments: &ProofArguments,
) -> Result<Verification> {
    let events = send_events(environment, connection, compiled).await?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the operating system gave no random numbers")?;
    let options = ProofOptions {
        scope: Scope {
            accounts: arguments.accounts.iter().cloned().collect(),
            regions: arguments.regions.iter().cloned().collect(),
        },
        sample: arguments
            .sample
            .map(|count| usize::try_from(count).unwrap_or(usize::MAX)),
        cloudtrail: arguments.cloudtrail || arguments.probe,
        secret,
    };
    let before = connection.cloud.requests();
    let progress = Display::new(environment);
    let proof =
        deployer::proof::prove(&connection.cloud, &compiled.bundle, &options, &progress).await?;
    let calls = connection.cloud.requests() - before;
    let probes = if arguments.probe {
        let findings =
            deployer::probe::ask(&connection.cloud, &compiled.bundle, &proof, &progress).await;
        Some(findings)
    } else {
        None
    };
    Ok(Verification {
        health: Vec::new(),
        events,
        proof: Some((proof, calls)),
        probes,
    })
}

async fn send_events(
    environment: &Environment,
    connection: &Connection,
    compiled: &Compiled,
) -> Result<Option<VerifyReport>> {
    let Some(simulator) = &connection.simulator else {
        return Ok(None);
    };
    let accounts = connection.cloud.list_accounts().await?;
    let account = deployer::verify::sender(&compiled.bundle, &accounts)
        .context("no watched member account is active, so no event can be sent from one")?;
    let report = deployer::verify::verify(
        simulator,
        &compiled.bundle,
        &compiled.project.rule_library.rules,
        &account,
        &Display::new(environment),
    )
    .await?;
    Ok(Some(report))
}

impl Verification {
    /// What is broken in the hub, the trail and the topics.
    fn broken(&self) -> &[BrokenLink] {
        let proof = self.proof.as_ref();
        proof.map_or(&self.health, |(proof, _)| &proof.hub)
    }

    pub(crate) fn passed(&self) -> bool {
        let proof = self.proof.as_ref();
        self.health.is_empty()
            && proof.is_none_or(|(proof, _)| proof.outcome() == ProofOutcome::Proven)
            && self
                .events
                .as_ref()
                .is_none_or(|events| events.outcome() == VerifyOutcome::Passed)
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = self
            .events
            .as_ref()
            .map(report::verify::terminal)
            .unwrap_or_default();
        if let Some((proof, _)) = &self.proof {
            text.push_str(&report::proof::terminal(proof));
        }
        if let Some(findings) = &self.probes {
            text.push_str(&report::probe::terminal(findings));
        }
        text.push_str(&report::proof::broken_links(&self.health));
        text
    }

    pub(crate) fn summary(&self) -> String {
        let health = if self.broken().is_empty() {
            "The alert chain is healthy: trail, subscriptions, dead letters, bus policy.".to_owned()
        } else {
            format!(
                "The alert chain is NOT healthy: {}.",
                report::plural(self.broken().len(), "broken link")
            )
        };
        let mut text = match &self.events {
            Some(events) => format!("{}\n{health}\n", report::verify::summary(events)),
            None => format!("{health}\n"),
        };
        if let Some((proof, calls)) = &self.proof {
            text.push_str(&report::proof::summary(proof, *calls));
        }
        if let Some(findings) = &self.probes {
            text.push_str(&report::probe::summary(findings));
        }
        text
    }

    pub(crate) fn to_json(&self) -> Value {
        let proof = self.proof.as_ref();
        json!({
            "passed": self.passed(),
            "health": self.broken(),
            "events": self.events,
            "proof": proof.map(|(proof, _)| proof),
            "calls": proof.map(|(_, calls)| calls),
            "probes": self.probes,
        })
    }
}
