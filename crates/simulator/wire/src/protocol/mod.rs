//! The wire protocols of AWS: what a request asks for, and how its answer is written.
//!
//! The service is the signing name of the credential scope: nothing else reliably tells S3, Query
//! and JSON requests to one endpoint apart.

mod json;
mod query;
mod rest_xml;
mod signature;

use serde_json::Value;

use crate::api::{ApiError, RawRequest, RawResponse};

pub use rest_xml::error_body;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Who signed it.
    pub access_key: String,
    /// The Region of the credential scope.
    pub region: String,
    /// The signing name: `sts`, `cloudformation`, `events`, ...
    pub service: String,
    /// The action's name: `CreateTopic`.
    pub action: String,
    /// The parameters. For S3 they stay in the request, and this is what identifies it.
    pub input: Value,
}

/// What an action gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// For the protocol to encode.
    Value(Value),
    /// Encoded by the service itself, as S3 does.
    Raw(RawResponse),
}

/// The part of a call that is not in the signature.
struct Operation {
    /// If the protocol names it; otherwise it is the signing name.
    service: Option<&'static str>,
    action: String,
    input: Value,
}

/// How an answer is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// AWS JSON 1.0 and 1.1, and REST with JSON.
    Json {
        /// The version.
        content_type: &'static str,
    },
    /// AWS Query and EC2 Query.
    Query {
        /// The signing name.
        service: String,
        /// The API version, a date.
        version: String,
    },
    /// REST with XML: S3.
    RestXml,
}

/// Finds out what a request asks for, and how its answer is to be written. `rest_xml_action` names
/// the action of a REST request with XML.
pub fn decode(
    request: &RawRequest,
    rest_xml_action: impl FnOnce(&RawRequest) -> String,
) -> (Protocol, Result<Call, ApiError>) {
    let signature = signature::read(request.header("authorization"));
    let service = match &signature {
        Ok(signature) => signature.service.as_str(),
        Err(_) => "sts",
    };
    let (protocol, operation) = match request.header("x-amz-target") {
        Some(target) => json::decode(request, target),
        None if service == "s3" => rest_xml::decode(request, rest_xml_action(request)),
        None => {
            json::decode_rest(request, service).unwrap_or_else(|| query::decode(request, service))
        }
    };
    let call = signature.and_then(|signature| {
        let operation = operation?;
        Ok(Call {
            access_key: signature.access_key,
            region: signature.region,
            service: operation.service.map_or(signature.service, str::to_owned),
            action: operation.action,
            input: operation.input,
        })
    });
    (protocol, call)
}

impl Protocol {
    /// The answer to a call that worked.
    pub fn answer(&self, action: &str, output: &Output, request_id: &str) -> RawResponse {
        match output {
            Output::Raw(raw) => self.complete(raw.clone(), request_id),
            Output::Value(output) => {
                let body = match self {
                    Protocol::Query { service, version } => {
                        query::Dialect { service, version }.answer(action, output, request_id)
                    }
                    _ if output.is_null() => "{}".to_owned(),
                    _ => output.to_string(),
                };
                self.response(200, body, request_id)
            }
        }
    }

    /// The answer to a call that was refused.
    pub fn refusal(&self, error: &ApiError, request_id: &str) -> RawResponse {
        let body = match self {
            Protocol::Json { .. } => json::error_body(error),
            Protocol::RestXml => error_body(error),
            Protocol::Query { service, version } => {
                query::Dialect { service, version }.error(error, request_id)
            }
        };
        let mut response = self.response(error.status, body, request_id);
        if let Protocol::Json { .. } = self {
            let code = ("x-amzn-errortype".to_owned(), error.code.clone());
            response.headers.push(code);
        }
        response
    }

    fn response(&self, status: u16, body: String, request_id: &str) -> RawResponse {
        let raw = RawResponse {
            status,
            headers: Vec::new(),
            body: body.into_bytes(),
        };
        self.complete(raw, request_id)
    }

    /// Adds the headers that every answer has.
    fn complete(&self, mut raw: RawResponse, request_id: &str) -> RawResponse {
        let (content_type, id_name) = match self {
            Protocol::Json { content_type } => (*content_type, "x-amzn-requestid"),
            Protocol::Query { .. } => ("text/xml", "x-amzn-requestid"),
            Protocol::RestXml => ("application/xml", "x-amz-request-id"),
        };
        let mut names = raw.headers.iter().map(|(name, _)| name);
        if !names.any(|name| name.eq_ignore_ascii_case("content-type")) {
            let content_type = ("content-type".to_owned(), content_type.to_owned());
            raw.headers.push(content_type);
        }
        raw.headers
            .push((id_name.to_owned(), request_id.to_owned()));
        raw
    }
}
