//! Folds unobserved stacks: keeps only what is needed to recreate their resources.
//!
//! A stack set can have a hundred thousand nearly identical stacks. A stack whose resources match
//! its template and can't conflict with others is folded: its resources are removed from the
//! services' memory, and recreated identically, generated names included, before a request can see
//! or change them. An operation that succeeded once in a Region is not repeated in accounts where
//! it must have the same result.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::converge::{Generations, Outcome, converge};
use super::drift::{self, ResourceDrift};
use super::{Deployment, OnFailure, Output, Pending, Resource, Stack, execute, look};
use crate::Stage;
use crate::resources::Resources;
use crate::template::{Policy, RULE, Template};

/// Resource types without state of their own while unused, each with the property that sets a fixed
/// name, which could conflict with another stack.
const FOLDABLE: &[(&str, &str)] = &[
    (RULE, "Name"),
    ("AWS::IAM::Role", "RoleName"),
    ("AWS::SQS::Queue", "QueueName"),
    ("AWS::SQS::QueueInlinePolicy", ""),
];

/// The number of rules that fit on a bus whatever their patterns: the quota of rules with
/// wildcards.
const ROOM_FOR_RULES: usize = 30;

/// Maximum number of proofs kept.
const PROOFS: usize = 512;

/// What recreating a folded stack needs besides its deployment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Folded {
    /// The update number of each resource that an update created.
    pub(super) generations: BTreeMap<String, u32>,
}

/// An operation that is known to succeed in a Region because it has before.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    /// The stack before the operation; `None` for a creation.
    from: Option<(Arc<Deployment>, Arc<Folded>)>,
    to: Arc<Deployment>,
    region: Arc<str>,
    /// The number of updates the stack had.
    updates: u32,
    /// Whether the account and Region had no other stack.
    alone: bool,
    result: Arc<Folded>,
}

/// Performs the pending operation of a stack instance's stack.
pub(crate) fn carry_out(stage: &mut Stage<'_>, id: &str) {
    if skip(stage, id) {
        return;
    }
    let Some(stack) = stage.stack(id) else {
        return;
    };
    let from = stack
        .folded
        .as_ref()
        .map(|folded| (Arc::clone(&stack.deployment), Arc::clone(folded)));
    let creation = matches!(stack.pending, Some(Pending::Create(_)));
    execute::finish(stage, id);
    let now = stage.now();
    if let Some(stack) = stage.stack_mut(id) {
        stack.settled = now;
    }
    let Some(result) = fold(stage, id) else {
        // The operation changed the stack, so the old folded state is void.
        if let Some(stack) = stage.stack_mut(id) {
            stack.unfolded = None;
        }
        return;
    };
    let Some(stack) = stage.stack(id) else {
        return;
    };
    let template = &stack.deployment.template;
    let same_everywhere = (creation || from.is_some())
        && template.document.get("Conditions").is_none()
        && (template.outputs().next().is_none() || look::without_rules(template).is_some());
    if same_everywhere {
        let proof = Proof {
            from,
            to: Arc::clone(&stack.deployment),
            region: Arc::clone(&stack.region),
            updates: stack.updates,
            alone: neighbors(stage, stack).0 == 0,
            result,
        };
        let proofs = &mut stage.cloudformation.proofs;
        if proofs.len() >= PROOFS {
            proofs.clear();
        }
        proofs.push(proof);
    }
}

/// Enters the final state of the pending operation, if it is known.
fn skip(stage: &mut Stage<'_>, id: &str) -> bool {
    if stage.cloudformation.planned_failures.contains_key(id) {
        return false;
    }
    let Some(stack) = stage.stack(id) else {
        return false;
    };
    let (to, result) = match (&stack.pending, &stack.folded) {
        (Some(Pending::Create(OnFailure::Rollback)), None) => {
            match proof(stage, stack, None, &stack.deployment) {
                Some(result) => (Arc::clone(&stack.deployment), result),
                None => return false,
            }
        }
        (Some(Pending::Update(to)), Some(folded)) => match proof(stage, stack, Some(folded), to) {
            Some(result) => (Arc::clone(to), result),
            None => return false,
        },
        // Nothing in a folded stack can prevent its deletion.
        (Some(Pending::Delete(keep)), Some(folded)) if keep.is_empty() => {
            (Arc::clone(&stack.deployment), Arc::clone(folded))
        }
        _ => return false,
    };
    look::hide(stage, id);
    let Some(outputs) = outputs(stage, id, &to, &result) else {
        return false;
    };
    let now = stage.now();
    let Some(stack) = stage.stack_mut(id) else {
        return false;
    };
    stack.outputs = outputs;
    stack.status = match stack.pending.take() {
        Some(Pending::Create(_)) => "CREATE_COMPLETE",
        Some(Pending::Update(_)) => "UPDATE_COMPLETE",
        _ => "DELETE_COMPLETE",
    };
    stack.reason = None;
    stack.settled = now;
    stack.deployment = to;
    stack.folded = Some(result);
    stack.events = Vec::new();
    if stack.status == "DELETE_COMPLETE" {
        stack.deleted = Some(now);
        stage.cloudformation.stacks.release_name(id);
    }
    true
}

