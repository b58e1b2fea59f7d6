//! Amazon EventBridge: buses, rules and targets, and the way of an event through them.

mod api;
pub(crate) mod dead_letters;
mod delivery;
mod rules;
mod targets;

use std::collections::BTreeMap;

use eventbridge_pattern::Pattern;
use serde_json::{Map, Value, json};

pub(crate) use api::call;
pub(crate) use api::delete_bus;
pub(crate) use delivery::{Origin, arrive};
use rules::Rules;

use super::arn::Arn;
use crate::policy::{Document, Kind};
use crate::services::Services;
use crate::wire::api::ApiError;

/// Rules per bus, the adjustable quota L-244521F2.
fn rules_per_bus(region: &str) -> usize {
    match region {
        "af-south-1" | "eu-south-1" => 100,
        _ => 300,
    }
}

/// Rules with a wildcard per bus, not adjustable.
const WILDCARD_RULES_PER_BUS: usize = 30;
/// Targets per rule, not adjustable.
const TARGETS_PER_RULE: usize = 5;
/// Characters of a bus policy.
const POLICY_LIMIT: usize = 10_240;
/// Buses per account and Region.
const BUSES: usize = 100;

/// All buses that are not in the state AWS delivers them in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    /// By bus ARN. The default buses come into being when they are first needed.
    pub(crate) buses: BTreeMap<String, Bus>,
    /// What was parsed before, by its text, and whether it uses a wildcard. The stacks of a stack set bring the same patterns
    /// thousands of times; clones of one parsed pattern share their memory.
    parsed: BTreeMap<String, (Pattern, bool)>,
    /// Queue and id of every dead letter, by the id of its event.
    dead_letters: BTreeMap<String, Vec<(String, String)>>,
}

impl Events {
    /// Parses a pattern that a rule is going to keep.
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

/// One event bus.
#[derive(Clone, Debug)]
pub(crate) struct Bus {
    pub(crate) arn: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
    /// Template shape of `AWS::Events::EventBus`; `Policy` is the live one.
    pub(crate) properties: Map<String, Value>,
    pub(crate) policy: Option<Document>,
    pub(crate) rules: Rules,
}

/// One rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) arn: String,
    pub(crate) name: String,
    /// Template shape of `AWS::Events::Rule`, `Targets` included.
    pub(crate) properties: Map<String, Value>,
    pub(crate) pattern: Option<Pattern>,
    /// Whether the pattern uses a wildcard, of which a bus takes only so many.
    wildcard: bool,
}

impl Rule {
    /// The rule's targets in template shape.
    pub(crate) fn targets(&self) -> &[Value] {
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

/// The ARN of a bus.
pub(crate) fn bus_arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:aws:events:{region}:{account}:event-bus/{name}")
}

/// The ARN of a rule: rules of the default bus do not name it.
pub(crate) fn rule_arn(bus: &Bus, name: &str) -> String {
    let (region, account) = (&bus.region, &bus.account);
    if bus.name == "default" {
        format!("arn:aws:events:{region}:{account}:rule/{name}")
    } else {
        format!("arn:aws:events:{region}:{account}:rule/{}/{name}", bus.name)
    }
}

pub(crate) fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationException", message)
}

pub(crate) fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::new("ResourceNotFoundException", message)
}

/// Whether a text is a name of at most `limit` characters as EventBridge takes them.
fn is_name(text: &str, limit: usize) -> bool {
    !text.is_empty()
        && text.len() <= limit
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
}

impl Events {
    /// A bus by name or ARN as seen from an account and Region. Default buses always exist.
    pub(crate) fn bus_mut(
        &mut self,
        account: &str,
        region: &str,
        reference: &str,
    ) -> Result<&mut Bus, ApiError> {
        let arn = resolve(account, region, reference);
        let missing = || not_found(format!("Event bus {reference} does not exist."));
        let name = arn.rsplit('/').next().unwrap_or_default();
        if name == "default" && !self.buses.contains_key(&arn) {
            let parsed = Arn::parse(&arn).ok_or_else(missing)?;
            let bus = empty_bus(parsed.account, parsed.region, "default");
            self.buses.insert(arn.clone(), bus);
        }
        self.buses.get_mut(&arn).ok_or_else(missing)
    }

