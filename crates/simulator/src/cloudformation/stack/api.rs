//! The actions on stacks.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::cloudformation::Stage;
use crate::cloudformation::request::{self, declared, deployment, fields};
use crate::cloudformation::set::operation::exceeded;
use crate::cloudformation::stack::drift;
use crate::cloudformation::stack::{OnFailure, Stack, begin_create, begin_delete, begin_update};
use crate::cloudformation::template::Template;
use crate::cloudformation::{Detection, Task};
use crate::input::Input;
use crate::wire::api::{ApiError, Caller};
use crate::wire::paging::{bad_token, page};
use crate::wire::time::iso;

/// Entries per page of the listings.
pub(crate) const PAGE: usize = 100;

/// Answers the actions on stacks; `None` if the action is none of them.
pub(crate) fn call(
    stage: &mut Stage<'_>,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    Some(match action {
        "CreateStack" => create(stage, caller, input),
        "UpdateStack" => update(stage, caller, input),
        "DeleteStack" => delete(stage, caller, input),
        "UpdateTerminationProtection" => protect(stage, caller, input),
        "DescribeStacks" => describe(stage, caller, input),
        "ListStacks" => list(stage, caller, input),
        "DescribeStackEvents" => events(stage, caller, input),
        "DescribeStackResources" => resources(stage, caller, input),
        "ListStackResources" => resource_summaries(stage, caller, input),
        "ListExports" => exports(stage, caller, input),
        "GetTemplate" => get_template(stage, caller, input),
        "GetTemplateSummary" => summary(stage, caller, input),
        "ValidateTemplate" => validate(stage, caller, input),
        "DetectStackDrift" => detect(stage, caller, input),
        "DescribeStackDriftDetectionStatus" => detection(stage, caller, input),
        "DescribeStackResourceDrifts" => drifts(stage, caller, input),
        _ => return None,
    })
}

/// A stack by name or id.
pub(crate) fn find<'a>(
    stage: &'a Stage<'_>,
    caller: &Caller,
    name: &str,
) -> Result<&'a Stack, ApiError> {
    stage
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

fn create(stage: &mut Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
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
    let deployment = deployment(stage, caller, input, None)?;
    if stage
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
    let limit = stage.quotas.stacks_per_region;
    let living = &stage.cloudformation.stacks;
    let there = living.living_in(&caller.account, Some(&caller.region));
    if there.take(limit).count() >= limit {
        return Err(exceeded("stacks", limit));
    }
    let id = begin_create(
        stage,
        &caller.account.as_str().into(),
        &caller.region.as_str().into(),
        name,
        deployment,
        on_failure,
    );
    let protect = input
        .boolean("EnableTerminationProtection")?
        .unwrap_or_default();
    if let Some(stack) = stage.cloudformation.stacks.get_mut(&id) {
        stack.termination_protection = protect;
    }
    stage.later(Task::Stack(id.clone()));
    Ok(json!({"StackId": &*id}))
}

fn update(stage: &mut Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let known = fields(&["StackName", "ClientRequestToken"]);
    let input = Input::new(input, &known)?;
    let name = input.required("StackName")?;
    let stack = stage
        .cloudformation
        .stacks
        .find(&caller.account, &caller.region, name)
        .filter(|stack| stack.deleted.is_none())
        .ok_or_else(|| ApiError::validation(format!("Stack [{name}] does not exist")))?;
    let (id, previous) = (stack.id.clone(), stack.deployment.clone());
    let deployment = deployment(stage, caller, input, Some(&previous))?;
    begin_update(stage, &id, deployment)?;
    stage.later(Task::Stack(id.clone()));
    Ok(json!({"StackId": &*id}))
}

fn delete(stage: &mut Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(
        input,
        &["StackName", "RetainResources", "ClientRequestToken"],
    )?;
    let name = input.required("StackName")?;
    let keep: BTreeSet<String> = input.texts("RetainResources")?.into_iter().collect();
    // Deleting what does not exist is no error.
    let Some(stack) = stage
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
    begin_delete(stage, &id, keep);
    stage.later(Task::Stack(id));
    Ok(Value::Null)
}

