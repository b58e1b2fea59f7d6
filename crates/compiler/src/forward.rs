//! Which events the spokes forward: the union of what rules match, in as few patterns as fit.
//!
//! An event must reach the hub once. Two forwarders that both match it would send it twice, and
//! every alert would come twice. So rules that may match the same event share a forwarder.

use std::collections::{BTreeMap, BTreeSet};

use pattern::Pattern;
use pattern::union::{Packed, pack};
use rules::Rule;
use serde_json::{Map, Value, json};
use syntax::Finding;

use crate::limits;
use crate::organization::Forward;

/// A rule on the default bus that sends events to the hub.
#[derive(Debug)]
pub(crate) struct Forwarder {
    pub(crate) pattern: Pattern,
    /// Whether it must see read-only calls.
    pub(crate) read_only: bool,
    /// Ids of the rules it serves.
    pub(crate) rules: Vec<String>,
}

/// Fields of which an event has one value each, so that two rules that name different ones never
/// match the same event.
const EXCLUSIVE: [&str; 4] = [
    "source",
    "detail-type",
    "detail.eventSource",
    "detail.eventName",
];

/// The forwarders for rules, in an order that doesn't depend on theirs.
pub(crate) fn forwarders(
    rules: &[&Rule],
    forward: Forward,
    findings: &mut Vec<Finding>,
) -> Vec<Forwarder> {
    let mut wanted: Vec<Wanted<'_>> = rules
        .iter()
        .filter_map(|rule| Wanted::new(rule, forward))
        .collect();
    wanted.sort_by(|a, b| a.key().cmp(&b.key()));

    let mut forwarders = Vec::new();
    for read_only in [false, true] {
        let mut bins: Vec<Unit> = Vec::new();
        for group in groups(&wanted) {
            // One rule that must see read-only calls is enough: its forwarder sees all others too.
            if group.iter().any(|wanted| wanted.rule.read_only) != read_only {
                continue;
            }
            for unit in units(&group, findings) {
                let merged = bins
                    .iter_mut()
                    .find_map(|bin| Some((bin.merged_with(&unit)?, bin)));
                match merged {
                    Some((merged, bin)) => *bin = merged,
                    None => bins.push(unit),
                }
            }
        }
        forwarders.extend(bins.into_iter().map(|unit| Forwarder {
            pattern: unit.union,
            read_only,
            rules: unit.rules.into_iter().collect(),
        }));
    }
    forwarders
}

/// Patterns that go into one forwarder.
struct Unit {
    rules: BTreeSet<String>,
    patterns: Vec<Pattern>,
    union: Pattern,
}

impl Unit {
    fn merged_with(&self, other: &Unit) -> Option<Unit> {
        let patterns: Vec<Pattern> = self
            .patterns
            .iter()
            .chain(&other.patterns)
            .cloned()
            .collect();
        let union = union(&patterns)?;
        let rules = self.rules.union(&other.rules).cloned().collect();
        Some(Unit {
            rules,
            patterns,
            union,
        })
    }
}

/// What one rule wants forwarded.
struct Wanted<'r> {
    rule: &'r Rule,
    pattern: Pattern,
}

impl<'r> Wanted<'r> {
    fn new(rule: &'r Rule, forward: Forward) -> Option<Self> {
        let pattern = match forward {
            Forward::Exact => rule.pattern.clone(),
            Forward::Broad => broad(&rule.pattern)?,
        };
        Some(Self { rule, pattern })
    }

    /// By content first: which ids rules have must not matter to the result.
    fn key(&self) -> (&str, bool, &str) {
        (self.pattern.text(), self.rule.read_only, &self.rule.id)
    }

    fn may_meet(&self, other: &Self) -> bool {
        EXCLUSIVE.iter().all(|path| {
            let (ours, theirs) = (
                self.pattern.exact_values(path),
                other.pattern.exact_values(path),
            );
            match ours.zip(theirs) {
                Some((ours, theirs)) => ours.iter().any(|value| theirs.contains(value)),
                None => true,
            }
        })
    }
}

