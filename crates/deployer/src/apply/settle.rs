//! Reads a stack set once no operation is running, and detects outdated lists.
//!
//! `DescribeStackSet` and `DescribeStackSetOperation` are strongly consistent; the lists are not. A
//! run that closely follows another one may therefore see the fleet as it was before. It waits
//! briefly after operations whose end it didn't see. It also knows the effect of its own
//! operations, and reads the lists again whenever they contradict it.

use std::collections::BTreeSet;

use crate::fleet::{ObservedStackSet, Patience, observe_stack_set};
use crate::operation::{OperationReport, Session, Stop, await_others, wait};
use crate::plan::{Change, StackSetPlan};
use crate::ports::{Action, Cloud, Location, OperationStatus, OperationSummary, ResultStatus};

/// Most unlisted operations, named by instances, that are read by id.
const ASKED_FOR: usize = 5;

/// Maximum operations per page of `ListStackSetOperations`.
const PAGE: usize = 100;

/// Reads a stack set once no operation is running. An earlier run's operation is awaited like any
/// other; the plan made afterward covers what it left undone. `done` lists operations of this run,
/// whose effect is known regardless of the lists.
pub(super) async fn settled<C: Cloud>(
    session: &Session<'_, C>,
    name: &str,
    done: &[OperationReport],
) -> Result<Option<ObservedStackSet>, Stop> {
    let done = done.iter().map(|operation| operation.id.clone()).collect();
    loop {
        let Some(found) = observe_stack_set(session.cloud, name, Patience::AllBut(&done)).await?
        else {
            return Ok(None);
        };
        if !found.pending.is_empty() {
            await_others(session, name).await?;
            continue;
        }
        if !wait_for_unlisted(session, name, &found).await? {
            return Ok(Some(found));
        }
    }
}

/// Waits for an operation that instances name but the list lacks; `true` if there was one.
async fn wait_for_unlisted<C: Cloud>(
    session: &Session<'_, C>,
    name: &str,
    found: &ObservedStackSet,
) -> Result<bool, Stop> {
    if found.operations.len() >= PAGE {
        // A full page doesn't show older operations, so their absence means nothing.
        return Ok(false);
    }
    let listed: BTreeSet<&str> = found.operations.iter().map(|op| op.id.as_str()).collect();
    let unlisted: BTreeSet<&str> = found
        .instances
        .iter()
        .filter_map(|instance| instance.last_operation.as_deref())
        .filter(|id| !listed.contains(id))
        .collect();
    for id in unlisted.into_iter().take(ASKED_FOR) {
        let operation = session
            .cloud
            .describe_operation(name, id)
            .await
            .map_err(|error| Stop::cloud(&format!("cannot describe operation {id}"), &error))?;
        if operation.is_some_and(|operation| operation.status.is_pending()) {
            wait(session, name, id, found.instances.len()).await?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the list of instances contradicts the results of the latest operation and is outdated.
pub(super) async fn is_old<C: Cloud>(
    session: &Session<'_, C>,
    found: &ObservedStackSet,
    plan: &StackSetPlan,
) -> Result<bool, Stop> {
    let Some(latest) = found.operations.first() else {
        return Ok(false);
    };
    let suspects = suspects(plan, latest);
    if suspects.is_empty() {
        return Ok(false);
    }
    let results = session
        .cloud
        .list_operation_results(&found.details.name, &latest.id)
        .await
        .map_err(|error| {
            Stop::cloud(
                &format!("cannot list the results of operation {}", latest.id),
                &error,
            )
        })?;
    Ok(results
        .into_iter()
        .filter(|result| result.status == ResultStatus::Succeeded)
        .any(|result| suspects.contains(&Location::new(result.account, result.region))))
}

/// Locations where, if the latest operation reached them, the planned change is already done.
fn suspects(plan: &StackSetPlan, latest: &OperationSummary) -> BTreeSet<Location> {
    if !matches!(
        latest.status,
        OperationStatus::Succeeded | OperationStatus::Failed | OperationStatus::Stopped
    ) {
        return BTreeSet::new();
    }
    // With a new definition every instance is due, regardless of the latest operation.
    let due = if plan.change == Change::Unchanged {
        plan.update.as_slice()
    } else {
        &[]
    };
    match latest.action {
        // An outdated list may lack new instances or show them as not yet current.
        Some(Action::Create) => plan.add.iter().chain(due).cloned().collect(),
        Some(Action::Delete) => plan.remove.iter().cloned().collect(),
        Some(Action::Update) => due.iter().cloned().collect(),
        _ => BTreeSet::new(),
    }
}
