//! Amazon SNS: topics, their policies and subscriptions, and the inbox where deliveries end.

mod api;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub(crate) use api::call;

use super::arn::{is_queue_or_topic_name, short};
use super::{Delivery, Hop, Outcome, Task, Trace, iam, json_text, kms, monitoring, sqs};
use crate::api::ApiError;
use crate::clock::iso;
use crate::policy::{self, Context, Decision, Document, Kind, Named, Principal, Request, Verdict};
use crate::services::Services;

/// The service's principal.
const SERVICE: &str = "sns.amazonaws.com";

/// How long a simulated recipient takes to confirm, in virtual seconds.
const CONFIRMATION_SECONDS: i64 = 30;

/// The largest message, in bytes.
const MESSAGE_LIMIT: usize = 262_144;

/// All topics and subscriptions, and what was delivered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sns {
    /// By topic ARN.
    pub(crate) topics: BTreeMap<String, Topic>,
    /// By subscription ARN.
    pub(crate) subscriptions: BTreeMap<String, Subscription>,
    /// Every delivery since the inbox was last cleared.
    pub(crate) inbox: Vec<Delivery>,
}

/// One topic.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) arn: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
    /// Template shape of `AWS::SNS::Topic`, without `Subscription`.
    pub(crate) properties: Map<String, Value>,
    /// As written.
    pub(crate) policy: Value,
    pub(crate) document: Document,
}

/// One subscription.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) arn: String,
    pub(crate) topic: String,
    pub(crate) owner: String,
    pub(crate) protocol: String,
    pub(crate) endpoint: String,
    /// Template shape of `AWS::SNS::Subscription`.
    pub(crate) properties: Map<String, Value>,
    pub(crate) confirmed: bool,
    pub(crate) token: String,
}

/// The policy a topic is born with: its own account may do everything.
pub(crate) fn default_policy(arn: &str, account: &str) -> Value {
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": [
                "SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission",
                "SNS:RemovePermission", "SNS:DeleteTopic", "SNS:Subscribe",
                "SNS:ListSubscriptionsByTopic", "SNS:Publish",
            ],
            "Resource": arn,
            "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
        }],
    })
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(
        "InvalidParameter",
        format!("Invalid parameter: {}", message.into()),
    )
}

pub(crate) fn no_topic() -> ApiError {
    ApiError::new("NotFound", "Topic does not exist").status(404)
}

/// Parses a topic policy.
pub(crate) fn parse_policy(value: &Value) -> Result<Document, ApiError> {
    let document = Document::parse(value, Kind::Resource)
        .and_then(|document| document.within("sns"))
        .map_err(|error| invalid(format!("Policy statement: {error}")))?;
    Ok(document)
}

/// Creates a topic from template-shaped properties and gives its ARN.
pub(crate) fn create_topic(
    services: &mut Services,
    account: &str,
    region: &str,
    name: &str,
    properties: Map<String, Value>,
) -> Result<String, ApiError> {
    if !is_queue_or_topic_name(name, 256) {
        return Err(invalid("Topic Name"));
    }
    let arn = format!("arn:aws:sns:{region}:{account}:{name}");
    if services.sns.topics.contains_key(&arn) {
        return Err(ApiError::new(
            "TopicAlreadyExists",
            format!("Topic {name} already exists"),
        ));
    }
    let policy = default_policy(&arn, account);
    let document = parse_policy(&policy)?;
    let topic = Topic {
        arn: arn.clone(),
        account: account.to_owned(),
        region: region.to_owned(),
        name: name.to_owned(),
        properties,
        policy,
        document,
    };
    services.sns.topics.insert(arn.clone(), topic);
    Ok(arn)
}

/// Deletes a topic with its subscriptions.
pub(crate) fn delete_topic(services: &mut Services, arn: &str) {
    let sns = &mut services.sns;
    sns.topics.remove(arn);
    sns.subscriptions
        .retain(|_, subscription| subscription.topic != arn);
}

