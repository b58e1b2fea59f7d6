//! Starts an operation's work in one account and Region.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::InstanceEffect;
use crate::Stage;
use crate::Task;
use crate::set::operation::Job;
use crate::set::{Location, Work};
use crate::stack::{self, Deployment, OnFailure, execute};
use crate::template::parameter;

/// Starts the work at one location.
pub(super) fn launch(stage: &mut Stage<'_>, set_id: &str, id: &str, location: Location) {
    let now = stage.now();
    let Some(set) = stage.set_mut(set_id) else {
        return;
    };
    let name = set.name.clone();
    let deployment = set.deployment.clone();
    let Some(operation) = set.operations.get_mut(id) else {
        return;
    };
    if let Some(outcome) = operation.results.get_mut(&location) {
        outcome.enter("RUNNING", now);
    }
    let work = operation.work.clone();
    let instance = set.instances.get_mut(&location);
    let (stack, overrides) = match instance {
        Some(instance) => {
            if !matches!(work, Work::DetectDrift) {
                instance.remember(now);
                instance.detailed = "RUNNING";
            }
            (instance.stack.clone(), instance.overrides.clone())
        }
        None => (None, BTreeMap::new()),
    };
    // Retaining a stack cannot fail.
    let fault = if let Work::Delete { retain: true } = work {
        None
    } else {
        let at = (&*location.0, &*location.1);
        stage.faults.instance_fault(&name, at, work.action())
    };
    let begun = match &work {
        Work::Delete { retain: true } => Begun::Work,
        _ if departed(stage, &location.0) => Begun::Failed(format!(
            "Account {} is not a member of the organization",
            location.0
        )),
        _ if !accessible(stage, &location.0) => Begun::Work,
        _ if !region_is_on(stage, &location) => Begun::Failed(format!(
            "Region {} is not enabled in account {}",
            location.1, location.0
        )),
        Work::Create { .. } | Work::Update { .. } => {
            let stack = stack.as_deref();
            let deployed = deploy(stage, &name, &location, stack, &deployment, &overrides);
            deployed.map_or_else(Begun::Failed, |(stack, begun)| {
                let set = stage.set_mut(set_id);
                if let Some(instance) = set.and_then(|set| set.instances.get_mut(&location)) {
                    instance.stack = Some(stack);
                }
                if begun { Begun::Work } else { Begun::Nothing }
            })
        }
        Work::Delete { retain: false } => stack
            .and_then(|stack| remove(stage, &stack))
            .map_or(Begun::Work, Begun::Failed),
        Work::DetectDrift => Begun::Work,
    };
    let (idle, mut failure) = match begun {
        Begun::Work => (false, None),
        Begun::Nothing => (true, None),
        Begun::Failed(why) => (false, Some(why)),
    };
    if let (Some(InstanceEffect::Fail(reason)), None) = (&fault, &failure) {
        failure = plan_failure(stage, set_id, &location, reason);
    }
    let job = Job {
        set: set_id.into(),
        operation: id.into(),
        location,
        failure,
        idle,
    };
    match fault {
        Some(InstanceEffect::Stuck) => hold(stage, job),
        Some(InstanceEffect::Delay(seconds)) => {
            stage.after(i64::from(seconds), Task::Instance(job));
        }
        _ => stage.later(Task::Instance(job)),
    }
}

/// The result of starting work at a location.
enum Begun {
    Work,
    /// The stack needs no change.
    Nothing,
    Failed(String),
}

fn region_is_on(stage: &Stage<'_>, (account, region): &Location) -> bool {
    stage.services.environment.region_is_on(region, account)
}

/// Makes the stack's pending operation fail; returns the reason if nothing is pending.
fn plan_failure(
    stage: &mut Stage<'_>,
    set_id: &str,
    location: &Location,
    reason: &str,
) -> Option<String> {
    let pending = stage
        .set(set_id)
        .and_then(|set| set.instances.get(location)?.stack.clone())
        .filter(|id| {
            let stack = stage.stack(id);
            stack.is_some_and(|stack| stack.pending.is_some())
        });
    match pending {
        Some(id) => {
            stage
                .cloudformation
                .planned_failures
                .insert(id, reason.to_owned());
            None
        }
        None => Some(reason.to_owned()),
    }
}

