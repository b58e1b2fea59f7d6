//! Whether the alert chain got worse while a wave was deployed.

use super::Run;
use crate::drift::{HealthFinding, health};
use crate::ports::Cloud;

/// The chain's health before the first wave.
#[derive(Debug)]
pub(super) struct Gate(Option<Vec<HealthFinding>>);

impl Gate {
    /// Looks at the chain, if there is something to compare with later.
    pub(super) async fn before<C: Cloud>(run: &Run<'_, C>, needed: bool) -> Gate {
        if !needed || !run.gate {
            return Gate(None);
        }
        // Without an answer there is nothing to compare with; the failed instances remain a gate.
        Gate(health(run.cloud, run.bundle).await.ok())
    }

    /// What is broken now that wasn't before, in words.
    pub(super) async fn worse<C: Cloud>(&self, run: &Run<'_, C>) -> Option<String> {
        let before = self.0.as_ref()?;
        let now = health(run.cloud, run.bundle).await.ok()?;
        now.into_iter()
            .find(|finding| {
                !before
                    .iter()
                    .any(|known| known.link == finding.link && known.place == finding.place)
            })
            .map(|finding| format!("{} in {}: {}", finding.link, finding.place, finding.message))
    }
}