    /// Takes a default bus back that is as AWS delivers it.
    pub(crate) fn forget_default(&mut self, account: &str, region: &str) {
        let arn = bus_arn(account, region, "default");
        let untouched = self.buses.get(&arn).is_some_and(|bus| {
            bus.rules.is_empty() && bus.policy.is_none() && bus.properties.is_empty()
        });
        if untouched {
            self.buses.remove(&arn);
        }
    }

    /// The same for reading: a default bus nobody touched yet is `None`.
    pub(crate) fn bus(&self, account: &str, region: &str, reference: &str) -> Option<&Bus> {
        self.buses.get(&resolve(account, region, reference))
    }
}

fn resolve(account: &str, region: &str, reference: &str) -> String {
    if reference.starts_with("arn:") {
        reference.to_owned()
    } else {
        bus_arn(account, region, reference)
    }
}

fn empty_bus(account: &str, region: &str, name: &str) -> Bus {
    Bus {
        arn: bus_arn(account, region, name),
        account: account.to_owned(),
        region: region.to_owned(),
        name: name.to_owned(),
        properties: Map::new(),
        policy: None,
        rules: Rules::default(),
    }
}

/// Creates a custom bus from template-shaped properties and gives its ARN.
pub(crate) fn create_bus(
    services: &mut Services,
    account: &str,
    region: &str,
    name: &str,
    properties: Map<String, Value>,
) -> Result<String, ApiError> {
    if name == "default" || name.contains("aws.") || !is_name(name, 256) {
        return Err(validation(format!("Invalid event bus name {name:?}.")));
    }
    let arn = bus_arn(account, region, name);
    let buses = &mut services.events.buses;
    if buses.contains_key(&arn) {
        return Err(ApiError::new(
            "ResourceAlreadyExistsException",
            format!("Event bus {name} already exists."),
        ));
    }
    let prefix = bus_arn(account, region, "");
    let custom = buses
        .range(prefix.clone()..)
        .take_while(|(arn, _)| arn.starts_with(&prefix))
        .filter(|(_, bus)| bus.name != "default")
        .count();
    if custom >= BUSES {
        return Err(ApiError::new(
            "LimitExceededException",
            format!(
                "The requested resource exceeds the maximum number allowed: {BUSES} event buses."
            ),
        ));
    }
    let policy = match properties.get("Policy") {
        Some(policy) => Some(parse_policy(policy)?),
        None => None,
    };
    let mut bus = empty_bus(account, region, name);
    bus.properties = properties;
    bus.policy = policy;
    buses.insert(arn.clone(), bus);
    Ok(arn)
}

/// Parses a bus policy.
pub(crate) fn parse_policy(value: &Value) -> Result<Document, ApiError> {
    if value.to_string().chars().count() > POLICY_LIMIT {
        return Err(ApiError::new(
            "PolicyLengthExceededException",
            format!("The event bus policy is longer than {POLICY_LIMIT} characters."),
        ));
    }
    Document::parse(value, Kind::Resource)
        .and_then(|document| document.within("events"))
        .map_err(|error| validation(format!("Parameter Policy is not valid. Reason: {error}")))
}

impl Bus {
    /// Puts one statement into the bus policy, in the place of one with the same `Sid`.
    pub(crate) fn put_statement(&mut self, id: &str, statement: Value) -> Result<(), ApiError> {
        let mut statements = self.statements();
        statements.retain(|other| other.get("Sid").and_then(Value::as_str) != Some(id));
        let mut statement = statement;
        if let Some(statement) = statement.as_object_mut() {
            statement.insert("Sid".to_owned(), json!(id));
        }
        statements.push(statement);
        self.set_statements(statements)
    }

