//! How a stack set operation goes through accounts and Regions.
//!
//! Work is handed out Region by Region (or in all Regions at once), to as many accounts at a time
//! as the preferences allow, each taking some virtual seconds. When more accounts of a Region fail
//! than are tolerated, what has not started there is cancelled, and so are the Regions after it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::api::ApiError;
use crate::cloudformation::set::{
    Change, DriftDetails, Instance, Operation, Outcome, Preferences, RegionWork, Spot, StackSet,
    Work, announce,
};
use crate::cloudformation::stack::{self, Deployment, OnFailure};
use crate::cloudformation::stack::{drift, execute, fold};
use crate::cloudformation::template::parameter;
use crate::cloudformation::{Task, after, later};
use crate::faults::InstanceEffect;
use crate::world::World;

/// One account and Region of a running operation.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    set: Arc<str>,
    operation: Arc<str>,
    spot: Spot,
    /// Why it failed before it began; decided at the start, told at the end.
    failure: Option<String>,
    /// Whether the stack was already what it should become.
    idle: bool,
}

/// A new operation, before it is known whether it may start.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: Arc<str>,
    pub(crate) work: Work,
    pub(crate) preferences: Preferences,
    pub(crate) targets: Value,
    /// Spots and the units they are targeted through.
    pub(crate) spots: BTreeMap<Spot, Arc<str>>,
    /// The Regions in the order of the request.
    pub(crate) regions: Vec<Arc<str>>,
    pub(crate) change: Option<Change>,
}

const CANCELLED: &str = "Cancelled since failure tolerance has exceeded";

/// Starts or queues an operation; refuses it if another one is in the way.
pub(crate) fn start(
    world: &mut World,
    set_id: &str,
    request: Request,
) -> Result<Arc<str>, ApiError> {
    let now = world.clock.now();
    let quotas = world.config.quotas;
    let at_most = quotas.concurrent_instances_per_region.max(1);
    let Some(set) = world.cloudformation.sets.get_mut(set_id) else {
        return Err(ApiError::new("StackSetNotFoundException", "StackSet not found").status(404));
    };
    check_id(&request.id)?;
    if set.operations.contains_key(&request.id) {
        return Err(ApiError::new(
            "OperationIdAlreadyExistsException",
            format!("Operation with id {} already exists", request.id),
        )
        .status(409));
    }
    let active = set.running().map(|operation| Arc::clone(&operation.id));
    let status = match active {
        None => "RUNNING",
        Some(other) if !set.managed => {
            return Err(ApiError::new(
                "OperationInProgressException",
                format!(
                    "Another Operation on StackSet {} is in progress: {other}",
                    set.arn()
                ),
            )
            .status(409));
        }
        Some(_) if in_the_way(set, &request) => {
            let queued = set.operations.values().filter(|it| it.status == "QUEUED");
            if queued.count() >= quotas.queued_operations {
                return Err(exceeded(
                    "queued operations on a stack set",
                    quotas.queued_operations,
                ));
            }
            "QUEUED"
        }
        Some(_) => "RUNNING",
    };
    if let Work::Create { .. } = request.work {
        let new = request
            .spots
            .keys()
            .filter(|spot| !set.instances.contains_key(*spot));
        if set.instances.len() + new.count() > quotas.instances_per_stack_set {
            let limit = quotas.instances_per_stack_set;
            return Err(exceeded("stack instances in a stack set", limit));
        }
    }
    let drift = matches!(request.work, Work::DetectDrift).then(|| DriftDetails {
        detection: "IN_PROGRESS",
        at: now,
        total: request.spots.len(),
        drifted: 0,
        in_sync: 0,
        failed: 0,
    });
    let results = request
        .spots
        .iter()
        .map(|(spot, unit)| {
            let outcome = Outcome {
                status: "PENDING",
                reason: None,
                unit: Arc::clone(unit),
                before: "",
                changed: now,
            };
            (spot.clone(), outcome)
        })
        .collect();
    let id = Arc::clone(&request.id);
    let regions = region_work(&request, at_most);
    let operation = Operation {
        id: id.clone(),
        work: request.work,
        status,
        created: now,
        ended: None,
        preferences: request.preferences,
        targets: request.targets,
        results,
        regions,
        change: request.change,
        drift,
        stuck: false,
        held: Vec::new(),
    };
    set.operations.insert(id.clone(), operation);
    if status == "RUNNING" {
        begin(set, &id, now);
        // The first stack starts a moment after the answer.
        after(
            world,
            1,
            Task::Operation {
                set: set_id.into(),
                operation: id.clone(),
            },
        );
    }
    announce::operation(world, set_id, &id);
    Ok(id)
}

