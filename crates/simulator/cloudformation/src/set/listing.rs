//! The read-only actions on stack sets, instances, operations and drift.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{administers, find, living};
use crate::Stage;
use crate::action::{Answer, actions};
use crate::request::{CallAs, Filter, listing, page_size, request};
use crate::services::environment::Surprise;
use crate::set::{Instance, Location, Operation, StackSet};
use crate::stack::{drift, fold};
use crate::template::parameter::Given;
use crate::wire::api::{ApiError, Caller};
use crate::wire::paging::{bad_token, page_of};

actions! {
    Reads DescribeStackSet folded(describe);
    Reads ListStackSets folded(list);
    Reads ListStackInstances folded(list_instances);
    Reads DescribeStackInstance folded(describe_instance);
    Reads DescribeStackSetOperation folded(describe_operation);
    Reads ListStackSetOperations folded(list_operations);
    Reads ListStackSetOperationResults folded(list_results);
    Reads ListStackInstanceResourceDrifts unfolded(list_drifts);
    Reads ListStackSetAutoDeploymentTargets folded(list_targets);
}

request! { DescribeStackSet of stack set {} }

request! { ListStackSets {
    status: Option<Status>,
    next_token: Option<String>,
    max_results: Option<usize>,
    #[serde(default)]
    call_as: CallAs,
} }

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Active,
    Deleted,
}

request! { ListStackInstances of stack set {
    next_token: Option<String>,
    max_results: Option<usize>,
    #[serde(default)]
    filters: Vec<Filter<InstanceProperty>>,
    stack_instance_account: Option<String>,
    stack_instance_region: Option<String>,
} }

/// Filter names of `ListStackInstances`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum InstanceProperty {
    DetailedStatus,
    LastOperationId,
    DriftStatus,
}

request! { DescribeStackInstance of stack set {
    stack_instance_account: String,
    stack_instance_region: String,
} }

request! { DescribeStackSetOperation of stack set {
    operation_id: String,
} }

request! { ListStackSetOperations of stack set {
    next_token: Option<String>,
    max_results: Option<usize>,
} }

request! { ListStackSetOperationResults of stack set {
    operation_id: String,
    next_token: Option<String>,
    max_results: Option<usize>,
    #[serde(default)]
    filters: Vec<Filter<ResultProperty>>,
} }

/// Filter names of `ListStackSetOperationResults`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum ResultProperty {
    OperationResultStatus,
}

request! { ListStackInstanceResourceDrifts of stack set {
    next_token: Option<String>,
    max_results: Option<usize>,
    #[serde(default)]
    stack_instance_resource_drift_statuses: Vec<String>,
    stack_instance_account: String,
    stack_instance_region: String,
    operation_id: String,
} }

request! { ListStackSetAutoDeploymentTargets of stack set {
    next_token: Option<String>,
    max_results: Option<usize>,
} }

fn describe(request: &DescribeStackSet, stage: &Stage<'_>, caller: &Caller) -> Answer {
    let set = find(stage, caller, request.call_as, &request.stack_set_name)?;
    Ok(json!({"StackSet": set.describe()}))
}

