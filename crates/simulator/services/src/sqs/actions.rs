//! The API actions of SQS.

#![expect(
    clippy::needless_pass_by_value,
    reason = "handlers take their request by value even if they only borrow from it"
)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Message, NUMBERS, Queue, Sqs, check, invalid, md5_of, parse_policy};
use crate::action::{Answer, Context, actions, anything, requests};
use crate::arn::short;
use crate::environment::Environment;
use crate::policy::{self, Decision, Request};
use crate::wire::api::{ApiError, Caller};
use crate::wire::listing;
use crate::{Services, authorize, iam, json_text, monitoring, tags, with};

/// Page size.
const PAGE: usize = 1000;

actions! {
    /// All actions of SQS.
    pub(crate) ACTIONS of "sqs" {
        Reads ListQueues (anything) sqs(list_queues);
        Reads GetQueueUrl (|it: &GetQueueUrl, caller| on(caller, &it.queue_name))
            sqs(get_queue_url);
        Reads GetQueueAttributes (|it: &GetQueueAttributes, caller| on(caller, &it.queue_url))
            services(get_queue_attributes);
        Changes SetQueueAttributes (|it: &SetQueueAttributes, caller| on(caller, &it.queue_url))
            services(set_queue_attributes);
        Reads ListQueueTags (NamedQueue::arn) services(list_queue_tags);
        Changes SendMessage (|it: &SendMessage, caller| on(caller, &it.queue_url))
            services(send_message);
        Changes ReceiveMessage (|it: &ReceiveMessage, caller| on(caller, &it.queue_url))
            services(receive_message);
        Changes DeleteMessage (|it: &DeleteMessage, caller| on(caller, &it.queue_url))
            services(delete_message);
        Changes DeleteMessageBatch (itself) services(delete_message_batch);
        Changes PurgeQueue (NamedQueue::arn) services(purge_queue);
        Changes DeleteQueue (NamedQueue::arn) services(delete_queue);
    }
}

requests! {
    struct ListQueues {
        queue_name_prefix: Option<String>,
        max_results: Option<usize>,
        next_token: Option<String>,
    }
    struct GetQueueUrl {
        queue_name: String,
        #[serde(rename = "QueueOwnerAWSAccountId")]
        owner: Option<String>,
    }
    struct GetQueueAttributes {
        queue_url: String,
        #[serde(default)]
        attribute_names: Vec<String>,
    }
    struct SetQueueAttributes {
        queue_url: String,
        #[serde(default)]
        attributes: BTreeMap<String, Value>,
    }
    struct SendMessage { queue_url: String, message_body: String }
    struct ReceiveMessage {
        queue_url: String,
        #[serde(default)]
        attribute_names: Vec<String>,
        #[serde(default)]
        message_system_attribute_names: Vec<String>,
        #[serde(default)]
        message_attribute_names: Vec<String>,
        max_number_of_messages: Option<usize>,
        visibility_timeout: Option<i64>,
        _wait_time_seconds: Option<i64>,
    }
    struct DeleteMessage { queue_url: String, receipt_handle: String }
    struct DeleteMessageBatch { queue_url: String, entries: Vec<BatchEntry> }
    struct BatchEntry { id: String, receipt_handle: String }
    /// A request that only names a queue.
    struct NamedQueue, ListQueueTags, PurgeQueue, DeleteQueue { queue_url: String }
}

fn on(caller: &Caller, url: &str) -> String {
    let (account, region) = (&caller.account, &caller.region);
    format!("arn:aws:sqs:{region}:{account}:{}", short(url))
}

impl NamedQueue {
    fn arn(&self, caller: &Caller) -> String {
        on(caller, &self.queue_url)
    }
}

fn no_queue() -> ApiError {
    ApiError::new("QueueDoesNotExist", "The specified queue does not exist.")
}

