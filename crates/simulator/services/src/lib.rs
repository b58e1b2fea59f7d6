//! The data plane: what the AWS services keep and do once a template has created their resources.
//!
//! One module per service. Each keeps its own state, answers its own API actions through [`call`],
//! and asks [`crate::policy`] before it lets one resource act on another, so that a missing
//! permission breaks a chain here where it would break it on AWS.

pub(crate) mod account;
pub(crate) mod action;
pub(crate) mod arn;
pub(crate) mod cloudtrail;
pub(crate) mod ec2;
mod emission;
pub(crate) mod environment;
pub(crate) mod events;
pub(crate) mod iam;
pub(crate) mod kms;
pub(crate) mod monitoring;
pub(crate) mod organizations;
pub(crate) mod s3;
pub(crate) mod scheduler;
pub(crate) mod sns;
pub(crate) mod sqs;
pub(crate) mod ssm;
pub(crate) mod sts;

use serde::Serialize;
use serde_json::{Map, Value};

pub(crate) use emission::emit;

use crate::policy::{Context, Request};
use crate::wire::Effect;
use crate::wire::api::{ApiError, Caller};
use action::Action;
use environment::{Cloud, Environment, Look};

/// The state of every service of the data plane, over all accounts and Regions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Services {
    pub(crate) environment: Environment,
    pub(crate) organization: organizations::Organization,
    pub(crate) sessions: sts::Sessions,
    pub(crate) cloudtrail: cloudtrail::CloudTrail,
    pub(crate) ec2: ec2::Ec2,
    pub(crate) events: events::Events,
    pub(crate) iam: iam::Iam,
    pub(crate) kms: kms::Kms,
    pub(crate) monitoring: monitoring::Monitoring,
    pub(crate) s3: s3::S3,
    pub(crate) scheduler: scheduler::Scheduler,
    pub(crate) sns: sns::Sns,
    pub(crate) sqs: sqs::Sqs,
    pub(crate) ssm: ssm::Ssm,
}

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
    pub(crate) account: String,
    /// The Region in which this step took place.
    pub(crate) region: String,
    /// The link of the chain: `bus policy of gizmos`, `subscription security@example.com`, …
    pub(crate) link: String,
    /// What became of the event here.
    pub(crate) outcome: Outcome,
    /// Why, in one sentence.
    pub(crate) detail: String,
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
pub(crate) struct Delivery {
    /// Virtual time of the delivery, RFC 3339.
    pub(crate) at: String,
    /// The topic that delivered.
    pub(crate) topic_arn: String,
    /// `email`, `https` or `sqs`.
    pub(crate) protocol: String,
    /// The address, URL or queue ARN.
    pub(crate) endpoint: String,
    /// The body as the endpoint received it.
    pub(crate) body: String,
}

/// What became of one event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Trace {
    /// The event's id.
    pub(crate) event_id: String,
    /// Every step, in the order they happened.
    pub(crate) hops: Vec<Hop>,
    /// Every message that reached somebody.
    pub(crate) deliveries: Vec<Delivery>,
}

/// Answers one API action. `service` is the signing name (`events`, `sns`, `sqs`, `kms`,
/// `cloudtrail`, `ssm`, `ec2`, `iam`, `monitoring`; S3's REST goes to [`s3::rest`]). A caller who assumed
/// a role needs that role's permission.
pub(crate) fn call(
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
pub(crate) fn authorize(
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
pub(crate) fn is_mutating(service: &str, action: &str) -> bool {
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
pub(crate) fn due(cloud: &mut Cloud<'_>, task: Task) {
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

#[cfg(test)]
mod tests;
