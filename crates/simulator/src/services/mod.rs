//! The data plane: the services whose resources the templates create and events travel through.

use serde_json::Value;

use crate::api::{ApiError, Caller, RawRequest, RawResponse};
use crate::world::World;

/// All state of the data plane, per account and Region.
#[derive(Debug, Default)]
pub(crate) struct Services {}

/// Something the data plane scheduled with `world.after(seconds, task)`.
#[derive(Debug, Clone)]
pub(crate) enum Task {}

/// How an event travelled, for the admin API.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub(crate) struct Trace {
    pub(crate) event_id: String,
    pub(crate) hops: Vec<Value>,
    pub(crate) deliveries: Vec<Value>,
}

/// Answers one API call. `service` is the signing name (events, sns, sqs, kms, cloudtrail, ssm, ec2, iam, monitoring).
pub(crate) fn call(
    _world: &mut World,
    _caller: &Caller,
    service: &str,
    action: &str,
    _input: &Value,
) -> Result<Value, ApiError> {
    Err(ApiError::new(
        "InvalidAction",
        format!("The simulator does not know the action {service}:{action}."),
    ))
}

/// Answers an S3 request (REST).
pub(crate) fn s3(_world: &mut World, _caller: &Caller, _request: &RawRequest) -> RawResponse {
    RawResponse {
        status: 501,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

/// The action name of an S3 request, for the call counters ("`CreateBucket`").
pub(crate) fn s3_action(_request: &RawRequest) -> String {
    "Unknown".to_owned()
}

/// Whether the action changes anything.
pub(crate) fn is_mutating(_service: &str, _action: &str) -> bool {
    true
}

/// A task scheduled earlier is due.
pub(crate) fn due(_world: &mut World, task: Task) {
    match task {}
}

/// An account has come into being (at start, or later): default buses, the cross-account role.
pub(crate) fn account_created(_world: &mut World, _account: &str) {}

/// Whether the caller may assume the role: it exists and its trust policy allows the caller.
pub(crate) fn may_assume(
    _world: &World,
    _caller: &Caller,
    _role_arn: &str,
) -> Result<(), ApiError> {
    Ok(())
}

/// Whether the caller's identity policies allow the action. Administrators always may.
pub(crate) fn authorize(
    _world: &World,
    _caller: &Caller,
    _action: &str,
    _resource: &str,
) -> Result<(), ApiError> {
    Ok(())
}

/// An AWS service emits an event (admin API).
pub(crate) fn emit(_world: &mut World, _account: &str, _region: &str, _event: Value) -> Trace {
    Trace::default()
}

/// Messages delivered to subscribers so far: `[{"at","topic_arn","protocol","endpoint","body"}]`.
pub(crate) fn inbox(_world: &World) -> Vec<Value> {
    Vec::new()
}

/// Forgets the delivered messages.
pub(crate) fn clear_inbox(_world: &mut World) {}

/// Puts an EC2 instance in place: `{"account","region","instance_id","state","tags"}`.
pub(crate) fn put_instance(_world: &mut World, _instance: &Value) -> Result<Value, ApiError> {
    Err(ApiError::new(
        "InvalidAction",
        "instances are not there yet",
    ))
}

/// The EC2 instances, all or of one account and Region.
pub(crate) fn instances(
    _world: &World,
    _account: Option<&str>,
    _region: Option<&str>,
) -> Vec<Value> {
    Vec::new()
}
