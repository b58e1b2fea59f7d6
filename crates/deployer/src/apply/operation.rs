//! One stack set operation, from its id to its results.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, stream};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::report::{InstanceFailure, OperationReport};
use super::{Run, Stop};
use crate::operations;
use crate::ports::{
    Action, Cloud, CloudError, InstanceRequest, Location, Operation, OperationStatus,
    OperationSummary, ResultStatus, StackSetUpdate,
};
use crate::progress::ProgressEvent;

/// A call whose answer is lost is repeated so often, with the same id.
const REPEATS: u32 = 5;

/// A look at a running operation may fail so often in a row.
const LOST_LOOKS: u32 = 20;

/// Failed instances whose stack events are fetched; a hundred accounts fail for one reason.
const EVENTS_OF: usize = 25;

/// Pages of results that a poll may cost on average: with more, single results are looked at less
/// often.
const PAGES_A_POLL: usize = 2;

/// Results on a page.
const PAGE: usize = 100;

/// Results are eventually consistent: so often they are read again until the count is right.
const RESULT_READS: usize = 6;

/// What an operation is to do. The operation id in it is filled in when it starts.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    Update(Box<StackSetUpdate>),
    /// Brings instances to what the stack set is already. `UpdateStackSet` would do as well, but
    /// it takes parameters, and then marks all other instances as outdated.
    Refresh(InstanceRequest),
    Create(InstanceRequest),
    Delete(InstanceRequest),
}

impl Task {
    pub(crate) fn action(&self) -> Action {
        match self {
            Task::Update(_) | Task::Refresh(_) => Action::Update,
            Task::Create(_) => Action::Create,
            Task::Delete(_) => Action::Delete,
        }
    }

    fn stack_set(&self) -> &str {
        match self {
            Task::Update(update) => &update.name,
            Task::Create(request) | Task::Refresh(request) | Task::Delete(request) => {
                &request.stack_set
            }
        }
    }

    fn set_id(&mut self, id: &str) {
        match self {
            Task::Update(update) => id.clone_into(&mut update.operation_id),
            Task::Create(request) | Task::Refresh(request) | Task::Delete(request) => {
                id.clone_into(&mut request.operation_id);
            }
        }
    }

    async fn start(&self, cloud: &impl Cloud) -> Result<String, CloudError> {
        match self {
            Task::Update(update) => cloud.update_stack_set(update).await,
            Task::Refresh(request) => cloud.update_instances(request).await,
            Task::Create(request) => cloud.create_instances(request).await,
            Task::Delete(request) => cloud.delete_instances(request).await,
        }
    }
}

/// The first 16 hex digits of a hash of the content: the same content, the same id.
pub(crate) fn fingerprint(content: &impl Serialize) -> String {
    let text = serde_json::to_vec(content).unwrap_or_default();
    let mut start = [0; 8];
    for (to, from) in start.iter_mut().zip(Sha256::digest(&text)) {
        *to = from;
    }
    format!("{:016x}", u64::from_be_bytes(start))
}

/// What came of an operation.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) report: OperationReport,
    pub(crate) failures: Vec<InstanceFailure>,
    pub(crate) reason: Option<String>,
}

impl Finished {
    /// Whether it did what it should everywhere.
    pub(crate) fn is_good(&self) -> bool {
        self.report.status == OperationStatus::Succeeded && self.failures.is_empty()
    }
}

/// The operations of one stack set, one after the other, with the numbers that [`operations`] gives
/// them. The number follows from the plan: a run that is killed and repeated finds the operation it
/// has started, waits for it, and plans what is left.
#[derive(Debug)]
pub(crate) struct Chain {
    next: u64,
}

impl Chain {
    /// Goes on after the latest operations of the stack set that are known.
    pub(crate) fn after(stack_set: &str, latest: &[OperationSummary]) -> Chain {
        Chain {
            next: operations::next_number(stack_set, latest),
        }
    }

    /// Starts an operation and waits for it.
    pub(crate) async fn perform<C: Cloud>(
        &mut self,
        run: &Run<'_, C>,
        mut task: Task,
        wave: Option<&str>,
        total: usize,
    ) -> Result<Finished, Stop> {
        let set = task.stack_set().to_owned();
        let action = task.action();
        let id = operations::id(&set, self.next);
        task.set_id(&id);
        start(run, &task, &set, &id).await?;
        self.next += 1;
        run.progress.report(&ProgressEvent::OperationStarted {
            stack_set: set.clone(),
            operation: id.clone(),
            action,
            wave: wave.map(str::to_owned),
            total,
        });
        finish(run, &set, &id, action, wave, total).await
    }
}