/// The ARN of the queue at a URL, if the caller may perform `action` on it.
fn permitted(
    services: &Services,
    caller: &Caller,
    url: &str,
    action: &str,
) -> Result<String, ApiError> {
    let queue = services
        .sqs
        .queue(&caller.region, url)
        .filter(|queue| queue.region == caller.region)
        .ok_or_else(no_queue)?;
    if queue.account != caller.account {
        let context = policy::Context::new();
        let context = iam::organization_context(&services.organization, &caller.account, context);
        let request = Request::new(iam::principal(caller), action, &queue.arn, context);
        let policy = queue.policy.as_ref();
        let allows =
            |policy: &policy::Document| matches!(policy.decide(&request), Decision::Allow { .. });
        if !policy.is_some_and(|(_, policy)| allows(policy)) {
            return Err(ApiError::denied(caller, action, &queue.arn));
        }
    }
    Ok(queue.arn.clone())
}

/// Authorizes and performs an action on a queue, then schedules the evaluation of its alarms.
fn on_queue(
    services: &mut Services,
    caller: &Caller,
    (url, action): (&str, &str),
    answer: impl FnOnce(&mut Queue, &mut Environment) -> Answer,
) -> Answer {
    let arn = permitted(services, caller, url, action)?;
    let queue = services.sqs.queues.get_mut(&arn).ok_or_else(no_queue)?;
    queue.expire(services.environment.now);
    let answer = answer(queue, &mut services.environment)?;
    monitoring::queue_changed(services, &arn);
    Ok(answer)
}

fn list_queues(request: ListQueues, sqs: &mut Sqs, context: &mut Context<'_>) -> Answer {
    let caller = context.caller;
    let prefix = request.queue_name_prefix.unwrap_or_default();
    let urls = sqs
        .queues
        .values()
        .filter(|queue| queue.account == caller.account && queue.region == caller.region)
        .filter(|queue| queue.name.starts_with(&prefix))
        .map(|queue| json!(queue.url))
        .collect();
    let size = request.max_results.unwrap_or(PAGE);
    listing("QueueUrls", urls, request.next_token.as_deref(), size)
}

fn get_queue_url(request: GetQueueUrl, sqs: &mut Sqs, context: &mut Context<'_>) -> Answer {
    let Caller {
        account, region, ..
    } = context.caller;
    let owner = request.owner.as_ref().unwrap_or(account);
    let arn = format!("arn:aws:sqs:{region}:{owner}:{}", request.queue_name);
    let queue = sqs.queues.get(&arn).ok_or_else(no_queue)?;
    Ok(json!({"QueueUrl": queue.url}))
}

fn get_queue_attributes(
    request: GetQueueAttributes,
    services: &mut Services,
    caller: &Caller,
) -> Answer {
    let call = (request.queue_url.as_str(), "sqs:GetQueueAttributes");
    on_queue(services, caller, call, |queue, environment| {
        let mut attributes = attributes(queue, environment.now);
        attributes.retain(|name, _| is_wanted(&request.attribute_names, name));
        Ok(json!({"Attributes": attributes}))
    })
}

/// Whether a list of attribute names includes `name` or `All`.
fn is_wanted(wanted: &[String], name: &str) -> bool {
    wanted
        .iter()
        .any(|wanted| wanted == "All" || wanted == name)
}

fn attributes(queue: &Queue, now: jiff::Timestamp) -> BTreeMap<&'static str, String> {
    let mut all = BTreeMap::new();
    let others = ["KmsMasterKeyId", "SqsManagedSseEnabled", "RedrivePolicy"];
    let defaults = NUMBERS.iter().map(|number| (number.name, number.default));
    for (name, default) in defaults.chain(others.map(|name| (name, None))) {
        let value = queue.properties.get(name).map(json_text);
        if let Some(value) = value.or_else(|| default.map(|value| value.to_string())) {
            all.insert(name, value);
        }
    }
    all.entry("SqsManagedSseEnabled")
        .or_insert_with(|| (!queue.properties.contains_key("KmsMasterKeyId")).to_string());
    if let Some((written, _)) = &queue.policy {
        all.insert("Policy", json_text(written));
    }
    let visible = queue.messages.iter().filter(|it| it.visible(now)).count();
    let hidden = queue.messages.len() - visible;
    let created = queue.created.as_second().to_string();
    all.extend([
        ("QueueArn", queue.arn.clone()),
        ("CreatedTimestamp", created.clone()),
        ("LastModifiedTimestamp", created),
        ("ApproximateNumberOfMessages", visible.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", hidden.to_string()),
        ("ApproximateNumberOfMessagesDelayed", "0".to_owned()),
    ]);
    all
}

