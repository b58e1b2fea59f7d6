use crate::api::*;
use crate::input::Input;
use crate::world::World;
use serde_json::Value;
pub(crate) struct Set {
    pub(crate) deployment: super::stack::Deployment,
}
pub(super) fn find<'a>(
    _: &'a World,
    _: &Caller,
    _: &Input<'_>,
    _: &str,
) -> Result<&'a Set, ApiError> {
    Err(ApiError::validation("x"))
}
pub(super) fn call(
    _: &mut World,
    _: &Caller,
    _: &str,
    _: &Value,
) -> Option<Result<Value, ApiError>> {
    None
}
