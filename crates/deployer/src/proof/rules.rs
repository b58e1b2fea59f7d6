//! Compares the rules on a bus with those that the templates define: state, pattern and targets.

use std::collections::{BTreeMap, BTreeSet};

use compiler::StackSet;
use compiler::canary::CanaryKind;
use remedy::Remedy;
use serde_json::{Value, json};

use super::{broken, restored_by_drift};
use crate::fleet::resolve::Context;
use crate::fleet::template::{parameter_values, resources, rule_of};
use crate::health::BrokenLink;
use crate::ports::{Cloud, CloudError, EventRule, Location};
use crate::restore::{in_account, quoted};

/// The bus on which AWS's services put their events.
pub(super) const DEFAULT_BUS: &str = "default";

/// The only state that [`Comparison::enable`] can give back.
const ENABLED: &str = "ENABLED";

/// A rule that a template defines.
pub(super) struct ExpectedRule {
    /// In words, such as `forwarder Forward1A2B3C4D`.
    label: String,
    /// `None` if CloudFormation generates it.
    name: Option<String>,
    state: String,
    pattern: Value,
    /// ARNs of the targets, as in the template.
    targets: Vec<Value>,
    parameters: BTreeMap<String, String>,
}

impl ExpectedRule {
    /// Whether it is the forwarder or hub rule of this kind of canary.
    fn is_for(&self, kind: CanaryKind) -> bool {
        self.pattern == kind.pattern()
    }

    fn targets(&self, location: &Location) -> Vec<String> {
        let context = Context {
            location,
            parameters: &self.parameters,
            resources: &BTreeMap::new(),
        };
        let resolved = self.targets.iter().map(|arn| context.resolve(arn));
        let texts = resolved.filter_map(|arn| arn.as_str().map(str::to_owned));
        texts.filter(|arn| arn.starts_with("arn:")).collect()
    }
}

/// The rules of a stack set's template.
pub(super) fn expected(set: &StackSet) -> Vec<ExpectedRule> {
    let parameters = parameter_values(&set.template, &set.parameters);
    let resources = resources(&set.template);
    let rule = |(id, resource): (&String, &Value)| {
        let kind = resource.get("Type").and_then(Value::as_str);
        let properties = resource.get("Properties")?;
        let text = |name: &str| Some(properties.get(name)?.as_str()?.to_owned());
        if kind != Some("AWS::Events::Rule") {
            return None;
        }
        let pattern = properties.get("EventPattern")?.clone();
        let canary = CanaryKind::ALL
            .into_iter()
            .find(|it| it.pattern() == pattern);
        let label = match (canary, rule_of(resource)) {
            (Some(CanaryKind::Event), _) => "the canaries' rule".to_owned(),
            (Some(CanaryKind::CloudTrail), _) => "the CloudTrail canaries' rule".to_owned(),
            (None, Some(rule)) => format!("rule {rule}"),
            (None, None) => format!("forwarder {id}"),
        };
        let targets = properties.get("Targets").and_then(Value::as_array);
        let arns = targets.into_iter().flatten().filter_map(|it| it.get("Arn"));
        Some(ExpectedRule {
            label,
            name: text("Name"),
            state: text("State").unwrap_or_else(|| ENABLED.to_owned()),
            pattern,
            targets: arns.map(|arn| with_topic_arn(arn, &resources)).collect(),
            parameters: parameters.clone(),
        })
    };
    resources.iter().filter_map(rule).collect()
}

/// Replaces a reference to a topic of the same template by the topic's ARN.
fn with_topic_arn(arn: &Value, resources: &BTreeMap<String, Value>) -> Value {
    let topic = || {
        let resource = resources.get(arn.get("Ref")?.as_str()?)?;
        resource.pointer("/Properties/TopicName")?.as_str()
    };
    match topic() {
        Some(name) => json!({
            "Fn::Sub": format!("arn:${{AWS::Partition}}:sns:${{AWS::Region}}:${{AWS::AccountId}}:{name}")
        }),
        None => arn.clone(),
    }
}

/// The rules found on a bus.
#[derive(Default)]
pub(super) struct FoundRules {
    pub(super) broken: Vec<BrokenLink>,
    /// Names of the canaries' rules, by kind.
    pub(super) canaries: BTreeMap<CanaryKind, String>,
    /// The kinds of canaries whose rule is broken.
    pub(super) broken_canaries: BTreeMap<CanaryKind, BrokenLink>,
}

/// The number of reads that [`compare`] makes for each location.
pub(super) fn reads(expected: &[ExpectedRule], location: &Location) -> usize {
    1 + target_arns(expected, location).len()
}

fn target_arns(expected: &[ExpectedRule], location: &Location) -> BTreeSet<String> {
    let targets = expected.iter().flat_map(|rule| rule.targets(location));
    targets.collect()
}

