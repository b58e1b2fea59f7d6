//! Change sets: previews of an update that can be executed.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::action::{Answer, actions};
use crate::request::{deployment, listing, request};
use crate::stack::api::{check_name, find};
use crate::stack::{
    Deployment, OnFailure, Pending, Stack, begin_any_update, begin_update, drift, enter_review,
    run_by, same, tags,
};
use crate::template::evaluate::Scope;
use crate::wire::api::{ApiError, Caller};
use crate::wire::time::iso;
use crate::{Stage, Task};

actions! {
    Changes CreateChangeSet unfolded(create);
    Reads DescribeChangeSet unfolded(describe);
    Reads ListChangeSets unfolded(list);
    Changes ExecuteChangeSet unfolded(execute);
    Changes DeleteChangeSet unfolded(delete);
}

request! { CreateChangeSet with template {
    stack_name: String,
    change_set_name: String,
    #[serde(default)]
    change_set_type: ChangeSetType,
    description: Option<String>,
    #[serde(rename = "ClientToken")]
    _token: Option<String>,
    on_stack_failure: Option<OnFailure>,
    deployment_mode: Option<DeploymentMode>,
} }

/// `DeploymentMode`.
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum DeploymentMode {
    RevertDrift,
}

/// `ChangeSetType`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum ChangeSetType {
    Create,
    #[default]
    Update,
}

request! { DescribeChangeSet {
    change_set_name: String,
    stack_name: Option<String>,
    next_token: Option<String>,
} }

request! { ListChangeSets {
    stack_name: String,
    next_token: Option<String>,
} }

request! { ExecuteChangeSet {
    change_set_name: String,
    stack_name: Option<String>,
    #[serde(rename = "ClientRequestToken")]
    _token: Option<String>,
    #[serde(default)]
    disable_rollback: bool,
} }

request! { DeleteChangeSet {
    change_set_name: String,
    stack_name: Option<String>,
} }

/// A change set of one stack.
#[derive(Clone, Debug)]
pub(crate) struct ChangeSet {
    /// The ARN.
    id: String,
    name: String,
    stack: Arc<str>,
    deployment: Arc<Deployment>,
    description: Option<String>,
    created: Timestamp,
    status: &'static str,
    reason: Option<String>,
    execution: &'static str,
    on_failure: OnFailure,
    mode: Option<DeploymentMode>,
    changes: Vec<Value>,
}

fn create(request: &CreateChangeSet, stage: &mut Stage<'_>, caller: &Caller) -> Answer {
    let name = &request.change_set_name;
    check_name(name, "changeSetName")?;
    let (stack, deployment) = stack_and_deployment(request, stage, caller)?;
    let taken = |set: &ChangeSet| set.stack == stack && set.name == *name;
    if stage.cloudformation.change_sets.values().any(taken) {
        return Err(ApiError::new(
            "AlreadyExistsException",
            format!(
                "ChangeSet {name} cannot be created due to a mismatch with existing attribute Name"
            ),
        ));
    }
    let id = format!(
        "arn:aws:cloudformation:{}:{}:changeSet/{name}/{}",
        caller.region,
        caller.account,
        stage.services.environment.uuid()
    );
    let set = ChangeSet {
        id: id.clone(),
        name: name.clone(),
        stack: stack.clone(),
        deployment,
        description: request.description.clone(),
        created: stage.now(),
        status: "CREATE_PENDING",
        reason: None,
        execution: "UNAVAILABLE",
        on_failure: request.on_stack_failure.unwrap_or(OnFailure::Rollback),
        mode: request.deployment_mode,
        changes: Vec::new(),
    };
    stage.cloudformation.change_sets.insert(id.clone(), set);
    let seconds = stage.services.environment.between(2, 5);
    stage.after(seconds, Task::ChangeSet(id.clone()));
    Ok(json!({"Id": id, "StackId": &*stack}))
}

/// The stack of a new change set, created in `REVIEW_IN_PROGRESS` if needed, and its new
/// deployment.
fn stack_and_deployment(
    request: &CreateChangeSet,
    stage: &mut Stage<'_>,
    caller: &Caller,
) -> Result<(Arc<str>, Arc<Deployment>), ApiError> {
    let (name, source) = (&request.stack_name, request.source());
    let existing = stage
        .cloudformation
        .stacks
        .find(&caller.account, &caller.region, name)
        .filter(|stack| stack.deleted.is_none());
    match (request.change_set_type, existing) {
        (ChangeSetType::Create, None) => {
            check_name(name, "stackName")?;
            let deployment = deployment(stage, caller, source, None)?;
            let id = enter_review(
                stage,
                &caller.account.as_str().into(),
                &caller.region.as_str().into(),
                name,
                deployment.clone(),
            );
            Ok((id, deployment))
        }
        (ChangeSetType::Create, Some(stack)) if stack.status == "REVIEW_IN_PROGRESS" => {
            let id = stack.id.clone();
            Ok((id, deployment(stage, caller, source, None)?))
        }
        (ChangeSetType::Create, Some(_)) => Err(ApiError::validation(format!(
            "Stack [{name}] already exists and cannot be created again with the changeSet [{}].",
            request.change_set_name
        ))),
        (ChangeSetType::Update, Some(stack)) if !stack.updatable() => {
            Err(ApiError::validation(format!(
                "Stack:{} is in {} state and can not be updated.",
                stack.id, stack.status
            )))
        }
        (ChangeSetType::Update, Some(stack)) => {
            let (id, previous) = (stack.id.clone(), stack.deployment.clone());
            Ok((id, deployment(stage, caller, source, Some(&previous))?))
        }
        (ChangeSetType::Update, None) => Err(ApiError::validation(format!(
            "Stack [{name}] does not exist"
        ))),
    }
}

