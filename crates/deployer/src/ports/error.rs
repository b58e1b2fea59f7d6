//! The closed set of errors a cloud call can return.

use serde::Serialize;

/// Why a cloud call failed.
///
/// The variant decides how the deployer reacts. Adapters retry [`Throttled`] and [`Unavailable`]
/// before they return them; all other errors are handled by the caller or final.
///
/// [`Throttled`]: CloudError::Throttled
/// [`Unavailable`]: CloudError::Unavailable
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum CloudError {
    /// The API's rate limit was still exceeded after all retries.
    #[error("the request rate stayed above the limit after all retries")]
    Throttled,
    /// The caller lacks permission for the action.
    #[error("access denied for `{action}`: {message}")]
    AccessDenied {
        /// The action as IAM names it, such as `cloudformation:CreateStackSet`.
        action: String,
        /// The service's message.
        message: String,
    },
    /// The named resource does not exist.
    #[error("not found: {message}")]
    NotFound {
        /// The service's message.
        message: String,
    },
    /// A resource with the name already exists.
    #[error("already exists: {message}")]
    AlreadyExists {
        /// The service's message.
        message: String,
    },
    /// Another operation is running on the stack set, or the stack is being changed.
    #[error("another operation is in progress: {message}")]
    OperationInProgress {
        /// The service's message.
        message: String,
    },
    /// An operation with this id was submitted before: an earlier attempt took effect.
    #[error("the operation id has been used before: {message}")]
    OperationIdAlreadyExists {
        /// The service's message.
        message: String,
    },
    /// The stack set changed after it was read.
    #[error("the stack set has changed in the meantime: {message}")]
    Stale {
        /// The service's message.
        message: String,
    },
    /// The stack set still has instances.
    #[error("not empty: {message}")]
    NotEmpty {
        /// The service's message.
        message: String,
    },
    /// A service quota is exhausted. Retrying does not help.
    #[error("quota exceeded: {message}")]
    Quota {
        /// The service's message.
        message: String,
    },
    /// The service rejected the request.
    #[error("rejected as invalid: {message}")]
    Invalid {
        /// The service's message.
        message: String,
    },
    /// No response: connection failure, timeout, or a server error that persisted through all
    /// retries.
    #[error("the service is unavailable: {message}")]
    Unavailable {
        /// The failure, such as a timeout.
        message: String,
    },
    /// The endpoint does not implement this call. Happens with emulators, not with AWS.
    #[error("the endpoint does not support this call: {message}")]
    Unsupported {
        /// The service's message.
        message: String,
    },
    /// An error without a variant of its own.
    #[error("{code}: {message}{}", .request_id.as_deref().map(|id| format!(" (request {id})")).unwrap_or_default())]
    Unexpected {
        /// The service's error code.
        code: String,
        /// The service's message.
        message: String,
        /// The request's id, for a support case.
        request_id: Option<String>,
    },
}

impl CloudError {
    /// Whether the named resource does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, CloudError::NotFound { .. })
    }

    /// Whether the same call may succeed later. It is unknown whether the failed call took effect.
    pub fn is_passing(&self) -> bool {
        matches!(self, CloudError::Throttled | CloudError::Unavailable { .. })
    }

    /// Whether the caller lacks permission.
    pub fn is_denied(&self) -> bool {
        matches!(self, CloudError::AccessDenied { .. })
    }
}
