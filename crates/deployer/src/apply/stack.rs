//! Making one ordinary stack of the management account what the bundle says.

use std::time::Duration;

use compiler::organization::ARTIFACT_PREFIX;
use compiler::{Part, StackSet};

use super::operation::{Backoff, fingerprint};
use super::report::{InstanceFailure, PartReport};
use super::{Run, Stop};
use crate::observe::{ObservedStack, observe_stack};
use crate::plan::{Change, StackPlan, is_owned, plan_stack, tagged_part};
use crate::ports::{
    Action, ChangeSetKind, ChangeSetRequest, ChangeSetStatus, Cloud, CloudError, Location, Stack,
};
use crate::progress::ProgressEvent;

/// A stack's status lags behind the call that changes it: so many looks may still show the old.
const STALE_LOOKS: u32 = 6;

/// How often a stack is looked at afresh when it changes under our hands.
const REPLANS: u32 = 4;

/// A look may fail so often in a row.
const LOST_LOOKS: u32 = 10;

/// Brings a stack into line.
pub(crate) async fn deploy<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    location: &Location,
) -> PartReport {
    let mut report = PartReport::begin(&set.name, Some(location.clone()));
    let mut tries = 0;
    let result = loop {
        match try_deploy(run, set, location, &mut report).await {
            Err(Stop::Replan) if tries < REPLANS => {
                tries += 1;
                run.cloud.pause(Duration::from_secs(10)).await;
            }
            result => break result,
        }
    };
    report.conclude(result);
    report
}

