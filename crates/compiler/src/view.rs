//! Prepares rules, topics and forwarders for the templates.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{Value, context};
use rules::{Response, Rule, Severity};

use crate::canary::{self, CanaryKind};
use crate::compile::Routed;
use crate::forward::{Forwarder, OTHER_GROUP};
use crate::limits;
use crate::logical;
use crate::organization::{
    ALARM, ALARMS_TOPIC, DEAD_LETTERS, Organization, PUBLISHER, PUBLISHER_PATH, Protocol, Publish,
    Topic,
};
use crate::placement::Placement;

/// Logical ids and parameter names. The families below can't collide with each other or with fixed
/// resources of a template: each has a distinct prefix or suffix.
#[derive(Debug)]
pub(crate) struct Names {
    rules: BTreeMap<String, String>,
    topics: BTreeMap<String, String>,
}

impl Names {
    pub(crate) fn new(rules: &[&Rule], organization: &Organization, placement: &Placement) -> Self {
        let topics = organization.topics.iter().map(|topic| topic.name.as_str());
        Self {
            rules: logical::ids(
                rules.iter().map(|rule| rule.id.as_str()),
                placement.logical_ids(),
            ),
            topics: logical::ids(topics, &BTreeMap::new()),
        }
    }

    /// Logical id of a rule's detection.
    pub(crate) fn rule(&self, rule: &Rule) -> String {
        format!("Rule{}", self.of(rule))
    }

    /// Logical ids of a rule's response: the rule on the default bus, the automation's role, and
    /// the role that starts the automation.
    pub(crate) fn response(&self, rule: &Rule) -> [String; 3] {
        ["Respond", "AutomationRole", "StartRole"]
            .map(|family| format!("{family}{}", self.of(rule)))
    }

    pub(crate) fn topic_parameter(&self, topic: &Topic) -> String {
        format!("{}TopicArn", self.of_topic(topic))
    }

    fn topic(&self, topic: &Topic) -> String {
        format!("{}Topic", self.of_topic(topic))
    }

    fn of(&self, rule: &Rule) -> &str {
        self.rules.get(&rule.id).map_or("", String::as_str)
    }

    fn of_topic(&self, topic: &Topic) -> &str {
        self.topics.get(&topic.name).map_or("", String::as_str)
    }
}

/// Context for `topic.template.json.j2` and `topic-local.template.json.j2`.
pub(crate) fn topics(organization: &Organization, names: &Names, rules: &[&Rule]) -> Value {
    let hub = organization.topology == crate::organization::Topology::Hub;
    let keeps_dead_letters = |protocol: Protocol| hub && protocol != Protocol::Email;
    let mut topics: Vec<Value> = organization
        .topics
        .iter()
        .map(|topic| {
            let logical_id = names.topic(topic);
            let subscriptions = topic.subscriptions.iter().map(|subscription| {
                let protocol = match subscription.protocol {
                    Protocol::Email => "email",
                    Protocol::Https => "https",
                    Protocol::Sqs => "sqs",
                };
                // Named by content, so that removing one doesn't rename the others.
                let hash = logical::hash(&format!("{protocol} {}", subscription.endpoint));
                context! {
                    logical_id => format!("{logical_id}Subscription{hash}"),
                    protocol,
                    endpoint => &subscription.endpoint,
                    dead_letters => keeps_dead_letters(subscription.protocol),
                    raw => false,
                }
            });
            let subscriptions: Vec<Value> = subscriptions.collect();
            context! {
                policy_id => format!("{logical_id}Policy"),
                logical_id,
                physical_name => organization.topic_name(topic),
                display_name => format!("Gizmos {}", topic.name),
                key => "AlertsKey",
                takes_alarms => !hub,
                subscriptions,
            }
        })
        .collect();
    if hub {
        topics.push(canary_topic());
    }
    // The publisher role and the rules know only these.
    let published: Vec<Value> = topics.clone();
    if let Some(topic) = alarm_topic(organization).filter(|_| hub) {
        topics.push(alarms_topic(topic));
    }
    let mut protocols = organization
        .topics
        .iter()
        .flat_map(|topic| &topic.subscriptions);
    context! {
        hub,
        topics,
        published,
        dead_letters_of_topics => protocols.any(|subscription| keeps_dead_letters(subscription.protocol)),
        dead_letters_name => DEAD_LETTERS,
        publish_by_policy => publish_by_policy(organization),
        publisher_name => PUBLISHER,
        publisher_path => PUBLISHER_PATH,
        alarm_name => ALARM,
        alarms_topic_id => ALARMS_TOPIC_ID,
        canary_name => canary::TOPIC,
        canary_queue_name => canary::NAME,
        canary_topic_id => CANARY_TOPIC_ID,
        canary_rules => CanaryKind::ALL.map(CanaryKind::hub_rule).to_vec(),
        bus => bus(organization, rules),
    }
}

