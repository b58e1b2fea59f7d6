//! Finds the latest operation of a stack set even if the lists don't show it yet.
//!
//! `ListStackSetOperations` is eventually consistent: a run that closely follows a killed one may
//! not see the operation that one started. `DescribeStackSetOperation` is consistent but needs an
//! id. Therefore Gizmos numbers its operations (`gizmos-topic-20787001`, `gizmos-topic-20787002`, …)
//! and asks for the next number. That finds every operation of a killed run, and of two concurrent
//! runs only one gets a number. The id contains the stack set's name, because AWS doesn't say whether
//! ids are unique per stack set.
//!
//! AWS doesn't say either how long it keeps operations. An id may stay taken although its operation
//! can't be described any more, so numbers may have gaps: whoever starts an operation goes on to the
//! next number. If no operation is known at all, numbers begin at the day's first, which is above
//! every earlier one; a run soon after finds the operations of a killed one by asking for the first
//! numbers of today and of yesterday.
//!
//! AWS: <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackSetOperation.html>

use std::time::{Duration, SystemTime};

use crate::error::{DeployError, Doing};
use crate::ports::{Cloud, Operation, OperationSummary};

/// Numbers per day, far more than a stack set has operations. More do no harm: the next day begins
/// at the first that is free.
const A_DAY: u64 = 1_000;

/// Consecutive numbers without a describable operation after which no later one is expected.
const GAP: u64 = 3;

/// The id of the stack set's operation with this number.
pub(crate) fn id(stack_set: &str, number: u64) -> String {
    format!("{stack_set}-{number}")
}

/// The number of an operation; `None` if Gizmos didn't start it.
pub(crate) fn number(stack_set: &str, operation: &str) -> Option<u64> {
    let digits = operation.strip_prefix(stack_set)?.strip_prefix('-')?;
    // Gizmos never writes `gizmos-topic-07` or `gizmos-topic-+7`.
    let number = digits.parse().ok()?;
    (id(stack_set, number) == operation).then_some(number)
}

/// The number of the stack set's next operation.
pub(crate) fn next_number(
    stack_set: &str,
    operations: &[OperationSummary],
    now: SystemTime,
) -> u64 {
    match newest(stack_set, operations) {
        Some(newest) => newest.saturating_add(1),
        None => first_of_day(now),
    }
}

fn newest(stack_set: &str, operations: &[OperationSummary]) -> Option<u64> {
    let numbers = operations.iter().filter_map(|it| number(stack_set, &it.id));
    numbers.max()
}

/// The first number of a day.
fn first_of_day(now: SystemTime) -> u64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    let days = since.unwrap_or_default().as_secs() / 86_400;
    days * A_DAY + 1
}

/// The latest operations of a stack set, newest first: the first page of the list, plus numbered
/// operations it doesn't show yet, with a consistent status for the latest numbered one.
pub(crate) async fn latest(
    cloud: &impl Cloud,
    stack_set: &str,
) -> Result<Vec<OperationSummary>, DeployError> {
    let mut operations = cloud
        .list_operations(stack_set)
        .await
        .doing(|| format!("cannot list the operations of stack set {stack_set}"))?;
    let describe = |number: u64| async move {
        let id = id(stack_set, number);
        cloud
            .describe_operation(stack_set, &id)
            .await
            .doing(|| format!("cannot describe operation {id} of stack set {stack_set}"))
    };
    let Some(mut newest) = newest(stack_set, &operations) else {
        // The list may be outdated, or contain only automatic deployments.
        let now = cloud.now();
        for day in [now, now - Duration::from_hours(24)] {
            let mut next = first_of_day(day);
            let mut missing = 0;
            while missing < GAP {
                match describe(next).await? {
                    Some(found) => {
                        operations.insert(0, summary(found));
                        missing = 0;
                    }
                    // Nothing on that day: not even its first number.
                    None if next == first_of_day(day) => break,
                    None => missing += 1,
                }
                next += 1;
            }
            if newest(stack_set, &operations).is_some() {
                break;
            }
        }
        return Ok(operations);
    };
    if let Some(listed) = operations
        .iter_mut()
        .find(|it| it.id == id(stack_set, newest))
        && listed.status.is_pending()
        && let Some(found) = describe(newest).await?
    {
        *listed = summary(found);
    }
    while let Some(found) = describe(newest + 1).await? {
        operations.insert(0, summary(found));
        newest += 1;
    }
    Ok(operations)
}

