//! `AWS::Events::EventBus`, `AWS::Events::EventBusPolicy` and `AWS::Events::Rule`.

use serde_json::{Map, Value, json};

use super::bus::{create_bus, delete_bus, parse_policy};
use super::rule::put_rule;
use super::{Bus, bus_arn};
use crate::Services;
use crate::resources::shape::{self, Property, Shape, TAGS};
use crate::resources::{
    Change, Created, ResourceError, ResourceLocation, Type, created, generated, gone,
    name_or_generated, text,
};

const DEAD_LETTERS: Shape = Shape::Object(&[Property::new("Arn", Shape::Text)]);

const TARGET: &[Property] = &[
    Property::new("Id", Shape::Text).required(),
    Property::new("Arn", Shape::Text).required(),
    Property::new("RoleArn", Shape::Text),
    Property::new("Input", Shape::Text),
    Property::new("InputPath", Shape::Text),
    Property::new(
        "InputTransformer",
        Shape::Object(&[
            Property::new("InputPathsMap", Shape::Texts),
            Property::new("InputTemplate", Shape::Text).required(),
        ]),
    ),
    Property::new("DeadLetterConfig", DEAD_LETTERS),
    Property::new(
        "RetryPolicy",
        Shape::Object(&[
            Property::new("MaximumEventAgeInSeconds", Shape::Integer),
            Property::new("MaximumRetryAttempts", Shape::Integer),
        ]),
    ),
];

/// Checks a target of a template; fields that the simulator doesn't support are an error.
pub(super) fn check_target(target: &Value) -> Result<Value, String> {
    shape::object(TARGET, target, "/Targets").map(Value::Object)
}

pub(crate) const TYPES: &[Type] = &[
    Type {
        name: "AWS::Events::EventBus",
        properties: &[
            Property::new("Name", Shape::Text).required().fixed(),
            Property::new("Description", Shape::Text),
            Property::new("KmsKeyIdentifier", Shape::Text),
            Property::new("DeadLetterConfig", DEAD_LETTERS),
            Property::new("Policy", Shape::Document),
            TAGS,
        ],
        create: create_event_bus,
        update: update_bus,
        delete: delete_event_bus,
        read: Some(read_bus),
    },
    Type {
        name: "AWS::Events::EventBusPolicy",
        properties: &[
            Property::new("EventBusName", Shape::Text).fixed(),
            Property::new("StatementId", Shape::Text).required().fixed(),
            Property::new("Statement", Shape::Document).required(),
        ],
        create: create_policy,
        update: update_policy,
        delete: delete_policy,
        read: Some(read_policy),
    },
    Type {
        name: "AWS::Events::Rule",
        properties: &[
            Property::new("Name", Shape::Text).fixed(),
            Property::new("EventBusName", Shape::Text).fixed(),
            Property::new("Description", Shape::Text),
            Property::new("EventPattern", Shape::Pattern),
            Property::new("ScheduleExpression", Shape::Text),
            Property::new(
                "State",
                Shape::Choice(&[
                    "ENABLED",
                    "DISABLED",
                    "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
                ]),
            ),
            Property::new("RoleArn", Shape::Text),
            Property::new("Targets", Shape::List(&Shape::Object(TARGET))),
            TAGS,
        ],
        create: create_rule,
        update: update_rule,
        delete: delete_rule,
        read: Some(read_rule),
    },
];

fn bus_made(location: &ResourceLocation, name: &str) -> Created {
    let arn = bus_arn(&location.account, &location.region, name);
    created(name, [("Arn", json!(arn)), ("Name", json!(name))])
}

fn create_event_bus(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let name = text(properties, "Name").unwrap_or_default();
    create_bus(
        &mut services.events,
        &location.account,
        &location.region,
        name,
        properties.clone(),
    )?;
    Ok(bus_made(location, name))
}

fn update_bus(
    services: &mut Services,
    location: &ResourceLocation,
    name: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    let policy = change.new.get("Policy").map(parse_policy).transpose()?;
    let bus = bus(services, location, name)?;
    bus.properties.clone_from(&change.new);
    bus.policy = policy;
    Ok(bus_made(location, name))
}

fn delete_event_bus(
    services: &mut Services,
    location: &ResourceLocation,
    name: &str,
) -> Result<(), ResourceError> {
    delete_bus(
        &mut services.events,
        &location.account,
        &location.region,
        name,
    )?;
    Ok(())
}

fn read_bus(
    services: &Services,
    location: &ResourceLocation,
    name: &str,
) -> Option<Map<String, Value>> {
    let bus = services
        .events
        .bus(&location.account, &location.region, name)?;
    Some(bus.properties.clone())
}

fn bus<'s>(
    services: &'s mut Services,
    location: &ResourceLocation,
    name: &str,
) -> Result<&'s mut Bus, ResourceError> {
    services
        .events
        .bus_mut(&location.account, &location.region, name)
        .map_err(ResourceError::from)
        .and_then(|bus| {
            if bus.account == location.account && bus.region == location.region {
                Ok(bus)
            } else {
                Err(gone(name))
            }
        })
}

