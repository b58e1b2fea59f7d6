//! What every service handler sees of a request, whatever protocol it arrived in.

use std::collections::BTreeMap;

/// Who makes a request, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Twelve digits.
    pub(crate) account: String,
    /// The Region of the credential scope, which is also the endpoint's Region.
    pub(crate) region: String,
    /// `arn:aws:iam::A:root`, or `arn:aws:sts::A:assumed-role/NAME/SESSION`.
    pub(crate) arn: String,
    /// The role's own ARN if the caller assumed one; `None` is the account's administrator.
    pub(crate) role: Option<String>,
}

/// An error as an AWS service answers it; each protocol renders it in its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// The wire code, for example `ValidationError`.
    pub(crate) code: String,
    pub(crate) message: String,
    /// HTTP status.
    pub(crate) status: u16,
}

impl ApiError {
    /// An error of the caller's making: HTTP 400.
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> ApiError {
        ApiError {
            code: code.into(),
            message: message.into(),
            status: 400,
        }
    }

    /// The same error with another HTTP status.
    pub(crate) fn status(mut self, status: u16) -> ApiError {
        self.status = status;
        self
    }

    /// `ValidationError`, which the Query services use for most bad input.
    pub(crate) fn validation(message: impl Into<String>) -> ApiError {
        ApiError::new("ValidationError", message)
    }

    /// The answer to an action that the simulator does not have.
    pub(crate) fn unknown_action(service: &str, action: &str) -> ApiError {
        ApiError::new(
            "InvalidAction",
            format!("The simulator does not know the action {service}:{action}."),
        )
    }

    /// `AccessDenied` in IAM's words.
    pub(crate) fn denied(caller: &Caller, action: &str, resource: &str) -> ApiError {
        ApiError::new(
            "AccessDenied",
            format!(
                "User: {} is not authorized to perform: {action} on resource: {resource}",
                caller.arn
            ),
        )
        .status(403)
    }
}

/// A request of a service with a REST protocol (S3), as received.
#[derive(Debug, Clone)]
pub(crate) struct RawRequest {
    /// Upper case: `GET`, `PUT`, ...
    pub(crate) method: String,
    /// Percent-decoded, starting with `/`.
    pub(crate) path: String,
    /// Decoded, in the order sent; a key without `=` has an empty value.
    pub(crate) query: Vec<(String, String)>,
    /// Lower-case names.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// The answer to a [`RawRequest`].
#[derive(Debug, Clone)]
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}
