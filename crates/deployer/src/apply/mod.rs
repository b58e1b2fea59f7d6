//! Carrying a plan out.
//!
//! Parts are worked on in the order of their dependencies, independent ones at the same time. A
//! part that fails keeps what depends on it from being begun, nothing else. What is to be removed
//! goes last, and only if everything before went well.

mod gate;
mod give_back;
mod guard;
mod operation;
mod removal;
mod repair;
mod report;
mod settle;
mod stack;
mod stack_set;
mod targeting;
mod waves;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use compiler::{Bundle, Part, StackSet};
use futures::future::join_all;

pub use guard::removals_problem;
pub(crate) use operation::{Backoff, await_others, fingerprint, wait};
pub use report::{
    ApplyOutcome, ApplyReport, ApplySummary, InstanceFailure, OperationReport, PartOutcome,
    PartReport, Unfinished,
};
pub(crate) use targeting::{Group, group};
#[cfg(test)]
pub(crate) use waves::main as main_wave;
pub(crate) use waves::{WaveCells, looking, removal, split};

use crate::error::DeployError;
use crate::observe::{World, observe};
use crate::plan::{
    Change, Plan, Problem, ProblemKind, StackPlan, StackSetPlan, delete_stack, delete_stack_set,
    is_owned, removal_rank,
};
use crate::ports::{Account, Cloud, CloudError};
use crate::progress::Progress;

/// How long is waited, counted in pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For an operation of ours.
    pub operation: Duration,
    /// For somebody else's operation to make way.
    pub others: Duration,
}

impl Default for Limits {
    /// Twelve hours for ours: an organization of thousands of accounts takes that long. Half an
    /// hour for others'.
    fn default() -> Limits {
        Limits {
            operation: Duration::from_hours(12),
            others: Duration::from_mins(30),
        }
    }
}

/// How a plan is carried out.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long is waited.
    pub limits: Limits,
    /// Whether any number of instances may be removed.
    pub allow_delete: bool,
    /// Of a hundred instances of a stack set, so many may be removed all the same.
    pub delete_percent: u8,
    /// Whether the alert chain's health is compared between waves.
    pub gate: bool,
    /// The organization as it was just read; `None` reads it.
    pub world: Option<World>,
}

impl Default for Options {
    /// Up to a fifth of a stack set's instances may be removed without saying so.
    fn default() -> Options {
        Options {
            limits: Limits::default(),
            allow_delete: false,
            delete_percent: 20,
            gate: true,
            world: None,
        }
    }
}

/// What every step of a run needs.
pub(crate) struct Run<'a, C> {
    pub(crate) cloud: &'a C,
    pub(crate) bundle: &'a Bundle,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) limits: Limits,
    pub(crate) gate: bool,
    pub(crate) world: Arc<World>,
}

impl<C> Run<'_, C> {
    pub(crate) fn account(&self, id: &str) -> Option<&Account> {
        self.world.account(id)
    }
}

/// Why a step can't go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It failed; the reason for people.
    Failed(String),
    /// It was stopped by hand; the reason for people.
    Stopped(String),
    /// It still runs; what, for people.
    TimedOut(String),
    /// The world has changed: look again.
    Replan,
    /// A list shows the world as it was: look again a little later.
    Lagging,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stop::Failed(reason) | Stop::Stopped(reason) | Stop::TimedOut(reason) => reason,
            Stop::Replan => "it was changed by somebody else meanwhile",
            Stop::Lagging => "CloudFormation keeps showing it as it was before",
        })
    }
}

impl Stop {
    pub(crate) fn cloud(doing: &str, error: &CloudError) -> Stop {
        Stop::Failed(format!("{doing}: {error}"))
    }

    pub(crate) fn deploy(error: &DeployError) -> Stop {
        Stop::Failed(format!("{error}: {}", error.source))
    }
}