async fn start<C: Cloud>(run: &Run<'_, C>, task: &Task, set: &str, id: &str) -> Result<(), Stop> {
    let mut pause = Backoff::new();
    for repeat in 1.. {
        let Err(error) = task.start(run.cloud).await else {
            return Ok(());
        };
        match error {
            // The number was free a moment ago: a retry of this very call went through, or another
            // run was faster.
            CloudError::OperationIdAlreadyExists { .. } => {
                return match run.cloud.describe_operation(set, id).await {
                    Ok(Some(found)) if found.action == Some(task.action()) => Ok(()),
                    _ => Err(Stop::Replan),
                };
            }
            CloudError::OperationInProgress { .. } => {
                await_others(run, set).await?;
                return Err(Stop::Replan);
            }
            // The stack set, its instances or the organization changed after they were read.
            CloudError::Stale { .. } | CloudError::NotFound { .. } => return Err(Stop::Replan),
            // Whether it took effect is not known. The id tells.
            CloudError::Unavailable { .. } | CloudError::Throttled if repeat <= REPEATS => {
                run.cloud.pause(pause.next()).await;
                if let Ok(Some(_)) = run.cloud.describe_operation(set, id).await {
                    return Ok(());
                }
            }
            error => {
                let doing = match task.action() {
                    Action::Create => format!("cannot create instances of {set}"),
                    Action::Delete => format!("cannot delete instances of {set}"),
                    _ => format!("cannot update {set}"),
                };
                return Err(Stop::cloud(&doing, &error));
            }
        }
    }
    Err(Stop::Replan)
}

/// Waits until no operation of the stack set can change anything any more.
pub(crate) async fn await_others<C: Cloud>(run: &Run<'_, C>, set: &str) -> Result<(), Stop> {
    let mut pause = Backoff::new();
    let mut told: Option<String> = None;
    loop {
        let pending: Vec<OperationSummary> = operations::latest(run.cloud, set)
            .await
            .map_err(|error| Stop::deploy(&error))?
            .into_iter()
            .filter(|operation| operation.status.is_pending())
            .collect();
        // The list lags behind; having been refused is reason enough to wait once.
        let Some(operation) = pending.first() else {
            run.cloud.pause(pause.next()).await;
            return Ok(());
        };
        if told.as_ref() != Some(&operation.id) {
            run.progress.report(&ProgressEvent::Waiting {
                stack_set: set.to_owned(),
                operation: operation.id.clone(),
                ours: operations::number(set, &operation.id).is_some(),
            });
            told = Some(operation.id.clone());
        }
        let limit = if operations::number(set, &operation.id).is_some() {
            run.limits.operation
        } else {
            run.limits.others
        };
        if pause.waited >= limit {
            return Err(Stop::TimedOut(format!(
                "operation {} of {set} still runs after {} minutes; wait for its end, then run the \
                 same command again",
                operation.id,
                limit.as_secs() / 60
            )));
        }
        run.cloud.pause(pause.next()).await;
    }
}

async fn finish<C: Cloud>(
    run: &Run<'_, C>,
    set: &str,
    id: &str,
    action: Action,
    wave: Option<&str>,
    total: usize,
) -> Result<Finished, Stop> {
    let operation = wait(run, set, id, total).await?;
    // Where nothing failed, the single results say nothing new: no need to read hundreds of pages.
    let flawless =
        operation.status == OperationStatus::Succeeded && operation.failed_instances == Some(0);
    let results = if flawless {
        Vec::new()
    } else {
        results(run, set, &operation).await?
    };
    let succeeded = if flawless {
        total
    } else {
        results
            .iter()
            .filter(|result| result.status == ResultStatus::Succeeded)
            .count()
    };
    let mut failures: Vec<InstanceFailure> = results
        .into_iter()
        .filter(|result| result.status != ResultStatus::Succeeded)
        .map(|result| InstanceFailure {
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
        })
        .collect();
    failures.sort_by(|a, b| a.location.cmp(&b.location));
    explain(run, set, &mut failures).await;
    run.progress.report(&ProgressEvent::OperationFinished {
        stack_set: set.to_owned(),
        operation: id.to_owned(),
        status: operation.status.clone(),
        done: succeeded,
        failed: failures.len(),
    });
    Ok(Finished {
        report: OperationReport {
            id: id.to_owned(),
            action,
            wave: wave.map(str::to_owned),
            status: operation.status,
            succeeded,
            failed: failures.len(),
        },
        failures,
        reason: operation.reason,
    })
}

