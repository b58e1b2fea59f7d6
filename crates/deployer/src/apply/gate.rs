//! Whether the alert chain got worse while a wave was deployed.

use std::time::Duration;

use super::Run;
use crate::code::DriftCode;
use crate::fleet::Scope;
use crate::health::{BrokenLink, inspect};
use crate::ports::Cloud;

/// Time between the two looks at which a link must be broken: a message may stay in a queue for a
/// moment.
const SECOND_LOOK: Duration = Duration::from_secs(30);

/// The chain's broken links before the first wave; `None` if nothing is compared.
#[derive(Debug)]
pub(super) struct Gate(Option<Vec<BrokenLink>>);

impl Gate {
    /// Inspects the chain, if there will be something to compare.
    pub(super) async fn before<C: Cloud>(run: &Run<'_, C>, needed: bool) -> Gate {
        if !needed || !run.gate {
            return Gate(None);
        }
        Gate(look(run).await)
    }

    /// What is broken now that wasn't before, in words.
    pub(super) async fn worse<C: Cloud>(&self, run: &Run<'_, C>) -> Option<String> {
        let before = self.0.as_ref()?;
        let first = new_links(before, look(run).await?);
        if first.is_empty() {
            return None;
        }
        run.session.cloud.pause(SECOND_LOOK).await;
        new_links(before, look(run).await?)
            .into_iter()
            .find(|link| first.iter().any(|known| is_same(known, link)))
            .map(|link| format!("{} in {}: {}", link.link, link.location, link.message))
    }
}

/// What is broken in the hub and in the management account, where the chain comes together. That
/// costs a few calls, whatever the size of the fleet. Without an answer there is nothing to compare,
/// and failed instances remain the gate.
async fn look<C: Cloud>(run: &Run<'_, C>) -> Option<Vec<BrokenLink>> {
    let accounts = &run.bundle.organization.accounts;
    let scope = Scope {
        accounts: [accounts.hub.clone(), accounts.management.clone()].into(),
        ..Scope::default()
    };
    let inspection = inspect(run.session.cloud, run.bundle, &scope).await.ok()?;
    // The subscription of a topic that this run creates waits for its owner's confirmation, which
    // says nothing about the template.
    let about_template = inspection.faults.into_iter().filter(|fault| {
        !matches!(
            fault.code,
            DriftCode::SubscriptionMissing
                | DriftCode::SubscriptionUnconfirmed
                | DriftCode::SubscriptionUnexpected
        )
    });
    Some(about_template.map(|fault| fault.link).collect())
}

fn new_links(before: &[BrokenLink], now: Vec<BrokenLink>) -> Vec<BrokenLink> {
    now.into_iter()
        .filter(|link| !before.iter().any(|known| is_same(known, link)))
        .collect()
}

fn is_same(one: &BrokenLink, other: &BrokenLink) -> bool {
    one.link == other.link && one.location == other.location
}
