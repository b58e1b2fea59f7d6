//! CloudFormation's resource handlers: create, update, delete and read one resource of a template.
//!
//! Every type has an allow list of properties with their types; what is not on it is an error, so a
//! misspelt property fails here as it fails on AWS.

pub(crate) mod policies;
pub(crate) mod shape;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::Services;
use crate::wire::api::ApiError;
use shape::Property;

/// Where in which stack a resource belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The account.
    pub account: String,
    /// The Region.
    pub region: String,
    /// The stack's name.
    pub stack_name: String,
    /// The stack's ARN.
    pub stack_id: String,
    /// The resource's logical id.
    pub logical_id: String,
    /// Which update of the stack makes the resource; 0 is the stack's creation.
    pub generation: u32,
}

/// A resource that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Created {
    /// What `Ref` gives.
    pub physical_id: String,
    /// What `Fn::GetAtt` gives, by attribute name (nested names joined by dots).
    pub attributes: BTreeMap<String, Value>,
}

/// What an update came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Updated {
    /// The resource was changed and kept its physical id.
    InPlace(Created),
    /// An immutable property differs: nothing was done; create a new resource, then delete the old one.
    Replace,
}

/// Why a handler refused. `Display` is the reason as a stack event shows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// The template is wrong: unknown type or property, wrong type of value, missing property.
    #[error("{0}")]
    Invalid(String),
    /// A resource of this name is already there.
    #[error("{0}")]
    AlreadyExists(String),
    /// The service refused.
    #[error("{0}")]
    Refused(String),
    /// The resource is not there any more.
    #[error("{0}")]
    NotFound(String),
    /// The type has no read handler: drift detection skips it.
    #[error("the resource type {0} has no read handler")]
    NotReadable(String),
}

/// What a handler that creates or updates answers.
pub(crate) type Made = Result<Created, ResourceError>;

pub(crate) type Create = fn(&mut Services, &Place, &Map<String, Value>) -> Made;
pub(crate) type Update = fn(&mut Services, &Place, &str, &Change) -> Made;
pub(crate) type Delete = fn(&mut Services, &Place, &str) -> Result<(), ResourceError>;
pub(crate) type Read = fn(&Services, &Place, &str) -> Option<Map<String, Value>>;

/// A resource type with its allow list and handlers, which get checked properties.
pub(crate) struct Type {
    pub(crate) name: &'static str,
    pub(crate) properties: &'static [Property],
    pub(crate) create: Create,
    /// Changes everything that is not fixed.
    pub(crate) update: Update,
    pub(crate) delete: Delete,
    pub(crate) read: Option<Read>,
}

/// The old and new properties of an update.
pub(crate) struct Change {
    pub(crate) old: Map<String, Value>,
    pub(crate) new: Map<String, Value>,
}

fn type_named(name: &str) -> Result<&'static Type, ResourceError> {
    [
        crate::kms::resources::TYPES,
        crate::s3::resources::TYPES,
        crate::cloudtrail::resources::TYPES,
        crate::sns::resources::TYPES,
        crate::sqs::resources::TYPES,
        crate::events::resources::TYPES,
        crate::iam::resources::TYPES,
        crate::monitoring::resources::TYPES,
        crate::scheduler::resources::TYPES,
    ]
    .into_iter()
    .flatten()
    .find(|candidate| candidate.name == name)
    .ok_or_else(|| {
        ResourceError::Invalid(format!(
            "Template format error: Unrecognized resource types: [{name}]"
        ))
    })
}

fn check(
    kind: &Type,
    properties: &Value,
    logical_id: &str,
) -> Result<Map<String, Value>, ResourceError> {
    shape::object(kind.properties, properties, "").map_err(|why| {
        ResourceError::Invalid(format!(
            "Properties validation failed for resource {logical_id} with message: {why}"
        ))
    })
}

/// The resources that CloudFormation makes, by type.
pub trait Resources {
    /// Whether there is such a resource type.
    fn is_known(&self, type_name: &str) -> bool;

    /// Checks a resource's properties against its type's allow list and returns them as the service
    /// keeps them: numbers and booleans given as text become numbers and booleans, and the other way
    /// round where the type says so. Compare these with [`Resources::read`] to find drift.
    fn normalize(&self, type_name: &str, properties: &Value) -> Result<Value, ResourceError>;

    /// Creates a resource. `properties` are fully resolved (no intrinsic functions left).
    fn create(
        &mut self,
        place: &Place,
        type_name: &str,
        properties: &Value,
    ) -> Result<Created, ResourceError>;

