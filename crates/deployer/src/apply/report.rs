//! What a deployment or a removal did.

use serde::Serialize;

use crate::operation::{Finished, InstanceFailure, OperationReport, Stop};
use crate::plan::{BlockedLocation, Problem, StackSetPlan};
use crate::ports::{Location, OperationStatus};

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
    /// Whether the run changed anything, or tried to.
    pub changed: bool,
    /// The operations that the run waited for.
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
    /// It wasn't begun, since something it depends on failed, or Gizmos didn't make it.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It was still running when the time limit was reached.
    TimedOut {
        /// What the run waited for.
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

impl PartReport {
    /// A part with which nothing has happened yet.
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
        }
    }

    pub(super) fn skipped(name: &str, location: Option<Location>, reason: String) -> PartReport {
        let mut report = PartReport::begin(name, location);
        report.outcome = PartOutcome::Skipped { reason };
        report
    }

    /// A stack set that isn't begun: all locations where it has something to do are unfinished.
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

    /// Notes locations that are left as they are.
    pub(super) fn leave(&mut self, reason: String, locations: Vec<Location>) {
        if !locations.is_empty() {
            self.unfinished.push(Unfinished { reason, locations });
        }
    }

    /// Notes a finished operation; `false` if it didn't succeed everywhere.
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
            // Someone decided to stop it: start no other operation.
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

    /// Sets the outcome from what was noted on the way.
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
    /// Every part that was tried failed, or an operation failed or was stopped: 4.
    Failed,
    /// The run stopped waiting; the operation may still run: 7.
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
    /// Stack instances that succeeded; an ordinary stack counts as one.
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
