//! The API actions of EventBridge.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Bus, Origin, Rule, arrive, bus_arn, not_found, parse_pattern, targets, validation};
use crate::input::Input;
use crate::policy::{Context, Named, Request, Verdict, combine};
use crate::services::Services;
use crate::services::environment::Cloud;
use crate::services::{Trace, iam, json_text, tags};
use crate::wire::api::{ApiError, Caller};

/// Entries per `PutEvents` call.
const ENTRIES: usize = 10;

/// Answers one EventBridge action.
pub(crate) fn call(
    cloud: &mut Cloud<'_>,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    match action {
        "DescribeEventBus" => {
            let input = Input::new(input, &["Name"])?;
            let bus = bus(cloud, caller, input.text("Name"))?;
            Ok(describe_bus(bus))
        }
        "ListEventBuses" => {
            let input = Input::new(input, &["NamePrefix", "NextToken", "Limit"])?;
            bus(cloud, caller, None)?;
            let prefix = input.text("NamePrefix").unwrap_or_default();
            let buses = cloud
                .events
                .buses
                .values()
                .filter(|bus| {
                    bus.account == caller.account
                        && bus.region == caller.region
                        && bus.name.starts_with(prefix)
                })
                .map(describe_bus)
                .collect();
            listing("EventBuses", buses, input)
        }
        "CreateEventBus" => {
            let input = Input::new(
                input,
                &[
                    "Name",
                    "Description",
                    "KmsKeyIdentifier",
                    "DeadLetterConfig",
                    "Tags",
                ],
            )?;
            let name = input.required("Name")?;
            let mut properties = Map::new();
            for key in [
                "Name",
                "Description",
                "KmsKeyIdentifier",
                "DeadLetterConfig",
                "Tags",
            ] {
                if let Some(value) = input.value(key) {
                    properties.insert(key.to_owned(), value.clone());
                }
            }
            let arn = super::create_bus(cloud, &caller.account, &caller.region, name, properties)?;
            Ok(json!({"EventBusArn": arn}))
        }
        "DeleteEventBus" => {
            let input = Input::new(input, &["Name"])?;
            delete_bus(
                cloud,
                &caller.account,
                &caller.region,
                input.required("Name")?,
            )?;
            Ok(json!({}))
        }
        "PutPermission" => put_permission(cloud, caller, input),
        "RemovePermission" => {
            let input = Input::new(
                input,
                &["StatementId", "RemoveAllPermissions", "EventBusName"],
            )?;
            let bus = bus_mut(cloud, caller, input.text("EventBusName"))?;
            if input.boolean("RemoveAllPermissions")? == Some(true) {
                bus.properties.remove("Policy");
                bus.policy = None;
                return Ok(json!({}));
            }
            let id = input.required("StatementId")?;
            if bus.remove_statement(id)? {
                Ok(json!({}))
            } else {
                Err(not_found(format!("Statement {id} does not exist.")))
            }
        }
        "PutEvents" => put_events(cloud, caller, input),
        "TestEventPattern" => {
            let input = Input::new(input, &["EventPattern", "Event"])?;
            let pattern = parse_pattern(input.required("EventPattern")?)?;
            let text = input.required("Event")?;
            let event: Value = serde_json::from_str(text).map_err(|_| {
                ApiError::new("InvalidEventPatternException", "Event is not valid JSON.")
            })?;
            for field in [
                "id",
                "account",
                "source",
                "time",
                "region",
                "resources",
                "detail-type",
            ] {
                if event.get(field).is_none() {
                    return Err(validation(format!(
                        "Parameter Event is not valid. Reason: {field} is missing."
                    )));
                }
            }
            let event = eventbridge_pattern::Event::parse(text)
                .map_err(|error| validation(error.to_string()))?;
            Ok(json!({"Result": pattern.matches(&event).unwrap_or(true)}))
        }
        "ListTagsForResource" => {
            let input = Input::new(input, &["ResourceARN"])?;
            let arn = input.required("ResourceARN")?;
            let buses = &cloud.events.buses;
            let properties = buses.get(arn).map(|bus| &bus.properties).or_else(|| {
                buses
                    .values()
                    .flat_map(|bus| bus.rules.values())
                    .find(|rule| rule.arn == arn)
                    .map(|rule| &rule.properties)
            });
            properties
                .map(|properties| json!({"Tags": tags(properties)}))
                .ok_or_else(|| not_found(format!("{arn} does not exist.")))
        }
        _ => rule_call(cloud, caller, action, input),
    }
}