/// Holds work back until the operation is stopped.
pub(super) fn hold(stage: &mut Stage<'_>, job: Job) {
    let operation = stage
        .set_mut(&job.set)
        .and_then(|set| set.operations.get_mut(&job.operation));
    if let Some(operation) = operation {
        operation.held.push(job);
    }
}

/// Makes an operation hang: until it is stopped, no work ends and none starts.
pub(crate) fn stick(stage: &mut Stage<'_>, set_id: &str, id: &str) {
    let operation = stage
        .set_mut(set_id)
        .and_then(|set| set.operations.get_mut(id));
    if let Some(operation) = operation {
        operation.stuck = true;
    }
}

/// Whether the account has left the organization. Its stack instances stay in their stack sets, and
/// its stacks in the account, where StackSets can't reach them.
pub(super) fn departed(stage: &Stage<'_>, account: &str) -> bool {
    stage.services.organization.account(account).is_none()
}

/// Whether StackSets can work in the account.
pub(super) fn accessible(stage: &Stage<'_>, account: &str) -> bool {
    stage
        .services
        .organization
        .account(account)
        .is_some_and(|account| account.state == "ACTIVE")
}

/// Starts to create or update the stack at a location. Returns its id and whether there is anything
/// to do; the error is the reason for failure.
fn deploy(
    stage: &mut Stage<'_>,
    set_name: &str,
    location: &Location,
    stack: Option<&str>,
    deployment: &Arc<Deployment>,
    overrides: &BTreeMap<String, parameter::Given>,
) -> Result<(Arc<str>, bool), String> {
    let mut deployment = Arc::clone(deployment);
    if !overrides.is_empty() {
        let given = deployment
            .parameters
            .iter()
            .map(|(key, value)| {
                let given = match overrides.get(key) {
                    Some(parameter::Given::Value(value)) => value,
                    _ => value,
                };
                (key.clone(), parameter::Given::Value(given.clone()))
            })
            .collect();
        let parameters = parameter::values(&deployment.template, &given, None)?;
        Arc::make_mut(&mut deployment).parameters = parameters;
    }
    let existing = stack.and_then(|id| stage.stack(id));
    if let Some(existing) = existing.filter(|stack| stack.deleted.is_none()) {
        let id = existing.id.clone();
        let unusable = matches!(
            existing.status,
            "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED"
        );
        if !unusable {
            return match stack::begin_update(stage, &id, deployment) {
                Ok(()) => Ok((id, true)),
                Err(error) if error.message == "No updates are to be performed." => Ok((id, false)),
                Err(error) => Err(error.message),
            };
        }
        // As on AWS, a stack whose creation failed is replaced.
        stack::begin_delete(stage, &id, BTreeSet::new());
        execute::finish(stage, &id);
    }
    let (account, region) = location;
    let limit = stage.quotas.stacks_per_region;
    let living = &stage.cloudformation.stacks;
    if living.living_in(account, Some(region)).take(limit).count() >= limit {
        return Err(format!(
            "Limit for stack has been exceeded: {limit} in {account} {region}"
        ));
    }
    let name = format!("StackSet-{set_name}-{}", stage.services.environment.uuid());
    let id = stack::begin_create(
        stage,
        account,
        region,
        &name,
        deployment,
        OnFailure::Rollback,
    );
    Ok((id, true))
}

/// Starts to delete a stack; returns the reason if it can't.
fn remove(stage: &mut Stage<'_>, id: &str) -> Option<String> {
    let stack = stage.stack(id)?;
    if stack.deleted.is_some() {
        return None;
    }
    if stack.termination_protection {
        return Some(format!(
            "Stack [{}] cannot be deleted while TerminationProtection is enabled",
            stack.name
        ));
    }
    if stack.in_progress() {
        return Some(format!(
            "Stack [{}] is in {} state and can not be deleted.",
            stack.name, stack.status
        ));
    }
    stack::begin_delete(stage, id, BTreeSet::new());
    None
}
