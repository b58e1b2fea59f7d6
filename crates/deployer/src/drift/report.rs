//! What a drift check found.

use remedy::Remedy;
use serde::Serialize;

use crate::code::{DriftCheck, DriftCode};
use crate::plan::Plan;
use crate::ports::{Location, ResourceDrift};

/// Every difference between bundle and fleet, broken links of the alert chain included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DriftReport {
    /// What a deployment would change.
    pub plan: Plan,
    /// In the order of the checks.
    pub differences: Vec<Difference>,
    /// What could not be checked, and why. While there is any, "no drift" is not proven.
    pub unchecked: Vec<Unchecked>,
    /// What a reader should know, such as how old the result of a check is.
    pub notes: Vec<String>,
    /// What was checked.
    pub checked: Checked,
}

/// What was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The checks that were made, in their order.
    pub checks: Vec<DriftCheck>,
    /// Stack sets.
    pub stack_sets: usize,
    /// Stack instances.
    pub instances: usize,
    /// Stacks of the management account.
    pub stacks: usize,
}

/// What one check found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) differences: Vec<Difference>,
    pub(super) unchecked: Vec<Unchecked>,
    pub(super) notes: Vec<String>,
}

impl Found {
    pub(super) fn merge(&mut self, other: Found) {
        self.differences.extend(other.differences);
        self.unchecked.extend(other.unchecked);
        self.notes.extend(other.notes);
    }
}

/// One difference between bundle and fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What kind of difference.
    pub code: DriftCode,
    /// Which check found it.
    pub check: DriftCheck,
    /// Name of the stack set or stack, if it is about one.
    pub part: Option<String>,
    /// Where, if it is about one account and Region.
    pub location: Option<Location>,
    /// One sentence without a full stop.
    pub message: String,
    /// The rules it is about.
    pub rules: Vec<String>,
    /// The drifted resource, property by property.
    pub resource: Option<ResourceDrift>,
    /// What should be there.
    pub expected: Option<String>,
    /// What is there.
    pub actual: Option<String>,
    /// What to do about it.
    pub fix: Remedy,
}

impl Difference {
    /// A difference that names no stack set, location or rule yet.
    pub(crate) fn new(code: DriftCode, message: impl Into<String>, fix: impl Into<Remedy>) -> Self {
        Difference {
            code,
            check: code.check(),
            part: None,
            location: None,
            message: message.into(),
            rules: Vec::new(),
            resource: None,
            expected: None,
            actual: None,
            fix: fix.into(),
        }
    }

    pub(crate) fn part(mut self, name: &str) -> Self {
        self.part = Some(name.to_owned());
        self
    }

    pub(crate) fn at(mut self, location: &Location) -> Self {
        self.location = Some(location.clone());
        self
    }

    pub(crate) fn values(mut self, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self.actual = Some(actual.into());
        self
    }
}

/// Something that could not be checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unchecked {
    /// The check that it belongs to.
    pub check: DriftCheck,
    /// Name of the stack set or stack, if it is about one.
    pub part: Option<String>,
    /// What it is: `resources`, `trail gizmos`.
    pub what: String,
    /// Where, if it is about one account and Region.
    pub location: Option<Location>,
    /// Why it could not be checked.
    pub reason: String,
}

/// How a drift check ended. Each has an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftOutcome {
    /// Fleet and bundle are the same: 0.
    InSync,
    /// There is drift: 5.
    Drifted,
    /// No drift was found, but not everything could be checked: 1.
    Incomplete,
    /// The credentials don't belong to the organization; nothing was compared: 6.
    Blocked,
}

impl DriftReport {
    /// How it ended.
    pub fn outcome(&self) -> DriftOutcome {
        if !self.plan.problems.is_empty() {
            DriftOutcome::Blocked
        } else if !self.differences.is_empty() {
            DriftOutcome::Drifted
        } else if !self.unchecked.is_empty() {
            DriftOutcome::Incomplete
        } else {
            DriftOutcome::InSync
        }
    }
}
