//! HTTP requests and responses, callers and API errors.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The caller of an API action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    /// The Region of the credential scope, which is also the endpoint's Region.
    pub region: String,
    /// `arn:aws:iam::A:root`, or `arn:aws:sts::A:assumed-role/NAME/SESSION`.
    pub arn: String,
    /// The role's ARN if the caller assumed one; `None` for the account's administrator.
    pub role: Option<String>,
    /// The session policy with which the role was assumed.
    pub session_policy: Option<Arc<str>>,
}

/// An error of an AWS service. Each protocol encodes it in its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The error code, for example `ValidationError`.
    pub code: String,
    /// AWS's wording where it is known: clients parse some of it.
    pub message: String,
    /// HTTP status.
    pub status: u16,
}

impl ApiError {
    /// A client error, HTTP 400.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> ApiError {
        ApiError {
            code: code.into(),
            message: message.into(),
            status: 400,
        }
    }

    /// Replaces the HTTP status.
    #[must_use]
    pub fn status(mut self, status: u16) -> ApiError {
        self.status = status;
        self
    }

    /// `ValidationError`, which the Query services use for most bad input.
    pub fn validation(message: impl Into<String>) -> ApiError {
        ApiError::new("ValidationError", message)
    }

    /// The error for an action that the simulator doesn't implement.
    pub fn unknown_action(service: &str, action: &str) -> ApiError {
        ApiError::new(
            "InvalidAction",
            format!("The simulator does not know the action {service}:{action}."),
        )
    }

    /// `AccessDenied` in IAM's wording.
    pub fn denied(caller: &Caller, action: &str, resource: &str) -> ApiError {
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

/// An HTTP request as received.
#[derive(Debug, Clone)]
pub struct RawRequest {
    /// Upper case: `GET`, `PUT`, ...
    pub method: String,
    /// Percent-decoded, starting with `/`.
    pub path: String,
    /// Decoded, in the order sent; a key without `=` has an empty value.
    pub query: Vec<(String, String)>,
    /// Lower-case names.
    pub headers: BTreeMap<String, String>,
    /// Not decoded.
    pub body: Vec<u8>,
}

impl RawRequest {
    /// Builds a request from its request line's path and query. Header names must be lower case.
    pub fn new<'a>(
        method: &str,
        path: &str,
        query: Option<&str>,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
        body: Vec<u8>,
    ) -> RawRequest {
        RawRequest {
            method: method.to_owned(),
            path: decode_percent(path),
            query: form_urlencoded::parse(query.unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
                .collect(),
            body,
        }
    }

    /// The value of a header. `name` must be lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// The response to a [`RawRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawResponse {
    /// HTTP status.
    pub status: u16,
    /// In sending order.
    pub headers: Vec<(String, String)>,
    /// Complete, without chunking.
    pub body: Vec<u8>,
}

/// Percent-decodes a path, in which `+` is literal.
fn decode_percent(path: &str) -> String {
    let protected = path
        .replace('+', "%2B")
        .replace('&', "%26")
        .replace('=', "%3D");
    form_urlencoded::parse(protected.as_bytes())
        .map(|(key, _)| key.into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_what_only_means_something_in_a_query() {
        let request = RawRequest::new(
            "GET",
            "/bucket/a%20b+c&d=e",
            Some("acl&prefix=a+b"),
            [("host", b"localhost".as_slice())].into_iter(),
            Vec::new(),
        );
        assert_eq!(request.path, "/bucket/a b+c&d=e");
        let query = [("acl", ""), ("prefix", "a b")];
        assert_eq!(
            request.query,
            query.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
        assert_eq!(request.header("host"), Some("localhost"));
    }
}
