//! Targets and the validation of `PutTargets`.

use std::collections::{BTreeMap, BTreeSet};

use eventbridge_pattern::transformer::{InputTransformer, check_input, check_path};
use serde_json::Value;

use super::{Bus, is_name, limit_exceeded, validation};
use crate::arn::Arn;
use crate::iam::role_account;
use crate::wire::api::ApiError;

/// Maximum targets per rule, not adjustable.
const TARGETS_PER_RULE: usize = 5;

/// The kind of resource that a target's ARN names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination<'a> {
    Bus { account: &'a str, region: &'a str },
    Topic { account: &'a str, region: &'a str },
    Queue { account: &'a str, region: &'a str },
    Automation { region: &'a str, document: &'a str },
}

/// Parses a target's ARN; `None` if the simulator can't deliver to it.
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

/// Parses a target's `InputTransformer`.
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

/// Checks all targets of a rule, including their number.
pub(super) fn check_all(targets: &[Value], bus: &Bus) -> Result<(), ApiError> {
    if targets.len() > TARGETS_PER_RULE {
        return Err(limit_exceeded(TARGETS_PER_RULE, "targets per rule"));
    }
    let mut ids = BTreeSet::new();
    for target in targets {
        let id = text(target, "Id").unwrap_or_default();
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
    check_role(target, id, bus)?;
    check_destination(target, id, bus)?;
    check_forms(target, id)?;
    check_dead_letters(target, id, bus)?;
    check_retries(target, id)
}

fn text<'a>(target: &'a Value, name: &str) -> Option<&'a str> {
    target.get(name).and_then(Value::as_str)
}

fn check_role(target: &Value, id: &str, bus: &Bus) -> Result<(), ApiError> {
    let Some(role) = text(target, "RoleArn") else {
        return Ok(());
    };
    match role_account(role) {
        None => Err(validation(format!(
            "RoleArn of target {id} is not a role's ARN: {role}"
        ))),
        Some(account) if account != bus.account => Err(ApiError::new(
            "AccessDeniedException",
            format!("Cross-account pass role is not allowed: {role}"),
        )),
        Some(_) => Ok(()),
    }
}

fn check_destination(target: &Value, id: &str, bus: &Bus) -> Result<(), ApiError> {
    let arn = text(target, "Arn").unwrap_or_default();
    let has_role = text(target, "RoleArn").is_some();
    let refused = |why: &str| {
        Err(validation(format!(
            "Parameter {arn} is not valid for target {id}. Reason: {why}"
        )))
    };
    let other_region = "The target must be in the Region of the rule.";
    match destination(arn) {
        None => {
            refused("Provided Arn is not in correct format, or the simulator cannot deliver to it.")
        }
        Some(Destination::Bus { account, region }) => {
            let here = account == bus.account && region == bus.region;
            if !here && target.get("InputTransformer").is_some() {
                refused(
                    "InputTransformer is not supported for an event bus of another account or Region.",
                )
            } else if region != bus.region && !has_role {
                refused("RoleArn is required for an event bus of another Region.")
            } else {
                Ok(())
            }
        }
        Some(Destination::Topic { account, region } | Destination::Queue { account, region }) => {
            if region != bus.region {
                refused(other_region)
            } else if account != bus.account && !has_role {
                refused("RoleArn is required for a target of another account.")
            } else {
                Ok(())
            }
        }
        Some(Destination::Automation { region, .. }) if region != bus.region => {
            refused(other_region)
        }
        Some(Destination::Automation { .. }) if !has_role => {
            refused("RoleArn is required for target.")
        }
        Some(Destination::Automation { .. }) => Ok(()),
    }
}

fn check_dead_letters(target: &Value, id: &str, bus: &Bus) -> Result<(), ApiError> {
    let letters = target
        .pointer("/DeadLetterConfig/Arn")
        .and_then(Value::as_str);
    let standard_queue_here = |letters: &str| {
        Arn::parse(letters).is_some_and(|queue| {
            queue.service == "sqs"
                && queue.region == bus.region
                && queue.resource.strip_suffix(".fifo").is_none()
        })
    };
    match letters {
        Some(letters) if !standard_queue_here(letters) => Err(validation(format!(
            "DeadLetterConfig of target {id} must be a standard SQS queue of the same Region: {letters}"
        ))),
        _ => Ok(()),
    }
}

fn check_retries(target: &Value, id: &str) -> Result<(), ApiError> {
    for (field, low, high) in [
        ("MaximumRetryAttempts", 0, 185),
        ("MaximumEventAgeInSeconds", 60, 86_400),
    ] {
        let value = target
            .get("RetryPolicy")
            .and_then(|policy| policy.get(field));
        let allowed = |value: &Value| {
            value
                .as_i64()
                .is_some_and(|value| (low..=high).contains(&value))
        };
        if let Some(value) = value.filter(|value| !allowed(value)) {
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
    if let Some(input) = text(target, "Input") {
        check_input(input).map_err(|error| validation(error.message))?;
    }
    if let Some(path) = text(target, "InputPath").filter(|path| !path.is_empty()) {
        check_path(path).map_err(|error| validation(error.message))?;
    }
    transformer(target)?;
    Ok(())
}
