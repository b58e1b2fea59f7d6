//! The closed set of ways in which a call to the cloud fails.

use serde::Serialize;

/// Why a call to the cloud failed.
///
/// The variant decides what the deployer does about it: adapters retry [`Throttled`] and
/// [`Unavailable`] themselves before they return them; everything else is handled, or final.
///
/// [`Throttled`]: CloudError::Throttled
/// [`Unavailable`]: CloudError::Unavailable
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum CloudError {
    /// The rate limit of the API was still exceeded after all retries.
    #[error("the request rate stayed above the limit after all retries")]
    Throttled,
    /// The caller may not do this.
    #[error("access denied for `{action}`: {message}")]
    AccessDenied {
        /// The action as IAM names it, such as `cloudformation:CreateStackSet`.
        action: String,
        /// What the service said.
        message: String,
    },
    /// The named thing does not exist.
    #[error("not found: {message}")]
    NotFound {
        /// What the service said.
        message: String,
    },
    /// The thing to be created exists already.
    #[error("already exists: {message}")]
    AlreadyExists {
        /// What the service said.
        message: String,
    },
    /// Another operation runs on the stack set, or the stack is being changed.
    #[error("another operation is in progress: {message}")]
    OperationInProgress {
        /// What the service said.
        message: String,
    },
    /// An operation with this id was submitted before: an earlier attempt went through.
    #[error("the operation id has been used before: {message}")]
    OperationIdAlreadyExists {
        /// What the service said.
        message: String,
    },
    /// The stack set has changed since it was read.
    #[error("the stack set has changed meanwhile: {message}")]
    Stale {
        /// What the service said.
        message: String,
    },
    /// The stack set still has instances.
    #[error("not empty: {message}")]
    NotEmpty {
        /// What the service said.
        message: String,
    },
    /// A service quota is used up. Retrying does not help.
    #[error("quota exceeded: {message}")]
    Quota {
        /// What the service said.
        message: String,
    },
    /// The request is not acceptable to the service.
    #[error("refused as invalid: {message}")]
    Invalid {
        /// What the service said.
        message: String,
    },
    /// No answer: connection, timeout or a server error that outlived the retries.
    #[error("the service is unavailable: {message}")]
    Unavailable {
        /// What went wrong.
        message: String,
    },
    /// The endpoint does not know this call at all. Emulators do that; AWS does not.
    #[error("the endpoint does not support this call: {message}")]
    Unsupported {
        /// What the service said.
        message: String,
    },
    /// An error that has no variant of its own.
    #[error("{code}: {message}{}", .request_id.as_deref().map(|id| format!(" (request {id})")).unwrap_or_default())]
    Unexpected {
        /// The service's error code.
        code: String,
        /// What the service said.
        message: String,
        /// The request's id, for a support case.
        request_id: Option<String>,
    },
}

impl CloudError {
    /// Whether the named thing does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, CloudError::NotFound { .. })
    }

    /// Whether the same call may work a little later. Whether it took effect isn't known.
    pub fn is_passing(&self) -> bool {
        matches!(self, CloudError::Throttled | CloudError::Unavailable { .. })
    }

    /// Whether the caller may not do this.
    pub fn is_denied(&self) -> bool {
        matches!(self, CloudError::AccessDenied { .. })
    }
}
