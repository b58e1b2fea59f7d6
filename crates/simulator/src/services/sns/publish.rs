//! The way of a message from whoever publishes it to the subscribed endpoints.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Subscription, Topic};
use crate::policy::{self, Context, Decision, Named, Principal, Request, Verdict};
use crate::services::arn::short;
use crate::services::{
    Delivery, Hop, Outcome, Services, Trace, iam, json_text, kms, monitoring, sqs,
};
use crate::wire::time::iso;

/// The service's principal.
const SERVICE: &str = "sns.amazonaws.com";

/// The largest message, in bytes.
const MESSAGE_LIMIT: usize = 262_144;

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
    let subscriptions: Vec<Subscription> =
        services.sns.subscriptions_of(&topic.arn).cloned().collect();
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
