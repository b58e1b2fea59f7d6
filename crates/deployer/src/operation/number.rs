//! Finds the latest operation of a stack set even if the lists don't show it yet.
//!
//! `ListStackSetOperations` is eventually consistent: a run that closely follows a killed one may
//! not see the operation that one started. `DescribeStackSetOperation` is consistent but needs an
//! id. Therefore Gizmos numbers its operations (`gizmos-topic-1`, `gizmos-topic-2`, …) and asks for
//! the next number. That finds every operation of a killed run, and of two concurrent runs only one
//! gets a number. The id contains the stack set's name, because AWS doesn't say whether ids are
//! unique per stack set.
//!
//! AWS: <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackSetOperation.html>

use std::future::Future;

use crate::error::{DeployError, Doing};
use crate::ports::{Cloud, Operation, OperationSummary};

/// Upper bound of the search, more operations than a stack set will ever have.
const MOST: u64 = 1 << 32;

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
pub(crate) fn next_number(stack_set: &str, operations: &[OperationSummary]) -> u64 {
    let numbers = operations.iter().filter_map(|it| number(stack_set, &it.id));
    numbers.max().unwrap_or(0).saturating_add(1)
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
    let mut newest = next_number(stack_set, &operations) - 1;
    if newest == 0 {
        // The page may be outdated, or contain only automatic deployments.
        let count = count(&describe).await?;
        if count > 0
            && let Some(found) = describe(count).await?
        {
            operations.insert(0, summary(found));
        }
        return Ok(operations);
    }
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

/// The number of numbered operations, found by bisection because the numbers have no gaps.
async fn count<F>(describe: &impl Fn(u64) -> F) -> Result<u64, DeployError>
where
    F: Future<Output = Result<Option<Operation>, DeployError>>,
{
    let mut taken = 0;
    let mut next = 1;
    while next < MOST && describe(next).await?.is_some() {
        taken = next;
        next *= 2;
    }
    while taken + 1 < next {
        let middle = taken.midpoint(next);
        if describe(middle).await?.is_some() {
            taken = middle;
        } else {
            next = middle;
        }
    }
    Ok(taken)
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
    use crate::{Silent, apply, observe, plan};

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
        let listed = cloud.state().sets["gizmos-rules-spoke"].operations.len();
        let found = latest(&cloud, "gizmos-rules-spoke").await.unwrap();
        assert_eq!(found.first(), shown.first());
        assert_eq!(
            next_number("gizmos-rules-spoke", &found),
            u64::try_from(listed).unwrap() + 1
        );
    }
}
