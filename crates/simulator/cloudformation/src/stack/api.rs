//! The actions on stacks.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::permission;
use crate::action::{Answer, actions};
use crate::request::{CallAs, declared, deployment, listing, no_template, request, template};
use crate::set::operation::exceeded;
use crate::stack::{
    OnFailure, Resource, Stack, begin_create, begin_delete, begin_update, drift, run_by,
};
use crate::template::Template;
use crate::wire::api::{ApiError, Caller};
use crate::wire::time::iso;
use crate::{Detection, Stage, Task, set};

actions! {
    Changes CreateStack unfolded(create);
    Changes UpdateStack unfolded(update);
    Changes DeleteStack unfolded(delete);
    Changes UpdateTerminationProtection unfolded(protect);
    Reads DescribeStacks folded(describe);
    Reads ListStacks folded(list);
    Reads DescribeStackEvents unfolded(events);
    Reads DescribeStackResources unfolded(resources);
    Reads ListStackResources unfolded(resource_summaries);
    Reads ListExports unfolded(exports);
    Reads GetTemplate folded(get_template);
    Reads GetTemplateSummary folded(summary);
    Reads ValidateTemplate folded(validate);
    Reads DetectStackDrift unfolded(detect);
    Reads DescribeStackDriftDetectionStatus unfolded(detection);
    Reads DescribeStackResourceDrifts unfolded(drifts);
    Reads DescribeAccountLimits folded(limits);
}

request! { CreateStack with template {
    stack_name: String,
    on_failure: Option<OnFailure>,
    disable_rollback: Option<bool>,
    #[serde(default)]
    enable_termination_protection: bool,
    #[serde(rename = "ClientRequestToken")]
    _token: Option<String>,
} }

request! { UpdateStack with template {
    stack_name: String,
    #[serde(rename = "ClientRequestToken")]
    _token: Option<String>,
} }

request! { DeleteStack {
    stack_name: String,
    #[serde(default)]
    retain_resources: BTreeSet<String>,
    #[serde(rename = "ClientRequestToken")]
    _token: Option<String>,
} }

request! { UpdateTerminationProtection {
    stack_name: String,
    enable_termination_protection: bool,
} }

request! { DescribeStacks {
    stack_name: Option<String>,
    next_token: Option<String>,
} }

request! { ListStacks {
    #[serde(default)]
    stack_status_filter: Vec<String>,
    next_token: Option<String>,
} }

request! { DescribeStackEvents {
    stack_name: String,
    next_token: Option<String>,
} }

request! { DescribeStackResources {
    stack_name: String,
    logical_resource_id: Option<String>,
} }

request! { ListStackResources {
    stack_name: String,
    next_token: Option<String>,
} }

request! { ListExports {
    next_token: Option<String>,
} }

request! { GetTemplate {
    stack_name: String,
    #[serde(rename = "TemplateStage")]
    _stage: Option<TemplateStage>,
} }

/// Both stages are equal, because macros aren't simulated.
#[derive(Debug, Deserialize)]
enum TemplateStage {
    Original,
    Processed,
}

request! { GetTemplateSummary {
    template_body: Option<String>,
    #[serde(rename = "TemplateURL")]
    template_url: Option<String>,
    stack_name: Option<String>,
    stack_set_name: Option<String>,
    #[serde(default)]
    call_as: CallAs,
} }

request! { ValidateTemplate {
    template_body: Option<String>,
    #[serde(rename = "TemplateURL")]
    template_url: Option<String>,
} }

request! { DetectStackDrift {
    stack_name: String,
} }

request! { DescribeStackDriftDetectionStatus {
    stack_drift_detection_id: String,
} }

request! { DescribeStackResourceDrifts {
    stack_name: String,
    #[serde(default)]
    stack_resource_drift_status_filters: Vec<String>,
    next_token: Option<String>,
    max_results: Option<usize>,
} }

request! { DescribeAccountLimits {
    #[serde(rename = "NextToken")]
    _next_token: Option<String>,
} }

/// Finds a stack by name or id.
pub(crate) fn find<'a>(
    stage: &'a Stage<'_>,
    caller: &Caller,
    name: &str,
) -> Result<&'a Stack, ApiError> {
    let stacks = &stage.cloudformation.stacks;
    stacks
        .find(&caller.account, &caller.region, name)
        .ok_or_else(|| ApiError::validation(format!("Stack with id {name} does not exist")))
}

/// Checks the name of a stack or change set; `what` is the parameter.
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

