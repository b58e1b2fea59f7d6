//! AWS CloudFormation: stacks, change sets, stack sets, drift.

use crate::world::World;

/// All stacks and stack sets.
#[derive(Debug, Default)]
pub(crate) struct CloudFormation {}

/// Work of CloudFormation that is due later.
#[derive(Debug, Clone)]
pub(crate) enum Task {}

pub(crate) fn due(_world: &mut World, task: Task) {
    match task {}
}
