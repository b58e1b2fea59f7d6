//! The actions that tell about stack sets, their instances, operations and drift.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::api::{administers, ever_named, named};
use crate::api::{ApiError, Caller};
use crate::cloudformation::set::{Instance, Operation, Spot, StackSet};
use crate::cloudformation::stack::api::{list_with, listing};
use crate::cloudformation::stack::drift;
use crate::cloudformation::template::parameter::Given;
use crate::input::Input;
use crate::world::World;

pub(crate) fn describe(world: &World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackSetName", "CallAs"])?;
    let set = ever_named(world, caller, input)?;
    Ok(json!({"StackSet": set.describe()}))
}

pub(crate) fn list(world: &World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["Status", "CallAs", "NextToken", "MaxResults"])?;
    let deleted = match input.text("Status") {
        None => None,
        Some("ACTIVE") => Some(false),
        Some("DELETED") => Some(true),
        Some(other) => return Err(ApiError::validation(format!("Status {other} is not valid"))),
    };
    let sets = if administers(world, caller, input)? {
        world
            .cloudformation
            .sets
            .all()
            .filter(|set| set.region == caller.region)
            .filter(|set| deleted.is_none_or(|deleted| deleted == set.deleted))
            .map(StackSet::summary)
            .collect()
    } else {
        Vec::new()
    };
    listing(input, "Summaries", sets)
}

pub(crate) fn list_instances(
    world: &World,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let known = [
        "StackSetName",
        "NextToken",
        "MaxResults",
        "Filters",
        "StackInstanceAccount",
        "StackInstanceRegion",
        "CallAs",
    ];
    let input = Input::new(input, &known)?;
    let set = named(world, caller, input)?;
    let filters = input.pairs("Filters", "Name", "Values")?;
    let (account, region) = (
        input.text("StackInstanceAccount"),
        input.text("StackInstanceRegion"),
    );
    let matches = |instance: &Instance| -> Result<bool, ApiError> {
        for (name, value) in &filters {
            let holds = match name.as_str() {
                "DETAILED_STATUS" => instance.detailed == value,
                "LAST_OPERATION_ID" => instance.operation.as_ref() == Some(value),
                "DRIFT_STATUS" => instance.drift == value,
                _ => return Err(no_filter(name)),
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    };
    let then = behind(world, world.faults.faults.lag.instances);
    let gone = set
        .removed
        .iter()
        .filter(|(_, _, at)| *at > then)
        .map(|(spot, instance, _)| (spot, instance));
    let mut found = Vec::new();
    for (spot, instance) in set.instances.iter().chain(gone) {
        let here = account.is_none_or(|account| account == spot.0)
            && region.is_none_or(|region| region == spot.1);
        if here
            && let Some(instance) = instance.seen(then)
            && matches(&instance)?
        {
            found.push((spot, instance));
        }
    }
    list_with(input, "Summaries", found, |(spot, instance)| {
        instance.describe(set, spot)
    })
}

/// The time that a listing shows which is so many seconds behind.
fn behind(world: &World, seconds: u32) -> Timestamp {
    let now = world.clock.now();
    now.checked_sub(SignedDuration::from_secs(i64::from(seconds)))
        .unwrap_or(now)
}

fn no_filter(name: &str) -> ApiError {
    ApiError::validation(format!("The filter {name} is not valid"))
}

fn instance<'a>(set: &'a StackSet, input: Input<'_>) -> Result<(Spot, &'a Instance), ApiError> {
    let spot = (
        input.required("StackInstanceAccount")?.to_owned(),
        input.required("StackInstanceRegion")?.to_owned(),
    );
    let instance = set.instances.get(&spot).ok_or_else(|| {
        ApiError::new(
            "StackInstanceNotFoundException",
            format!(
                "Stack instance for account {} in Region {} does not exist",
                spot.0, spot.1
            ),
        )
        .status(404)
    })?;
    Ok((spot, instance))
}

pub(crate) fn describe_instance(
    world: &World,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let known = [
        "StackSetName",
        "StackInstanceAccount",
        "StackInstanceRegion",
        "CallAs",
    ];
    let input = Input::new(input, &known)?;
    let set = named(world, caller, input)?;
    let (spot, instance) = instance(set, input)?;
    let mut answer = instance.describe(set, &spot);
    let overrides: Vec<Value> = instance
        .overrides
        .iter()
        .filter_map(|(key, value)| match value {
            Given::Value(value) => Some(json!({"ParameterKey": key, "ParameterValue": value})),
            Given::Previous => None,
        })
        .collect();
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("ParameterOverrides".to_owned(), overrides.into());
    }
    Ok(json!({"StackInstance": answer}))
}

