//! `AWS::Scheduler::Schedule`.

use serde_json::{Map, Value, json};

use super::shape::{Property, Shape};
use super::{Change, Created, Place, ResourceError, Type, created, name_or_generated, text};
use crate::services::Services;
use crate::services::scheduler::{put, schedule_arn};

pub(super) const TYPES: &[Type] = &[Type {
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

/// The group of schedules that name none; others are not simulated.
const GROUP: &str = "default";

fn arn(place: &Place, name: &str) -> String {
    schedule_arn(&place.account, &place.region, GROUP, name)
}

fn create(
    services: &mut Services,
    place: &Place,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let name = name_or_generated(services, place, properties, "Name", 64);
    let arn = arn(place, &name);
    if services.scheduler.schedules.contains_key(&arn) {
        return Err(ResourceError::AlreadyExists(format!(
            "Schedule {name} already exists."
        )));
    }
    set(services, place, &name, properties)
}

fn update(
    services: &mut Services,
    place: &Place,
    name: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    if !services.scheduler.schedules.contains_key(&arn(place, name)) {
        return Err(super::gone(name));
    }
    set(services, place, name, &change.new)
}

fn set(
    services: &mut Services,
    place: &Place,
    name: &str,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let window = properties.get("FlexibleTimeWindow");
    let flexible = window.and_then(|window| text(window.as_object()?, "Mode")) == Some("FLEXIBLE");
    let minutes = window.and_then(|window| window.get("MaximumWindowInMinutes")?.as_i64());
    if flexible && !minutes.is_some_and(|minutes| (1..=1_440).contains(&minutes)) {
        return Err(super::refused(
            "MaximumWindowInMinutes must be between 1 and 1440 when FlexibleTimeWindow mode is FLEXIBLE.",
            "InvalidRequest",
        ));
    }
    let arn = arn(place, name);
    let here = (place.account.as_str(), place.region.as_str());
    put(services, here, &arn, properties.clone())?;
    Ok(created(name, [("Arn", json!(arn))]))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature of all delete handlers"
)]
fn delete(services: &mut Services, place: &Place, name: &str) -> Result<(), ResourceError> {
    services.scheduler.schedules.remove(&arn(place, name));
    Ok(())
}

fn read(services: &Services, place: &Place, name: &str) -> Option<Map<String, Value>> {
    let schedules = &services.scheduler.schedules;
    Some(schedules.get(&arn(place, name))?.properties.clone())
}