    /// Takes one statement out of the bus policy; whether it was there.
    pub(crate) fn remove_statement(&mut self, id: &str) -> Result<bool, ApiError> {
        let mut statements = self.statements();
        let before = statements.len();
        statements.retain(|other| other.get("Sid").and_then(Value::as_str) != Some(id));
        let was = statements.len() < before;
        self.set_statements(statements)?;
        Ok(was)
    }

    /// The statements of the live policy.
    pub(crate) fn statements(&self) -> Vec<Value> {
        match self
            .properties
            .get("Policy")
            .and_then(|policy| policy.get("Statement"))
        {
            Some(Value::Array(list)) => list.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        }
    }

    fn set_statements(&mut self, statements: Vec<Value>) -> Result<(), ApiError> {
        if statements.is_empty() {
            self.properties.remove("Policy");
            self.policy = None;
            return Ok(());
        }
        let mut policy = self
            .properties
            .get("Policy")
            .cloned()
            .unwrap_or_else(|| json!({"Version": "2012-10-17"}));
        if let Some(policy) = policy.as_object_mut() {
            policy.insert("Statement".to_owned(), Value::Array(statements));
        }
        self.policy = Some(parse_policy(&policy)?);
        self.properties.insert("Policy".to_owned(), policy);
        Ok(())
    }
}

/// Creates or replaces a rule. `properties` are template-shaped; `Targets` in them replace the
/// rule's targets, without them it keeps those it has.
pub(crate) fn put_rule(
    services: &mut Services,
    account: &str,
    region: &str,
    bus: &str,
    name: &str,
    properties: Map<String, Value>,
) -> Result<String, ApiError> {
    if !is_name(name, 64) {
        return Err(validation(format!("Invalid rule name {name:?}.")));
    }
    let text = |key: &str| properties.get(key).and_then(Value::as_str);
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
    if let Some(schedule) = text("ScheduleExpression") {
        let good = schedule.starts_with("rate(") || schedule.starts_with("cron(");
        if !good || bus != "default" {
            return Err(validation("Parameter ScheduleExpression is not valid."));
        }
    }
    let pattern = match properties.get("EventPattern") {
        Some(written) => {
            let text = super::json_text(written);
            Some(services.events.pattern(&text)?)
        }
        None if text("ScheduleExpression").is_some() => None,
        None => {
            return Err(validation(
                "Parameter(s) EventPattern or ScheduleExpression must be specified.",
            ));
        }
    };
    let (pattern, wildcard) = pattern.map_or((None, false), |(pattern, wildcard)| {
        (Some(pattern), wildcard)
    });
    let bus = services.events.bus_mut(account, region, bus)?;
    let quota = rules_per_bus(region);
    let others = || bus.rules.values().filter(|rule| rule.name != name);
    if others().count() >= quota {
        return Err(ApiError::new(
            "LimitExceededException",
            format!(
                "The requested resource exceeds the maximum number allowed: {quota} rules on event bus {}.",
                bus.name
            ),
        ));
    }
    let wildcards = others().filter(|rule| rule.wildcard).count();
    if wildcard && wildcards >= WILDCARD_RULES_PER_BUS {
        return Err(ApiError::new(
            "LimitExceededException",
            format!(
                "The event bus {} already has {WILDCARD_RULES_PER_BUS} rules with wildcards.",
                bus.name
            ),
        ));
    }
    let arn = rule_arn(bus, name);
    let mut properties = properties;
    properties.insert("Name".to_owned(), json!(name));
    if !properties.contains_key("Targets")
        && let Some(targets) = bus
            .rules
            .get(name)
            .and_then(|rule| rule.properties.get("Targets"))
    {
        properties.insert("Targets".to_owned(), targets.clone());
    }
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

/// Parses a pattern as `PutRule` does.
pub(crate) fn parse_pattern(text: &str) -> Result<Pattern, ApiError> {
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