/// The error for what is beyond a quota.
pub(crate) fn exceeded(what: &str, limit: usize) -> ApiError {
    ApiError::new(
        "LimitExceededException",
        format!("You have reached the limit of {limit} {what}."),
    )
}

fn check_id(id: &str) -> Result<(), ApiError> {
    let fits = (1..=128).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if fits {
        return Ok(());
    }
    Err(ApiError::validation(format!(
        "1 validation error detected: Value '{id}' at 'operationId' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9][-a-zA-Z0-9]*"
    )))
}

/// With managed execution: whether the request has to wait. Once one waits, all new ones do.
fn in_the_way(set: &StackSet, request: &Request) -> bool {
    set.operations
        .values()
        .filter(|operation| operation.active())
        .any(|operation| {
            operation.status == "QUEUED"
                || operation.change.is_some()
                || request.change.is_some()
                || operation
                    .results
                    .keys()
                    .any(|spot| request.spots.contains_key(spot))
        })
}

/// What is to do in each Region, to `at_most` accounts at a time.
fn region_work(request: &Request, at_most: usize) -> Vec<RegionWork> {
    let mut order: Vec<&Arc<str>> = request
        .preferences
        .order
        .iter()
        .filter(|region| request.regions.contains(region))
        .collect();
    for region in &request.regions {
        if !order.contains(&region) {
            order.push(region);
        }
    }
    order
        .into_iter()
        .map(|region| {
            let waiting: VecDeque<Arc<str>> = request
                .spots
                .keys()
                .filter(|(_, other)| other == region)
                .map(|(account, _)| Arc::clone(account))
                .collect();
            let accounts = waiting.len();
            RegionWork {
                region: Arc::clone(region),
                running: 0,
                failed: 0,
                tolerance: request.preferences.tolerance.of(accounts, 0),
                limit: request
                    .preferences
                    .concurrency
                    .of(accounts, 1)
                    .clamp(1, at_most),
                waiting,
            }
        })
        .collect()
}

/// Changes the stack set and its instances as the operation begins.
fn begin(set: &mut StackSet, id: &Arc<str>, now: Timestamp) {
    let Some(operation) = set.operations.get_mut(id) else {
        return;
    };
    operation.status = "RUNNING";
    if let Some(change) = operation.change.clone() {
        set.deployment = change.deployment;
        set.description = change.description.or_else(|| set.description.take());
        if let Some(auto) = change.auto {
            set.auto = auto;
        }
        if let Some(managed) = change.managed {
            set.managed = managed;
        }
        if change.outdates {
            for instance in set
                .instances
                .values_mut()
                .filter(|it| it.status != "INOPERABLE")
            {
                instance.remember(now);
                instance.status = "OUTDATED";
            }
        }
    }
    let work = operation.work.clone();
    for (spot, outcome) in &operation.results {
        let overrides = match &work {
            Work::Create { overrides } => Some(overrides.clone()),
            Work::Update { overrides } => overrides.clone(),
            _ => None,
        };
        if matches!(work, Work::Create { .. }) {
            set.instances
                .entry(spot.clone())
                .or_insert_with(|| Instance::new(&outcome.unit, now));
        }
        let Some(instance) = set.instances.get_mut(spot) else {
            continue;
        };
        instance.remember(now);
        instance.operation = Some(Arc::clone(id));
        if matches!(work, Work::DetectDrift) {
            continue;
        }
        instance.detailed = "PENDING";
        if instance.status != "INOPERABLE" {
            instance.status = "OUTDATED";
        }
        if let Some(overrides) = overrides {
            instance.overrides = overrides;
        }
    }
}