/// The outputs of a folded stack, which contain names of its own resources. `None` if they depend
/// on rules, which would take as long as creating the stack.
fn outputs(
    stage: &mut Stage<'_>,
    id: &str,
    deployment: &Deployment,
    folded: &Folded,
) -> Option<Vec<Output>> {
    let template = &deployment.template;
    if template.outputs().next().is_none() {
        return Some(Vec::new());
    }
    let others = look::without_rules(template)?;
    let outcome = make_some(stage, id, deployment, folded, Some(&others));
    delete(stage, id, template, &outcome.resources);
    outcome.failure.is_none().then_some(outcome.outputs)
}

/// The known result of an operation that was performed in this Region before.
fn proof(
    stage: &Stage<'_>,
    stack: &Stack,
    folded: Option<&Arc<Folded>>,
    to: &Arc<Deployment>,
) -> Option<Arc<Folded>> {
    let proof = stage.cloudformation.proofs.iter().find(|proof| {
        let from = match (&proof.from, folded) {
            (None, None) => true,
            (Some((deployment, before)), Some(folded)) => {
                Arc::ptr_eq(deployment, &stack.deployment) && Arc::ptr_eq(before, folded)
            }
            _ => false,
        };
        from && Arc::ptr_eq(&proof.to, to)
            && proof.region == stack.region
            && proof.updates == stack.updates
    })?;
    let (others, rules) = neighbors(stage, stack);
    let room = (proof.alone && others == 0)
        || rules + rules_of(&stack.deployment.template) <= ROOM_FOR_RULES;
    room.then(|| Arc::clone(&proof.result))
}

/// The number of other stacks in a stack's account and Region, and of their rules.
fn neighbors(stage: &Stage<'_>, stack: &Stack) -> (usize, usize) {
    stage
        .cloudformation
        .stacks
        .living_in(&stack.account, Some(&stack.region))
        .filter(|other| other.id != stack.id)
        .fold((0, 0), |(count, rules), other| {
            (count + 1, rules + rules_of(&other.deployment.template))
        })
}

fn rules_of(template: &Template) -> usize {
    template
        .resources
        .values()
        .filter(|resource| resource.kind == RULE)
        .count()
}

/// Folds a stack if possible.
fn fold(stage: &mut Stage<'_>, id: &str) -> Option<Arc<Folded>> {
    let stack = stage.stack(id)?;
    let quiet = matches!(stack.status, "CREATE_COMPLETE" | "UPDATE_COMPLETE")
        && !stack.looked_into
        && stack.imports.is_empty()
        && stack.outputs.iter().all(|output| output.export.is_none())
        && stack.resources.values().all(foldable)
        && drift::is_in_sync(stage, stack);
    quiet.then(|| fold_away(stage, id))?
}

/// Removes a stack's resources from the services' memory.
pub(super) fn fold_away(stage: &mut Stage<'_>, id: &str) -> Option<Arc<Folded>> {
    let stack = stage.stack_mut(id)?;
    let generations: BTreeMap<String, u32> = stack
        .resources
        .iter()
        .filter(|(_, resource)| resource.generation > 0)
        .map(|(name, resource)| (name.clone(), resource.generation))
        .collect();
    let (account, region) = (Arc::clone(&stack.account), Arc::clone(&stack.region));
    let resources = std::mem::take(&mut stack.resources);
    let template = Arc::clone(&stack.deployment.template);
    delete(stage, id, &template, &resources);
    stage.services.events.forget_default(&account, &region);
    let stack = stage.stack_mut(id)?;
    // Reuses the value from before a read, because proofs compare pointers.
    let before = stack.unfolded.take();
    let folded = before
        .filter(|before| before.generations == generations)
        .unwrap_or_else(|| Arc::new(Folded { generations }));
    stack.events = Vec::new();
    stack.folded = Some(Arc::clone(&folded));
    Some(folded)
}

