//! Errors that end a command before it has a report.

use crate::ports::CloudError;

/// A call failed that everything else depends on.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct DeployError {
    /// What was being done, as the start of a sentence: `cannot list the accounts`.
    pub doing: String,
    /// The cloud's error.
    #[source]
    pub source: CloudError,
}

/// Adds what was being done to a cloud's error.
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
