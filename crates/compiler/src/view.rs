//! Rules, topics and forwarders as the templates see them.

use std::collections::BTreeMap;

use minijinja::{Value, context};
use rules::{Response, Rule, Severity};

use crate::compile::Routed;
use crate::forward::Forwarder;
use crate::logical;
use crate::organization::{DEAD_LETTERS, Organization, PUBLISHER, PUBLISHER_PATH, Protocol, Topic};

/// Logical ids and parameter names. No two of the families below can meet: each has its own
/// beginning or end, and none of them a fixed resource of a template.
#[derive(Debug)]
pub(crate) struct Names {
    rules: BTreeMap<String, String>,
    topics: BTreeMap<String, String>,
}

impl Names {
    pub(crate) fn new(rules: &[&Rule], organization: &Organization) -> Self {
        Self {
            rules: logical::ids(rules.iter().map(|rule| rule.id.as_str())),
            topics: logical::ids(organization.topics.iter().map(|topic| topic.name.as_str())),
        }
    }

    /// The detection of a rule.
    pub(crate) fn rule(&self, rule: &Rule) -> String {
        format!("Rule{}", self.of(rule))
    }

    /// The response of a rule: the rule on the default bus, the automation's role, and the role
    /// that starts the automation.
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

/// For `topic.template.json.j2` and `topic-local.template.json.j2`.
pub(crate) fn topics(organization: &Organization, names: &Names) -> Value {
    let hub = organization.topology == crate::organization::Topology::Hub;
    let keeps_dead_letters = |protocol: Protocol| hub && protocol != Protocol::Email;
    let topics: Vec<Value> = organization
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
                // By content, so that taking one away doesn't rename the others.
                let hash = logical::hash(&format!("{protocol} {}", subscription.endpoint));
                context! {
                    logical_id => format!("{logical_id}Subscription{hash}"),
                    protocol,
                    endpoint => &subscription.endpoint,
                    dead_letters => keeps_dead_letters(subscription.protocol),
                }
            });
            let subscriptions: Vec<Value> = subscriptions.collect();
            context! {
                policy_id => format!("{logical_id}Policy"),
                logical_id,
                physical_name => organization.topic_name(topic),
                display_name => format!("Gizmos {}", topic.name),
                subscriptions,
            }
        })
        .collect();
    let mut protocols = organization
        .topics
        .iter()
        .flat_map(|topic| &topic.subscriptions);
    context! {
        hub,
        topics,
        dead_letters_of_topics => protocols.any(|subscription| keeps_dead_letters(subscription.protocol)),
        dead_letters_name => DEAD_LETTERS,
        publisher_name => PUBLISHER,
        publisher_path => PUBLISHER_PATH,
        alarm_topic_id => alarm_topic(organization).map(|topic| names.topic(topic)),
    }
}

/// For `rules-hub.template.json.j2`. `shard` counts from 1.
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
            // A rule that moves to another shard is there twice for a moment, so it needs another
            // name there.
            let id = &routed.rule.id;
            let name = if shard == 1 {
                id.clone()
            } else {
                format!("{id}.{shard}")
            };
            detection(routed, organization, names, &name)
        })
        .collect();
    context! { topics => topics.into_values().collect::<Vec<_>>(), rules }
}

/// For `rules-local.template.json.j2`.
pub(crate) fn local_rules(
    items: &[Routed<'_>],
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

/// A forwarder. Nothing in it names a rule: a rule that changes what is forwarded in nothing must
/// not change the template.
pub(crate) fn forwarder(forwarder: &Forwarder) -> Value {
    context! {
        logical_id => forwarder_id(forwarder),
        description => "Forwards events that some rule of the hub is about",
        state => state(forwarder.read_only),
        pattern => json(forwarder.pattern.text()),
    }
}

/// By content: when the pattern changes, CloudFormation makes the new forwarder before it deletes
/// the old one, so no event falls between them.
pub(crate) fn forwarder_id(forwarder: &Forwarder) -> String {
    let content = format!(
        "{} {}",
        state(forwarder.read_only),
        forwarder.pattern.text()
    );
    format!("Forward{}", logical::hash(&content))
}

/// What a schedule asks of one stack set: to look at everything at once, whatever fails.
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

/// The response of a rule, if it has one.
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

/// Where alarms go: the topic for the worst alerts, the first of them.
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

/// JSON text as it is. A pattern keeps the order of its fields, which decides what `$or` means; as
/// a value of minijinja it would be sorted. Anything but one JSON value becomes `null`, which no
/// template takes for a pattern.
fn json(text: &str) -> Value {
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    Value::from_safe_string(value.to_string())
}