async fn try_deploy<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    location: &Location,
    report: &mut PartReport,
) -> Result<(), Stop> {
    let mut existing = settled(run, location, &set.name).await?;
    let plan = plan_stack(set, location.clone(), existing.as_ref());
    let kind = match plan.change {
        Change::Unchanged | Change::Delete => return Ok(()),
        Change::Blocked { reason } => return Err(Stop::Failed(reason)),
        Change::Create => ChangeSetKind::Create,
        Change::Update { .. } => ChangeSetKind::Update,
        Change::Replace { .. } => {
            if let Some(found) = &existing {
                empty(run, location, &found.stack).await?;
            }
            delete(run, location, &set.name, report).await?;
            existing = None;
            ChangeSetKind::Create
        }
    };
    let action = match kind {
        ChangeSetKind::Create => Action::Create,
        ChangeSetKind::Update => Action::Update,
    };
    run.progress.report(&ProgressEvent::StackStarted {
        stack: set.name.clone(),
        location: location.clone(),
        action,
    });
    let mut request = ChangeSetRequest {
        stack: set.name.clone(),
        name: String::new(),
        kind,
        template: set.template.clone(),
        parameters: set.parameters.clone(),
        tags: set.tags.clone(),
        capabilities: set.capabilities.clone(),
        description: set.description.clone(),
    };
    request.name = format!("gizmos-{}", fingerprint(&request));
    if !prepare(run, location, &request).await? {
        return Ok(());
    }
    let before = existing.map(|found| found.stack.status);
    execute(run, set, location, &request.name).await?;
    report.changed = true;
    let stack = executed(run, set, location, before.as_deref()).await?;
    let succeeded = matches!(stack.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE");
    finished(run, set.name.as_str(), location, &stack.status, succeeded);
    if succeeded {
        return Ok(());
    }
    Err(failed(run, location, &stack, report).await)
}

/// Executes a change set. Where the answer doesn't say whether it took effect, the stack does.
async fn execute<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    location: &Location,
    change_set: &str,
) -> Result<(), Stop> {
    let error = match run
        .cloud
        .execute_change_set(location, &set.name, change_set)
        .await
    {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    if !matches!(
        error,
        CloudError::Invalid { .. }
            | CloudError::NotFound { .. }
            | CloudError::OperationInProgress { .. }
            | CloudError::Unavailable { .. }
            | CloudError::Throttled
    ) {
        return Err(Stop::cloud(
            &format!("cannot change stack {}", set.name),
            &error,
        ));
    }
    run.cloud.pause(Duration::from_secs(5)).await;
    let Some(found) = look(run, location, &set.name).await? else {
        return Err(Stop::Replan);
    };
    let done = plan_stack(set, location.clone(), Some(&found)).change == Change::Unchanged;
    if found.stack.is_in_progress() || done {
        return Ok(());
    }
    // It was made for a stack that has changed since. That it can't be deleted does no harm.
    drop(
        run.cloud
            .delete_change_set(location, &set.name, change_set)
            .await,
    );
    Err(Stop::Replan)
}

/// Reads a stack, and again if there is no answer.
async fn look<C: Cloud>(
    run: &Run<'_, C>,
    location: &Location,
    name: &str,
) -> Result<Option<ObservedStack>, Stop> {
    let mut pause = Backoff::new();
    let mut lost = 0;
    loop {
        match observe_stack(run.cloud, location, name).await {
            Err(error) if error.source.is_passing() && lost < LOST_LOOKS => {
                lost += 1;
                run.cloud.pause(pause.next()).await;
            }
            // Deleted between the two calls that a look takes.
            Err(error) if error.source.is_not_found() && lost < LOST_LOOKS => lost += 1,
            result => return result.map_err(|error| Stop::deploy(&error)),
        }
    }
}

/// Has the change set computed; `false` if it turns out that there is nothing to change.
async fn prepare<C: Cloud>(
    run: &Run<'_, C>,
    location: &Location,
    request: &ChangeSetRequest,
) -> Result<bool, Stop> {
    let stack = &request.stack;
    let doing = |error: CloudError| {
        Stop::cloud(
            &format!("cannot prepare the change of stack {stack}"),
            &error,
        )
    };
    let mut fresh = false;
    match run.cloud.create_change_set(location, request).await {
        Ok(()) => fresh = true,
        // An earlier run was interrupted before it could be executed.
        Err(CloudError::AlreadyExists { .. }) => {}
        Err(error) if error.is_passing() => {
            run.cloud.pause(Duration::from_secs(5)).await;
            return Err(Stop::Replan);
        }
        Err(CloudError::OperationInProgress { .. }) => return Err(Stop::Replan),
        Err(error) => return Err(doing(error)),
    }
    let mut pause = Backoff::new();
    let mut lost = 0;
    loop {
        let change_set = match run
            .cloud
            .describe_change_set(location, stack, &request.name)
            .await
        {
            Err(error) if error.is_passing() && lost < LOST_LOOKS => {
                lost += 1;
                None
            }
            result => result.map_err(doing)?,
        };
        match change_set.as_ref().map(|found| found.status) {
            Some(ChangeSetStatus::Ready) => return Ok(true),
            Some(ChangeSetStatus::Empty) => {
                run.cloud
                    .delete_change_set(location, stack, &request.name)
                    .await
                    .map_err(doing)?;
                return Ok(false);
            }
            Some(ChangeSetStatus::Failed) => {
                run.cloud
                    .delete_change_set(location, stack, &request.name)
                    .await
                    .map_err(doing)?;
                if !fresh {
                    // Left over from an earlier run; what made it fail may be over.
                    run.cloud
                        .create_change_set(location, request)
                        .await
                        .map_err(doing)?;
                    fresh = true;
                    continue;
                }
                let reason = change_set.and_then(|found| found.reason);
                return Err(Stop::Failed(format!(
                    "CloudFormation refuses the change of stack {stack}: {}",
                    reason.as_deref().unwrap_or("no reason given")
                )));
            }
            Some(ChangeSetStatus::Pending) | None => {
                if pause.waited >= run.limits.others {
                    return Err(Stop::TimedOut(format!(
                        "change set {} of stack {stack} is still being computed",
                        request.name
                    )));
                }
                run.cloud.pause(pause.next()).await;
            }
        }
    }
}

/// Waits for the end of what a change set started.
async fn executed<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    location: &Location,
    before: Option<&str>,
) -> Result<Stack, Stop> {
    let mut pause = Backoff::new();
    for looked in 0_u32.. {
        run.cloud.pause(pause.next()).await;
        let found = look(run, location, &set.name).await?;
        if let Some(found) = found
            && !found.stack.is_in_progress()
            && found.stack.status != "REVIEW_IN_PROGRESS"
        {
            let old = before == Some(found.stack.status.as_str())
                && plan_stack(set, location.clone(), Some(&found)).change != Change::Unchanged;
            if !old || looked >= STALE_LOOKS {
                return Ok(found.stack);
            }
        }
        if pause.waited >= run.limits.operation {
            break;
        }
    }
    Err(Stop::TimedOut(format!(
        "stack {} in {location} is still being changed; run the same command again to go on",
        set.name
    )))
}

/// Reads a stack once nothing works on it any more.
async fn settled<C: Cloud>(
    run: &Run<'_, C>,
    location: &Location,
    name: &str,
) -> Result<Option<ObservedStack>, Stop> {
    let mut pause = Backoff::new();
    loop {
        let found = look(run, location, name).await?;
        match found {
            Some(found) if found.stack.is_in_progress() => {
                if pause.waited >= run.limits.operation {
                    return Err(Stop::TimedOut(format!(
                        "stack {name} in {location} stays in {}",
                        found.stack.status
                    )));
                }
                run.cloud.pause(pause.next()).await;
            }
            found => return Ok(found),
        }
    }
}

/// Removes a stack.
pub(crate) async fn remove<C: Cloud>(run: &Run<'_, C>, plan: &StackPlan) -> PartReport {
    let mut report = PartReport::begin(&plan.name, Some(plan.location.clone()));
    let result = try_remove(run, plan, &mut report).await;
    report.conclude(result);
    report
}

async fn try_remove<C: Cloud>(
    run: &Run<'_, C>,
    plan: &StackPlan,
    report: &mut PartReport,
) -> Result<(), Stop> {
    let Some(found) = settled(run, &plan.location, &plan.name).await? else {
        return Ok(());
    };
    if !is_owned(&found.stack.tags) {
        return Err(Stop::Failed(format!(
            "stack {} in {} no longer carries our tag and is left alone",
            plan.name, plan.location
        )));
    }
    empty(run, &plan.location, &found.stack).await?;
    delete(run, &plan.location, &plan.name, report).await
}

