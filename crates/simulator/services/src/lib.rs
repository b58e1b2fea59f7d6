//! The AWS services of a simulated organization, except CloudFormation: state, API actions, and
//! CloudFormation's resource handlers.
//!
//! Each service keeps its state in [`Services`], performs its actions through [`call`], and
//! evaluates policies before one resource acts on another, so that a missing permission breaks a
//! chain here where it would break on AWS. The crate depends neither on a clock nor on HTTP or
//! CloudFormation: calls beyond the services go through [`environment::Owner`], and delayed work is
//! queued in [`environment::Environment::later`].
//!
//! # Example
//!
//! ```
//! use serde_json::json;
//! use simulator_services::Services;
//! use simulator_services::environment::Environment;
//! use simulator_services::resources::{ResourceLocation, Resources};
//!
//! let environment = Environment::new(1, vec!["eu-central-1".to_owned()], Default::default());
//! let mut services = Services::new(environment, 9);
//! let location = ResourceLocation {
//!     account: "111122223333".to_owned(),
//!     region: "eu-central-1".to_owned(),
//!     stack_name: "alerts".to_owned(),
//!     stack_id: "arn:aws:cloudformation:eu-central-1:111122223333:stack/alerts/1".to_owned(),
//!     logical_id: "Topic".to_owned(),
//!     generation: 0,
//! };
//! let topic = json!({"TopicName": "gizmos-alerts"});
//! let created = services.create(&location, "AWS::SNS::Topic", &topic).unwrap();
//! assert_eq!(created.physical_id, "arn:aws:sns:eu-central-1:111122223333:gizmos-alerts");
//! ```

mod account;
mod action;
pub mod arn;
mod cloudtrail;
pub mod ec2;
mod emission;
pub mod environment;
pub mod events;
pub mod iam;
mod kms;
mod monitoring;
pub mod organizations;
pub mod resources;
pub mod s3;
pub mod scheduler;
pub mod sns;
pub mod sqs;
mod ssm;
pub mod sts;

use serde::Serialize;
use serde_json::{Map, Value};
use simulator_policy as policy;
use simulator_wire as wire;

pub use emission::emit;

use crate::policy::{Context, Request};
use crate::wire::Effect;
use crate::wire::api::{ApiError, Caller};
use action::Action;
use environment::{Cloud, Environment, Look};

/// The state of all services except CloudFormation, across accounts and Regions.
#[derive(Clone, Debug, Default)]
pub struct Services {
    /// Time, Regions, ids and queues shared by the services.
    pub environment: Environment,
    /// AWS Organizations.
    pub organization: organizations::Organization,
    pub(crate) sessions: sts::Sessions,
    pub(crate) cloudtrail: cloudtrail::CloudTrail,
    pub(crate) ec2: ec2::Ec2,
    /// Amazon EventBridge.
    pub events: events::Events,
    pub(crate) iam: iam::Iam,
    pub(crate) kms: kms::Kms,
    pub(crate) monitoring: monitoring::Monitoring,
    /// Amazon S3.
    pub s3: s3::S3,
    /// EventBridge Scheduler.
    pub scheduler: scheduler::Scheduler,
    /// Amazon SNS.
    pub sns: sns::Sns,
    /// Amazon SQS.
    pub sqs: sqs::Sqs,
    pub(crate) ssm: ssm::Ssm,
}

impl Services {
    /// The services of a new organization. `workload_accounts` come in addition to management, log
    /// archive and security.
    pub fn new(environment: Environment, workload_accounts: usize) -> Services {
        let mut services = Services {
            organization: organizations::Organization::seeded(workload_accounts, environment.now),
            environment,
            ..Services::default()
        };
        iam::access_role(&mut services, organizations::MANAGEMENT);
        services
    }
}

/// Delayed work of a service, performed by [`due`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// The simulated recipient confirms a subscription.
    ConfirmSubscription {
        /// The subscription's ARN.
        subscription: String,
    },
    /// An SSM automation execution runs.
    RunAutomation {
        /// The execution's id.
        execution: String,
    },
    /// An EC2 instance completes its start or stop.
    SettleInstance {
        /// Twelve digits.
        account: String,
        /// For example `eu-central-1`.
        region: String,
        /// `i-…`
        instance: String,
    },
    /// An AWS service emits an event.
    Emit {
        /// Twelve digits.
        account: String,
        /// For example `eu-central-1`.
        region: String,
        /// The envelope as JSON text.
        event: String,
    },
    /// A schedule makes its call.
    RunSchedule(scheduler::Run),
    /// `CloudWatch` evaluates an alarm.
    EvaluateAlarm {
        /// The alarm's ARN.
        alarm: String,
    },
}

