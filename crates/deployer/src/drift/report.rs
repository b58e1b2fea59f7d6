//! What a drift check found.

use serde::Serialize;

use crate::plan::Plan;
use crate::ports::{Place, ResourceDrift};

/// Any difference between bundle and fleet, and every link of the alert chain that doesn't work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DriftReport {
    /// What a deployment would change.
    pub plan: Plan,
    /// What was found, in the order of the checks.
    pub findings: Vec<DriftFinding>,
    /// What could not be looked at, and why. While there is any, "no drift" is not proven.
    pub unchecked: Vec<String>,
    /// What was looked at.
    pub checked: Checked,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Stack sets.
    pub stack_sets: usize,
    /// Stack instances.
    pub instances: usize,
    /// Stacks of the management account.
    pub stacks: usize,
}

/// Which check found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftCheck {
    /// The plan isn't empty: template, parameters, tags or settings differ.
    Definition,
    /// An instance is missing, unexpected or not current.
    Instances,
    /// A resource was changed or deleted behind CloudFormation's back.
    Resources,
    /// A link of the alert chain doesn't work.
    Health,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DriftFinding {
    /// Which check found it.
    pub check: DriftCheck,
    /// Name of the stack set or stack, if it is about one.
    pub part: Option<String>,
    /// Where, if it is about one account and Region.
    pub place: Option<Place>,
    /// One sentence without a full stop.
    pub message: String,
    /// The rules it is about.
    pub rules: Vec<String>,
    /// The drifted resource with expected and actual values.
    pub resource: Option<ResourceDrift>,
    /// What to do about it.
    pub fix: Option<String>,
}

/// A link of the alert chain that doesn't work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HealthFinding {
    /// Which link: `trail gizmos`, `subscription security@example.com of gizmos-alerts`, …
    pub link: String,
    /// Where it is.
    pub place: Place,
    /// One sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

/// How a drift check ended. Each has an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftOutcome {
    /// Fleet and bundle are the same: 0.
    InSync,
    /// There is drift: 5.
    Drifted,
    /// No drift was found, but not everything could be looked at: 1.
    Incomplete,
    /// The credentials don't fit the organization; nothing was compared: 6.
    Blocked,
}

impl DriftReport {
    /// How it ended.
    pub fn outcome(&self) -> DriftOutcome {
        if !self.plan.problems.is_empty() {
            DriftOutcome::Blocked
        } else if !self.findings.is_empty() {
            DriftOutcome::Drifted
        } else if !self.unchecked.is_empty() {
            DriftOutcome::Incomplete
        } else {
            DriftOutcome::InSync
        }
    }
}
