//! The result of a drift run.

use std::collections::BTreeMap;

use remedy::Remedy;
use serde::Serialize;
use serde_json::Value;

use super::settle::{RuleKey, Settled, Tally};
use crate::code::{DriftCheck, DriftCode};
use crate::plan::Plan;
use crate::ports::{Location, ResourceDrift};

/// All differences between bundle and fleet, including broken links of the alert chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DriftReport {
    /// The changes a deployment would make.
    pub plan: Plan,
    /// Sorted by check.
    pub differences: Vec<Difference>,
    /// Parts that could not be checked, with reasons. Unless this is empty, the absence of drift is
    /// not proven.
    pub unchecked: Vec<Unchecked>,
    /// Facts that affect how to read the report, such as the age of a drift detection.
    pub notes: Vec<String>,
    /// What CloudFormation reported falsely, and what decided instead.
    pub settled: Vec<Settled>,
    /// How much was checked.
    pub checked: Checked,
}

/// How much a drift run checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The checks that ran, in report order.
    pub checks: Vec<DriftCheck>,
    /// Number of stack sets.
    pub stack_sets: usize,
    /// Number of stack instances.
    pub instances: usize,
    /// Number of stacks in the management account.
    pub stacks: usize,
}

/// The result of one check.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) differences: Vec<Difference>,
    pub(super) unchecked: Vec<Unchecked>,
    pub(super) notes: Vec<String>,
    pub(super) tally: Tally,
    /// Targets of rules on buses of the fleet's own that were read.
    pub(super) targets: BTreeMap<RuleKey, Vec<Value>>,
}

impl Found {
    pub(super) fn merge(&mut self, other: Found) {
        self.differences.extend(other.differences);
        self.unchecked.extend(other.unchecked);
        self.notes.extend(other.notes);
        self.tally.merge(other.tally);
        self.targets.extend(other.targets);
    }
}

/// One difference between bundle and fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Stable code for programs and suppressions.
    pub code: DriftCode,
    /// The check that reported it.
    pub check: DriftCheck,
    /// Name of the stack set or stack, if it concerns one.
    pub part: Option<String>,
    /// Account and Region, if it concerns one.
    pub location: Option<Location>,
    /// One sentence without a full stop.
    pub message: String,
    /// Ids of the rules it affects.
    pub rules: Vec<String>,
    /// CloudFormation's drift result for the resource, property by property.
    pub resource: Option<ResourceDrift>,
    /// The bundle's value.
    pub expected: Option<String>,
    /// The deployed value.
    pub actual: Option<String>,
    /// How to resolve the difference.
    pub fix: Remedy,
}

impl Difference {
    /// A difference without stack set, location and rules.
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

/// A resource, stack or link that could not be checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unchecked {
    /// The check it belongs to.
    pub check: DriftCheck,
    /// Name of the stack set or stack, if it concerns one.
    pub part: Option<String>,
    /// What was to be checked: `resources`, `trail gizmos`.
    pub what: String,
    /// Account and Region, if it concerns one.
    pub location: Option<Location>,
    /// A clause without a full stop.
    pub reason: String,
}

/// The outcome of a drift run. Each variant has an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftOutcome {
    /// Fleet and bundle match: exit code 0.
    InSync,
    /// There is drift: exit code 5.
    Drifted,
    /// No drift was found, but something could not be checked: exit code 1.
    Incomplete,
    /// The credentials belong to another organization and nothing was compared: exit code 6.
    Blocked,
}

impl DriftReport {
    /// Derives the outcome from differences and unchecked items.
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
