//! AWS CloudFormation: stacks, change sets, stack sets, drift.

use crate::api::{ApiError, Caller};
use crate::world::World;
use serde_json::Value;

/// All stacks and stack sets.
#[derive(Debug, Default)]
pub(crate) struct CloudFormation {}

/// Work of CloudFormation that is due later.
#[derive(Debug, Clone)]
pub(crate) enum Task {}

pub(crate) fn due(_world: &mut World, task: Task) {
    match task {}
}

pub(crate) fn is_mutating(_action: &str) -> bool {
    true
}

pub(crate) fn call(
    _world: &mut World,
    _caller: &Caller,
    action: &str,
    _input: &Value,
) -> Result<Value, ApiError> {
    Err(ApiError::new(
        "InvalidAction",
        format!("The simulator does not know the action cloudformation:{action}."),
    ))
}

pub(crate) fn account_moved(
    _world: &mut World,
    _account: &str,
    _from: Option<&str>,
    _to: Option<&str>,
) {
}
