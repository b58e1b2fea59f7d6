//! `AWS::KMS::Key` and `AWS::KMS::Alias`.

#![expect(
    clippy::unnecessary_wraps,
    reason = "the signature of all delete handlers"
)]

use serde_json::{Map, Value, json};

use super::{create_key, key_arn, parse_policy};
use crate::Services;
use crate::resources::shape::{Property, Shape, TAGS};
use crate::resources::{
    Change, Created, Made, ResourceError, ResourceLocation, Type, created, gone, text,
};

pub(crate) const TYPES: &[Type] = &[
    Type {
        name: "AWS::KMS::Key",
        properties: &[
            Property::new("Description", Shape::Text),
            Property::new("Enabled", Shape::Flag),
            Property::new("EnableKeyRotation", Shape::Flag),
            Property::new("KeyPolicy", Shape::Document),
            Property::new("KeySpec", Shape::Choice(&["SYMMETRIC_DEFAULT"])),
            Property::new("KeyUsage", Shape::Choice(&["ENCRYPT_DECRYPT"])),
            Property::new("PendingWindowInDays", Shape::Integer),
            Property::new("RotationPeriodInDays", Shape::Integer),
            TAGS,
        ],
        create: create_key_resource,
        update: update_key,
        delete: delete_key,
        read: Some(read_key),
    },
    Type {
        name: "AWS::KMS::Alias",
        properties: &[
            Property::new("AliasName", Shape::Text).required().fixed(),
            Property::new("TargetKeyId", Shape::Text).required(),
        ],
        create: create_alias,
        update: update_alias,
        delete: delete_alias,
        read: Some(read_alias),
    },
];

fn check_window(properties: &Map<String, Value>) -> Result<(), ResourceError> {
    match properties
        .get("PendingWindowInDays")
        .and_then(Value::as_i64)
    {
        Some(days) if !(7..=30).contains(&days) => Err(ResourceError::Invalid(
            "PendingWindowInDays must be between 7 and 30".to_owned(),
        )),
        _ => Ok(()),
    }
}

fn key_made(arn: &str) -> Created {
    let id = arn.rsplit('/').next().unwrap_or_default();
    created(id, [("Arn", json!(arn)), ("KeyId", json!(id))])
}

fn create_key_resource(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Made {
    check_window(properties)?;
    let arn = create_key(
        services,
        &location.account,
        &location.region,
        properties.clone(),
    )?;
    Ok(key_made(&arn))
}

fn update_key(
    services: &mut Services,
    location: &ResourceLocation,
    id: &str,
    change: &Change,
) -> Made {
    check_window(&change.new)?;
    let arn = key_arn(&location.account, &location.region, id);
    let policy = match change.new.get("KeyPolicy") {
        Some(written) => Some(parse_policy(written, &location.account)?),
        None => None,
    };
    let key = services.kms.keys.get_mut(&arn).ok_or_else(|| gone(id))?;
    let mut properties = change.new.clone();
    match policy {
        Some(policy) => key.policy = policy,
        None => {
            if let Some(old) = key.properties.get("KeyPolicy") {
                properties.insert("KeyPolicy".to_owned(), old.clone());
            }
        }
    }
    key.properties = properties;
    Ok(key_made(&arn))
}

/// Keys aren't deleted immediately: they are unusable during the pending window.
fn delete_key(
    services: &mut Services,
    location: &ResourceLocation,
    id: &str,
) -> Result<(), ResourceError> {
    let arn = key_arn(&location.account, &location.region, id);
    if let Some(key) = services.kms.keys.get_mut(&arn) {
        key.pending_deletion = true;
    }
    Ok(())
}

fn read_key(
    services: &Services,
    location: &ResourceLocation,
    id: &str,
) -> Option<Map<String, Value>> {
    let arn = key_arn(&location.account, &location.region, id);
    let key = services.kms.keys.get(&arn)?;
    (!key.pending_deletion).then(|| key.properties.clone())
}

fn alias_of(location: &ResourceLocation, name: &str) -> (String, String, String) {
    (
        location.account.clone(),
        location.region.clone(),
        name.to_owned(),
    )
}

fn target(
    services: &Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Result<String, ResourceError> {
    let reference = text(properties, "TargetKeyId").unwrap_or_default();
    services
        .kms
        .find(reference, &location.account, &location.region)
        .filter(|key| {
            key.account == location.account
                && key.region == location.region
                && !reference.contains("alias/")
        })
        .map(|key| key.id.clone())
        .ok_or_else(|| gone(reference))
}

fn create_alias(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Made {
    let name = text(properties, "AliasName").unwrap_or_default();
    let good = name.strip_prefix("alias/").is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with("aws/")
            && rest
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "/_-".contains(c))
    });
    if !good {
        return Err(ResourceError::Invalid(format!(
            "{name:?} is not a valid alias name: alias/ and letters, digits, slashes, underscores, dashes"
        )));
    }
    let id = target(services, location, properties)?;
    let key = alias_of(location, name);
    if services.kms.aliases.contains_key(&key) {
        return Err(ResourceError::AlreadyExists(format!(
            "{name} already exists"
        )));
    }
    services.kms.aliases.insert(key, id);
    Ok(created(name, []))
}

fn update_alias(
    services: &mut Services,
    location: &ResourceLocation,
    name: &str,
    change: &Change,
) -> Made {
    let id = target(services, location, &change.new)?;
    let alias = services
        .kms
        .aliases
        .get_mut(&alias_of(location, name))
        .ok_or_else(|| gone(name))?;
    *alias = id;
    Ok(created(name, []))
}

fn delete_alias(
    services: &mut Services,
    location: &ResourceLocation,
    name: &str,
) -> Result<(), ResourceError> {
    services.kms.aliases.remove(&alias_of(location, name));
    Ok(())
}

fn read_alias(
    services: &Services,
    location: &ResourceLocation,
    name: &str,
) -> Option<Map<String, Value>> {
    let id = services.kms.aliases.get(&alias_of(location, name))?;
    let mut live = Map::new();
    live.insert("AliasName".to_owned(), json!(name));
    live.insert("TargetKeyId".to_owned(), json!(id));
    Some(live)
}
