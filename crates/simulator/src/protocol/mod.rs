//! The wire protocols of AWS, and the way from a request to the handler of its action.
//!
//! The service is the signing name of the credential scope, as on a real multi-service endpoint
//! nothing else tells S3, Query and JSON requests apart reliably.

mod identity;
mod query;

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response};
use serde_json::{Map, Value, json};

use crate::api::{ApiError, Caller, RawRequest};
use crate::world::World;

/// The largest request accepted; AWS's own limits are lower.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The service prefixes of `X-Amz-Target`.
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

/// Answers any request.
pub(crate) async fn serve(
    State(world): State<Arc<Mutex<World>>>,
    request: Request,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return respond(
            413,
            "text/plain",
            "request body too large".to_owned().into_bytes(),
            &[],
        );
    };
    // A handler that panicked must not take the simulator down with it; its world is still whole
    // enough to look at.
    let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
    world.tick();
    let path = head.uri.path();
    if let Some(path) = path.strip_prefix("/_simulator/") {
        let query = pairs(head.uri.query());
        let (status, answer) =
            crate::admin::serve(&mut world, head.method.as_str(), path, &query, &body);
        return respond(
            status,
            "application/json",
            answer.to_string().into_bytes(),
            &[],
        );
    }
    let request = RawRequest {
        method: head.method.as_str().to_owned(),
        path: decode_percent(path),
        query: pairs(head.uri.query()),
        headers: headers(&head.headers),
        body: body.to_vec(),
    };
    answer(&mut world, &request)
}

fn answer(world: &mut World, request: &RawRequest) -> Response<Body> {
    let request_id = world.request_id();
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    let signed = identity::read(header("authorization"));
    if let Some(target) = header("x-amz-target") {
        let version = if header("content-type").is_some_and(|kind| kind.contains("json-1.0")) {
            "application/x-amz-json-1.0"
        } else {
            "application/x-amz-json-1.1"
        };
        let outcome = signed.and_then(|signed| json_call(world, &signed, target, &request.body));
        return match outcome {
            Ok(output) => {
                let body = if output.is_null() {
                    "{}".to_owned()
                } else {
                    output.to_string()
                };
                let headers = [("x-amzn-requestid", request_id.as_str())];
                respond(200, version, body.into_bytes(), &headers)
            }
            Err(error) => {
                let body = json!({"__type": error.code, "message": error.message, "Message": error.message});
                let headers = [
                    ("x-amzn-requestid", request_id.as_str()),
                    ("x-amzn-errortype", &error.code),
                ];
                respond(
                    error.status,
                    version,
                    body.to_string().into_bytes(),
                    &headers,
                )
            }
        };
    }
    if signed.as_ref().is_ok_and(|signed| signed.service == "s3") {
        return s3(world, signed, request, &request_id);
    }
    let form = if request.method == "GET" {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&request.query)
            .finish()
            .into_bytes()
    } else {
        request.body.clone()
    };
    let call = query::decode(&form);
    let service = signed
        .as_ref()
        .map_or_else(|_| "sts".to_owned(), |signed| signed.service.clone());
    let version = call
        .as_ref()
        .map_or_else(String::new, |call| call.version.clone());
    let dialect = query::Dialect {
        service: &service,
        version: &version,
    };
    let outcome = signed.and_then(|signed| {
        let call = call.ok_or_else(|| {
            ApiError::new(
                "MissingAction",
                "The request names no action in a protocol the simulator knows.",
            )
        })?;
        let caller = crate::sts::caller(world, &signed.access_key, &signed.region)?;
        let output = dispatch(world, &caller, &signed.service, &call.action, &call.input)?;
        Ok((call.action, output))
    });
    let headers = [("x-amzn-requestid", request_id.as_str())];
    match outcome {
        Ok((action, output)) => {
            let xml = dialect.answer(&action, &output, &request_id);
            respond(200, "text/xml", xml.into_bytes(), &headers)
        }
        Err(error) => {
            let xml = dialect.error(&error, &request_id);
            respond(error.status, "text/xml", xml.into_bytes(), &headers)
        }
    }
}