fn set_queue_attributes(
    request: SetQueueAttributes,
    services: &mut Services,
    caller: &Caller,
) -> Answer {
    let call = (request.queue_url.as_str(), "sqs:SetQueueAttributes");
    on_queue(services, caller, call, |queue, _| {
        let mut properties = queue.properties.clone();
        let mut policy = queue.policy.clone();
        for (name, value) in &request.attributes {
            let text = value.as_str().unwrap_or_default();
            if name == "Policy" {
                policy = match text {
                    "" => None,
                    text => {
                        let written = serde_json::from_str(text).map_err(|_| invalid(name))?;
                        let document = parse_policy(&written)?;
                        Some((written, document))
                    }
                };
            } else {
                set_attribute(&mut properties, name, text)?;
            }
        }
        check(&properties)?;
        queue.properties = properties;
        queue.policy = policy;
        Ok(json!({}))
    })
}

fn set_attribute(
    properties: &mut Map<String, Value>,
    name: &str,
    text: &str,
) -> Result<(), ApiError> {
    let parsed = match name {
        "KmsMasterKeyId" if text.is_empty() => {
            properties.remove(name);
            return Ok(());
        }
        "KmsMasterKeyId" => Ok(json!(text)),
        "SqsManagedSseEnabled" => text.parse().map(Value::Bool).map_err(|_| invalid(name)),
        "RedrivePolicy" | "RedriveAllowPolicy" => {
            serde_json::from_str(text).map_err(|_| invalid(name))
        }
        _ if NUMBERS.iter().any(|number| number.name == name) => {
            let number = text.parse::<i64>();
            number.map(Value::from).map_err(|_| invalid(name))
        }
        _ => Err(ApiError::new(
            "InvalidAttributeName",
            format!("Unknown Attribute {name}."),
        )),
    };
    properties.insert(name.to_owned(), parsed?);
    Ok(())
}

fn list_queue_tags(request: ListQueueTags, services: &mut Services, caller: &Caller) -> Answer {
    let call = (request.queue_url.as_str(), "sqs:ListQueueTags");
    on_queue(services, caller, call, |queue, _| {
        let list = tags(&queue.properties);
        let pair = |tag: &Value| {
            let key = tag.get("Key")?.as_str()?.to_owned();
            Some((key, tag.get("Value")?.clone()))
        };
        let tags: Map<String, Value> = list
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(pair)
            .collect();
        Ok(json!({"Tags": tags}))
    })
}

fn send_message(request: SendMessage, services: &mut Services, caller: &Caller) -> Answer {
    let call = (request.queue_url.as_str(), "sqs:SendMessage");
    on_queue(services, caller, call, |queue, environment| {
        let md5 = md5_of(&request.message_body);
        let id = queue.push(environment, request.message_body, BTreeMap::new());
        Ok(json!({"MessageId": id, "MD5OfMessageBody": md5}))
    })
}

fn receive_message(
    mut request: ReceiveMessage,
    services: &mut Services,
    caller: &Caller,
) -> Answer {
    let system = &mut request.message_system_attribute_names;
    system.append(&mut request.attribute_names);
    let call = (request.queue_url.as_str(), "sqs:ReceiveMessage");
    on_queue(services, caller, call, |queue, environment| {
        let now = environment.now;
        let limit = request.max_number_of_messages.unwrap_or(1);
        if !(1..=10).contains(&limit) {
            return Err(ApiError::new(
                "InvalidParameterValue",
                "Value for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
            ));
        }
        let own = queue.properties.get("VisibilityTimeout");
        let timeout = request.visibility_timeout.or_else(|| own?.as_i64());
        let timeout = jiff::SignedDuration::from_secs(timeout.unwrap_or(30));
        let until = now.checked_add(timeout).unwrap_or(now);
        let visible = queue.messages.iter_mut().filter(|it| it.visible(now));
        let messages: Vec<Value> = visible
            .take(limit)
            .map(|message| {
                message.received += 1;
                message.hidden_until = Some(until);
                describe(message, &request, now)
            })
            .collect();
        Ok(json!({"Messages": messages}))
    })
}

