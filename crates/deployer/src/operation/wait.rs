//! Waits for the end of an operation.

use super::{Backoff, Session, Stop, number};
use crate::ports::{Cloud, CloudError, Operation, OperationSummary, ResultStatus};
use crate::progress::ProgressEvent;
use crate::restore::administration;

/// Consecutive failed reads of a running operation that are tolerated.
const LOST_READS: u32 = 20;

/// Average number of result pages read per poll. Larger operations are polled just as often, but
/// their results are read less often.
const PAGES_PER_POLL: usize = 2;

/// Results per page.
const PAGE: usize = 100;

/// Waits until no operation of the stack set can change anything.
pub(crate) async fn await_others<C: Cloud>(
    session: &Session<'_, C>,
    set: &str,
) -> Result<(), Stop> {
    let mut pause = Backoff::new();
    let mut told: Option<String> = None;
    loop {
        let pending: Option<OperationSummary> = number::latest(session.cloud, set)
            .await?
            .into_iter()
            .find(|operation| operation.status.is_pending());
        // The call was refused although the list, which lags, shows no operation: wait once.
        let Some(operation) = pending else {
            session.cloud.pause(pause.next()).await;
            return Ok(());
        };
        let ours = number::number(set, &operation.id).is_some();
        if told.as_ref() != Some(&operation.id) {
            session.progress.report(&ProgressEvent::Waiting {
                stack_set: set.to_owned(),
                operation: operation.id.clone(),
                ours,
            });
            told = Some(operation.id.clone());
        }
        let limit = if ours {
            session.limits.operation
        } else {
            session.limits.others
        };
        if pause.waited >= limit {
            return Err(Stop::TimedOut(format!(
                "operation {} of {set} still runs after {} minutes; wait for its end, then run the \
                 same command again",
                operation.id,
                limit.as_secs() / 60
            )));
        }
        session.cloud.pause(pause.next()).await;
    }
}

/// Polls an operation until it has ended.
pub(crate) async fn wait<C: Cloud>(
    session: &Session<'_, C>,
    set: &str,
    id: &str,
    total: usize,
) -> Result<Operation, Stop> {
    let mut pause = Backoff::new();
    let mut told = (0, 0);
    let mut lost = 0;
    let every = u32::try_from(total.div_ceil(PAGE * PAGES_PER_POLL)).unwrap_or(u32::MAX);
    let every = every.max(1);
    for poll in 0_u32.. {
        match session.cloud.describe_operation(set, id).await {
            Ok(Some(operation)) if !operation.status.is_pending() => return Ok(operation),
            Ok(Some(_)) => lost = 0,
            // The operation continues even if it can't be read.
            Ok(None) | Err(CloudError::Unavailable { .. } | CloudError::Throttled)
                if lost < LOST_READS =>
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
        if pause.waited >= session.limits.operation {
            break;
        }
        if poll % every == every - 1 {
            report_progress(session, set, id, total, &mut told).await;
        }
        session.cloud.pause(pause.next()).await;
    }
    let organization = session.organization;
    // Who can't be asked is most likely the management account.
    let caller = session.cloud.caller_identity().await.ok();
    let caller = caller.map_or_else(|| organization.accounts.management.clone(), |it| it.account);
    let administration = administration(organization, &caller);
    Err(Stop::TimedOut(format!(
        "operation {id} of {set} still runs after {} minutes; run the same command again to \
         continue waiting, or stop it: `aws cloudformation stop-stack-set-operation \
         --stack-set-name {set} --operation-id {id} {administration}`",
        session.limits.operation.as_secs() / 60
    )))
}

/// Reports progress when more instances are done. Waiting doesn't depend on it, so a failed call is
/// ignored.
async fn report_progress<C: Cloud>(
    session: &Session<'_, C>,
    set: &str,
    id: &str,
    total: usize,
    told: &mut (usize, usize),
) {
    let Ok(results) = session.cloud.list_operation_results(set, id).await else {
        return;
    };
    let count = |status| results.iter().filter(|it| it.status == status).count();
    let now = (count(ResultStatus::Succeeded), count(ResultStatus::Failed));
    if now != *told {
        *told = now;
        session.progress.report(&ProgressEvent::Instances {
            stack_set: set.to_owned(),
            operation: id.to_owned(),
            done: now.0,
            failed: now.1,
            total,
        });
    }
}
