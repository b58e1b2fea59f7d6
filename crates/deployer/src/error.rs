//! What stops a command before it has a report to give.

use crate::ports::CloudError;

/// A call failed without which there is nothing to report.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct DeployError {
    /// What was being done, as the start of a sentence: `cannot list the accounts`.
    pub doing: String,
    /// What the cloud answered.
    #[source]
    pub source: CloudError,
}

/// Puts what was being done in front of a cloud's answer.
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