/// Subscribes an endpoint. Queues of the same account are confirmed at once; people and web
/// servers have to confirm, which a simulated recipient does after a while if the simulator is so
/// configured.
pub(crate) fn subscribe(
    services: &mut Services,
    owner: &str,
    topic_arn: &str,
    properties: Map<String, Value>,
) -> Result<String, ApiError> {
    let topic = services.sns.topics.get(topic_arn).ok_or_else(no_topic)?;
    let text = |name: &str| {
        properties
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (protocol, endpoint) = (text("Protocol").to_owned(), text("Endpoint").to_owned());
    let good = match protocol.as_str() {
        "email" | "email-json" => endpoint.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && host.contains('.') && !host.contains('@')
        }),
        "https" => endpoint.starts_with("https://"),
        "http" => endpoint.starts_with("http://"),
        "sqs" => sqs::is_queue_arn(&endpoint),
        _ => {
            return Err(invalid(format!(
                "Protocol: the simulator does not deliver by {protocol:?}"
            )));
        }
    };
    if !good {
        return Err(invalid(format!(
            "Endpoint: {endpoint:?} is not an address for {protocol}"
        )));
    }
    check_filter(&properties)?;
    let confirmed = if protocol == "sqs" {
        let Some(queue) = services.sqs.queues.get(&endpoint) else {
            return Err(invalid(format!(
                "SQS endpoint ARN: the queue {endpoint} does not exist"
            )));
        };
        queue.account == owner && topic.account == owner
    } else {
        false
    };
    let existing = services.sns.subscriptions.values().find(|subscription| {
        subscription.topic == topic_arn
            && subscription.protocol == protocol
            && subscription.endpoint == endpoint
    });
    if let Some(existing) = existing {
        return Ok(existing.arn.clone());
    }
    let arn = format!("{topic_arn}:{}", services.environment.uuid());
    let token = services.environment.uuid().replace('-', "");
    services.sns.subscriptions.insert(
        arn.clone(),
        Subscription {
            arn: arn.clone(),
            topic: topic_arn.to_owned(),
            owner: owner.to_owned(),
            protocol,
            endpoint,
            properties,
            confirmed,
            token,
        },
    );
    if !confirmed && services.environment.confirm_subscriptions {
        let subscription = arn.clone();
        services.environment.schedule(
            CONFIRMATION_SECONDS,
            Task::ConfirmSubscription { subscription },
        );
    }
    Ok(arn)
}

/// Checks a subscription's filter policy.
pub(crate) fn check_filter(properties: &Map<String, Value>) -> Result<(), ApiError> {
    match properties.get("FilterPolicyScope").and_then(Value::as_str) {
        None | Some("MessageAttributes" | "MessageBody") => {}
        Some(other) => return Err(invalid(format!("FilterPolicyScope: {other}"))),
    }
    if let Some(filter) = properties.get("FilterPolicy") {
        eventbridge_pattern::Pattern::parse(&json_text(filter))
            .map_err(|error| invalid(format!("FilterPolicy: {}", error.message)))?;
    }
    Ok(())
}

/// The recipient clicks the link.
pub(crate) fn confirm(services: &mut Services, arn: &str) {
    if let Some(subscription) = services.sns.subscriptions.get_mut(arn) {
        subscription.confirmed = true;
    }
}

/// Who publishes, and on whose behalf.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    pub(crate) principal: Principal,
    pub(crate) context: Context,
}

