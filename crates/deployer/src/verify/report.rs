//! The result of a verification.

use serde::Serialize;

use super::chain::{Delivery, Hop};
use crate::ports::Location;

/// The result of a verification, case by case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// One case per event sent.
    pub cases: Vec<Case>,
    /// Locations from which events were sent, without duplicates, sorted.
    pub locations: Vec<Location>,
}

/// The kind of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseKind {
    /// The rule must alert on the event.
    Positive,
    /// The rule must not alert on the event.
    Negative,
    /// A positive event that contains hostile text.
    Hostile,
    /// The rule's response must act on the event.
    Response,
}

/// The result for one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// `None` if the event could not be sent.
    pub event_id: Option<String>,
    /// Id of the rule.
    pub rule: String,
    /// Name of the rule's test, with the variant's name for hostile events.
    pub test: String,
    /// Decides what counts as a failure.
    pub kind: CaseKind,
    /// Account and Region from which it was sent.
    pub location: Location,
    /// One clause per failure; empty if the case passed.
    pub failures: Vec<String>,
    /// Delivered alerts of this rule.
    pub alerts: Vec<Delivery>,
    /// Links the event reached; kept only for failed cases.
    pub hops: Vec<Hop>,
    /// The link that dropped the event, if the case failed for that reason.
    pub broken_link: Option<Hop>,
}

impl Case {
    /// Whether there were no failures.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// The outcome of a verification. Each variant has an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyOutcome {
    /// Every case passed: exit code 0.
    Passed,
    /// At least one case failed: exit code 1.
    Failed,
    /// There was nothing to send: exit code 1.
    Empty,
}

impl VerifyReport {
    /// Derives the outcome from all cases.
    pub fn outcome(&self) -> VerifyOutcome {
        if self.cases.is_empty() {
            VerifyOutcome::Empty
        } else if self.cases.iter().all(Case::passed) {
            VerifyOutcome::Passed
        } else {
            VerifyOutcome::Failed
        }
    }

    /// Number of alerts that arrived.
    pub fn alerts(&self) -> usize {
        self.cases.iter().map(|case| case.alerts.len()).sum()
    }

    /// The failed cases.
    pub fn failed(&self) -> impl Iterator<Item = &Case> {
        self.cases.iter().filter(|case| !case.passed())
    }
}
