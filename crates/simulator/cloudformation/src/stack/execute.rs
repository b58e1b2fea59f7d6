//! Performs stack operations: creates, updates and deletes resources, and rolls back on failure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::converge::{Failure, Generations, Outcome, Undo, converge};
use super::permission;
use super::{drift, fold};
use crate::Stage;
use crate::resources::permissions::Handler;
use crate::resources::{ResourceError, Resources, Updated};
use crate::stack::{Deployment, Event, OnFailure, Pending, Resource};
use crate::template::{Policy, Template};

/// Performs the stack's pending operation.
pub(crate) fn finish(stage: &mut Stage<'_>, id: &str) {
    let Some(pending) = stage.stack_mut(id).and_then(|stack| stack.pending.take()) else {
        return;
    };
    // Restoring what was folded takes no permission.
    let caller = stage.stack_mut(id).and_then(|stack| stack.caller.take());
    fold::unfold(stage, id);
    if let Some(stack) = stage.stack_mut(id) {
        stack.caller = caller;
    }
    match pending {
        Pending::Create(on_failure) => create(stage, id, on_failure),
        Pending::Update(deployment) => update(stage, id, deployment, false),
        Pending::Revert(deployment) => update(stage, id, deployment, true),
        Pending::Delete(keep) => delete(stage, id, &keep),
    }
    if let Some(stack) = stage.stack_mut(id) {
        stack.caller = None;
    }
    // A planned failure that no resource consumed must not affect a later operation.
    stage.cloudformation.planned_failures.remove(id);
}

fn create(stage: &mut Stage<'_>, id: &str, on_failure: OnFailure) {
    let deployment = stage.stack(id).map(|stack| Arc::clone(&stack.deployment));
    let Some(deployment) = deployment else {
        return;
    };
    let first = Generations::Now(0);
    let outcome = converge(stage, id, &deployment, &BTreeMap::new(), first, None);
    let Some(stack) = stage.stack_mut(id) else {
        return;
    };
    stack.resources = outcome.resources;
    let Some(failure) = outcome.failure else {
        stack.outputs = outcome.outputs;
        stack.imports = outcome.imports;
        return stage.enter(id, "CREATE_COMPLETE", None);
    };
    let reason = failed_to("create", [failure.logical_id]);
    let (doing, done, failed) = match on_failure {
        OnFailure::DoNothing => return stage.enter(id, "CREATE_FAILED", Some(reason)),
        OnFailure::Delete => ("DELETE_IN_PROGRESS", "DELETE_COMPLETE", "DELETE_FAILED"),
        OnFailure::Rollback => (
            "ROLLBACK_IN_PROGRESS",
            "ROLLBACK_COMPLETE",
            "ROLLBACK_FAILED",
        ),
    };
    let reason = format!("{reason}Rollback requested by user.");
    stage.enter(id, doing, Some(reason));
    let stuck = remove_all(stage, id, &deployment.template, &BTreeSet::new(), true);
    if !stuck.is_empty() {
        return stage.enter(id, failed, Some(failed_to("delete", stuck)));
    }
    stage.enter(id, done, None);
    if on_failure == OnFailure::Delete {
        stage.end_deletion(id);
    }
}

/// The stack's status reason after resources failed.
fn failed_to(verb: &str, resources: impl IntoIterator<Item = String>) -> String {
    let names: Vec<String> = resources.into_iter().collect();
    format!(
        "The following resource(s) failed to {verb}: [{}]. ",
        names.join(", ")
    )
}

fn update(stage: &mut Stage<'_>, id: &str, deployment: Arc<Deployment>, reverts: bool) {
    let Some(stack) = stage.stack(id) else {
        return;
    };
    let (mut old, old_template) = (
        stack.resources.clone(),
        Arc::clone(&stack.deployment.template),
    );
    let updates = Generations::Now(stack.updates);
    if reverts && let Err(failure) = revert_drift(stage, id, &mut old) {
        return roll_back(stage, id, Outcome::default(), old, &failure);
    }
    let mut outcome = converge(stage, id, &deployment, &old, updates, None);
    if let Some(failure) = outcome.failure.take() {
        roll_back(stage, id, outcome, old, &failure);
        return;
    }
    let removed: Vec<String> = old_template
        .order
        .iter()
        .rev()
        .filter(|name| old.contains_key(*name) && !outcome.resources.contains_key(*name))
        .cloned()
        .collect();
    if let Some(stack) = stage.stack_mut(id) {
        stack.resources = outcome.resources;
        stack.outputs = outcome.outputs;
        stack.imports = outcome.imports;
        stack.deployment = deployment;
    }
    stage.enter(id, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None);
    for (name, resource, keep) in outcome.replaced {
        clean_up(stage, id, &name, &resource, keep);
    }
    for name in removed {
        if let Some(resource) = old.get(&name) {
            let keep = resource.deletion_policy != Policy::Delete;
            clean_up(stage, id, &name, resource, keep);
        }
    }
    stage.enter(id, "UPDATE_COMPLETE", None);
}

