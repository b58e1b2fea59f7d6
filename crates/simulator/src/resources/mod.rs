//! CloudFormation's resource types, on top of the data plane's services.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::world::World;

/// Where a resource is, and which stack owns it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) stack_name: String,
    /// The stack's ARN.
    pub(crate) stack_id: String,
    pub(crate) logical_id: String,
}

/// A resource that now exists.
#[derive(Debug, Clone, Default)]
pub(crate) struct Created {
    /// What `Ref` gives.
    pub(crate) physical_id: String,
    /// What `Fn::GetAtt` gives, by attribute name.
    pub(crate) attributes: BTreeMap<String, Value>,
}

/// What an update came to.
#[derive(Debug, Clone)]
pub(crate) enum Updated {
    /// Changed in place.
    InPlace(Created),
    /// A create-only property differs: create anew, then delete the old one. Nothing was changed.
    Replace,
}

/// Why a handler failed; `code` is CloudFormation's handler error code (`AlreadyExists`, `InvalidRequest`, ...).
#[derive(Debug, Clone)]
pub(crate) enum ResourceError {
    Failed {
        code: String,
        message: String,
    },
    /// The type has no read handler, so drift detection can't see it.
    NotReadable,
}

impl ResourceError {
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> ResourceError {
        ResourceError::Failed {
            code: code.into(),
            message: message.into(),
        }
    }
}

/// Whether the type exists; `CreateStack` refuses templates with others.
pub(crate) fn is_known(_type_name: &str) -> bool {
    false
}

/// Creates a resource. Unknown types and properties are errors.
pub(crate) fn create(
    _world: &mut World,
    _place: &Place,
    type_name: &str,
    _properties: &Value,
) -> Result<Created, ResourceError> {
    Err(ResourceError::new(
        "InvalidRequest",
        format!("unknown resource type {type_name}"),
    ))
}

/// Updates a resource from the old properties (as last deployed) to the new ones.
pub(crate) fn update(
    _world: &mut World,
    _place: &Place,
    type_name: &str,
    _physical_id: &str,
    _old: &Value,
    _new: &Value,
) -> Result<Updated, ResourceError> {
    Err(ResourceError::new(
        "InvalidRequest",
        format!("unknown resource type {type_name}"),
    ))
}

/// Deletes a resource; one that is already gone is no error.
pub(crate) fn delete(
    _world: &mut World,
    _place: &Place,
    _type_name: &str,
    _physical_id: &str,
) -> Result<(), ResourceError> {
    Ok(())
}

/// The resource's live properties in the template's shape; `None` if it no longer exists.
pub(crate) fn read(
    _world: &World,
    _place: &Place,
    _type_name: &str,
    _physical_id: &str,
) -> Result<Option<Value>, ResourceError> {
    Err(ResourceError::NotReadable)
}
