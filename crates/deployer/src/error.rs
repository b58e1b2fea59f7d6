//! Errors that end a command before it can report.

use crate::ports::CloudError;

/// A failed call without which the command can't continue.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct DeployError {
    /// The failed action as the start of a sentence: `cannot list the accounts`.
    pub doing: String,
    /// The cloud's error.
    #[source]
    pub source: CloudError,
}

/// Adds the failed action to a cloud error.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, DeployError>;
}

impl<T> Doing<T> for Result<T, CloudError> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, DeployError> {
        self.map_err(|source| DeployError {
            doing: what(),
            source,
        })
    }
}
