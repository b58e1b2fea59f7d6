//! Instances that no operation can reach any more: their leftovers go, so that they can be made
//! anew.
//!
//! AWS's way out of `INOPERABLE` is to delete the instance with its stack retained, and the stack
//! by hand. Here the stack goes first: a run that is killed in between still finds the instance,
//! and goes on.
//!
//! AWS: <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-troubleshooting.html>

use futures::{StreamExt, stream};

use super::operation::{Chain, Task};
use super::report::{InstanceFailure, PartReport};
use super::{Run, Stop, removal, stack};
use crate::observe::ObservedStackSet;
use crate::plan::Repair;
use crate::ports::{Cloud, CloudError, Location};

/// How many stacks are deleted at once.
const AT_ONCE: usize = 4;

/// Removes the stacks and instances; gives the locations where they can be made anew. Where that
/// isn't possible, the report says why.
pub(super) async fn repair<C: Cloud>(
    run: &Run<'_, C>,
    existing: &ObservedStackSet,
    repairs: &[Repair],
    chain: &mut Chain,
    report: &mut PartReport,
) -> Result<Vec<Location>, Stop> {
    let cleared: Vec<(&Repair, Result<(), String>)> = stream::iter(repairs)
        .map(|repair| async move { (repair, clear(run, repair).await) })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut locations = Vec::new();
    for (repair, result) in cleared {
        match result {
            Ok(()) => locations.push(repair.location.clone()),
            Err(reason) => report.failures.push(InstanceFailure {
                location: repair.location.clone(),
                status: "not repaired".to_owned(),
                reason: format!("{}; {reason}", repair.reason),
                events: Vec::new(),
            }),
        }
    }
    let mut gone = Vec::new();
    for (request, total) in removal::named(run, existing, &locations, true) {
        let task = Task::Delete(request);
        let finished = chain.perform(run, task, Some("repair"), total).await?;
        let failed: Vec<Location> = finished
            .failures
            .iter()
            .map(|it| it.location.clone())
            .collect();
        report.take(finished)?;
        gone.extend(failed);
    }
    locations.retain(|location| !gone.contains(location));
    Ok(locations)
}

/// Deletes the stack of an instance, if there still is one.
async fn clear<C: Cloud>(run: &Run<'_, C>, repair: &Repair) -> Result<(), String> {
    let Some(id) = &repair.stack_id else {
        return Ok(());
    };
    let by_hand = |error: &CloudError| {
        format!(
            "its stack could not be deleted ({error}); delete it by hand: `aws cloudformation \
             delete-stack --stack-name {id} --region {}` in account {}",
            repair.location.region, repair.location.account
        )
    };
    match run.cloud.describe_stack(&repair.location, id).await {
        Ok(None) => Ok(()),
        Ok(Some(found)) => stack::delete_leftover(run, &repair.location, &found)
            .await
            .map_err(|stop| stop.to_string()),
        Err(error) => Err(by_hand(&error)),
    }
}
