//! The result of a deployment or removal.

use serde::Serialize;

use crate::operation::{Finished, InstanceFailure, OperationReport, Stop};
use crate::plan::{BlockedLocation, LeftBehind, Problem, StackSetPlan};
use crate::ports::{Location, OperationStatus};

/// The result of a deployment or removal, part by part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ApplyReport {
    /// Reasons why the run didn't start; empty if it did.
    pub problems: Vec<Problem>,
    /// Stack sets and stacks, in the order in which they were processed.
    pub parts: Vec<PartReport>,
}

/// The result for one stack set, or for one stack of the management account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartReport {
    /// Name of the stack set or stack.
    pub name: String,
    /// Location of the stack; `None` for a stack set.
    pub location: Option<Location>,
    /// Determines the exit code together with the other parts' outcomes.
    pub outcome: PartOutcome,
    /// Whether the run changed the part or tried to.
    pub changed: bool,
    /// Operations that the run waited for, in order.
    pub operations: Vec<OperationReport>,
    /// Every location that failed, with the reason.
    pub failures: Vec<InstanceFailure>,
    /// Locations where nothing could be deployed or removed.
    pub blocked: Vec<BlockedLocation>,
    /// Locations that don't match the bundle although nothing failed there: not started, rolled
    /// back to the previous template, or unwanted only since the plan was made.
    pub unfinished: Vec<Unfinished>,
    /// Stacks that stay in accounts that StackSets can't reach.
    pub left_behind: Vec<LeftBehind>,
}

/// Locations that were left unchanged for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unfinished {
    /// A clause without a full stop, such as `wave canary failed`.
    pub reason: String,
    /// Sorted by account, then Region.
    pub locations: Vec<Location>,
}

/// The outcome of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum PartOutcome {
    /// The part already matched the bundle.
    Unchanged,
    /// Every change succeeded.
    Done,
    /// The operations succeeded, but not in every location.
    Partial,
    /// The part failed.
    Failed {
        /// A clause without a full stop.
        reason: String,
    },
    /// The part was not started because a dependency failed or because it isn't this installation's.
    Skipped {
        /// A clause without a full stop.
        reason: String,
    },
    /// The part was still in progress when the time limit was reached.
    TimedOut {
        /// What the run was waiting for.
        reason: String,
    },
}

impl PartOutcome {
    /// Whether parts that depend on this one may be deployed.
    pub fn is_good(&self) -> bool {
        matches!(self, PartOutcome::Unchanged | PartOutcome::Done)
    }

    /// The reason that unfinished locations get.
    pub(super) fn reason(&self) -> &str {
        match self {
            PartOutcome::Failed { reason }
            | PartOutcome::Skipped { reason }
            | PartOutcome::TimedOut { reason } => reason,
            PartOutcome::Unchanged | PartOutcome::Done | PartOutcome::Partial => "not done",
        }
    }
}

impl PartReport {
    /// An empty report of a part that has not started.
    pub(super) fn begin(name: &str, location: Option<Location>) -> PartReport {
        PartReport {
            name: name.to_owned(),
            location,
            outcome: PartOutcome::Unchanged,
            changed: false,
            operations: Vec::new(),
            failures: Vec::new(),
            blocked: Vec::new(),
            unfinished: Vec::new(),
            left_behind: Vec::new(),
        }
    }

    pub(super) fn skipped(name: &str, location: Option<Location>, reason: String) -> PartReport {
        let mut report = PartReport::begin(name, location);
        report.outcome = PartOutcome::Skipped { reason };
        report
    }

    /// A stack set that was not started: all its planned locations are unfinished.
    pub(super) fn not_begun(planned: &StackSetPlan, reason: String) -> PartReport {
        let mut report = PartReport::skipped(&planned.name, None, reason.clone());
        report.blocked.clone_from(&planned.blocked);
        let repair = planned.repair.iter().map(|repair| &repair.location);
        let mut locations: Vec<Location> = planned
            .add
            .iter()
            .chain(&planned.update)
            .chain(repair)
            .cloned()
            .collect();
        locations.sort();
        report.leave(reason, locations);
        report
    }

    /// Records locations that stay as they are.
    pub(super) fn leave(&mut self, reason: String, locations: Vec<Location>) {
        if !locations.is_empty() {
            self.unfinished.push(Unfinished { reason, locations });
        }
    }

    /// Records a finished operation; `false` if it didn't succeed everywhere.
    pub(super) fn take(&mut self, finished: Finished) -> Result<bool, Stop> {
        let good = finished.is_good();
        let OperationReport {
            id,
            status,
            succeeded,
            failed,
            ..
        } = finished.report.clone();
        self.changed = true;
        self.operations.push(finished.report);
        self.failures.extend(finished.failures);
        let reason = finished.reason.as_deref().unwrap_or("no reason given");
        match status {
            // A person stopped the operation: don't start another one.
            OperationStatus::Stopped => Err(Stop::Stopped(format!(
                "operation {id} was stopped by hand after {succeeded} of {} instances; run the \
                 same command again to continue",
                succeeded + failed
            ))),
            OperationStatus::Succeeded => Ok(good),
            _ if failed == 0 => Err(Stop::Failed(format!(
                "operation {id} failed without a failed instance: {reason}"
            ))),
            _ => Ok(good),
        }
    }

    /// Sets the outcome from what was recorded so far.
    pub(super) fn conclude(&mut self, result: Result<(), Stop>) {
        self.outcome = match result {
            Err(Stop::TimedOut(reason)) => PartOutcome::TimedOut { reason },
            Err(stop) => PartOutcome::Failed {
                reason: stop.to_string(),
            },
            Ok(()) if !self.failures.is_empty() => {
                let mut operations = self.operations.iter();
                match operations.find(|it| it.status != OperationStatus::Succeeded) {
                    Some(operation) => PartOutcome::Failed {
                        reason: format!(
                            "operation {} failed in {} of {} instances",
                            operation.id,
                            operation.failed,
                            operation.failed + operation.succeeded
                        ),
                    },
                    None => PartOutcome::Partial,
                }
            }
            Ok(()) if self.changed => PartOutcome::Done,
            Ok(()) => PartOutcome::Unchanged,
        };
    }
}

/// The outcome of a deployment or removal. Each variant has an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyOutcome {
    /// The fleet already matched the bundle: exit code 0.
    NothingToDo,
    /// Every change succeeded: exit code 0.
    Done,
    /// Some parts or locations failed or stayed unchanged, others succeeded: exit code 3.
    Partial,
    /// Every attempted part failed, or an operation failed or was stopped: exit code 4.
    Failed,
    /// The run stopped waiting; an operation may still be running: exit code 7.
    TimedOut,
    /// The plan has problems and nothing was changed: exit code 6.
    Blocked,
}

/// Counts of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ApplySummary {
    /// Parts whose every change succeeded.
    pub changed: usize,
    /// Parts that already matched the bundle.
    pub unchanged: usize,
    /// Parts that failed or timed out, entirely or in some locations.
    pub failed: usize,
    /// Parts that were not started.
    pub skipped: usize,
    /// Stack instances that succeeded; an ordinary stack counts as one.
    pub instances_succeeded: usize,
    /// Stack instances that failed; an ordinary stack counts as one.
    pub instances_failed: usize,
}

impl ApplyReport {
    /// Derives the outcome from all parts.
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

    /// Counts parts and instances by result.
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