/// Reads and compares a bus's rules: one list, and one list per distinct target.
pub(super) async fn compare(
    cloud: &impl Cloud,
    location: &Location,
    bus: &str,
    expected: &[ExpectedRule],
) -> Result<FoundRules, CloudError> {
    let rules = cloud
        .event_rules(location, bus, "")
        .await?
        .unwrap_or_default();
    let mut by_target = BTreeMap::new();
    for arn in target_arns(expected, location) {
        let names = cloud.rule_names_by_target(location, bus, &arn).await?;
        by_target.insert(arn, names.into_iter().collect::<BTreeSet<String>>());
    }
    Ok(Comparison {
        location,
        bus,
        left: rules.iter().collect(),
        by_target,
    }
    .of(expected))
}

struct Comparison<'a> {
    location: &'a Location,
    bus: &'a str,
    /// Rules that no expected rule has been found to be yet.
    left: Vec<&'a EventRule>,
    by_target: BTreeMap<String, BTreeSet<String>>,
}

impl<'a> Comparison<'a> {
    fn of(mut self, expected: &[ExpectedRule]) -> FoundRules {
        let mut found = FoundRules::default();
        for rule in expected {
            let actual = self.take(rule);
            let broken = match actual {
                Some(actual) => self.fault(rule, actual),
                None => Some(self.missing(rule)),
            };
            let canary = CanaryKind::ALL.into_iter().find(|kind| rule.is_for(*kind));
            if let (Some(kind), Some(actual)) = (canary, actual) {
                found.canaries.insert(kind, actual.name.clone());
            }
            if let (Some(kind), Some(broken)) = (canary, &broken) {
                found.broken_canaries.insert(kind, broken.clone());
            }
            found.broken.extend(broken);
        }
        found
    }

    /// The rule that an expected one became: by name; or without a name by pattern and, among
    /// several with the same pattern, by targets.
    fn take(&mut self, rule: &ExpectedRule) -> Option<&'a EventRule> {
        let position = if let Some(name) = &rule.name {
            self.left.iter().position(|it| it.name == *name)
        } else {
            let same = |it: &EventRule| it.pattern.as_deref() == Some(&rule.pattern);
            let exact = |it: &EventRule| same(it) && self.without_target(rule, it).is_none();
            let position = self.left.iter().position(|it| exact(it));
            position.or_else(|| self.left.iter().position(|it| same(it)))
        };
        position.map(|index| self.left.swap_remove(index))
    }

    fn without_target(&self, rule: &ExpectedRule, actual: &EventRule) -> Option<String> {
        let targets = rule.targets(self.location).into_iter();
        let mut lost = targets.filter(|arn| {
            let names = self.by_target.get(arn);
            names.is_none_or(|names| !names.contains(&actual.name))
        });
        lost.next()
    }

    fn link(&self, rule: &ExpectedRule, name: &str) -> String {
        format!("{} ({name} on bus {})", rule.label, self.bus)
    }

    fn missing(&self, rule: &ExpectedRule) -> BrokenLink {
        let message = if rule.name.is_some() {
            "the rule does not exist"
        } else {
            "no rule has the compiled pattern: it was deleted, or its pattern was changed"
        };
        let link = format!("{} on bus {}", rule.label, self.bus);
        broken(link, self.location, message, restored_by_drift(false))
    }

    fn fault(&self, rule: &ExpectedRule, actual: &EventRule) -> Option<BrokenLink> {
        let link = self.link(rule, &actual.name);
        if actual.pattern.as_deref() != Some(&rule.pattern) {
            let pattern = actual.pattern.as_deref().map(Value::to_string);
            let message = format!(
                "the rule's pattern was changed to {}",
                pattern.as_deref().unwrap_or("none")
            );
            return Some(broken(
                link,
                self.location,
                message,
                self.put(rule, &actual.name),
            ));
        }
        if actual.state != rule.state {
            let message = format!("the rule is {}, not {}", actual.state, rule.state);
            let fix = if rule.state == ENABLED {
                self.enable(&actual.name)
            } else {
                self.put(rule, &actual.name)
            };
            return Some(broken(link, self.location, message, fix));
        }
        let lost = self.without_target(rule, actual)?;
        let message = format!("the rule no longer sends to {lost}");
        Some(broken(
            link,
            self.location,
            message,
            restored_by_drift(true),
        ))
    }

    fn enable(&self, name: &str) -> Remedy {
        self.run(format!("events enable-rule --name {name}"))
    }

    fn put(&self, rule: &ExpectedRule, name: &str) -> Remedy {
        let pattern = quoted(&rule.pattern);
        self.run(format!(
            "events put-rule --name {name} --state {} --event-pattern {pattern}",
            rule.state
        ))
    }

    fn run(&self, mut command: String) -> Remedy {
        if self.bus != DEFAULT_BUS {
            command.push_str(&format!(" --event-bus-name {}", self.bus));
        }
        command.push_str(&format!(" --region {}", self.location.region));
        Remedy::from("find out who did it and why; then ")
            .and(in_account(&self.location.account, &command))
    }
}