    /// Changes a resource from `old` to `new` properties, or says that it needs a new one.
    fn update(
        &mut self,
        place: &Place,
        type_name: &str,
        physical_id: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Updated, ResourceError>;

    /// Deletes a resource; one that is already gone is not an error.
    fn delete(
        &mut self,
        place: &Place,
        type_name: &str,
        physical_id: &str,
    ) -> Result<(), ResourceError>;

    /// The live properties in template shape, or `None` when the resource is gone.
    fn read(
        &self,
        place: &Place,
        type_name: &str,
        physical_id: &str,
    ) -> Result<Option<Value>, ResourceError>;
}

impl Resources for Services {
    fn is_known(&self, type_name: &str) -> bool {
        type_named(type_name).is_ok()
    }

    fn normalize(&self, type_name: &str, properties: &Value) -> Result<Value, ResourceError> {
        check(type_named(type_name)?, properties, "").map(Value::Object)
    }

    fn create(
        &mut self,
        place: &Place,
        type_name: &str,
        properties: &Value,
    ) -> Result<Created, ResourceError> {
        let kind = type_named(type_name)?;
        let properties = check(kind, properties, &place.logical_id)?;
        (kind.create)(self, place, &properties)
    }

    fn update(
        &mut self,
        place: &Place,
        type_name: &str,
        physical_id: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Updated, ResourceError> {
        let kind = type_named(type_name)?;
        let new = check(kind, new, &place.logical_id)?;
        let old = check(kind, old, &place.logical_id)?;
        let replace = kind
            .properties
            .iter()
            .any(|property| property.fixed && old.get(property.name) != new.get(property.name));
        if replace {
            return Ok(Updated::Replace);
        }
        (kind.update)(self, place, physical_id, &Change { old, new }).map(Updated::InPlace)
    }

    fn delete(
        &mut self,
        place: &Place,
        type_name: &str,
        physical_id: &str,
    ) -> Result<(), ResourceError> {
        (type_named(type_name)?.delete)(self, place, physical_id)
    }

    fn read(
        &self,
        place: &Place,
        type_name: &str,
        physical_id: &str,
    ) -> Result<Option<Value>, ResourceError> {
        match type_named(type_name)?.read {
            Some(read) => Ok(read(self, place, physical_id).map(Value::Object)),
            None => Err(ResourceError::NotReadable(type_name.to_owned())),
        }
    }
}

impl From<ApiError> for ResourceError {
    fn from(error: ApiError) -> ResourceError {
        let message = handler_message(&error.message, &error.code);
        if ["AlreadyExists", "AlreadyOwned", "NameExists"]
            .iter()
            .any(|word| error.code.contains(word))
        {
            ResourceError::AlreadyExists(message)
        } else {
            ResourceError::Refused(message)
        }
    }
}

/// The resource is not there any more, though its stack has it.
pub(crate) fn gone(physical_id: &str) -> ResourceError {
    let message = format!("{physical_id} does not exist");
    ResourceError::NotFound(handler_message(&message, "NotFound"))
}

/// The service refuses, in a resource handler's words.
pub(crate) fn refused(message: &str, code: &str) -> ResourceError {
    ResourceError::Refused(handler_message(message, code))
}

pub(crate) fn handler_message(message: &str, code: &str) -> String {
    format!("Resource handler returned message: \"{message}\" (HandlerErrorCode: {code})")
}

pub(crate) fn text<'a>(properties: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    properties.get(name).and_then(Value::as_str)
}

/// A list of texts; empty if the template has none.
pub(crate) fn texts(properties: &Map<String, Value>, name: &str) -> Vec<String> {
    properties
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// The name the template gives, or a generated `<stack>-<logical id>-<suffix>` of at most `limit`
/// characters.
pub(crate) fn name_or_generated(
    services: &mut Services,
    place: &Place,
    properties: &Map<String, Value>,
    property: &str,
    limit: usize,
) -> String {
    match text(properties, property) {
        Some(name) => name.to_owned(),
        None => generated(services, place, limit),
    }
}

pub(crate) fn generated(services: &mut Services, place: &Place, limit: usize) -> String {
    let suffix = suffix(services, place);
    let room = limit.saturating_sub(suffix.len() + 2);
    let logical: String = place.logical_id.chars().take(room / 2).collect();
    let stack: String = place
        .stack_name
        .chars()
        .take(room.saturating_sub(logical.len()))
        .collect();
    format!("{stack}-{logical}-{suffix}")
}

/// Twelve characters that are the same whenever the same resource is made.
fn suffix(services: &Services, place: &Place) -> String {
    let Place {
        stack_id,
        logical_id,
        generation,
        ..
    } = place;
    services
        .environment
        .token_of(&format!("{stack_id}|{logical_id}|{generation}"), 12)
}

/// A resource with its attributes.
pub(crate) fn created<const N: usize>(
    physical_id: impl Into<String>,
    attributes: [(&str, Value); N],
) -> Created {
    Created {
        physical_id: physical_id.into(),
        attributes: attributes
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
