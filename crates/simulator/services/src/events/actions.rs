//! The API actions of EventBridge: the table, and the handlers of bus actions.

#![expect(
    clippy::needless_pass_by_value,
    reason = "handlers take their request by value even if they only borrow from it"
)]

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::put_events::{PutEvents, put_events};
use super::rule::parse_pattern;
use super::rule_actions::{
    DeleteRule, DescribeRule, DisableRule, EnableRule, ListRuleNamesByTarget, ListRules,
    ListTargetsByRule, NamedRule, PutRule, PutTargets, RemoveTargets, delete_rule, describe_rule,
    disable_rule, enable_rule, list_rule_names_by_target, list_rules, list_targets_by_rule,
    on_rule, put_rule, put_targets, remove_targets,
};
use super::{Bus, Events, bus, not_found, resolve, validation};
use crate::action::{Answer, Context, actions, anything, requests};
use crate::wire::api::{ApiError, Caller};
use crate::wire::{listing, missing};
use crate::{json_text, tags, with};

/// Page size.
pub(super) const PAGE: usize = 100;

actions! {
    /// All actions of EventBridge.
    pub(crate) ACTIONS of "events" {
        Reads DescribeEventBus
            (|it: &DescribeEventBus, caller| on_bus(caller, it.name.as_deref().unwrap_or("default")))
            events(describe_event_bus);
        Reads ListEventBuses (anything) events(list_event_buses);
        Changes CreateEventBus (|it: &CreateEventBus, caller| on_bus(caller, &it.name))
            events(create_event_bus);
        Changes DeleteEventBus (|it: &DeleteEventBus, caller| on_bus(caller, &it.name))
            events(delete_event_bus);
        Changes PutPermission (anything) events(put_permission);
        Changes RemovePermission (anything) events(remove_permission);
        Changes PutEvents (itself) cloud(put_events);
        Reads TestEventPattern (anything) context(test_event_pattern);
        Reads ListTagsForResource (anything) events(list_tags_for_resource);
        Changes PutRule
            (|it: &PutRule, caller| on_rule(caller, it.event_bus_name.as_deref(), &it.name))
            events(put_rule);
        Reads DescribeRule (NamedRule::arn) events(describe_rule);
        Reads ListRules (anything) events(list_rules);
        Changes EnableRule (NamedRule::arn) events(enable_rule);
        Changes DisableRule (NamedRule::arn) events(disable_rule);
        Changes DeleteRule
            (|it: &DeleteRule, caller| on_rule(caller, it.event_bus_name.as_deref(), &it.name))
            events(delete_rule);
        Reads ListTargetsByRule
            (|it: &ListTargetsByRule, caller| {
                on_rule(caller, it.event_bus_name.as_deref(), &it.rule)
            })
            events(list_targets_by_rule);
        Reads ListRuleNamesByTarget (anything) events(list_rule_names_by_target);
        Changes PutTargets
            (|it: &PutTargets, caller| on_rule(caller, it.event_bus_name.as_deref(), &it.rule))
            events(put_targets);
        Changes RemoveTargets
            (|it: &RemoveTargets, caller| on_rule(caller, it.event_bus_name.as_deref(), &it.rule))
            events(remove_targets);
    }
}

requests! {
    struct DescribeEventBus { name: Option<String> }
    struct ListEventBuses {
        name_prefix: Option<String>,
        next_token: Option<String>,
        limit: Option<usize>,
    }
    struct DeleteEventBus { name: String }
    struct PutPermission {
        event_bus_name: Option<String>,
        action: Option<String>,
        principal: Option<String>,
        statement_id: Option<String>,
        condition: Option<Condition>,
        policy: Option<String>,
    }
    struct Condition {
        #[serde(rename = "Type")]
        operator: String,
        key: String,
        value: String,
    }
    struct RemovePermission {
        event_bus_name: Option<String>,
        statement_id: Option<String>,
        remove_all_permissions: Option<bool>,
    }
    struct TestEventPattern { event_pattern: String, event: String }
}

fn on_bus(caller: &Caller, reference: &str) -> String {
    resolve(&caller.account, &caller.region, reference)
}

/// A bus of the caller's account and Region; the default bus without a name.
pub(super) fn own_bus<'e>(
    events: &'e mut Events,
    caller: &Caller,
    reference: Option<&str>,
) -> Result<&'e mut Bus, ApiError> {
    let reference = reference.unwrap_or("default");
    let bus = events.bus_mut(&caller.account, &caller.region, reference)?;
    if bus.account != caller.account || bus.region != caller.region {
        return Err(ApiError::denied(caller, "events:*", &bus.arn));
    }
    Ok(bus)
}

/// The request's fields under the template's property names.
pub(super) fn properties(request: &impl Serialize) -> Map<String, Value> {
    let mut properties = match serde_json::to_value(request) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    properties.retain(|_, value| !value.is_null());
    properties
}

fn describe_event_bus(
    request: DescribeEventBus,
    events: &mut Events,
    context: &mut Context<'_>,
) -> Answer {
    own_bus(events, context.caller, request.name.as_deref()).map(|bus| describe(bus))
}

