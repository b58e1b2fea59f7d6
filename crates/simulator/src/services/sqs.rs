//! Amazon SQS: queues, their policies and the messages that wait in them.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use super::arn::{Arn, is_queue_or_topic_name};
use super::{iam, json_text, kms};
use crate::input::Input;
use crate::policy::{Context, Decision, Document, Kind, Principal, Request, Verdict};
use crate::services::Services;
use crate::services::environment::hex;
use crate::wire::api::{ApiError, Caller};

/// All queues.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sqs {
    /// By queue ARN.
    pub(crate) queues: BTreeMap<String, Queue>,
}

/// One queue.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub(crate) arn: String,
    pub(crate) url: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
    /// Template shape of `AWS::SQS::Queue`.
    pub(crate) properties: Map<String, Value>,
    /// As written, and parsed.
    pub(crate) policy: Option<(Value, Document)>,
    pub(crate) messages: VecDeque<Message>,
    pub(crate) created: jiff::Timestamp,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    /// Text attributes, such as a dead letter's `ERROR_CODE`.
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) sent: jiff::Timestamp,
    received: u32,
    /// Nobody else sees a received message before this time.
    hidden_until: Option<jiff::Timestamp>,
}

/// The URL `Ref` gives for a queue.
pub(crate) fn url(account: &str, region: &str, name: &str) -> String {
    format!("https://sqs.{region}.amazonaws.com/{account}/{name}")
}

/// The ARN behind a queue's URL (any host: only the last two parts of the path count) or ARN.
pub(crate) fn arn_of<'w>(services: &'w Services, region: &str, reference: &str) -> Option<&'w str> {
    let queues = &services.sqs.queues;
    if let Some(queue) = queues.get(reference) {
        return Some(&queue.arn);
    }
    let mut parts = reference.rsplit('/');
    let (name, account) = (parts.next()?, parts.next()?);
    let region = reference
        .split_once("://sqs.")
        .and_then(|(_, rest)| rest.split('.').next())
        .unwrap_or(region);
    queues
        .get(&format!("arn:aws:sqs:{region}:{account}:{name}"))
        .map(|queue| queue.arn.as_str())
}

/// Creates a queue from template-shaped properties and gives its ARN.
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

/// Checks the ranges of a queue's attributes.
pub(crate) fn check(properties: &Map<String, Value>) -> Result<(), ApiError> {
    for (name, low, high) in [
        ("MessageRetentionPeriod", 60, 1_209_600),
        ("VisibilityTimeout", 0, 43_200),
        ("DelaySeconds", 0, 900),
        ("MaximumMessageSize", 1024, 1_048_576),
        ("ReceiveMessageWaitTimeSeconds", 0, 20),
        ("KmsDataKeyReusePeriodSeconds", 60, 86_400),
    ] {
        if let Some(value) = properties.get(name).and_then(Value::as_i64)
            && !(low..=high).contains(&value)
        {
            return Err(ApiError::new(
                "InvalidAttributeValue",
                format!("Invalid value for the parameter {name}."),
            ));
        }
    }
    Ok(())
}

/// Parses a queue policy.
pub(crate) fn parse_policy(value: &Value) -> Result<Document, ApiError> {
    Document::parse(value, Kind::Resource)
        .and_then(|document| document.within("sqs"))
        .map_err(|error| {
            ApiError::new(
                "InvalidAttributeValue",
                format!("Invalid value for the parameter Policy: {error}"),
            )
        })
}

/// Whether a service may put a message into a queue: the queue's policy decides, and for a queue
/// encrypted with a KMS key the key's policy too.
pub(crate) fn service_may_send(
    services: &Services,
    queue_arn: &str,
    service: &str,
    context: Context,
) -> Verdict {
    let Some(queue) = services.sqs.queues.get(queue_arn) else {
        return Verdict::deny(format!("the queue {queue_arn} does not exist"));
    };
    let principal = Principal::Service(service.to_owned());
    let Some((_, policy)) = &queue.policy else {
        return Verdict::deny(format!(
            "the queue {} has no policy, so {service} may not send to it",
            queue.name
        ));
    };
    // EventBridge gives the key's policy no keys about the rule; the other services name their source.
    let key_context = if service == "events.amazonaws.com" {
        Context::new()
    } else {
        context.clone()
    };
    let request = Request::new(principal.clone(), "sqs:SendMessage", queue_arn, context);
    let reason = match policy.decide(&request) {
        Decision::Allow { by, .. } => {
            format!("{by} of the queue policy of {} allows it", queue.name)
        }
        Decision::Deny { by } => {
            return Verdict::deny(format!(
                "{by} of the queue policy of {} denies {service}",
                queue.name
            ));
        }
        Decision::Silent { because } => {
            return Verdict::deny(format!(
                "the queue policy of {} does not allow {service} sqs:SendMessage: {because}",
                queue.name
            ));
        }
    };
    let encryption = kms::may_encrypt(
        services,
        queue.properties.get("KmsMasterKeyId"),
        (&queue.account, &queue.region),
        &principal,
        &key_context,
    );
    match encryption {
        Some(verdict) if !verdict.allowed => verdict,
        _ => Verdict::allow(reason),
    }
}

