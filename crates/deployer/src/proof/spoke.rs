//! A visit to an account: compares the rules of each of its Regions, and sends the canaries.

use std::collections::BTreeMap;
use std::time::SystemTime;

use compiler::canary::{CanaryKind, DETAIL_TYPE, PARAMETER_PREFIX, SOURCE};
use compiler::{Bundle, Part};
use serde_json::json;

use super::report::{Link, LinkState, LocationProof};
use super::rules::{self, DEFAULT_BUS, ExpectedRule};
use super::{Plan, broken};
use crate::health::BrokenLink;
use crate::ports::{Cloud, CloudError, CustomEvent, Location};

/// What a visit found in a location.
pub(super) struct Visit {
    pub(super) proof: LocationProof,
    /// Whether a canary was sent.
    pub(super) sent: bool,
    /// When the last canary was sent.
    pub(super) at: SystemTime,
    /// Just before the first canary was sent.
    pub(super) counted_from: SystemTime,
    /// Names of the canaries' forwarders.
    pub(super) forwarders: BTreeMap<CanaryKind, String>,
    /// The kinds of canaries whose forwarder is broken, as read.
    pub(super) broken_forwarders: BTreeMap<CanaryKind, BrokenLink>,
    /// The kinds of canaries that were sent.
    pub(super) kinds: Vec<CanaryKind>,
}

/// The rules that every watched account and Region must have.
pub(super) fn expected(bundle: &Bundle) -> Vec<ExpectedRule> {
    let sets = bundle.stack_sets.iter();
    sets.filter(|set| matches!(set.part, Part::RulesSpoke | Part::RulesLocal))
        .flat_map(rules::expected)
        .collect()
}

pub(super) async fn visit_account(
    cloud: &impl Cloud,
    plan: &Plan<'_>,
    locations: Vec<&Location>,
) -> Vec<Visit> {
    let mut visits: Vec<Visit> = Vec::new();
    let mut closed: Option<CloudError> = None;
    for location in locations {
        let mut visit = Visit {
            proof: LocationProof::new(location),
            sent: false,
            at: cloud.now(),
            counted_from: cloud.now(),
            forwarders: BTreeMap::new(),
            broken_forwarders: BTreeMap::new(),
            kinds: Vec::new(),
        };
        let result = match &closed {
            Some(error) => Err(error.clone()),
            None => visit.make(cloud, plan, location).await,
        };
        if let Err(error) = result {
            visit.failed(location, &error);
            // Every other call in this account would fail for the same reason.
            let is_closed = matches!(
                &error, CloudError::AccessDenied { action, .. } if action == "sts:AssumeRole"
            );
            closed = is_closed.then_some(error);
        }
        visits.push(visit);
    }
    visits
}

impl Visit {
    async fn make(
        &mut self,
        cloud: &impl Cloud,
        plan: &Plan<'_>,
        location: &Location,
    ) -> Result<(), CloudError> {
        let found = rules::compare(cloud, location, DEFAULT_BUS, &plan.expected).await?;
        self.proof.set(
            Link::Rules,
            if found.broken.is_empty() {
                LinkState::Works
            } else {
                LinkState::Broken
            },
        );
        self.proof.broken = found.broken;
        self.forwarders = found.canaries;
        self.broken_forwarders = found.broken_canaries;
        // Not the time of the last canary: metrics count by the minute, which may change in between.
        self.counted_from = cloud.now();
        for kind in plan.kinds {
            let nonce = plan.nonces.of(*kind, location);
            match kind {
                CanaryKind::Event => {
                    let event = CustomEvent {
                        source: SOURCE,
                        detail_type: DETAIL_TYPE,
                        detail: json!({"nonce": nonce, "kind": kind.name()}),
                    };
                    cloud.put_event(location, &event).await?;
                }
                CanaryKind::CloudTrail => {
                    let name = format!("{PARAMETER_PREFIX}{nonce}");
                    cloud.delete_parameter(location, &name).await?;
                }
            }
            self.sent = true;
            self.kinds.push(*kind);
            self.at = cloud.now();
        }
        Ok(())
    }

    fn failed(&mut self, location: &Location, error: &CloudError) {
        let (link, fix) = match error {
            CloudError::AccessDenied { action, .. } if action == "sts:AssumeRole" => (
                "access role".to_owned(),
                "let the caller assume the access role of the organization file in this account"
                    .to_owned(),
            ),
            CloudError::AccessDenied { action, .. } => (
                format!("permission for {action}"),
                format!("allow the access role {action} in this account"),
            ),
            _ => (
                "call to AWS".to_owned(),
                "try again; if it persists, look at the service's status for this Region"
                    .to_owned(),
            ),
        };
        self.proof
            .broken
            .push(broken(link, location, error.to_string(), fix));
    }
}
