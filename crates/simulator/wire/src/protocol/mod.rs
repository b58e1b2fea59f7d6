//! AWS wire protocols: decodes requests and encodes responses.
//!
//! The service is the signing name in the credential scope. Nothing else reliably distinguishes S3,
//! Query and JSON requests to one endpoint.

mod json;
mod query;
mod rest_xml;
mod signature;

use serde_json::Value;

use crate::api::{ApiError, RawRequest, RawResponse};

pub use rest_xml::error_body;

/// A decoded request.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The access key id in the signature's credential scope.
    pub access_key: String,
    /// The Region of the credential scope.
    pub region: String,
    /// The signing name: `sts`, `cloudformation`, `events`, ...
    pub service: String,
    /// For example `CreateTopic`.
    pub action: String,
    /// The parameters. For S3, only enough to identify the request; its handlers read the rest from
    /// the raw request.
    pub input: Value,
}

/// The output of an action.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Encoded by the protocol.
    Value(Value),
    /// Already encoded by the service, as S3 does.
    Raw(RawResponse),
}

/// The part of a call that comes from the request rather than the signature.
struct Operation {
    /// `None` if the protocol doesn't name the service; the signing name then applies.
    service: Option<&'static str>,
    action: String,
    input: Value,
}

/// The protocol in which a response is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// AWS JSON 1.0 and 1.1, and REST-JSON.
    Json {
        /// Differs by version: `application/x-amz-json-1.0` or `-1.1`; REST-JSON has plain JSON.
        content_type: &'static str,
    },
    /// AWS Query and EC2 Query.
    Query {
        /// The signing name, which decides the XML dialect.
        service: String,
        /// The API version, a date.
        version: String,
    },
    /// REST-XML, used by S3.
    RestXml,
}

/// Decodes a request. Returns the protocol even if decoding fails, so that the error can be
/// encoded. `rest_xml_action` names the action of a REST-XML request.
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
    /// The response to a successful call.
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

    /// The response to a refused call.
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

    /// Adds the headers common to all responses.
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