/// Puts a message into a queue, permissions having been checked.
pub(crate) fn send(
    services: &mut Services,
    queue_arn: &str,
    body: String,
    attributes: BTreeMap<String, String>,
) -> Option<String> {
    let id = services.environment.uuid();
    let sent = services.environment.now;
    let queue = services.sqs.queues.get_mut(queue_arn)?;
    queue.messages.push_back(Message {
        id: id.clone(),
        body,
        attributes,
        sent,
        received: 0,
        hidden_until: None,
    });
    Some(id)
}

/// The names of attributes as the API and the template both know them, numbers and flags apart.
const NUMBERS: [&str; 6] = [
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
    "KmsDataKeyReusePeriodSeconds",
];

fn attributes(queue: &Queue, now: jiff::Timestamp) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = [
        ("DelaySeconds", "0"),
        ("MaximumMessageSize", "1048576"),
        ("MessageRetentionPeriod", "345600"),
        ("ReceiveMessageWaitTimeSeconds", "0"),
        ("VisibilityTimeout", "30"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for name in NUMBERS
        .iter()
        .chain(&["KmsMasterKeyId", "SqsManagedSseEnabled", "RedrivePolicy"])
    {
        if let Some(value) = queue.properties.get(*name) {
            all.insert((*name).to_owned(), json_text(value));
        }
    }
    all.entry("SqsManagedSseEnabled".to_owned())
        .or_insert_with(|| (!queue.properties.contains_key("KmsMasterKeyId")).to_string());
    if let Some((written, _)) = &queue.policy {
        all.insert("Policy".to_owned(), json_text(written));
    }
    let visible = queue
        .messages
        .iter()
        .filter(|message| message.visible(now))
        .count();
    for (name, value) in [
        ("QueueArn", queue.arn.clone()),
        ("CreatedTimestamp", queue.created.as_second().to_string()),
        (
            "LastModifiedTimestamp",
            queue.created.as_second().to_string(),
        ),
        ("ApproximateNumberOfMessages", visible.to_string()),
        (
            "ApproximateNumberOfMessagesNotVisible",
            (queue.messages.len() - visible).to_string(),
        ),
        ("ApproximateNumberOfMessagesDelayed", "0".to_owned()),
    ] {
        all.insert(name.to_owned(), value);
    }
    all
}

impl Message {
    fn visible(&self, now: jiff::Timestamp) -> bool {
        self.hidden_until.is_none_or(|until| until <= now)
    }

    fn md5(&self) -> String {
        md5_of(&self.body)
    }
}

fn md5_of(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

/// Answers one SQS action.
pub(crate) fn call(
    services: &mut Services,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    let now = services.environment.now;
    match action {
        "ListQueues" => {
            let input = Input::new(input, &["QueueNamePrefix", "MaxResults", "NextToken"])?;
            let prefix = input.text("QueueNamePrefix").unwrap_or_default();
            let urls: Vec<Value> = services
                .sqs
                .queues
                .values()
                .filter(|queue| {
                    queue.account == caller.account
                        && queue.region == caller.region
                        && queue.name.starts_with(prefix)
                })
                .map(|queue| json!(queue.url))
                .collect();
            let limit = input.page_size("MaxResults", 1000)?;
            input.listing("QueueUrls", urls, limit)
        }
        "GetQueueUrl" => {
            let input = Input::new(input, &["QueueName", "QueueOwnerAWSAccountId"])?;
            let owner = input
                .text("QueueOwnerAWSAccountId")
                .unwrap_or(&caller.account);
            let arn = format!(
                "arn:aws:sqs:{}:{owner}:{}",
                caller.region,
                input.required("QueueName")?
            );
            let queue = services.sqs.queues.get(&arn).ok_or_else(no_queue)?;
            Ok(json!({"QueueUrl": queue.url}))
        }
        "GetQueueAttributes" => {
            let input = Input::new(input, &["QueueUrl", "AttributeNames"])?;
            let queue = queue(services, caller, input, "sqs:GetQueueAttributes")?;
            let wanted: Vec<&str> = input.texts("AttributeNames")?;
            let chosen: BTreeMap<String, String> = attributes(queue, now)
                .into_iter()
                .filter(|(name, _)| wanted.contains(&"All") || wanted.contains(&name.as_str()))
                .collect();
            Ok(json!({"Attributes": chosen}))
        }
        "SetQueueAttributes" => {
            let input = Input::new(input, &["QueueUrl", "Attributes"])?;
            queue(services, caller, input, "sqs:SetQueueAttributes")?;
            set_attributes(services, caller, input)
        }
        "ListQueueTags" => {
            let input = Input::new(input, &["QueueUrl"])?;
            let queue = queue(services, caller, input, "sqs:ListQueueTags")?;
            let tags: Map<String, Value> = super::tags(&queue.properties)
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|tag| {
                    Some((
                        tag.get("Key")?.as_str()?.to_owned(),
                        tag.get("Value")?.clone(),
                    ))
                })
                .collect();
            Ok(json!({"Tags": tags}))
        }
        "SendMessage" => {
            let input = Input::new(input, &["QueueUrl", "MessageBody"])?;
            let arn = queue(services, caller, input, "sqs:SendMessage")?
                .arn
                .clone();
            let body = input.required("MessageBody")?.to_owned();
            let md5 = md5_of(&body);
            let id = send(services, &arn, body, BTreeMap::new()).ok_or_else(no_queue)?;
            Ok(json!({"MessageId": id, "MD5OfMessageBody": md5}))
        }
        "ReceiveMessage" => {
            let input = Input::new(
                input,
                &[
                    "QueueUrl",
                    "AttributeNames",
                    "MessageSystemAttributeNames",
                    "MessageAttributeNames",
                    "MaxNumberOfMessages",
                    "VisibilityTimeout",
                    "WaitTimeSeconds",
                ],
            )?;
            let arn = queue(services, caller, input, "sqs:ReceiveMessage")?
                .arn
                .clone();
            receive(services, &arn, input)
        }
        "DeleteMessage" => {
            let input = Input::new(input, &["QueueUrl", "ReceiptHandle"])?;
            let arn = queue(services, caller, input, "sqs:DeleteMessage")?
                .arn
                .clone();
            let handle = input.required("ReceiptHandle")?;
            if let Some(queue) = services.sqs.queues.get_mut(&arn) {
                queue.messages.retain(|message| message.id != handle);
            }
            Ok(json!({}))
        }
        "PurgeQueue" => {
            let input = Input::new(input, &["QueueUrl"])?;
            let arn = queue(services, caller, input, "sqs:PurgeQueue")?
                .arn
                .clone();
            if let Some(queue) = services.sqs.queues.get_mut(&arn) {
                queue.messages.clear();
            }
            Ok(json!({}))
        }
        "DeleteQueue" => {
            let input = Input::new(input, &["QueueUrl"])?;
            let arn = queue(services, caller, input, "sqs:DeleteQueue")?
                .arn
                .clone();
            services.sqs.queues.remove(&arn);
            Ok(json!({}))
        }
        _ => Err(ApiError::unknown_action("sqs", action)),
    }
}

fn no_queue() -> ApiError {
    ApiError::new("QueueDoesNotExist", "The specified queue does not exist.")
}

/// The queue the input names, if the caller may do `action` with it.
fn queue<'w>(
    services: &'w Services,
    caller: &Caller,
    input: Input<'_>,
    action: &str,
) -> Result<&'w Queue, ApiError> {
    let reference = input.required("QueueUrl")?;
    let queue = arn_of(services, &caller.region, reference)
        .and_then(|arn| services.sqs.queues.get(arn))
        .filter(|queue| queue.region == caller.region)
        .ok_or_else(no_queue)?;
    if queue.account != caller.account {
        let request = Request::new(
            iam::principal(caller),
            action,
            &queue.arn,
            iam::organization_context(&services.organization, &caller.account, Context::new()),
        );
        let allowed = queue
            .policy
            .as_ref()
            .is_some_and(|(_, policy)| matches!(policy.decide(&request), Decision::Allow { .. }));
        if !allowed {
            return Err(ApiError::denied(caller, action, &queue.arn));
        }
    }
    Ok(queue)
}