fn list(request: &ListStackSets, stage: &Stage<'_>, caller: &Caller) -> Answer {
    let deleted = request.status.as_ref().map(|it| *it == Status::Deleted);
    let sets = if administers(stage, caller, request.call_as)? {
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
    let token = request.next_token.as_deref();
    listing("Summaries", sets, token, request.max_results)
}

impl Filter<InstanceProperty> {
    fn matches(&self, instance: &Instance) -> bool {
        let shown = match self.name {
            InstanceProperty::DetailedStatus => instance.detailed,
            InstanceProperty::LastOperationId => instance.operation.as_deref().unwrap_or_default(),
            InstanceProperty::DriftStatus => instance.drift,
        };
        shown == self.values.as_deref().unwrap_or_default()
    }
}

fn list_instances(request: &ListStackInstances, stage: &Stage<'_>, caller: &Caller) -> Answer {
    let set = living(stage, caller, request.call_as, &request.stack_set_name)?;
    let account = request.stack_instance_account.as_deref();
    let region = request.stack_instance_region.as_deref();
    let then = behind(stage, stage.lag.instances);
    let gone: BTreeMap<Location, &Instance> = set
        .removed
        .iter()
        .filter(|(_, _, at)| *at > then)
        .map(|(location, instance, _)| (location.clone(), instance))
        .collect();
    let token = request.next_token.as_deref();
    let start = match (start(token)?, account) {
        (Bound::Unbounded, Some(account)) => Bound::Included((account.into(), "".into())),
        (start, _) => start,
    };
    let found = merged(
        set.instances.range((start.clone(), Bound::Unbounded)),
        gone.range((start, Bound::Unbounded))
            .map(|(location, it)| (location, *it)),
    )
    .take_while(|(location, _)| account.is_none_or(|account| *account == *location.0))
    .filter(|(location, _)| region.is_none_or(|region| *region == *location.1))
    .filter_map(|(location, instance)| Some((location, instance.seen(then)?)))
    .filter(|(_, instance)| {
        request
            .filters
            .iter()
            .all(|filter| filter.matches(instance))
    });
    summaries(
        request.max_results,
        found,
        |(location, _)| location,
        |(location, instance)| instance.describe(set, location),
    )
}

/// The start of a page of locations: after the last one of the previous page.
fn start(token: Option<&str>) -> Result<Bound<Location>, ApiError> {
    match token {
        None | Some("") => Ok(Bound::Unbounded),
        Some(token) => token
            .split_once('/')
            .map(|(account, region)| Bound::Excluded((account.into(), region.into())))
            .ok_or_else(|| bad_token("cloudformation", token)),
    }
}

/// Merges two sorted listings; entries of the first take precedence.
fn merged<'a>(
    first: impl Iterator<Item = (&'a Location, &'a Instance)>,
    second: impl Iterator<Item = (&'a Location, &'a Instance)>,
) -> impl Iterator<Item = (&'a Location, &'a Instance)> {
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

/// A page of a listing by location that starts with the first of `found`.
fn summaries<'a, T>(
    most: Option<usize>,
    found: impl Iterator<Item = T>,
    location: impl Fn(&T) -> &'a Location,
    describe: impl Fn(T) -> Value,
) -> Result<Value, ApiError> {
    let size = page_size(most)?;
    let (page, next) = page_of(found, size, |item| {
        let (account, region) = location(item);
        format!("{account}/{region}")
    });
    let page: Vec<Value> = page.into_iter().map(describe).collect();
    Ok(json!({"Summaries": page, "NextToken": next}))
}

/// The time whose state a listing shows that lags by `seconds`.
fn behind(stage: &Stage<'_>, seconds: u32) -> Timestamp {
    let now = stage.now();
    now.checked_sub(SignedDuration::from_secs(i64::from(seconds)))
        .unwrap_or(now)
}

fn instance<'a>(
    set: &'a StackSet,
    account: &str,
    region: &str,
) -> Result<(Location, &'a Instance), ApiError> {
    let location = (account.into(), region.into());
    let instance = set.instances.get(&location).ok_or_else(|| {
        ApiError::new(
            "StackInstanceNotFoundException",
            format!("Stack instance for account {account} in Region {region} does not exist"),
        )
        .status(404)
    })?;
    Ok((location, instance))
}

fn describe_instance(
    request: &DescribeStackInstance,
    stage: &Stage<'_>,
    caller: &Caller,
) -> Answer {
    let set = living(stage, caller, request.call_as, &request.stack_set_name)?;
    let (account, region) = (
        &request.stack_instance_account,
        &request.stack_instance_region,
    );
    let (location, instance) = instance(set, account, region)?;
    let mut answer = instance.describe(set, &location);
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

fn operation<'a>(set: &'a StackSet, id: &str) -> Result<&'a Operation, ApiError> {
    set.operations.get(id).ok_or_else(|| {
        ApiError::new(
            "OperationNotFoundException",
            format!("Operation {id} not found"),
        )
        .status(404)
    })
}