fn describe(bus: &Bus) -> Value {
    let property = |name: &str| bus.properties.get(name).cloned();
    let policy = bus.properties.get("Policy").map(json_text);
    with(
        json!({"Name": bus.name, "Arn": bus.arn}),
        [
            ("Description", property("Description")),
            ("KmsKeyIdentifier", property("KmsKeyIdentifier")),
            ("DeadLetterConfig", property("DeadLetterConfig")),
            ("Policy", policy.map(Value::String)),
        ],
    )
}

fn list_event_buses(
    request: ListEventBuses,
    events: &mut Events,
    context: &mut Context<'_>,
) -> Answer {
    let caller = context.caller;
    own_bus(events, caller, None)?;
    let prefix = request.name_prefix.unwrap_or_default();
    let buses = events
        .buses
        .values()
        .filter(|bus| bus.account == caller.account && bus.region == caller.region)
        .filter(|bus| bus.name.starts_with(&prefix))
        .map(describe)
        .collect();
    let size = request.limit.unwrap_or(PAGE);
    listing("EventBuses", buses, request.next_token.as_deref(), size)
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct CreateEventBus {
    name: String,
    description: Option<String>,
    kms_key_identifier: Option<String>,
    dead_letter_config: Option<Value>,
    tags: Option<Value>,
}

fn create_event_bus(
    request: CreateEventBus,
    events: &mut Events,
    context: &mut Context<'_>,
) -> Answer {
    let (account, region) = (&context.caller.account, &context.caller.region);
    let properties = properties(&request);
    let arn = bus::create_bus(events, account, region, &request.name, properties)?;
    Ok(json!({"EventBusArn": arn}))
}

fn delete_event_bus(
    request: DeleteEventBus,
    events: &mut Events,
    context: &mut Context<'_>,
) -> Answer {
    let (account, region) = (&context.caller.account, &context.caller.region);
    bus::delete_bus(events, account, region, &request.name)?;
    Ok(json!({}))
}

fn put_permission(
    request: PutPermission,
    events: &mut Events,
    context: &mut Context<'_>,
) -> Answer {
    let bus = own_bus(events, context.caller, request.event_bus_name.as_deref())?;
    if let Some(text) = request.policy {
        let written =
            serde_json::from_str(&text).map_err(|_| validation("Parameter Policy is not JSON."))?;
        bus.set_policy(Some(written))?;
        return Ok(json!({}));
    }
    let principal = match required(request.principal, "Principal")? {
        principal if principal == "*" => json!("*"),
        account => json!({"AWS": format!("arn:aws:iam::{account}:root")}),
    };
    let condition = request.condition.map(|condition| {
        let Condition {
            operator,
            key,
            value,
        } = condition;
        json!({operator: {key: value}})
    });
    let statement = json!({
        "Effect": "Allow",
        "Principal": principal,
        "Action": required(request.action, "Action")?,
        "Resource": bus.arn,
    });
    let statement = with(statement, [("Condition", condition)]);
    bus.put_statement(&required(request.statement_id, "StatementId")?, statement)?;
    Ok(json!({}))
}

fn required(text: Option<String>, name: &str) -> Result<String, ApiError> {
    text.filter(|text| !text.is_empty())
        .ok_or_else(|| missing(name))
}

fn remove_permission(
    request: RemovePermission,
    events: &mut Events,
    context: &mut Context<'_>,
) -> Answer {
    let bus = own_bus(events, context.caller, request.event_bus_name.as_deref())?;
    if request.remove_all_permissions == Some(true) {
        bus.set_policy(None)?;
        return Ok(json!({}));
    }
    let id = required(request.statement_id, "StatementId")?;
    if bus.remove_statement(&id)? {
        Ok(json!({}))
    } else {
        Err(not_found(format!("Statement {id} does not exist.")))
    }
}

fn test_event_pattern(request: TestEventPattern, _: &mut Context<'_>) -> Answer {
    let pattern = parse_pattern(&request.event_pattern)?;
    let event: Value = serde_json::from_str(&request.event)
        .map_err(|_| ApiError::new("InvalidEventPatternException", "Event is not valid JSON."))?;
    let fields = [
        "id",
        "account",
        "source",
        "time",
        "region",
        "resources",
        "detail-type",
    ];
    if let Some(field) = fields.iter().find(|field| event.get(**field).is_none()) {
        return Err(validation(format!(
            "Parameter Event is not valid. Reason: {field} is missing."
        )));
    }
    let event = eventbridge_pattern::Event::parse(&request.event)
        .map_err(|error| validation(error.to_string()))?;
    // As on a bus, an event that exceeds the matcher's limit counts as a match.
    Ok(json!({"Result": pattern.matches(&event).unwrap_or(true)}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListTagsForResource {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
}

fn list_tags_for_resource(
    request: ListTagsForResource,
    events: &mut Events,
    _: &mut Context<'_>,
) -> Answer {
    let arn = request.resource_arn;
    let rule = || {
        let mut rules = events.buses.values().flat_map(|bus| bus.rules.values());
        rules.find(|rule| rule.arn == arn)
    };
    events
        .buses
        .get(&arn)
        .map(|bus| &bus.properties)
        .or_else(|| rule().map(|rule| &rule.properties))
        .map(|properties| json!({"Tags": tags(properties)}))
        .ok_or_else(|| not_found(format!("{arn} does not exist.")))
}
