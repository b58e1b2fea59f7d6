//! The wire protocols of AWS, and the way from a request to the handler of its action.
//!
//! The service is the signing name of the credential scope, as on a real multi-service endpoint
//! nothing else tells S3, Query and JSON requests apart reliably.

mod identity;
mod query;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{HeaderMap, Request, Response};
use serde_json::{Map, Value, json};

use crate::faults::{After, Asked, Before, Decision};
use crate::services::arn::short;
use crate::services::environment::Look;
use crate::services::iam::{ACCESS_ROLE, access_role};
use crate::wire::api::{ApiError, Caller, RawRequest, RawResponse};
use crate::world::World;
use wire::{Wire, respond};

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

/// What becomes of a connection.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer(Response<Full<Bytes>>),
    /// It breaks.
    Reset,
    /// It stays silent for so long, and breaks then.
    Silence(Duration),
}

/// Answers any request.
pub(crate) async fn serve(world: &Mutex<World>, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        let text = b"request body too large".to_vec();
        return Reply::Answer(respond(413, "text/plain", text, &[]));
    };
    let body = body.to_bytes().to_vec();
    // A handler that panicked must not take the simulator down with it; its world is still whole
    // enough to look at.
    let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
    world.tick();
    let path = head.uri.path();
    if let Some(path) = path.strip_prefix("/_simulator/") {
        let query = pairs(head.uri.query());
        let (status, answer) =
            crate::admin::serve(&mut world, head.method.as_str(), path, &query, &body);
        let body = answer.to_string().into_bytes();
        return Reply::Answer(respond(status, "application/json", body, &[]));
    }
    let request = RawRequest {
        method: head.method.as_str().to_owned(),
        path: decode_percent(path),
        query: pairs(head.uri.query()),
        headers: headers(&head.headers),
        body,
    };
    answer(&mut world, &request)
}

/// A request whose caller and action are known.
#[derive(Debug)]
struct Call {
    caller: Caller,
    service: String,
    action: String,
    /// What faults and the log see of it; for all but S3 the parameters.
    input: Value,
}

/// What an action gives.
#[derive(Debug)]
enum Output {
    Value(Value),
    /// S3's own.
    Raw(RawResponse),
}

fn answer(world: &mut World, request: &RawRequest) -> Reply {
    let request_id = world.request_id();
    let (mut wire, call) = decode(world, request);
    let call = match call {
        Ok(call) => call,
        Err(error) => return Reply::Answer(wire.refusal(&error, &request_id)),
    };
    wire.answers(&call.action);
    let milliseconds = world.faults.faults.call_milliseconds;
    if milliseconds > 0 {
        world.advance(f64::from(milliseconds) / 1000.0);
    }
    let mutating = is_mutating(&call.service, &call.action);
    world.calls.count(&call.service, &call.action, mutating);
    let asked = Asked {
        caller: &call.caller,
        service: &call.service,
        action: &call.action,
        input: &call.input,
    };
    let Decision {
        before,
        after,
        kind,
    } = crate::faults::before(world, &asked);
    let silence = Duration::from_millis(u64::from(world.faults.faults.time_out_milliseconds));
    let (outcome, reply) = match before {
        Before::Refuse(error) => {
            let refusal = wire.refusal(&error, &request_id);
            (Err(error), Reply::Answer(refusal))
        }
        Before::Reset => (Err(lost()), Reply::Reset),
        Before::TimeOut => (Err(lost()), Reply::Silence(silence)),
        Before::Nothing => {
            let mut outcome = perform_wired(world, &call, request);
            let after = match &mut outcome {
                Ok(Output::Value(value)) => crate::faults::after(world, after, value),
                _ => after,
            };
            let reply = match (after, &outcome) {
                (After::Reset, _) => Reply::Reset,
                (After::TimeOut, _) => Reply::Silence(silence),
                (After::Replace(error), _) => Reply::Answer(wire.refusal(&error, &request_id)),
                (After::Nothing, Err(error)) => Reply::Answer(wire.refusal(error, &request_id)),
                (After::Nothing, Ok(output)) => Reply::Answer(wire.answer(output, &request_id)),
            };
            (outcome, reply)
        }
    };
    if mutating {
        let outcome = match outcome {
            Ok(Output::Value(value)) => Ok(value),
            Ok(Output::Raw(raw)) if raw.status < 400 => Ok(Value::Null),
            Ok(Output::Raw(raw)) => Err(ApiError::new(raw.status.to_string(), "")),
            Err(error) => Err(error),
        };
        let now = world.clock.now();
        world.journal.write(now, &asked, &outcome, kind);
    }
    crate::faults::called(world, &call.service, &call.action);
    crate::cloudformation::cool(world);
    reply
}

/// What the journal says of a request that was lost before it did anything.
fn lost() -> ApiError {
    ApiError::new("Lost", "The request was lost before it did anything.")
}