/// Restores modified resources in place, and forgets deleted ones so that the update creates them.
fn revert_drift(
    stage: &mut Stage<'_>,
    id: &str,
    resources: &mut BTreeMap<String, Resource>,
) -> Result<(), Failure> {
    let Some(stack) = stage.stack(id) else {
        return Ok(());
    };
    for (name, status) in drift::drifted(stage, stack) {
        let Some(resource) = resources.get(&name) else {
            continue;
        };
        if status == "DELETED" {
            resources.remove(&name);
            continue;
        }
        let Some(location) = stage.stack(id).map(|stack| stack.location(&name)) else {
            continue;
        };
        event(stage, id, &name, resource, "UPDATE_IN_PROGRESS", None);
        let permitted = permission::handler(
            stage,
            id,
            Handler::Update,
            (&name, resource),
            Some(&resource.properties),
        );
        let (kind, properties) = (&resource.kind, &resource.properties);
        let physical_id = &resource.physical_id;
        let restored = permitted.and_then(|()| {
            let services = &mut *stage.services;
            services.update(&location, kind, physical_id, properties, properties)
        });
        match restored {
            Ok(_) => event(stage, id, &name, resource, "UPDATE_COMPLETE", None),
            Err(error) => {
                let reason = handler_reason(stage, &error);
                let why = Some(reason.clone());
                event(stage, id, &name, resource, "UPDATE_FAILED", why);
                let logical_id = name;
                return Err(Failure { logical_id, reason });
            }
        }
    }
    Ok(())
}

/// Deletes a resource that an update removed or replaced. As on AWS, a failure appears only in the
/// events.
fn clean_up(stage: &mut Stage<'_>, id: &str, name: &str, resource: &Resource, keep: bool) {
    if keep {
        event(stage, id, name, resource, "DELETE_SKIPPED", None);
        return;
    }
    event(stage, id, name, resource, "DELETE_IN_PROGRESS", None);
    match delete_resource(stage, id, name, resource) {
        Ok(()) => event(stage, id, name, resource, "DELETE_COMPLETE", None),
        Err(error) => {
            let reason = handler_reason(stage, &error);
            event(stage, id, name, resource, "DELETE_FAILED", Some(reason));
        }
    }
}

fn roll_back(
    stage: &mut Stage<'_>,
    id: &str,
    outcome: Outcome,
    old: BTreeMap<String, Resource>,
    failure: &Failure,
) {
    let reason = failed_to("update", [failure.logical_id.clone()]);
    stage.enter(id, "UPDATE_ROLLBACK_IN_PROGRESS", Some(reason));
    let mut restored = old;
    let mut stuck = Vec::new();
    for step in outcome.undo.into_iter().rev() {
        let (Undo::Made(name) | Undo::Changed(name, _)) = &step;
        let Some(current) = outcome.resources.get(name) else {
            continue;
        };
        match undo(stage, id, &step, current, &mut restored) {
            Ok(()) => event(stage, id, name, current, "UPDATE_COMPLETE", None),
            Err(error) => {
                let reason = handler_reason(stage, &error);
                event(stage, id, name, current, "UPDATE_FAILED", Some(reason));
                stuck.push(name.clone());
            }
        }
    }
    if let Some(stack) = stage.stack_mut(id) {
        stack.resources = restored;
    }
    if stuck.is_empty() {
        stage.enter(id, "UPDATE_ROLLBACK_COMPLETE", None);
    } else {
        let reason = failed_to("update", stuck);
        stage.enter(id, "UPDATE_ROLLBACK_FAILED", Some(reason));
    }
}

/// Undoes one step of an update; `restored` receives the restored resource.
fn undo(
    stage: &mut Stage<'_>,
    id: &str,
    step: &Undo,
    current: &Resource,
    restored: &mut BTreeMap<String, Resource>,
) -> Result<(), ResourceError> {
    let (Undo::Made(name) | Undo::Changed(name, _)) = step;
    let Some(location) = stage.stack(id).map(|stack| stack.location(name)) else {
        return Ok(());
    };
    let (kind, physical_id) = (&current.kind, &current.physical_id);
    let Undo::Changed(_, before) = step else {
        return delete_resource(stage, id, name, current);
    };
    permission::handler(
        stage,
        id,
        Handler::Update,
        (name, before),
        Some(&current.properties),
    )?;
    let (from, to) = (&current.properties, &before.properties);
    let updated = stage
        .services
        .update(&location, kind, physical_id, from, to)?;
    if let (Updated::InPlace(made), Some(resource)) = (updated, restored.get_mut(name)) {
        resource.physical_id = made.physical_id;
        resource.attributes = made.attributes;
    }
    Ok(())
}

