//! Publishing: authorizes the publisher and delivers to all subscriptions.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use eventbridge_pattern::Event;
use serde_json::{Value, json};

use super::{Filter, Subscription, Topic};
use crate::arn::short;
use crate::environment::Surprise;
use crate::monitoring::Counted;
use crate::policy::{self, Context, Decision, Named, Principal, Request, Verdict};
use crate::wire::time::iso;
use crate::{Delivery, Hop, Outcome, Services, Trace, iam, kms, monitoring, sqs};

/// The service principal in policies.
const SERVICE: &str = "sns.amazonaws.com";

/// Maximum message size in bytes.
const MESSAGE_LIMIT: usize = 262_144;

/// The publishing principal and its condition keys.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    pub(crate) principal: Principal,
    /// For the topic's policy.
    pub(crate) context: Context,
    /// For the policy of the topic's key.
    pub(crate) key_context: Context,
}

impl Publisher {
    /// A publisher with the same condition keys for topic and key.
    pub(crate) fn new(principal: Principal, context: Context) -> Publisher {
        Publisher {
            principal,
            key_context: context.clone(),
            context,
        }
    }
}

/// Whether a publisher may publish to a topic, with the link that decided.
fn may_publish(services: &Services, topic: &Topic, publisher: &Publisher) -> (String, Verdict) {
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
/// Records all steps in the trace; the error is the topic's refusal.
pub(crate) fn publish(
    services: &mut Services,
    topic_arn: &str,
    publisher: &Publisher,
    message: &str,
    trace: &mut Trace,
) -> Result<String, Refusal> {
    accept(services, topic_arn, publisher, message, trace)?;
    let id = services.environment.uuid();
    for delivery in deliveries(services, topic_arn, &id, message, trace) {
        delivery.carry_out(services, message, trace);
    }
    Ok(id)
}

/// Checks that the topic accepts the message.
fn accept(
    services: &Services,
    topic_arn: &str,
    publisher: &Publisher,
    message: &str,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let Some(topic) = services.sns.topics.get(topic_arn) else {
        return Err(Refusal::missing(
            format!("the topic {topic_arn} does not exist"),
            &format!("topic {}", short(topic_arn)),
        ));
    };
    let location = (topic.account.as_str(), topic.region.as_str());
    let mut check = |link: &str, verdict: Verdict| {
        if !verdict.allowed {
            return Err(Refusal::denied(verdict.reason, link));
        }
        let hop = Hop::new(location, link, Outcome::Ok, verdict.reason);
        trace.hops.push(hop);
        Ok(())
    };
    let (link, verdict) = may_publish(services, topic, publisher);
    check(&link, verdict)?;
    let key = topic.properties.get("KmsMasterKeyId");
    let (principal, context) = (&publisher.principal, &publisher.key_context);
    if let Some(verdict) = kms::may_encrypt(services, key, location, principal, context) {
        check("key policy", verdict)?;
    }
    if let Some(reason) = topic.data_protection_denies("Inbound") {
        let link = format!("data protection policy of {}", topic.name);
        return Err(Refusal::denied(reason, &link));
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
    Ok(())
}

/// Why a topic refused a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The `ERROR_CODE` attribute of `EventBridge` dead letters.
    pub(crate) code: String,
    pub(crate) reason: String,
    /// The link at fault.
    pub(crate) link: String,
    pub(crate) outcome: Outcome,
}

impl Refusal {
    /// A policy denied the message.
    pub(crate) fn denied(reason: impl Into<String>, link: &str) -> Refusal {
        Refusal::new("NO_PERMISSIONS", reason, link, Outcome::Denied)
    }

    /// The destination doesn't exist.
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

/// A delivery to one subscription, decided but not performed.
struct Planned {
    /// The topic's name.
    topic: String,
    hop: Hop,
    /// The delivered message; `None` if the endpoint gets nothing.
    delivery: Option<Delivery>,
    /// The dead-letter queue if delivery failed, and whether SNS may send to it.
    dead_letters: Option<(String, Verdict)>,
}

/// Decides for every subscription of a topic whether it gets a message. Changes nothing, so that
/// topic, subscriptions and queues can be borrowed rather than copied.
fn deliveries(
    services: &Services,
    topic_arn: &str,
    id: &str,
    message: &str,
    trace: &mut Trace,
) -> Vec<Planned> {
    let Some(topic) = services.sns.topics.get(topic_arn) else {
        return Vec::new();
    };
    let event = LazyCell::new(|| Event::parse(message).ok());
    let sending = Sending {
        services,
        topic,
        id,
        message,
        event: &event,
        now: iso(services.environment.now),
    };
    let planned: Vec<Planned> = services
        .sns
        .subscriptions_of(topic_arn)
        .map(|subscription| sending.plan(subscription))
        .collect();
    if planned.is_empty() {
        trace.hops.push(Hop::new(
            (&topic.account, &topic.region),
            format!("topic {}", topic.name),
            Outcome::Dropped,
            "the topic has no subscriptions",
        ));
    }
    planned
}

/// A message and its topic.
struct Sending<'a, F> {
    services: &'a Services,
    topic: &'a Topic,
    id: &'a str,
    message: &'a str,
    /// Parsed on demand for filters; `None` if the message isn't an event.
    event: &'a LazyCell<Option<Event>, F>,
    now: String,
}

impl<F: FnOnce() -> Option<Event>> Sending<'_, F> {
    fn plan(&self, subscription: &Subscription) -> Planned {
        let (outcome, detail) = self.attempt(subscription);
        let delivery = (outcome == Outcome::Ok).then(|| Delivery {
            at: self.now.clone(),
            topic_arn: self.topic.arn.clone(),
            protocol: subscription.protocol.clone(),
            endpoint: subscription.endpoint.clone(),
            body: self.body(subscription),
        });
        let queue = subscription
            .properties
            .get("RedrivePolicy")
            .and_then(|policy| policy.get("deadLetterTargetArn"))
            .and_then(Value::as_str)
            .filter(|_| matches!(outcome, Outcome::Denied | Outcome::Failed));
        Planned {
            topic: self.topic.name.clone(),
            hop: Hop::new(
                (&self.topic.account, &self.topic.region),
                format!("subscription {}", subscription.endpoint),
                outcome,
                detail,
            ),
            delivery,
            dead_letters: queue.map(|queue| (queue.to_owned(), self.may_send(queue))),
        }
    }

    fn attempt(&self, subscription: &Subscription) -> (Outcome, String) {
        if !subscription.confirmed {
            let detail = "the subscription was never confirmed; nothing is delivered to it";
            return (Outcome::Dropped, detail.to_owned());
        }
        if let Some(reason) = self.topic.data_protection_denies("Outbound") {
            return (Outcome::Denied, reason);
        }
        let passes = match &subscription.filter {
            None => true,
            Some(Filter::Attributes) => false,
            // If the matcher's limit is exceeded, the message is delivered: a false alert is better
            // than a lost one.
            Some(Filter::Body(filter)) => {
                let event = (**self.event).as_ref();
                event.is_some_and(|event| filter.matches(event).unwrap_or(true))
            }
        };
        if !passes {
            let detail = "the subscription's filter policy does not let this message through";
            return (Outcome::Dropped, detail.to_owned());
        }
        if subscription.protocol != "sqs" {
            let detail = format!("delivered by {}", subscription.protocol);
            return (Outcome::Ok, detail);
        }
        let verdict = self.may_send(&subscription.endpoint);
        if verdict.allowed {
            (Outcome::Ok, "delivered to the queue".to_owned())
        } else {
            (Outcome::Denied, verdict.reason)
        }
    }

    fn body(&self, subscription: &Subscription) -> String {
        let raw = subscription.properties.get("RawMessageDelivery") == Some(&Value::Bool(true));
        if raw || subscription.protocol == "email" {
            return self.message.to_owned();
        }
        json!({
            "Type": "Notification",
            "MessageId": self.id,
            "TopicArn": self.topic.arn,
            "Message": self.message,
            "Timestamp": self.now,
        })
        .to_string()
    }

    /// Whether SNS may send to a queue.
    fn may_send(&self, queue: &str) -> Verdict {
        let is_managed = self.services.sqs.queues.get(queue).is_some_and(|it| {
            it.properties.get("SqsManagedSseEnabled") == Some(&Value::Bool(true))
        });
        let environment = &self.services.environment;
        if is_managed && environment.surprises(Surprise::QueuesRefuseTopics) {
            return Verdict::deny("SNS cannot use the key of a queue with SSE-SQS");
        }
        let context = Context::new()
            .with("aws:SourceArn", self.topic.arn.as_str())
            .with("aws:SourceAccount", self.topic.account.as_str());
        sqs::service_may_send(self.services, queue, SERVICE, self.message.len(), context)
    }
}

