//! The data plane: what the AWS services keep and do once a template has created their resources.
//!
//! One module per service. Each keeps its own state, answers its own API actions through [`call`],
//! and asks [`crate::policy`] before it lets one resource act on another, so that a missing
//! permission breaks a chain here where it would break it on AWS.

use serde::Serialize;
use serde_json::Value;

use crate::api::{ApiError, Caller, RawRequest, RawResponse};
use crate::world::World;

/// The state of every service of the data plane, over all accounts and Regions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Services {}

/// Work that a service left for a later virtual time; comes back through [`due`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// The simulated recipient clicks the link in the confirmation message.
    ConfirmSubscription {
        /// The subscription's ARN.
        subscription: String,
    },
    /// An SSM automation execution takes its next step.
    RunAutomation {
        /// The execution's id.
        execution: String,
    },
    /// An EC2 instance settles in the state it was moving to.
    SettleInstance {
        /// The instance's account.
        account: String,
        /// The instance's Region.
        region: String,
        /// The instance's id.
        instance: String,
    },
    /// CloudWatch looks at an alarm's metric.
    EvaluateAlarm {
        /// The alarm's ARN.
        alarm: String,
    },
}

/// How one link of the alert chain treated an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// The link passed the event on.
    Ok,
    /// The link works as configured and let the event go (no rule matched, no trail, one hop only).
    Dropped,
    /// A policy refused.
    Denied,
    /// The link is broken: something it points at does not exist or cannot be used.
    Failed,
}

/// One step of an event through the chain, in words for the person who carries the pager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Hop {
    /// The account in which this step took place.
    pub account: String,
    /// The Region in which this step took place.
    pub region: String,
    /// The link of the chain: `bus policy of gizmos`, `subscription security@example.com`, …
    pub link: String,
    /// What became of the event here.
    pub outcome: Outcome,
    /// Why, in one sentence.
    pub detail: String,
}

/// One message that reached a subscribed endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Delivery {
    /// Virtual time of the delivery, RFC 3339.
    pub at: String,
    /// The topic that delivered.
    pub topic_arn: String,
    /// `email`, `https` or `sqs`.
    pub protocol: String,
    /// The address, URL or queue ARN.
    pub endpoint: String,
    /// The body as the endpoint received it.
    pub body: String,
}

/// What became of one event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Trace {
    /// The event's id.
    pub event_id: String,
    /// Every step, in the order they happened.
    pub hops: Vec<Hop>,
    /// Every message that reached somebody.
    pub deliveries: Vec<Delivery>,
}

/// Answers one API action. `service` is the signing name (`events`, `sns`, `sqs`, `kms`,
/// `cloudtrail`, `ssm`, `ec2`, `iam`, `monitoring`; S3's REST goes to [`s3::rest`]).
pub(crate) fn call(
    world: &mut World,
    caller: &Caller,
    service: &str,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    let _ = (world, caller, input);
    Err(ApiError {
        code: "InvalidAction".to_owned(),
        message: format!("The simulator does not know the action {service}:{action}."),
        status: 400,
    })
}

/// Whether an action changes something.
pub(crate) fn is_mutating(_service: &str, action: &str) -> bool {
    !["Describe", "Get", "List", "Head", "Test"]
        .iter()
        .any(|verb| action.starts_with(verb))
}

/// Does work that [`World::schedule`] was asked to do now.
pub(crate) fn due(_world: &mut World, _task: Task) {}

/// An AWS service emits an event in an account and Region: `account`, `region`, `time` and `id` of
/// the envelope are overwritten, and `… via CloudTrail` events need a trail that logs.
pub(crate) fn emit(_world: &mut World, _account: &str, _region: &str, _event: Value) -> Trace {
    Trace::default()
}

/// A new account joins the organization: gives it what every account is born with (the
/// cross-account role `OrganizationAccountAccessRole`, which trusts `management`).
pub(crate) fn account_created(_world: &mut World, _account: &str, _management: &str) {}

/// Whether `caller` may assume `role_arn`: the trust policy must allow it, and so must the policies
/// of a caller that is itself a role. The error is the one STS answers.
pub(crate) fn may_assume(
    _world: &World,
    _caller: &Caller,
    _role_arn: &str,
) -> Result<(), ApiError> {
    Ok(())
}

/// Whether the caller's identity policies allow an action of the control plane
/// (`cloudformation:CreateStack`, ...). Administrators always may.
pub(crate) fn authorize(
    _world: &World,
    _caller: &Caller,
    _action: &str,
    _resource: &str,
) -> Result<(), ApiError> {
    Ok(())
}

/// Answers an S3 request (REST).
pub(crate) fn s3(_world: &mut World, _caller: &Caller, _request: &RawRequest) -> RawResponse {
    RawResponse {
        status: 501,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

/// The action of an S3 request (`CreateBucket`, ...), for the call counters.
pub(crate) fn s3_action(_request: &RawRequest) -> String {
    "Unknown".to_owned()
}

/// Every message delivered so far, oldest first (admin API).
pub(crate) fn inbox(_world: &World) -> Vec<Delivery> {
    Vec::new()
}

/// Forgets the delivered messages (admin API).
pub(crate) fn clear_inbox(_world: &mut World) {}

/// Puts an EC2 instance in place: `{"account","region","instance_id","state","tags"}` (admin API).
pub(crate) fn put_instance(_world: &mut World, _instance: &Value) -> Result<Value, ApiError> {
    Err(ApiError::new(
        "InvalidAction",
        "Instances are not there yet.",
    ))
}

/// EC2 instances in the form of [`put_instance`], all or of one account or Region (admin API).
pub(crate) fn instances(
    _world: &World,
    _account: Option<&str>,
    _region: Option<&str>,
) -> Vec<Value> {
    Vec::new()
}