/// Logical id of the topic for alarms, whose short name is reserved, too.
const ALARMS_TOPIC_ID: &str = "DeadLetterAlarmsTopic";

/// The topic for the alarm on dead letters. It shares neither key nor policy with the alerts' topics:
/// what silences these makes dead letters, and the alarm must still get through. It has the
/// subscribers of the topic for the worst alerts, without a dead-letter queue, which the alarm is
/// about.
fn alarms_topic(topic: &Topic) -> Value {
    let subscriptions = topic.subscriptions.iter().map(|subscription| {
        let protocol = subscription.protocol.name();
        let hash = logical::hash(&format!("{protocol} {}", subscription.endpoint));
        context! {
            logical_id => format!("{ALARMS_TOPIC_ID}Subscription{hash}"),
            protocol,
            endpoint => &subscription.endpoint,
            dead_letters => false,
            raw => false,
        }
    });
    context! {
        policy_id => format!("{ALARMS_TOPIC_ID}Policy"),
        logical_id => ALARMS_TOPIC_ID,
        physical_name => format!("gizmos-{ALARMS_TOPIC}"),
        display_name => "Gizmos alarms",
        key => "AlarmsKey",
        takes_alarms => true,
        subscriptions => subscriptions.collect::<Vec<_>>(),
    }
}

/// Who may put which events on the hub's bus. A unit's path has all units above it, which the
/// organization file doesn't know.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalorgpaths>
fn bus(organization: &Organization, rules: &[&Rule]) -> Value {
    let (id, root) = (&organization.id, &organization.root);
    let paths = organization
        .targets
        .organizational_units
        .iter()
        .map(|unit| {
            if unit == root {
                format!("{id}/{root}/*")
            } else {
                format!("{id}/{root}/*{unit}/*")
            }
        });
    context! {
        paths => paths.collect::<Vec<_>>(),
        excluded => &organization.targets.exclude_accounts,
        management => &organization.accounts.management,
        sources => sources(rules).unwrap_or_default(),
    }
}

/// The sources of the events that rules are about, as values of `StringLike`: nobody but AWS can send
/// one that begins with `aws.`. `None` if a rule is about any source.
fn sources(rules: &[&Rule]) -> Option<BTreeSet<String>> {
    let mut found = BTreeSet::from([canary::SOURCE.to_owned()]);
    for rule in rules {
        let pattern: serde_json::Value = serde_json::from_str(rule.pattern.text()).ok()?;
        for term in pattern.get("source")?.as_array()? {
            let is_aws = |text: &serde_json::Value| {
                text.as_str().is_some_and(|text| text.starts_with("aws."))
            };
            if is_aws(term) || term.get("prefix").is_some_and(is_aws) {
                found.insert("aws.*".to_owned());
            } else {
                let text = term.as_str()?;
                if text.contains(['*', '?', '$']) {
                    return None;
                }
                found.insert(text.to_owned());
            }
        }
    }
    Some(found)
}

/// Logical id of the canaries' topic. A topic of the organization file can't have it, because
/// their short name is reserved.
const CANARY_TOPIC_ID: &str = "CanaryTopic";

