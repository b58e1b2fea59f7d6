//! What the caller must be allowed: which actions on which resources each request needs, by the
//! service authorization reference
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html>),
//! and what CloudFormation's resource handlers do with the caller's permissions.
//!
//! An action without a resource type is allowed only by `*`. An operation of a stack set needs
//! every resource it names: the stack set, each target and each resource type of the template.

use std::sync::Arc;

use serde_json::Value;

use super::Resource as StackResource;
use crate::resources::ResourceError;
use crate::resources::permissions::{Handler, Resource, permit};
use crate::services::authorize;
use crate::services::organizations::MANAGEMENT;
use crate::template::Template;
use crate::wire::api::{ApiError, Caller};
use crate::{Stage, template_url};

/// Actions without a resource type.
const ANYTHING: &[&str] = &[
    "ActivateOrganizationsAccess",
    "CreateStackSet",
    "DeactivateOrganizationsAccess",
    "DescribeAccountLimits",
    "DescribeOrganizationsAccess",
    "DescribeStackDriftDetectionStatus",
    "ListExports",
    "ListStackSets",
    "ListStacks",
    "ValidateTemplate",
];

/// Actions that also need the targets and the template's resource types.
const WITH_TARGETS: &[&str] = &[
    "CreateStackInstances",
    "DeleteStackInstances",
    "UpdateStackInstances",
    "UpdateStackSet",
];

/// Checks that the caller may make this request.
pub(crate) fn check(
    stage: &mut Stage<'_>,
    caller: &Caller,
    name: &str,
    input: &Value,
) -> Result<(), ApiError> {
    // Administrators may do everything: nothing to find out.
    if caller.role.is_none() {
        return Ok(());
    }
    let action = format!("cloudformation:{name}");
    if ANYTHING.contains(&name) {
        authorize(stage.services, caller, &action, "*")?;
    } else {
        // Without a name, it lists all stacks.
        if name == "DescribeStacks" && text(input, "StackName").is_none() {
            authorize(stage.services, caller, "cloudformation:ListStacks", "*")?;
        }
        authorize(
            stage.services,
            caller,
            &action,
            &resource(stage, caller, input),
        )?;
    }
    if WITH_TARGETS.contains(&name) {
        for resource in targets(stage, caller, input) {
            authorize(stage.services, caller, &action, &resource)?;
        }
    }
    tags(stage, caller, name, input)
}

fn text<'a>(input: &'a Value, name: &str) -> Option<&'a str> {
    input.get(name).and_then(Value::as_str)
}

/// The ARN of the stack, stack set or change set in the parameters; `*` if there is none.
fn resource(stage: &Stage<'_>, caller: &Caller, input: &Value) -> String {
    let (account, region) = (&caller.account, &caller.region);
    if let Some(name) = text(input, "StackSetName") {
        return match stage.cloudformation.sets.find(region, name) {
            Some(set) => set.arn(),
            None => format!("arn:aws:cloudformation:{region}:{MANAGEMENT}:stackset/{name}:*"),
        };
    }
    match (text(input, "StackName"), text(input, "ChangeSetName")) {
        (Some(name), _) if name.starts_with("arn:") => name.to_owned(),
        (Some(name), _) => match stage.cloudformation.stacks.find(account, region, name) {
            Some(stack) => stack.id.as_ref().to_owned(),
            None => format!("arn:aws:cloudformation:{region}:{account}:stack/{name}/*"),
        },
        (None, Some(change_set)) if change_set.starts_with("arn:") => change_set.to_owned(),
        (None, _) => "*".to_owned(),
    }
}