impl PartReport {
    pub(crate) fn begin(name: &str, location: Option<crate::ports::Location>) -> PartReport {
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

    /// Draws the conclusion from what was noted on the way.
    pub(crate) fn conclude(&mut self, result: Result<(), Stop>) {
        self.outcome = match result {
            Err(Stop::TimedOut(reason)) => PartOutcome::TimedOut { reason },
            Err(stop) => PartOutcome::Failed {
                reason: stop.to_string(),
            },
            Ok(()) if !self.failures.is_empty() => {
                let broken = self
                    .operations
                    .iter()
                    .find(|o| o.status != crate::ports::OperationStatus::Succeeded);
                match broken {
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

    /// Notes all locations of a part that isn't begun.
    fn leave(&mut self, planned: &StackSetPlan, reason: String) {
        self.blocked.clone_from(&planned.blocked);
        let repair = planned.repair.iter().map(|repair| &repair.location);
        let mut locations: Vec<crate::ports::Location> = planned
            .add
            .iter()
            .chain(&planned.update)
            .chain(repair)
            .cloned()
            .collect();
        locations.sort();
        if !locations.is_empty() {
            self.unfinished.push(Unfinished { reason, locations });
        }
    }

    fn skipped(name: &str, location: Option<crate::ports::Location>, reason: String) -> PartReport {
        let mut report = PartReport::begin(name, location);
        report.outcome = PartOutcome::Skipped { reason };
        report
    }
}

/// Carries a plan out with the default [`Options`].
///
/// Each part that has something to do is looked at again just before it is worked on, so a plan
/// that is a little old does no harm. Failures of parts are in the report.
pub async fn apply(
    cloud: &impl Cloud,
    bundle: &Bundle,
    plan: &Plan,
    progress: &dyn Progress,
) -> Result<ApplyReport, DeployError> {
    apply_with(cloud, bundle, plan, progress, Options::default()).await
}

/// Carries a plan out.
pub async fn apply_with(
    cloud: &impl Cloud,
    bundle: &Bundle,
    plan: &Plan,
    progress: &dyn Progress,
    options: Options,
) -> Result<ApplyReport, DeployError> {
    let mut report = ApplyReport {
        problems: plan.problems.clone(),
        parts: Vec::new(),
    };
    if !options.allow_delete {
        report
            .problems
            .extend(removals_problem(plan, options.delete_percent));
    }
    if !report.problems.is_empty() {
        return Ok(report);
    }
    let busy = plan
        .stack_sets
        .iter()
        .any(|set| !set.in_progress.is_empty());
    let world = match options.world {
        Some(world) => world,
        None if plan.is_empty() && !busy => World::default(),
        None => World::read(cloud).await?,
    };
    let run = Run {
        cloud,
        bundle,
        progress,
        limits: options.limits,
        gate: options.gate,
        world: Arc::new(world),
    };
    // A part's name: whether what depends on it may begin.
    let mut done: BTreeMap<&str, bool> = BTreeMap::new();
    let mut waiting: Vec<&StackSet> = bundle.stack_sets.iter().collect();
    while !waiting.is_empty() {
        let in_bundle: BTreeSet<&str> = waiting.iter().map(|set| set.name.as_str()).collect();
        let (mut ready, later): (Vec<&StackSet>, Vec<&StackSet>) =
            waiting.iter().copied().partition(|set| {
                !set.depends_on
                    .iter()
                    .any(|name| in_bundle.contains(name.as_str()))
            });
        waiting = later;
        if ready.is_empty() {
            // A circle, which the compiler doesn't make: the order of the bundle decides.
            ready = std::mem::take(&mut waiting);
        }
        let steps = ready.iter().map(|set| {
            let broken = set
                .depends_on
                .iter()
                .find(|name| done.get(name.as_str()) == Some(&false))
                .cloned();
            deploy_part(&run, set, plan, broken)
        });
        let reports = join_all(steps).await;
        for (set, parts) in ready.into_iter().zip(reports) {
            // An artifact bucket that can't be looked at from here may well be there: what needs it
            // will tell.
            let unseen = |part: &PartReport| {
                set.part == Part::Artifacts && matches!(part.outcome, PartOutcome::Skipped { .. })
            };
            let good = |part: &PartReport| part.outcome.is_good() || unseen(part);
            done.insert(&set.name, parts.iter().all(good));
            report.parts.extend(parts);
        }
    }
    let removals = removals(plan);
    if !removals.is_empty() {
        let broken = report.parts.iter().find(|part| !part.outcome.is_good());
        let broken = broken.map(|part| format!("{} failed; nothing is removed", part.name));
        report
            .parts
            .extend(remove_all(&run, removals, broken).await);
    }
    Ok(report)
}

/// The instances and the management account's stacks of one stack set.
async fn deploy_part<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    plan: &Plan,
    broken: Option<String>,
) -> Vec<PartReport> {
    let mut reports = Vec::new();
    let members = plan
        .stack_sets
        .iter()
        .find(|planned| planned.name == set.name && planned.change != Change::Delete);
    let stacks: Vec<&StackPlan> = plan
        .stacks
        .iter()
        .filter(|planned| planned.name == set.name && planned.change != Change::Delete)
        .collect();
    let skip = |dependency: &str| format!("{dependency}, which it depends on, failed");
    if let Some(planned) = members {
        let idle = planned.change == Change::Unchanged
            && planned.add.is_empty()
            && planned.update.is_empty()
            && planned.repair.is_empty()
            && planned.in_progress.is_empty();
        reports.push(if idle {
            let mut report = PartReport::begin(&set.name, None);
            report.blocked.clone_from(&planned.blocked);
            report
        } else if let Some(dependency) = &broken {
            let mut report = PartReport::skipped(&set.name, None, skip(dependency));
            report.leave(planned, skip(dependency));
            report
        } else {
            stack_set::deploy(run, set, planned).await
        });
    }
    let gate = reports.iter().find_map(|report| match &report.outcome {
        // In some accounts only: that's no reason to leave the management account unwatched.
        PartOutcome::Unchanged | PartOutcome::Done | PartOutcome::Partial => None,
        PartOutcome::Skipped { reason } => Some(reason.clone()),
        _ => Some(format!("the stack set {} failed", report.name)),
    });
    let steps = stacks.into_iter().map(|planned| {
        let reason = broken.as_deref().map(skip).or_else(|| gate.clone());
        async move {
            if planned.change == Change::Unchanged {
                return PartReport::begin(&set.name, Some(planned.location.clone()));
            }
            let reason = match &planned.change {
                Change::Blocked { reason } => Some(reason.clone()),
                _ => reason,
            };
            match reason {
                Some(reason) => {
                    PartReport::skipped(&set.name, Some(planned.location.clone()), reason)
                }
                None => stack::deploy(run, set, &planned.location).await,
            }
        }
    });
    reports.extend(join_all(steps).await);
    reports
}

/// Something to be removed.
enum Removal<'a> {
    StackSet(&'a StackSetPlan),
    Stack(&'a StackPlan),
}

/// What a plan removes, in the order of removal: first what depends on others.
fn removals(plan: &Plan) -> Vec<(u8, Removal<'_>)> {
    let sets = plan
        .stack_sets
        .iter()
        .filter(|set| set.change == Change::Delete || !set.remove.is_empty())
        .map(|set| (removal_rank(set.part), Removal::StackSet(set)));
    let stacks = plan
        .stacks
        .iter()
        .filter(|stack| stack.change == Change::Delete)
        .map(|stack| (removal_rank(stack.part), Removal::Stack(stack)));
    let mut all: Vec<(u8, Removal<'_>)> = sets.chain(stacks).collect();
    all.sort_by_key(|(rank, _)| *rank);
    all
}

async fn remove_all<C: Cloud>(
    run: &Run<'_, C>,
    removals: Vec<(u8, Removal<'_>)>,
    mut broken: Option<String>,
) -> Vec<PartReport> {
    let mut reports: Vec<PartReport> = Vec::new();
    let mut queue = removals.into_iter().peekable();
    while let Some((rank, first)) = queue.next() {
        let mut batch = vec![first];
        while let Some((_, next)) = queue.next_if(|(next, _)| *next == rank) {
            batch.push(next);
        }
        let steps = batch.into_iter().map(|removal| {
            let reason = broken.clone();
            async move {
                match (removal, reason) {
                    (Removal::StackSet(plan), Some(reason)) => {
                        let mut report = PartReport::skipped(&plan.name, None, reason.clone());
                        report.unfinished.push(Unfinished {
                            reason,
                            locations: plan.remove.clone(),
                        });
                        report
                    }
                    (Removal::Stack(plan), Some(reason)) => {
                        PartReport::skipped(&plan.name, Some(plan.location.clone()), reason)
                    }
                    (Removal::StackSet(plan), None) => removal::remove(run, plan).await,
                    (Removal::Stack(plan), None) => stack::remove(run, plan).await,
                }
            }
        });
        let done = join_all(steps).await;
        if broken.is_none()
            && let Some(part) = done.iter().find(|part| !part.outcome.is_good())
        {
            broken = Some(format!("{} could not be removed", part.name));
        }
        reports.extend(done);
    }
    reports
}

/// Takes away everything that is ours: detections first, the log bucket's stack last. The bucket
/// itself and its logs stay (the template retains them), and so does trusted access; the artifact
/// bucket is emptied and goes. What carries
/// no tag of ours is left alone.
pub async fn destroy(
    cloud: &impl Cloud,
    bundle: &Bundle,
    progress: &dyn Progress,
) -> Result<ApplyReport, DeployError> {
    let observed = observe(cloud, bundle).await?;
    if observed.organization.id != bundle.organization.id {
        return Ok(ApplyReport {
            problems: vec![Problem {
                kind: ProblemKind::WrongOrganization,
                message: format!(
                    "the credentials belong to organization {}, the organization file is about {}",
                    observed.organization.id, bundle.organization.id
                ),
                fix: "use credentials of the right organization".to_owned(),
            }],
            parts: Vec::new(),
        });
    }
    let run = Run {
        cloud,
        bundle,
        progress,
        limits: Limits::default(),
        gate: false,
        world: Arc::new(observed.world()),
    };
    let part_of = |name: &str| {
        let set = bundle.stack_sets.iter().find(|set| set.name == name)?;
        Some(set.part)
    };
    let stack_sets = observed
        .stack_sets
        .values()
        .filter(|found| is_owned(&found.details.tags))
        .map(|found| {
            let mut plan = delete_stack_set(found, &run.world);
            plan.part = plan.part.or_else(|| part_of(&plan.name));
            plan
        });
    let stacks = observed
        .stacks
        .iter()
        .filter(|found| is_owned(&found.stack.tags))
        .map(|found| {
            let mut plan = delete_stack(found);
            plan.part = plan.part.or_else(|| part_of(&plan.name));
            plan
        });
    let plan = Plan {
        organization: bundle.organization.id.clone(),
        problems: Vec::new(),
        stack_sets: stack_sets.collect(),
        stacks: stacks.collect(),
        accounts: 0,
        regions: 0,
        estimate: crate::plan::Estimate::default(),
        basis: crate::plan::Basis::default(),
    };
    Ok(ApplyReport {
        problems: Vec::new(),
        parts: remove_all(&run, removals(&plan), None).await,
    })
}

#[cfg(test)]
mod tests;
