//! Amazon SQS: queues, policies and messages.

mod actions;
pub(crate) mod resources;

use std::collections::{BTreeMap, VecDeque};

use md5::{Digest, Md5};
use serde_json::{Map, Value};

pub(crate) use actions::ACTIONS;

use super::arn::{Arn, is_queue_or_topic_name};
use super::environment::{Environment, hex};
use super::{Services, events, kms};
use crate::policy::{Context, Decision, Document, Kind, Principal, Request, Verdict};
use crate::wire::api::ApiError;

/// All SQS queues.
#[derive(Clone, Debug, Default)]
pub struct Sqs {
    /// By ARN.
    pub queues: BTreeMap<String, Queue>,
}

/// An SQS queue.
#[derive(Clone, Debug)]
pub struct Queue {
    pub(crate) arn: String,
    pub(crate) url: String,
    pub(crate) account: String,
    pub(crate) region: String,
    /// The last part of its ARN.
    pub name: String,
    /// As in `AWS::SQS::Queue`.
    pub(crate) properties: Map<String, Value>,
    /// As written, and parsed.
    pub(crate) policy: Option<(Value, Document)>,
    /// Oldest first.
    pub messages: VecDeque<Message>,
    pub(crate) created: jiff::Timestamp,
}

/// A message in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub(crate) id: String,
    /// As sent.
    pub body: String,
    /// String attributes, such as a dead letter's `ERROR_CODE`.
    pub attributes: BTreeMap<String, String>,
    pub(crate) sent: jiff::Timestamp,
    received: u32,
    /// End of the visibility timeout, if the message was received.
    hidden_until: Option<jiff::Timestamp>,
}

/// The value of `Ref` for a queue.
fn url(account: &str, region: &str, name: &str) -> String {
    format!("https://sqs.{region}.amazonaws.com/{account}/{name}")
}

impl Sqs {
    /// Finds a queue by ARN or URL. Of a URL, only the last two path segments count, so any host
    /// works.
    pub(crate) fn queue(&self, region: &str, reference: &str) -> Option<&Queue> {
        if let Some(queue) = self.queues.get(reference) {
            return Some(queue);
        }
        let mut parts = reference.rsplit('/');
        let (name, account) = (parts.next()?, parts.next()?);
        let region = reference
            .split_once("://sqs.")
            .and_then(|(_, rest)| rest.split('.').next())
            .unwrap_or(region);
        self.queues
            .get(&format!("arn:aws:sqs:{region}:{account}:{name}"))
    }
}

/// Creates a queue from template properties and returns its ARN.
pub(crate) fn create_queue(
    services: &mut Services,
    account: &str,
    region: &str,
    name: &str,
    properties: Map<String, Value>,
) -> Result<String, ApiError> {
    if !is_queue_or_topic_name(name, 80) {
        return Err(ApiError::new(
            "InvalidParameterValue",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ));
    }
    check(&properties)?;
    let arn = format!("arn:aws:sqs:{region}:{account}:{name}");
    if services.sqs.queues.contains_key(&arn) {
        return Err(ApiError::new(
            "QueueNameExists",
            format!("A queue already exists with the name {name}"),
        ));
    }
    let queue = Queue {
        arn: arn.clone(),
        url: url(account, region, name),
        account: account.to_owned(),
        region: region.to_owned(),
        name: name.to_owned(),
        properties,
        policy: None,
        messages: VecDeque::new(),
        created: services.environment.now,
    };
    services.sqs.queues.insert(arn.clone(), queue);
    Ok(arn)
}

/// An integer attribute with its range.
struct Number {
    name: &'static str,
    range: std::ops::RangeInclusive<i64>,
    /// The value in `GetQueueAttributes` if the queue doesn't set it.
    default: Option<i64>,
}

const fn number(name: &'static str, least: i64, most: i64, default: Option<i64>) -> Number {
    Number {
        name,
        range: least..=most,
        default,
    }
}

/// How long a queue keeps messages unless it says otherwise, in seconds.
const RETENTION: i64 = 345_600;

const NUMBERS: [Number; 6] = [
    number("DelaySeconds", 0, 900, Some(0)),
    number("MaximumMessageSize", 1024, 1_048_576, Some(1_048_576)),
    number("MessageRetentionPeriod", 60, 1_209_600, Some(RETENTION)),
    number("ReceiveMessageWaitTimeSeconds", 0, 20, Some(0)),
    number("VisibilityTimeout", 0, 43_200, Some(30)),
    number("KmsDataKeyReusePeriodSeconds", 60, 86_400, None),
];

