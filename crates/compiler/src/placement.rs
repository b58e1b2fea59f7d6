//! Which of several stack sets of a part carries what.
//!
//! A part whose rules don't fit into one template is several stack sets: `gizmos-rules-hub`,
//! `gizmos-rules-hub-2` and so on. Where a rule is can't be derived from the rules alone without
//! moving some of them with every edit, so it is read from the deployed templates.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::Part;

/// The parts that may be several stack sets.
const SPLIT: [Part; 3] = [Part::RulesHub, Part::RulesSpoke, Part::RulesLocal];

/// Prefixes of the logical ids of a rule's detection and response.
const RULE_PREFIXES: [&str; 2] = ["Rule", "Respond"];

/// What a stack set of a split part carries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// The resources of the rule with this id.
    Rule(String),
    /// The forwarders of a group of sources.
    Forwarder(String),
}

/// Which stack sets carry what now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    homes: BTreeMap<Part, BTreeMap<Item, BTreeSet<usize>>>,
    /// Logical ids by rule, without the prefix that tells a rule's resources apart.
    logical_ids: BTreeMap<String, String>,
    /// Numbers of the forwarders' groups, by source.
    groups: BTreeMap<String, BTreeSet<usize>>,
}

impl Placement {
    /// Adds a deployed stack set. One that is not of a split part, or whose template is not JSON,
    /// says nothing.
    pub fn add(&mut self, stack_set: &str, template: &str) {
        let Some((part, number)) = parse(stack_set) else {
            return;
        };
        let template: Value = serde_json::from_str(template).unwrap_or_default();
        let items = self.homes.entry(part).or_default();
        for (logical_id, resource) in resources(&template) {
            let Some(item) = item(logical_id, resource) else {
                continue;
            };
            let id = RULE_PREFIXES
                .iter()
                .find_map(|prefix| logical_id.strip_prefix(prefix));
            if let (Item::Rule(rule), Some(id)) = (&item, id) {
                self.logical_ids.insert(rule.clone(), id.to_owned());
            }
            if let Item::Forwarder(group) = &item
                && let Ok(group) = group.parse()
            {
                for source in sources(resource) {
                    self.groups.entry(source).or_default().insert(group);
                }
            }
            items.entry(item).or_default().insert(number);
        }
    }

    /// Numbers of the groups of forwarders that a source is in.
    pub(crate) fn groups_of(&self, source: &str) -> BTreeSet<usize> {
        self.groups.get(source).cloned().unwrap_or_default()
    }

    /// Numbers of all groups of forwarders.
    pub(crate) fn groups(&self) -> BTreeSet<usize> {
        self.groups.values().flatten().copied().collect()
    }

    /// Whether nothing is deployed that could move.
    pub fn is_empty(&self) -> bool {
        self.homes.values().all(BTreeMap::is_empty)
    }

    /// Logical ids by rule.
    pub(crate) fn logical_ids(&self) -> &BTreeMap<String, String> {
        &self.logical_ids
    }

    /// Numbers of the stack sets that carry an item.
    pub(crate) fn of(&self, part: Part, item: &Item) -> BTreeSet<usize> {
        let homes = self.homes.get(&part).and_then(|items| items.get(item));
        homes.cloned().unwrap_or_default()
    }
}

/// The name of a part's stack set. `number` counts from 1.
pub(crate) fn name(part: Part, number: usize) -> String {
    if number == 1 {
        format!("gizmos-{}", part.name())
    } else {
        format!("gizmos-{}-{number}", part.name())
    }
}

/// The part and number of a split part's stack set.
fn parse(stack_set: &str) -> Option<(Part, usize)> {
    let part_of = |part: &Part| {
        let rest = stack_set
            .strip_prefix("gizmos-")?
            .strip_prefix(part.name())?;
        let number = match rest.strip_prefix('-') {
            Some(number) => number.parse().ok()?,
            None => 1,
        };
        // Anything but the canonical spelling is the name of something else.
        (name(*part, number) == stack_set).then_some((*part, number))
    };
    SPLIT.iter().find_map(part_of)
}

/// The part of a stack set that is one of several, from its name.
pub fn split_part(stack_set: &str) -> Option<Part> {
    parse(stack_set).map(|(part, _)| part)
}

/// The part of any stack set that has a name which Gizmos gives.
pub fn stack_set_part(stack_set: &str) -> Option<Part> {
    let mut parts = Part::ALL.into_iter();
    parts
        .find(|part| name(*part, 1) == stack_set)
        .or_else(|| split_part(stack_set))
}

/// What a template carries. A deployed template may be any text.
pub fn carried(template: &str) -> BTreeSet<Item> {
    let template: Value = serde_json::from_str(template).unwrap_or_default();
    resources(&template)
        .filter_map(|(logical_id, resource)| item(logical_id, resource))
        .collect()
}

/// The forwarders of a template: logical id to sources. A deployed template may be any text.
pub fn forwarders(template: &str) -> BTreeMap<String, BTreeSet<String>> {
    let template: Value = serde_json::from_str(template).unwrap_or_default();
    resources(&template)
        .filter_map(|(logical_id, resource)| {
            let Item::Forwarder(_) = item(logical_id, resource)? else {
                return None;
            };
            let mut sources = sources(resource);
            if sources.is_empty() {
                // Forwarders of earlier versions name no sources.
                sources = texts(resource.pointer("/Properties/EventPattern/source"));
            }
            Some((logical_id.clone(), sources))
        })
        .collect()
}

/// The sources that a forwarder names.
fn sources(resource: &Value) -> BTreeSet<String> {
    texts(resource.pointer("/Metadata/gizmos/forwards"))
}

fn texts(list: Option<&Value>) -> BTreeSet<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    let texts = list.filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

fn resources(template: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let resources = template.get("Resources").and_then(Value::as_object);
    resources.into_iter().flatten()
}

fn item(logical_id: &str, resource: &Value) -> Option<Item> {
    let rule = resource.pointer("/Metadata/gizmos/rule");
    if let Some(rule) = rule.and_then(Value::as_str) {
        return Some(Item::Rule(rule.to_owned()));
    }
    let group = resource.pointer("/Metadata/gizmos/group");
    if let Some(group) = group.and_then(Value::as_str) {
        return Some(Item::Forwarder(group.to_owned()));
    }
    // Forwarders of earlier versions name no group.
    let is_rule = resource.get("Type").and_then(Value::as_str) == Some("AWS::Events::Rule");
    (is_rule && logical_id.starts_with("Forward")).then(|| Item::Forwarder(logical_id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for part in SPLIT {
            for number in [1, 2, 10] {
                assert_eq!(parse(&name(part, number)), Some((part, number)));
            }
        }
        for other in [
            "gizmos-rules-hub-1",
            "gizmos-rules-hub-02",
            "gizmos-rules-hub-x",
            "gizmos-rules-hub-",
            "gizmos-topic",
            "rules-hub",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn any_text_can_be_a_template() {
        for text in [
            "",
            "[]",
            "{\"Resources\": []}",
            "{\"Resources\": {\"A\": 1}}",
        ] {
            assert!(carried(text).is_empty(), "{text}");
        }
    }
}
