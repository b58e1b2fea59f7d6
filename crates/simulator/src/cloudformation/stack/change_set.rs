//! Change sets: what an update would change, shown before it is done.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::cloudformation::Stage;
use crate::cloudformation::Task;
use crate::cloudformation::request::{deployment, fields};
use crate::cloudformation::stack::api::{check_name, find, listing};
use crate::cloudformation::stack::{
    Deployment, OnFailure, Pending, Stack, begin_update, enter_review, same, tags,
};
use crate::cloudformation::template::evaluate::Scope;
use crate::input::Input;
use crate::wire::api::{ApiError, Caller};
use crate::wire::time::iso;

/// A change set of one stack.
#[derive(Debug)]
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
    changes: Vec<Value>,
}

/// Answers the actions on change sets; `None` if the action is none of them.
pub(crate) fn call(
    stage: &mut Stage<'_>,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    Some(match action {
        "CreateChangeSet" => create(stage, caller, input),
        "DescribeChangeSet" => describe(stage, caller, input),
        "ListChangeSets" => list(stage, caller, input),
        "ExecuteChangeSet" => execute(stage, caller, input),
        "DeleteChangeSet" => delete(stage, caller, input),
        _ => return None,
    })
}

fn create(stage: &mut Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let known = fields(&[
        "StackName",
        "ChangeSetName",
        "ChangeSetType",
        "Description",
        "ClientToken",
        "OnStackFailure",
    ]);
    let input = Input::new(input, &known)?;
    let (stack_name, name) = (
        input.required("StackName")?,
        input.required("ChangeSetName")?,
    );
    check_name(name, "changeSetName")?;
    let kind = input.text("ChangeSetType").unwrap_or("UPDATE");
    let on_failure = match input.text("OnStackFailure") {
        None | Some("ROLLBACK") => OnFailure::Rollback,
        Some("DELETE") => OnFailure::Delete,
        Some("DO_NOTHING") => OnFailure::DoNothing,
        Some(other) => {
            return Err(ApiError::validation(format!(
                "OnStackFailure cannot be {other}."
            )));
        }
    };
    let existing = stage
        .cloudformation
        .stacks
        .find(&caller.account, &caller.region, stack_name)
        .filter(|stack| stack.deleted.is_none())
        .map(|stack| {
            (
                stack.id.clone(),
                stack.status,
                stack.deployment.clone(),
                stack.updatable(),
            )
        });
    let (stack, deployment) = match (kind, existing) {
        ("CREATE", None) => {
            check_name(stack_name, "stackName")?;
            let deployment = deployment(stage, caller, input, None)?;
            let id = enter_review(
                stage,
                &caller.account.as_str().into(),
                &caller.region.as_str().into(),
                stack_name,
                deployment.clone(),
            );
            (id, deployment)
        }
        ("CREATE", Some((id, "REVIEW_IN_PROGRESS", _, _))) => {
            (id, deployment(stage, caller, input, None)?)
        }
        ("CREATE", Some(_)) => {
            return Err(ApiError::validation(format!(
                "Stack [{stack_name}] already exists and cannot be created again with the changeSet [{name}]."
            )));
        }
        ("UPDATE", Some((id, status, previous, updatable))) => {
            if !updatable {
                return Err(ApiError::validation(format!(
                    "Stack:{id} is in {status} state and can not be updated."
                )));
            }
            (id, deployment(stage, caller, input, Some(&previous))?)
        }
        ("UPDATE", None) => {
            return Err(ApiError::validation(format!(
                "Stack [{stack_name}] does not exist"
            )));
        }
        (other, _) => {
            return Err(ApiError::validation(format!(
                "The simulator does not support ChangeSetType {other}."
            )));
        }
    };
    let taken = |set: &ChangeSet| set.stack == stack && set.name == name;
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
        name: name.to_owned(),
        stack: stack.clone(),
        deployment,
        description: input.text("Description").map(str::to_owned),
        created: stage.now(),
        status: "CREATE_PENDING",
        reason: None,
        execution: "UNAVAILABLE",
        on_failure,
        changes: Vec::new(),
    };
    stage.cloudformation.change_sets.insert(id.clone(), set);
    let seconds = stage.services.environment.between(2, 5);
    stage.after(seconds, Task::ChangeSet(id.clone()));
    Ok(json!({"Id": id, "StackId": &*stack}))
}

