//! Dispatches requests to the handlers of their actions and returns the responses.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HOST, HeaderMap, ORIGIN};
use hyper::{Request, Response, StatusCode};
use serde_json::Value;

use crate::faults::{After, Asked, Before, Decision};
use crate::services::Services;
use crate::services::arn::short;
use crate::services::environment::{Cloud, Look};
use crate::services::iam::{ACCESS_ROLE, access_role};
use crate::services::s3;
use crate::wire::api::{ApiError, Caller, RawRequest, RawResponse};
use crate::wire::protocol::{Call, Output};
use crate::world::{ServicesOwner, World};

/// Maximum request body in bytes; AWS's own limits are lower.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Time limit for the body of a request.
const BODY_WITHIN: Duration = Duration::from_mins(1);

/// Refuses requests that a web page of a stranger makes a browser send: by its `Origin`, or by the
/// stranger's name as `Host`, which leads to 127.0.0.1. Everybody who can send a request can do
/// everything here.
fn foreign(headers: &HeaderMap) -> Option<String> {
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = String::from_utf8_lossy(origin.as_bytes());
        return Some(format!("requests of web pages are refused: `{origin}`"));
    }
    let host = String::from_utf8_lossy(headers.get(HOST)?.as_bytes()).into_owned();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => name,
        _ => &host,
    };
    // S3's clients put a bucket's name before `localhost`.
    let is_local =
        ["127.0.0.1", "[::1]", "localhost"].contains(&name) || name.ends_with(".localhost");
    (!is_local).then(|| format!("the simulator is `127.0.0.1`, not `{host}`"))
}

/// A response, or a fault instead of one.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer(Response<Full<Bytes>>),
    /// The connection is reset.
    Reset,
    /// The connection is reset after this time, without a response.
    Silence(Duration),
}

/// Handles any request.
pub(crate) async fn serve(world: &Mutex<World>, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    if let Some(refusal) = foreign(&head.headers) {
        return Reply::text(403, "text/plain", refusal.into_bytes());
    }
    let body = Limited::new(body, BODY_LIMIT).collect();
    let body = match tokio::time::timeout(BODY_WITHIN, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return Reply::text(413, "text/plain", b"request body too large".to_vec()),
        Err(_) => return Reply::Reset,
    };
    let request = RawRequest::new(
        head.method.as_str(),
        head.uri.path(),
        head.uri.query(),
        head.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes())),
        body.to_bytes().to_vec(),
    );
    // A panic in one handler must not take down the simulator; the world stays consistent enough to
    // inspect.
    let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
    world.tick();
    if let Some(path) = request.path.strip_prefix("/_simulator/") {
        let RawRequest {
            method,
            query,
            body,
            ..
        } = &request;
        let (status, answer) = crate::admin::serve(&mut world, method, path, query, body);
        return Reply::text(status, "application/json", answer.to_string().into_bytes());
    }
    answer(&mut world, &request)
}

impl Reply {
    fn text(status: u16, content_type: &str, body: Vec<u8>) -> Reply {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Reply::from(RawResponse {
            status,
            headers,
            body,
        })
    }
}

impl From<RawResponse> for Reply {
    fn from(raw: RawResponse) -> Reply {
        let mut response = Response::builder().status(raw.status);
        for (name, value) in raw.headers {
            response = response.header(name, value);
        }
        // Building fails only for header bytes that are invalid in HTTP.
        let response = response.body(Full::new(Bytes::from(raw.body)));
        Reply::Answer(response.unwrap_or_else(|_| {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }))
    }
}

