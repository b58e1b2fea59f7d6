//! The actions that tell about stack sets, their instances, operations and drift.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::api::{administers, ever_named, named};
use crate::cloudformation::Stage;
use crate::cloudformation::set::{Instance, Operation, Spot, StackSet};
use crate::cloudformation::stack::api::{listing, page_size};
use crate::cloudformation::stack::{drift, fold};
use crate::cloudformation::template::parameter::Given;
use crate::input::Input;
use crate::wire::api::{ApiError, Caller};
use crate::wire::paging::{bad_token, page_of};

pub(crate) fn describe(
    stage: &Stage<'_>,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackSetName", "CallAs"])?;
    let set = ever_named(stage, caller, input)?;
    Ok(json!({"StackSet": set.describe()}))
}

pub(crate) fn list(stage: &Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["Status", "CallAs", "NextToken", "MaxResults"])?;
    let deleted = match input.text("Status") {
        None => None,
        Some("ACTIVE") => Some(false),
        Some("DELETED") => Some(true),
        Some(other) => return Err(ApiError::validation(format!("Status {other} is not valid"))),
    };
    let sets = if administers(stage, caller, input)? {
        stage
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
    stage: &Stage<'_>,
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
    let set = named(stage, caller, input)?;
    let filters = input.pairs("Filters", "Name", "Values")?;
    let (account, region) = (
        input.text("StackInstanceAccount"),
        input.text("StackInstanceRegion"),
    );
    let known = ["DETAILED_STATUS", "LAST_OPERATION_ID", "DRIFT_STATUS"];
    if let Some((name, _)) = filters
        .iter()
        .find(|(name, _)| !known.contains(&name.as_str()))
    {
        return Err(no_filter(name));
    }
    let matches = |instance: &Instance| {
        filters.iter().all(|(name, value)| match name.as_str() {
            "DETAILED_STATUS" => instance.detailed == value,
            "LAST_OPERATION_ID" => instance.operation.as_deref() == Some(value.as_str()),
            _ => instance.drift == value,
        })
    };
    let then = behind(stage, stage.lag.instances);
    let gone: BTreeMap<Spot, &Instance> = set
        .removed
        .iter()
        .filter(|(_, _, at)| *at > then)
        .map(|(spot, instance, _)| (spot.clone(), instance))
        .collect();
    let start = match (start(input)?, account) {
        (Bound::Unbounded, Some(account)) => Bound::Included((account.into(), "".into())),
        (start, _) => start,
    };
    let found = merged(
        set.instances.range((start.clone(), Bound::Unbounded)),
        gone.range((start, Bound::Unbounded))
            .map(|(spot, it)| (spot, *it)),
    )
    .take_while(|(spot, _)| account.is_none_or(|account| *account == *spot.0))
    .filter(|(spot, _)| region.is_none_or(|region| *region == *spot.1))
    .filter_map(|(spot, instance)| Some((spot, instance.seen(then)?)))
    .filter(|(_, instance)| matches(instance));
    summaries(
        input,
        found,
        |(spot, _)| spot,
        |(spot, instance)| instance.describe(set, spot),
    )
}

/// Where a listing of accounts and Regions goes on: after the last one of the page before.
fn start(input: Input<'_>) -> Result<Bound<Spot>, ApiError> {
    match input.text("NextToken") {
        None | Some("") => Ok(Bound::Unbounded),
        Some(token) => token
            .split_once('/')
            .map(|(account, region)| Bound::Excluded((account.into(), region.into())))
            .ok_or_else(|| bad_token("cloudformation", token)),
    }
}

/// Two listings in one order; of what is in both, the first one counts.
fn merged<'a>(
    first: impl Iterator<Item = (&'a Spot, &'a Instance)>,
    second: impl Iterator<Item = (&'a Spot, &'a Instance)>,
) -> impl Iterator<Item = (&'a Spot, &'a Instance)> {
    let (mut first, mut second) = (first.peekable(), second.peekable());
    std::iter::from_fn(move || match (first.peek(), second.peek()) {
        (Some((left, _)), Some((right, _))) => match left.cmp(right) {
            Ordering::Equal => {
                second.next();
                first.next()
            }
            Ordering::Less => first.next(),
            Ordering::Greater => second.next(),
        },
        (Some(_), None) => first.next(),
        (None, _) => second.next(),
    })
}

