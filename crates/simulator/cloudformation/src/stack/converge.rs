//! Creates and updates a stack's resources to match its template.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::execute::{event, handler_reason, record};
use super::fold::Folded;
use super::permission;
use crate::Stage;
use crate::resources::permissions::Handler;
use crate::resources::{ResourceLocation, Resources, Updated};
use crate::stack::{Deployment, Output, Resource};
use crate::template::evaluate::Scope;
use crate::template::{Policy, Template};
use crate::wire::scalar;

/// The failure that stopped an operation.
pub(crate) struct Failure {
    pub(crate) logical_id: String,
    pub(crate) reason: String,
}

/// How to undo one step.
pub(crate) enum Undo {
    /// Delete the created resource with this logical id, new or a replacement.
    Made(String),
    /// Restore the resource's previous properties.
    Changed(String, Box<Resource>),
}

/// The update number that created resources record.
#[derive(Clone, Copy)]
pub(crate) enum Generations<'a> {
    /// The current update.
    Now(u32),
    /// The updates recorded when the stack was folded.
    Of(&'a Folded),
}

impl Generations<'_> {
    fn of(self, logical_id: &str) -> u32 {
        match self {
            Generations::Now(update) => update,
            Generations::Of(folded) => folded
                .generations
                .get(logical_id)
                .copied()
                .unwrap_or_default(),
        }
    }
}

/// The result of [`converge`].
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) resources: BTreeMap<String, Resource>,
    pub(crate) undo: Vec<Undo>,
    /// Replaced resources: logical id, old resource, whether to retain it.
    pub(crate) replaced: Vec<(String, Resource, bool)>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) imports: BTreeSet<String>,
    pub(crate) failure: Option<Failure>,
}

/// Creates and updates resources to match the deployment, starting from `old`. Stops at the first
/// failure and deletes nothing. With `only`, skips all others.
pub(crate) fn converge(
    stage: &mut Stage<'_>,
    id: &str,
    deployment: &Deployment,
    old: &BTreeMap<String, Resource>,
    generations: Generations<'_>,
    only: Option<&BTreeSet<String>>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(stack) = stage.stack(id) else {
        return outcome;
    };
    let (account, region, name) = (
        stack.account.clone(),
        stack.region.clone(),
        stack.name.clone(),
    );
    let exports = stage.cloudformation.exports(&account, &region);
    let values = exports
        .iter()
        .map(|(name, (value, _))| (name.clone(), value.clone()))
        .collect();
    let template = Arc::clone(&deployment.template);
    let mut scope = Scope {
        template: &template,
        parameters: &deployment.parameters,
        account: &account,
        region: &region,
        stack_name: &name,
        stack_id: id,
        made: BTreeMap::new(),
        exports: &values,
        imported: std::cell::RefCell::default(),
        produced: std::cell::Cell::default(),
    };
    let wanted = |name: &&String| only.is_none_or(|only| only.contains(*name));
    for logical_id in template.order.iter().filter(wanted) {
        let generation = generations.of(logical_id);
        let stepped = step(
            stage,
            id,
            &mut scope,
            &mut outcome,
            logical_id,
            old,
            generation,
        );
        if let Err(reason) = stepped {
            let (before, declaration) = (old.get(logical_id), template.resources.get(logical_id));
            let physical_id = before.map_or("", |it| it.physical_id.as_str());
            let kind = declaration.map_or("", |it| it.kind.as_str());
            let status = failed(before.is_some());
            let why = Some(reason.clone());
            record(stage, id, logical_id, physical_id, kind, status, why);
            outcome.failure = Some(Failure {
                logical_id: logical_id.clone(),
                reason,
            });
            return outcome;
        }
    }
    match outputs(&scope, &template).and_then(|found| exportable(found, &exports, id)) {
        Ok(found) => outcome.outputs = found,
        Err(reason) => {
            let (kind, status) = ("AWS::CloudFormation::Stack", failed(!old.is_empty()));
            record(stage, id, &name, id, kind, status, Some(reason.clone()));
            outcome.failure = Some(Failure {
                logical_id: name.as_ref().to_owned(),
                reason,
            });
        }
    }
    outcome.imports = scope.imported.into_inner().into_iter().collect();
    outcome
}

fn failed(updating: bool) -> &'static str {
    if updating {
        "UPDATE_FAILED"
    } else {
        "CREATE_FAILED"
    }
}

/// Checks that no other stack exports one of the outputs' names.
fn exportable(
    outputs: Vec<Output>,
    exports: &BTreeMap<String, (String, String)>,
    id: &str,
) -> Result<Vec<Output>, String> {
    for export in outputs.iter().filter_map(|output| output.export.as_ref()) {
        if let Some((_, owner)) = exports.get(export).filter(|(_, owner)| owner != id) {
            return Err(format!(
                "Export with name {export} is already exported by stack {owner}"
            ));
        }
    }
    Ok(outputs)
}

