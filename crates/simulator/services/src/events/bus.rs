//! Event buses and their policies.

use serde_json::{Map, Value, json};

use super::rules::Rules;
use super::{Events, bus_arn, is_name, limit_exceeded, validation};
use crate::policy::{Document, Kind};
use crate::wire::api::ApiError;

/// Maximum characters of a bus policy.
const POLICY_LIMIT: usize = 10_240;
/// Maximum custom buses per account and Region.
const BUSES: usize = 100;

/// An event bus.
#[derive(Clone, Debug)]
pub struct Bus {
    pub(crate) arn: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
    /// As in `AWS::Events::EventBus`; `Policy` is the live policy.
    pub(crate) properties: Map<String, Value>,
    pub(crate) policy: Option<Document>,
    pub rules: Rules,
}

/// Creates a custom bus from template properties and returns its ARN.
pub(crate) fn create_bus(
    events: &mut Events,
    account: &str,
    region: &str,
    name: &str,
    properties: Map<String, Value>,
) -> Result<String, ApiError> {
    if name == "default" || name.contains("aws.") || !is_name(name, 256) {
        return Err(validation(format!("Invalid event bus name {name:?}.")));
    }
    let arn = bus_arn(account, region, name);
    let buses = &mut events.buses;
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
        return Err(limit_exceeded(BUSES, "event buses"));
    }
    let policy = match properties.get("Policy") {
        Some(policy) => Some(parse_policy(policy)?),
        None => None,
    };
    let bus = Bus {
        properties,
        policy,
        ..Bus::new(account, region, name)
    };
    buses.insert(arn.clone(), bus);
    Ok(arn)
}

/// Deletes a custom bus. A bus with rules is refused.
pub(crate) fn delete_bus(
    events: &mut Events,
    account: &str,
    region: &str,
    name: &str,
) -> Result<(), ApiError> {
    if name == "default" {
        return Err(validation("Cannot delete event bus default."));
    }
    let arn = bus_arn(account, region, name);
    if events
        .buses
        .get(&arn)
        .is_some_and(|bus| !bus.rules.is_empty())
    {
        return Err(validation(format!(
            "Event bus {name} has rules; delete them first."
        )));
    }
    events.buses.remove(&arn);
    Ok(())
}

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
    pub(super) fn new(account: &str, region: &str, name: &str) -> Bus {
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

    /// Whether the bus is as AWS creates it, and so need not be stored.
    pub(super) fn is_untouched(&self) -> bool {
        self.rules.is_empty() && self.policy.is_none() && self.properties.is_empty()
    }

    pub(super) fn rule_arn(&self, name: &str) -> String {
        super::rule_arn(&self.account, &self.region, &self.name, name)
    }

    /// Replaces the whole policy; `None` removes it.
    pub(super) fn set_policy(&mut self, written: Option<Value>) -> Result<(), ApiError> {
        self.policy = written.as_ref().map(parse_policy).transpose()?;
        match written {
            Some(written) => self.properties.insert("Policy".to_owned(), written),
            None => self.properties.remove("Policy"),
        };
        Ok(())
    }

    /// Adds a statement to the bus policy, replacing one with the same `Sid`.
    pub(crate) fn put_statement(&mut self, id: &str, mut statement: Value) -> Result<(), ApiError> {
        let mut statements = self.statements();
        statements.retain(|other| other.get("Sid").and_then(Value::as_str) != Some(id));
        if let Some(statement) = statement.as_object_mut() {
            statement.insert("Sid".to_owned(), json!(id));
        }
        statements.push(statement);
        self.set_statements(statements)
    }

    /// Removes a statement from the bus policy. Returns whether it existed.
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
            return self.set_policy(None);
        }
        let mut policy = self
            .properties
            .get("Policy")
            .cloned()
            .unwrap_or_else(|| json!({"Version": "2012-10-17"}));
        if let Some(policy) = policy.as_object_mut() {
            policy.insert("Statement".to_owned(), Value::Array(statements));
        }
        self.set_policy(Some(policy))
    }
}
