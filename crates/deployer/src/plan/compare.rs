//! Compares templates and settings.

use std::collections::{BTreeMap, BTreeSet};

use compiler::StackSet;
use serde_json::Value;

use super::model::{Reason, RuleChange, RuleChangeKind};
use crate::fleet::template::{parameter_values, resources, rule_of, same_template};
use crate::fleet::{ObservedStack, ObservedStackSet, Owner};

/// The deployed settings of a stack set or stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deployed<'a> {
    pub(crate) template: &'a str,
    pub(crate) parameters: &'a BTreeMap<String, String>,
    pub(crate) tags: &'a BTreeMap<String, String>,
    /// `None` for a stack, whose description comes from the template and is not compared.
    description: Option<&'a str>,
}

impl<'a> From<&'a ObservedStackSet> for Deployed<'a> {
    fn from(found: &'a ObservedStackSet) -> Self {
        Deployed {
            template: &found.details.template,
            parameters: &found.details.parameters,
            tags: &found.details.tags,
            description: Some(&found.details.description),
        }
    }
}

impl<'a> From<&'a ObservedStack> for Deployed<'a> {
    fn from(found: &'a ObservedStack) -> Self {
        Deployed {
            template: found.template.as_deref().unwrap_or_default(),
            parameters: &found.stack.parameters,
            tags: &found.stack.tags,
            description: None,
        }
    }
}

/// How the deployed settings differ from the bundle.
pub(crate) fn reasons(set: &StackSet, deployed: Deployed<'_>, owner: &Owner) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if !same_template(&set.template, deployed.template) {
        reasons.push(Reason::Template);
        if lets_rules_publish(deployed.template) && !lets_rules_publish(&set.template) {
            reasons.push(Reason::WithdrawsPublishing);
        }
    }
    let parameters = differing(
        &parameter_values(&set.template, &set.parameters),
        deployed.parameters,
    );
    if !parameters.is_empty() {
        reasons.push(Reason::Parameters(parameters));
    }
    let tags = differing(&set.tags, deployed.tags);
    if !tags.is_empty() {
        reasons.push(match owner {
            Owner::Earlier => Reason::Adoption(tags),
            Owner::Ours | Owner::Another(_) => Reason::Tags(tags),
        });
    }
    if deployed
        .description
        .is_some_and(|description| description != set.description)
    {
        reasons.push(Reason::Description);
    }
    reasons
}

/// Whether a topic's policy in the template admits rules without a role.
fn lets_rules_publish(template: &str) -> bool {
    let admits = |statement: &Value| {
        statement.get("Effect").is_some_and(|it| it == "Allow")
            && statement
                .pointer("/Principal/Service")
                .is_some_and(|it| it == "events.amazonaws.com")
    };
    resources(template).values().any(|resource| {
        resource.get("Type").and_then(Value::as_str) == Some("AWS::SNS::TopicInlinePolicy")
            && resource
                .pointer("/Properties/PolicyDocument/Statement")
                .and_then(Value::as_array)
                .is_some_and(|statements| statements.iter().any(admits))
    })
}

/// Keys whose values differ or that exist on one side only.
fn differing(ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) -> Vec<String> {
    let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    keys.into_iter()
        // AWS adds tags with this prefix, which users can't change.
        .filter(|key| !key.starts_with("aws:"))
        .filter(|key| ours.get(*key) != theirs.get(*key))
        .cloned()
        .collect()
}