fn set_attributes(
    services: &mut Services,
    caller: &Caller,
    input: Input<'_>,
) -> Result<Value, ApiError> {
    let reference = input.required("QueueUrl")?;
    let arn = arn_of(services, &caller.region, reference)
        .map(str::to_owned)
        .ok_or_else(no_queue)?;
    let changes: Vec<(String, Value)> = input
        .map("Attributes")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let queue = services.sqs.queues.get_mut(&arn).ok_or_else(no_queue)?;
    let mut properties = queue.properties.clone();
    let mut policy = queue.policy.clone();
    for (name, value) in changes {
        let text = value.as_str().unwrap_or_default();
        let invalid = || {
            ApiError::new(
                "InvalidAttributeValue",
                format!("Invalid value for the parameter {name}."),
            )
        };
        match name.as_str() {
            "Policy" if text.is_empty() => policy = None,
            "Policy" => {
                let written: Value = serde_json::from_str(text).map_err(|_| invalid())?;
                let document = parse_policy(&written)?;
                policy = Some((written, document));
            }
            "KmsMasterKeyId" if text.is_empty() => {
                properties.remove("KmsMasterKeyId");
            }
            "KmsMasterKeyId" => {
                properties.insert(name, value);
            }
            "SqsManagedSseEnabled" => {
                let flag: bool = text.parse().map_err(|_| invalid())?;
                properties.insert(name, Value::Bool(flag));
            }
            "RedrivePolicy" | "RedriveAllowPolicy" => {
                let parsed = serde_json::from_str(text).map_err(|_| invalid())?;
                properties.insert(name, parsed);
            }
            _ if NUMBERS.contains(&name.as_str()) => {
                let number: i64 = text.parse().map_err(|_| invalid())?;
                properties.insert(name, json!(number));
            }
            _ => {
                return Err(ApiError::new(
                    "InvalidAttributeName",
                    format!("Unknown Attribute {name}."),
                ));
            }
        }
    }
    check(&properties)?;
    queue.properties = properties;
    queue.policy = policy;
    Ok(json!({}))
}