fn create_policy(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let name = text(properties, "EventBusName").unwrap_or("default");
    let id = text(properties, "StatementId").unwrap_or_default();
    let statement = properties.get("Statement").cloned().unwrap_or_default();
    let bus = bus(services, location, name)?;
    if bus
        .statements()
        .iter()
        .any(|other| other.get("Sid") == Some(&json!(id)))
    {
        return Err(ResourceError::AlreadyExists(format!(
            "The policy of the event bus {name} already has a statement {id}."
        )));
    }
    bus.put_statement(id, statement)?;
    Ok(created(format!("{}|{id}", bus.name), []))
}

fn update_policy(
    services: &mut Services,
    location: &ResourceLocation,
    physical: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    let (name, id) = physical.split_once('|').ok_or_else(|| gone(physical))?;
    let statement = change.new.get("Statement").cloned().unwrap_or_default();
    bus(services, location, name)?.put_statement(id, statement)?;
    Ok(created(physical, []))
}

fn delete_policy(
    services: &mut Services,
    location: &ResourceLocation,
    physical: &str,
) -> Result<(), ResourceError> {
    if let Some((name, id)) = physical.split_once('|')
        && let Ok(bus) = bus(services, location, name)
    {
        bus.remove_statement(id)?;
    }
    Ok(())
}

fn read_policy(
    services: &Services,
    location: &ResourceLocation,
    physical: &str,
) -> Option<Map<String, Value>> {
    let (name, id) = physical.split_once('|')?;
    let bus = services
        .events
        .bus(&location.account, &location.region, name)?;
    let mut statement = bus
        .statements()
        .into_iter()
        .find(|statement| statement.get("Sid") == Some(&json!(id)))?;
    // In templates, `Statement` has no `Sid`: `StatementId` sets it.
    if let Some(statement) = statement.as_object_mut() {
        statement.shift_remove("Sid");
    }
    let mut live = Map::new();
    live.insert("EventBusName".to_owned(), json!(name));
    live.insert("StatementId".to_owned(), json!(id));
    live.insert("Statement".to_owned(), statement);
    Some(live)
}

/// `Ref` of a rule: `name`, or `bus|name` on a custom bus.
fn physical(bus: &str, name: &str) -> String {
    if bus == "default" {
        name.to_owned()
    } else {
        format!("{bus}|{name}")
    }
}

fn parts(physical: &str) -> (&str, &str) {
    physical.split_once('|').unwrap_or(("default", physical))
}

/// Characters of a rule's name.
const NAME_LIMIT: usize = 64;

impl Services {
    /// The name, and on the default bus also the physical id, that CloudFormation generates for a
    /// rule.
    pub fn generated_rule_name(&self, location: &ResourceLocation) -> String {
        generated(self, location, NAME_LIMIT)
    }
}

fn create_rule(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let reference = text(properties, "EventBusName").unwrap_or("default");
    let name = name_or_generated(services, location, properties, "Name", NAME_LIMIT);
    let bus = bus(services, location, reference)?;
    if bus.rules.contains_key(&name) {
        return Err(ResourceError::AlreadyExists(format!(
            "{} already exists",
            bus.rule_arn(&name)
        )));
    }
    let bus_name = bus.name.clone();
    let here = (location.account.as_str(), location.region.as_str());
    let arn = put_rule(
        &mut services.events,
        here,
        &bus_name,
        &name,
        properties.clone(),
    )?;
    Ok(created(physical(&bus_name, &name), [("Arn", json!(arn))]))
}

fn update_rule(
    services: &mut Services,
    location: &ResourceLocation,
    id: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    let (bus_name, name) = parts(id);
    if !bus(services, location, bus_name)?.rules.contains_key(name) {
        return Err(gone(id));
    }
    let mut properties = change.new.clone();
    properties
        .entry("Targets")
        .or_insert_with(|| Value::Array(Vec::new()));
    let here = (location.account.as_str(), location.region.as_str());
    let arn = put_rule(&mut services.events, here, bus_name, name, properties)?;
    Ok(created(id, [("Arn", json!(arn))]))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature of all delete handlers"
)]
fn delete_rule(
    services: &mut Services,
    location: &ResourceLocation,
    id: &str,
) -> Result<(), ResourceError> {
    let (bus_name, name) = parts(id);
    if let Ok(bus) = bus(services, location, bus_name) {
        bus.rules.remove(name);
    }
    Ok(())
}

fn read_rule(
    services: &Services,
    location: &ResourceLocation,
    id: &str,
) -> Option<Map<String, Value>> {
    let (bus_name, name) = parts(id);
    let bus = services
        .events
        .bus(&location.account, &location.region, bus_name)?;
    let rule = bus.rules.get(name)?;
    let mut live = rule.properties.clone();
    live.insert("State".to_owned(), json!(rule.state()));
    Some(live)
}