/// Finds out who calls what, and how the answer is to be written.
fn decode(world: &World, request: &RawRequest) -> (Wire, Result<Call, ApiError>) {
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    let signed = identity::read(header("authorization"));
    if let Some(target) = header("x-amz-target") {
        let wire = Wire::Json {
            version: if header("content-type").is_some_and(|kind| kind.contains("json-1.0")) {
                "application/x-amz-json-1.0"
            } else {
                "application/x-amz-json-1.1"
            },
        };
        return (wire, json_call(world, signed, target, &request.body));
    }
    if signed.as_ref().is_ok_and(|signed| signed.service == "s3") {
        let call = signed.and_then(|signed| {
            Ok(Call {
                caller: crate::services::sts::caller(
                    &world.services,
                    &signed.access_key,
                    &signed.region,
                )?,
                service: signed.service,
                action: crate::services::s3::action(request),
                input: json!({
                    "Method": request.method,
                    "Path": request.path,
                    "Query": request.query,
                }),
            })
        });
        return (Wire::S3, call);
    }
    if let Some(action) = signed
        .as_ref()
        .ok()
        .and_then(|signed| rest_action(&signed.service, request))
    {
        let wire = Wire::Json {
            version: "application/json",
        };
        let call = signed.and_then(|signed| {
            Ok(Call {
                caller: crate::services::sts::caller(
                    &world.services,
                    &signed.access_key,
                    &signed.region,
                )?,
                service: signed.service,
                action: action.to_owned(),
                input: json_input(&request.body)?,
            })
        });
        return (wire, call);
    }
    let form = if request.method == "GET" {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&request.query)
            .finish()
            .into_bytes()
    } else {
        request.body.clone()
    };
    let decoded = query::decode(&form);
    let wire = Wire::Query {
        service: signed
            .as_ref()
            .map_or_else(|_| "sts".to_owned(), |signed| signed.service.clone()),
        version: decoded
            .as_ref()
            .map_or_else(String::new, |decoded| decoded.version.clone()),
        action: String::new(),
    };
    let call = signed.and_then(|signed| {
        let decoded = decoded.ok_or_else(|| {
            ApiError::new(
                "MissingAction",
                "The request names no action in a protocol the simulator knows.",
            )
        })?;
        Ok(Call {
            caller: crate::services::sts::caller(
                &world.services,
                &signed.access_key,
                &signed.region,
            )?,
            service: signed.service,
            action: decoded.action,
            input: decoded.input,
        })
    });
    (wire, call)
}

fn json_call(
    world: &World,
    signed: Result<identity::Signed, ApiError>,
    target: &str,
    body: &[u8],
) -> Result<Call, ApiError> {
    let signed = signed?;
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
    let input = json_input(body)?;
    Ok(Call {
        caller: crate::services::sts::caller(&world.services, &signed.access_key, &signed.region)?,
        service: (*service).to_owned(),
        action: action.to_owned(),
        input,
    })
}

/// The action of a service whose actions are paths.
fn rest_action(service: &str, request: &RawRequest) -> Option<&'static str> {
    match (service, request.method.as_str(), request.path.as_str()) {
        ("account", "POST", "/listRegions") => Some("ListRegions"),
        ("account", "POST", "/getRegionOptStatus") => Some("GetRegionOptStatus"),
        _ => None,
    }
}

fn json_input(body: &[u8]) -> Result<Value, ApiError> {
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

/// Lets a call have its effect.
fn perform_wired(world: &mut World, call: &Call, request: &RawRequest) -> Result<Output, ApiError> {
    let Call {
        caller,
        service,
        action,
        input,
    } = call;
    if service == "s3" {
        access_role(&mut world.services, &caller.account);
        return Ok(Output::Raw(crate::services::s3::rest(
            &mut world.services,
            caller,
            request,
        )));
    }
    if world.faults.faults.token_lifetime_seconds.is_some() {
        let mut input = input.clone();
        crate::faults::strip_time(&mut input);
        return carry_out(world, caller, service, action, &input).map(Output::Value);
    }
    carry_out(world, caller, service, action, input).map(Output::Value)
}

/// Hands a call to its service.
pub(crate) fn carry_out(
    world: &mut World,
    caller: &Caller,
    service: &str,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    let global = matches!(service, "account" | "organizations" | "iam" | "sts");
    if !global
        && !world
            .services
            .environment
            .region_is_on(&caller.region, &caller.account)
    {
        return Err(ApiError::new(
            "UnrecognizedClientException",
            format!(
                "The Region {} is not enabled in this simulator.",
                caller.region
            ),
        )
        .status(403));
    }
    match caller.role.as_deref() {
        None => {}
        Some(role) if short(role) == ACCESS_ROLE => {
            access_role(&mut world.services, &caller.account);
            crate::cloudformation::remember_glance(world, &caller.account);
        }
        Some(_) => crate::cloudformation::glance(world, &caller.account),
    }
    let answer = match service {
        "organizations" | "sts" => world
            .with_services(|cloud| crate::services::call(cloud, caller, service, action, input)),
        "cloudformation" => crate::cloudformation::call(world, caller, action, input),
        _ => {
            let look = Look::of(service, is_mutating(service, action));
            look.at(world, &caller.account);
            crate::cloudformation::named(world, input, look);
            world
                .with_services(|cloud| crate::services::call(cloud, caller, service, action, input))
        }
    };
    world.settle();
    answer
}

fn is_mutating(service: &str, action: &str) -> bool {
    match service {
        "cloudformation" => crate::cloudformation::is_mutating(action),
        _ => crate::services::is_mutating(service, action),
    }
}

fn headers(headers: &HeaderMap) -> BTreeMap<String, String> {
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
