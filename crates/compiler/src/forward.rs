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

    let groups = groups(&wanted);
    let mut forwarders = Vec::new();
    for read_only in [false, true] {
        // One rule that must see read-only calls is enough: its forwarder sees all others too.
        let units: Vec<Unit> = groups
            .iter()
            .filter(|group| group.iter().any(|wanted| wanted.rule.read_only) == read_only)
            .flat_map(|group| units(group, findings))
            .collect();
        forwarders.extend(filled(&units).into_iter().map(|unit| Forwarder {
            pattern: unit.union,
            read_only,
            rules: unit.rules.into_iter().collect(),
        }));
    }
    forwarders
}

/// Patterns that go into one forwarder.
#[derive(Clone)]
struct Unit {
    rules: BTreeSet<String>,
    patterns: Vec<Pattern>,
    union: Pattern,
}

impl Unit {
    fn of(units: &[Unit]) -> Option<Unit> {
        if let [only] = units {
            return Some(only.clone());
        }
        let patterns: Vec<Pattern> = units
            .iter()
            .flat_map(|unit| &unit.patterns)
            .cloned()
            .collect();
        Some(Unit {
            union: union(&patterns)?,
            rules: units.iter().flat_map(|unit| &unit.rules).cloned().collect(),
            patterns,
        })
    }
}

/// Fills one forwarder after the other with as many units as fit, in their order: by text, so that
/// those of one service stand together and share what they have in common.
///
/// Making a union costs more the larger it is, hence the search in steps that double until one
/// doesn't fit and halve after that.
fn filled(units: &[Unit]) -> Vec<Unit> {
    let mut full = Vec::new();
    let mut rest = units;
    while let Some(first) = rest.first() {
        let (mut count, mut best) = (1, first.clone());
        let mut step = 1;
        let mut growing = true;
        while step > 0 {
            let more = rest.get(..count + step).and_then(Unit::of);
            if let Some(more) = more {
                (count, best) = (count + step, more);
            } else {
                growing = false;
            }
            step = if growing { step * 2 } else { step / 2 };
        }
        full.push(best);
        rest = rest.get(count..).unwrap_or_default();
    }
    full
}

/// What one rule wants forwarded.
struct Wanted<'r> {
    rule: &'r Rule,
    pattern: Pattern,
    /// The values of each of the [`EXCLUSIVE`] fields, if it pins the field.
    pinned: Vec<Option<Vec<String>>>,
}

impl<'r> Wanted<'r> {
    fn new(rule: &'r Rule, forward: Forward) -> Option<Self> {
        let pattern = match forward {
            Forward::Exact => rule.pattern.clone(),
            Forward::Broad => broad(&rule.pattern)?,
        };
        let pinned = EXCLUSIVE
            .iter()
            .map(|path| pattern.exact_values(path))
            .collect();
        Some(Self {
            rule,
            pattern,
            pinned,
        })
    }

    /// By content first: which ids rules have must not matter to the result.
    fn key(&self) -> (&str, bool, &str) {
        (self.pattern.text(), self.rule.read_only, &self.rule.id)
    }

    fn may_meet(&self, other: &Self) -> bool {
        self.pinned
            .iter()
            .zip(&other.pinned)
            .all(|fields| match fields {
                (Some(ours), Some(theirs)) => ours.iter().any(|value| theirs.contains(value)),
                _ => true,
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