impl Planned {
    fn carry_out(self, services: &mut Services, message: &str, trace: &mut Trace) {
        let (account, region) = (self.hop.account.clone(), self.hop.region.clone());
        let metric = match self.hop.outcome {
            Outcome::Ok => Some("NumberOfNotificationsDelivered"),
            Outcome::Denied | Outcome::Failed => Some("NumberOfNotificationsFailed"),
            Outcome::Dropped => None,
        };
        if let Some(metric) = metric {
            let counted = Counted::of_topic(metric, &self.topic);
            let now = services.environment.now;
            let location = (account.as_str(), region.as_str());
            services.monitoring.metrics.count(location, counted, now);
        }
        trace.hops.push(self.hop);
        if let Some(delivery) = self.delivery {
            if delivery.protocol == "sqs" {
                let body = delivery.body.clone();
                sqs::send(services, &delivery.endpoint, body, BTreeMap::new());
            }
            services.sns.inbox.push(delivery.clone());
            trace.deliveries.push(delivery);
        }
        if let Some((queue, verdict)) = self.dead_letters {
            let (outcome, detail) = if verdict.allowed {
                sqs::send(services, &queue, message.to_owned(), BTreeMap::new());
                monitoring::queue_changed(services, &queue);
                (Outcome::Ok, "kept as a dead letter".to_owned())
            } else {
                let detail = format!("{}: the message is lost", verdict.reason);
                (Outcome::Denied, detail)
            };
            let link = format!("dead letters {}", short(&queue));
            trace
                .hops
                .push(Hop::new((&account, &region), link, outcome, detail));
        }
    }
}