fn step(
    stage: &mut Stage<'_>,
    id: &str,
    scope: &mut Scope<'_>,
    outcome: &mut Outcome,
    logical_id: &str,
    old: &BTreeMap<String, Resource>,
    generation: u32,
) -> Result<(), String> {
    let template = scope.template;
    let Some(declaration) = template.resources.get(logical_id) else {
        return Ok(());
    };
    if let Some(condition) = &declaration.condition
        && !scope.condition(condition)?
    {
        return Ok(());
    }
    if let Some(reason) = stage.cloudformation.planned_failures.remove(id) {
        return Err(reason);
    }
    let properties = declaration.resolve(scope)?;
    // The metadata is unused, but an unresolvable function in it is an error.
    scope.resolve(&declaration.metadata)?;
    let Some(mut location) = stage.stack(id).map(|stack| stack.location(logical_id)) else {
        return Err("the stack is gone".to_owned());
    };
    location.generation = generation;
    let mut resource = Resource {
        kind: declaration.kind.clone(),
        physical_id: String::new(),
        properties,
        attributes: BTreeMap::new(),
        deletion_policy: declaration.deletion_policy,
        status: "CREATE_COMPLETE",
        reason: None,
        at: stage.now(),
        drift: None,
        generation,
    };
    match old.get(logical_id) {
        None => {
            make(stage, id, &location, &mut resource)?;
            outcome.undo.push(Undo::Made(logical_id.to_owned()));
        }
        Some(before) if before.properties == resource.properties => {
            resource = Resource {
                deletion_policy: resource.deletion_policy,
                ..before.clone()
            };
        }
        Some(before) => {
            let undo = change(stage, id, &location, before, &mut resource)?;
            if let Undo::Made(_) = undo {
                let keep = declaration.update_replace_policy != Policy::Delete;
                let replaced = (logical_id.to_owned(), before.clone(), keep);
                outcome.replaced.push(replaced);
            }
            outcome.undo.push(undo);
            event(stage, id, logical_id, &resource, "UPDATE_COMPLETE", None);
        }
    }
    scope.made.insert(
        logical_id.to_owned(),
        (resource.physical_id.clone(), resource.attributes.clone()),
    );
    outcome.resources.insert(logical_id.to_owned(), resource);
    Ok(())
}

/// Updates a resource in place, or replaces it.
fn change(
    stage: &mut Stage<'_>,
    id: &str,
    location: &ResourceLocation,
    before: &Resource,
    resource: &mut Resource,
) -> Result<Undo, String> {
    let logical_id = &location.logical_id;
    resource.status = "UPDATE_COMPLETE";
    resource.physical_id.clone_from(&before.physical_id);
    resource.generation = before.generation;
    let doing = "UPDATE_IN_PROGRESS";
    event(stage, id, logical_id, resource, doing, None);
    permission::handler(
        stage,
        id,
        Handler::Update,
        (logical_id, resource),
        Some(&before.properties),
    )
    .map_err(|error| handler_reason(stage, &error))?;
    let updated = stage
        .services
        .update(
            location,
            &resource.kind,
            &before.physical_id,
            &before.properties,
            &resource.properties,
        )
        .map_err(|error| handler_reason(stage, &error))?;
    match updated {
        Updated::InPlace(made) => {
            resource.physical_id = made.physical_id;
            resource.attributes = made.attributes;
            Ok(Undo::Changed(logical_id.clone(), Box::new(before.clone())))
        }
        Updated::Replace => {
            let reason = "Requested update requires the creation of a new physical resource; hence creating one.";
            event(
                stage,
                id,
                logical_id,
                resource,
                doing,
                Some(reason.to_owned()),
            );
            resource.generation = location.generation;
            make(stage, id, location, resource)?;
            Ok(Undo::Made(logical_id.clone()))
        }
    }
}

fn make(
    stage: &mut Stage<'_>,
    id: &str,
    location: &ResourceLocation,
    resource: &mut Resource,
) -> Result<(), String> {
    let replacing = resource.status == "UPDATE_COMPLETE";
    if !replacing {
        event(
            stage,
            id,
            &location.logical_id,
            resource,
            "CREATE_IN_PROGRESS",
            None,
        );
    }
    permission::handler(
        stage,
        id,
        Handler::Create,
        (&location.logical_id, resource),
        None,
    )
    .map_err(|error| handler_reason(stage, &error))?;
    let made = stage
        .services
        .create(location, &resource.kind, &resource.properties)
        .map_err(|error| handler_reason(stage, &error))?;
    resource.physical_id = made.physical_id;
    resource.attributes = made.attributes;
    if !replacing {
        event(
            stage,
            id,
            &location.logical_id,
            resource,
            "CREATE_COMPLETE",
            None,
        );
    }
    Ok(())
}

fn outputs(scope: &Scope<'_>, template: &Template) -> Result<Vec<Output>, String> {
    let mut outputs = Vec::new();
    for (key, output) in template.outputs() {
        if let Some(condition) = output.get("Condition").and_then(Value::as_str)
            && !scope.condition(condition)?
        {
            continue;
        }
        let text = |value: Option<&Value>| -> Result<Option<String>, String> {
            let Some(value) = value else { return Ok(None) };
            let resolved = scope.resolve(value)?;
            resolved.as_ref().and_then(scalar).map(Some).ok_or_else(|| {
                format!("Template format error: The Value field of every Outputs member must evaluate to a String. ({key})")
            })
        };
        outputs.push(Output {
            key: key.clone(),
            value: text(output.get("Value"))?.unwrap_or_default(),
            description: output
                .get("Description")
                .and_then(Value::as_str)
                .map(str::to_owned),
            export: text(output.get("Export").and_then(|export| export.get("Name")))?,
        });
    }
    Ok(outputs)
}