/// The targets of an operation and the types of its template.
fn targets(stage: &mut Stage<'_>, caller: &Caller, input: &Value) -> Vec<String> {
    let region = &caller.region;
    let Some(set) =
        text(input, "StackSetName").and_then(|name| stage.cloudformation.sets.find(region, name))
    else {
        return Vec::new();
    };
    let id = set.id.clone();
    let deployed = Arc::clone(&set.deployment.template);
    let mut resources: Vec<String> = ["OrganizationalUnitIds", "Accounts"]
        .iter()
        .filter_map(|list| input.get("DeploymentTargets")?.get(list)?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .map(|target| {
            format!("arn:aws:cloudformation:{region}:{MANAGEMENT}:stackset-target/{id}/{target}")
        })
        .collect();
    let sent = match (text(input, "TemplateBody"), text(input, "TemplateURL")) {
        (Some(body), _) => Template::parse(body).ok().map(Arc::new),
        (None, Some(url)) => template_url::fetch(stage, caller, url)
            .ok()
            .and_then(|body| Template::parse(&body).ok())
            .map(Arc::new),
        (None, None) => None,
    };
    // An unreadable template is refused for what is wrong with it.
    let template = sent.unwrap_or(deployed);
    resources.extend(template.types().into_iter().map(|kind| {
        let kind = kind.replace("::", "-");
        format!("arn:aws:cloudformation:{region}::type/resource/{kind}")
    }));
    resources
}

/// Adding tags and removing them takes a permission of its own.
fn tags(stage: &Stage<'_>, caller: &Caller, name: &str, input: &Value) -> Result<(), ApiError> {
    let Some(given) = input.get("Tags").and_then(Value::as_array) else {
        return Ok(());
    };
    let sets = &stage.cloudformation.sets;
    let stacks = &stage.cloudformation.stacks;
    let before = match (text(input, "StackSetName"), text(input, "StackName")) {
        (Some(set), _) => sets.find(&caller.region, set).map(|it| &it.deployment.tags),
        (None, Some(stack)) => stacks
            .find(&caller.account, &caller.region, stack)
            .map(|it| &it.deployment.tags),
        (None, None) => None,
    };
    let is_update = name.starts_with("Update");
    let pair = |tag: &Value| Some((text(tag, "Key")?.to_owned(), text(tag, "Value")?.to_owned()));
    let given: Vec<(String, String)> = given.iter().filter_map(pair).collect();
    let adds = given.iter().any(|(key, value)| {
        let old = before.filter(|_| is_update).and_then(|tags| tags.get(key));
        old != Some(value)
    });
    let removes = is_update
        && before.is_some_and(|tags| {
            tags.keys()
                .any(|key| !given.iter().any(|(kept, _)| kept == key))
        });
    let resource = resource(stage, caller, input);
    if adds {
        authorize(
            stage.services,
            caller,
            "cloudformation:TagResource",
            &resource,
        )?;
    }
    if removes {
        authorize(
            stage.services,
            caller,
            "cloudformation:UntagResource",
            &resource,
        )?;
    }
    Ok(())
}

/// Checks that whoever runs the stack may do what the handler does for one resource.
pub(crate) fn handler(
    stage: &Stage<'_>,
    id: &str,
    handler: Handler,
    (logical_id, resource): (&str, &StackResource),
    previous: Option<&Value>,
) -> Result<(), ResourceError> {
    let Some(stack) = stage.stack(id) else {
        return Ok(());
    };
    let Some(caller) = &stack.caller else {
        return Ok(());
    };
    let mut location = stack.location(logical_id);
    location.generation = resource.generation;
    let is_new = handler == Handler::Create;
    let seen = Resource {
        location: &location,
        kind: &resource.kind,
        // A replacement still has the id of the resource that it replaces.
        physical_id: if is_new { "" } else { &resource.physical_id },
        properties: &resource.properties,
        previous,
        tagged: !stack.deployment.tags.is_empty(),
    };
    permit(stage.services, caller, handler, &seen)
}

/// Why drift detection can't read a resource of the stack with the caller's permissions.
pub(crate) fn unreadable(stage: &Stage<'_>, id: &str, caller: &Caller) -> Option<String> {
    let stack = stage.stack(id)?;
    stack.resources.iter().find_map(|(logical_id, resource)| {
        let location = stack.location(logical_id);
        let seen = Resource {
            location: &location,
            kind: &resource.kind,
            physical_id: &resource.physical_id,
            properties: &resource.properties,
            previous: None,
            tagged: false,
        };
        let error = permit(stage.services, caller, Handler::Read, &seen).err()?;
        Some(format!(
            "Failed to detect drift on resource [{logical_id}]: {error}"
        ))
    })
}