/// Hands out what may run now; ends the operation when nothing is left.
pub(crate) fn proceed(world: &mut World, set_id: &str, id: &str) {
    let now = world.clock.now();
    let Some(set) = world.cloudformation.sets.get_mut(set_id) else {
        return;
    };
    let Some(operation) = set.operations.get_mut(id) else {
        return;
    };
    if !matches!(operation.status, "RUNNING" | "STOPPING") {
        return;
    }
    let stopping = operation.status == "STOPPING";
    if operation.stuck && !stopping {
        return;
    }
    let parallel = operation.preferences.parallel;
    let soft = operation.preferences.soft;
    let mut jobs = Vec::new();
    let mut cancelled = Vec::new();
    let mut blocked = false;
    for work in &mut operation.regions {
        if stopping || blocked || work.broken() {
            let reason = if stopping {
                "Cancelled by user"
            } else {
                CANCELLED
            };
            cancelled.extend(
                work.waiting
                    .drain(..)
                    .map(|account| ((account, work.region.clone()), reason)),
            );
            blocked |= work.broken() && !parallel;
            if !parallel && !work.done() {
                break;
            }
            continue;
        }
        let allowed = if soft {
            work.limit
        } else {
            work.limit
                .min(work.tolerance.saturating_sub(work.failed).saturating_add(1))
        };
        while work.running < allowed {
            let Some(account) = work.waiting.pop_front() else {
                break;
            };
            work.running += 1;
            jobs.push((account, work.region.clone()));
        }
        if !parallel && !work.done() {
            break;
        }
    }
    for (spot, reason) in cancelled {
        if let Some(outcome) = operation.results.get_mut(&spot) {
            outcome.enter("CANCELLED", now);
            outcome.reason = Some(reason.to_owned());
        }
        let drift = matches!(operation.work, Work::DetectDrift);
        if let (false, Some(instance)) = (drift, set.instances.get_mut(&spot)) {
            instance.remember(now);
            instance.detailed = "CANCELLED";
            instance.reason = Some(reason.to_owned());
        }
    }
    let done = operation.regions.iter().all(RegionWork::done);
    for spot in jobs {
        launch(world, set_id, id, spot);
    }
    if done {
        end(world, set_id, id);
    }
}

/// Starts the work at one spot.
fn launch(world: &mut World, set_id: &str, id: &str, spot: Spot) {
    let now = world.clock.now();
    let Some(set) = world.cloudformation.sets.get_mut(set_id) else {
        return;
    };
    let name = set.name.clone();
    let deployment = set.deployment.clone();
    let Some(operation) = set.operations.get_mut(id) else {
        return;
    };
    if let Some(outcome) = operation.results.get_mut(&spot) {
        outcome.enter("RUNNING", now);
    }
    let work = operation.work.clone();
    let instance = set.instances.get_mut(&spot);
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
    // Letting go of a stack is nothing that could fail.
    let fault = if let Work::Delete { retain: true } = work {
        None
    } else {
        let place = (&*spot.0, &*spot.1);
        crate::faults::instance_fault(world, &name, place, work.action())
    };
    let mut idle = false;
    let mut failure = match &work {
        _ if !accessible(world, &spot.0) => None,
        _ if !world.region_is_on(&spot.1, &spot.0) => Some(format!(
            "Region {} is not enabled in account {}",
            spot.1, spot.0
        )),
        Work::Create { .. } | Work::Update { .. } => deploy(
            world,
            &name,
            &spot,
            stack.as_deref(),
            &deployment,
            &overrides,
        )
        .map_or_else(Some, |(stack, begun)| {
            idle = !begun;
            let instance = world
                .cloudformation
                .sets
                .get_mut(set_id)
                .and_then(|set| set.instances.get_mut(&spot));
            if let Some(instance) = instance {
                instance.stack = Some(stack);
            }
            None
        }),
        Work::Delete { retain: false } => stack.and_then(|stack| remove(world, &stack)),
        Work::Delete { retain: true } | Work::DetectDrift => None,
    };
    if let (Some(InstanceEffect::Fail(reason)), None) = (&fault, &failure) {
        failure = sabotage(world, set_id, &spot, reason);
    }
    let job = Job {
        set: set_id.into(),
        operation: id.into(),
        spot,
        failure,
        idle,
    };
    match fault {
        Some(InstanceEffect::Stuck) => hold(world, job),
        Some(InstanceEffect::Delay(seconds)) => {
            after(world, i64::from(seconds), Task::Instance(job));
        }
        _ => later(world, Task::Instance(job)),
    }
}

