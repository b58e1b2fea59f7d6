//! `AWS::CloudWatch::Alarm`.

use serde_json::{Map, Value, json};

use super::{alarm_arn, put_alarm};
use crate::Services;
use crate::resources::shape::{Property, Shape, TAGS};
use crate::resources::{
    Change, Created, ResourceError, ResourceLocation, Type, created, name_or_generated,
};

pub(crate) const TYPES: &[Type] = &[Type {
    name: "AWS::CloudWatch::Alarm",
    properties: &[
        Property::new("AlarmName", Shape::Text).fixed(),
        Property::new("AlarmDescription", Shape::Text),
        Property::new("ActionsEnabled", Shape::Flag),
        Property::new("AlarmActions", Shape::List(&Shape::Text)),
        Property::new("OKActions", Shape::List(&Shape::Text)),
        Property::new("InsufficientDataActions", Shape::List(&Shape::Text)),
        Property::new("ComparisonOperator", Shape::Text).required(),
        Property::new("DatapointsToAlarm", Shape::Integer),
        Property::new(
            "Dimensions",
            Shape::List(&Shape::Object(&[
                Property::new("Name", Shape::Text).required(),
                Property::new("Value", Shape::Text).required(),
            ])),
        ),
        Property::new("EvaluationPeriods", Shape::Integer).required(),
        Property::new("MetricName", Shape::Text),
        Property::new("Namespace", Shape::Text),
        Property::new("Period", Shape::Integer),
        Property::new(
            "Statistic",
            Shape::Choice(&["SampleCount", "Average", "Sum", "Minimum", "Maximum"]),
        ),
        Property::new("Threshold", Shape::Number),
        Property::new(
            "TreatMissingData",
            Shape::Choice(&["breaching", "notBreaching", "ignore", "missing"]),
        ),
        Property::new("Unit", Shape::Text),
        TAGS,
    ],
    create,
    update,
    delete,
    read: Some(read),
}];

fn create(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let name = name_or_generated(services, location, properties, "AlarmName", 255);
    let arn = alarm_arn(&location.account, &location.region, &name);
    if services.monitoring.alarms.contains_key(&arn) {
        return Err(ResourceError::AlreadyExists(format!(
            "{name} already exists"
        )));
    }
    put_alarm(
        &mut services.monitoring,
        &location.account,
        &location.region,
        &name,
        properties.clone(),
    )?;
    Ok(created(name, [("Arn", json!(arn))]))
}

fn update(
    services: &mut Services,
    location: &ResourceLocation,
    name: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    let arn = put_alarm(
        &mut services.monitoring,
        &location.account,
        &location.region,
        name,
        change.new.clone(),
    )?;
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
    let arn = alarm_arn(&location.account, &location.region, name);
    services.monitoring.alarms.remove(&arn);
    Ok(())
}

fn read(
    services: &Services,
    location: &ResourceLocation,
    name: &str,
) -> Option<Map<String, Value>> {
    let arn = alarm_arn(&location.account, &location.region, name);
    let alarm = services.monitoring.alarms.get(&arn)?;
    Some(alarm.properties.clone())
}
