//! AWS CloudFormation: stacks, change sets, stack sets, drift.
//!
//! Operations are asynchronous: a request checks what AWS checks at once and enters an
//! `…_IN_PROGRESS` state; the work happens some virtual seconds later, when the clock gets there.

mod interference;
mod request;
pub(crate) mod set;
pub(crate) mod stack;
mod template;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock::Due;
use crate::input::Input;
use crate::wire::api::{ApiError, Caller};
use crate::world::World;

pub(crate) use interference::{stack_of, stick_running, stop_running, tamper};
pub(crate) use set::auto::account_moved;
pub(crate) use stack::look::{cool, glance, named, remember_glance, warm};

/// All stacks and stack sets.
#[derive(Debug, Default)]
pub(crate) struct CloudFormation {
    pub(crate) stacks: stack::Stacks,
    /// By ARN.
    change_sets: BTreeMap<String, stack::change_set::ChangeSet>,
    /// By detection id.
    detections: BTreeMap<String, Detection>,
    pub(crate) sets: set::StackSets,
    /// Why the pending operation of a stack is going to fail, by the stack's id.
    sabotage: BTreeMap<Arc<str>, String>,
    /// Accounts whose stacks are not folded because somebody looked at them, the latest last.
    glanced: VecDeque<Arc<str>>,
    /// The resources of folded stacks that are there because somebody looked at them.
    shown: BTreeMap<Arc<str>, BTreeMap<String, stack::Resource>>,
    /// What is known to come out well.
    proofs: Vec<stack::fold::Proof>,
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
    /// Look whether a stack set operation can go on.
    Operation { set: Arc<str>, operation: Arc<str> },
    /// Automatic deployment after an account came, went or moved.
    Auto(set::auto::Move),
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

/// Schedules a task after 10 to 20 virtual seconds, the same for the same world every time.
fn later(world: &mut World, task: Task) {
    let seconds = world.services.environment.between(10, 20);
    after(world, seconds, task);
}

fn after(world: &mut World, seconds: i64, task: Task) {
    world.settle();
    world.clock.after(seconds, Due::CloudFormation(task));
}

/// Does what was scheduled.
pub(crate) fn due(world: &mut World, task: Task) {
    match task {
        Task::Stack(id) => stack::execute::finish(world, &id),
        Task::ChangeSet(id) => stack::change_set::finish(world, &id),
        Task::Detection(id) => {
            if let Some(stack) = world
                .cloudformation
                .detections
                .get(&id)
                .map(|it| it.stack.clone())
            {
                let result = stack::drift::detect(world, &stack);
                stack::drift::announce(world, &stack, &id, result);
                if let Some(detection) = world.cloudformation.detections.get_mut(&id) {
                    detection.result = Some(result);
                }
            }
        }
        Task::Instance(job) => set::operation::finish(world, &job),
        Task::Operation { set, operation } => set::operation::proceed(world, &set, &operation),
        Task::Auto(moved) => set::auto::follow(world, &moved),
    }
}

/// The ARN of what an action is about, as far as its parameters tell; otherwise `*`.
fn resource(world: &World, caller: &Caller, input: &Value) -> String {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let (account, region) = (&caller.account, &caller.region);
    if let Some(name) = text("StackSetName") {
        return match world.cloudformation.sets.find(region, name) {
            Some(set) => set.arn(),
            None => format!(
                "arn:aws:cloudformation:{region}:{}:stackset/{name}:*",
                crate::services::organizations::MANAGEMENT
            ),
        };
    }
    match text("StackName") {
        Some(name) if name.starts_with("arn:") => name.to_owned(),
        Some(name) => match world.cloudformation.stacks.find(account, region, name) {
            Some(stack) => stack.id.as_ref().to_owned(),
            None => format!("arn:aws:cloudformation:{region}:{account}:stack/{name}/*"),
        },
        None => "*".to_owned(),
    }
}

/// Whether the action changes something; drift detection does not.
pub(crate) fn is_mutating(action: &str) -> bool {
    !["Describe", "List", "Get", "Validate", "Detect", "Estimate"]
        .iter()
        .any(|verb| action.starts_with(verb))
}

/// Actions on stacks that don't look at their resources.
const LIGHT: &[&str] = &[
    "DescribeStacks",
    "GetTemplate",
    "GetTemplateSummary",
    "ListStacks",
    "ValidateTemplate",
    "CreateStackInstances",
    "UpdateStackInstances",
    "DeleteStackInstances",
    "ListStackInstances",
    "DescribeStackInstance",
    "ActivateOrganizationsAccess",
    "DeactivateOrganizationsAccess",
    "DescribeOrganizationsAccess",
    "DescribeAccountLimits",
];

/// The quotas that CloudFormation tells of.
fn limits(world: &World, input: &Value) -> Result<Value, ApiError> {
    Input::new(input, &["NextToken"])?;
    let quotas = &world.config.quotas;
    Ok(json!({"AccountLimits": [
        {"Name": "StackLimit", "Value": quotas.stacks_per_region},
        {"Name": "StackOutputsLimit", "Value": 200},
        {"Name": "ConcurrentResourcesLimit", "Value": 2_500},
    ]}))
}

/// Answers one action.
pub(crate) fn call(
    world: &mut World,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    let resource = resource(world, caller, input);
    crate::services::authorize(
        &world.services,
        caller,
        &format!("cloudformation:{action}"),
        &resource,
    )?;
    if !action.contains("StackSet") && !LIGHT.contains(&action) {
        if is_mutating(action) {
            warm(world, &caller.account);
        } else {
            glance(world, &caller.account);
        }
    }
    if action == "DescribeAccountLimits" {
        return limits(world, input);
    }
    if let Some(answer) = stack::api::call(world, caller, action, input) {
        return answer;
    }
    if let Some(answer) = stack::change_set::call(world, caller, action, input) {
        return answer;
    }
    if let Some(answer) = set::api::call(world, caller, action, input) {
        return answer;
    }
    Err(ApiError::unknown_action("cloudformation", action))
}