/// The outcome of an event at one link of the alert chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The link passed the event on.
    Ok,
    /// The link works as configured and discarded the event: no matching rule, no trail, or a
    /// second forwarding.
    Dropped,
    /// A policy denied the event.
    Denied,
    /// The link is broken: something it refers to doesn't exist or can't be used.
    Failed,
}

/// One step of an event through the alert chain, worded for the person on call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// Twelve digits.
    pub account: String,
    /// For example `eu-central-1`.
    pub region: String,
    /// The link's name: `bus policy of gizmos`, `subscription security@example.com`, …
    pub link: String,
    /// The outcome at this link.
    pub outcome: Outcome,
    /// The reason, in one sentence.
    pub detail: String,
}

impl Hop {
    /// `location` is account and Region.
    pub(crate) fn new(
        location: (&str, &str),
        link: impl Into<String>,
        outcome: Outcome,
        detail: impl Into<String>,
    ) -> Hop {
        Hop {
            account: location.0.to_owned(),
            region: location.1.to_owned(),
            link: link.into(),
            outcome,
            detail: detail.into(),
        }
    }
}

/// One message that reached a subscribed endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Virtual time of the delivery, RFC 3339.
    pub at: String,
    /// The sending topic.
    pub topic_arn: String,
    /// `email`, `https` or `sqs`.
    pub protocol: String,
    /// The address, URL or queue ARN.
    pub endpoint: String,
    /// The body as the endpoint received it.
    pub body: String,
}

/// The path of one event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// The `id` of the envelope.
    pub event_id: String,
    /// All steps, in order.
    pub hops: Vec<Hop>,
    /// All messages that reached an endpoint.
    pub deliveries: Vec<Delivery>,
}

/// Performs one API action. `service` is the signing name (`events`, `sns`, `sqs`, `kms`,
/// `cloudtrail`, `ssm`, `ec2`, `iam`, `monitoring`); S3 requests go to [`s3::rest`]. A caller with
/// an assumed role needs that role's permission.
pub fn call(
    cloud: &mut Cloud<'_>,
    caller: &Caller,
    service: &str,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    perform(cloud, caller, service, action, input).map_err(|error| in_words_of(service, error))
}

/// Translates error codes for validation and denied access, which differ by service.
fn in_words_of(service: &str, error: ApiError) -> ApiError {
    let (code, status) = match (error.code.as_str(), service) {
        ("ValidationError", "iam" | "organizations" | "sts") => return error,
        ("ValidationError", _) => ("ValidationException", error.status),
        ("AccessDenied", "cloudtrail" | "events" | "kms" | "organizations" | "sqs" | "ssm") => {
            ("AccessDeniedException", 400)
        }
        ("InvalidAction", "organizations") => ("UnknownOperationException", error.status),
        ("AccessDenied", "ec2") => ("UnauthorizedOperation", 403),
        ("AccessDenied", "sns") => ("AuthorizationError", 403),
        _ => return error,
    };
    ApiError {
        code: code.to_owned(),
        message: error.message,
        status,
    }
}

fn perform(
    cloud: &mut Cloud<'_>,
    caller: &Caller,
    service: &str,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    let known = named(service, action).ok_or_else(|| ApiError::unknown_action(service, action))?;
    if service == "organizations" {
        organizations::permit(&cloud.organization, caller, known)?;
    }
    (known.answer)(cloud, caller, input)
}

/// Checks that the caller may perform `action` on `resource`. An account's administrator may do
/// everything in it, a role what its policies allow.
pub fn authorize(
    services: &Services,
    caller: &Caller,
    action: &str,
    resource: &str,
) -> Result<(), ApiError> {
    authorize_in(services, caller, action, resource, Context::new())
}

