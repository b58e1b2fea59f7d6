//! What a verification showed.

use serde::Serialize;

use super::chain::{Delivery, Hop};
use crate::ports::Location;

/// What a verification showed, case by case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Every event that was sent.
    pub cases: Vec<Case>,
    /// Where the events were sent from, each location once, sorted.
    pub locations: Vec<Location>,
}

/// What a case is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseKind {
    /// An event that the rule must alert on.
    Positive,
    /// An event that the rule must stay silent on.
    Negative,
    /// A positive event with hostile text in it.
    Hostile,
    /// An event that a response must act on.
    Response,
}

/// One event that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// The id of the event that was sent; `None` if none could be.
    pub event_id: Option<String>,
    /// The rule's id.
    pub rule: String,
    /// The rule test's name, and the variant's for hostile events.
    pub test: String,
    /// What it is about.
    pub kind: CaseKind,
    /// Where it was sent from.
    pub location: Location,
    /// What went wrong; empty if nothing did.
    pub failures: Vec<String>,
    /// The alerts of this rule that arrived.
    pub alerts: Vec<Delivery>,
    /// The links the event reached; only kept for cases that failed.
    pub hops: Vec<Hop>,
    /// The link that dropped the event, if the case failed that way.
    pub broken_link: Option<Hop>,
}

impl Case {
    /// Whether everything was as expected.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// How a verification ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyOutcome {
    /// Every case passed: 0.
    Passed,
    /// Some case failed: 1.
    Failed,
    /// There was nothing to send: 1.
    Empty,
}

impl VerifyReport {
    /// How it ended.
    pub fn outcome(&self) -> VerifyOutcome {
        if self.cases.is_empty() {
            VerifyOutcome::Empty
        } else if self.cases.iter().all(Case::passed) {
            VerifyOutcome::Passed
        } else {
            VerifyOutcome::Failed
        }
    }

    /// How many alerts arrived.
    pub fn alerts(&self) -> usize {
        self.cases.iter().map(|case| case.alerts.len()).sum()
    }

    /// Cases that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Case> {
        self.cases.iter().filter(|case| !case.passed())
    }
}
