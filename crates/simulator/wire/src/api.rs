//! Requests and answers as HTTP carries them, who makes a request, and why it fails.

use std::collections::BTreeMap;

/// Who makes a request, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    /// The Region of the credential scope, which is also the endpoint's Region.
    pub region: String,
    /// `arn:aws:iam::A:root`, or `arn:aws:sts::A:assumed-role/NAME/SESSION`.
    pub arn: String,
    /// The role's own ARN if the caller assumed one; `None` is the account's administrator.
    pub role: Option<String>,
}

/// An error as an AWS service answers it; each protocol encodes it in its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The wire code, for example `ValidationError`.
    pub code: String,
    /// In words, for people.
    pub message: String,
    /// HTTP status.
    pub status: u16,
}

impl ApiError {
    /// An error that the caller made: HTTP 400.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> ApiError {
        ApiError {
            code: code.into(),
            message: message.into(),
            status: 400,
        }
    }

    /// The same error with another HTTP status.
    #[must_use]
    pub fn status(mut self, status: u16) -> ApiError {
        self.status = status;
        self
    }

    /// `ValidationError`, which the Query services use for most bad input.
    pub fn validation(message: impl Into<String>) -> ApiError {
        ApiError::new("ValidationError", message)
    }

    /// The answer to an action that the simulator does not have.
    pub fn unknown_action(service: &str, action: &str) -> ApiError {
        ApiError::new(
            "InvalidAction",
            format!("The simulator does not know the action {service}:{action}."),
        )
    }

    /// `AccessDenied` in IAM's words.
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

/// A request as received.
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
    /// As sent.
    pub body: Vec<u8>,
}

impl RawRequest {
    /// A request with the path and query of its request line. Header names must be lower case.
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

    /// The value of a header, whose name is lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// The answer to a [`RawRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawResponse {
    /// HTTP status.
    pub status: u16,
    /// In the order they are sent.
    pub headers: Vec<(String, String)>,
    /// As sent.
    pub body: Vec<u8>,
}

/// Percent-decodes a path, in which `+` means itself.
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
