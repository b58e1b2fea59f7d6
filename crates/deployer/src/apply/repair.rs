//! Instances that no operation can reach: their remains are removed, so that they can be created
//! again.
//!
//! AWS's way out of `INOPERABLE` is to delete the instance with its stack retained, and the stack
//! by hand. Here the stack goes first: a run that is killed in between still finds the instance,
//! and continues.
//!
//! AWS: <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-troubleshooting.html>

use std::collections::BTreeSet;

use futures::{StreamExt, stream};

use super::Run;
use super::removal_requests::named;
use super::report::PartReport;
use super::stack::StackRun;
use crate::fleet::ObservedStackSet;
use crate::operation::{InstanceFailure, Sequence, Session, Stop, Task};
use crate::plan::Repair;
use crate::ports::{Cloud, CloudError, Location};

/// How many stacks are deleted at once.
const AT_ONCE: usize = 4;

/// Removes the stacks and instances; returns the locations where they can be created again. Where that
/// isn't possible, the report says why.
pub(super) async fn repair<C: Cloud>(
    run: &Run<'_, C>,
    existing: &ObservedStackSet,
    repairs: &[Repair],
    sequence: &mut Sequence,
    report: &mut PartReport,
) -> Result<Vec<Location>, Stop> {
    let cleared: Vec<(&Repair, Result<(), String>)> = stream::iter(repairs)
        .map(|repair| async move { (repair, clear(&run.session, repair).await) })
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
    let mut failed: BTreeSet<Location> = BTreeSet::new();
    for (request, total) in named(run, existing, &locations, true) {
        let task = Task::Delete(request);
        let finished = sequence
            .perform(&run.session, task, Some("repair"), total)
            .await?;
        failed.extend(finished.failures.iter().map(|it| it.location.clone()));
        report.take(finished)?;
    }
    locations.retain(|location| !failed.contains(location));
    Ok(locations)
}

/// Deletes the stack of an instance, if there still is one.
async fn clear<C: Cloud>(session: &Session<'_, C>, repair: &Repair) -> Result<(), String> {
    let Some(id) = &repair.stack_id else {
        return Ok(());
    };
    let location = &repair.location;
    let by_hand = |error: &CloudError| {
        format!(
            "its stack could not be deleted ({error}); delete it by hand: `aws cloudformation \
             delete-stack --stack-name {id} --region {}` in account {}",
            location.region, location.account
        )
    };
    match session.cloud.describe_stack(location, id).await {
        Ok(None) => Ok(()),
        Ok(Some(found)) => StackRun::new(session, location, &found.id)
            .delete_remains(&found)
            .await
            .map_err(|stop| stop.to_string()),
        Err(error) => Err(by_hand(&error)),
    }
}
