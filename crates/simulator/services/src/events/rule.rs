//! Rules and the validation of `PutRule`.

use eventbridge_pattern::Pattern;
use serde_json::{Map, Value, json};

use super::{Bus, Events, is_name, limit_exceeded, targets, validation};
use crate::json_text;
use crate::wire::api::ApiError;

/// Maximum rules per bus, the default of the adjustable quota L-244521F2.
fn rules_per_bus(region: &str) -> usize {
    match region {
        "af-south-1" | "eu-south-1" => 100,
        _ => 300,
    }
}

/// Maximum rules with a wildcard per bus, not adjustable.
const WILDCARD_RULES_PER_BUS: usize = 30;

/// An EventBridge rule.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(crate) arn: String,
    pub(crate) name: String,
    /// As in `AWS::Events::Rule`, including `Targets`.
    pub properties: Map<String, Value>,
    pub(crate) pattern: Option<Pattern>,
    /// Whether the pattern uses a wildcard; a bus limits the number of such rules.
    wildcard: bool,
}

impl Rule {
    /// The targets as in the template.
    pub fn targets(&self) -> &[Value] {
        self.properties
            .get("Targets")
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// `ENABLED` unless set otherwise.
    pub(crate) fn state(&self) -> &str {
        self.properties
            .get("State")
            .and_then(Value::as_str)
            .unwrap_or("ENABLED")
    }
}

/// Creates or replaces a rule from template properties and returns its ARN. Without `Targets` the
/// rule keeps its targets.
pub(crate) fn put_rule(
    events: &mut Events,
    (account, region): (&str, &str),
    bus: &str,
    name: &str,
    mut properties: Map<String, Value>,
) -> Result<String, ApiError> {
    check_properties(bus, name, &properties)?;
    let (pattern, wildcard) = match properties.get("EventPattern") {
        Some(written) => {
            let (pattern, wildcard) = events.pattern(&json_text(written))?;
            (Some(pattern), wildcard)
        }
        None => (None, false),
    };
    let bus = events.bus_mut(account, region, bus)?;
    check_quotas(bus, name, wildcard)?;
    properties.insert("Name".to_owned(), json!(name));
    let old = bus.rules.get(name);
    if !properties.contains_key("Targets")
        && let Some(targets) = old.and_then(|rule| rule.properties.get("Targets"))
    {
        properties.insert("Targets".to_owned(), targets.clone());
    }
    let arn = bus.rule_arn(name);
    let rule = Rule {
        arn: arn.clone(),
        name: name.to_owned(),
        properties,
        pattern,
        wildcard,
    };
    targets::check_all(rule.targets(), bus)?;
    bus.rules.insert(name.to_owned(), rule);
    Ok(arn)
}

fn check_properties(
    bus: &str,
    name: &str,
    properties: &Map<String, Value>,
) -> Result<(), ApiError> {
    let text = |key: &str| properties.get(key).and_then(Value::as_str);
    if !is_name(name, 64) {
        return Err(validation(format!("Invalid rule name {name:?}.")));
    }
    if text("Description").is_some_and(|text| text.chars().count() > 512) {
        return Err(validation(
            "The rule's description is longer than 512 characters.",
        ));
    }
    if !matches!(
        text("State"),
        None | Some("ENABLED" | "DISABLED" | "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
    ) {
        return Err(validation(
            "1 validation error detected: the value at 'state' is not one of ENABLED, DISABLED, ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
        ));
    }
    match text("ScheduleExpression") {
        Some(schedule) => {
            let known = schedule.starts_with("rate(") || schedule.starts_with("cron(");
            if !known || bus != "default" {
                return Err(validation("Parameter ScheduleExpression is not valid."));
            }
        }
        None if properties.contains_key("EventPattern") => {}
        None => {
            return Err(validation(
                "Parameter(s) EventPattern or ScheduleExpression must be specified.",
            ));
        }
    }
    Ok(())
}

fn check_quotas(bus: &Bus, name: &str, wildcard: bool) -> Result<(), ApiError> {
    let quota = rules_per_bus(&bus.region);
    let others = || bus.rules.values().filter(|rule| rule.name != name);
    if others().count() >= quota {
        let what = format!("rules on event bus {}", bus.name);
        return Err(limit_exceeded(quota, &what));
    }
    if wildcard && others().filter(|rule| rule.wildcard).count() >= WILDCARD_RULES_PER_BUS {
        return Err(ApiError::new(
            "LimitExceededException",
            format!(
                "The event bus {} already has {WILDCARD_RULES_PER_BUS} rules with wildcards.",
                bus.name
            ),
        ));
    }
    Ok(())
}

impl Events {
    /// Parses or reuses a pattern, and returns whether it uses a wildcard.
    fn pattern(&mut self, text: &str) -> Result<(Pattern, bool), ApiError> {
        if let Some(known) = self.parsed.get(text) {
            return Ok(known.clone());
        }
        let pattern = parse_pattern(text)?;
        let known = (pattern.clone(), uses_wildcard(&pattern));
        self.parsed.insert(text.to_owned(), known.clone());
        Ok(known)
    }
}

/// Parses a pattern; the error is that of `PutRule`.
pub(super) fn parse_pattern(text: &str) -> Result<Pattern, ApiError> {
    Pattern::parse(text).map_err(|error| {
        ApiError::new(
            "InvalidEventPatternException",
            format!("Event pattern is not valid. Reason: {}", error.message),
        )
    })
}

fn uses_wildcard(pattern: &Pattern) -> bool {
    fn within(value: &Value) -> bool {
        match value {
            Value::Array(list) => list.iter().any(within),
            Value::Object(object) => object
                .iter()
                .any(|(key, value)| key == "wildcard" || within(value)),
            _ => false,
        }
    }
    serde_json::from_str::<Value>(pattern.text()).is_ok_and(|value| within(&value))
}
