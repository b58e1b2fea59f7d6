//! Answers and refusals in the form of the protocol that the request came in.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use serde_json::json;

use super::{Output, query};
use crate::wire::api::ApiError;

/// How an answer is written.
#[derive(Debug)]
pub(super) enum Wire {
    Json {
        /// The content type.
        version: &'static str,
    },
    S3,
    Query {
        service: String,
        version: String,
        action: String,
    },
}

impl Wire {
    /// The action the answer will be for.
    pub(super) fn answers(&mut self, name: &str) {
        if let Wire::Query { action, .. } = self {
            name.clone_into(action);
        }
    }

    /// The answer to a call that worked.
    pub(super) fn answer(&self, output: &Output, request_id: &str) -> Response<Full<Bytes>> {
        match (self, output) {
            (_, Output::Raw(raw)) => {
                let mut headers: Vec<(&str, &str)> = raw
                    .headers
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                headers.push(("x-amz-request-id", request_id));
                respond(raw.status, "application/xml", raw.body.clone(), &headers)
            }
            (Wire::Query { action, .. }, Output::Value(output)) => {
                let xml = self.dialect().answer(action, output, request_id);
                let headers = [("x-amzn-requestid", request_id)];
                respond(200, "text/xml", xml.into_bytes(), &headers)
            }
            (Wire::Json { .. } | Wire::S3, Output::Value(output)) => {
                let body = if output.is_null() {
                    "{}".to_owned()
                } else {
                    output.to_string()
                };
                let headers = [("x-amzn-requestid", request_id)];
                respond(200, self.content_type(), body.into_bytes(), &headers)
            }
        }
    }

    /// The answer to a call that was refused.
    pub(super) fn refusal(&self, error: &ApiError, request_id: &str) -> Response<Full<Bytes>> {
        let (body, headers) = match self {
            Wire::Json { .. } => (
                json!({"__type": error.code, "message": error.message, "Message": error.message})
                    .to_string(),
                vec![
                    ("x-amzn-requestid", request_id),
                    ("x-amzn-errortype", error.code.as_str()),
                ],
            ),
            Wire::S3 => (
                crate::services::s3::error_body(error),
                vec![("x-amz-request-id", request_id)],
            ),
            Wire::Query { .. } => (
                self.dialect().error(error, request_id),
                vec![("x-amzn-requestid", request_id)],
            ),
        };
        respond(
            error.status,
            self.content_type(),
            body.into_bytes(),
            &headers,
        )
    }

    fn content_type(&self) -> &'static str {
        match self {
            Wire::Json { version } => version,
            Wire::S3 => "application/xml",
            Wire::Query { .. } => "text/xml",
        }
    }

    fn dialect(&self) -> query::Dialect<'_> {
        match self {
            Wire::Query {
                service, version, ..
            } => query::Dialect { service, version },
            Wire::Json { .. } | Wire::S3 => query::Dialect {
                service: "s3",
                version: "",
            },
        }
    }
}

pub(super) fn respond(
    status: u16,
    content_type: &str,
    body: Vec<u8>,
    headers: &[(&str, &str)],
) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
    {
        response = response.header("content-type", content_type);
    }
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    // Building fails only on a header a handler made of bytes HTTP can't carry.
    response
        .body(Full::new(Bytes::from(body)))
        .unwrap_or_else(|_| {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
}
