//! Runs the operations of one stack set one after the other.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use futures::{StreamExt, stream};

use super::report::{InstanceFailure, OperationReport};
use super::wait::{await_others, wait};
use super::{Backoff, Session, Stop, Task, number};
use crate::ports::{
    Action, Cloud, CloudError, Location, Operation, OperationResult, OperationStatus,
    OperationSummary, ResultStatus,
};
use crate::progress::ProgressEvent;

/// Attempts at a call that got no response, all with the same operation id.
const REPEATS: u32 = 5;

/// Failed instances whose stack events are read. Even if a hundred accounts fail, they usually
/// share one reason.
const EVENTS_OF: usize = 25;

/// Attempts to read results until their count is right: they are eventually consistent.
const RESULT_READS: usize = 6;

/// The result of a finished operation.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) report: OperationReport,
    pub(crate) failures: Vec<InstanceFailure>,
    pub(crate) reason: Option<String>,
}

impl Finished {
    /// Whether it succeeded in every location.
    pub(crate) fn is_good(&self) -> bool {
        self.report.status == OperationStatus::Succeeded && self.failures.is_empty()
    }
}

/// Consecutive operation ids that may be taken without an operation that can be described.
const TAKEN_IDS: u32 = 16;

/// Runs the operations of one stack set one after the other, with ids from [`number`]. A repeated
/// run after a kill finds the operation by its number, waits for it, and plans what is left.
#[derive(Debug)]
pub(crate) struct Sequence {
    next: u64,
}

/// A running operation.
struct Started<'a> {
    stack_set: String,
    id: String,
    action: Action,
    wave: Option<&'a str>,
    /// Number of instances it works on.
    total: usize,
}

impl Sequence {
    /// Numbers operations from the latest known operation of the stack set.
    /// Without any, numbers depend on the time.
    pub(crate) fn after(stack_set: &str, latest: &[OperationSummary], now: SystemTime) -> Sequence {
        Sequence {
            next: number::next_number(stack_set, latest, now),
        }
    }

    /// Starts an operation and waits for its end.
    pub(crate) async fn perform<C: Cloud>(
        &mut self,
        session: &Session<'_, C>,
        mut task: Task,
        wave: Option<&str>,
        total: usize,
    ) -> Result<Finished, Stop> {
        let stack_set = task.stack_set().to_owned();
        let id = self.start(session, &mut task, &stack_set).await?;
        let started = Started {
            id,
            stack_set,
            action: task.action(),
            wave,
            total,
        };
        session.progress.report(&ProgressEvent::OperationStarted {
            stack_set: started.stack_set.clone(),
            operation: started.id.clone(),
            action: started.action,
            wave: wave.map(str::to_owned),
            total,
        });
        finish(session, started).await
    }

    /// Starts an operation with the next number that is free.
    async fn start<C: Cloud>(
        &mut self,
        session: &Session<'_, C>,
        task: &mut Task,
        stack_set: &str,
    ) -> Result<String, Stop> {
        for _ in 0..TAKEN_IDS {
            let id = number::id(stack_set, self.next);
            task.set_id(&id);
            let started = start(session, task, stack_set, &id).await;
            if let Err(NotStarted::Stop(stop)) = started {
                return Err(stop);
            }
            self.next += 1;
            if let Ok(id) = started {
                return Ok(id);
            }
        }
        Err(Stop::Failed(format!(
            "{TAKEN_IDS} operation ids in a row are taken, up to {}, although none of their \
             operations exists; run the same command again",
            number::id(stack_set, self.next - 1)
        )))
    }
}

/// Why an operation can't start with this id.
enum NotStarted {
    /// The id is taken by an operation that can't be described any more.
    IdTaken,
    Stop(Stop),
}

impl From<Stop> for NotStarted {
    fn from(stop: Stop) -> NotStarted {
        NotStarted::Stop(stop)
    }
}

/// Starts an operation. Returns the id that AWS gave it.
async fn start<C: Cloud>(
    session: &Session<'_, C>,
    task: &Task,
    stack_set: &str,
    id: &str,
) -> Result<String, NotStarted> {
    let mut pause = Backoff::new();
    for repeat in 1.. {
        let error = match task.start(session.cloud).await {
            Ok(answered) => return Ok(answered),
            Err(error) => error,
        };
        match error {
            // The number was free a moment ago: an earlier attempt of this call took effect, or
            // another run took it. Or it was taken long ago.
            CloudError::OperationIdAlreadyExists { .. } => {
                return match session.cloud.describe_operation(stack_set, id).await {
                    Ok(Some(found)) if found.action == Some(task.action()) => Ok(id.to_owned()),
                    Ok(None) => Err(NotStarted::IdTaken),
                    _ => Err(Stop::Replan.into()),
                };
            }
            CloudError::OperationInProgress { .. } => {
                await_others(session, stack_set).await?;
                return Err(Stop::Replan.into());
            }
            // The stack set, its instances or the organization changed after they were read.
            CloudError::Stale { .. } | CloudError::NotFound { .. } => {
                return Err(Stop::Replan.into());
            }
            // The call may have taken effect: look for the id.
            CloudError::Unavailable { .. } | CloudError::Throttled if repeat <= REPEATS => {
                session.cloud.pause(pause.next()).await;
                if let Ok(Some(_)) = session.cloud.describe_operation(stack_set, id).await {
                    return Ok(id.to_owned());
                }
            }
            error => {
                let doing = match task.action() {
                    Action::Create => format!("cannot create instances of {stack_set}"),
                    Action::Delete => format!("cannot delete instances of {stack_set}"),
                    _ => format!("cannot update {stack_set}"),
                };
                return Err(Stop::cloud(&doing, &error).into());
            }
        }
    }
    Err(Stop::Replan.into())
}