/// [`authorize`] with the condition keys of this action.
pub(crate) fn authorize_in(
    services: &Services,
    caller: &Caller,
    action: &str,
    resource: &str,
    context: Context,
) -> Result<(), ApiError> {
    let Some(role) = &caller.role else {
        return Ok(());
    };
    let request = request_of(services, caller, action, resource, context);
    iam::within_session(services, caller, &request)?;
    if iam::identity(services, role, &request).allowed {
        Ok(())
    } else {
        Err(ApiError::denied(caller, action, resource))
    }
}

/// Whether the policies of a caller's role would allow an action.
pub(crate) fn would_allow(
    services: &Services,
    caller: &Caller,
    role: &str,
    action: &str,
    resource: &str,
    context: Context,
) -> bool {
    let request = request_of(services, caller, action, resource, context);
    iam::evaluate(services, role, &request).allowed
}

fn request_of(
    services: &Services,
    caller: &Caller,
    action: &str,
    resource: &str,
    context: Context,
) -> Request {
    let context = iam::organization_context(&services.organization, &caller.account, context)
        .with("aws:RequestedRegion", caller.region.as_str());
    Request::new(iam::principal(caller), action, resource, context)
}

/// A document such as a policy or pattern as the APIs return it: compact JSON text.
pub(crate) fn json_text(document: &Value) -> String {
    match document {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Adds the members that have a value to a response.
pub(crate) fn with<const N: usize>(
    mut answer: Value,
    members: [(&str, Option<Value>); N],
) -> Value {
    if let Value::Object(answer) = &mut answer {
        let given = members.into_iter();
        answer.extend(given.filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    answer
}

/// The `Tags` property as a list of `Key`/`Value` pairs; empty if there are none.
pub(crate) fn tags(properties: &Map<String, Value>) -> Value {
    properties
        .get("Tags")
        .cloned()
        .unwrap_or_else(|| Value::Array(Vec::new()))
}

/// A service's action table, by signing name.
fn actions(service: &str) -> Option<&'static [Action]> {
    match service {
        "account" => Some(account::ACTIONS),
        "cloudtrail" => Some(cloudtrail::ACTIONS),
        "ec2" => Some(ec2::ACTIONS),
        "events" => Some(events::ACTIONS),
        "iam" => Some(iam::ACTIONS),
        "kms" => Some(kms::ACTIONS),
        "monitoring" => Some(monitoring::ACTIONS),
        "organizations" => Some(organizations::ACTIONS),
        "sns" => Some(sns::ACTIONS),
        "sqs" => Some(sqs::ACTIONS),
        "ssm" => Some(ssm::ACTIONS),
        "sts" => Some(sts::ACTIONS),
        _ => None,
    }
}

/// Whether an action is mutating. For unknown actions, which are refused, the name decides whether
/// the journal records the attempt.
pub fn is_mutating(service: &str, action: &str) -> bool {
    let effect = match service {
        "s3" => s3::effect(action),
        _ => named(service, action).map(|known| known.effect),
    };
    match effect {
        Some(effect) => effect == Effect::Changes,
        None => !["Describe", "Get", "List", "Head", "Simulate", "Test"]
            .iter()
            .any(|verb| action.starts_with(verb)),
    }
}

fn named(service: &str, action: &str) -> Option<&'static Action> {
    let mut table = actions(service).unwrap_or_default().iter();
    table.find(|known| known.name == action)
}

/// Performs a [`Task`] that is due now.
pub fn due(cloud: &mut Cloud<'_>, task: Task) {
    match task {
        Task::ConfirmSubscription { subscription } => {
            sns::confirm(&mut cloud.services.sns, &subscription);
        }
        Task::RunAutomation { execution } => {
            let account = cloud.ssm.account_of(&execution);
            if let Some(account) = account {
                cloud.look(&account, Look::ToChange);
            }
            ssm::run(cloud, &execution, &mut Trace::default());
        }
        Task::SettleInstance {
            account,
            region,
            instance,
        } => {
            ec2::settle(cloud, &account, &region, &instance);
        }
        Task::Emit {
            account,
            region,
            event,
        } => {
            if let Ok(event) = serde_json::from_str(&event) {
                emit(cloud, &account, &region, event);
            }
        }
        Task::RunSchedule(run) => scheduler::run(cloud, &run),
        Task::EvaluateAlarm { alarm } => monitoring::evaluate(cloud, &alarm),
    }
}
