//! The actions on stacks.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::cloudformation::request::{self, declared, deployment, fields};
use crate::cloudformation::set::operation::exceeded;
use crate::cloudformation::stack::drift;
use crate::cloudformation::stack::{OnFailure, Stack, begin_create, begin_delete, begin_update};
use crate::cloudformation::template::Template;
use crate::cloudformation::{Detection, Task, later};
use crate::input::Input;
use crate::wire::api::{ApiError, Caller};
use crate::wire::paging::{bad_token, page};
use crate::wire::time::iso;
use crate::world::World;

/// Entries per page of the listings.
pub(crate) const PAGE: usize = 100;

/// Answers the actions on stacks; `None` if the action is none of them.
pub(crate) fn call(
    world: &mut World,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    Some(match action {
        "CreateStack" => create(world, caller, input),
        "UpdateStack" => update(world, caller, input),
        "DeleteStack" => delete(world, caller, input),
        "UpdateTerminationProtection" => protect(world, caller, input),
        "DescribeStacks" => describe(world, caller, input),
        "ListStacks" => list(world, caller, input),
        "DescribeStackEvents" => events(world, caller, input),
        "DescribeStackResources" => resources(world, caller, input),
        "ListStackResources" => resource_summaries(world, caller, input),
        "ListExports" => exports(world, caller, input),
        "GetTemplate" => get_template(world, caller, input),
        "GetTemplateSummary" => summary(world, caller, input),
        "ValidateTemplate" => validate(world, caller, input),
        "DetectStackDrift" => detect(world, caller, input),
        "DescribeStackDriftDetectionStatus" => detection(world, caller, input),
        "DescribeStackResourceDrifts" => drifts(world, caller, input),
        _ => return None,
    })
}

/// A stack by name or id.
pub(crate) fn find<'a>(
    world: &'a World,
    caller: &Caller,
    name: &str,
) -> Result<&'a Stack, ApiError> {
    world
        .cloudformation
        .stacks
        .find(&caller.account, &caller.region, name)
        .ok_or_else(|| ApiError::validation(format!("Stack with id {name} does not exist")))
}

/// Checks a stack's name.
pub(crate) fn check_name(name: &str, what: &str) -> Result<(), ApiError> {
    let fits = name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if fits {
        return Ok(());
    }
    Err(ApiError::validation(format!(
        "1 validation error detected: Value '{name}' at '{what}' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
    )))
}

fn create(world: &mut World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let known = fields(&[
        "StackName",
        "OnFailure",
        "DisableRollback",
        "EnableTerminationProtection",
        "ClientRequestToken",
    ]);
    let input = Input::new(input, &known)?;
    let name = input.required("StackName")?;
    check_name(name, "stackName")?;
    let on_failure = match (input.text("OnFailure"), input.boolean("DisableRollback")?) {
        (Some(_), Some(_)) => {
            return Err(ApiError::validation(
                "Only one of DisableRollback and OnFailure can be specified.",
            ));
        }
        (None, Some(true)) | (Some("DO_NOTHING"), None) => OnFailure::DoNothing,
        (Some("DELETE"), None) => OnFailure::Delete,
        (None | Some("ROLLBACK"), _) => OnFailure::Rollback,
        (Some(other), _) => {
            return Err(ApiError::validation(format!(
                "OnFailure cannot be {other}."
            )));
        }
    };
    let deployment = deployment(world, caller, input, None)?;
    if world
        .cloudformation
        .stacks
        .find(&caller.account, &caller.region, name)
        .is_some()
    {
        return Err(ApiError::new(
            "AlreadyExistsException",
            format!("Stack [{name}] already exists"),
        ));
    }
    let limit = world.config.quotas.stacks_per_region;
    let living = &world.cloudformation.stacks;
    let there = living.living_in(&caller.account, Some(&caller.region));
    if there.take(limit).count() >= limit {
        return Err(exceeded("stacks", limit));
    }
    let id = begin_create(
        world,
        &caller.account.as_str().into(),
        &caller.region.as_str().into(),
        name,
        deployment,
        on_failure,
    );
    let protect = input
        .boolean("EnableTerminationProtection")?
        .unwrap_or_default();
    if let Some(stack) = world.cloudformation.stacks.get_mut(&id) {
        stack.termination_protection = protect;
    }
    later(world, Task::Stack(id.clone()));
    Ok(json!({"StackId": &*id}))
}