/// Whether a publisher may publish to a topic; the verdict's reason names the policy.
pub(crate) fn may_publish(
    services: &Services,
    topic: &Topic,
    publisher: &Publisher,
) -> (String, Verdict) {
    let link = format!("topic policy of {}", topic.name);
    let request = Request::new(
        publisher.principal.clone(),
        "sns:Publish",
        &topic.arn,
        publisher.context.clone(),
    );
    let verdict = match &publisher.principal {
        Principal::Service(_) => match topic.document.decide(&request) {
            Decision::Allow { by, .. } => Verdict::allow(format!("{by} allows it")),
            Decision::Deny { by } => Verdict::deny(format!("{by} denies {}", publisher.principal)),
            Decision::Silent { because } => Verdict::deny(format!(
                "it does not allow {} sns:Publish: {because}",
                publisher.principal
            )),
        },
        Principal::Role(role) => {
            let identity = iam::identity(services, role, &request);
            let named = Named {
                name: link.clone(),
                document: &topic.document,
            };
            let verdict = policy::combine(&request, &topic.account, &identity, Some(&named));
            let refused = matches!(topic.document.decide(&request), Decision::Deny { .. });
            if !verdict.allowed && !identity.allowed && !refused {
                return (format!("role {}", short(role)), verdict);
            }
            verdict
        }
        Principal::Account(_) => {
            let named = Named {
                name: link.clone(),
                document: &topic.document,
            };
            let own = Verdict::allow("the account's administrator may");
            policy::combine(&request, &topic.account, &own, Some(&named))
        }
    };
    (link, verdict)
}

/// Publishes a message: checks the topic's policy and key, then delivers to every subscription.
/// Every step goes into the trace; the error is the reason why the topic did not take the message.
pub(crate) fn publish(
    services: &mut Services,
    topic_arn: &str,
    publisher: &Publisher,
    message: &str,
    trace: &mut Trace,
) -> Result<String, Refusal> {
    let Some(topic) = services.sns.topics.get(topic_arn).cloned() else {
        return Err(Refusal::missing(
            format!("the topic {topic_arn} does not exist"),
            &format!("topic {}", short(topic_arn)),
        ));
    };
    let mut passed = |link: &str, verdict: Verdict| {
        let place = (topic.account.as_str(), topic.region.as_str());
        trace
            .hops
            .push(Hop::new(place, link, Outcome::Ok, verdict.reason));
    };
    let (link, verdict) = may_publish(services, &topic, publisher);
    if !verdict.allowed {
        return Err(Refusal::denied(verdict.reason, &link));
    }
    passed(&link, verdict);
    if let Some(verdict) = kms::may_encrypt(
        services,
        topic.properties.get("KmsMasterKeyId"),
        (&topic.account, &topic.region),
        &publisher.principal,
        &publisher.context,
    ) {
        if !verdict.allowed {
            return Err(Refusal::denied(verdict.reason, "key policy"));
        }
        passed("key policy", verdict);
    }
    if message.is_empty() || message.len() > MESSAGE_LIMIT {
        return Err(Refusal::new(
            "SDK_CLIENT_ERROR",
            format!(
                "the message has {} bytes; SNS takes 1 to {MESSAGE_LIMIT}",
                message.len()
            ),
            &format!("topic {}", topic.name),
            Outcome::Failed,
        ));
    }
    let id = services.environment.uuid();
    let subscriptions: Vec<Subscription> = services
        .sns
        .subscriptions
        .values()
        .filter(|subscription| subscription.topic == topic.arn)
        .cloned()
        .collect();
    if subscriptions.is_empty() {
        trace.hops.push(Hop::new(
            (&topic.account, &topic.region),
            format!("topic {}", topic.name),
            Outcome::Dropped,
            "nobody is subscribed to the topic",
        ));
    }
    for subscription in &subscriptions {
        deliver(services, &topic, subscription, &id, message, trace);
    }
    Ok(id)
}

/// Why a topic did not take a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// `EventBridge`'s `ERROR_CODE` for it.
    pub(crate) code: String,
    pub(crate) reason: String,
    /// The link of the chain at fault.
    pub(crate) link: String,
    pub(crate) outcome: Outcome,
}

impl Refusal {
    /// A policy is in the way.
    pub(crate) fn denied(reason: impl Into<String>, link: &str) -> Refusal {
        Refusal::new("NO_PERMISSIONS", reason, link, Outcome::Denied)
    }

    /// What was to take the message is not there.
    pub(crate) fn missing(reason: impl Into<String>, link: &str) -> Refusal {
        Refusal::new("NO_RESOURCE", reason, link, Outcome::Failed)
    }