/// The pattern by source, detail type, event source and event name alone, as far as the rule pins
/// them. A rule always pins its source.
fn broad(pattern: &Pattern) -> Option<Pattern> {
    let mut fields = Map::new();
    for path in EXCLUSIVE {
        let Some(mut values) = pattern.exact_values(path) else {
            continue;
        };
        values.sort();
        values.dedup();
        match path.split_once('.') {
            Some((parent, field)) => {
                let parent = fields.entry(parent).or_insert_with(|| json!({}));
                if let Some(parent) = parent.as_object_mut() {
                    parent.insert(field.to_owned(), json!(values));
                }
            }
            None => {
                fields.insert(path.to_owned(), json!(values));
            }
        }
    }
    Pattern::parse(&Value::Object(fields).to_string()).ok()
}

/// Rules that may match the same event, directly or through a third one.
fn groups<'w, 'r>(wanted: &'w [Wanted<'r>]) -> Vec<Vec<&'w Wanted<'r>>> {
    let mut group_of: Vec<usize> = (0..wanted.len()).collect();
    for (i, a) in wanted.iter().enumerate() {
        for (j, b) in wanted.iter().enumerate().take(i) {
            let pair = group_of.get(i).copied().zip(group_of.get(j).copied());
            let Some((ours, theirs)) =
                pair.filter(|(ours, theirs)| ours != theirs && a.may_meet(b))
            else {
                continue;
            };
            let (keep, drop) = (ours.min(theirs), ours.max(theirs));
            for group in group_of.iter_mut().filter(|group| **group == drop) {
                *group = keep;
            }
        }
    }
    let mut groups: BTreeMap<usize, Vec<&Wanted<'_>>> = BTreeMap::new();
    for (wanted, group) in wanted.iter().zip(group_of) {
        groups.entry(group).or_default().push(wanted);
    }
    groups.into_values().collect()
}

/// A group as one unit; exact if that fits, else by event names, since sending more costs a little
/// and sending twice alerts twice.
fn units(group: &[&Wanted<'_>], findings: &mut Vec<Finding>) -> Vec<Unit> {
    let ids = |members: &[&Wanted<'_>]| -> BTreeSet<String> {
        members
            .iter()
            .map(|wanted| wanted.rule.id.clone())
            .collect()
    };
    let patterns: Vec<Pattern> = group.iter().map(|wanted| wanted.pattern.clone()).collect();
    if let Some(union) = union(&patterns) {
        return vec![Unit {
            rules: ids(group),
            patterns,
            union,
        }];
    }
    let Some(first) = group.first() else {
        return Vec::new();
    };
    let broadened: Option<Vec<Pattern>> =
        group.iter().map(|wanted| broad(&wanted.pattern)).collect();
    let broadened = broadened.unwrap_or_default();
    let packed = pack(&broadened.iter().collect::<Vec<_>>(), limits::PATTERN).unwrap_or_default();
    let names = ids(group).into_iter().collect::<Vec<_>>().join("`, `");
    let what = match packed.len() {
        0 => {
            findings.push(
                Finding::error(
                    "forward::too-long",
                    format!(
                        "the patterns of `{names}` don't fit a forwarder of {} characters",
                        limits::PATTERN
                    ),
                )
                .at(first.rule.place.clone()),
            );
            return Vec::new();
        }
        1 => "all events of these names are forwarded",
        _ => "some alerts may come twice",
    };
    findings.push(
        Finding::warning(
            "forward::overlap",
            format!(
                "the patterns of `{names}` overlap and don't fit one forwarder together: {what}"
            ),
        )
        .at(first.rule.place.clone())
        .help("pin `detail-type` and `detail.eventName` in these rules, or join them"),
    );
    let unit = |packed: Packed| {
        let members: Vec<&Wanted<'_>> = packed
            .members
            .iter()
            .filter_map(|index| group.get(*index).copied())
            .collect();
        Unit {
            rules: ids(&members),
            patterns: vec![packed.pattern.clone()],
            union: packed.pattern,
        }
    };
    packed.into_iter().map(unit).collect()
}

/// The union as one pattern, if it fits.
fn union(patterns: &[Pattern]) -> Option<Pattern> {
    let patterns: Vec<&Pattern> = patterns.iter().collect();
    let mut packed = pack(&patterns, limits::PATTERN).ok()?;
    let only = packed.pop()?;
    packed.is_empty().then_some(only.pattern)
}