fn update(world: &mut World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let known = fields(&["StackName", "ClientRequestToken"]);
    let input = Input::new(input, &known)?;
    let name = input.required("StackName")?;
    let stack = world
        .cloudformation
        .stacks
        .find(&caller.account, &caller.region, name)
        .filter(|stack| stack.deleted.is_none())
        .ok_or_else(|| ApiError::validation(format!("Stack [{name}] does not exist")))?;
    let (id, previous) = (stack.id.clone(), stack.deployment.clone());
    let deployment = deployment(world, caller, input, Some(&previous))?;
    begin_update(world, &id, deployment)?;
    later(world, Task::Stack(id.clone()));
    Ok(json!({"StackId": &*id}))
}

fn delete(world: &mut World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(
        input,
        &["StackName", "RetainResources", "ClientRequestToken"],
    )?;
    let name = input.required("StackName")?;
    let keep: BTreeSet<String> = input.texts("RetainResources")?.into_iter().collect();
    // Deleting what does not exist is no error.
    let Some(stack) = world
        .cloudformation
        .stacks
        .find(&caller.account, &caller.region, name)
    else {
        return Ok(Value::Null);
    };
    if stack.deleted.is_some() || stack.status == "DELETE_IN_PROGRESS" {
        return Ok(Value::Null);
    }
    if stack.termination_protection {
        return Err(ApiError::validation(format!(
            "Stack [{}] cannot be deleted while TerminationProtection is enabled",
            stack.name
        )));
    }
    if stack.in_progress() && stack.status != "CREATE_IN_PROGRESS" {
        return Err(ApiError::validation(format!(
            "Stack [{}] cannot be deleted while in status {}",
            stack.name, stack.status
        )));
    }
    if !keep.is_empty() && stack.status != "DELETE_FAILED" {
        return Err(ApiError::validation(
            "Invalid operation on stack. RetainResources can only be specified for stacks in the DELETE_FAILED state.",
        ));
    }
    let id = stack.id.clone();
    begin_delete(world, &id, keep);
    later(world, Task::Stack(id));
    Ok(Value::Null)
}

fn protect(world: &mut World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackName", "EnableTerminationProtection"])?;
    let enable = input
        .boolean("EnableTerminationProtection")?
        .ok_or_else(|| crate::wire::missing("enableTerminationProtection"))?;
    let id = find(world, caller, input.required("StackName")?)?
        .id
        .clone();
    if let Some(stack) = world.cloudformation.stacks.get_mut(&id) {
        stack.termination_protection = enable;
    }
    Ok(json!({"StackId": &*id}))
}

fn describe(world: &World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackName", "NextToken"])?;
    let stacks = match input.text("StackName").filter(|name| !name.is_empty()) {
        Some(name) => vec![find(world, caller, name)?.describe()],
        None => world
            .cloudformation
            .stacks
            .of(&caller.account, &caller.region)
            .into_iter()
            .filter(|stack| stack.deleted.is_none())
            .map(Stack::describe)
            .collect(),
    };
    listing(input, "Stacks", stacks)
}

fn list(world: &World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackStatusFilter", "NextToken"])?;
    let statuses: Vec<&str> = input.texts("StackStatusFilter")?;
    let stacks = world
        .cloudformation
        .stacks
        .of(&caller.account, &caller.region)
        .into_iter()
        .filter(|stack| statuses.is_empty() || statuses.contains(&stack.status))
        .map(Stack::summary)
        .collect();
    listing(input, "StackSummaries", stacks)
}

/// One page of a listing in this API's form.
pub(crate) fn listing(input: Input<'_>, name: &str, items: Vec<Value>) -> Result<Value, ApiError> {
    list_with(input, name, items, |item| item)
}

/// How many entries a page is to have.
pub(crate) fn page_size(input: Input<'_>) -> Result<usize, ApiError> {
    match input.integer("MaxResults")? {
        None => Ok(PAGE),
        Some(size) => usize::try_from(size)
            .ok()
            .filter(|size| (1..=PAGE).contains(size))
            .ok_or_else(|| ApiError::validation("MaxResults must be between 1 and 100")),
    }
}

