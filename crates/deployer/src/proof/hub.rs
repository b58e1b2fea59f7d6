//! What is read in the hub: the chain's health, the detections, and the topics.

use std::collections::BTreeMap;

use compiler::organization::{Organization, Publish, Topology};
use compiler::{Bundle, Part};
use remedy::Remedy;
use serde_json::Value;

use super::rules::{self, ExpectedRule, FoundRules};
use super::{CANARY, broken, restored_by_drift};
use crate::error::DeployError;
use crate::fleet::document::same_policy;
use crate::fleet::resolve::Context;
use crate::fleet::template::{parameter_values, resources};
use crate::health::{BrokenLink, health};
use crate::ports::{Cloud, CloudError, Location, Subscription, TopicSettings};
use crate::restore::{in_account, quoted};

const PERMIT: &str = "give the caller (in other accounts: the access role) permission to read it";

/// The hub as far as canaries need it.
pub(super) struct Hub {
    pub(super) location: Location,
    /// URL of the canaries' queue; `None` if canaries can't be received.
    pub(super) queue: Option<String>,
    /// Name of the dead-letter queue.
    pub(super) dead_letters: String,
    /// Whether the topics' policies admit the rules, and not a role.
    pub(super) by_policy: bool,
    /// The canaries' rules.
    pub(super) rules: FoundRules,
    /// Everything that is broken.
    pub(super) broken: Vec<BrokenLink>,
    /// The topics that were compared with the canaries'.
    pub(super) topics_read: Vec<String>,
}

impl Hub {
    pub(super) async fn read(cloud: &impl Cloud, bundle: &Bundle) -> Result<Hub, DeployError> {
        let organization = &bundle.organization;
        let mut hub = Hub {
            location: location(organization),
            queue: None,
            dead_letters: organization.dead_letters_name().to_owned(),
            by_policy: organization.publish == Publish::Policy,
            rules: FoundRules::default(),
            broken: health(cloud, bundle).await?,
            topics_read: Vec::new(),
        };
        if organization.topology == Topology::Local {
            return Ok(hub);
        }
        match rules_of(cloud, bundle).await {
            Ok(found) => {
                hub.broken.extend(found.broken.iter().cloned());
                hub.rules = found;
            }
            Err(error) => hub.unreadable("rules on the hub's bus", &error),
        }
        hub.find_queue(cloud).await;
        hub.compare_topics(cloud, bundle).await;
        Ok(hub)
    }

    fn unreadable(&mut self, link: &str, error: &CloudError) {
        let message = format!("it can't be read: {error}");
        self.broken
            .push(broken(link, &self.location, message, PERMIT));
    }

    fn fault(&mut self, link: String, message: impl Into<String>, fix: impl Into<Remedy>) {
        self.broken.push(broken(link, &self.location, message, fix));
    }

    async fn find_queue(&mut self, cloud: &impl Cloud) {
        match cloud.queue_url(&self.location, CANARY).await {
            Ok(Some(url)) => self.queue = Some(url),
            Ok(None) => self.fault(
                format!("queue {CANARY}"),
                "the queue does not exist, so no canary was sent",
                restored_by_drift(false),
            ),
            Err(error) => self.unreadable(&format!("queue {CANARY}"), &error),
        }
    }

    /// Compares every topic's policy and key with those of the canaries' topic, which a canary
    /// proves, and looks for filters in subscriptions.
    async fn compare_topics(&mut self, cloud: &impl Cloud, bundle: &Bundle) {
        let organization = &bundle.organization;
        let canary = match cloud.topic_settings(&self.location, CANARY).await {
            Ok(Some(settings)) => settings,
            Ok(None) => {
                let link = format!("topic {CANARY}");
                return self.fault(link, "the topic does not exist", restored_by_drift(false));
            }
            Err(error) => return self.unreadable(&format!("topic {CANARY}"), &error),
        };
        if let Some(key) = &canary.key {
            self.compare_key(cloud, bundle, key).await;
        }
        self.compare_subscriptions(cloud, CANARY, true).await;
        for topic in &organization.topics {
            let name = organization.topic_name(topic);
            match cloud.topic_settings(&self.location, &name).await {
                Ok(Some(settings)) => self.compare_topic(&name, &settings, &canary),
                // `health` has reported it.
                Ok(None) => continue,
                Err(error) => self.unreadable(&format!("topic {name}"), &error),
            }
            self.compare_subscriptions(cloud, &name, false).await;
            self.topics_read.push(name);
        }
    }

    /// The key also encrypts dead letters: if its policy is broken, there may be none that says so.
    async fn compare_key(&mut self, cloud: &impl Cloud, bundle: &Bundle, key: &str) {
        let link = format!("key policy of {key}");
        let Some(expected) = key_policy(bundle, &self.location) else {
            return;
        };
        match cloud.key_policy(&self.location, key).await {
            Ok(Some(actual)) if same_policy(&expected, &actual) => {}
            Ok(Some(actual)) => self.fault(
                link,
                format!("the policy differs from the compiled one: {actual}"),
                self.key_policy_restored(key, &expected),
            ),
            Ok(None) => self.fault(link, "the key does not exist", restored_by_drift(false)),
            Err(error) => self.unreadable(&link, &error),
        }
    }