fn rule_call(
    services: &mut Services,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    match action {
        "PutRule" => {
            let allowed = [
                "Name",
                "EventBusName",
                "EventPattern",
                "ScheduleExpression",
                "State",
                "Description",
                "RoleArn",
                "Tags",
            ];
            let input = Input::new(input, &allowed)?;
            let name = input.required("Name")?;
            let bus_name = bus_mut(services, caller, input.text("EventBusName"))?
                .name
                .clone();
            let mut properties = Map::new();
            for key in [
                "Description",
                "State",
                "RoleArn",
                "ScheduleExpression",
                "Tags",
                "EventBusName",
            ] {
                if let Some(value) = input.value(key) {
                    properties.insert(key.to_owned(), value.clone());
                }
            }
            if let Some(text) = input.text("EventPattern") {
                parse_pattern(text)?;
                properties.insert(
                    "EventPattern".to_owned(),
                    serde_json::from_str(text).unwrap_or_default(),
                );
            }
            // PutRule leaves tags alone on a rule that exists.
            if let Some(rule) = rule(services, caller, input.text("EventBusName"), name)
                && let Some(old) = rule.properties.get("Tags")
            {
                properties.insert("Tags".to_owned(), old.clone());
            }
            let arn = super::put_rule(
                services,
                &caller.account,
                &caller.region,
                &bus_name,
                name,
                properties,
            )?;
            Ok(json!({"RuleArn": arn}))
        }
        "DescribeRule" => {
            let input = Input::new(input, &["Name", "EventBusName"])?;
            let name = input.required("Name")?;
            let found = existing(services, caller, input, name)?;
            let mut answer = describe_rule(found, input.text("EventBusName"));
            if let Some(answer) = answer.as_object_mut() {
                answer.insert("CreatedBy".to_owned(), json!(caller.account));
            }
            Ok(answer)
        }
        "ListRules" => {
            let input = Input::new(input, &["NamePrefix", "EventBusName", "NextToken", "Limit"])?;
            let prefix = input.text("NamePrefix").unwrap_or_default();
            let name = input.text("EventBusName");
            let rules = bus(services, caller, name)?
                .rules
                .values()
                .filter(|rule| rule.name.starts_with(prefix))
                .map(|rule| describe_rule(rule, name))
                .collect();
            listing("Rules", rules, input)
        }
        "ListTargetsByRule" => {
            let input = Input::new(input, &["Rule", "EventBusName", "NextToken", "Limit"])?;
            let rule = existing(services, caller, input, input.required("Rule")?)?;
            listing("Targets", rule.targets().to_vec(), input)
        }
        "ListRuleNamesByTarget" => {
            let input = Input::new(input, &["TargetArn", "EventBusName", "NextToken", "Limit"])?;
            let arn = input.required("TargetArn")?;
            let names = bus(services, caller, input.text("EventBusName"))?
                .rules
                .values()
                .filter(|rule| {
                    rule.targets()
                        .iter()
                        .any(|target| target.get("Arn").and_then(Value::as_str) == Some(arn))
                })
                .map(|rule| json!(rule.name))
                .collect();
            listing("RuleNames", names, input)
        }
        "EnableRule" | "DisableRule" => {
            let input = Input::new(input, &["Name", "EventBusName"])?;
            let name = input.required("Name")?;
            let state = if action == "EnableRule" {
                "ENABLED"
            } else {
                "DISABLED"
            };
            let rule = existing_mut(services, caller, input, name)?;
            rule.properties.insert("State".to_owned(), json!(state));
            Ok(json!({}))
        }
        "DeleteRule" => {
            let input = Input::new(input, &["Name", "EventBusName", "Force"])?;
            let name = input.required("Name")?;
            let bus = bus_mut(services, caller, input.text("EventBusName"))?;
            if bus
                .rules
                .get(name)
                .is_some_and(|rule| !rule.targets().is_empty())
            {
                return Err(validation("Rule can't be deleted since it has targets."));
            }
            bus.rules.remove(name);
            Ok(json!({}))
        }
        "PutTargets" => {
            let input = Input::new(input, &["Rule", "EventBusName", "Targets"])?;
            let name = input.required("Rule")?;
            let mut all = existing(services, caller, input, name)?.targets().to_vec();
            for target in input.list("Targets")? {
                check_fields(target)?;
                match all
                    .iter_mut()
                    .find(|other| other.get("Id") == target.get("Id"))
                {
                    Some(other) => *other = target.clone(),
                    None => all.push(target.clone()),
                }
            }
            targets::check_all(&all, bus(services, caller, input.text("EventBusName"))?)?;
            existing_mut(services, caller, input, name)?
                .properties
                .insert("Targets".to_owned(), Value::Array(all));
            Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
        }
        "RemoveTargets" => {
            let input = Input::new(input, &["Rule", "EventBusName", "Ids", "Force"])?;
            let rule = existing_mut(services, caller, input, input.required("Rule")?)?;
            let ids: BTreeSet<&str> = input.texts("Ids")?.into_iter().collect();
            let mut failed = Vec::new();
            for id in &ids {
                if !rule
                    .targets()
                    .iter()
                    .any(|target| target.get("Id") == Some(&json!(id)))
                {
                    failed.push(json!({
                        "TargetId": id, "ErrorCode": "ResourceNotFoundException",
                        "ErrorMessage": format!("Target {id} does not exist."),
                    }));
                }
            }
            let mut left = rule.targets().to_vec();
            left.retain(|target| {
                !target
                    .get("Id")
                    .and_then(Value::as_str)
                    .is_some_and(|id| ids.contains(id))
            });
            rule.properties
                .insert("Targets".to_owned(), Value::Array(left));
            Ok(json!({"FailedEntryCount": failed.len(), "FailedEntries": failed}))
        }
        _ => Err(ApiError::unknown_action("events", action)),
    }
}

