//! What a deployment or a removal did.

use serde::Serialize;

use crate::plan::{BlockedLocation, Problem};
use crate::ports::{Action, FailureEvent, Location, OperationStatus};

/// What a deployment or a removal did, part by part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ApplyReport {
    /// Why nothing was begun; empty if it was.
    pub problems: Vec<Problem>,
    /// Stack sets and stacks in the order in which they were worked on.
    pub parts: Vec<PartReport>,
}

/// What happened to one stack set, or to one stack of the management account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartReport {
    /// Name of the stack set or stack.
    pub name: String,
    /// Where the stack is; `None` for a stack set.
    pub location: Option<Location>,
    /// How it went.
    pub outcome: PartOutcome,
    /// Whether anything was changed, or tried to.
    pub changed: bool,
    /// The operations that were waited for.
    pub operations: Vec<OperationReport>,
    /// Every account and Region that failed, with the reason.
    pub failures: Vec<InstanceFailure>,
    /// Places that could not be worked on.
    pub blocked: Vec<BlockedLocation>,
    /// Places that are not what the bundle says although nothing failed there: not begun, returned
    /// to the previous template, or no longer wanted only since the plan was made.
    pub unfinished: Vec<Unfinished>,
}

/// Places that were left as they are, for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unfinished {
    /// Why.
    pub reason: String,
    /// Where, sorted.
    pub locations: Vec<Location>,
}

/// How it went with a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum PartOutcome {
    /// There was nothing to do.
    Unchanged,
    /// Everything was done.
    Done,
    /// The operations succeeded, but not in every account and Region.
    Partial,
    /// It failed.
    Failed {
        /// Why.
        reason: String,
    },
    /// It wasn't begun, since something it depends on failed, or it isn't ours.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It was still running when the limit for waiting was reached.
    TimedOut {
        /// What was waited for.
        reason: String,
    },
}

impl PartOutcome {
    /// Whether what depends on the part may be deployed.
    pub fn is_good(&self) -> bool {
        matches!(self, PartOutcome::Unchanged | PartOutcome::Done)
    }

    /// Why what is left was not done.
    pub(super) fn reason(&self) -> &str {
        match self {
            PartOutcome::Failed { reason }
            | PartOutcome::Skipped { reason }
            | PartOutcome::TimedOut { reason } => reason,
            PartOutcome::Unchanged | PartOutcome::Done | PartOutcome::Partial => "not done",
        }
    }
}

/// An operation that was waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OperationReport {
    /// Its id.
    pub id: String,
    /// What it did.
    pub action: Action,
    /// The wave it belonged to, if there are several.
    pub wave: Option<String>,
    /// How it ended.
    pub status: OperationStatus,
    /// Instances done well.
    pub succeeded: usize,
    /// Instances failed or cancelled.
    pub failed: usize,
}

/// An account and Region in which something failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstanceFailure {
    /// Where.
    pub location: Location,
    /// `failed` or `cancelled`.
    pub status: String,
    /// What CloudFormation said.
    pub reason: String,
    /// The stack's own failure events, first failure first; empty if they could not be read.
    pub events: Vec<FailureEvent>,
}

/// How a deployment or removal ended. Each has an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyOutcome {
    /// The fleet was as it should be: 0.
    NothingToDo,
    /// Everything was done: 0.
    Done,
    /// Done with failures inside, or some parts failed and others not, or locations were left as they
    /// are: 3.
    Partial,
    /// Nothing that was tried worked out, or an operation failed or was stopped: 4.
    Failed,
    /// Stopped waiting; it may still run: 7.
    TimedOut,
    /// Nothing was begun: 6.
    Blocked,
}

/// A report in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ApplySummary {
    /// Parts that were changed.
    pub changed: usize,
    /// Parts without a change.
    pub unchanged: usize,
    /// Parts that failed, wholly or partly.
    pub failed: usize,
    /// Parts not begun.
    pub skipped: usize,
    /// Stack instances done well; an ordinary stack counts as one.
    pub instances_succeeded: usize,
    /// Stack instances that failed; an ordinary stack counts as one.
    pub instances_failed: usize,
}

impl ApplyReport {
    /// How it ended.
    pub fn outcome(&self) -> ApplyOutcome {
        if !self.problems.is_empty() {
            return ApplyOutcome::Blocked;
        }
        let any = |test: fn(&PartOutcome) -> bool| self.parts.iter().any(|p| test(&p.outcome));
        if any(|o| matches!(o, PartOutcome::TimedOut { .. })) {
            ApplyOutcome::TimedOut
        } else if any(|o| matches!(o, PartOutcome::Failed { .. })) {
            ApplyOutcome::Failed
        } else if any(|o| matches!(o, PartOutcome::Partial | PartOutcome::Skipped { .. }))
            || self.parts.iter().any(|part| !part.unfinished.is_empty())
        {
            ApplyOutcome::Partial
        } else if any(|o| *o == PartOutcome::Done) {
            ApplyOutcome::Done
        } else {
            ApplyOutcome::NothingToDo
        }
    }

    /// The report in numbers.
    pub fn summary(&self) -> ApplySummary {
        let mut sum = ApplySummary::default();
        for part in &self.parts {
            match part.outcome {
                PartOutcome::Unchanged => sum.unchanged += 1,
                PartOutcome::Done => sum.changed += 1,
                PartOutcome::Partial
                | PartOutcome::Failed { .. }
                | PartOutcome::TimedOut { .. } => sum.failed += 1,
                PartOutcome::Skipped { .. } => sum.skipped += 1,
            }
            if part.location.is_some() {
                match part.outcome {
                    PartOutcome::Done => sum.instances_succeeded += 1,
                    PartOutcome::Failed { .. } => sum.instances_failed += 1,
                    _ => {}
                }
            } else {
                sum.instances_succeeded +=
                    part.operations.iter().map(|o| o.succeeded).sum::<usize>();
                sum.instances_failed += part.operations.iter().map(|o| o.failed).sum::<usize>();
            }
        }
        sum
    }
}
