//! The resource types that set the policy of a topic, queue or bucket.
//!
//! A holder has at most one policy. The inline types name one holder and refuse one that already
//! has a policy; the older types name several and overwrite.

use serde_json::{Map, Value, json};

use super::shape::Property;
use super::{
    Change, Created, ResourceError, ResourceLocation, Type, created, generated, text, texts,
};
use crate::Services;

/// A kind of resource that has a policy. `name` is the value of the property that identifies it: an
/// ARN, a URL or a bucket name.
pub(crate) trait Holder {
    /// The property that identifies the holder in the inline type.
    const PROPERTY: &'static str;

    /// Sets the holder's policy; `fresh` refuses a holder that already has one.
    fn put(
        services: &mut Services,
        location: &ResourceLocation,
        name: &str,
        written: Value,
        fresh: bool,
    ) -> Result<(), ResourceError>;

    /// Removes the holder's policy, if any.
    fn clear(
        services: &mut Services,
        location: &ResourceLocation,
        name: &str,
    ) -> Result<(), ResourceError>;

    /// The live policy; `None` if the holder doesn't exist or has none.
    fn policy(services: &Services, location: &ResourceLocation, name: &str) -> Option<Value>;
}

/// A holder that also has an older type naming several.
pub(crate) trait Listed: Holder {
    /// The property that lists the holders.
    const LIST: &'static str;
}

/// The type that sets the policy of one holder.
pub(crate) const fn inline<H: Holder>(name: &'static str, properties: &'static [Property]) -> Type {
    Type {
        name,
        properties,
        create: create_inline::<H>,
        update: update_inline::<H>,
        delete: H::clear,
        read: Some(read_inline::<H>),
    }
}

/// The type that sets the policy of several holders. It has no read handler.
pub(crate) const fn listed<H: Listed>(name: &'static str, properties: &'static [Property]) -> Type {
    Type {
        name,
        properties,
        create: create_listed::<H>,
        update: update_listed::<H>,
        delete: delete_listed::<H>,
        read: None,
    }
}

fn create_inline<H: Holder>(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let name = text(properties, H::PROPERTY).unwrap_or_default();
    H::put(services, location, name, document(properties), true)?;
    Ok(created(name, []))
}

fn update_inline<H: Holder>(
    services: &mut Services,
    location: &ResourceLocation,
    name: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    H::put(services, location, name, document(&change.new), false)?;
    Ok(created(name, []))
}

fn read_inline<H: Holder>(
    services: &Services,
    location: &ResourceLocation,
    name: &str,
) -> Option<Map<String, Value>> {
    let policy = H::policy(services, location, name)?;
    let mut live = Map::new();
    live.insert(H::PROPERTY.to_owned(), json!(name));
    live.insert("PolicyDocument".to_owned(), policy);
    Some(live)
}

fn create_listed<H: Listed>(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let names = texts(properties, H::LIST);
    for name in &names {
        H::put(services, location, name, document(properties), false)?;
    }
    // The delete handler gets only the physical id, so it has to contain the holders.
    let id = format!("{}|{}", generated(services, location, 128), names.join("|"));
    Ok(created(id.as_str(), [("Id", json!(id))]))
}

fn update_listed<H: Listed>(
    services: &mut Services,
    location: &ResourceLocation,
    id: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    for name in texts(&change.new, H::LIST) {
        H::put(services, location, &name, document(&change.new), false)?;
    }
    Ok(created(id, [("Id", json!(id))]))
}

fn delete_listed<H: Listed>(
    services: &mut Services,
    location: &ResourceLocation,
    id: &str,
) -> Result<(), ResourceError> {
    for name in id.split('|').skip(1) {
        H::clear(services, location, name)?;
    }
    Ok(())
}

/// `PolicyDocument` as in the template.
pub(crate) fn document(properties: &Map<String, Value>) -> Value {
    properties
        .get("PolicyDocument")
        .cloned()
        .unwrap_or_default()
}