fn json_call(
    world: &mut World,
    signed: &identity::Signed,
    target: &str,
    body: &[u8],
) -> Result<Value, ApiError> {
    let unknown = || {
        ApiError::new(
            "UnknownOperationException",
            format!("The simulator does not know {target}."),
        )
    };
    let (prefix, action) = target.rsplit_once('.').ok_or_else(unknown)?;
    let (_, service) = TARGETS
        .iter()
        .find(|(known, _)| *known == prefix)
        .ok_or_else(unknown)?;
    let input = if body.is_empty() {
        Value::Object(Map::new())
    } else {
        serde_json::from_slice(body).map_err(|error| {
            ApiError::new(
                "SerializationException",
                format!("The body is not JSON: {error}"),
            )
        })?
    };
    let caller = crate::sts::caller(world, &signed.access_key, &signed.region)?;
    dispatch(world, &caller, service, action, &input)
}

fn s3(
    world: &mut World,
    signed: Result<identity::Signed, ApiError>,
    request: &RawRequest,
    request_id: &str,
) -> Response<Body> {
    match signed.and_then(|signed| crate::sts::caller(world, &signed.access_key, &signed.region)) {
        Ok(caller) => {
            let action = crate::services::s3::action(request);
            let mutating = crate::services::is_mutating(&action);
            world.calls.count("s3", &action, mutating);
            let answer = crate::services::s3::rest(world, &caller, request);
            if mutating {
                let now = world.clock.now();
                let input = json!({"Path": request.path, "Query": request.query});
                let outcome = if answer.status < 400 {
                    Ok(Value::Null)
                } else {
                    Err(ApiError::new(answer.status.to_string(), ""))
                };
                world
                    .journal
                    .write(now, &caller, "s3", &action, &input, &outcome);
            }
            let mut headers: Vec<(&str, &str)> = answer
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            headers.push(("x-amz-request-id", request_id));
            respond(answer.status, "application/xml", answer.body, &headers)
        }
        Err(error) => {
            let xml = crate::services::s3::error_body(&error);
            respond(error.status, "application/xml", xml.into_bytes(), &[])
        }
    }
}

/// Answers a decoded call; counts it, and journals what was meant to change something.
fn dispatch(
    world: &mut World,
    caller: &Caller,
    service: &str,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    let global = matches!(service, "organizations" | "iam" | "sts");
    if !global && !world.config.regions.contains(&caller.region) {
        return Err(ApiError::new(
            "UnrecognizedClientException",
            format!(
                "The Region {} is not enabled in this simulator.",
                caller.region
            ),
        )
        .status(403));
    }
    let mutating = match service {
        "organizations" => crate::organizations::is_mutating(action),
        "sts" => false,
        "cloudformation" => crate::cloudformation::is_mutating(action),
        _ => crate::services::is_mutating(action),
    };
    world.calls.count(service, action, mutating);
    let outcome = carry_out(world, caller, service, action, input);
    if mutating {
        let now = world.clock.now();
        world
            .journal
            .write(now, caller, service, action, input, &outcome);
    }
    outcome
}

/// Hands a decoded call to its service.
pub(crate) fn carry_out(
    world: &mut World,
    caller: &Caller,
    service: &str,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    match service {
        "organizations" => crate::organizations::call(world, caller, action, input),
        "sts" => crate::sts::call(world, caller, action, input),
        "cloudformation" => crate::cloudformation::call(world, caller, action, input),
        _ => crate::services::call(world, caller, service, action, input),
    }
}

fn headers(headers: &HeaderMap) -> std::collections::BTreeMap<String, String> {
    headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect()
}

fn pairs(query: Option<&str>) -> Vec<(String, String)> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .collect()
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

fn respond(
    status: u16,
    content_type: &str,
    body: Vec<u8>,
    headers: &[(&str, &str)],
) -> Response<Body> {
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
    response.body(Body::from(body)).unwrap_or_else(|_| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
