//! Making one ordinary stack of the management account what the bundle says.

use compiler::StackSet;

use super::operation::{Backoff, fingerprint};
use super::report::{InstanceFailure, PartReport};
use super::{Run, Stop};
use crate::observe::{ObservedStack, observe_stack};
use crate::plan::{Change, StackPlan, is_owned, plan_stack};
use crate::ports::{
    Action, ChangeSetKind, ChangeSetRequest, ChangeSetStatus, Cloud, CloudError, Place, Stack,
};
use crate::progress::ProgressEvent;

/// A stack's status lags behind the call that changes it: so many looks may still show the old.
const STALE_LOOKS: u32 = 6;

/// Brings a stack into line.
pub(crate) async fn deploy<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    place: &Place,
) -> PartReport {
    let mut report = PartReport::begin(&set.name, Some(place.clone()));
    let result = try_deploy(run, set, place, &mut report).await;
    report.conclude(result);
    report
}

async fn try_deploy<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    place: &Place,
    report: &mut PartReport,
) -> Result<(), Stop> {
    let mut existing = settled(run, place, &set.name).await?;
    let plan = plan_stack(set, place.clone(), existing.as_ref());
    let kind = match plan.change {
        Change::Unchanged | Change::Delete => return Ok(()),
        Change::Blocked { reason } => return Err(Stop::Failed(reason)),
        Change::Create => ChangeSetKind::Create,
        Change::Update { .. } => ChangeSetKind::Update,
        Change::Replace { .. } => {
            delete(run, place, &set.name, report).await?;
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
        place: place.clone(),
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
    if !prepare(run, place, &request).await? {
        return Ok(());
    }
    let before = existing.map(|found| found.stack.status);
    run.cloud
        .execute_change_set(place, &set.name, &request.name)
        .await
        .map_err(|error| Stop::cloud(&format!("cannot change stack {}", set.name), &error))?;
    report.changed = true;
    let stack = executed(run, set, place, before.as_deref()).await?;
    let succeeded = matches!(stack.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE");
    finished(run, set.name.as_str(), place, &stack.status, succeeded);
    if succeeded {
        return Ok(());
    }
    Err(failed(run, place, &stack, report).await)
}

/// Has the change set computed; `false` if it turns out that there is nothing to change.
async fn prepare<C: Cloud>(
    run: &Run<'_, C>,
    place: &Place,
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
    match run.cloud.create_change_set(place, request).await {
        Ok(()) => fresh = true,
        // An earlier run was interrupted before it could be executed.
        Err(CloudError::AlreadyExists { .. }) => {}
        Err(error) => return Err(doing(error)),
    }
    let mut pause = Backoff::new();
    loop {
        let change_set = run
            .cloud
            .describe_change_set(place, stack, &request.name)
            .await
            .map_err(doing)?;
        match change_set.as_ref().map(|found| found.status) {
            Some(ChangeSetStatus::Ready) => return Ok(true),
            Some(ChangeSetStatus::Empty) => {
                run.cloud
                    .delete_change_set(place, stack, &request.name)
                    .await
                    .map_err(doing)?;
                return Ok(false);
            }
            Some(ChangeSetStatus::Failed) => {
                run.cloud
                    .delete_change_set(place, stack, &request.name)
                    .await
                    .map_err(doing)?;
                if !fresh {
                    // Left over from an earlier run; what made it fail may be over.
                    run.cloud
                        .create_change_set(place, request)
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
    place: &Place,
    before: Option<&str>,
) -> Result<Stack, Stop> {
    let mut pause = Backoff::new();
    for look in 0_u32.. {
        run.cloud.pause(pause.next()).await;
        let found = observe_stack(run.cloud, place, &set.name)
            .await
            .map_err(|error| Stop::deploy(&error))?;
        if let Some(found) = found
            && !found.stack.is_in_progress()
            && found.stack.status != "REVIEW_IN_PROGRESS"
        {
            let old = before == Some(found.stack.status.as_str())
                && plan_stack(set, place.clone(), Some(&found)).change != Change::Unchanged;
            if !old || look >= STALE_LOOKS {
                return Ok(found.stack);
            }
        }
        if pause.waited >= run.limits.operation {
            break;
        }
    }
    Err(Stop::TimedOut(format!(
        "stack {} in {place} is still being changed; run the same command again to go on",
        set.name
    )))
}

/// Reads a stack once nothing works on it any more.
async fn settled<C: Cloud>(
    run: &Run<'_, C>,
    place: &Place,
    name: &str,
) -> Result<Option<ObservedStack>, Stop> {
    let mut pause = Backoff::new();
    loop {
        let found = observe_stack(run.cloud, place, name)
            .await
            .map_err(|error| Stop::deploy(&error))?;
        match found {
            Some(found) if found.stack.is_in_progress() => {
                if pause.waited >= run.limits.operation {
                    return Err(Stop::TimedOut(format!(
                        "stack {name} in {place} stays in {}",
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
    let mut report = PartReport::begin(&plan.name, Some(plan.place.clone()));
    let result = try_remove(run, plan, &mut report).await;
    report.conclude(result);
    report
}

async fn try_remove<C: Cloud>(
    run: &Run<'_, C>,
    plan: &StackPlan,
    report: &mut PartReport,
) -> Result<(), Stop> {
    let Some(found) = settled(run, &plan.place, &plan.name).await? else {
        return Ok(());
    };
    if !is_owned(&found.stack.tags) {
        return Err(Stop::Failed(format!(
            "stack {} in {} no longer carries our tag and is left alone",
            plan.name, plan.place
        )));
    }
    delete(run, &plan.place, &plan.name, report).await
}

async fn delete<C: Cloud>(
    run: &Run<'_, C>,
    place: &Place,
    name: &str,
    report: &mut PartReport,
) -> Result<(), Stop> {
    run.progress.report(&ProgressEvent::StackStarted {
        stack: name.to_owned(),
        place: place.clone(),
        action: Action::Delete,
    });
    let doing =
        |error: CloudError| Stop::cloud(&format!("cannot delete stack {name} in {place}"), &error);
    run.cloud.delete_stack(place, name).await.map_err(doing)?;
    report.changed = true;
    let mut pause = Backoff::new();
    loop {
        run.cloud.pause(pause.next()).await;
        let stack = run.cloud.describe_stack(place, name).await.map_err(doing)?;
        match stack {
            None => {
                finished(run, name, place, "DELETE_COMPLETE", true);
                return Ok(());
            }
            Some(stack) if stack.status == "DELETE_FAILED" => {
                finished(run, name, place, &stack.status, false);
                return Err(failed(run, place, &stack, report).await);
            }
            Some(stack) if pause.waited >= run.limits.operation => {
                return Err(Stop::TimedOut(format!(
                    "stack {name} in {place} stays in {}",
                    stack.status
                )));
            }
            Some(_) => {}
        }
    }
}

fn finished<C>(run: &Run<'_, C>, name: &str, place: &Place, status: &str, succeeded: bool) {
    run.progress.report(&ProgressEvent::StackFinished {
        stack: name.to_owned(),
        place: place.clone(),
        status: status.to_owned(),
        succeeded,
    });
}

/// Notes a failure with everything the stack says about it.
async fn failed<C: Cloud>(
    run: &Run<'_, C>,
    place: &Place,
    stack: &Stack,
    report: &mut PartReport,
) -> Stop {
    // Without the permission to read events, the status has to do.
    let events = run
        .cloud
        .failure_events(place, &stack.id)
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
        place: place.clone(),
        status: stack.status.clone(),
        reason: reason.clone(),
        events,
    });
    Stop::Failed(format!(
        "stack {} in {place} is in {}: {reason}",
        stack.name, stack.status
    ))
}
