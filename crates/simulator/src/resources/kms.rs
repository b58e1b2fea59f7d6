//! `AWS::KMS::Key` and `AWS::KMS::Alias`.

use serde_json::{Map, Value, json};

use super::shape::{Property, Shape, TAGS};
use super::{Change, Created, Place, ResourceError, Type, created, gone, text};
use crate::services::Services;
use crate::services::kms::{create_key, key_arn, parse_policy};

pub(super) const TYPES: &[Type] = &[
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
    place: &Place,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    check_window(properties)?;
    let arn = create_key(services, &place.account, &place.region, properties.clone())?;
    Ok(key_made(&arn))
}

fn update_key(
    services: &mut Services,
    place: &Place,
    id: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    check_window(&change.new)?;
    let arn = key_arn(&place.account, &place.region, id);
    let policy = match change.new.get("KeyPolicy") {
        Some(written) => Some(parse_policy(written, &place.account)?),
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

/// A key is never deleted at once: it waits, unusable, for its window to pass.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature of all delete handlers"
)]
fn delete_key(services: &mut Services, place: &Place, id: &str) -> Result<(), ResourceError> {
    let arn = key_arn(&place.account, &place.region, id);
    if let Some(key) = services.kms.keys.get_mut(&arn) {
        key.pending_deletion = true;
    }
    Ok(())
}

fn read_key(services: &Services, place: &Place, id: &str) -> Option<Map<String, Value>> {
    let arn = key_arn(&place.account, &place.region, id);
    let key = services.kms.keys.get(&arn)?;
    (!key.pending_deletion).then(|| key.properties.clone())
}

fn alias_of(place: &Place, name: &str) -> (String, String, String) {
    (place.account.clone(), place.region.clone(), name.to_owned())
}

fn target(
    services: &Services,
    place: &Place,
    properties: &Map<String, Value>,
) -> Result<String, ResourceError> {
    let reference = text(properties, "TargetKeyId").unwrap_or_default();
    services
        .kms
        .find(reference, &place.account, &place.region)
        .filter(|key| {
            key.account == place.account
                && key.region == place.region
                && !reference.contains("alias/")
        })
        .map(|key| key.id.clone())
        .ok_or_else(|| gone(reference))
}

fn create_alias(
    services: &mut Services,
    place: &Place,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
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
    let id = target(services, place, properties)?;
    let key = alias_of(place, name);
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
    place: &Place,
    name: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    let id = target(services, place, &change.new)?;
    let alias = services
        .kms
        .aliases
        .get_mut(&alias_of(place, name))
        .ok_or_else(|| gone(name))?;
    *alias = id;
    Ok(created(name, []))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature of all delete handlers"
)]
fn delete_alias(services: &mut Services, place: &Place, name: &str) -> Result<(), ResourceError> {
    services.kms.aliases.remove(&alias_of(place, name));
    Ok(())
}

fn read_alias(services: &Services, place: &Place, name: &str) -> Option<Map<String, Value>> {
    let id = services.kms.aliases.get(&alias_of(place, name))?;
    let mut live = Map::new();
    live.insert("AliasName".to_owned(), json!(name));
    live.insert("TargetKeyId".to_owned(), json!(id));
    Some(live)
}
