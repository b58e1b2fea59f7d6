//! Verifies the alert chain, for `verify` and `deploy`.

use anyhow::{Context, Result};
use deployer::BrokenLink;
use deployer::ports::Organizations;
use deployer::verify::{VerifyOutcome, VerifyReport};
use serde_json::{Value, json};

use crate::connection::Connection;
use crate::environment::Environment;
use crate::invocation::Compiled;
use crate::progress::Display;

/// The result: the chain's health and, on the simulator, the result of every rule's events.
#[derive(Debug)]
pub(crate) struct Verification {
    health: Vec<BrokenLink>,
    events: Option<VerifyReport>,
}

/// Checks the chain's health and, on the simulator, sends every rule's events through it.
pub(crate) async fn verify(
    environment: &Environment,
    connection: &Connection,
    compiled: &Compiled,
) -> Result<Verification> {
    let mut events = None;
    if let Some(simulator) = &connection.simulator {
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
        events = Some(report);
    }
    let health = deployer::health(&connection.cloud, &compiled.bundle).await?;
    Ok(Verification { health, events })
}

impl Verification {
    pub(crate) fn passed(&self) -> bool {
        self.health.is_empty()
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
        for broken in &self.health {
            text.push_str(&format!(
                "broken link: {} ({}): {}\n  help: {}\n",
                broken.link, broken.location, broken.message, broken.fix
            ));
        }
        text
    }

    pub(crate) fn summary(&self) -> String {
        let health = if self.health.is_empty() {
            "The alert chain is healthy: trail, subscriptions, dead letters, bus policy.".to_owned()
        } else {
            format!(
                "The alert chain is NOT healthy: {}.",
                report::plural(self.health.len(), "broken link")
            )
        };
        match &self.events {
            Some(events) => format!("{}\n{health}\n", report::verify::summary(events)),
            None => format!("{health}\n"),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "passed": self.passed(), "health": self.health, "events": self.events })
    }
}