/// A bucket is deleted only when nothing is left in it. What we put into the artifact bucket was
/// handed over to CloudFormation long ago.
async fn empty<C: Cloud>(run: &Run<'_, C>, location: &Location, stack: &Stack) -> Result<(), Stop> {
    if tagged_part(&stack.tags) != Some(Part::Artifacts) {
        return Ok(());
    }
    let Some(bucket) = stack.parameters.get("BucketName") else {
        return Ok(());
    };
    match run
        .cloud
        .empty_bucket(location, bucket, ARTIFACT_PREFIX)
        .await
    {
        Err(CloudError::NotFound { .. }) => Ok(()),
        Err(error) => Err(Stop::cloud(
            &format!("cannot empty the artifact bucket {bucket}"),
            &error,
        )),
        Ok(emptied) if emptied.left > 0 => Err(Stop::Failed(format!(
            "the artifact bucket {bucket} also holds {} objects or versions outside of \
             `{ARTIFACT_PREFIX}`, which Gizmos has not put there; move or delete them, and run the \
             same command again",
            emptied.left
        ))),
        Ok(_) => Ok(()),
    }
}

async fn delete<C: Cloud>(
    run: &Run<'_, C>,
    location: &Location,
    name: &str,
    report: &mut PartReport,
) -> Result<(), Stop> {
    run.progress.report(&ProgressEvent::StackStarted {
        stack: name.to_owned(),
        location: location.clone(),
        action: Action::Delete,
    });
    let doing = |error: CloudError| {
        Stop::cloud(&format!("cannot delete stack {name} in {location}"), &error)
    };
    match run.cloud.delete_stack(location, name).await {
        Ok(()) => {}
        // Whether it took effect is seen below.
        Err(error) if error.is_passing() => {}
        Err(error) => return Err(doing(error)),
    }
    report.changed = true;
    let mut pause = Backoff::new();
    let mut lost = 0;
    let mut looks = 0;
    loop {
        run.cloud.pause(pause.next()).await;
        let stack = match run.cloud.describe_stack(location, name).await {
            Err(error) if error.is_passing() && lost < LOST_LOOKS => {
                lost += 1;
                continue;
            }
            result => result.map_err(doing)?,
        };
        looks += 1;
        match stack {
            None => {
                finished(run, name, location, "DELETE_COMPLETE", true);
                return Ok(());
            }
            Some(stack) if stack.status == "DELETE_FAILED" => {
                finished(run, name, location, &stack.status, false);
                return Err(failed(run, location, &stack, report).await);
            }
            Some(stack) if pause.waited >= run.limits.operation => {
                return Err(Stop::TimedOut(format!(
                    "stack {name} in {location} stays in {}",
                    stack.status
                )));
            }
            // The call was lost, or refused for somebody else's operation that has ended.
            Some(stack) if !stack.is_in_progress() && looks % STALE_LOOKS == 0 => {
                run.cloud
                    .delete_stack(location, name)
                    .await
                    .map_err(doing)?;
            }
            Some(_) => {}
        }
    }
}

/// Deletes what is left of an instance's stack.
pub(super) async fn delete_leftover<C: Cloud>(
    run: &Run<'_, C>,
    location: &Location,
    found: &Stack,
) -> Result<(), Stop> {
    // The instance is ours by its stack set; its stack carries the stack set's tags.
    if !is_owned(&found.tags) {
        return Err(Stop::Failed(format!(
            "its stack {} does not carry our tag and is left alone",
            found.name
        )));
    }
    let mut report = PartReport::begin(&found.name, Some(location.clone()));
    delete(run, location, &found.id, &mut report).await
}

fn finished<C>(run: &Run<'_, C>, name: &str, location: &Location, status: &str, succeeded: bool) {
    run.progress.report(&ProgressEvent::StackFinished {
        stack: name.to_owned(),
        location: location.clone(),
        status: status.to_owned(),
        succeeded,
    });
}

/// Notes a failure with everything the stack says about it.
async fn failed<C: Cloud>(
    run: &Run<'_, C>,
    location: &Location,
    stack: &Stack,
    report: &mut PartReport,
) -> Stop {
    // Without the permission to read events, the status has to do.
    let events = run
        .cloud
        .failure_events(location, &stack.id)
        .await
        .unwrap_or_default();
    let reason = events
        .first()
        .map(|event| {
            format!(
                "{} ({}): {}",
                event.logical_id, event.resource_type, event.reason
            )
        })
        .or_else(|| stack.reason.clone())
        .unwrap_or_else(|| "no reason given".to_owned());
    report.failures.push(InstanceFailure {
        location: location.clone(),
        status: stack.status.clone(),
        reason: reason.clone(),
        events,
    });
    Stop::Failed(format!(
        "stack {} in {location} is in {}: {reason}",
        stack.name, stack.status
    ))
}
