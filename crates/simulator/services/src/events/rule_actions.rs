//! The API actions for rules and targets.

#![expect(
    clippy::needless_pass_by_value,
    reason = "handlers take their request by value even if they only borrow from it"
)]

use serde::Serialize;
use serde_json::{Value, json};

use super::actions::{PAGE, own_bus, properties};
use super::resources::check_target;
use super::rule::parse_pattern;
use super::{Bus, Events, Rule, not_found, targets, validation};
use crate::action::{Answer, Context, requests};
use crate::arn::short;
use crate::wire::api::{ApiError, Caller};
use crate::wire::listing;
use crate::{json_text, with};

/// The ARN of the rule in a request, for authorization.
pub(super) fn on_rule(caller: &Caller, bus: Option<&str>, name: &str) -> String {
    let bus = bus.map_or("default", short);
    super::rule_arn(&caller.account, &caller.region, bus, name)
}

fn no_rule(name: &str, bus: Option<&str>) -> ApiError {
    not_found(format!(
        "Rule {name} does not exist on EventBus {}.",
        bus.unwrap_or("default")
    ))
}

/// A rule in the caller's account and Region. Unlike [`rule_mut`], keeps the bus's prepared
/// patterns.
fn rule<'e>(
    events: &'e mut Events,
    caller: &Caller,
    bus: Option<&str>,
    name: &str,
) -> Result<&'e Rule, ApiError> {
    let found = own_bus(events, caller, bus)?.rules.get(name);
    found.ok_or_else(|| no_rule(name, bus))
}

fn rule_mut<'e>(
    events: &'e mut Events,
    caller: &Caller,
    bus: Option<&str>,
    name: &str,
) -> Result<&'e mut Rule, ApiError> {
    let found = own_bus(events, caller, bus)?.rules.get_mut(name);
    found.ok_or_else(|| no_rule(name, bus))
}

requests! {
    #[derive(Serialize)]
    pub(super) struct PutRule {
        pub(super) name: String,
        pub(super) event_bus_name: Option<String>,
        event_pattern: Option<String>,
        schedule_expression: Option<String>,
        state: Option<String>,
        description: Option<String>,
        role_arn: Option<String>,
        tags: Option<Value>,
    }
    /// A request that only names a rule.
    pub(super) struct NamedRule, DescribeRule, EnableRule, DisableRule {
        name: String,
        event_bus_name: Option<String>,
    }
    pub(super) struct ListRules {
        name_prefix: Option<String>,
        event_bus_name: Option<String>,
        next_token: Option<String>,
        limit: Option<usize>,
    }
    pub(super) struct DeleteRule {
        pub(super) name: String,
        pub(super) event_bus_name: Option<String>,
        _force: Option<bool>,
    }
    pub(super) struct ListTargetsByRule {
        pub(super) rule: String,
        pub(super) event_bus_name: Option<String>,
        next_token: Option<String>,
        limit: Option<usize>,
    }
    pub(super) struct ListRuleNamesByTarget {
        target_arn: String,
        event_bus_name: Option<String>,
        next_token: Option<String>,
        limit: Option<usize>,
    }
    pub(super) struct PutTargets {
        pub(super) rule: String,
        pub(super) event_bus_name: Option<String>,
        #[serde(default)]
        targets: Vec<Value>,
    }
    pub(super) struct RemoveTargets {
        pub(super) rule: String,
        pub(super) event_bus_name: Option<String>,
        #[serde(default)]
        ids: Vec<String>,
        _force: Option<bool>,
    }
}

pub(super) fn put_rule(request: PutRule, events: &mut Events, context: &mut Context<'_>) -> Answer {
    let caller = context.caller;
    let mut properties = properties(&request);
    if let Some(text) = &request.event_pattern {
        parse_pattern(text)?;
        let pattern: Value = serde_json::from_str(text).unwrap_or_default();
        properties.insert("EventPattern".to_owned(), pattern.to_string().into());
    }
    let bus = own_bus(events, caller, request.event_bus_name.as_deref())?;
    let old = bus.rules.get(&request.name);
    // PutRule doesn't change the tags of an existing rule.
    if let Some(tags) = old.and_then(|rule| rule.properties.get("Tags")) {
        properties.insert("Tags".to_owned(), tags.clone());
    }
    let bus = bus.name.clone();
    let location = (caller.account.as_str(), caller.region.as_str());
    let arn = super::rule::put_rule(events, location, &bus, &request.name, properties)?;
    Ok(json!({"RuleArn": arn}))
}

impl NamedRule {
    pub(super) fn arn(&self, caller: &Caller) -> String {
        on_rule(caller, self.event_bus_name.as_deref(), &self.name)
    }
}

pub(super) fn describe_rule(
    request: DescribeRule,
    events: &mut Events,
    context: &mut Context<'_>,
) -> Answer {
    let bus = request.event_bus_name.as_deref();
    let caller = context.caller;
    let answer = describe(rule(events, caller, bus, &request.name)?, bus);
    Ok(with(answer, [("CreatedBy", Some(json!(caller.account)))]))
}

