//! Out-of-band changes to stacks and operations, as another person would make them.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::set::operation;
use crate::resources::{Resources, Updated};
use crate::template::with_documents;
use crate::{CloudFormation, StackOf, Stage};

/// The stack set (any, without a name) and its running operation.
fn running(stage: &Stage<'_>, stack_set: Option<&str>) -> Result<(Arc<str>, Arc<str>), String> {
    stage
        .cloudformation
        .sets
        .all()
        .filter(|set| !set.deleted && stack_set.is_none_or(|name| name == set.name))
        .find_map(|set| {
            let operation = set
                .operations
                .values()
                .find(|operation| operation.status == "RUNNING")?;
            Some((set.id.as_str().into(), Arc::clone(&operation.id)))
        })
        .ok_or_else(|| "no operation is running".to_owned())
}

/// Stops the running operation, as a person would in the console.
pub fn stop_running(stage: &mut Stage<'_>, stack_set: Option<&str>) -> Result<String, String> {
    let (set, id) = running(stage, stack_set)?;
    operation::stop(stage, &set, &id).map_err(|error| error.message)?;
    Ok(format!("{id} of {set}"))
}

/// Makes the running operation hang until it is stopped.
pub fn stick_running(stage: &mut Stage<'_>, stack_set: Option<&str>) -> Result<String, String> {
    let (set, id) = running(stage, stack_set)?;
    operation::stick(stage, &set, &id);
    Ok(format!("{id} of {set}"))
}

impl CloudFormation {
    /// The id of the existing stack: a stack set's instance, or a stack by its own name.
    pub fn stack_of(&self, wanted: &StackOf) -> Result<Arc<str>, String> {
        let StackOf {
            account,
            region,
            name,
        } = wanted;
        let location = (account.as_str().into(), region.as_str().into());
        let of_set = self
            .sets
            .all()
            .filter(|set| !set.deleted && set.name == *name)
            .find_map(|set| set.instances.get(&location)?.stack.clone());
        of_set
            .and_then(|id| self.stacks.get(&id))
            .or_else(|| self.stacks.find(account, region, name))
            .filter(|stack| stack.deleted.is_none())
            .map(|stack| Arc::clone(&stack.id))
            .ok_or_else(|| format!("stack {name} does not exist in {account}, {region}"))
    }
}

/// A resource of a stack, as last deployed.
#[derive(Clone, Debug)]
pub struct LiveResource {
    /// The key in the template.
    pub logical_id: String,
    /// Such as `AWS::SNS::Topic`.
    pub kind: String,
    /// The value of `Ref`.
    pub physical_id: String,
    /// Without functions: what the resource handler got.
    pub properties: Value,
}

/// A stack's resources, in order of their logical ids.
pub fn live_resources(stage: &mut Stage<'_>, id: &str) -> Vec<LiveResource> {
    super::stack::look::look_into(stage, id);
    let resources = stage.stack(id).map(|stack| stack.resources.iter());
    let resources = resources.into_iter().flatten();
    resources
        .map(|(logical_id, resource)| LiveResource {
            logical_id: logical_id.clone(),
            kind: resource.kind.clone(),
            physical_id: resource.physical_id.clone(),
            properties: with_documents(&resource.properties),
        })
        .collect()
}

/// Changes a stack's resource outside CloudFormation, or deletes it if no properties are given. A
/// `null` property is removed.
pub fn edit_resource(
    stage: &mut Stage<'_>,
    id: &str,
    logical_id: Option<&str>,
    properties: Option<&Map<String, Value>>,
) -> Result<String, String> {
    super::stack::look::look_into(stage, id);
    let stack = stage
        .stack(id)
        .ok_or_else(|| format!("stack {id} does not exist"))?;
    let (name, resource) = stack
        .resources
        .iter()
        .find(|(name, _)| logical_id.is_none_or(|wanted| wanted == name.as_str()))
        .ok_or_else(|| format!("stack {id} has no such resource"))?;
    let location = stack.location(name);
    let (kind, physical, old) = (
        resource.kind.clone(),
        resource.physical_id.clone(),
        resource.properties.clone(),
    );
    let what = format!(
        "{kind} {physical} in {} {}",
        location.account, location.region
    );
    let Some(properties) = properties else {
        stage
            .services
            .delete(&location, &kind, &physical)
            .map_err(|error| error.to_string())?;
        return Ok(what);
    };
    let mut new = old.clone();
    if let Some(fields) = new.as_object_mut() {
        for (name, value) in properties {
            if value.is_null() {
                fields.shift_remove(name);
            } else {
                fields.insert(name.clone(), value.clone());
            }
        }
    }
    match stage
        .services
        .update(&location, &kind, &physical, &old, &new)
    {
        Ok(Updated::InPlace(_)) => Ok(what),
        Ok(Updated::Replace) => Err(format!("{what} can't be changed in place")),
        Err(error) => Err(error.to_string()),
    }
}