/// A template change expressed as rule changes. Either template may be missing.
pub(crate) fn rule_changes(new: Option<&StackSet>, old: Option<&str>) -> Vec<RuleChange> {
    let old_resources = old.map(resources).unwrap_or_default();
    let new_resources = new.map(|set| resources(&set.template)).unwrap_or_default();
    let old_rules = by_rule(&old_resources, None);
    let new_rules = by_rule(&new_resources, new);
    let ids: BTreeSet<&String> = old_rules.keys().chain(new_rules.keys()).collect();
    ids.into_iter()
        .filter_map(|id| {
            let (change, details) = match (old_rules.get(id), new_rules.get(id)) {
                (None, Some(new)) => {
                    // An existing resource that didn't name its rule before doesn't make the rule
                    // new.
                    let known = new
                        .iter()
                        .all(|(logical, body)| old_resources.get(*logical) == Some(body));
                    if known {
                        return None;
                    }
                    let before: BTreeMap<&str, &Value> = new
                        .keys()
                        .filter_map(|logical| Some((*logical, old_resources.get(*logical)?)))
                        .collect();
                    if before.is_empty() {
                        (RuleChangeKind::Added, Vec::new())
                    } else {
                        (RuleChangeKind::Changed, respects(&before, new))
                    }
                }
                (Some(_), None) => (RuleChangeKind::Removed, Vec::new()),
                (Some(old), Some(new)) if old != new => {
                    (RuleChangeKind::Changed, respects(old, new))
                }
                _ => return None,
            };
            Some(RuleChange {
                rule: id.clone(),
                change,
                details,
            })
        })
        .collect()
}

/// The changed fields of a rule that moves into `new` from a stack set with another template.
pub(super) fn moved_details(rule: &str, new: &StackSet, old: &str) -> Vec<String> {
    let (old, resources) = (resources(old), resources(&new.template));
    let (old, new) = (by_rule(&old, None), by_rule(&resources, Some(new)));
    match (old.get(rule), new.get(rule)) {
        (Some(old), Some(new)) => respects(old, new),
        _ => Vec::new(),
    }
}

/// The changed fields of a rule, in the rule file's terms.
fn respects(old: &BTreeMap<&str, &Value>, new: &BTreeMap<&str, &Value>) -> Vec<String> {
    let mut found = BTreeSet::new();
    for (logical, now) in new {
        let Some(before) = old.get(logical) else {
            found.insert("more resources".to_owned());
            continue;
        };
        if before == now {
            continue;
        }
        if now.get("Type").and_then(Value::as_str) != Some("AWS::Events::Rule") {
            found.insert("response".to_owned());
            continue;
        }
        let differs = |field: &str| {
            let path = format!("/Properties/{field}");
            before.pointer(&path) != now.pointer(&path)
        };
        if let (Some(before), Some(now)) = (severity(before), severity(now))
            && before != now
        {
            found.insert(format!("severity {before} -> {now}"));
        } else if differs("Targets") {
            found.insert("message or topics".to_owned());
        }
        for (field, word) in [
            ("EventPattern", "event pattern"),
            ("Description", "title"),
            ("State", "state"),
        ] {
            if differs(field) {
                found.insert(word.to_owned());
            }
        }
    }
    if old.keys().any(|logical| !new.contains_key(logical)) {
        found.insert("fewer resources".to_owned());
    }
    found.into_iter().collect()
}

/// The severity in a detection's alert message.
fn severity(resource: &Value) -> Option<&str> {
    const FIELD: &str = "\"severity\": \"";
    let targets = resource.pointer("/Properties/Targets")?.as_array()?;
    let template = targets
        .iter()
        .find_map(|target| target.pointer("/InputTransformer/InputTemplate")?.as_str())?;
    let (_, rest) = template.split_once(FIELD)?;
    rest.split_once('"').map(|(severity, _)| severity)
}

fn by_rule<'a>(
    resources: &'a BTreeMap<String, Value>,
    set: Option<&StackSet>,
) -> BTreeMap<String, BTreeMap<&'a str, &'a Value>> {
    let mut rules: BTreeMap<String, BTreeMap<&str, &Value>> = BTreeMap::new();
    for (logical, resource) in resources {
        // A forwarder serves many rules, so its changes can't be attributed to one of them.
        let listed = set
            .and_then(|set| set.rules.get(logical))
            .filter(|rules| rules.len() == 1)
            .and_then(|rules| rules.first());
        let rule = rule_of(resource).or(listed.map(String::as_str));
        if let Some(rule) = rule {
            rules
                .entry(rule.to_owned())
                .or_default()
                .insert(logical, resource);
        }
    }
    rules
}