    pub(crate) fn new(
        code: &str,
        reason: impl Into<String>,
        link: &str,
        outcome: Outcome,
    ) -> Refusal {
        Refusal {
            code: code.to_owned(),
            reason: reason.into(),
            link: link.to_owned(),
            outcome,
        }
    }
}

fn deliver(
    services: &mut Services,
    topic: &Topic,
    subscription: &Subscription,
    id: &str,
    message: &str,
    trace: &mut Trace,
) {
    let now = iso(services.environment.now);
    let (outcome, detail, body) = attempt(services, topic, subscription, id, message, &now);
    let hop = |link: String, outcome, detail| {
        Hop::new((&topic.account, &topic.region), link, outcome, detail)
    };
    let link = format!("subscription {}", subscription.endpoint);
    trace.hops.push(hop(link, outcome, detail));
    if let Some(body) = body {
        let delivery = Delivery {
            at: now,
            topic_arn: topic.arn.clone(),
            protocol: subscription.protocol.clone(),
            endpoint: subscription.endpoint.clone(),
            body,
        };
        services.sns.inbox.push(delivery.clone());
        trace.deliveries.push(delivery);
        return;
    }
    let letters = subscription
        .properties
        .get("RedrivePolicy")
        .and_then(|policy| policy.get("deadLetterTargetArn"))
        .and_then(Value::as_str);
    if let (Outcome::Denied | Outcome::Failed, Some(letters)) = (outcome, letters) {
        let link = format!("dead letters {}", short(letters));
        let verdict = sqs::service_may_send(services, letters, SERVICE, source(topic));
        trace.hops.push(if verdict.allowed {
            sqs::send(services, letters, message.to_owned(), BTreeMap::new());
            monitoring::queue_changed(services, letters);
            hop(link, Outcome::Ok, "kept as a dead letter".to_owned())
        } else {
            let detail = format!("{}: the message is lost", verdict.reason);
            hop(link, Outcome::Denied, detail)
        });
    }
}

/// The condition keys SNS brings when it sends to a queue.
fn source(topic: &Topic) -> Context {
    Context::new()
        .with("aws:SourceArn", topic.arn.as_str())
        .with("aws:SourceAccount", topic.account.as_str())
}

fn attempt(
    services: &mut Services,
    topic: &Topic,
    subscription: &Subscription,
    id: &str,
    message: &str,
    now: &str,
) -> (Outcome, String, Option<String>) {
    if !subscription.confirmed {
        let detail = "the subscription was never confirmed; nothing is delivered to it";
        return (Outcome::Dropped, detail.to_owned(), None);
    }
    if let Some(filter) = subscription.properties.get("FilterPolicy") {
        let body_scope =
            subscription.properties.get("FilterPolicyScope") == Some(&json!("MessageBody"));
        let passes = body_scope
            && eventbridge_pattern::Pattern::parse(&json_text(filter)).is_ok_and(|filter| {
                eventbridge_pattern::Event::parse(message).is_ok_and(|event| filter.matches(&event))
            });
        if !passes {
            let detail = "the subscription's filter policy does not let this message through";
            return (Outcome::Dropped, detail.to_owned(), None);
        }
    }
    let raw = subscription.properties.get("RawMessageDelivery") == Some(&Value::Bool(true));
    let body = match subscription.protocol.as_str() {
        "email" => message.to_owned(),
        _ if raw => message.to_owned(),
        _ => json!({
            "Type": "Notification",
            "MessageId": id,
            "TopicArn": topic.arn,
            "Message": message,
            "Timestamp": now,
        })
        .to_string(),
    };
    if subscription.protocol != "sqs" {
        return (
            Outcome::Ok,
            format!("delivered by {}", subscription.protocol),
            Some(body),
        );
    }
    let verdict = sqs::service_may_send(services, &subscription.endpoint, SERVICE, source(topic));
    if !verdict.allowed {
        return (Outcome::Denied, verdict.reason, None);
    }
    sqs::send(
        services,
        &subscription.endpoint,
        body.clone(),
        BTreeMap::new(),
    );
    (Outcome::Ok, "delivered to the queue".to_owned(), Some(body))
}
