//! From a CloudTrail record to the event that `EventBridge` makes of it.
/// The record can't be wrapped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Neither a record nor an event.
    #[error("not a JSON object")]
    NotAnObject,
}
/// Wraps a CloudTrail record.
pub fn wrap(record: &serde_json::Value) -> Result<serde_json::Value, EnvelopeError> {
    record.as_object().ok_or(EnvelopeError::NotAnObject)?;
    Ok(record.clone())
}
/// A whole envelope passes through; a record is wrapped.
pub fn of(value: &serde_json::Value) -> Result<serde_json::Value, EnvelopeError> {
    wrap(value)
}
