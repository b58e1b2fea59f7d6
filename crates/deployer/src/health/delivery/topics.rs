//! Topics and their subscriptions.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Look, text};
use crate::code::DriftCode;
use crate::fleet::document::same_policy;
use crate::fleet::resolve::UNKNOWN;
use crate::health::{Subscriber, subscription_faults};
use crate::ports::{Cloud, Subscription, SubscriptionSettings};
use crate::restore::quoted;

impl<C: Cloud> Look<'_, C> {
    pub(super) async fn topics(&mut self) {
        for (id, expected) in self.of_type("AWS::SNS::Topic") {
            let Some(name) = text(&expected, "TopicName") else {
                continue;
            };
            let arn = self.known.get(&id).cloned().unwrap_or_default();
            if self.topic(&id, name, &arn).await {
                self.data_protection(name, &arn).await;
                self.subscriptions(name, &arn).await;
            }
        }
    }

    /// Returns whether the topic exists.
    async fn topic(&mut self, id: &str, name: &str, arn: &str) -> bool {
        let link = format!("topic {name}");
        let actual = match self.cloud.topic_settings(self.location, name).await {
            Ok(Some(actual)) => actual,
            Ok(None) => {
                let values = ("a topic", "none");
                let code = (DriftCode::TopicMissing, link);
                self.fault(code, "the topic does not exist", values, self.fix.clone());
                return false;
            }
            Err(error) => {
                self.unreadable(link, &error);
                return true;
            }
        };
        self.uses_key(id, &link, actual.key.as_ref());
        if let Some(policy) = &actual.delivery_policy {
            let fix = self.run(&format!(
                "sns set-topic-attributes --topic-arn {arn} --attribute-name DeliveryPolicy \
                 --attribute-value ''"
            ));
            self.fault(
                (DriftCode::TopicSettings, link),
                format!("a delivery policy can throttle alerts: {policy}"),
                ("no delivery policy", policy.as_str()),
                fix,
            );
        }
        let policy = self.inline_policy("AWS::SNS::TopicInlinePolicy", "TopicArn", arn);
        if let Some(policy) = policy
            && !same_policy(&policy, &actual.policy)
        {
            let fix = if policy.to_string().contains(UNKNOWN) {
                self.fix.clone()
            } else {
                self.run(&format!(
                    "sns set-topic-attributes --topic-arn {arn} --attribute-name Policy \
                     --attribute-value {}",
                    quoted(&policy)
                ))
            };
            self.fault(
                (DriftCode::TopicPolicy, format!("topic policy of {name}")),
                format!(
                    "the policy differs from the compiled one: {}",
                    actual.policy
                ),
                (policy.to_string(), actual.policy.to_string()),
                fix,
            );
        }
        true
    }

    async fn data_protection(&mut self, name: &str, arn: &str) {
        let link = format!("data protection policy of {name}");
        match self.cloud.data_protection(self.location, name).await {
            Ok(None) => {}
            Ok(Some(policy)) => {
                let fix = self.run(&format!(
                    "sns put-data-protection-policy --resource-arn {arn} \
                     --data-protection-policy ''"
                ));
                self.fault(
                    (DriftCode::DataProtection, link),
                    format!("it can refuse or withhold alerts: {policy}"),
                    ("no data protection policy", policy.to_string()),
                    fix,
                );
            }
            Err(error) => self.unreadable(link, &error),
        }
    }

    async fn subscriptions(&mut self, name: &str, arn: &str) {
        let actual = match self.cloud.subscriptions(self.location, name).await {
            Ok(actual) => actual.unwrap_or_default(),
            Err(error) => return self.unreadable(format!("subscriptions of {name}"), &error),
        };
        let mut expected: BTreeMap<Subscriber, Value> = BTreeMap::new();
        for (_, properties) in self.of_type("AWS::SNS::Subscription") {
            let of = |name: &str| text(&properties, name).unwrap_or_default().to_owned();
            if of("TopicArn") == arn {
                expected.insert((of("Protocol"), of("Endpoint")), properties.clone());
            }
        }
        let subscribers = expected.keys().cloned().collect();
        let faults = subscription_faults((&subscribers, name), self.location, &actual, self.fix);
        self.found.faults.extend(faults);
        for subscription in actual {
            let Some(arn) = subscription.arn.clone() else {
                continue;
            };
            let link = format!("subscription {} of {name}", subscription.endpoint);
            let settings = self.cloud.subscription_settings(self.location, &arn);
            match settings.await {
                Ok(settings) => {
                    let Subscription {
                        protocol, endpoint, ..
                    } = subscription;
                    // An unexpected one was reported, whatever its settings.
                    if let Some(expected) = expected.get(&(protocol, endpoint)) {
                        self.subscription((&link, &arn), expected, settings);
                    }
                }
                Err(error) => self.unreadable(link, &error),
            }
        }
    }

    fn subscription(
        &mut self,
        (link, arn): (&str, &str),
        expected: &Value,
        actual: SubscriptionSettings,
    ) {
        let set = |name: &str, value: &str| {
            format!(
                "sns set-subscription-attributes --subscription-arn {arn} --attribute-name {name} \
                 --attribute-value '{value}'"
            )
        };
        if let Some(filter) = actual.filter_policy {
            let fix = self.run(&set("FilterPolicy", "{}"));
            self.fault(
                (DriftCode::SubscriptionFilter, link.to_owned()),
                format!("a filter policy withholds messages: {filter}"),
                ("no filter policy", filter.as_str()),
                fix,
            );
        }
        if let Some(policy) = actual.delivery_policy {
            let fix = self.run(&set("DeliveryPolicy", ""));
            self.fault(
                (DriftCode::SubscriptionSettings, link.to_owned()),
                format!("a delivery policy can throttle alerts: {policy}"),
                ("no delivery policy", policy.as_str()),
                fix,
            );
        }
        let raw = expected.get("RawMessageDelivery") == Some(&Value::Bool(true));
        if actual.raw != raw {
            let fix = self.run(&set("RawMessageDelivery", &raw.to_string()));
            self.fault(
                (DriftCode::SubscriptionSettings, link.to_owned()),
                "raw message delivery was changed, so a queue gets other messages than it expects",
                (raw.to_string(), actual.raw.to_string()),
                fix,
            );
        }
        let queue = expected.pointer("/RedrivePolicy/deadLetterTargetArn");
        let queue = queue.and_then(Value::as_str);
        if actual.dead_letters.as_deref() != queue {
            let fix = match queue {
                Some(queue) => set(
                    "RedrivePolicy",
                    &format!("{{\"deadLetterTargetArn\":\"{queue}\"}}"),
                ),
                None => set("RedrivePolicy", ""),
            };
            let fix = self.run(&fix);
            self.fault(
                (DriftCode::SubscriptionSettings, link.to_owned()),
                "its dead-letter queue was changed",
                (
                    queue.unwrap_or("none"),
                    actual.dead_letters.as_deref().unwrap_or("none"),
                ),
                fix,
            );
        }
    }
}
