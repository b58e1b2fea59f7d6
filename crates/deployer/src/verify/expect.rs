//! Computes the alerts that an event must cause, independently of the chain.

use compiler::Bundle;
use compiler::organization::Topology;
use eventbridge_pattern::Event;
use eventbridge_pattern::transformer::{InputTransformer, Reserved};
use rules::Rule;
use serde_json::Value;

use super::chain::Delivery;
use crate::ports::Location;

/// Placeholder for a timestamp that only the chain knows, with the length of a real one.
const SOME_TIME: &str = "0000-00-00T00:00:00Z";

/// An alert that must arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alert {
    /// Id of the rule that sends it.
    pub(crate) rule: String,
    /// Name of the topic on AWS.
    pub(crate) topic: String,
    /// Account and Region of the topic.
    pub(crate) location: Location,
    /// Such as `email`, `https` or `sqs`.
    pub(crate) protocol: &'static str,
    /// The e-mail address, URL or ARN of the subscriber.
    pub(crate) endpoint: String,
    /// The rendered message.
    pub(crate) text: String,
}

impl Alert {
    /// Whether the delivery went to this alert's subscriber.
    pub(crate) fn is_for(&self, delivery: &Delivery) -> bool {
        let location = format!(
            ":{}:{}:{}",
            self.location.region, self.location.account, self.topic
        );
        delivery.endpoint == self.endpoint
            && delivery.protocol == self.protocol
            && delivery.topic_arn.ends_with(&location)
    }

    /// Whether the delivery is this alert, text included.
    pub(crate) fn is(&self, delivery: &Delivery) -> bool {
        self.is_for(delivery) && same_text(&self.text, &message_of(delivery))
    }
}

/// The message of a delivery. An e-mail is the message itself; queues and URLs get it in SNS's
/// envelope, unless the subscription uses raw message delivery.
pub(crate) fn message_of(delivery: &Delivery) -> String {
    if delivery.protocol != "email"
        && let Ok(envelope) = delivery.body.parse::<Value>()
        && envelope.get("Type").and_then(Value::as_str) == Some("Notification")
        && let Some(message) = envelope.get("Message").and_then(Value::as_str)
    {
        return message.to_owned();
    }
    delivery.body.clone()
}

/// Whether the texts are equal, with the same timestamp in place of every [`SOME_TIME`].
fn same_text(expected: &str, actual: &str) -> bool {
    let Some((before, _)) = expected.split_once(SOME_TIME) else {
        return expected == actual;
    };
    let Some(time) = actual.get(before.len()..before.len() + SOME_TIME.len()) else {
        return false;
    };
    let shaped = time.bytes().zip(SOME_TIME.bytes()).all(|(found, like)| {
        if like == b'0' {
            found.is_ascii_digit()
        } else {
            found == like
        }
    });
    shaped && expected.replace(SOME_TIME, time) == actual
}

/// The event as emitted in a location.
pub(crate) fn at_location(event: &Value, location: &Location) -> Value {
    let mut event = event.clone();
    if let Some(map) = event.as_object_mut() {
        map.insert("account".into(), location.account.as_str().into());
        map.insert("region".into(), location.region.as_str().into());
    }
    event
}

/// The rules, with everything needed to compute their alerts.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    bundle: &'a Bundle,
    rules: Vec<(&'a Rule, Option<Result<InputTransformer, String>>)>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(bundle: &'a Bundle, rules: &'a [Rule]) -> Watch<'a> {
        let rules = rules
            .iter()
            .filter(|rule| rule.is_deployed())
            .map(|rule| {
                let transformer = rule.message.as_ref().map(|message| {
                    message
                        .transformer()
                        .map_err(|error| format!("the message of {}: {}", rule.id, error.message))
                });
                (rule, transformer)
            })
            .collect();
        Watch { bundle, rules }
    }

    /// The alerts that an event must cause. `emitted` is the event as the service emitted it, if
    /// the chain reports it; otherwise it is `sent` with its assigned id and a placeholder time.
    pub(crate) fn expected(
        &self,
        emitted: Option<&Value>,
        sent: &Value,
        location: &Location,
        id: &str,
    ) -> Result<Vec<Alert>, String> {
        let mut event = emitted.unwrap_or(sent).clone();
        if emitted.is_none()
            && let Some(map) = event.as_object_mut()
        {
            map.insert("id".into(), id.into());
            map.insert("time".into(), SOME_TIME.into());
        }
        let text = event.to_string();
        let flat = Event::parse(&text).map_err(|error| format!("the event is invalid: {error}"))?;
        let mut alerts = Vec::new();
        for (rule, transformer) in &self.rules {
            let matches = rule
                .pattern
                .matches(&flat)
                .map_err(|error| format!("rule {}: {error}", rule.id))?;
            if !matches {
                continue;
            }
            let Some(transformer) = transformer else {
                continue;
            };
            // Messages use the event's own fields; of the reserved variables only the rule's name
            // is known.
            let reserved = Reserved {
                rule_name: rule.id.clone(),
                ..Reserved::default()
            };
            let body = transformer
                .as_ref()
                .map_err(Clone::clone)?
                .render(&text, &reserved)
                .map_err(|error| format!("the message of {}: {error}", rule.id))?;
            alerts.extend(self.addressed(rule, location, &body));
        }
        Ok(alerts)
    }

    /// One alert per subscriber of every topic the rule notifies.
    fn addressed(&self, rule: &Rule, location: &Location, text: &str) -> Vec<Alert> {
        let organization = &self.bundle.organization;
        let location = match organization.topology {
            Topology::Hub => Location::new(&organization.accounts.hub, &organization.home_region),
            Topology::Local => location.clone(),
        };
        organization
            .topics
            .iter()
            .filter(|topic| {
                if rule.notify.is_empty() {
                    topic.severities.contains(&rule.severity)
                } else {
                    rule.notify.contains(&topic.name)
                }
            })
            .flat_map(|topic| {
                let location = &location;
                topic.subscriptions.iter().map(move |subscription| Alert {
                    rule: rule.id.clone(),
                    topic: organization.topic_name(topic),
                    location: location.clone(),
                    protocol: subscription.protocol.name(),
                    endpoint: subscription.endpoint.clone(),
                    text: text.to_owned(),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_time_is_any_time_but_always_the_same() {
        let expected = format!("at {SOME_TIME}, again {SOME_TIME}");
        assert!(same_text(
            &expected,
            "at 2026-11-23T12:00:00Z, again 2026-11-23T12:00:00Z"
        ));
        assert!(!same_text(
            &expected,
            "at 2026-11-23T12:00:00Z, again 2026-11-23T12:00:01Z"
        ));
        assert!(!same_text(&expected, "at yesterday, again yesterday"));
        assert!(same_text("plain", "plain"));
        assert!(!same_text("plain", "other"));
    }

    #[test]
    fn an_alert_in_a_queue_is_inside_the_envelope_of_sns() {
        let delivery = Delivery {
            topic_arn: "arn:aws:sns:eu-central-1:333344445555:gizmos-alerts".into(),
            protocol: "sqs".into(),
            endpoint: "arn:aws:sqs:eu-central-1:333344445555:alerts".into(),
            body: r#"{"Type": "Notification", "Message": "the text"}"#.into(),
        };
        assert_eq!(message_of(&delivery), "the text");
    }
}
