//! In which respects two templates, or two sets of values, differ.

use std::collections::{BTreeMap, BTreeSet};

use compiler::StackSet;
use serde_json::Value;

use super::model::{Reason, RuleChange, RuleChangeKind};
use crate::fleet::template::{parameter_values, resources, rule_of, same_template};
use crate::fleet::{ObservedStack, ObservedStackSet};

/// What is deployed, of a stack set or of a stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deployed<'a> {
    pub(crate) template: &'a str,
    pub(crate) parameters: &'a BTreeMap<String, String>,
    pub(crate) tags: &'a BTreeMap<String, String>,
    /// `None` for a stack, where it comes from the template and is not compared.
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

/// In which respects what is deployed differs from the bundle.
pub(crate) fn reasons(set: &StackSet, deployed: Deployed<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if !same_template(&set.template, deployed.template) {
        reasons.push(Reason::Template);
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
        reasons.push(Reason::Tags(tags));
    }
    if deployed
        .description
        .is_some_and(|description| description != set.description)
    {
        reasons.push(Reason::Description);
    }
    reasons
}

/// Keys that have different values, or are missing on one side.
fn differing(ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) -> Vec<String> {
    let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    keys.into_iter()
        // CloudFormation adds tags of its own, which users can't change.
        .filter(|key| !key.starts_with("aws:"))
        .filter(|key| ours.get(*key) != theirs.get(*key))
        .cloned()
        .collect()
}

/// What a change of templates means in terms of rules. Either side may be missing.
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
                    // A resource that stays but didn't name its rule before isn't a new rule.
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

/// In which respects a rule changes, in the words of the rule file.
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

/// The severity that the alerts of a detection carry.
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
        // A forwarder carries many rules; that it changed says nothing about any single one.
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