/// Computes the changes.
pub(crate) fn finish(stage: &mut Stage<'_>, id: &str) {
    let Some(set) = stage.cloudformation.change_sets.get(id) else {
        return;
    };
    let Some(stack) = stage.cloudformation.stacks.get(&set.stack) else {
        return;
    };
    let review = stack.status == "REVIEW_IN_PROGRESS";
    let empty = !review && same(&stack.deployment, &set.deployment);
    let exports = stage
        .cloudformation
        .exports(&stack.account, &stack.region)
        .into_iter()
        .map(|(name, (value, _))| (name, value))
        .collect();
    let changes = changes(stack, &set.deployment, &exports);
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
    };
    let change = |action: &str, name: &str, physical_id: Option<&str>, kind: &str| {
        let mut change = json!({
            "Action": action,
            "LogicalResourceId": name,
            "PhysicalResourceId": physical_id,
            "ResourceType": kind,
            "Scope": [],
            "Details": [],
        });
        if let (true, Some(fields)) = (action == "Modify", change.as_object_mut()) {
            // Only the handler knows, when the change is carried out.
            fields.insert("Replacement".to_owned(), "Conditional".into());
            fields.insert("Scope".to_owned(), json!(["Properties"]));
        }
        json!({"Type": "Resource", "ResourceChange": change})
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
                // What refers to a resource that is still to be made can't be told: it changes.
                let properties = scope.resolve(&declaration.properties).ok().flatten();
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

/// A change set by ARN, or by name with its stack's.
fn lookup<'a>(
    stage: &'a Stage<'_>,
    caller: &Caller,
    input: Input<'_>,
) -> Result<&'a ChangeSet, ApiError> {
    let name = input.required("ChangeSetName")?;
    let missing = || {
        ApiError::new(
            "ChangeSetNotFound",
            format!("ChangeSet [{name}] does not exist"),
        )
        .status(404)
    };
    if name.starts_with("arn:") {
        return stage
            .cloudformation
            .change_sets
            .get(name)
            .ok_or_else(missing);
    }
    let stack = find(stage, caller, input.required("StackName")?)?;
    stage
        .cloudformation
        .change_sets
        .values()
        .find(|set| set.stack == stack.id && set.name == name)
        .ok_or_else(missing)
}

fn describe(stage: &Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["ChangeSetName", "StackName", "NextToken"])?;
    let set = lookup(stage, caller, input)?;
    let parameters: Vec<Value> = set
        .deployment
        .parameters
        .iter()
        .map(|(key, value)| json!({"ParameterKey": key, "ParameterValue": value}))
        .collect();
    let mut answer = summary(stage, set);
    let changes = listing(input, "Changes", set.changes.clone())?;
    for more in [
        json!({
            "Parameters": parameters,
            "NotificationARNs": [],
            "Capabilities": set.deployment.capabilities,
            "Tags": tags(&set.deployment.tags),
        }),
        changes,
    ] {
        if let Value::Object(fields) = more {
            answer.extend(fields);
        }
    }
    Ok(Value::Object(answer))
}

fn summary(stage: &Stage<'_>, set: &ChangeSet) -> Map<String, Value> {
    let stack = stage.cloudformation.stacks.get(&set.stack);
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
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn list(stage: &Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackName", "NextToken"])?;
    let stack = find(stage, caller, input.required("StackName")?)?;
    let sets = stage
        .cloudformation
        .change_sets
        .values()
        .filter(|set| set.stack == stack.id)
        .map(|set| Value::Object(summary(stage, set)))
        .collect();
    listing(input, "Summaries", sets)
}

fn execute(stage: &mut Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let known = [
        "ChangeSetName",
        "StackName",
        "ClientRequestToken",
        "DisableRollback",
    ];
    let input = Input::new(input, &known)?;
    let keep_failed = input.boolean("DisableRollback")? == Some(true);
    let set = lookup(stage, caller, input)?;
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
    let on_failure = if keep_failed {
        OnFailure::DoNothing
    } else {
        on_failure
    };
    let review = stage
        .cloudformation
        .stacks
        .get(&stack)
        .is_some_and(|it| it.status == "REVIEW_IN_PROGRESS");
    if review {
        let now = stage.now();
        if let Some(stack) = stage.cloudformation.stacks.get_mut(&stack) {
            stack.deployment = deployment;
            stack.pending = Some(Pending::Create(on_failure));
            stack.enter(now, "CREATE_IN_PROGRESS", Some("User Initiated".to_owned()));
        }
    } else if keep_failed {
        return Err(ApiError::validation(
            "The simulator supports DisableRollback only for change sets that create a stack.",
        ));
    } else {
        begin_update(stage, &stack, deployment)?;
    }
    // A stack's other change sets are void once one of them is executed.
    stage
        .cloudformation
        .change_sets
        .retain(|other, set| set.stack != stack || *other == id);
    if let Some(set) = stage.cloudformation.change_sets.get_mut(&id) {
        set.execution = "EXECUTE_COMPLETE";
    }
    stage.later(Task::Stack(stack));
    Ok(Value::Null)
}

fn delete(stage: &mut Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["ChangeSetName", "StackName"])?;
    let Ok(set) = lookup(stage, caller, input) else {
        return Ok(Value::Null);
    };
    let id = set.id.clone();
    stage.cloudformation.change_sets.remove(&id);
    Ok(Value::Null)
}
