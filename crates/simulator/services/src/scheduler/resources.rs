//! `AWS::Scheduler::Schedule`.

use serde_json::{Map, Value, json};

use super::{put, schedule_arn};
use crate::Services;
use crate::resources::shape::{Property, Shape};
use crate::resources::{
    Change, Created, ResourceError, ResourceLocation, Type, created, gone, name_or_generated,
    refused, text,
};

pub(crate) const TYPES: &[Type] = &[Type {
    name: "AWS::Scheduler::Schedule",
    properties: &[
        Property::new("Name", Shape::Text).fixed(),
        Property::new("Description", Shape::Text),
        Property::new("ScheduleExpression", Shape::Text).required(),
        Property::new("ScheduleExpressionTimezone", Shape::Text),
        Property::new("State", Shape::Choice(&["ENABLED", "DISABLED"])),
        Property::new(
            "FlexibleTimeWindow",
            Shape::Object(&[
                Property::new("Mode", Shape::Choice(&["OFF", "FLEXIBLE"])).required(),
                Property::new("MaximumWindowInMinutes", Shape::Integer),
            ]),
        )
        .required(),
        Property::new(
            "Target",
            Shape::Object(&[
                Property::new("Arn", Shape::Text).required(),
                Property::new("RoleArn", Shape::Text).required(),
                Property::new("Input", Shape::Text),
                Property::new(
                    "RetryPolicy",
                    Shape::Object(&[
                        Property::new("MaximumEventAgeInSeconds", Shape::Integer),
                        Property::new("MaximumRetryAttempts", Shape::Integer),
                    ]),
                ),
                Property::new(
                    "DeadLetterConfig",
                    Shape::Object(&[Property::new("Arn", Shape::Text)]),
                ),
            ]),
        )
        .required(),
    ],
    create,
    update,
    delete,
    read: Some(read),
}];

/// The default schedule group, the only one simulated.
const GROUP: &str = "default";

fn arn(location: &ResourceLocation, name: &str) -> String {
    schedule_arn(&location.account, &location.region, GROUP, name)
}

fn create(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let name = name_or_generated(services, location, properties, "Name", 64);
    let arn = arn(location, &name);
    if services.scheduler.schedules.contains_key(&arn) {
        return Err(ResourceError::AlreadyExists(format!(
            "Schedule {name} already exists."
        )));
    }
    set(services, location, &name, properties)
}

fn update(
    services: &mut Services,
    location: &ResourceLocation,
    name: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    if !services
        .scheduler
        .schedules
        .contains_key(&arn(location, name))
    {
        return Err(gone(name));
    }
    set(services, location, name, &change.new)
}

fn set(
    services: &mut Services,
    location: &ResourceLocation,
    name: &str,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let window = properties.get("FlexibleTimeWindow");
    let flexible = window.and_then(|window| text(window.as_object()?, "Mode")) == Some("FLEXIBLE");
    let minutes = window.and_then(|window| window.get("MaximumWindowInMinutes")?.as_i64());
    if flexible && !minutes.is_some_and(|minutes| (1..=1_440).contains(&minutes)) {
        return Err(refused(
            "MaximumWindowInMinutes must be between 1 and 1440 when FlexibleTimeWindow mode is FLEXIBLE.",
            "InvalidRequest",
        ));
    }
    let arn = arn(location, name);
    let here = (location.account.as_str(), location.region.as_str());
    put(services, here, &arn, properties.clone())?;
    Ok(created(name, [("Arn", json!(arn))]))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature of all delete handlers"
)]
fn delete(
    services: &mut Services,
    location: &ResourceLocation,
    name: &str,
) -> Result<(), ResourceError> {
    services.scheduler.schedules.remove(&arn(location, name));
    Ok(())
}

fn read(
    services: &Services,
    location: &ResourceLocation,
    name: &str,
) -> Option<Map<String, Value>> {
    let schedules = &services.scheduler.schedules;
    Some(schedules.get(&arn(location, name))?.properties.clone())
}
