//! Detects whether a wave broke the alert chain.

use std::time::Duration;

use super::Run;
use crate::code::DriftCode;
use crate::fleet::Scope;
use crate::health::{BrokenLink, inspect};
use crate::ports::Cloud;

/// A link counts as broken only if two inspections this far apart find it broken: a dead-letter
/// queue may hold a message for a moment.
const BETWEEN_INSPECTIONS: Duration = Duration::from_secs(30);

/// Links that were already broken before the first wave; `None` disables the gate.
#[derive(Debug)]
pub(super) struct Gate(Option<Vec<BrokenLink>>);

impl Gate {
    /// Inspects the chain before the first wave, if a later wave needs the comparison.
    pub(super) async fn before<C: Cloud>(run: &Run<'_, C>, needed: bool) -> Gate {
        if !needed || !run.gate {
            return Gate(None);
        }
        Gate(look(run).await)
    }

    /// Describes the links that broke since the first wave; `None` if there are none.
    pub(super) async fn worse<C: Cloud>(&self, run: &Run<'_, C>) -> Option<String> {
        let before = self.0.as_ref()?;
        let first = new_links(before, look(run).await?);
        if first.is_empty() {
            return None;
        }
        run.session.cloud.pause(BETWEEN_INSPECTIONS).await;
        new_links(before, look(run).await?)
            .into_iter()
            .find(|link| first.iter().any(|known| is_same(known, link)))
            .map(|link| format!("{} in {}: {}", link.link, link.location, link.message))
    }
}

/// Broken links in the hub and management accounts, where all events pass. This takes a few calls
/// regardless of the fleet's size. If the chain can't be read, only failed instances stop a
/// rollout.
async fn look<C: Cloud>(run: &Run<'_, C>) -> Option<Vec<BrokenLink>> {
    let accounts = &run.bundle.organization.accounts;
    let scope = Scope {
        accounts: [accounts.hub.clone(), accounts.management.clone()].into(),
        ..Scope::default()
    };
    let inspection = inspect(run.session.cloud, run.bundle, &scope, None)
        .await
        .ok()?;
    // A subscription to a new topic waits for its owner's confirmation, which doesn't depend on the
    // template.
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