/// Makes the stack's pending operation fail; gives the reason if it has none that could.
fn sabotage(world: &mut World, set_id: &str, spot: &Spot, reason: &str) -> Option<String> {
    let pending = world
        .cloudformation
        .sets
        .get(set_id)
        .and_then(|set| set.instances.get(spot)?.stack.clone())
        .filter(|id| {
            let stack = world.cloudformation.stacks.get(id);
            stack.is_some_and(|stack| stack.pending.is_some())
        });
    match pending {
        Some(id) => {
            world.cloudformation.sabotage.insert(id, reason.to_owned());
            None
        }
        None => Some(reason.to_owned()),
    }
}

/// Keeps work from ending, until the operation is stopped.
fn hold(world: &mut World, job: Job) {
    let operation = world
        .cloudformation
        .sets
        .get_mut(&job.set)
        .and_then(|set| set.operations.get_mut(&job.operation));
    if let Some(operation) = operation {
        operation.held.push(job);
    }
}

/// Lets an operation hang: what runs does not end and nothing else begins, until it is stopped.
pub(crate) fn stick(world: &mut World, set_id: &str, id: &str) {
    let operation = world
        .cloudformation
        .sets
        .get_mut(set_id)
        .and_then(|set| set.operations.get_mut(id));
    if let Some(operation) = operation {
        operation.stuck = true;
    }
}

/// Whether StackSets can work in the account.
fn accessible(world: &World, account: &str) -> bool {
    world
        .organization
        .account(account)
        .is_some_and(|account| account.state == "ACTIVE")
}

/// Starts to create or update the stack at a spot; gives its id and whether there was anything to do,
/// or why that can't be done.
fn deploy(
    world: &mut World,
    set_name: &str,
    spot: &Spot,
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
    let existing = stack.and_then(|id| world.cloudformation.stacks.get(id));
    if let Some(existing) = existing.filter(|stack| stack.deleted.is_none()) {
        let id = existing.id.clone();
        let unusable = matches!(
            existing.status,
            "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED"
        );
        if !unusable {
            return match stack::begin_update(world, &id, deployment) {
                Ok(()) => Ok((id, true)),
                Err(error) if error.message == "No updates are to be performed." => Ok((id, false)),
                Err(error) => Err(error.message),
            };
        }
        // A stack that never came to be is replaced by a new try.
        stack::begin_delete(world, &id, BTreeSet::new());
        execute::finish(world, &id);
    }
    let (account, region) = spot;
    let limit = world.config.quotas.stacks_per_region;
    let living = &world.cloudformation.stacks;
    if living.living_in(account, Some(region)).take(limit).count() >= limit {
        return Err(format!(
            "Limit for stack has been exceeded: {limit} in {account} {region}"
        ));
    }
    let name = format!("StackSet-{set_name}-{}", world.uuid());
    let id = stack::begin_create(
        world,
        account,
        region,
        &name,
        deployment,
        OnFailure::Rollback,
    );
    Ok((id, true))
}