/// Refuses members of a target that the simulator would not honour.
fn check_fields(target: &Value) -> Result<(), ApiError> {
    Input::new(
        target,
        &[
            "Id",
            "Arn",
            "RoleArn",
            "Input",
            "InputPath",
            "InputTransformer",
            "DeadLetterConfig",
            "RetryPolicy",
        ],
    )
    .map(|_| ())
}

fn listing(name: &str, items: Vec<Value>, input: Input<'_>) -> Result<Value, ApiError> {
    input.listing(name, items, input.page_size("Limit", 100)?)
}

fn bus_mut<'w>(
    services: &'w mut Services,
    caller: &Caller,
    reference: Option<&str>,
) -> Result<&'w mut Bus, ApiError> {
    let reference = reference.unwrap_or("default");
    let bus = services
        .events
        .bus_mut(&caller.account, &caller.region, reference)?;
    if bus.account != caller.account || bus.region != caller.region {
        return Err(ApiError::denied(caller, "events:*", &bus.arn));
    }
    Ok(bus)
}

fn bus<'w>(
    services: &'w mut Services,
    caller: &Caller,
    reference: Option<&str>,
) -> Result<&'w Bus, ApiError> {
    bus_mut(services, caller, reference).map(|bus| &*bus)
}

fn rule<'w>(
    services: &'w Services,
    caller: &Caller,
    bus: Option<&str>,
    name: &str,
) -> Option<&'w Rule> {
    let bus = bus.unwrap_or("default");
    services
        .events
        .bus(&caller.account, &caller.region, bus)?
        .rules
        .get(name)
}