/// Computes the changes, which completes the change set's creation.
pub(crate) fn finish(stage: &mut Stage<'_>, id: &str) {
    let Some(set) = stage.cloudformation.change_sets.get(id) else {
        return;
    };
    let Some(stack) = stage.stack(&set.stack) else {
        return;
    };
    let review = stack.status == "REVIEW_IN_PROGRESS";
    let drifted = match set.mode {
        Some(DeploymentMode::RevertDrift) => drift::drifted(stage, stack),
        None => BTreeMap::new(),
    };
    let empty = !review && drifted.is_empty() && same(&stack.deployment, &set.deployment);
    let exports = stage
        .cloudformation
        .exports(&stack.account, &stack.region)
        .into_iter()
        .map(|(name, (value, _))| (name, value))
        .collect();
    let mut changes = changes(stack, &set.deployment, &exports);
    changes.extend(drifted.iter().filter_map(|(name, status)| {
        let resource = stack.resources.get(name)?;
        let action = if *status == "DELETED" {
            "Add"
        } else {
            "Modify"
        };
        let physical_id = Some(resource.physical_id.as_str());
        Some(change(action, name, physical_id, &resource.kind))
    }));
    if let Some(set) = stage.cloudformation.change_sets.get_mut(id) {
        if empty {
            set.status = "FAILED";
            set.reason = Some(
                "The submitted information didn't contain changes. Submit different information to create a change set."
                    .to_owned(),
            );
        } else {
            set.status = "CREATE_COMPLETE";
            set.execution = "AVAILABLE";
            set.changes = changes;
        }
    }
}

/// A resource change in the API's format.
fn change(action: &str, name: &str, physical_id: Option<&str>, kind: &str) -> Value {
    let mut change = json!({
        "Action": action,
        "LogicalResourceId": name,
        "PhysicalResourceId": physical_id,
        "ResourceType": kind,
        "Scope": [],
        "Details": [],
    });
    if let (true, Some(fields)) = (action == "Modify", change.as_object_mut()) {
        // Only the resource handler knows, at execution.
        fields.insert("Replacement".to_owned(), "Conditional".into());
        fields.insert("Scope".to_owned(), json!(["Properties"]));
    }
    json!({"Type": "Resource", "ResourceChange": change})
}

fn changes(
    stack: &Stack,
    deployment: &Deployment,
    exports: &BTreeMap<String, String>,
) -> Vec<Value> {
    let mut scope = Scope {
        template: &deployment.template,
        parameters: &deployment.parameters,
        account: &stack.account,
        region: &stack.region,
        stack_name: &stack.name,
        stack_id: &stack.id,
        made: BTreeMap::new(),
        exports,
        imported: std::cell::RefCell::default(),
        produced: std::cell::Cell::default(),
    };
    let mut found = Vec::new();
    let mut wanted = Vec::new();
    for name in &deployment.template.order {
        let Some(declaration) = deployment.template.resources.get(name) else {
            continue;
        };
        let included = declaration
            .condition
            .as_ref()
            .is_none_or(|condition| scope.condition(condition).unwrap_or(true));
        if !included {
            continue;
        }
        wanted.push(name);
        match stack.resources.get(name) {
            None => found.push(change("Add", name, None, &declaration.kind)),
            Some(old) => {
                // A reference to a resource that doesn't exist yet has no value, so it counts as a
                // change.
                let properties = declaration.resolve(&scope).ok();
                if properties.as_ref() != Some(&old.properties) {
                    found.push(change(
                        "Modify",
                        name,
                        Some(&old.physical_id),
                        &declaration.kind,
                    ));
                }
                let made = (old.physical_id.clone(), old.attributes.clone());
                scope.made.insert(name.clone(), made);
            }
        }
    }
    for (name, old) in stack
        .resources
        .iter()
        .filter(|(name, _)| !wanted.contains(name))
    {
        found.push(change("Remove", name, Some(&old.physical_id), &old.kind));
    }
    found
}

