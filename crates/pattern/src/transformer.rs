//! What a rule's target receives: `Input`, `InputPath` and `InputTransformer`.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::EventError;

/// An input transformer that `PutTargets` accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputTransformer {
    template: String,
}

/// Values that the service itself knows, for the reserved placeholders `<aws.events.…>`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reserved {
    /// `<aws.events.rule-arn>`
    pub rule_arn: String,
    /// `<aws.events.rule-name>`
    pub rule_name: String,
    /// `<aws.events.event.ingestion-time>`, as `2026-09-13T12:17:30.408Z`
    pub ingestion_time: String,
}

/// An input transformer (or path, or input) that `PutTargets` refuses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct TransformerError {
    /// The reason in the service's wording, `target` standing for the target's id.
    pub message: String,
}

/// An event that would go to the dead-letter queue instead of the target.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{code}: {message}")]
pub struct Undeliverable {
    /// The dead letter's `ERROR_CODE`, as `INVALID_JSON`.
    pub code: String,
    /// The dead letter's `ERROR_MESSAGE`.
    pub message: String,
    /// The body that was attempted.
    pub attempted: String,
}

impl InputTransformer {
    /// Checks a transformer as `PutTargets` does. An empty map is no map at all.
    pub fn new(
        _paths: &BTreeMap<String, String>,
        template: &str,
    ) -> Result<InputTransformer, TransformerError> {
        Ok(InputTransformer {
            template: template.to_owned(),
        })
    }

    /// The body that the target receives.
    pub fn render(&self, _event: &str, _reserved: &Reserved) -> Result<String, Undeliverable> {
        Ok(self.template.clone())
    }

    /// Placeholder names in the template, sorted, each once.
    pub fn placeholders(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Checks an `InputPath` as `PutTargets` does.
pub fn check_path(_path: &str) -> Result<(), TransformerError> {
    Ok(())
}

/// Checks a constant `Input` as `PutTargets` does.
pub fn check_input(_input: &str) -> Result<(), TransformerError> {
    Ok(())
}

/// What a target with this `InputPath` receives: compact JSON, `{}` for a missing value or null.
pub fn select(path: &str, _event: &str) -> Result<String, SelectError> {
    check_path(path)?;
    Ok("{}".to_owned())
}

/// Why [`select`] has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SelectError {
    /// The path isn't one that `PutTargets` accepts.
    #[error(transparent)]
    Path(#[from] TransformerError),
    /// The event isn't JSON.
    #[error(transparent)]
    Event(#[from] EventError),
}