/// Starts to delete a stack; gives why that can't be done.
fn remove(world: &mut World, id: &str) -> Option<String> {
    let stack = world.cloudformation.stacks.get(id)?;
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
    stack::begin_delete(world, id, BTreeSet::new());
    None
}

/// How the work at one spot ended.
enum End {
    Done,
    Failed(String),
    Skipped,
}

/// Ends the work at one spot, and looks what may start now.
pub(crate) fn finish(world: &mut World, job: &Job) {
    let Some(set) = world.cloudformation.sets.get(&job.set) else {
        return;
    };
    let Some(operation) = set.operations.get(&job.operation) else {
        return;
    };
    if operation.stuck && operation.status == "RUNNING" {
        hold(world, job.clone());
        return;
    }
    let work = operation.work.clone();
    let stack = set
        .instances
        .get(&job.spot)
        .and_then(|instance| instance.stack.clone());
    let retain = matches!(work, Work::Delete { retain: true });
    let mut drifted = None;
    let end = if !accessible(world, &job.spot.0) && !retain {
        // What the account's CloudFormation had begun before, it ends.
        if let Some(id) = &stack {
            fold::carry_out(world, id);
        }
        End::Skipped
    } else if let Some(failure) = &job.failure {
        End::Failed(failure.clone())
    } else if let Work::DetectDrift = work {
        let checkable = stack
            .as_ref()
            .and_then(|id| world.cloudformation.stacks.get(id))
            .is_some_and(|stack| stack.updatable() || stack.status == "UPDATE_ROLLBACK_FAILED");
        match stack {
            Some(id) if checkable => {
                drifted = Some(drift::detect(world, &id));
                End::Done
            }
            _ => End::Failed(
                "Drift detection is not possible: the instance has no stack in a stable state"
                    .to_owned(),
            ),
        }
    } else {
        match stack {
            // How an earlier operation ended, a rollback perhaps, is not this one's failure.
            Some(_) if job.idle => End::Done,
            Some(id) if !retain => {
                fold::carry_out(world, &id);
                outcome(world, &id)
            }
            _ => End::Done,
        }
    };
    record(world, job, &work, end, drifted);
    announce::instance(world, &job.set, &job.spot, work.action());
    proceed(world, &job.set, &job.operation);
}

fn outcome(world: &World, id: &str) -> End {
    match world.cloudformation.stacks.get(id) {
        None => End::Done,
        Some(stack) => match stack.status {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "DELETE_COMPLETE" => End::Done,
            status => End::Failed(
                stack
                    .failure()
                    .unwrap_or_else(|| format!("The stack is in {status} state")),
            ),
        },
    }
}