/// One page of a listing, of which only the entries on the page are rendered.
pub(crate) fn list_with<T>(
    input: Input<'_>,
    name: &str,
    items: Vec<T>,
    render: impl Fn(T) -> Value,
) -> Result<Value, ApiError> {
    let token = input.text("NextToken");
    let (items, next) = page(items, token, page_size(input)?)
        .map_err(|_| bad_token("cloudformation", token.unwrap_or_default()))?;
    let items: Vec<Value> = items.into_iter().map(render).collect();
    Ok(json!({name: items, "NextToken": next}))
}

fn events(world: &World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackName", "NextToken"])?;
    let stack = find(world, caller, input.required("StackName")?)?;
    let events = stack
        .events
        .iter()
        .enumerate()
        .rev()
        .map(|(number, event)| {
            json!({
                "StackId": &*stack.id,
                "EventId": format!("{}-{}-{number}", event.logical_id, event.status),
                "StackName": &*stack.name,
                "LogicalResourceId": &*event.logical_id,
                "PhysicalResourceId": &*event.physical_id,
                "ResourceType": event.kind,
                "Timestamp": iso(event.at),
                "ResourceStatus": event.status,
                "ResourceStatusReason": event.reason,
            })
        })
        .collect();
    listing(input, "StackEvents", events)
}

fn resources(world: &World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackName", "LogicalResourceId"])?;
    let stack = find(world, caller, input.required("StackName")?)?;
    let only = input.text("LogicalResourceId");
    let resources: Vec<Value> = stack
        .resources
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| only == name.as_str()))
        .map(|(name, resource)| {
            json!({
                "StackName": &*stack.name,
                "StackId": &*stack.id,
                "LogicalResourceId": name,
                "PhysicalResourceId": resource.physical_id,
                "ResourceType": resource.kind,
                "Timestamp": iso(resource.at),
                "ResourceStatus": resource.status,
                "ResourceStatusReason": resource.reason,
                "DriftInformation": {"StackResourceDriftStatus": drift_status(resource)},
            })
        })
        .collect();
    Ok(json!({"StackResources": resources}))
}

fn resource_summaries(world: &World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackName", "NextToken"])?;
    let stack = find(world, caller, input.required("StackName")?)?;
    let resources = stack
        .resources
        .iter()
        .map(|(name, resource)| {
            json!({
                "LogicalResourceId": name,
                "PhysicalResourceId": resource.physical_id,
                "ResourceType": resource.kind,
                "LastUpdatedTimestamp": iso(resource.at),
                "ResourceStatus": resource.status,
                "ResourceStatusReason": resource.reason,
                "DriftInformation": {"StackResourceDriftStatus": drift_status(resource)},
            })
        })
        .collect();
    listing(input, "StackResourceSummaries", resources)
}

fn drift_status(resource: &crate::cloudformation::stack::Resource) -> &'static str {
    resource
        .drift
        .as_ref()
        .map_or("NOT_CHECKED", |drift| drift.status)
}

fn exports(world: &World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["NextToken"])?;
    let exports = world
        .cloudformation
        .exports(&caller.account, &caller.region)
        .into_iter()
        .map(|(name, (value, stack))| json!({"ExportingStackId": stack, "Name": name, "Value": value}))
        .collect();
    listing(input, "Exports", exports)
}

fn get_template(world: &World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackName", "TemplateStage"])?;
    input.choice("TemplateStage", &["Original", "Processed"])?;
    let stack = find(world, caller, input.required("StackName")?)?;
    Ok(json!({
        "TemplateBody": stack.deployment.template.body,
        "StagesAvailable": ["Original", "Processed"],
    }))
}

fn validate(world: &mut World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["TemplateBody", "TemplateURL"])?;
    let template = request::template(world, caller, input)?.ok_or_else(|| {
        ApiError::validation("Either Template URL or Template Body must be specified.")
    })?;
    let parameters: Vec<Value> = template
        .parameters
        .iter()
        .map(|(name, parameter)| {
            json!({
                "ParameterKey": name,
                "DefaultValue": parameter.default,
                "NoEcho": parameter.no_echo,
                "Description": parameter.description,
            })
        })
        .collect();
    let mut answer = Map::from_iter(declared(&template));
    answer.insert("Parameters".to_owned(), parameters.into());
    Ok(Value::Object(answer))
}

