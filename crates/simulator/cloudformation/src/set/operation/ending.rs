//! Finishes work in one account and Region, and the operation after the last.

use jiff::Timestamp;

use crate::Stage;
use crate::Task;
use crate::set::operation::work::{accessible, departed, hold};
use crate::set::operation::{Job, begin, proceed};
use crate::set::{RegionWork, Work, announce};
use crate::stack::{Stack, drift, fold};
use crate::wire::api::ApiError;

/// The outcome of work at one location.
enum End {
    Done,
    Failed(String),
    Skipped,
}

/// Finishes the work at one location and continues the operation.
pub(crate) fn finish(stage: &mut Stage<'_>, job: &Job) {
    let Some(set) = stage.set(&job.set) else {
        return;
    };
    let Some(operation) = set.operations.get(&job.operation) else {
        return;
    };
    if operation.stuck && operation.status == "RUNNING" {
        hold(stage, job.clone());
        return;
    }
    let work = operation.work.clone();
    let stack = set
        .instances
        .get(&job.location)
        .and_then(|instance| instance.stack.clone());
    let retain = matches!(work, Work::Delete { retain: true });
    let mut drifted = None;
    let end = if !accessible(stage, &job.location.0) && !retain {
        // The account's CloudFormation still completes the stack operation that it started.
        if let Some(id) = &stack {
            fold::carry_out(stage, id);
        }
        if departed(stage, &job.location.0) {
            End::Failed(format!(
                "Account {} is not a member of the organization",
                job.location.0
            ))
        } else {
            End::Skipped
        }
    } else if let Some(failure) = &job.failure {
        End::Failed(failure.clone())
    } else if let Work::DetectDrift = work {
        let checkable = stack
            .as_ref()
            .and_then(|id| stage.stack(id))
            .is_some_and(Stack::checkable);
        match stack {
            Some(id) if checkable => {
                drifted = Some(drift::detect(stage, &id));
                End::Done
            }
            _ => End::Failed(
                "Drift detection is not possible: the instance has no stack in a stable state"
                    .to_owned(),
            ),
        }
    } else {
        match stack {
            // The result of an earlier operation, such as a rollback, is not this one's failure.
            Some(_) if job.idle => End::Done,
            Some(id) if !retain => {
                fold::carry_out(stage, &id);
                outcome(stage, &id)
            }
            _ => End::Done,
        }
    };
    record(stage, job, &work, end, drifted);
    announce::instance(stage, &job.set, &job.location, work.action());
    proceed(stage, &job.set, &job.operation);
}

fn outcome(stage: &Stage<'_>, id: &str) -> End {
    match stage.stack(id) {
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
    stage: &mut Stage<'_>,
    job: &Job,
    work: &Work,
    end: End,
    drifted: Option<(&'static str, usize)>,
) {
    let now = stage.now();
    let lag = i64::from(stage.lag.instances);
    let Some(set) = stage.set_mut(&job.set) else {
        return;
    };
    let deleting = matches!(work, Work::Delete { .. });
    if let Some(instance) = set.instances.get_mut(&job.location) {
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
        let gone = set.instances.remove(&job.location);
        if let (true, Some(gone)) = (lag > 0, gone) {
            set.removed.push((job.location.clone(), gone, now));
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
            // CloudFormation has no count for these.
            (End::Done, Some(("UNKNOWN" | "NOT_CHECKED", _))) => {}
            (End::Done, _) => details.in_sync += 1,
            _ => details.failed += 1,
        }
    }
    let failed = matches!(end, End::Failed(_));
    if let Some(outcome) = operation.results.get_mut(&job.location) {
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
        .find(|work| work.region == job.location.1)
    {
        work.running = work.running.saturating_sub(1);
        work.failed += usize::from(failed);
    }
}

/// Ends an operation and starts the next one in the queue.
pub(super) fn end(stage: &mut Stage<'_>, set_id: &str, id: &str) {
    let now = stage.now();
    let Some(set) = stage.set_mut(set_id) else {
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
        // A stopped detection doesn't replace the last result.
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
    announce::operation(stage, set_id, id);
    let Some(set) = stage.set_mut(set_id) else {
        return;
    };
    if let (false, Some(next)) = (running, next) {
        begin(set, &next, now);
        stage.after(
            1,
            Task::Operation {
                set: set_id.into(),
                operation: next,
            },
        );
    }
}

/// Stops an operation: work in progress finishes, the rest is cancelled.
pub(crate) fn stop(stage: &mut Stage<'_>, set_id: &str, id: &str) -> Result<(), ApiError> {
    let now = stage.now();
    let missing = || {
        ApiError::new(
            "OperationNotFoundException",
            format!("Operation {id} not found"),
        )
        .status(404)
    };
    let set = stage.set_mut(set_id).ok_or_else(missing)?;
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
    stage.after(
        1,
        Task::Operation {
            set: set_id.into(),
            operation: id.into(),
        },
    );
    for job in held {
        stage.later(Task::Instance(job));
    }
    announce::operation(stage, set_id, id);
    Ok(())
}