fn describe(rule: &Rule, bus: Option<&str>) -> Value {
    let property = |name: &str| rule.properties.get(name).cloned();
    let pattern = rule.properties.get("EventPattern").map(json_text);
    with(
        json!({
            "Name": rule.name, "Arn": rule.arn, "State": rule.state(),
            "EventBusName": bus.map_or("default", short),
        }),
        [
            ("Description", property("Description")),
            ("RoleArn", property("RoleArn")),
            ("ScheduleExpression", property("ScheduleExpression")),
            ("EventPattern", pattern.map(Value::String)),
        ],
    )
}

pub(super) fn list_rules(
    request: ListRules,
    events: &mut Events,
    context: &mut Context<'_>,
) -> Answer {
    let prefix = request.name_prefix.unwrap_or_default();
    let bus = request.event_bus_name.as_deref();
    let rules = own_bus(events, context.caller, bus)?
        .rules
        .values()
        .filter(|rule| rule.name.starts_with(&prefix))
        .map(|rule| describe(rule, bus))
        .collect();
    let size = request.limit.unwrap_or(PAGE);
    listing("Rules", rules, request.next_token.as_deref(), size)
}

pub(super) fn enable_rule(
    request: EnableRule,
    events: &mut Events,
    context: &mut Context<'_>,
) -> Answer {
    set_state(&request, events, context.caller, "ENABLED")
}

pub(super) fn disable_rule(
    request: DisableRule,
    events: &mut Events,
    context: &mut Context<'_>,
) -> Answer {
    set_state(&request, events, context.caller, "DISABLED")
}

fn set_state(request: &NamedRule, events: &mut Events, caller: &Caller, state: &str) -> Answer {
    let bus = request.event_bus_name.as_deref();
    let rule = rule_mut(events, caller, bus, &request.name)?;
    rule.properties.insert("State".to_owned(), json!(state));
    Ok(json!({}))
}

pub(super) fn delete_rule(
    request: DeleteRule,
    events: &mut Events,
    context: &mut Context<'_>,
) -> Answer {
    let bus = own_bus(events, context.caller, request.event_bus_name.as_deref())?;
    let old = bus.rules.get(&request.name);
    if old.is_some_and(|rule| !rule.targets().is_empty()) {
        return Err(validation("Rule can't be deleted since it has targets."));
    }
    bus.rules.remove(&request.name);
    Ok(json!({}))
}

pub(super) fn list_targets_by_rule(
    request: ListTargetsByRule,
    events: &mut Events,
    context: &mut Context<'_>,
) -> Answer {
    let bus = request.event_bus_name.as_deref();
    let rule = rule(events, context.caller, bus, &request.rule)?;
    let size = request.limit.unwrap_or(PAGE);
    let token = request.next_token.as_deref();
    listing("Targets", rule.targets().to_vec(), token, size)
}

pub(super) fn list_rule_names_by_target(
    request: ListRuleNamesByTarget,
    events: &mut Events,
    context: &mut Context<'_>,
) -> Answer {
    let wanted = json!(request.target_arn);
    let sends_there = |target: &Value| target.get("Arn") == Some(&wanted);
    let names = own_bus(events, context.caller, request.event_bus_name.as_deref())?
        .rules
        .values()
        .filter(|rule| rule.targets().iter().any(sends_there))
        .map(|rule| json!(rule.name))
        .collect();
    let size = request.limit.unwrap_or(PAGE);
    listing("RuleNames", names, request.next_token.as_deref(), size)
}

pub(super) fn put_targets(
    request: PutTargets,
    events: &mut Events,
    context: &mut Context<'_>,
) -> Answer {
    let name = request.event_bus_name.as_deref();
    let bus = own_bus(events, context.caller, name)?;
    let rule = bus.rules.get(&request.rule);
    let mut all = rule
        .ok_or_else(|| no_rule(&request.rule, name))?
        .targets()
        .to_vec();
    for target in request.targets {
        let target = check_target(&target).map_err(validation)?;
        match all
            .iter_mut()
            .find(|other| other.get("Id") == target.get("Id"))
        {
            Some(other) => *other = target,
            None => all.push(target),
        }
    }
    targets::check_all(&all, bus)?;
    set_targets(bus, &request.rule, all);
    Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
}

pub(super) fn remove_targets(
    request: RemoveTargets,
    events: &mut Events,
    context: &mut Context<'_>,
) -> Answer {
    let name = request.event_bus_name.as_deref();
    let bus = own_bus(events, context.caller, name)?;
    let rule = bus.rules.get(&request.rule);
    let targets = rule.ok_or_else(|| no_rule(&request.rule, name))?.targets();
    let has_id = |target: &Value, id: &str| target.get("Id").and_then(Value::as_str) == Some(id);
    let failed: Vec<Value> = request
        .ids
        .iter()
        .filter(|id| !targets.iter().any(|target| has_id(target, id)))
        .map(|id| {
            json!({
                "TargetId": id, "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": format!("Target {id} does not exist."),
            })
        })
        .collect();
    let mut left = targets.to_vec();
    left.retain(|target| !request.ids.iter().any(|id| has_id(target, id)));
    set_targets(bus, &request.rule, left);
    Ok(json!({"FailedEntryCount": failed.len(), "FailedEntries": failed}))
}

fn set_targets(bus: &mut Bus, rule: &str, targets: Vec<Value>) {
    if let Some(rule) = bus.rules.get_mut(rule) {
        rule.properties
            .insert("Targets".to_owned(), Value::Array(targets));
    }
}
