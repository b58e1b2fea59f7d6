//! Which operation of a stack set is the latest, whatever the lists say.
//!
//! `ListStackSetOperations` is eventually consistent: a run that follows a killed one at once may
//! not see what that one has started. `DescribeStackSetOperation` is not, but has to be asked for
//! an id. So the operations of ours are numbered, `gizmos-1`, `gizmos-2` and so on for each stack
//! set, and the next number is asked for: what a killed run has started is always found, and of two
//! runs at the same time only one can have a number.
//!
//! AWS: <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackSetOperation.html>

use std::future::Future;

use crate::error::{DeployError, Doing};
use crate::ports::{Cloud, Operation, OperationSummary};

/// Operation ids of ours start like this.
const ID_PREFIX: &str = "gizmos-";

/// More operations than a stack set will ever see.
const MOST: u64 = 1 << 32;

/// The id of our operation with this number.
pub(crate) fn id(number: u64) -> String {
    format!("{ID_PREFIX}{number}")
}

/// The number of an operation; `None` if no run of ours has started it.
pub(crate) fn number(id: &str) -> Option<u64> {
    let digits = id.strip_prefix(ID_PREFIX)?;
    // "gizmos-07" and "gizmos-+7" are somebody else's.
    digits.parse().ok().filter(|number| self::id(*number) == id)
}

/// The number for the next operation of ours.
pub(crate) fn next_number(operations: &[OperationSummary]) -> u64 {
    let numbers = operations.iter().filter_map(|it| number(&it.id));
    numbers.max().unwrap_or(0).saturating_add(1)
}

/// The latest operations of a stack set, newest first: the first page of the list, with our own
/// ones that it doesn't show yet, and the latest of ours as it stands now.
pub(crate) async fn latest(
    cloud: &impl Cloud,
    stack_set: &str,
) -> Result<Vec<OperationSummary>, DeployError> {
    let mut operations = cloud
        .list_operations(stack_set)
        .await
        .doing(|| format!("cannot list the operations of stack set {stack_set}"))?;
    let describe = |number: u64| async move {
        let id = id(number);
        cloud
            .describe_operation(stack_set, &id)
            .await
            .doing(|| format!("cannot describe operation {id} of stack set {stack_set}"))
    };
    let mut newest = next_number(&operations) - 1;
    if newest == 0 {
        // None of ours on the page: it may be old, or full of automatic deployments.
        let count = count(&describe).await?;
        if count > 0
            && let Some(found) = describe(count).await?
        {
            operations.insert(0, summary(found));
        }
        return Ok(operations);
    }
    if let Some(listed) = operations.iter_mut().find(|it| it.id == id(newest))
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

/// How many operations of ours there have been, found by halving: the numbers have no gaps.
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