fn no_rule(name: &str, bus: Option<&str>) -> ApiError {
    not_found(format!(
        "Rule {name} does not exist on EventBus {}.",
        bus.unwrap_or("default")
    ))
}

fn existing<'w>(
    services: &'w mut Services,
    caller: &Caller,
    input: Input<'_>,
    name: &str,
) -> Result<&'w Rule, ApiError> {
    existing_mut(services, caller, input, name).map(|rule| &*rule)
}

fn existing_mut<'w>(
    services: &'w mut Services,
    caller: &Caller,
    input: Input<'_>,
    name: &str,
) -> Result<&'w mut Rule, ApiError> {
    let reference = input.text("EventBusName");
    bus_mut(services, caller, reference)?
        .rules
        .get_mut(name)
        .ok_or_else(|| no_rule(name, reference))
}

fn describe_bus(bus: &Bus) -> Value {
    let mut answer = json!({"Name": bus.name, "Arn": bus.arn});
    if let Some(answer) = answer.as_object_mut() {
        for key in ["Description", "KmsKeyIdentifier", "DeadLetterConfig"] {
            if let Some(value) = bus.properties.get(key) {
                answer.insert(key.to_owned(), value.clone());
            }
        }
        if let Some(policy) = bus.properties.get("Policy") {
            answer.insert("Policy".to_owned(), json!(json_text(policy)));
        }
    }
    answer
}

fn describe_rule(rule: &Rule, bus: Option<&str>) -> Value {
    let mut answer = json!({
        "Name": rule.name, "Arn": rule.arn, "State": rule.state(),
        "EventBusName": bus.unwrap_or("default").rsplit('/').next(),
    });
    if let Some(answer) = answer.as_object_mut() {
        for key in ["Description", "RoleArn", "ScheduleExpression"] {
            if let Some(value) = rule.properties.get(key) {
                answer.insert(key.to_owned(), value.clone());
            }
        }
        if let Some(pattern) = rule.properties.get("EventPattern") {
            answer.insert("EventPattern".to_owned(), json!(json_text(pattern)));
        }
    }
    answer
}

/// Deletes a custom bus, which must have no rules left.
pub(crate) fn delete_bus(
    services: &mut Services,
    account: &str,
    region: &str,
    name: &str,
) -> Result<(), ApiError> {
    if name == "default" {
        return Err(validation("Cannot delete event bus default."));
    }
    let arn = bus_arn(account, region, name);
    let buses = &mut services.events.buses;
    if buses.get(&arn).is_some_and(|bus| !bus.rules.is_empty()) {
        return Err(validation(format!(
            "Event bus {name} has rules; delete them first."
        )));
    }
    buses.remove(&arn);
    Ok(())
}