    /// CloudFormation doesn't see every change of a key policy, so a drift check may find nothing.
    fn key_policy_restored(&self, key: &str, expected: &Value) -> Remedy {
        let policy = quoted(expected);
        let Location { account, region } = &self.location;
        Remedy::from("find out who did it and why; then ").and(in_account(
            account,
            &format!(
                "kms put-key-policy --key-id {key} --policy-name default --policy {policy} \
                 --region {region}"
            ),
        ))
    }

    fn compare_topic(&mut self, name: &str, actual: &TopicSettings, canary: &TopicSettings) {
        if !same_policy(&renamed(&canary.policy, CANARY, name), &actual.policy) {
            let message = format!(
                "the topic's policy differs from that of {CANARY}: {}",
                actual.policy
            );
            self.fault(
                format!("topic policy of {name}"),
                message,
                restored_by_drift(false),
            );
        }
        if actual.key != canary.key {
            let key = |settings: &TopicSettings| {
                let key = settings.key.as_deref();
                key.unwrap_or("no key").to_owned()
            };
            let message = format!(
                "the topic is encrypted with {}, and {CANARY} with {}",
                key(actual),
                key(canary)
            );
            self.fault(
                format!("key of topic {name}"),
                message,
                restored_by_drift(false),
            );
        }
    }

    /// `raw` is whether the topic's queue must get messages without SNS's envelope.
    async fn compare_subscriptions(&mut self, cloud: &impl Cloud, topic: &str, raw: bool) {
        let link = format!("subscriptions of {topic}");
        let subscriptions = match cloud.subscriptions(&self.location, topic).await {
            Ok(subscriptions) => subscriptions.unwrap_or_default(),
            Err(error) => return self.unreadable(&link, &error),
        };
        let queue = format!(":{CANARY}");
        let is_ours = |it: &Subscription| it.protocol == "sqs" && it.endpoint.ends_with(&queue);
        if raw && !subscriptions.iter().any(is_ours) {
            let message = format!("the queue {CANARY} is not subscribed");
            self.fault(link, message, restored_by_drift(false));
        }
        for subscription in subscriptions {
            let Some(arn) = &subscription.arn else {
                continue;
            };
            let link = format!("subscription {} of {topic}", subscription.endpoint);
            match cloud.subscription_settings(&self.location, arn).await {
                Ok(settings) => {
                    if let Some(filter) = settings.filter_policy {
                        self.fault(
                            link,
                            format!("a filter policy withholds messages: {filter}"),
                            format!(
                                "find out who set it and why; then run `aws sns \
                                 set-subscription-attributes --subscription-arn {arn} \
                                 --attribute-name FilterPolicy --attribute-value '{{}}'`"
                            ),
                        );
                    } else if raw && !settings.raw && is_ours(&subscription) {
                        let message = "raw message delivery is off, so canaries can't be read";
                        self.fault(link, message, restored_by_drift(false));
                    }
                }
                Err(error) => self.unreadable(&link, &error),
            }
        }
    }
}

fn location(organization: &Organization) -> Location {
    Location::new(&organization.accounts.hub, &organization.home_region)
}

/// The compiled policy of the key in the hub's template, which has one key.
fn key_policy(bundle: &Bundle, location: &Location) -> Option<Value> {
    let set = bundle
        .stack_sets
        .iter()
        .find(|set| set.part == Part::Topic)?;
    let resources = resources(&set.template);
    let key = resources
        .values()
        .find(|it| it.get("Type").and_then(Value::as_str) == Some("AWS::KMS::Key"))?;
    let parameters = parameter_values(&set.template, &set.parameters);
    let context = Context {
        location,
        parameters: &parameters,
        resources: &BTreeMap::new(),
    };
    Some(context.resolve(key.pointer("/Properties/KeyPolicy")?))
}

/// Replaces a topic's name in a policy, at the end of ARNs.
fn renamed(policy: &Value, from: &str, to: &str) -> Value {
    match policy {
        Value::String(text) => match text.strip_suffix(from) {
            Some(before) if before.ends_with(':') => Value::String(format!("{before}{to}")),
            _ => policy.clone(),
        },
        Value::Array(items) => items.iter().map(|item| renamed(item, from, to)).collect(),
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), renamed(value, from, to)))
                .collect(),
        ),
        other => other.clone(),
    }
}

async fn rules_of(cloud: &impl Cloud, bundle: &Bundle) -> Result<FoundRules, CloudError> {
    let sets = bundle.stack_sets.iter();
    let expected: Vec<ExpectedRule> = sets
        .filter(|set| matches!(set.part, Part::Topic | Part::RulesHub))
        .flat_map(rules::expected)
        .collect();
    let location = location(&bundle.organization);
    let bus = bundle.organization.bus_name();
    rules::compare(cloud, &location, bus, &expected).await
}

/// The hub's rules that were disabled, changed or deleted, or lost a target. Costs one list, and one
/// per topic; none in the local topology, which has no hub.
pub async fn hub_rules(cloud: &impl Cloud, bundle: &Bundle) -> Result<Vec<BrokenLink>, CloudError> {
    if bundle.organization.topology == Topology::Local {
        return Ok(Vec::new());
    }
    Ok(rules_of(cloud, bundle).await?.broken)
}