fn answer(world: &mut World, request: &RawRequest) -> Reply {
    let request_id = world.request_id();
    let (protocol, call) = crate::wire::protocol::decode(request, s3::action);
    let identified = call.and_then(|call| {
        let caller = crate::services::sts::caller(&world.services, &call.access_key, &call.region)?;
        Ok((caller, call))
    });
    let (caller, call) = match identified {
        Ok(identified) => identified,
        Err(error) => return protocol.refusal(&error, &request_id).into(),
    };
    let milliseconds = world.faults.faults.call_milliseconds;
    if milliseconds > 0 {
        world.advance(f64::from(milliseconds) / 1000.0);
    }
    let mutating = is_mutating(&call.service, &call.action);
    world.calls.count(&call.service, &call.action, mutating);
    let asked = Asked {
        caller: &caller,
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
            let refusal = protocol.refusal(&error, &request_id).into();
            (Err(error), refusal)
        }
        Before::Reset => (Err(lost()), Reply::Reset),
        Before::TimeOut => (Err(lost()), Reply::Silence(silence)),
        Before::Nothing => {
            let mut outcome = perform(world, &caller, &call, request);
            let after = match &mut outcome {
                Ok(Output::Value(value)) => crate::faults::after(world, after, value),
                _ => after,
            };
            let reply = match (after, &outcome) {
                (After::Reset, _) => Reply::Reset,
                (After::TimeOut, _) => Reply::Silence(silence),
                (After::Replace(error), _) => protocol.refusal(&error, &request_id).into(),
                (After::Nothing, Err(error)) => protocol.refusal(error, &request_id).into(),
                (After::Nothing, Ok(output)) => {
                    protocol.answer(&call.action, output, &request_id).into()
                }
            };
            (outcome, reply)
        }
    };
    if mutating {
        let now = world.clock.now();
        world
            .journal
            .write(now, &asked, &for_journal(outcome), kind);
    }
    crate::faults::called(world, &call.service, &call.action);
    world.stage().fold_again();
    reply
}

/// The outcome as the journal records it.
fn for_journal(outcome: Result<Output, ApiError>) -> Result<Value, ApiError> {
    match outcome? {
        Output::Value(value) => Ok(value),
        Output::Raw(raw) if raw.status < 400 => Ok(Value::Null),
        Output::Raw(raw) => Err(ApiError::new(raw.status.to_string(), "")),
    }
}

/// The journal's error for a request that a fault dropped before it was performed.
fn lost() -> ApiError {
    ApiError::new(
        "Lost",
        "A fault dropped the request before it was performed.",
    )
}

/// Performs a call: S3 through its REST handlers, others through their action tables.
fn perform(
    world: &mut World,
    caller: &Caller,
    call: &Call,
    request: &RawRequest,
) -> Result<Output, ApiError> {
    let Call {
        service,
        action,
        input,
        ..
    } = call;
    if service == "s3" {
        access_role(&mut world.services, &caller.account);
        return Ok(Output::Raw(s3::rest(&mut world.services, caller, request)));
    }
    let mut timeless = None;
    if world.faults.faults.token_lifetime_seconds.is_some() {
        crate::faults::strip_time(timeless.insert(input.clone()));
    }
    let input = timeless.as_ref().unwrap_or(input);
    world
        .call(caller, service, action, input)
        .map(Output::Value)
}

/// Dispatches a call to its service.
pub(crate) fn carry_out(
    services: &mut Services,
    owner: &mut ServicesOwner<'_>,
    caller: &Caller,
    service: &str,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    let global = matches!(service, "account" | "organizations" | "iam" | "sts");
    let environment = &services.environment;
    if !global && !environment.region_is_on(&caller.region, &caller.account) {
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
            access_role(services, &caller.account);
            owner.cloudformation.remember_look(&caller.account);
        }
        Some(_) => owner.stage(services).look(&caller.account, Look::Anywhere),
    }
    let answer = if service == "cloudformation" {
        crate::cloudformation::call(&mut owner.stage(services), caller, action, input)
    } else {
        if !matches!(service, "organizations" | "sts") {
            let look = Look::of(service, action, is_mutating(service, action));
            let stage = &mut owner.stage(services);
            // Rules and queues of other Regions can't be seen.
            let region = ["events", "sqs"].contains(&service);
            let region = region.then_some(caller.region.as_str());
            stage.look_in(&caller.account, region, look);
            stage.look_at_named(input, look);
        }
        let cloud = &mut Cloud { services, owner };
        crate::services::call(cloud, caller, service, action, input)
    };
    owner.follow_moves(services);
    answer
}

fn is_mutating(service: &str, action: &str) -> bool {
    match service {
        "cloudformation" => crate::cloudformation::is_mutating(action),
        _ => crate::services::is_mutating(service, action),
    }
}