fn put_permission(
    services: &mut Services,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let input = Input::new(
        input,
        &[
            "EventBusName",
            "Action",
            "Principal",
            "StatementId",
            "Condition",
            "Policy",
        ],
    )?;
    let reference = input.text("EventBusName");
    let bus = bus_mut(services, caller, reference)?;
    if let Some(text) = input.text("Policy") {
        let written: Value =
            serde_json::from_str(text).map_err(|_| validation("Parameter Policy is not JSON."))?;
        bus.policy = Some(super::parse_policy(&written)?);
        bus.properties.insert("Policy".to_owned(), written);
        return Ok(json!({}));
    }
    let principal = input.required("Principal")?;
    let mut statement = json!({
        "Effect": "Allow",
        "Principal": if principal == "*" { json!("*") } else { json!({"AWS": format!("arn:aws:iam::{principal}:root")}) },
        "Action": input.required("Action")?,
        "Resource": bus.arn,
    });
    if let Some(condition) = input.value("Condition") {
        let text = |name: &str| {
            condition
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let block = json!({text("Type"): {text("Key"): text("Value")}});
        if let Some(statement) = statement.as_object_mut() {
            statement.insert("Condition".to_owned(), block);
        }
    }
    bus.put_statement(input.required("StatementId")?, statement)?;
    Ok(json!({}))
}

fn put_events(cloud: &mut Cloud<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["Entries"])?;
    let entries = input.list("Entries")?;
    if entries.is_empty() || entries.len() > ENTRIES {
        return Err(validation(format!(
            "Entries must have 1 to {ENTRIES} members."
        )));
    }
    let mut answers = Vec::new();
    let mut failed = 0;
    for entry in entries {
        match put_event(cloud, caller, entry) {
            Ok(id) => answers.push(json!({"EventId": id})),
            Err(error) => {
                failed += 1;
                answers.push(json!({"ErrorCode": error.code, "ErrorMessage": error.message}));
            }
        }
    }
    Ok(json!({"FailedEntryCount": failed, "Entries": answers}))
}

fn put_event(cloud: &mut Cloud<'_>, caller: &Caller, entry: &Value) -> Result<String, ApiError> {
    let input = Input::new(
        entry,
        &[
            "Source",
            "DetailType",
            "Detail",
            "EventBusName",
            "Resources",
            "Time",
        ],
    )?;
    let missing = |name: &str| {
        input
            .text(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| {
                ApiError::new(
                    "InvalidArgument",
                    format!(
                        "Parameter {name} is not valid. Reason: {name} is a required argument."
                    ),
                )
            })
    };
    let (source, kind, detail) = (
        missing("Source")?,
        missing("DetailType")?,
        missing("Detail")?,
    );
    if source.starts_with("aws.") {
        return Err(ApiError::new(
            "NotAuthorizedForSourceException",
            "Not authorized for the source.",
        ));
    }
    let detail: Value = serde_json::from_str(detail)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| ApiError::new("MalformedDetail", "Detail is malformed."))?;
    let resources: Vec<&str> = input.texts("Resources")?;
    let reference = input.text("EventBusName").unwrap_or("default");
    let context = iam::organization_context(
        &cloud.organization,
        &caller.account,
        Context::new()
            .with("events:source", source)
            .with("events:detail-type", kind),
    );
    cloud
        .events
        .bus_mut(&caller.account, &caller.region, reference)?;
    let bus = cloud
        .events
        .bus(&caller.account, &caller.region, reference)
        .ok_or_else(|| not_found(format!("Event bus {reference} does not exist.")))?;
    let request = Request::new(
        iam::principal(caller),
        "events:PutEvents",
        &bus.arn,
        context,
    );
    let identity = match &caller.role {
        Some(role) => iam::identity(cloud, role, &request),
        None => Verdict::allow("the account's administrator may"),
    };
    let named = bus.policy.as_ref().map(|document| Named {
        name: format!("bus policy of {}", bus.name),
        document,
    });
    if !combine(&request, &bus.account, &identity, named.as_ref()).allowed {
        return Err(ApiError::denied(caller, "events:PutEvents", &bus.arn));
    }
    let (account, region, name) = (bus.account.clone(), bus.region.clone(), bus.name.clone());
    let id = cloud.environment.uuid();
    let now = cloud.environment.now;
    let event = json!({
        "version": "0",
        "id": id,
        "detail-type": kind,
        "source": source,
        "account": caller.account,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": region,
        "resources": resources,
        "detail": detail,
    });
    let mut trace = Trace::default();
    let origin = if account == caller.account && region == caller.region {
        Origin::Here
    } else {
        Origin::Forwarded
    };
    arrive(
        cloud,
        (&account, &region, &name),
        &event,
        origin,
        &mut trace,
    );
    Ok(id)
}
