//! AWS CloudFormation: stacks, change sets, stack sets, drift.
//!
//! Operations are asynchronous: a request checks what AWS checks at once and enters an
//! `…_IN_PROGRESS` state; the work happens some virtual seconds later, when the clock gets there.

mod action;
mod outside_changes;
mod request;
pub(crate) mod set;
mod settings;
pub(crate) mod stack;
mod template;
mod template_url;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use crate::services::Services;

pub(crate) use action::{call, is_mutating};
pub(crate) use outside_changes::{edit_resource, stick_running, stop_running};
pub(crate) use set::auto::account_moved;
pub(crate) use settings::InstanceFaults;
pub use settings::{InstanceEffect, Lag, Quotas, StackOf};

/// All stacks and stack sets.
#[derive(Debug, Default)]
pub(crate) struct CloudFormation {
    pub(crate) stacks: stack::Stacks,
    /// By ARN.
    change_sets: BTreeMap<String, stack::change_set::ChangeSet>,
    /// By detection id.
    detections: BTreeMap<String, Detection>,
    pub(crate) sets: set::StackSets,
    /// Why the pending operation of a stack will fail, by the stack's id.
    planned_failures: BTreeMap<Arc<str>, String>,
    /// Accounts whose stacks are unfolded because a request read them, the latest last.
    looked_at: VecDeque<Arc<str>>,
    /// The resources of folded stacks that are there because a request read them.
    shown: BTreeMap<Arc<str>, BTreeMap<String, stack::Resource>>,
    /// Operations that are known to succeed.
    proofs: Vec<stack::fold::Proof>,
    /// Work for later, in seconds from now, which the owner of the clock takes.
    pub(crate) later: Vec<(i64, Later)>,
}

/// A drift detection on one stack.
#[derive(Debug)]
struct Detection {
    stack: Arc<str>,
    at: Timestamp,
    /// Drift status and number of drifted resources, once done.
    result: Option<(&'static str, usize)>,
}

/// Work of CloudFormation that is due later.
#[derive(Debug, Clone)]
pub(crate) enum Task {
    /// Carry out a stack's pending operation.
    Stack(Arc<str>),
    /// Finish creating a change set.
    ChangeSet(String),
    /// Finish a drift detection.
    Detection(String),
    /// Finish what a stack set operation does in one account and Region.
    Instance(set::operation::Job),
    /// See whether a stack set operation can continue.
    Operation { set: Arc<str>, operation: Arc<str> },
    /// Automatic deployment after an account came, went or moved.
    Auto(set::auto::Move),
}

/// Work for later, of CloudFormation or of a service.
#[derive(Debug)]
pub(crate) enum Later {
    CloudFormation(Task),
    Services(crate::services::Task),
}

impl CloudFormation {
    /// The exports of an account and Region: value and exporting stack, by name.
    fn exports(&self, account: &str, region: &str) -> BTreeMap<String, (String, String)> {
        self.stacks
            .of(account, region)
            .into_iter()
            .filter(|stack| stack.deleted.is_none())
            .flat_map(|stack| {
                stack.outputs.iter().filter_map(|output| {
                    Some((
                        output.export.clone()?,
                        (output.value.clone(), stack.id.as_ref().to_owned()),
                    ))
                })
            })
            .collect()
    }
}

/// CloudFormation together with what it works on.
pub(crate) struct Stage<'a> {
    pub(crate) cloudformation: &'a mut CloudFormation,
    pub(crate) services: &'a mut Services,
    pub(crate) quotas: Quotas,
    pub(crate) lag: Lag,
    pub(crate) faults: &'a mut dyn InstanceFaults,
}

impl Stage<'_> {
    /// Virtual time.
    fn now(&self) -> Timestamp {
        self.services.environment.now
    }

    /// Schedules a task after 10 to 20 virtual seconds, drawn from the seeded sequence.
    fn later(&mut self, task: Task) {
        let seconds = self.services.environment.between(10, 20);
        self.after(seconds, task);
    }

    fn after(&mut self, seconds: i64, task: Task) {
        let outlet = &mut self.cloudformation.later;
        // Tasks due at the same time run in the order in which they were scheduled.
        let earlier = std::mem::take(&mut self.services.environment.later).into_iter();
        outlet.extend(earlier.map(|(seconds, task)| (seconds, Later::Services(task))));
        outlet.push((seconds, Later::CloudFormation(task)));
    }
}

/// Does what was scheduled.
pub(crate) fn due(stage: &mut Stage<'_>, task: Task) {
    match task {
        Task::Stack(id) => stack::execute::finish(stage, &id),
        Task::ChangeSet(id) => stack::change_set::finish(stage, &id),
        Task::Detection(id) => {
            if let Some(stack) = stage
                .cloudformation
                .detections
                .get(&id)
                .map(|it| it.stack.clone())
            {
                let result = stack::drift::detect(stage, &stack);
                stack::drift::announce(stage, &stack, &id, result);
                if let Some(detection) = stage.cloudformation.detections.get_mut(&id) {
                    detection.result = Some(result);
                }
            }
        }
        Task::Instance(job) => set::operation::finish(stage, &job),
        Task::Operation { set, operation } => set::operation::proceed(stage, &set, &operation),
        Task::Auto(moved) => set::auto::follow(stage, &moved),
    }
}