fn record(
    world: &mut World,
    job: &Job,
    work: &Work,
    end: End,
    drifted: Option<(&'static str, usize)>,
) {
    let now = world.clock.now();
    let Some(set) = world.cloudformation.sets.get_mut(&job.set) else {
        return;
    };
    let deleting = matches!(work, Work::Delete { .. });
    let lag = i64::from(world.faults.faults.lag.instances);
    if let Some(instance) = set.instances.get_mut(&job.spot) {
        instance.remember(now);
        if let Some((status, _)) = drifted {
            instance.drift = status;
            instance.drift_checked = Some(now);
        }
        if !matches!(work, Work::DetectDrift) {
            (instance.status, instance.detailed, instance.reason) = match &end {
                End::Done => ("CURRENT", "SUCCEEDED", None),
                End::Skipped => ("OUTDATED", "SKIPPED_SUSPENDED_ACCOUNT", None),
                End::Failed(reason) if deleting => {
                    ("INOPERABLE", "INOPERABLE", Some(reason.clone()))
                }
                End::Failed(reason) => ("OUTDATED", "FAILED", Some(reason.clone())),
            };
        }
    }
    if deleting && matches!(end, End::Done) {
        let gone = set.instances.remove(&job.spot);
        if let (true, Some(gone)) = (lag > 0, gone) {
            set.removed.push((job.spot.clone(), gone, now));
            let old = |at: Timestamp| now.duration_since(at).as_secs() >= lag;
            set.removed.retain(|(_, _, at)| !old(*at));
        }
    }
    let Some(operation) = set.operations.get_mut(&job.operation) else {
        return;
    };
    if let Some(details) = &mut operation.drift {
        match (&end, drifted) {
            (End::Done, Some(("DRIFTED", _))) => details.drifted += 1,
            (End::Done, _) => details.in_sync += 1,
            _ => details.failed += 1,
        }
    }
    let failed = matches!(end, End::Failed(_));
    if let Some(outcome) = operation.results.get_mut(&job.spot) {
        let status;
        (status, outcome.reason) = match end {
            End::Done => ("SUCCEEDED", None),
            End::Skipped => (
                "SUCCEEDED",
                Some("Skipped: the account is suspended".to_owned()),
            ),
            End::Failed(reason) => ("FAILED", Some(reason)),
        };
        outcome.enter(status, now);
    }
    if let Some(work) = operation
        .regions
        .iter_mut()
        .find(|work| work.region == job.spot.1)
    {
        work.running = work.running.saturating_sub(1);
        work.failed += usize::from(failed);
    }
}

/// Ends an operation and begins the next one in the queue.
fn end(world: &mut World, set_id: &str, id: &str) {
    let now = world.clock.now();
    let Some(set) = world.cloudformation.sets.get_mut(set_id) else {
        return;
    };
    let Some(operation) = set.operations.get_mut(id) else {
        return;
    };
    let broken = operation.regions.iter().any(RegionWork::broken);
    operation.ended = Some(now);
    operation.status = match operation.status {
        "STOPPING" => "STOPPED",
        _ if broken => "FAILED",
        _ => "SUCCEEDED",
    };
    if let Some(details) = &mut operation.drift {
        details.at = now;
        details.detection = match operation.status {
            "STOPPED" => "STOPPED",
            "FAILED" => "FAILED",
            _ if details.failed > 0 => "PARTIAL_SUCCESS",
            _ => "COMPLETED",
        };
        // What was stopped is not the last result.
        if operation.status != "STOPPED" {
            set.drift = Some(details.clone());
        }
    }
    let running = set
        .operations
        .values()
        .any(|other| matches!(other.status, "RUNNING" | "STOPPING"));
    let next = set
        .operations
        .values()
        .find(|other| other.status == "QUEUED")
        .map(|other| other.id.clone());
    announce::operation(world, set_id, id);
    let Some(set) = world.cloudformation.sets.get_mut(set_id) else {
        return;
    };
    if let (false, Some(next)) = (running, next) {
        begin(set, &next, now);
        after(
            world,
            1,
            Task::Operation {
                set: set_id.into(),
                operation: next,
            },
        );
    }
}

/// Asks a running operation to stop.
pub(crate) fn stop(world: &mut World, set_id: &str, id: &str) -> Result<(), ApiError> {
    let now = world.clock.now();
    let missing = || {
        ApiError::new(
            "OperationNotFoundException",
            format!("Operation {id} not found"),
        )
        .status(404)
    };
    let set = world
        .cloudformation
        .sets
        .get_mut(set_id)
        .ok_or_else(missing)?;
    let operation = set.operations.get_mut(id).ok_or_else(missing)?;
    let mut held = Vec::new();
    match operation.status {
        "RUNNING" => {
            operation.status = "STOPPING";
            held = std::mem::take(&mut operation.held);
        }
        "QUEUED" => {
            operation.status = "STOPPED";
            operation.ended = Some(now);
            for outcome in operation.results.values_mut() {
                outcome.enter("CANCELLED", now);
            }
        }
        status => {
            return Err(ApiError::new(
                "InvalidOperationException",
                format!("Operation {id} is in {status} state and can not be stopped"),
            ));
        }
    }
    after(
        world,
        1,
        Task::Operation {
            set: set_id.into(),
            operation: id.into(),
        },
    );
    for job in held {
        later(world, Task::Instance(job));
    }
    announce::operation(world, set_id, id);
    Ok(())
}