/// Polls an operation until it has ended.
pub(crate) async fn wait<C: Cloud>(
    run: &Run<'_, C>,
    set: &str,
    id: &str,
    total: usize,
) -> Result<Operation, Stop> {
    let mut pause = Backoff::new();
    let mut told = (0, 0);
    let mut lost = 0;
    let every = u32::try_from(total.div_ceil(PAGE * PAGES_A_POLL)).unwrap_or(u32::MAX);
    let every = every.max(1);
    for poll in 0_u32.. {
        match run.cloud.describe_operation(set, id).await {
            Ok(Some(operation)) if !operation.status.is_pending() => return Ok(operation),
            Ok(Some(_)) => lost = 0,
            // What runs goes on running, whether we see it or not.
            Ok(None) | Err(CloudError::Unavailable { .. } | CloudError::Throttled)
                if lost < LOST_LOOKS =>
            {
                lost += 1;
            }
            Ok(None) => {
                return Err(Stop::Failed(format!(
                    "operation {id} of {set} is no longer known to CloudFormation"
                )));
            }
            Err(error) => {
                return Err(Stop::cloud(
                    &format!("cannot describe operation {id}"),
                    &error,
                ));
            }
        }
        if pause.waited >= run.limits.operation {
            break;
        }
        // News are a courtesy: without them the wait goes on.
        if poll % every == every - 1
            && let Ok(results) = run.cloud.list_operation_results(set, id).await
        {
            let count = |status| results.iter().filter(|r| r.status == status).count();
            let now = (count(ResultStatus::Succeeded), count(ResultStatus::Failed));
            if now != told {
                told = now;
                run.progress.report(&ProgressEvent::Instances {
                    stack_set: set.to_owned(),
                    operation: id.to_owned(),
                    done: now.0,
                    failed: now.1,
                    total,
                });
            }
        }
        run.cloud.pause(pause.next()).await;
    }
    Err(Stop::TimedOut(format!(
        "operation {id} of {set} still runs after {} minutes; run the same command again to go on \
         waiting for it, or stop it: `aws cloudformation stop-stack-set-operation \
         --stack-set-name {set} --operation-id {id}`",
        run.limits.operation.as_secs() / 60
    )))
}

async fn results<C: Cloud>(
    run: &Run<'_, C>,
    set: &str,
    operation: &Operation,
) -> Result<Vec<crate::ports::OperationResult>, Stop> {
    let mut read = 0;
    loop {
        let results = run
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
        run.cloud.pause(Duration::from_secs(2)).await;
    }
}

/// Adds what the stacks themselves say about their failures.
async fn explain<C: Cloud>(run: &Run<'_, C>, set: &str, failures: &mut [InstanceFailure]) {
    if !failures.iter().any(|failure| failure.status == "failed") {
        return;
    }
    // Without the list of instances, or without access to an account, the operation's own reason
    // has to do.
    let Ok(instances) = run.cloud.list_instances(set).await else {
        return;
    };
    let stacks: BTreeMap<Location, String> = instances
        .into_iter()
        .filter_map(|i| Some((Location::new(i.account, i.region), i.stack_id?)))
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
                && let Ok(events) = run.cloud.failure_events(&failure.location, stack).await
            {
                failure.events = events;
            }
        }
    })
    .await;
}

/// Pauses from 5 to 30 seconds, growing by half each time.
#[derive(Debug)]
pub(crate) struct Backoff {
    step: Duration,
    /// The sum of all pauses so far.
    pub(crate) waited: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Backoff {
        Backoff {
            step: Duration::from_secs(5),
            waited: Duration::ZERO,
        }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let step = self.step;
        self.step = (step * 3 / 2).min(Duration::from_secs(30));
        self.waited += step;
        step
    }
}