fn operation<'a>(set: &'a StackSet, input: Input<'_>) -> Result<&'a Operation, ApiError> {
    let id = input.required("OperationId")?;
    set.operations.get(id).ok_or_else(|| {
        ApiError::new(
            "OperationNotFoundException",
            format!("Operation {id} not found"),
        )
        .status(404)
    })
}

pub(crate) fn describe_operation(
    world: &World,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackSetName", "OperationId", "CallAs"])?;
    let set = ever_named(world, caller, input)?;
    Ok(json!({"StackSetOperation": operation(set, input)?.describe(set)}))
}

pub(crate) fn list_operations(
    world: &World,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let input = Input::new(
        input,
        &["StackSetName", "NextToken", "MaxResults", "CallAs"],
    )?;
    let set = ever_named(world, caller, input)?;
    let then = behind(world, world.faults.faults.lag.operations);
    let operations = set
        .operations
        .values()
        .rev()
        .filter(|operation| operation.created <= then)
        .map(|operation| operation.summary(then))
        .collect();
    listing(input, "Summaries", operations)
}

pub(crate) fn list_results(
    world: &World,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let known = [
        "StackSetName",
        "OperationId",
        "NextToken",
        "MaxResults",
        "CallAs",
        "Filters",
    ];
    let input = Input::new(input, &known)?;
    let set = ever_named(world, caller, input)?;
    let filters = input.pairs("Filters", "Name", "Values")?;
    if let Some((name, _)) = filters
        .iter()
        .find(|(name, _)| name != "OPERATION_RESULT_STATUS")
    {
        return Err(no_filter(name));
    }
    let then = behind(world, world.faults.faults.lag.results);
    let found = operation(set, input)?
        .results
        .iter()
        .filter_map(|(spot, result)| {
            let status = if result.changed <= then {
                result.status
            } else {
                result.before
            };
            (!status.is_empty()).then_some((spot, result, status))
        })
        .filter(|(_, _, shown)| filters.iter().all(|(_, status)| shown == status))
        .collect();
    list_with(
        input,
        "Summaries",
        found,
        |((account, region), result, status)| {
            let reason = if status == result.status {
                result.reason.as_ref()
            } else {
                None
            };
            json!({
                "Account": account,
                "Region": region,
                "Status": status,
                "StatusReason": reason,
                "AccountGateResult": {
                    "Status": "SKIPPED",
                    "StatusReason": "The account gate function does not exist",
                },
                "OrganizationalUnitId": result.unit,
            })
        },
    )
}

pub(crate) fn list_drifts(
    world: &World,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let known = [
        "StackSetName",
        "NextToken",
        "MaxResults",
        "StackInstanceResourceDriftStatuses",
        "StackInstanceAccount",
        "StackInstanceRegion",
        "OperationId",
        "CallAs",
    ];
    let input = Input::new(input, &known)?;
    let set = named(world, caller, input)?;
    operation(set, input)?;
    let (_, instance) = instance(set, input)?;
    let statuses = input.texts("StackInstanceResourceDriftStatuses")?;
    let drifts = match &instance.stack {
        Some(stack) => drift::describe(world, stack, &statuses, false),
        None => Vec::new(),
    };
    listing(input, "Summaries", drifts)
}

pub(crate) fn list_targets(
    world: &World,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let input = Input::new(
        input,
        &["StackSetName", "NextToken", "MaxResults", "CallAs"],
    )?;
    let set = named(world, caller, input)?;
    let targets = set
        .targets
        .iter()
        .map(|(unit, regions)| json!({"OrganizationalUnitId": unit, "Regions": regions}))
        .collect();
    listing(input, "Summaries", targets)
}