/// The canaries' topic: one more topic of the same template, so that key, role and policy can't
/// differ from those of the alerts' topics.
fn canary_topic() -> Value {
    let queue = BTreeMap::from([("Fn::GetAtt", ["CanaryQueue", "Arn"])]);
    let subscription = context! {
        logical_id => format!("{CANARY_TOPIC_ID}Subscription"),
        protocol => "sqs",
        endpoint => queue,
        dead_letters => false,
        raw => true,
    };
    context! {
        policy_id => format!("{CANARY_TOPIC_ID}Policy"),
        logical_id => CANARY_TOPIC_ID,
        physical_name => canary::NAME,
        display_name => "Gizmos canaries",
        key => "AlertsKey",
        takes_alarms => false,
        subscriptions => vec![subscription],
    }
}

/// Context for `rules-hub.template.json.j2`. `shard` counts from 1.
pub(crate) fn hub_rules(
    items: &[&Routed<'_>],
    organization: &Organization,
    names: &Names,
    shard: usize,
) -> Value {
    let mut topics: BTreeMap<&str, Value> = BTreeMap::new();
    for topic in items.iter().flat_map(|routed| &routed.topics) {
        topics.insert(
            &topic.name,
            context! { parameter => names.topic_parameter(topic) },
        );
    }
    let rules: Vec<Value> = items
        .iter()
        .filter_map(|routed| {
            let name = hub_rule_name(&routed.rule.id, shard);
            detection(routed, organization, names, &name)
        })
        .collect();
    context! {
        topics => topics.into_values().collect::<Vec<_>>(),
        publish_by_policy => publish_by_policy(organization),
        rules,
    }
}

/// Name of a rule on the hub's bus. A rule that moves between stack sets is in both for a while, and
/// no two rules of a bus have the same name, so each stack set has its own names.
fn hub_rule_name(id: &str, shard: usize) -> String {
    if shard == 1 {
        return id.to_owned();
    }
    let suffix = format!(".{shard}");
    if id.len() + suffix.len() <= limits::NAME {
        return id.to_owned() + &suffix;
    }
    let suffix = format!("-{}{suffix}", logical::hash(id));
    let kept: String = id.chars().take(limits::NAME - suffix.len()).collect();
    kept + &suffix
}

/// Context for `rules-local.template.json.j2`.
pub(crate) fn local_rules(
    items: &[&Routed<'_>],
    organization: &Organization,
    names: &Names,
) -> Value {
    let mut topics: BTreeMap<&str, Value> = BTreeMap::new();
    for topic in items
        .iter()
        .flat_map(|routed| &routed.topics)
        .copied()
        .chain(alarm_topic(organization))
    {
        topics.insert(
            &topic.name,
            context! { physical_name => organization.topic_name(topic) },
        );
    }
    let rules: Vec<Value> = items
        .iter()
        .filter_map(|routed| detection(routed, organization, names, &routed.rule.id))
        .collect();
    let responses: Vec<Value> = items
        .iter()
        .filter_map(|routed| response(routed.rule, names))
        .collect();
    context! {
        topics => topics.into_values().collect::<Vec<_>>(),
        publish_by_policy => publish_by_policy(organization),
        alarm_topic_name => alarm_topic(organization).map(|topic| organization.topic_name(topic)),
        rules,
        responses,
    }
}

fn detection(
    routed: &Routed<'_>,
    organization: &Organization,
    names: &Names,
    name: &str,
) -> Option<Value> {
    let Routed { rule, topics } = routed;
    let message = rule.message.as_ref()?;
    let topics = topics.iter().map(|topic| {
        context! {
            name => &topic.name,
            physical_name => organization.topic_name(topic),
            parameter => names.topic_parameter(topic),
        }
    });
    Some(context! {
        logical_id => names.rule(rule),
        id => &rule.id,
        name,
        description => &rule.title,
        state => state(rule.read_only),
        pattern => json(rule.pattern.text()),
        input_paths => &message.input_paths,
        input_template => &message.input_template,
        topics => topics.collect::<Vec<_>>(),
    })
}

/// Forwarders of one template. They name no rule: a rule change that doesn't affect what is
/// forwarded must not change the template.
pub(crate) fn forwarders(forwarders: &[&Forwarder]) -> Vec<Value> {
    let view = |forwarder: &&Forwarder| {
        // Where events can go from this one to another one while both stay, the other comes first: the
        // one for other sources, and the one of the group that receives no read-only calls.
        let depends_on: Vec<String> = forwarders
            .iter()
            .filter(|other| {
                // Canaries, which no rule needs, have a forwarder of their own at all times.
                let other_sources = other.group == OTHER_GROUP
                    && forwarder.group != OTHER_GROUP
                    && !forwarder.rules.is_empty();
                let same_group = other.group == forwarder.group;
                other_sources || (same_group && forwarder.read_only && !other.read_only)
            })
            .map(|other| other.logical_id.clone())
            .collect();
        context! {
            logical_id => &forwarder.logical_id,
            group => &forwarder.group,
            sources => &forwarder.sources,
            description => "Forwards events to the hub",
            state => state(forwarder.read_only),
            pattern => json(forwarder.pattern.text()),
            depends_on,
        }
    };
    forwarders.iter().map(view).collect()
}

/// The scheduled drift detection of one stack set: all stack instances at once, tolerating
/// failures.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html>
pub(crate) fn scheduled(stack_set: &str) -> Value {
    let input = serde_json::json!({
        "StackSetName": stack_set,
        "OperationPreferences": {
            "RegionConcurrencyType": "PARALLEL",
            "MaxConcurrentPercentage": 100,
            "FailureTolerancePercentage": 100,
            "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE",
        },
    });
    context! {
        logical_id => format!("Schedule{}", logical::hash(stack_set)),
        description => format!("Has CloudFormation look for drift in {stack_set}"),
        input => input.to_string(),
    }
}

/// The context of a rule's response, if it has one.
pub(crate) fn response(rule: &Rule, names: &Names) -> Option<Value> {
    let Response::StartInstance {
        instance,
        tag_key,
        tag_value,
    } = rule.respond.as_ref()?;
    let [logical_id, automation_role_id, start_role_id] = names.response(rule);
    let condition = BTreeMap::from([(format!("aws:ResourceTag/{tag_key}"), tag_value.clone())]);
    Some(context! {
        logical_id,
        automation_role_id,
        start_role_id,
        id => &rule.id,
        description => &rule.title,
        state => state(rule.read_only),
        pattern => json(rule.pattern.text()),
        instance,
        tag_condition => condition,
    })
}

fn publish_by_policy(organization: &Organization) -> bool {
    organization.publish == Publish::Policy
}

/// The topic for alarms: the first one that receives the highest severity.
fn alarm_topic(organization: &Organization) -> Option<&Topic> {
    let worst = |topic: &Topic| {
        topic
            .severities
            .iter()
            .max()
            .copied()
            .unwrap_or(Severity::Informational)
    };
    let topics = organization.topics.iter();
    topics.rev().max_by_key(|topic| worst(topic))
}

/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>
fn state(read_only: bool) -> &'static str {
    if read_only {
        "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    } else {
        "ENABLED"
    }
}

/// Passes JSON text through verbatim. The order of a pattern's fields decides what `$or` means, and
/// a minijinja value would sort them. Anything but a single JSON value becomes `null`, which no
/// template accepts as a pattern.
fn json(text: &str) -> Value {
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    Value::from_safe_string(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_rule_name_is_never_too_long() {
        assert_eq!(hub_rule_name("root-user", 1), "root-user");
        assert_eq!(hub_rule_name("root-user", 12), "root-user.12");
        let [one, other] = ["x", "y"].map(|end| "a".repeat(63) + end);
        assert_eq!(hub_rule_name(&one, 1), one);
        let [one, other] = [one, other].map(|id| hub_rule_name(&id, 2));
        assert_ne!(one, other);
        assert_eq!([one.len(), other.len()], [64, 64]);
    }
}
