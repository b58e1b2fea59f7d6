//! CloudFormation's resource handlers: create, update, delete and read one resource of a template.
//!
//! Every type has an allow list of properties with their types; what is not on it is an error, so a
//! misspelt property fails here as it fails on AWS.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::world::World;

/// Where in which stack a resource belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
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
}

/// A resource that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Created {
    /// What `Ref` gives.
    pub physical_id: String,
    /// What `Fn::GetAtt` gives, by attribute name (nested names joined by dots).
    pub attributes: BTreeMap<String, Value>,
}

/// What an update came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Updated {
    /// The resource was changed and kept its physical id.
    InPlace(Created),
    /// A property that cannot change did: nothing was done; create anew, then delete the old one.
    Replace,
}

/// Why a handler refused. `Display` is the reason as a stack event shows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResourceError {
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

/// Checks a resource's properties against its type's allow list and returns them as the service
/// keeps them: numbers and booleans given as text become numbers and booleans, and the other way
/// round where the type says so. Compare these with [`read`] to find drift.
pub(crate) fn normalize(_type_name: &str, properties: &Value) -> Result<Value, ResourceError> {
    Ok(properties.clone())
}

/// Creates a resource. `properties` are fully resolved (no intrinsic functions left).
pub(crate) fn create(
    _world: &mut World,
    _place: &Place,
    type_name: &str,
    _properties: &Value,
) -> Result<Created, ResourceError> {
    Err(unsupported(type_name))
}

/// Changes a resource from `old` to `new` properties.
pub(crate) fn update(
    _world: &mut World,
    _place: &Place,
    type_name: &str,
    _physical_id: &str,
    _old: &Value,
    _new: &Value,
) -> Result<Updated, ResourceError> {
    Err(unsupported(type_name))
}

/// Deletes a resource; one that is already gone is not an error.
pub(crate) fn delete(
    _world: &mut World,
    _place: &Place,
    type_name: &str,
    _physical_id: &str,
) -> Result<(), ResourceError> {
    Err(unsupported(type_name))
}

/// The live properties in template shape, or `None` when the resource is gone.
pub(crate) fn read(
    _world: &World,
    _place: &Place,
    type_name: &str,
    _physical_id: &str,
) -> Result<Option<Value>, ResourceError> {
    Err(unsupported(type_name))
}

fn unsupported(type_name: &str) -> ResourceError {
    ResourceError::Invalid(format!(
        "Template format error: Unrecognized resource types: [{type_name}]"
    ))
}

/// Whether the type exists here; a template with another is refused before anything is made.
pub(crate) fn is_known(_type_name: &str) -> bool {
    true
}
