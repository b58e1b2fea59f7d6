//! What `PutTargets` accepts.

use std::collections::{BTreeMap, BTreeSet};

use eventbridge_pattern::transformer::{InputTransformer, check_input, check_path};
use serde_json::Value;

use super::{Bus, TARGETS_PER_RULE, is_name, validation};
use crate::services::arn::Arn;
use crate::services::iam::role_account;
use crate::wire::api::ApiError;

/// What a target's ARN points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination<'a> {
    Bus { account: &'a str, region: &'a str },
    Topic { account: &'a str, region: &'a str },
    Queue { account: &'a str, region: &'a str },
    Automation { region: &'a str, document: &'a str },
}

/// Reads a target's ARN; the services the simulator can deliver to.
pub(crate) fn destination(arn: &str) -> Option<Destination<'_>> {
    let parsed = Arn::parse(arn)?;
    let (account, region) = (parsed.account, parsed.region);
    let numbered = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    match parsed.service {
        "events" if numbered => {
            let name = parsed.resource.strip_prefix("event-bus/")?;
            is_name(name, 256).then_some(Destination::Bus { account, region })
        }
        "sns" if numbered => Some(Destination::Topic { account, region }),
        "sqs" if numbered => Some(Destination::Queue { account, region }),
        "ssm" => {
            let rest = parsed.resource.strip_prefix("automation-definition/")?;
            let document = rest.split(':').next().filter(|name| !name.is_empty())?;
            Some(Destination::Automation { region, document })
        }
        _ => None,
    }
}

/// The transformer of a target, parsed.
pub(super) fn transformer(target: &Value) -> Result<Option<InputTransformer>, ApiError> {
    let Some(written) = target.get("InputTransformer") else {
        return Ok(None);
    };
    let template = written
        .get("InputTemplate")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let paths: BTreeMap<String, String> = written
        .get("InputPathsMap")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    InputTransformer::new(&paths, template)
        .map(Some)
        .map_err(|error| validation(error.message))
}

/// Checks all targets of a rule.
pub(super) fn check_all(targets: &[Value], bus: &Bus) -> Result<(), ApiError> {
    if targets.len() > TARGETS_PER_RULE {
        return Err(ApiError::new(
            "LimitExceededException",
            format!(
                "The requested resource exceeds the maximum number allowed: {TARGETS_PER_RULE} targets per rule."
            ),
        ));
    }
    let mut ids = BTreeSet::new();
    for target in targets {
        let id = target.get("Id").and_then(Value::as_str).unwrap_or_default();
        if !is_name(id, 64) {
            return Err(validation(format!("Invalid target id {id:?}.")));
        }
        if !ids.insert(id) {
            return Err(validation(format!("Duplicate target id {id}.")));
        }
        check(target, id, bus)?;
    }
    Ok(())
}

fn check(target: &Value, id: &str, bus: &Bus) -> Result<(), ApiError> {
    let text = |name: &str| target.get(name).and_then(Value::as_str);
    let arn = text("Arn").unwrap_or_default();
    let refused = |why: &str| {
        validation(format!(
            "Parameter {arn} is not valid for target {id}. Reason: {why}"
        ))
    };
    let destination = destination(arn).ok_or_else(|| {
        refused("Provided Arn is not in correct format, or the simulator cannot deliver to it.")
    })?;
    let role = text("RoleArn");
    match role {
        Some(role) if role_account(role).is_none() => {
            return Err(validation(format!(
                "RoleArn of target {id} is not a role's ARN: {role}"
            )));
        }
        Some(role) if role_account(role) != Some(bus.account.as_str()) => {
            return Err(ApiError::new(
                "AccessDeniedException",
                format!("Cross-account pass role is not allowed: {role}"),
            ));
        }
        _ => {}
    }
    let same_account = |account: &str| account == bus.account;
    match destination {
        Destination::Bus { account, region } => {
            if !same_account(account) || region != bus.region {
                if target.get("InputTransformer").is_some() {
                    return Err(refused(
                        "InputTransformer is not supported for an event bus of another account or Region.",
                    ));
                }
                if role.is_none() && region != bus.region {
                    return Err(refused(
                        "RoleArn is required for an event bus of another Region.",
                    ));
                }
            }
        }
        Destination::Topic { account, region } | Destination::Queue { account, region } => {
            if region != bus.region {
                return Err(refused("The target must be in the Region of the rule."));
            }
            if !same_account(account) && role.is_none() {
                return Err(refused(
                    "RoleArn is required for a target of another account.",
                ));
            }
        }
        Destination::Automation { region, .. } => {
            if region != bus.region {
                return Err(refused("The target must be in the Region of the rule."));
            }
            if role.is_none() {
                return Err(refused("RoleArn is required for target."));
            }
        }
    }
    check_forms(target, id)?;
    if let Some(letters) = target
        .pointer("/DeadLetterConfig/Arn")
        .and_then(Value::as_str)
    {
        let good = Arn::parse(letters).is_some_and(|queue| {
            queue.service == "sqs"
                && queue.region == bus.region
                && queue.resource.strip_suffix(".fifo").is_none()
        });
        if !good {
            return Err(validation(format!(
                "DeadLetterConfig of target {id} must be a standard SQS queue of the same Region: {letters}"
            )));
        }
    }
    for (field, low, high) in [
        ("MaximumRetryAttempts", 0, 185),
        ("MaximumEventAgeInSeconds", 60, 86_400),
    ] {
        if let Some(value) = target
            .get("RetryPolicy")
            .and_then(|policy| policy.get(field))
            && !value
                .as_i64()
                .is_some_and(|value| (low..=high).contains(&value))
        {
            return Err(validation(format!(
                "RetryPolicy of target {id}: {field} must be between {low} and {high}, not {value}"
            )));
        }
    }
    Ok(())
}

fn check_forms(target: &Value, id: &str) -> Result<(), ApiError> {
    let forms = ["Input", "InputPath", "InputTransformer"];
    let given = forms
        .iter()
        .filter(|name| target.get(**name).is_some())
        .count();
    if given > 1 {
        return Err(validation(format!(
            "Only one of Input, InputPath, or InputTransformer must be provided for target {id}."
        )));
    }
    if let Some(input) = target.get("Input").and_then(Value::as_str) {
        check_input(input).map_err(|error| validation(error.message))?;
    }
    if let Some(path) = target.get("InputPath").and_then(Value::as_str)
        && !path.is_empty()
    {
        check_path(path).map_err(|error| validation(error.message))?;
    }
    transformer(target)?;
    Ok(())
}