fn protect(stage: &mut Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackName", "EnableTerminationProtection"])?;
    let enable = input
        .boolean("EnableTerminationProtection")?
        .ok_or_else(|| crate::wire::missing("enableTerminationProtection"))?;
    let id = find(stage, caller, input.required("StackName")?)?
        .id
        .clone();
    if let Some(stack) = stage.cloudformation.stacks.get_mut(&id) {
        stack.termination_protection = enable;
    }
    Ok(json!({"StackId": &*id}))
}

fn describe(stage: &Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackName", "NextToken"])?;
    let stacks = match input.text("StackName").filter(|name| !name.is_empty()) {
        Some(name) => vec![find(stage, caller, name)?.describe()],
        None => stage
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

fn list(stage: &Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackStatusFilter", "NextToken"])?;
    let statuses: Vec<&str> = input.texts("StackStatusFilter")?;
    let stacks = stage
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

fn events(stage: &Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackName", "NextToken"])?;
    let stack = find(stage, caller, input.required("StackName")?)?;
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

fn resources(stage: &Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackName", "LogicalResourceId"])?;
    let stack = find(stage, caller, input.required("StackName")?)?;
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

fn resource_summaries(
    stage: &Stage<'_>,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackName", "NextToken"])?;
    let stack = find(stage, caller, input.required("StackName")?)?;
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

fn exports(stage: &Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["NextToken"])?;
    let exports = stage
        .cloudformation
        .exports(&caller.account, &caller.region)
        .into_iter()
        .map(|(name, (value, stack))| json!({"ExportingStackId": stack, "Name": name, "Value": value}))
        .collect();
    listing(input, "Exports", exports)
}

fn get_template(stage: &Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackName", "TemplateStage"])?;
    input.choice("TemplateStage", &["Original", "Processed"])?;
    let stack = find(stage, caller, input.required("StackName")?)?;
    Ok(json!({
        "TemplateBody": stack.deployment.template.body,
        "StagesAvailable": ["Original", "Processed"],
    }))
}

fn validate(stage: &mut Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["TemplateBody", "TemplateURL"])?;
    let template = request::template(stage, caller, input)?.ok_or_else(|| {
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

fn summary(stage: &mut Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
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
            std::sync::Arc::clone(&find(stage, caller, name)?.deployment.template)
        }
        (None, Some(name)) => {
            let set = crate::cloudformation::set::api::find(stage, caller, input, name)?;
            std::sync::Arc::clone(&set.deployment.template)
        }
        _ => request::template(stage, caller, input)?.ok_or_else(|| {
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

fn detect(stage: &mut Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackName"])?;
    let stack = find(stage, caller, input.required("StackName")?)?;
    let checkable = stack.updatable() || stack.status == "UPDATE_ROLLBACK_FAILED";
    if !checkable {
        return Err(ApiError::validation(format!(
            "Drift detection cannot be performed on stack [{}] in state {}",
            stack.id, stack.status
        )));
    }
    let stack_id = stack.id.clone();
    let id = stage.services.environment.uuid();
    let detection = Detection {
        stack: stack_id,
        at: stage.now(),
        result: None,
    };
    stage
        .cloudformation
        .detections
        .insert(id.clone(), detection);
    stage.later(Task::Detection(id.clone()));
    Ok(json!({"StackDriftDetectionId": id}))
}

fn detection(stage: &Stage<'_>, _caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let id = Input::new(input, &["StackDriftDetectionId"])?.required("StackDriftDetectionId")?;
    let detection =
        stage.cloudformation.detections.get(id).ok_or_else(|| {
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

fn drifts(stage: &Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let known = [
        "StackName",
        "StackResourceDriftStatusFilters",
        "NextToken",
        "MaxResults",
    ];
    let input = Input::new(input, &known)?;
    let stack = find(stage, caller, input.required("StackName")?)?;
    let statuses = input.texts("StackResourceDriftStatusFilters")?;
    listing(
        input,
        "StackResourceDrifts",
        drift::describe(stage, &stack.id, &statuses, true),
    )
}