fn describe(message: &Message, request: &ReceiveMessage, now: jiff::Timestamp) -> Value {
    let sent = message.sent.as_millisecond().to_string();
    let system: Map<String, Value> = [
        ("SentTimestamp", sent),
        ("ApproximateReceiveCount", message.received.to_string()),
        (
            "ApproximateFirstReceiveTimestamp",
            now.as_millisecond().to_string(),
        ),
    ]
    .into_iter()
    .filter(|(name, _)| is_wanted(&request.message_system_attribute_names, name))
    .map(|(name, value)| (name.to_owned(), json!(value)))
    .collect();
    let wanted = &request.message_attribute_names;
    let everything = wanted.iter().any(|name| name == ".*");
    let attributes: Map<String, Value> = message
        .attributes
        .iter()
        .filter(|(name, _)| everything || is_wanted(wanted, name))
        .map(|(name, value)| {
            let value = json!({"DataType": "String", "StringValue": value});
            (name.clone(), value)
        })
        .collect();
    let unless_empty = |chosen: Map<String, Value>| (!chosen.is_empty()).then(|| chosen.into());
    with(
        json!({
            "MessageId": message.id, "ReceiptHandle": message.id,
            "Body": message.body, "MD5OfBody": md5_of(&message.body),
        }),
        [
            ("Attributes", unless_empty(system)),
            ("MessageAttributes", unless_empty(attributes)),
        ],
    )
}

fn delete_message(request: DeleteMessage, services: &mut Services, caller: &Caller) -> Answer {
    let call = (request.queue_url.as_str(), "sqs:DeleteMessage");
    on_queue(services, caller, call, |queue, _| {
        queue
            .messages
            .retain(|message| message.id != request.receipt_handle);
        Ok(json!({}))
    })
}

/// IAM knows no action of this name: it asks for `sqs:DeleteMessage`.
fn delete_message_batch(
    request: DeleteMessageBatch,
    services: &mut Services,
    caller: &Caller,
) -> Answer {
    let ids: BTreeSet<&str> = request.entries.iter().map(|it| it.id.as_str()).collect();
    if !(1..=10).contains(&request.entries.len()) {
        return Err(ApiError::new(
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            "A batch has 1 to 10 entries.",
        ));
    }
    if ids.len() < request.entries.len() {
        return Err(ApiError::new(
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            "Two entries of the batch have the same id.",
        ));
    }
    let call = (request.queue_url.as_str(), "sqs:DeleteMessage");
    authorize(services, caller, call.1, &on(caller, call.0))?;
    on_queue(services, caller, call, |queue, _| {
        let is_listed = |message: &Message| {
            let mut entries = request.entries.iter();
            entries.any(|entry| entry.receipt_handle == message.id)
        };
        queue.messages.retain(|message| !is_listed(message));
        let ids = request.entries.iter().map(|entry| json!({"Id": entry.id}));
        Ok(json!({"Successful": ids.collect::<Vec<_>>(), "Failed": []}))
    })
}

fn purge_queue(request: PurgeQueue, services: &mut Services, caller: &Caller) -> Answer {
    let call = (request.queue_url.as_str(), "sqs:PurgeQueue");
    on_queue(services, caller, call, |queue, _| {
        queue.messages.clear();
        Ok(json!({}))
    })
}

fn delete_queue(request: DeleteQueue, services: &mut Services, caller: &Caller) -> Answer {
    let arn = permitted(services, caller, &request.queue_url, "sqs:DeleteQueue")?;
    services.sqs.queues.remove(&arn);
    Ok(json!({}))
}