fn create(request: &CreateStack, stage: &mut Stage<'_>, caller: &Caller) -> Answer {
    let name = &request.stack_name;
    check_name(name, "stackName")?;
    let on_failure = match (request.on_failure, request.disable_rollback) {
        (Some(_), Some(_)) => {
            return Err(ApiError::validation(
                "Only one of DisableRollback and OnFailure can be specified.",
            ));
        }
        (None, Some(true)) => OnFailure::DoNothing,
        (given, _) => given.unwrap_or(OnFailure::Rollback),
    };
    let deployment = deployment(stage, caller, request.source(), None)?;
    let stacks = &stage.cloudformation.stacks;
    if stacks.find(&caller.account, &caller.region, name).is_some() {
        return Err(ApiError::new(
            "AlreadyExistsException",
            format!("Stack [{name}] already exists"),
        ));
    }
    let limit = stage.quotas.stacks_per_region;
    let there = stacks.living_in(&caller.account, Some(&caller.region));
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
    if let Some(stack) = stage.stack_mut(&id) {
        stack.termination_protection = request.enable_termination_protection;
        stack.caller = Some(Arc::new(caller.clone()));
    }
    stage.later(Task::Stack(id.clone()));
    Ok(json!({"StackId": &*id}))
}

fn update(request: &UpdateStack, stage: &mut Stage<'_>, caller: &Caller) -> Answer {
    let name = &request.stack_name;
    let stack = stage
        .cloudformation
        .stacks
        .find(&caller.account, &caller.region, name)
        .filter(|stack| stack.deleted.is_none())
        .ok_or_else(|| ApiError::validation(format!("Stack [{name}] does not exist")))?;
    let (id, previous) = (stack.id.clone(), stack.deployment.clone());
    let deployment = deployment(stage, caller, request.source(), Some(&previous))?;
    begin_update(stage, &id, deployment)?;
    run_by(stage, &id, caller);
    stage.later(Task::Stack(id.clone()));
    Ok(json!({"StackId": &*id}))
}

fn delete(request: &DeleteStack, stage: &mut Stage<'_>, caller: &Caller) -> Answer {
    let keep = &request.retain_resources;
    // As on AWS, deleting a missing stack is not an error.
    let Ok(stack) = find(stage, caller, &request.stack_name) else {
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
    begin_delete(stage, &id, keep.clone());
    run_by(stage, &id, caller);
    stage.later(Task::Stack(id));
    Ok(Value::Null)
}

fn protect(
    request: &UpdateTerminationProtection,
    stage: &mut Stage<'_>,
    caller: &Caller,
) -> Answer {
    let id = find(stage, caller, &request.stack_name)?.id.clone();
    if let Some(stack) = stage.stack_mut(&id) {
        stack.termination_protection = request.enable_termination_protection;
    }
    Ok(json!({"StackId": &*id}))
}

fn describe(request: &DescribeStacks, stage: &Stage<'_>, caller: &Caller) -> Answer {
    let name = request.stack_name.as_deref();
    let stacks = match name.filter(|name| !name.is_empty()) {
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
    listing("Stacks", stacks, request.next_token.as_deref(), None)
}

fn list(request: &ListStacks, stage: &Stage<'_>, caller: &Caller) -> Answer {
    let statuses = &request.stack_status_filter;
    let stacks = stage
        .cloudformation
        .stacks
        .of(&caller.account, &caller.region)
        .into_iter()
        .filter(|stack| statuses.is_empty() || statuses.iter().any(|it| it == stack.status))
        .map(Stack::summary)
        .collect();
    listing(
        "StackSummaries",
        stacks,
        request.next_token.as_deref(),
        None,
    )
}

fn events(request: &DescribeStackEvents, stage: &Stage<'_>, caller: &Caller) -> Answer {
    let stack = find(stage, caller, &request.stack_name)?;
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
    listing("StackEvents", events, request.next_token.as_deref(), None)
}

/// The fields of a resource common to both resource listings.
fn resource(name: &str, resource: &Resource) -> Map<String, Value> {
    let drift = resource.drift.as_ref();
    let status = drift.map_or("NOT_CHECKED", |drift| drift.status);
    Map::from_iter([
        ("LogicalResourceId".to_owned(), json!(name)),
        ("PhysicalResourceId".to_owned(), json!(resource.physical_id)),
        ("ResourceType".to_owned(), json!(resource.kind)),
        ("ResourceStatus".to_owned(), json!(resource.status)),
        ("ResourceStatusReason".to_owned(), json!(resource.reason)),
        (
            "DriftInformation".to_owned(),
            json!({"StackResourceDriftStatus": status}),
        ),
    ])
}

fn resources(request: &DescribeStackResources, stage: &Stage<'_>, caller: &Caller) -> Answer {
    let stack = find(stage, caller, &request.stack_name)?;
    let only = request.logical_resource_id.as_ref();
    let resources: Vec<Value> = stack
        .resources
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| only == *name))
        .map(|(name, it)| {
            let mut shown = resource(name, it);
            shown.insert("StackName".to_owned(), json!(&*stack.name));
            shown.insert("StackId".to_owned(), json!(&*stack.id));
            shown.insert("Timestamp".to_owned(), json!(iso(it.at)));
            Value::Object(shown)
        })
        .collect();
    Ok(json!({"StackResources": resources}))
}

