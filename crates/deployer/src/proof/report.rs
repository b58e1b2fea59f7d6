//! What a proof found, location by location.

use std::collections::BTreeMap;
use std::time::Duration;

use compiler::canary::CanaryKind;
use compiler::organization::Topology;
use serde::Serialize;

use crate::health::BrokenLink;
use crate::ports::Location;

/// A link of the chain between an account and the canaries' queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// CloudTrail records a call and sends it to the default bus.
    CloudTrail,
    /// State, pattern and targets of all rules on the default bus, by reading.
    Rules,
    /// The forwarder, its role and the hub's bus policy.
    Forwarding,
    /// The hub's rule, its transformer, role and key, the topic and the queue.
    Alerting,
}

impl Link {
    /// All links, in an event's order.
    pub const ALL: [Link; 4] = [
        Link::CloudTrail,
        Link::Rules,
        Link::Forwarding,
        Link::Alerting,
    ];
}

/// Whether a link works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// It was seen to work.
    Works,
    /// It was seen to fail.
    Broken,
    /// Nothing was sent through it, or nothing reached it.
    #[default]
    NotProven,
}

/// What was found for one account and Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LocationProof {
    /// Account and Region.
    pub location: Location,
    /// The state of every link.
    pub links: BTreeMap<Link, LinkState>,
    /// What is broken, with AWS's own words; without what is broken in the hub for all locations.
    pub broken: Vec<BrokenLink>,
}

impl LocationProof {
    pub(super) fn new(location: &Location) -> LocationProof {
        let links = Link::ALL.map(|link| (link, LinkState::NotProven));
        LocationProof {
            location: location.clone(),
            links: links.into(),
            broken: Vec::new(),
        }
    }

    pub(super) fn set(&mut self, link: Link, state: LinkState) {
        self.links.insert(link, state);
    }

    /// The state of one link.
    pub fn state(&self, link: Link) -> LinkState {
        self.links.get(&link).copied().unwrap_or_default()
    }

    /// Whether anything is broken.
    pub fn is_broken(&self) -> bool {
        !self.broken.is_empty() || self.links.values().any(|it| *it == LinkState::Broken)
    }
}

/// A canary that reached its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Where it came from.
    pub location: Location,
    /// How it entered the chain.
    pub kind: CanaryKind,
    /// From the call to the receipt.
    pub after: Duration,
    /// The message as received.
    pub text: String,
}

/// The result of a proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProofReport {
    /// Sorted by location.
    pub locations: Vec<LocationProof>,
    /// The canaries that arrived.
    #[serde(skip)]
    pub arrivals: Vec<Arrival>,
    /// What is broken in the hub, the trail and, in the local topology, the topics.
    pub hub: Vec<BrokenLink>,
    /// Topics whose policy, key and subscriptions were compared with those of the canaries' topic.
    /// Nothing was published to them.
    pub topics_read: Vec<String>,
    /// Accounts and Regions that were asked for, but are not watched.
    pub unmatched: Vec<String>,
    /// Locations from which canaries were sent.
    pub sent: usize,
    /// Whether calls were made that CloudTrail records.
    pub cloudtrail: bool,
    /// In the local topology there is no hub, and canaries are not sent.
    pub topology: Topology,
    /// The fewest calls that a proof of these locations needs, without those to the hub and the
    /// organization, whose number doesn't depend on them.
    pub least_calls: usize,
}

/// The outcome of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofOutcome {
    /// Nothing is broken.
    Proven,
    /// Something is broken, or an account or Region that was asked for is not watched.
    Broken,
    /// No account and Region was selected.
    Empty,
}

impl ProofReport {
    /// Derives the outcome.
    pub fn outcome(&self) -> ProofOutcome {
        let broken = self.locations.iter().any(LocationProof::is_broken);
        if broken || !self.hub.is_empty() || !self.unmatched.is_empty() {
            ProofOutcome::Broken
        } else if self.locations.is_empty() {
            ProofOutcome::Empty
        } else {
            ProofOutcome::Proven
        }
    }
}
