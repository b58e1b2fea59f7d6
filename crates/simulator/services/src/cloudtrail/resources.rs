//! `AWS::CloudTrail::Trail`.

use serde_json::{Map, Value, json};

use super::{create_trail, selectors, set_logging, trail_arn, validate};
use crate::Services;
use crate::resources::shape::{Property, Shape, TAGS};
use crate::resources::{
    Change, Created, Made, ResourceError, ResourceLocation, Type, created, gone, name_or_generated,
};

pub(crate) const TYPES: &[Type] = &[Type {
    name: "AWS::CloudTrail::Trail",
    properties: &[
        Property::new("TrailName", Shape::Text).fixed(),
        Property::new("S3BucketName", Shape::Text).required(),
        Property::new("S3KeyPrefix", Shape::Text),
        Property::new("IsLogging", Shape::Flag).required(),
        Property::new("IsMultiRegionTrail", Shape::Flag),
        Property::new("IsOrganizationTrail", Shape::Flag),
        Property::new("IncludeGlobalServiceEvents", Shape::Flag),
        Property::new("EnableLogFileValidation", Shape::Flag),
        Property::new("KMSKeyId", Shape::Text),
        Property::new("EventSelectors", selectors::BASIC),
        Property::new("AdvancedEventSelectors", selectors::ADVANCED),
        TAGS,
    ],
    create,
    update,
    delete,
    read: Some(read),
}];

fn made(arn: &str) -> Created {
    let name = arn.rsplit('/').next().unwrap_or_default();
    created(name, [("Arn", json!(arn))])
}

/// Separates `IsLogging` from the properties and sets the service's defaults.
fn split(mut properties: Map<String, Value>) -> (bool, Map<String, Value>) {
    let logging = properties.remove("IsLogging") == Some(Value::Bool(true));
    properties
        .entry("IncludeGlobalServiceEvents")
        .or_insert(Value::Bool(true));
    (logging, properties)
}

fn create(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Made {
    let name = name_or_generated(services, location, properties, "TrailName", 128);
    let (logging, properties) = split(properties.clone());
    let arn = create_trail(
        services,
        &location.account,
        &location.region,
        &name,
        properties,
    )?;
    let now = services.environment.now;
    if let Some(trail) = services.cloudtrail.trails.get_mut(&arn) {
        set_logging(trail, logging, now);
    }
    Ok(made(&arn))
}

fn update(
    services: &mut Services,
    location: &ResourceLocation,
    name: &str,
    change: &Change,
) -> Made {
    let arn = trail_arn(&location.account, &location.region, name);
    let (logging, mut properties) = split(change.new.clone());
    validate(services, &location.account, &arn, &mut properties)?;
    let now = services.environment.now;
    let trail = services
        .cloudtrail
        .trails
        .get_mut(&arn)
        .ok_or_else(|| gone(name))?;
    trail.properties = properties;
    set_logging(trail, logging, now);
    Ok(made(&arn))
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
    let arn = trail_arn(&location.account, &location.region, name);
    services.cloudtrail.trails.remove(&arn);
    Ok(())
}

fn read(
    services: &Services,
    location: &ResourceLocation,
    name: &str,
) -> Option<Map<String, Value>> {
    let arn = trail_arn(&location.account, &location.region, name);
    let trail = services.cloudtrail.trails.get(&arn)?;
    let mut live = trail.properties.clone();
    live.insert("TrailName".to_owned(), json!(name));
    live.insert("IsLogging".to_owned(), json!(trail.logging));
    Some(live)
}
