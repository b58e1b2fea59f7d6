//! The AWS services of a simulated organization, all but CloudFormation: their state, their API
//! actions, and the handlers of the resources that a template creates.
//!
//! Each service keeps its own state in [`Services`], answers its actions through [`call`], and
//! evaluates the policies before it lets one resource act on another, so that a missing permission
//! breaks a chain here where it would break it on AWS. Nothing here knows a clock, HTTP or
//! CloudFormation: what reaches beyond the services goes through [`environment::Owner`], and work
//! for later is left in [`environment::Environment::later`].
//!
//! # Example
//!
//! ```
//! use serde_json::json;
//! use simulator_services::Services;
//! use simulator_services::environment::Environment;
//! use simulator_services::resources::{Place, Resources};
//!
//! let environment = Environment::new(1, vec!["eu-central-1".to_owned()], Default::default());
//! let mut services = Services::new(environment, 9);
//! let place = Place {
//!     account: "111122223333".to_owned(),
//!     region: "eu-central-1".to_owned(),
//!     stack_name: "alerts".to_owned(),
//!     stack_id: "arn:aws:cloudformation:eu-central-1:111122223333:stack/alerts/1".to_owned(),
//!     logical_id: "Topic".to_owned(),
//!     generation: 0,
//! };
//! let topic = json!({"TopicName": "gizmos-alerts"});
//! let created = services.create(&place, "AWS::SNS::Topic", &topic).unwrap();
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

/// The state of every service of the data plane, over all accounts and Regions.
#[derive(Clone, Debug, Default)]
pub struct Services {
    /// What every service knows of its surroundings.
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
    /// The services of a new organization with so many accounts besides management, log archive and
    /// security, and with the policies that AWS manages.
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

/// Work that a service left for a later virtual time; comes back through [`due`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
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
    /// An AWS service emits an event.
    Emit {
        /// The account.
        account: String,
        /// The Region.
        region: String,
        /// The envelope as JSON text.
        event: String,
    },
    /// A schedule makes its call.
    RunSchedule(scheduler::Run),
    /// `CloudWatch` looks at an alarm's metric.
    EvaluateAlarm {
        /// The alarm's ARN.
        alarm: String,
    },
}

/// How one link of the alert chain treated an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
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
pub struct Hop {
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

impl Hop {
    /// A step in an account and Region.
    pub(crate) fn new(
        place: (&str, &str),
        link: impl Into<String>,
        outcome: Outcome,
        detail: impl Into<String>,
    ) -> Hop {
        Hop {
            account: place.0.to_owned(),
            region: place.1.to_owned(),
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
pub struct Trace {
    /// The event's id.
    pub event_id: String,
    /// Every step, in the order they happened.
    pub hops: Vec<Hop>,
    /// Every message that reached somebody.
    pub deliveries: Vec<Delivery>,
}

/// Answers one API action. `service` is the signing name (`events`, `sns`, `sqs`, `kms`,
/// `cloudtrail`, `ssm`, `ec2`, `iam`, `monitoring`; S3's REST goes to [`s3::rest`]). A caller who assumed
/// a role needs that role's permission.
pub fn call(
    cloud: &mut Cloud<'_>,
    caller: &Caller,
    service: &str,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    perform(cloud, caller, service, action, input).map_err(|error| in_words_of(service, error))
}

/// Bad input and refusals have other codes in these services than in CloudFormation and IAM.
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

/// Whether the caller may do `action` on `resource`: an account's administrator may do everything
/// in it, a role what its policies allow.
pub fn authorize(
    services: &Services,
    caller: &Caller,
    action: &str,
    resource: &str,
) -> Result<(), ApiError> {
    let Some(role) = &caller.role else {
        return Ok(());
    };
    let context =
        iam::organization_context(&services.organization, &caller.account, Context::new())
            .with("aws:RequestedRegion", caller.region.as_str());
    let request = Request::new(iam::principal(caller), action, resource, context);
    if iam::identity(services, role, &request).allowed {
        Ok(())
    } else {
        Err(ApiError::denied(caller, action, resource))
    }
}

/// A document (a policy, a pattern) as the APIs hand it out: compact JSON text.
pub(crate) fn json_text(document: &Value) -> String {
    match document {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Adds to an answer those members that have a value.
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

/// Tags in template shape as a list of `Key`/`Value` pairs, empty when there are none.
pub(crate) fn tags(properties: &Map<String, Value>) -> Value {
    properties
        .get("Tags")
        .cloned()
        .unwrap_or_else(|| Value::Array(Vec::new()))
}

/// The table of a service's actions.
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

/// Whether an action changes something. An unknown action is refused; its name decides whether the
/// journal records the attempt.
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

/// Does work that [`World::schedule`] was asked to do now.
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