/// Checks the ranges of a queue's attributes.
fn check(properties: &Map<String, Value>) -> Result<(), ApiError> {
    for Number { name, range, .. } in &NUMBERS {
        let value = properties.get(*name).and_then(Value::as_i64);
        if value.is_some_and(|value| !range.contains(&value)) {
            return Err(invalid(name));
        }
    }
    Ok(())
}

fn invalid(attribute: &str) -> ApiError {
    ApiError::new(
        "InvalidAttributeValue",
        format!("Invalid value for the parameter {attribute}."),
    )
}

fn parse_policy(value: &Value) -> Result<Document, ApiError> {
    Document::parse(value, Kind::Resource)
        .and_then(|document| document.within("sqs"))
        .map_err(|error| {
            ApiError::new(
                "InvalidAttributeValue",
                format!("Invalid value for the parameter Policy: {error}"),
            )
        })
}

/// Whether a service may send a message of `size` bytes to a queue: requires the queue's policy
/// and, for a queue encrypted with a KMS key, the key's.
pub(crate) fn service_may_send(
    services: &Services,
    queue_arn: &str,
    service: &str,
    size: usize,
    context: Context,
) -> Verdict {
    let Some(queue) = services.sqs.queues.get(queue_arn) else {
        return Verdict::deny(format!("the queue {queue_arn} does not exist"));
    };
    let name = &queue.name;
    let principal = Principal::Service(service.to_owned());
    let Some((_, policy)) = &queue.policy else {
        return Verdict::deny(format!(
            "the queue {name} has no policy, so {service} may not send to it"
        ));
    };
    // EventBridge is the only service that doesn't pass its source to the key policy.
    let key_context = if service == events::SERVICE {
        Context::new()
    } else {
        context.clone()
    };
    let request = Request::new(principal.clone(), "sqs:SendMessage", queue_arn, context);
    let allowed = match policy.decide(&request) {
        Decision::Allow { by, .. } => {
            Verdict::allow(format!("{by} of the queue policy of {name} allows it"))
        }
        Decision::Deny { by } => {
            return Verdict::deny(format!(
                "{by} of the queue policy of {name} denies {service}"
            ));
        }
        Decision::Silent { because } => {
            return Verdict::deny(format!(
                "the queue policy of {name} does not allow {service} sqs:SendMessage: {because}"
            ));
        }
    };
    if size > queue.largest() {
        return Verdict::deny(format!(
            "the message has {size} bytes, and the queue {name} takes {}",
            queue.largest()
        ));
    }
    let key = queue.properties.get("KmsMasterKeyId");
    let location = (queue.account.as_str(), queue.region.as_str());
    match kms::may_encrypt(services, key, location, &principal, &key_context) {
        Some(verdict) if !verdict.allowed => verdict,
        _ => allowed,
    }
}

impl Queue {
    /// The size of the largest message that it takes, in bytes.
    fn largest(&self) -> usize {
        let limit = self.properties.get("MaximumMessageSize");
        let limit = limit.and_then(Value::as_u64).unwrap_or(1_048_576);
        usize::try_from(limit).unwrap_or(usize::MAX)
    }

    /// Drops the messages whose retention period is over.
    fn expire(&mut self, now: jiff::Timestamp) {
        let period = self.properties.get("MessageRetentionPeriod");
        let period = period.and_then(Value::as_i64).unwrap_or(RETENTION);
        let period = jiff::SignedDuration::from_secs(period);
        let oldest = now.checked_sub(period).unwrap_or(now);
        self.messages.retain(|message| message.sent >= oldest);
    }

    /// Adds a message and returns its id. The caller has checked permissions.
    fn push(
        &mut self,
        environment: &mut Environment,
        body: String,
        attributes: BTreeMap<String, String>,
    ) -> String {
        let id = environment.uuid();
        self.messages.push_back(Message {
            id: id.clone(),
            body,
            attributes,
            sent: environment.now,
            received: 0,
            hidden_until: None,
        });
        id
    }
}

/// Sends a message and returns its id. The caller has checked permissions.
pub(crate) fn send(
    services: &mut Services,
    queue_arn: &str,
    body: String,
    attributes: BTreeMap<String, String>,
) -> Option<String> {
    let queue = services.sqs.queues.get_mut(queue_arn)?;
    Some(queue.push(&mut services.environment, body, attributes))
}

impl Message {
    fn visible(&self, now: jiff::Timestamp) -> bool {
        self.hidden_until.is_none_or(|until| until <= now)
    }
}

fn md5_of(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

/// Whether `text` is the ARN of a queue.
pub(crate) fn is_queue_arn(text: &str) -> bool {
    Arn::parse(text).is_some_and(|arn| arn.service == "sqs")
}
