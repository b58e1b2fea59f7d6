//! The types that put a resource policy on a topic, a queue or a bucket.
//!
//! A holder has one policy at most. The inline types name one holder and refuse one that has a
//! policy already; the older types name several and overwrite.

use serde_json::{Map, Value, json};

use super::shape::Property;
use super::{Change, Created, Place, ResourceError, Type, created, generated, text, texts};
use crate::Services;

/// A kind of resource that a policy can be put on. `name` is what the property that names it
/// holds: an ARN, a URL, a bucket's name.
pub(crate) trait Holder {
    /// The property that names the one holder of an inline policy.
    const PROPERTY: &'static str;

    /// Puts a policy on the holder; `fresh` refuses a holder that already has one.
    fn put(
        services: &mut Services,
        place: &Place,
        name: &str,
        written: Value,
        fresh: bool,
    ) -> Result<(), ResourceError>;

    /// Takes the policy off the holder, if there is one.
    fn clear(services: &mut Services, place: &Place, name: &str) -> Result<(), ResourceError>;

    /// The live policy; `None` if the holder is gone or has no policy.
    fn policy(services: &Services, place: &Place, name: &str) -> Option<Value>;
}

/// A holder that the types naming several know, too.
pub(crate) trait Listed: Holder {
    /// The property that lists the holders.
    const LIST: &'static str;
}

/// The type that puts a policy on one holder.
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

/// The type that puts a policy on several holders. It has no read handler.
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
    place: &Place,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let name = text(properties, H::PROPERTY).unwrap_or_default();
    H::put(services, place, name, document(properties), true)?;
    Ok(created(name, []))
}

fn update_inline<H: Holder>(
    services: &mut Services,
    place: &Place,
    name: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    H::put(services, place, name, document(&change.new), false)?;
    Ok(created(name, []))
}

fn read_inline<H: Holder>(
    services: &Services,
    place: &Place,
    name: &str,
) -> Option<Map<String, Value>> {
    let policy = H::policy(services, place, name)?;
    let mut live = Map::new();
    live.insert(H::PROPERTY.to_owned(), json!(name));
    live.insert("PolicyDocument".to_owned(), policy);
    Some(live)
}

fn create_listed<H: Listed>(
    services: &mut Services,
    place: &Place,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let names = texts(properties, H::LIST);
    for name in &names {
        H::put(services, place, name, document(properties), false)?;
    }
    // Deleting gets nothing but the physical id to find the holders by.
    let id = format!("{}|{}", generated(services, place, 128), names.join("|"));
    Ok(created(id.as_str(), [("Id", json!(id))]))
}

fn update_listed<H: Listed>(
    services: &mut Services,
    place: &Place,
    id: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    for name in texts(&change.new, H::LIST) {
        H::put(services, place, &name, document(&change.new), false)?;
    }
    Ok(created(id, [("Id", json!(id))]))
}

fn delete_listed<H: Listed>(
    services: &mut Services,
    place: &Place,
    id: &str,
) -> Result<(), ResourceError> {
    for name in id.split('|').skip(1) {
        H::clear(services, place, name)?;
    }
    Ok(())
}

/// `PolicyDocument` as the template has it.
pub(crate) fn document(properties: &Map<String, Value>) -> Value {
    properties
        .get("PolicyDocument")
        .cloned()
        .unwrap_or_default()
}
