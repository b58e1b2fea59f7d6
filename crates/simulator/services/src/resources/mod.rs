//! CloudFormation's resource handlers: create, update, delete and read one resource.
//!
//! Every resource type has an allow list of typed properties. Anything else is an error, so a
//! misspelled property fails as on AWS.

pub mod permissions;
pub(crate) mod policies;
pub(crate) mod shape;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::Services;
use crate::wire::api::ApiError;
use shape::Property;

/// Where a resource is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceLocation {
    /// Twelve digits.
    pub account: String,
    /// For example `eu-central-1`.
    pub region: String,
    /// Prefix of generated physical names.
    pub stack_name: String,
    /// The stack's ARN, which makes generated names unique.
    pub stack_id: String,
    /// The resource's key in the template.
    pub logical_id: String,
    /// The number of the stack update that creates the resource; 0 is the stack's creation.
    pub generation: u32,
}

/// A created or updated resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Created {
    /// The value of `Ref`.
    pub physical_id: String,
    /// The values of `Fn::GetAtt` by attribute name, nested names joined by dots.
    pub attributes: BTreeMap<String, Value>,
}

/// The outcome of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Updated {
    /// The resource was changed and kept its physical id.
    InPlace(Created),
    /// An immutable property differs, and nothing was done: create a new resource, then delete the
    /// old one.
    Replace,
}

/// Why a handler failed. `Display` is the reason in the stack event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// The template is invalid: unknown type or property, wrong type of value, missing property.
    #[error("{0}")]
    Invalid(String),
    /// A resource with this name already exists.
    #[error("{0}")]
    AlreadyExists(String),
    /// The service refused the request.
    #[error("{0}")]
    Refused(String),
    /// The caller lacks a permission that the handler needs.
    #[error("{0}")]
    Denied(String),
    /// The resource no longer exists.
    #[error("{0}")]
    NotFound(String),
    /// The type has no read handler, so drift detection skips it.
    #[error("the resource type {0} has no read handler")]
    NotReadable(String),
}

/// The result of a create or update handler.
pub(crate) type Made = Result<Created, ResourceError>;

pub(crate) type Create = fn(&mut Services, &ResourceLocation, &Map<String, Value>) -> Made;
pub(crate) type Update = fn(&mut Services, &ResourceLocation, &str, &Change) -> Made;
pub(crate) type Delete = fn(&mut Services, &ResourceLocation, &str) -> Result<(), ResourceError>;
pub(crate) type Read = fn(&Services, &ResourceLocation, &str) -> Option<Map<String, Value>>;

/// A resource type with its allow list and handlers. Handlers receive checked properties.
pub(crate) struct Type {
    pub(crate) name: &'static str,
    pub(crate) properties: &'static [Property],
    pub(crate) create: Create,
    /// Applies changes of mutable properties.
    pub(crate) update: Update,
    pub(crate) delete: Delete,
    pub(crate) read: Option<Read>,
}

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

/// CloudFormation's interface to the resource handlers.
pub trait Resources {
    /// Whether the resource type is simulated.
    fn is_known(&self, type_name: &str) -> bool;

    /// Checks properties against the type's allow list and returns them as the service stores them,
    /// with scalars converted between text, number and boolean as declared. Drift is a difference
    /// from [`Resources::read`].
    fn normalize(&self, type_name: &str, properties: &Value) -> Result<Value, ResourceError>;

    /// Creates a resource. `properties` must be resolved: no intrinsic functions.
    fn create(
        &mut self,
        location: &ResourceLocation,
        type_name: &str,
        properties: &Value,
    ) -> Result<Created, ResourceError>;

    /// Changes a resource from `old` to `new` properties, or reports that it must be replaced.
    fn update(
        &mut self,
        location: &ResourceLocation,
        type_name: &str,
        physical_id: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Updated, ResourceError>;

    /// Deletes a resource. Deleting a missing resource is not an error.
    fn delete(
        &mut self,
        location: &ResourceLocation,
        type_name: &str,
        physical_id: &str,
    ) -> Result<(), ResourceError>;

    /// The live properties as in a template; `None` if the resource no longer exists.
    fn read(
        &self,
        location: &ResourceLocation,
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
        location: &ResourceLocation,
        type_name: &str,
        properties: &Value,
    ) -> Result<Created, ResourceError> {
        let kind = type_named(type_name)?;
        let properties = check(kind, properties, &location.logical_id)?;
        (kind.create)(self, location, &properties)
    }

    fn update(
        &mut self,
        location: &ResourceLocation,
        type_name: &str,
        physical_id: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Updated, ResourceError> {
        let kind = type_named(type_name)?;
        let new = check(kind, new, &location.logical_id)?;
        let old = check(kind, old, &location.logical_id)?;
        let replace = kind
            .properties
            .iter()
            .any(|property| property.fixed && old.get(property.name) != new.get(property.name));
        if replace {
            return Ok(Updated::Replace);
        }
        (kind.update)(self, location, physical_id, &Change { old, new }).map(Updated::InPlace)
    }

    fn delete(
        &mut self,
        location: &ResourceLocation,
        type_name: &str,
        physical_id: &str,
    ) -> Result<(), ResourceError> {
        (type_named(type_name)?.delete)(self, location, physical_id)
    }

    fn read(
        &self,
        location: &ResourceLocation,
        type_name: &str,
        physical_id: &str,
    ) -> Result<Option<Value>, ResourceError> {
        match type_named(type_name)?.read {
            Some(read) => Ok(read(self, location, physical_id).map(Value::Object)),
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

/// The error for a resource that was deleted outside its stack.
pub(crate) fn gone(physical_id: &str) -> ResourceError {
    let message = format!("{physical_id} does not exist");
    ResourceError::NotFound(handler_message(&message, "NotFound"))
}

/// A service's refusal, worded as a resource handler reports it.
pub(crate) fn refused(message: &str, code: &str) -> ResourceError {
    ResourceError::Refused(handler_message(message, code))
}

pub(crate) fn handler_message(message: &str, code: &str) -> String {
    format!("Resource handler returned message: \"{message}\" (HandlerErrorCode: {code})")
}

pub(crate) fn text<'a>(properties: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    properties.get(name).and_then(Value::as_str)
}

/// A list of strings; empty if the property is missing.
pub(crate) fn texts(properties: &Map<String, Value>, name: &str) -> Vec<String> {
    properties
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// The name in the template, or a generated `<stack>-<logical id>-<suffix>` of at most `limit`
/// characters.
pub(crate) fn name_or_generated(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
    property: &str,
    limit: usize,
) -> String {
    match text(properties, property) {
        Some(name) => name.to_owned(),
        None => generated(services, location, limit),
    }
}

pub(crate) fn generated(services: &Services, location: &ResourceLocation, limit: usize) -> String {
    let suffix = suffix(services, location);
    let room = limit.saturating_sub(suffix.len() + 2);
    let logical: String = location.logical_id.chars().take(room / 2).collect();
    let stack: String = location
        .stack_name
        .chars()
        .take(room.saturating_sub(logical.len()))
        .collect();
    format!("{stack}-{logical}-{suffix}")
}

/// Twelve characters, equal whenever the same resource is created.
fn suffix(services: &Services, location: &ResourceLocation) -> String {
    let ResourceLocation {
        stack_id,
        logical_id,
        generation,
        ..
    } = location;
    services
        .environment
        .token_of(&format!("{stack_id}|{logical_id}|{generation}"), 12)
}

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