/// The page of a listing by accounts and Regions that begins with the first of `found`.
fn summaries<'a, T>(
    input: Input<'_>,
    found: impl Iterator<Item = T>,
    spot: impl Fn(&T) -> &'a Spot,
    describe: impl Fn(T) -> Value,
) -> Result<Value, ApiError> {
    let size = page_size(input)?;
    let (page, next) = page_of(found, size, |item| {
        let (account, region) = spot(item);
        format!("{account}/{region}")
    });
    let page: Vec<Value> = page.into_iter().map(describe).collect();
    Ok(json!({"Summaries": page, "NextToken": next}))
}

/// The time that a listing shows which is so many seconds behind.
fn behind(stage: &Stage<'_>, seconds: u32) -> Timestamp {
    let now = stage.now();
    now.checked_sub(SignedDuration::from_secs(i64::from(seconds)))
        .unwrap_or(now)
}

fn no_filter(name: &str) -> ApiError {
    ApiError::validation(format!("The filter {name} is not valid"))
}

fn instance<'a>(set: &'a StackSet, input: Input<'_>) -> Result<(Spot, &'a Instance), ApiError> {
    let spot = (
        input.required("StackInstanceAccount")?.into(),
        input.required("StackInstanceRegion")?.into(),
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
    stage: &Stage<'_>,
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
    let set = named(stage, caller, input)?;
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
    stage: &Stage<'_>,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackSetName", "OperationId", "CallAs"])?;
    let set = ever_named(stage, caller, input)?;
    Ok(json!({"StackSetOperation": operation(set, input)?.describe(set)}))
}

pub(crate) fn list_operations(
    stage: &Stage<'_>,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let input = Input::new(
        input,
        &["StackSetName", "NextToken", "MaxResults", "CallAs"],
    )?;
    let set = ever_named(stage, caller, input)?;
    let then = behind(stage, stage.lag.operations);
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
    stage: &Stage<'_>,
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
    let set = ever_named(stage, caller, input)?;
    let filters = input.pairs("Filters", "Name", "Values")?;
    if let Some((name, _)) = filters
        .iter()
        .find(|(name, _)| name != "OPERATION_RESULT_STATUS")
    {
        return Err(no_filter(name));
    }
    let then = behind(stage, stage.lag.results);
    let found = operation(set, input)?
        .results
        .range((start(input)?, Bound::Unbounded))
        .filter_map(|(spot, result)| {
            let status = if result.changed <= then {
                result.status
            } else {
                result.before
            };
            (!status.is_empty()).then_some((spot, result, status))
        })
        .filter(|(_, _, shown)| filters.iter().all(|(_, status)| shown == status));
    summaries(
        input,
        found,
        |(spot, _, _)| spot,
        |((account, region), result, status)| {
            let reason = if status == result.status {
                result.reason.as_ref()
            } else {
                None
            };
            json!({
                "Account": &**account,
                "Region": &**region,
                "Status": status,
                "StatusReason": reason,
                "AccountGateResult": {
                    "Status": "SKIPPED",
                    "StatusReason": "The account gate function does not exist",
                },
                "OrganizationalUnitId": &*result.unit,
            })
        },
    )
}

pub(crate) fn list_drifts(
    stage: &mut Stage<'_>,
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
    let set = named(stage, caller, input)?;
    operation(set, input)?;
    let (_, instance) = instance(set, input)?;
    let statuses = input.texts("StackInstanceResourceDriftStatuses")?;
    let drifts = match instance.stack.clone() {
        Some(stack) => {
            fold::unfold(stage, &stack);
            drift::describe(stage, &stack, &statuses, false)
        }
        None => Vec::new(),
    };
    listing(input, "Summaries", drifts)
}

pub(crate) fn list_targets(
    stage: &Stage<'_>,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let input = Input::new(
        input,
        &["StackSetName", "NextToken", "MaxResults", "CallAs"],
    )?;
    let set = named(stage, caller, input)?;
    let targets = set
        .targets
        .iter()
        .map(|(unit, regions)| json!({"OrganizationalUnitId": unit, "Regions": regions}))
        .collect();
    listing(input, "Summaries", targets)
}
