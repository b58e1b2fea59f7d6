//! Whether the alert chain got worse while a wave was deployed.

use std::time::Duration;

use super::Run;
use crate::drift::{BrokenLink, DriftOptions, broken_links};
use crate::ports::Cloud;

/// A link must be broken at two looks so far apart: a message may wait in a queue for a moment.
const SECOND_LOOK: Duration = Duration::from_secs(30);

/// The chain's broken links before the first wave.
#[derive(Debug)]
pub(super) struct Gate(Option<Vec<BrokenLink>>);

impl Gate {
    /// Looks at the chain, if there is something to compare with later.
    pub(super) async fn before<C: Cloud>(run: &Run<'_, C>, needed: bool) -> Gate {
        if !needed || !run.gate {
            return Gate(None);
        }
        Gate(look(run).await)
    }

    /// What is broken now that wasn't before, in words.
    pub(super) async fn worse<C: Cloud>(&self, run: &Run<'_, C>) -> Option<String> {
        let before = self.0.as_ref()?;
        let first = news(before, look(run).await?);
        if first.is_empty() {
            return None;
        }
        run.cloud.pause(SECOND_LOOK).await;
        news(before, look(run).await?)
            .into_iter()
            .find(|broken| first.iter().any(|known| is_same(known, broken)))
            .map(|broken| format!("{} in {}: {}", broken.link, broken.location, broken.message))
    }
}

/// What is broken in the hub and in the management account, where the chain comes together; it
/// costs a few calls, whatever the size of the fleet. Without an answer there is nothing to
/// compare with, and failed instances remain the gate.
async fn look<C: Cloud>(run: &Run<'_, C>) -> Option<Vec<BrokenLink>> {
    let accounts = &run.bundle.organization.accounts;
    let options = DriftOptions {
        accounts: [accounts.hub.clone(), accounts.management.clone()].into(),
        ..DriftOptions::default()
    };
    let mut broken = broken_links(run.cloud, run.bundle, &options).await.ok()?;
    // The subscription of a topic that this run makes waits for its owner's confirmation: that is
    // no fault of the template.
    broken.retain(|broken| !broken.link.starts_with("subscription "));
    Some(broken)
}

fn news(before: &[BrokenLink], now: Vec<BrokenLink>) -> Vec<BrokenLink> {
    now.into_iter()
        .filter(|broken| !before.iter().any(|known| is_same(known, broken)))
        .collect()
}

fn is_same(one: &BrokenLink, other: &BrokenLink) -> bool {
    one.link == other.link && one.location == other.location
}
