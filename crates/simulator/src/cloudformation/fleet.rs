//! What is deployed in truth.

use std::collections::BTreeSet;

use super::set::{Operation, StackSet};
use super::stack::{Deployment, Stack};
use crate::view::{Fleet, FleetInstance, FleetOperation, FleetStack, FleetStackSet};
use crate::world::World;

/// Prefix of the names of a stack set's stacks.
const OF_A_SET: &str = "StackSet-";

pub(crate) fn fleet(world: &World) -> Fleet {
    let stacks = &world.cloudformation.stacks;
    let sets: Vec<&StackSet> = world
        .cloudformation
        .sets
        .all()
        .filter(|set| !set.deleted)
        .collect();
    let owned: BTreeSet<&str> = sets
        .iter()
        .flat_map(|set| set.instances.values())
        .filter_map(|instance| instance.stack.as_deref())
        .collect();
    let (leftovers, ordinary) = stacks
        .living()
        .filter(|stack| !owned.contains(stack.id.as_str()))
        .partition::<Vec<&Stack>, _>(|stack| stack.name.starts_with(OF_A_SET));
    Fleet {
        stack_sets: sets.iter().map(|set| stack_set(world, set)).collect(),
        stacks: ordinary.into_iter().map(stack).collect(),
        leftovers: leftovers.into_iter().map(stack).collect(),
    }
}

fn stack_set(world: &World, set: &StackSet) -> FleetStackSet {
    let instances = set
        .instances
        .iter()
        .map(|((account, region), instance)| {
            let stack = instance
                .stack
                .as_ref()
                .and_then(|id| world.cloudformation.stacks.get(id))
                .filter(|stack| stack.deleted.is_none());
            FleetInstance {
                account: account.clone(),
                region: region.clone(),
                status: instance.status.to_owned(),
                detailed_status: instance.detailed.to_owned(),
                stack_id: instance.stack.clone(),
                stack_status: stack.map(|stack| stack.status.to_owned()),
                equal: stack.is_some_and(|stack| equal(&stack.deployment, &set.deployment)),
            }
        })
        .collect();
    FleetStackSet {
        name: set.name.clone(),
        region: set.region.clone(),
        template: set.deployment.template.body.clone(),
        parameters: set.deployment.parameters.clone(),
        tags: set.deployment.tags.clone(),
        auto_deployment: set.auto.enabled,
        managed_execution: set.managed,
        instances,
        operations: set.operations.values().map(operation).collect(),
    }
}

/// Whether a stack is made from what the stack set says; overrides count as a difference.
fn equal(stack: &Deployment, set: &Deployment) -> bool {
    stack.template.body == set.template.body && stack.parameters == set.parameters
}

fn operation(operation: &Operation) -> FleetOperation {
    FleetOperation {
        id: operation.id.clone(),
        action: operation.work.action().to_owned(),
        status: operation.status.to_owned(),
        created: operation.created.to_string(),
        ended: operation.ended.map(|at| at.to_string()),
        instances: operation.results.len(),
        failed: operation.failures(),
    }
}

fn stack(stack: &Stack) -> FleetStack {
    FleetStack {
        id: stack.id.clone(),
        name: stack.name.clone(),
        account: stack.account.clone(),
        region: stack.region.clone(),
        status: stack.status.to_owned(),
        template: stack.deployment.template.body.clone(),
        parameters: stack.deployment.parameters.clone(),
        tags: stack.deployment.tags.clone(),
    }
}