fn receive(services: &mut Services, arn: &str, input: Input<'_>) -> Result<Value, ApiError> {
    let now = services.environment.now;
    let limit = input.integer("MaxNumberOfMessages")?.unwrap_or(1);
    if !(1..=10).contains(&limit) {
        return Err(ApiError::new(
            "InvalidParameterValue",
            "Value for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
        ));
    }
    let queue = services.sqs.queues.get_mut(arn).ok_or_else(no_queue)?;
    let timeout = input
        .integer("VisibilityTimeout")?
        .or_else(|| {
            queue
                .properties
                .get("VisibilityTimeout")
                .and_then(Value::as_i64)
        })
        .unwrap_or(30);
    let until = now
        .checked_add(jiff::SignedDuration::from_secs(timeout))
        .unwrap_or(now);
    let mut system: Vec<&str> = input.texts("AttributeNames")?;
    system.extend(input.texts::<&str>("MessageSystemAttributeNames")?);
    let wanted: Vec<&str> = input.texts("MessageAttributeNames")?;
    let mut messages = Vec::new();
    for message in queue
        .messages
        .iter_mut()
        .filter(|message| message.visible(now))
        .take(usize::try_from(limit).unwrap_or(1))
    {
        message.received += 1;
        message.hidden_until = Some(until);
        let mut answer = json!({
            "MessageId": message.id, "ReceiptHandle": message.id,
            "Body": message.body, "MD5OfBody": message.md5(),
        });
        let system: BTreeMap<&str, String> = [
            ("SentTimestamp", message.sent.as_millisecond().to_string()),
            ("ApproximateReceiveCount", message.received.to_string()),
            (
                "ApproximateFirstReceiveTimestamp",
                now.as_millisecond().to_string(),
            ),
        ]
        .into_iter()
        .filter(|(name, _)| system.contains(&"All") || system.contains(name))
        .collect();
        let attributes: BTreeMap<&String, Value> = message
            .attributes
            .iter()
            .filter(|(name, _)| {
                wanted.contains(&"All") || wanted.contains(&".*") || wanted.contains(&name.as_str())
            })
            .map(|(name, value)| (name, json!({"DataType": "String", "StringValue": value})))
            .collect();
        if let Some(answer) = answer.as_object_mut() {
            if !system.is_empty() {
                answer.insert("Attributes".to_owned(), json!(system));
            }
            if !attributes.is_empty() {
                answer.insert("MessageAttributes".to_owned(), json!(attributes));
            }
        }
        messages.push(answer);
    }
    Ok(json!({"Messages": messages}))
}

/// Whether a reference is the ARN of a queue.
pub(crate) fn is_queue_arn(text: &str) -> bool {
    Arn::parse(text).is_some_and(|arn| arn.service == "sqs")
}