fn summary(operation: Operation) -> OperationSummary {
    OperationSummary {
        id: operation.id,
        action: operation.action,
        status: operation.status,
        ended: operation.ended,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fake::{Fake, bundle};
    use crate::ports::Pause;
    use crate::{ApplyOutcome, Silent, apply, observe, plan};

    #[test]
    fn only_ids_of_the_stack_set_have_a_number() {
        assert_eq!(number("gizmos-topic", &id("gizmos-topic", 12)), Some(12));
        for others in [
            "gizmos-topic",
            "gizmos-topic-",
            "gizmos-topic-07",
            "gizmos-topic-+7",
            "gizmos-topic-copy-7",
            "gizmos-trail-7",
            "7d1c8a8e-6f0e-4c55-9a57-0d2f3b1f4f10",
        ] {
            assert_eq!(number("gizmos-topic", others), None, "{others}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn unlisted_operations_are_found_by_their_number() {
        let cloud = Fake::new();
        let bundle = bundle();
        let observed = observe(&cloud, &bundle).await.unwrap();
        apply(&cloud, &bundle, &plan(&bundle, &observed), &Silent)
            .await
            .unwrap();
        let shown = latest(&cloud, "gizmos-rules-spoke").await.unwrap();
        assert!(shown.len() > 1, "{shown:?}");
        // The list shows no operation.
        cloud.state().lag = Duration::from_hours(24);
        let found = latest(&cloud, "gizmos-rules-spoke").await.unwrap();
        assert_eq!(found.first(), shown.first());
        assert_eq!(found.len(), shown.len());
        let last = number("gizmos-rules-spoke", &shown[0].id).unwrap();
        let next = |found| next_number("gizmos-rules-spoke", found, cloud.now());
        assert_eq!(next(&found), last + 1);
        // Not even the next day: a run that was killed before midnight is found after it.
        cloud.state().now += Duration::from_hours(24);
        assert_eq!(
            next(&latest(&cloud, "gizmos-rules-spoke").await.unwrap()),
            last + 1
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_id_that_is_taken_for_ever_is_passed_over() {
        let cloud = Fake::new();
        let bundle = bundle();
        let first = first_of_day(cloud.now());
        // Operations of long ago, which can't be listed or described any more.
        let taken = (first..first + 5).map(|number| id("gizmos-rules-spoke", number));
        cloud.state().taken_ids.extend(taken);
        let observed = observe(&cloud, &bundle).await.unwrap();
        let report = apply(&cloud, &bundle, &plan(&bundle, &observed), &Silent)
            .await
            .unwrap();
        assert_eq!(report.outcome(), ApplyOutcome::Done, "{report:#?}");
        let started = latest(&cloud, "gizmos-rules-spoke").await.unwrap();
        let numbers: Vec<u64> = started
            .iter()
            .filter_map(|it| number("gizmos-rules-spoke", &it.id))
            .collect();
        assert_eq!(numbers.iter().min(), Some(&(first + 5)), "{numbers:?}");
        // But not without end.
        let cloud = Fake::new();
        let taken = (first..first + 1_000).map(|number| id("gizmos-rules-spoke", number));
        cloud.state().taken_ids.extend(taken);
        let observed = observe(&cloud, &bundle).await.unwrap();
        let report = apply(&cloud, &bundle, &plan(&bundle, &observed), &Silent)
            .await
            .unwrap();
        let text = format!("{report:?}");
        assert!(text.contains("operation ids in a row are taken"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_operation_id_that_aws_answered_is_waited_for() {
        let cloud = Fake::new();
        let bundle = bundle();
        cloud.state().ids_of_its_own = true;
        let observed = observe(&cloud, &bundle).await.unwrap();
        let report = apply(&cloud, &bundle, &plan(&bundle, &observed), &Silent)
            .await
            .unwrap();
        assert_eq!(report.outcome(), ApplyOutcome::Done, "{report:#?}");
    }
}