async fn finish<C: Cloud>(
    session: &Session<'_, C>,
    started: Started<'_>,
) -> Result<Finished, Stop> {
    let Started { stack_set, id, .. } = &started;
    let operation = wait(session, stack_set, id, started.total).await?;
    let (succeeded, mut failures) = if operation.status == OperationStatus::Succeeded
        && operation.failed_instances == Some(0)
    {
        // Nothing failed, so hundreds of pages of results would add nothing.
        (started.total, Vec::new())
    } else {
        let results = results(session, stack_set, &operation).await?;
        let (good, bad): (Vec<_>, Vec<_>) = results
            .into_iter()
            .partition(|result| result.status == ResultStatus::Succeeded);
        (good.len(), bad.into_iter().map(failure).collect())
    };
    failures.sort_by(|a, b| a.location.cmp(&b.location));
    explain(session, stack_set, &mut failures).await;
    session.progress.report(&ProgressEvent::OperationFinished {
        stack_set: stack_set.clone(),
        operation: id.clone(),
        status: operation.status.clone(),
        done: succeeded,
        failed: failures.len(),
    });
    Ok(Finished {
        report: OperationReport {
            id: started.id,
            action: started.action,
            wave: started.wave.map(str::to_owned),
            status: operation.status,
            succeeded,
            failed: failures.len(),
        },
        failures,
        reason: operation.reason,
    })
}

fn failure(result: OperationResult) -> InstanceFailure {
    InstanceFailure {
        location: Location::new(result.account, result.region),
        status: match result.status {
            ResultStatus::Failed => "failed".to_owned(),
            ResultStatus::Cancelled => "cancelled".to_owned(),
            ResultStatus::Other(other) => other,
            _ => "not finished".to_owned(),
        },
        reason: result
            .reason
            .filter(|reason| !reason.is_empty())
            .unwrap_or_else(|| "no reason given".to_owned()),
        events: Vec::new(),
    }
}

async fn results<C: Cloud>(
    session: &Session<'_, C>,
    set: &str,
    operation: &Operation,
) -> Result<Vec<OperationResult>, Stop> {
    let mut read = 0;
    loop {
        let results = session
            .cloud
            .list_operation_results(set, &operation.id)
            .await
            .map_err(|error| {
                Stop::cloud(
                    &format!("cannot list the results of operation {}", operation.id),
                    &error,
                )
            })?;
        let failed = results
            .iter()
            .filter(|result| result.status == ResultStatus::Failed)
            .count();
        let expected = operation.failed_instances.unwrap_or(0);
        let settled = results
            .iter()
            .all(|result| !matches!(result.status, ResultStatus::Pending | ResultStatus::Running));
        read += 1;
        if read >= RESULT_READS
            || (failed >= usize::try_from(expected).unwrap_or(0)
                && (settled || operation.status == OperationStatus::Stopped))
        {
            return Ok(results);
        }
        session.cloud.pause(Duration::from_secs(2)).await;
    }
}

/// Adds the failure events of the stacks.
async fn explain<C: Cloud>(session: &Session<'_, C>, set: &str, failures: &mut [InstanceFailure]) {
    if !failures.iter().any(|failure| failure.status == "failed") {
        return;
    }
    // Without the list of instances, or access to an account, only the operation's own reason is
    // reported.
    let Ok(instances) = session.cloud.list_instances(set).await else {
        return;
    };
    let stacks: BTreeMap<Location, String> = instances
        .into_iter()
        .filter_map(|it| Some((it.location(), it.stack_id?)))
        .collect();
    stream::iter(
        failures
            .iter_mut()
            .filter(|failure| failure.status == "failed")
            .take(EVENTS_OF),
    )
    .for_each_concurrent(4, |failure| {
        let stack = stacks.get(&failure.location);
        async move {
            if let Some(stack) = stack
                && let Ok(events) = session.cloud.failure_events(&failure.location, stack).await
            {
                failure.events = events;
            }
        }
    })
    .await;
}