/// Finds a change set by ARN, or by its and its stack's name.
fn lookup<'a>(
    stage: &'a Stage<'_>,
    caller: &Caller,
    name: &str,
    stack: Option<&str>,
) -> Result<&'a ChangeSet, ApiError> {
    let sets = &stage.cloudformation.change_sets;
    let found = if name.starts_with("arn:") {
        sets.get(name)
    } else {
        let stack = stack.ok_or_else(|| crate::wire::missing("StackName"))?;
        let stack = find(stage, caller, stack)?;
        sets.values()
            .find(|set| set.stack == stack.id && set.name == name)
    };
    found.ok_or_else(|| {
        ApiError::new(
            "ChangeSetNotFound",
            format!("ChangeSet [{name}] does not exist"),
        )
        .status(404)
    })
}

fn describe(request: &DescribeChangeSet, stage: &Stage<'_>, caller: &Caller) -> Answer {
    let stack = request.stack_name.as_deref();
    let set = lookup(stage, caller, &request.change_set_name, stack)?;
    let parameters: Vec<Value> = set
        .deployment
        .parameters
        .iter()
        .map(|(key, value)| json!({"ParameterKey": key, "ParameterValue": value}))
        .collect();
    let mut answer = summary(stage, set);
    let changes = set.changes.clone();
    for more in [
        json!({
            "Parameters": parameters,
            "NotificationARNs": [],
            "Capabilities": set.deployment.capabilities,
            "Tags": tags(&set.deployment.tags),
        }),
        listing("Changes", changes, request.next_token.as_deref(), None)?,
    ] {
        if let Value::Object(fields) = more {
            answer.extend(fields);
        }
    }
    Ok(Value::Object(answer))
}

fn summary(stage: &Stage<'_>, set: &ChangeSet) -> Map<String, Value> {
    let stack = stage.stack(&set.stack);
    let fields = json!({
        "ChangeSetName": set.name,
        "ChangeSetId": set.id,
        "StackId": &*set.stack,
        "StackName": stack.map(|stack| &*stack.name),
        "Description": set.description,
        "CreationTime": iso(set.created),
        "ExecutionStatus": set.execution,
        "Status": set.status,
        "StatusReason": set.reason,
        "IncludeNestedStacks": false,
        "DeploymentMode": set.mode.map(|_| "REVERT_DRIFT"),
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn list(request: &ListChangeSets, stage: &Stage<'_>, caller: &Caller) -> Answer {
    let stack = find(stage, caller, &request.stack_name)?;
    let sets = stage
        .cloudformation
        .change_sets
        .values()
        .filter(|set| set.stack == stack.id)
        .map(|set| Value::Object(summary(stage, set)))
        .collect();
    listing("Summaries", sets, request.next_token.as_deref(), None)
}

fn execute(request: &ExecuteChangeSet, stage: &mut Stage<'_>, caller: &Caller) -> Answer {
    let keep_failed = request.disable_rollback;
    let name = request.stack_name.as_deref();
    let set = lookup(stage, caller, &request.change_set_name, name)?;
    if set.execution != "AVAILABLE" {
        return Err(ApiError::new(
            "InvalidChangeSetStatus",
            format!(
                "ChangeSet [{}] cannot be executed in its current status of [{}]",
                set.id, set.status
            ),
        ));
    }
    let id = set.id.clone();
    let (stack, deployment, on_failure) =
        (set.stack.clone(), set.deployment.clone(), set.on_failure);
    let reverts = set.mode == Some(DeploymentMode::RevertDrift);
    let on_failure = if keep_failed {
        OnFailure::DoNothing
    } else {
        on_failure
    };
    let review = stage
        .stack(&stack)
        .is_some_and(|it| it.status == "REVIEW_IN_PROGRESS");
    if review {
        let now = stage.now();
        if let Some(stack) = stage.stack_mut(&stack) {
            stack.deployment = deployment;
            stack.pending = Some(Pending::Create(on_failure));
            stack.enter(now, "CREATE_IN_PROGRESS", Some("User Initiated".to_owned()));
        }
    } else if keep_failed {
        return Err(ApiError::validation(
            "The simulator supports DisableRollback only for change sets that create a stack.",
        ));
    } else {
        let begin = if reverts {
            begin_any_update
        } else {
            begin_update
        };
        begin(stage, &stack, Arc::clone(&deployment))?;
        if let (true, Some(stack)) = (reverts, stage.stack_mut(&stack)) {
            stack.pending = Some(Pending::Revert(deployment));
        }
    }
    // As on AWS, executing a change set deletes the stack's other ones.
    stage
        .cloudformation
        .change_sets
        .retain(|other, set| set.stack != stack || *other == id);
    if let Some(set) = stage.cloudformation.change_sets.get_mut(&id) {
        set.execution = "EXECUTE_COMPLETE";
    }
    run_by(stage, &stack, caller);
    stage.later(Task::Stack(stack));
    Ok(Value::Null)
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one signature")]
fn delete(request: &DeleteChangeSet, stage: &mut Stage<'_>, caller: &Caller) -> Answer {
    let stack = request.stack_name.as_deref();
    if let Ok(set) = lookup(stage, caller, &request.change_set_name, stack) {
        let id = set.id.clone();
        stage.cloudformation.change_sets.remove(&id);
    }
    Ok(Value::Null)
}