/// Removes resources that can be recreated from the services' memory.
pub(super) fn delete(
    stage: &mut Stage<'_>,
    id: &str,
    template: &Template,
    resources: &BTreeMap<String, Resource>,
) {
    for name in template.order.iter().rev() {
        let Some(resource) = resources.get(name) else {
            continue;
        };
        let Some(stack) = stage.stack(id) else {
            return;
        };
        let location = stack.location(name);
        let (kind, physical_id) = (&resource.kind, &resource.physical_id);
        let deleted = stage.services.delete(&location, kind, physical_id);
        debug_assert!(deleted.is_ok(), "{kind} {physical_id}: {deleted:?}");
    }
}

fn foldable(resource: &Resource) -> bool {
    let property = |name: &str| resource.properties.get(name);
    FOLDABLE
        .iter()
        .any(|(kind, name)| *kind == resource.kind && (name.is_empty() || property(name).is_none()))
        && property("EventBusName").is_none()
        && resource.deletion_policy == Policy::Delete
}

/// Recreates a folded stack's resources.
pub fn unfold(stage: &mut Stage<'_>, id: &str) {
    look::hide(stage, id);
    let Some(stack) = stage.stack_mut(id) else {
        return;
    };
    let Some(folded) = stack.folded.take() else {
        return;
    };
    let deployment = Arc::clone(&stack.deployment);
    let (settled, checked) = (stack.settled, stack.drift_checked);
    let pending = std::mem::take(&mut stack.events);
    stack.unfolded = Some(Arc::clone(&folded));
    let outcome = make_again(stage, id, &deployment, &folded, None);
    debug_assert!(
        outcome.failure.is_none(),
        "a folded stack comes back: {:?}",
        outcome.failure.map(|failure| failure.reason)
    );
    let Some(stack) = stage.stack_mut(id) else {
        return;
    };
    stack.resources = outcome.resources;
    for resource in stack.resources.values_mut() {
        resource.at = settled;
        resource.drift = checked.map(|at| ResourceDrift {
            status: "IN_SYNC",
            // `null` stands for the resource's own properties, to save memory.
            expected: Value::Null,
            actual: Value::Null,
            differences: Vec::new(),
            at,
        });
    }
    history(stack, pending);
    if let Some(at) = checked {
        drift::recall(stage, id, at);
    }
}

/// Creates a deployment's resources, all or some, temporarily and without recording them in the
/// stack.
pub(super) fn make_some(
    stage: &mut Stage<'_>,
    id: &str,
    deployment: &Deployment,
    folded: &Folded,
    only: Option<&BTreeSet<String>>,
) -> Outcome {
    let stack = stage.stack_mut(id);
    let events = stack.map(|stack| std::mem::take(&mut stack.events));
    let outcome = make_again(stage, id, deployment, folded, only);
    if let Some(stack) = stage.stack_mut(id) {
        stack.events = events.unwrap_or_default();
    }
    outcome
}

/// Recreates a folded stack's resources, all or some.
fn make_again(
    stage: &mut Stage<'_>,
    id: &str,
    deployment: &Deployment,
    folded: &Folded,
    only: Option<&BTreeSet<String>>,
) -> Outcome {
    // A planned failure is for an operation that started since, not for this recreation.
    let planned = stage.cloudformation.planned_failures.remove_entry(id);
    let (empty, generations) = (BTreeMap::new(), Generations::Of(folded));
    let outcome = converge(stage, id, deployment, &empty, generations, only);
    stage.cloudformation.planned_failures.extend(planned);
    outcome
}

/// Restores the events of a folded stack; `pending` are those of an operation that started since.
fn history(stack: &mut Stack, pending: Vec<super::Event>) {
    let resources = std::mem::take(&mut stack.events);
    let (created, updated, settled) = (stack.created, stack.updated, stack.settled);
    let begun = pending.first().map(|event| event.at);
    let before = updated.filter(|at| begun.is_none_or(|begun| *at < begun));
    let (status, reason) = (stack.status, stack.reason.take());
    let initiated = || Some("User Initiated".to_owned());
    stack.enter(created, "CREATE_IN_PROGRESS", initiated());
    let done = if before.is_some() { created } else { settled };
    stack.events.extend(
        resources
            .into_iter()
            .map(|event| super::Event { at: done, ..event }),
    );
    stack.enter(done, "CREATE_COMPLETE", None);
    if let Some(at) = before {
        stack.enter(at, "UPDATE_IN_PROGRESS", initiated());
        stack.enter(settled, "UPDATE_COMPLETE", None);
    }
    stack.events.extend(pending);
    (stack.status, stack.reason) = (status, reason);
}