fn resource_summaries(request: &ListStackResources, stage: &Stage<'_>, caller: &Caller) -> Answer {
    let stack = find(stage, caller, &request.stack_name)?;
    let resources = stack
        .resources
        .iter()
        .map(|(name, it)| {
            let mut shown = resource(name, it);
            shown.insert("LastUpdatedTimestamp".to_owned(), json!(iso(it.at)));
            Value::Object(shown)
        })
        .collect();
    let token = request.next_token.as_deref();
    listing("StackResourceSummaries", resources, token, None)
}

fn exports(request: &ListExports, stage: &Stage<'_>, caller: &Caller) -> Answer {
    let exports = stage
        .cloudformation
        .exports(&caller.account, &caller.region)
        .into_iter()
        .map(|(name, (value, stack))| json!({"ExportingStackId": stack, "Name": name, "Value": value}))
        .collect();
    listing("Exports", exports, request.next_token.as_deref(), None)
}

fn get_template(request: &GetTemplate, stage: &Stage<'_>, caller: &Caller) -> Answer {
    let stack = find(stage, caller, &request.stack_name)?;
    Ok(json!({
        "TemplateBody": stack.deployment.template.body,
        "StagesAvailable": ["Original", "Processed"],
    }))
}

fn validate(request: &ValidateTemplate, stage: &mut Stage<'_>, caller: &Caller) -> Answer {
    let (body, url) = (
        request.template_body.as_deref(),
        request.template_url.as_deref(),
    );
    let template = template(stage, caller, body, url)?.ok_or_else(no_template)?;
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

fn summary(request: &GetTemplateSummary, stage: &mut Stage<'_>, caller: &Caller) -> Answer {
    let template = match (&request.stack_name, &request.stack_set_name) {
        (Some(name), None) => Arc::clone(&find(stage, caller, name)?.deployment.template),
        (None, Some(name)) => {
            let set = set::api::find(stage, caller, request.call_as, name)?;
            Arc::clone(&set.deployment.template)
        }
        _ => {
            let (body, url) = (
                request.template_body.as_deref(),
                request.template_url.as_deref(),
            );
            template(stage, caller, body, url)?.ok_or_else(no_template)?
        }
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

fn detect(request: &DetectStackDrift, stage: &mut Stage<'_>, caller: &Caller) -> Answer {
    let stack = find(stage, caller, &request.stack_name)?;
    if !stack.checkable() {
        return Err(ApiError::validation(format!(
            "Drift detection cannot be performed on stack [{}] in state {}",
            stack.id, stack.status
        )));
    }
    let detection = Detection {
        stack: stack.id.clone(),
        at: stage.now(),
        result: None,
        failure: permission::unreadable(stage, &stack.id, caller),
    };
    let id = stage.services.environment.uuid();
    let detections = &mut stage.cloudformation.detections;
    detections.insert(id.clone(), detection);
    stage.later(Task::Detection(id.clone()));
    Ok(json!({"StackDriftDetectionId": id}))
}

fn detection(request: &DescribeStackDriftDetectionStatus, stage: &Stage<'_>, _: &Caller) -> Answer {
    let id = &request.stack_drift_detection_id;
    let detections = &stage.cloudformation.detections;
    let detection = detections
        .get(id)
        .ok_or_else(|| ApiError::validation(format!("Drift detection [{id}] does not exist")))?;
    let status = match (&detection.result, &detection.failure) {
        (None, _) => "DETECTION_IN_PROGRESS",
        (Some(_), Some(_)) => "DETECTION_FAILED",
        (Some(_), None) => "DETECTION_COMPLETE",
    };
    let reason = detection.failure.as_ref();
    Ok(json!({
        "StackId": &*detection.stack,
        "StackDriftDetectionId": id,
        "DetectionStatus": status,
        "DetectionStatusReason": reason.filter(|_| detection.result.is_some()),
        "StackDriftStatus": detection.result.map(|(status, _)| status),
        "DriftedStackResourceCount": detection.result.map(|(_, count)| count),
        "Timestamp": iso(detection.at),
    }))
}

fn drifts(request: &DescribeStackResourceDrifts, stage: &Stage<'_>, caller: &Caller) -> Answer {
    let stack = find(stage, caller, &request.stack_name)?;
    let statuses = &request.stack_resource_drift_status_filters;
    let drifts = drift::describe(stage, &stack.id, statuses, true);
    let token = request.next_token.as_deref();
    listing("StackResourceDrifts", drifts, token, request.max_results)
}

/// `DescribeAccountLimits`.
#[expect(clippy::unnecessary_wraps, reason = "all handlers have one signature")]
fn limits(_: &DescribeAccountLimits, stage: &Stage<'_>, _: &Caller) -> Answer {
    Ok(json!({"AccountLimits": [
        {"Name": "StackLimit", "Value": stage.quotas.stacks_per_region},
        {"Name": "StackOutputsLimit", "Value": 200},
        {"Name": "ConcurrentResourcesLimit", "Value": 2_500},
    ]}))
}
