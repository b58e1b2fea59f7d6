//! The progress of a stack set operation through accounts and Regions.
//!
//! Work is started Region by Region (or in all Regions in parallel), in as many accounts at a time
//! as the preferences allow, each taking some virtual seconds. When failures in a Region exceed the
//! tolerance, unstarted work there and in later Regions is cancelled.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::Stage;
use crate::set::{
    Change, DriftDetails, Instance, Location, Operation, Outcome, Preferences, RegionWork,
    StackSet, Work, announce,
};
use crate::wire::api::ApiError;
use crate::{Quotas, Task};

mod ending;
mod work;

pub(crate) use ending::{finish, stop};
pub(crate) use work::stick;

/// The work of a running operation in one account and Region.
#[derive(Debug, Clone)]
pub struct Job {
    set: Arc<str>,
    operation: Arc<str>,
    location: Location,
    /// Why it failed before starting; decided at the start, reported at the end.
    failure: Option<String>,
    /// Whether the stack needed no change.
    idle: bool,
}

/// A requested operation that has yet to be checked.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: Arc<str>,
    pub(crate) work: Work,
    pub(crate) preferences: Preferences,
    pub(crate) targets: Value,
    /// Locations, with the units through which they are targeted.
    pub(crate) locations: BTreeMap<Location, Arc<str>>,
    /// In request order.
    pub(crate) regions: Vec<Arc<str>>,
    pub(crate) change: Option<Change>,
}

const CANCELLED: &str = "Cancelled since failure tolerance has exceeded";

/// Starts or queues an operation; refuses it if another operation is in the way.
pub(crate) fn start(
    stage: &mut Stage<'_>,
    set_id: &str,
    request: Request,
) -> Result<Arc<str>, ApiError> {
    let now = stage.now();
    let quotas = stage.quotas;
    let at_most = quotas.concurrent_instances_per_region.max(1);
    let Some(set) = stage.set_mut(set_id) else {
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
    let status = status(set, &request, quotas)?;
    check_size(set, &request, quotas.instances_per_stack_set)?;
    let drift = matches!(request.work, Work::DetectDrift).then(|| DriftDetails {
        detection: "IN_PROGRESS",
        at: now,
        total: request.locations.len(),
        drifted: 0,
        in_sync: 0,
        failed: 0,
    });
    let results = request
        .locations
        .iter()
        .map(|(location, unit)| {
            let outcome = Outcome {
                status: "PENDING",
                reason: None,
                unit: Arc::clone(unit),
                before: "",
                changed: now,
            };
            (location.clone(), outcome)
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
        // Stacks start only after the response.
        stage.after(
            1,
            Task::Operation {
                set: set_id.into(),
                operation: id.clone(),
            },
        );
    }
    announce::operation(stage, set_id, &id);
    Ok(id)
}

/// The initial status, `RUNNING` or `QUEUED`; refuses the operation if neither is allowed.
fn status(set: &StackSet, request: &Request, quotas: Quotas) -> Result<&'static str, ApiError> {
    let active = set.running().map(|operation| Arc::clone(&operation.id));
    match active {
        None => Ok("RUNNING"),
        Some(other) if !set.managed => Err(ApiError::new(
            "OperationInProgressException",
            format!(
                "Another Operation on StackSet {} is in progress: {other}",
                set.arn()
            ),
        )
        .status(409)),
        Some(_) if must_wait(set, request) => {
            let queued = set.operations.values().filter(|it| it.status == "QUEUED");
            if queued.count() >= quotas.queued_operations {
                return Err(exceeded(
                    "queued operations on a stack set",
                    quotas.queued_operations,
                ));
            }
            Ok("QUEUED")
        }
        Some(_) => Ok("RUNNING"),
    }
}

/// Refuses to create more instances than a stack set may have.
fn check_size(set: &StackSet, request: &Request, limit: usize) -> Result<(), ApiError> {
    if let Work::Create { .. } = request.work {
        let new = request
            .locations
            .keys()
            .filter(|location| !set.instances.contains_key(*location));
        if set.instances.len() + new.count() > limit {
            return Err(exceeded("stack instances in a stack set", limit));
        }
    }
    Ok(())
}

/// The error for an exceeded quota.
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

/// Whether a request must queue under managed execution. While one is queued, all new ones queue.
fn must_wait(set: &StackSet, request: &Request) -> bool {
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
                    .any(|location| request.locations.contains_key(location))
        })
}

/// Plans the work in each Region, in at most `at_most` accounts at a time.
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
                .locations
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

/// Applies an operation's changes to the stack set and its instances at its start.
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
    for (location, outcome) in &operation.results {
        let overrides = match &work {
            Work::Create { overrides } => Some(overrides.clone()),
            Work::Update { overrides } => overrides.clone(),
            _ => None,
        };
        if matches!(work, Work::Create { .. }) {
            set.instances
                .entry(location.clone())
                .or_insert_with(|| Instance::new(&outcome.unit, now));
        }
        let Some(instance) = set.instances.get_mut(location) else {
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

/// Starts the work that may run now; ends the operation if none is left.
pub(crate) fn proceed(stage: &mut Stage<'_>, set_id: &str, id: &str) {
    let now = stage.now();
    let Some(set) = stage.set_mut(set_id) else {
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
    for (location, reason) in cancelled {
        if let Some(outcome) = operation.results.get_mut(&location) {
            outcome.enter("CANCELLED", now);
            outcome.reason = Some(reason.to_owned());
        }
        let drift = matches!(operation.work, Work::DetectDrift);
        if let (false, Some(instance)) = (drift, set.instances.get_mut(&location)) {
            instance.remember(now);
            instance.detailed = "CANCELLED";
            instance.reason = Some(reason.to_owned());
        }
    }
    let done = operation.regions.iter().all(RegionWork::done);
    for location in jobs {
        work::launch(stage, set_id, id, location);
    }
    if done {
        ending::end(stage, set_id, id);
    }
}
