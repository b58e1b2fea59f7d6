//! AWS JSON, which names the action in a header, and REST-JSON, which names it in the path.

use serde_json::{Map, Value, json};

use super::{Operation, Protocol};
use crate::api::{ApiError, RawRequest};

/// Maps `X-Amz-Target` prefixes to signing names.
const TARGETS: &[(&str, &str)] = &[
    ("AWSOrganizationsV20161128", "organizations"),
    ("AWSEvents", "events"),
    ("AmazonSQS", "sqs"),
    ("TrentService", "kms"),
    (
        "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101",
        "cloudtrail",
    ),
    ("CloudTrail_20131101", "cloudtrail"),
    ("AmazonSSM", "ssm"),
    ("GraniteServiceVersion20100801", "monitoring"),
];

/// REST-JSON actions: service, path, action.
const PATHS: &[(&str, &str, &str)] = &[
    ("account", "/listRegions", "ListRegions"),
    ("account", "/getRegionOptStatus", "GetRegionOptStatus"),
    ("account", "/enableRegion", "EnableRegion"),
];

/// Decodes a request with an `X-Amz-Target` header.
pub(super) fn decode(
    request: &RawRequest,
    target: &str,
) -> (Protocol, Result<Operation, ApiError>) {
    let is_old = request
        .header("content-type")
        .is_some_and(|kind| kind.contains("json-1.0"));
    let content_type = if is_old {
        "application/x-amz-json-1.0"
    } else {
        "application/x-amz-json-1.1"
    };
    (
        Protocol::Json { content_type },
        operation(target, &request.body),
    )
}

fn operation(target: &str, body: &[u8]) -> Result<Operation, ApiError> {
    let (service, action) = target
        .rsplit_once('.')
        .and_then(|(prefix, action)| {
            let (_, service) = TARGETS.iter().find(|(known, _)| *known == prefix)?;
            Some((*service, action))
        })
        .ok_or_else(|| {
            ApiError::new(
                "UnknownOperationException",
                format!("The simulator does not know {target}."),
            )
        })?;
    Ok(Operation {
        service: Some(service),
        action: action.to_owned(),
        input: input(body)?,
    })
}

/// Decodes a REST-JSON request; `None` if the service doesn't use REST-JSON.
pub(super) fn decode_rest(
    request: &RawRequest,
    service: &str,
) -> Option<(Protocol, Result<Operation, ApiError>)> {
    let (_, _, action) = PATHS.iter().find(|(of, path, _)| {
        *of == service && *path == request.path && request.method == "POST"
    })?;
    let protocol = Protocol::Json {
        content_type: "application/json",
    };
    let operation = input(&request.body).map(|input| Operation {
        service: None,
        action: (*action).to_owned(),
        input,
    });
    Some((protocol, operation))
}

fn input(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(body).map_err(|error| {
        ApiError::new(
            "SerializationException",
            format!("The body is not JSON: {error}"),
        )
    })
}

/// An error body. It has the message twice because SDKs differ in the case of the field they read.
pub(super) fn error_body(error: &ApiError) -> String {
    let ApiError { code, message, .. } = error;
    json!({"__type": code, "message": message, "Message": message}).to_string()
}