fn delete(stage: &mut Stage<'_>, id: &str, keep: &BTreeSet<String>) {
    let Some(stack) = stage.stack(id) else {
        return;
    };
    let template = Arc::clone(&stack.deployment.template);
    let exports: Vec<&str> = stack
        .outputs
        .iter()
        .filter_map(|output| output.export.as_deref())
        .collect();
    let user = stage
        .cloudformation
        .stacks
        .of(&stack.account, &stack.region)
        .into_iter()
        .find_map(|other| {
            let export = exports
                .iter()
                .find(|export| other.imports.contains(**export))?;
            (other.deleted.is_none() && *other.id != *id)
                .then(|| ((*export).to_owned(), other.name.clone()))
        });
    if let Some((export, user)) = user {
        // The export check precedes any deletion.
        let reason =
            format!("Delete canceled. Cannot delete export {export} as it is in use by {user}.");
        return stage.enter(id, "DELETE_FAILED", Some(reason));
    }
    let stuck = remove_all(stage, id, &template, keep, false);
    if !stuck.is_empty() {
        return stage.enter(id, "DELETE_FAILED", Some(failed_to("delete", stuck)));
    }
    stage.enter(id, "DELETE_COMPLETE", None);
    if let Some(stack) = stage.stack_mut(id) {
        stack.outputs.clear();
        stack.imports.clear();
    }
    stage.end_deletion(id);
}

/// Deletes a stack's resources, dependents first. Failed resources and their dependencies stay in
/// the stack. Returns the failed ones.
fn remove_all(
    stage: &mut Stage<'_>,
    id: &str,
    template: &Template,
    keep: &BTreeSet<String>,
    undoing_creation: bool,
) -> BTreeSet<String> {
    let mut failed = BTreeSet::new();
    let mut blocked = BTreeSet::new();
    for name in template.order.iter().rev() {
        let Some(stack) = stage.stack(id) else {
            break;
        };
        let Some(resource) = stack.resources.get(name).cloned() else {
            continue;
        };
        let needs = template
            .resources
            .get(name)
            .map(|declaration| declaration.needs.clone())
            .unwrap_or_default();
        if blocked.contains(name) {
            blocked.extend(needs);
            continue;
        }
        let retain = keep.contains(name)
            || match resource.deletion_policy {
                Policy::Delete => false,
                Policy::Retain => true,
                Policy::RetainExceptOnCreate => !undoing_creation,
            };
        if retain {
            event(stage, id, name, &resource, "DELETE_SKIPPED", None);
        } else {
            event(stage, id, name, &resource, "DELETE_IN_PROGRESS", None);
            let deleted = match stage.cloudformation.planned_failures.remove(id) {
                Some(reason) => Err(reason),
                None => delete_resource(stage, id, name, &resource)
                    .map_err(|error| handler_reason(stage, &error)),
            };
            if let Err(reason) = deleted {
                event(stage, id, name, &resource, "DELETE_FAILED", Some(reason));
                blocked.extend(needs);
                failed.insert(name.clone());
                continue;
            }
            event(stage, id, name, &resource, "DELETE_COMPLETE", None);
        }
        if let Some(stack) = stage.stack_mut(id) {
            stack.resources.remove(name);
        }
    }
    failed
}

/// Deletes a resource with the permissions of whoever runs the stack.
fn delete_resource(
    stage: &mut Stage<'_>,
    id: &str,
    name: &str,
    resource: &Resource,
) -> Result<(), ResourceError> {
    permission::handler(stage, id, Handler::Delete, (name, resource), None)?;
    let Some(location) = stage.stack(id).map(|stack| stack.location(name)) else {
        return Ok(());
    };
    stage
        .services
        .delete(&location, &resource.kind, &resource.physical_id)
}

/// The reason in a stack event.
pub(crate) fn handler_reason(stage: &mut Stage<'_>, error: &ResourceError) -> String {
    let code = match error {
        ResourceError::Invalid(_) => "InvalidRequest",
        ResourceError::AlreadyExists(_) => "AlreadyExists",
        ResourceError::NotFound(_) => "NotFound",
        ResourceError::Denied(_) => "AccessDenied",
        _ => "GeneralServiceException",
    };
    let token = stage.services.environment.uuid();
    format!(
        "Resource handler returned message: \"{error}\" (RequestToken: {token}, HandlerErrorCode: {code})"
    )
}

pub(crate) fn event(
    stage: &mut Stage<'_>,
    id: &str,
    logical_id: &str,
    resource: &Resource,
    status: &'static str,
    reason: Option<String>,
) {
    record(
        stage,
        id,
        logical_id,
        &resource.physical_id,
        &resource.kind,
        status,
        reason,
    );
}

pub(crate) fn record(
    stage: &mut Stage<'_>,
    id: &str,
    logical_id: &str,
    physical_id: &str,
    kind: &str,
    status: &'static str,
    reason: Option<String>,
) {
    let at = stage.now();
    if let Some(stack) = stage.stack_mut(id) {
        stack.events.push(Event {
            at,
            logical_id: logical_id.into(),
            physical_id: physical_id.into(),
            kind: kind.to_owned(),
            status,
            reason,
        });
    }
}