fn summary(world: &mut World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(
        input,
        &[
            "TemplateBody",
            "TemplateURL",
            "StackName",
            "StackSetName",
            "CallAs",
        ],
    )?;
    let template = match (input.text("StackName"), input.text("StackSetName")) {
        (Some(name), None) => {
            std::sync::Arc::clone(&find(world, caller, name)?.deployment.template)
        }
        (None, Some(name)) => {
            let set = crate::cloudformation::set::api::find(world, caller, input, name)?;
            std::sync::Arc::clone(&set.deployment.template)
        }
        _ => request::template(world, caller, input)?.ok_or_else(|| {
            ApiError::validation("Either Template URL or Template Body must be specified.")
        })?,
    };
    Ok(Value::Object(summarize(&template)))
}

fn summarize(template: &Template) -> Map<String, Value> {
    let parameters: Vec<Value> = template
        .parameters
        .iter()
        .map(|(name, parameter)| {
            let values = &parameter.allowed_values;
            json!({
                "ParameterKey": name,
                "DefaultValue": parameter.default,
                "ParameterType": parameter.kind,
                "NoEcho": parameter.no_echo,
                "Description": parameter.description,
                "ParameterConstraints": if values.is_empty() { Value::Null } else { json!({"AllowedValues": values}) },
            })
        })
        .collect();
    let mut answer = Map::from_iter(declared(template));
    answer.insert("Parameters".to_owned(), parameters.into());
    answer.insert("ResourceTypes".to_owned(), json!(template.types()));
    answer.insert(
        "Version".to_owned(),
        template
            .document
            .get("AWSTemplateFormatVersion")
            .cloned()
            .unwrap_or(Value::Null),
    );
    if let Some(metadata) = template.document.get("Metadata") {
        answer.insert("Metadata".to_owned(), metadata.to_string().into());
    }
    answer
}

fn detect(world: &mut World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackName"])?;
    let stack = find(world, caller, input.required("StackName")?)?;
    let checkable = stack.updatable() || stack.status == "UPDATE_ROLLBACK_FAILED";
    if !checkable {
        return Err(ApiError::validation(format!(
            "Drift detection cannot be performed on stack [{}] in state {}",
            stack.id, stack.status
        )));
    }
    let stack_id = stack.id.clone();
    let id = world.services.environment.uuid();
    let detection = Detection {
        stack: stack_id,
        at: world.clock.now(),
        result: None,
    };
    world
        .cloudformation
        .detections
        .insert(id.clone(), detection);
    later(world, Task::Detection(id.clone()));
    Ok(json!({"StackDriftDetectionId": id}))
}

fn detection(world: &World, _caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let id = Input::new(input, &["StackDriftDetectionId"])?.required("StackDriftDetectionId")?;
    let detection =
        world.cloudformation.detections.get(id).ok_or_else(|| {
            ApiError::validation(format!("Drift detection [{id}] does not exist"))
        })?;
    let status = if detection.result.is_some() {
        "DETECTION_COMPLETE"
    } else {
        "DETECTION_IN_PROGRESS"
    };
    Ok(json!({
        "StackId": &*detection.stack,
        "StackDriftDetectionId": id,
        "DetectionStatus": status,
        "StackDriftStatus": detection.result.map(|(status, _)| status),
        "DriftedStackResourceCount": detection.result.map(|(_, count)| count),
        "Timestamp": iso(detection.at),
    }))
}

fn drifts(world: &World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let known = [
        "StackName",
        "StackResourceDriftStatusFilters",
        "NextToken",
        "MaxResults",
    ];
    let input = Input::new(input, &known)?;
    let stack = find(world, caller, input.required("StackName")?)?;
    let statuses = input.texts("StackResourceDriftStatusFilters")?;
    listing(
        input,
        "StackResourceDrifts",
        drift::describe(world, &stack.id, &statuses, true),
    )
}