fn describe_operation(
    request: &DescribeStackSetOperation,
    stage: &Stage<'_>,
    caller: &Caller,
) -> Answer {
    let set = find(stage, caller, request.call_as, &request.stack_set_name)?;
    let operation = operation(set, &request.operation_id)?;
    Ok(json!({"StackSetOperation": operation.describe(set)}))
}

/// How long operations are listed with [`Surprise::OperationsAreForgotten`]: 90 days.
const REMEMBERED: u32 = 90 * 86_400;

fn list_operations(request: &ListStackSetOperations, stage: &Stage<'_>, caller: &Caller) -> Answer {
    let set = find(stage, caller, request.call_as, &request.stack_set_name)?;
    let then = behind(stage, stage.lag.operations);
    let environment = &stage.services.environment;
    let since = if environment.surprises(Surprise::OperationsAreForgotten) {
        behind(stage, REMEMBERED)
    } else {
        Timestamp::MIN
    };
    let operations = set
        .operations
        .values()
        .rev()
        .filter(|operation| operation.created <= then && operation.created >= since)
        .map(|operation| operation.summary(then))
        .collect();
    let token = request.next_token.as_deref();
    listing("Summaries", operations, token, request.max_results)
}

fn list_results(
    request: &ListStackSetOperationResults,
    stage: &Stage<'_>,
    caller: &Caller,
) -> Answer {
    let set = find(stage, caller, request.call_as, &request.stack_set_name)?;
    let then = behind(stage, stage.lag.results);
    let start = start(request.next_token.as_deref())?;
    let wanted = |shown: &str| {
        let mut filters = request.filters.iter();
        filters.all(|filter| match filter.name {
            ResultProperty::OperationResultStatus => {
                shown == filter.values.as_deref().unwrap_or_default()
            }
        })
    };
    let found = operation(set, &request.operation_id)?
        .results
        .range((start, Bound::Unbounded))
        .filter_map(|(location, result)| {
            let status = if result.changed <= then {
                result.status
            } else {
                result.before
            };
            (!status.is_empty()).then_some((location, result, status))
        })
        .filter(|(_, _, shown)| wanted(shown));
    summaries(
        request.max_results,
        found,
        |(location, _, _)| location,
        |((account, region), result, status)| {
            let reason = result.reason.as_ref().filter(|_| status == result.status);
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

fn list_drifts(
    request: &ListStackInstanceResourceDrifts,
    stage: &mut Stage<'_>,
    caller: &Caller,
) -> Answer {
    let set = living(stage, caller, request.call_as, &request.stack_set_name)?;
    operation(set, &request.operation_id)?;
    let (account, region) = (
        &request.stack_instance_account,
        &request.stack_instance_region,
    );
    let (_, instance) = instance(set, account, region)?;
    let statuses = &request.stack_instance_resource_drift_statuses;
    let drifts = match instance.stack.clone() {
        Some(stack) => {
            // The request names the account, and reads its stack without being one of its own.
            stage.cloudformation.remember_look(account);
            drift::describe_folded(stage, &stack, statuses).unwrap_or_else(|| {
                fold::unfold(stage, &stack);
                drift::describe(stage, &stack, statuses, false)
            })
        }
        None => Vec::new(),
    };
    let token = request.next_token.as_deref();
    listing("Summaries", drifts, token, request.max_results)
}

fn list_targets(
    request: &ListStackSetAutoDeploymentTargets,
    stage: &Stage<'_>,
    caller: &Caller,
) -> Answer {
    let set = living(stage, caller, request.call_as, &request.stack_set_name)?;
    let targets = set
        .targets
        .iter()
        .map(|(unit, regions)| json!({"OrganizationalUnitId": unit, "Regions": regions}))
        .collect();
    let token = request.next_token.as_deref();
    listing("Summaries", targets, token, request.max_results)
}
