//! Decides which events spokes forward: the union of what rules match, in as few patterns as
//! possible.
//!
//! An event must reach the hub exactly once. Two forwarders that match the same event would send it
//! twice, and every alert would be sent twice. So rules that may match the same event share a
//! forwarder.

use std::collections::{BTreeMap, BTreeSet};

use eventbridge_pattern::union::{Packed, pack};
use eventbridge_pattern::{Event, Pattern};
use rules::Rule;
use serde_json::{Map, Value, json};
use syntax::Diagnostic;

use crate::limits;
use crate::organization::Forward;

/// A rule on the default bus that sends events to the hub.
#[derive(Debug)]
pub(crate) struct Forwarder {
    pub(crate) pattern: Pattern,
    /// Whether it receives read-only calls.
    pub(crate) read_only: bool,
    /// Ids of the rules that need its events.
    pub(crate) rules: Vec<String>,
}

/// Fields with a single value per event. Rules that pin different values never match the same
/// event.
const EXCLUSIVE: [&str; 4] = [
    "source",
    "detail-type",
    "detail.eventSource",
    "detail.eventName",
];

/// Forwarders for the rules. Their order doesn't depend on the order of `rules`.
pub(crate) fn forwarders(
    rules: &[&Rule],
    forward: Forward,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Forwarder> {
    let mut wanted: Vec<Wanted<'_>> = rules
        .iter()
        .map(|rule| Wanted::new(rule, forward))
        .collect();
    wanted.sort_by(|a, b| a.key().cmp(&b.key()));

    let groups = groups(&wanted);
    let mut forwarders = Vec::new();
    for read_only in [false, true] {
        // A single rule that needs read-only calls is enough: its forwarder receives all other
        // calls too.
        let units: Vec<Unit> = groups
            .iter()
            .filter(|group| group.iter().any(|wanted| wanted.rule.read_only) == read_only)
            .flat_map(|group| units(group, diagnostics))
            .collect();
        forwarders.extend(filled(&units).into_iter().map(|unit| Forwarder {
            pattern: unit.union,
            read_only,
            rules: unit.rules.into_iter().collect(),
        }));
    }
    forwarders
}

/// Patterns that must share a forwarder.
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

/// Fills one forwarder after the other with as many units as fit. Units are sorted by text, so that
/// those of one service are adjacent and share common parts.
///
/// Computing a union gets more expensive with its size, so the search doubles its step until the
/// union doesn't fit, and then halves it.
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

/// The events that one rule needs.
struct Wanted<'r> {
    rule: &'r Rule,
    pattern: Pattern,
    /// The values of each [`EXCLUSIVE`] field; `None` if the rule doesn't pin it.
    pinned: Vec<Option<Vec<String>>>,
}

impl<'r> Wanted<'r> {
    fn new(rule: &'r Rule, forward: Forward) -> Self {
        let broadened = match forward {
            Forward::Exact => None,
            Forward::Broad => broad(&rule.pattern),
        };
        Self::with(rule, broadened.unwrap_or_else(|| rule.pattern.clone()))
    }

    fn with(rule: &'r Rule, pattern: Pattern) -> Self {
        let pinned = EXCLUSIVE
            .iter()
            .map(|path| pattern.exact_values(path))
            .collect();
        Self {
            rule,
            pattern,
            pinned,
        }
    }

    fn sources(&self) -> Option<&[String]> {
        self.pinned.first()?.as_deref()
    }

    /// Sorts by content before id, so that renaming a rule doesn't change the result.
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

/// The pattern reduced to the source, detail type, event source and event name that the rule pins.
/// `None` unless it pins the source and one of the others: the pattern would match far too much.
fn broad(pattern: &Pattern) -> Option<Pattern> {
    pattern.exact_values("source")?;
    let [_, detail_type, _, name] = EXCLUSIVE.map(|path| pattern.exact_values(path));
    let api_call = |name: &String| name == "AWS API Call via CloudTrail";
    if name.is_none() && detail_type?.iter().any(api_call) {
        return None;
    }
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

/// Groups of rules that may match the same event, transitively.
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

/// Splits a group into units of which no two match the same event, where possible.
fn units(group: &[&Wanted<'_>], diagnostics: &mut Vec<Diagnostic>) -> Vec<Unit> {
    if let Some(unit) = exact(group) {
        return vec![unit];
    }
    let Some(cells) = by_source(group) else {
        return coarse(group, diagnostics);
    };
    cells
        .iter()
        .flat_map(|cell| {
            let cell: Vec<&Wanted<'_>> = cell.iter().collect();
            exact(&cell).map_or_else(|| coarse(&cell, diagnostics), |unit| vec![unit])
        })
        .collect()
}

fn exact(group: &[&Wanted<'_>]) -> Option<Unit> {
    let patterns: Vec<Pattern> = group.iter().map(|wanted| wanted.pattern.clone()).collect();
    let union = union(&patterns)?;
    Some(Unit {
        rules: ids(group),
        patterns,
        union,
    })
}

fn ids(members: &[&Wanted<'_>]) -> BTreeSet<String> {
    members
        .iter()
        .map(|wanted| wanted.rule.id.clone())
        .collect()
}

/// Splits a group that is connected by rules for any source, such as one about the root user. Each
/// cell has the rules of some sources plus the wide rules restricted to these sources; the last
/// cell has the wide rules for all other sources. `None` if the group can't be split this way.
fn by_source<'r>(group: &[&Wanted<'r>]) -> Option<Vec<Vec<Wanted<'r>>>> {
    let mut cells: Vec<(BTreeSet<String>, Vec<Wanted<'r>>)> = Vec::new();
    for wanted in group {
        let Some(sources) = wanted.sources() else {
            continue;
        };
        let mut sources: BTreeSet<String> = sources.iter().cloned().collect();
        let mut members = vec![Wanted::with(wanted.rule, wanted.pattern.clone())];
        let (meeting, apart) = cells
            .into_iter()
            .partition(|(others, _)| !sources.is_disjoint(others));
        cells = apart;
        for (others, more) in meeting {
            sources.extend(others);
            members.extend(more);
        }
        cells.push((sources, members));
    }
    let wide = || group.iter().filter(|wanted| wanted.sources().is_none());
    let all: BTreeSet<String> = cells
        .iter()
        .flat_map(|(sources, _)| sources.clone())
        .collect();
    if all.is_empty() || wide().next().is_none() {
        return None;
    }
    cells.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut rest = Vec::new();
    for wanted in wide() {
        let terms = source_terms(&wanted.pattern)?;
        for (sources, members) in &mut cells {
            let matching: Vec<&String> = sources
                .iter()
                .filter(|source| matches(&terms, source))
                .collect();
            if !matching.is_empty() {
                let pattern = with_source(&wanted.pattern, json!(matching))?;
                members.push(Wanted::with(wanted.rule, pattern));
            }
        }
        // The rule's own terms can't be kept, since a field has a single list of alternatives. The
        // hub discards the surplus from sources other than AWS.
        let pattern = with_source(&wanted.pattern, json!([{"anything-but": all}]))?;
        rest.push(Wanted::with(wanted.rule, pattern));
    }
    let mut cells: Vec<Vec<Wanted<'r>>> = cells.into_iter().map(|(_, members)| members).collect();
    cells.push(rest);
    Some(cells)
}

/// The pattern's terms for the source, if they appear only at the top level.
fn source_terms(pattern: &Pattern) -> Option<Value> {
    let fields: Map<String, Value> = serde_json::from_str(pattern.text()).ok()?;
    let branches = fields.get("$or").and_then(Value::as_array);
    let elsewhere = branches.is_some_and(|branches| {
        branches
            .iter()
            .any(|branch| branch.to_string().contains("\"source\""))
    });
    fields.get("source").filter(|_| !elsewhere).cloned()
}

fn matches(terms: &Value, source: &str) -> bool {
    let pattern = Pattern::parse(&json!({"source": terms}).to_string());
    let event = Event::parse(&json!({"source": source}).to_string());
    matches!((pattern, event), (Ok(pattern), Ok(event)) if pattern.matches(&event) != Ok(false))
}

fn with_source(pattern: &Pattern, terms: Value) -> Option<Pattern> {
    let mut fields: Map<String, Value> = serde_json::from_str(pattern.text()).ok()?;
    fields.insert("source".to_owned(), terms);
    Pattern::parse(&Value::Object(fields).to_string()).ok()
}

/// Widens a group that doesn't fit: by event names if that is enough, otherwise by sources, since a
/// surplus costs little and duplicates alert twice. As a last resort, uses several forwarders.
fn coarse(group: &[&Wanted<'_>], diagnostics: &mut Vec<Diagnostic>) -> Vec<Unit> {
    let Some(first) = group.first() else {
        return Vec::new();
    };
    // A rule about everything that an identity does names no events, and is short already.
    let by_name = |wanted: &&Wanted<'_>| {
        Some(broad(&wanted.pattern).unwrap_or_else(|| wanted.pattern.clone()))
    };
    if let Some(unit) = widened(group, by_name) {
        return vec![unit];
    }
    let by_source = |wanted: &&Wanted<'_>| {
        let sources = wanted.sources()?;
        Pattern::parse(&json!({ "source": sources }).to_string()).ok()
    };
    let names = ids(group).into_iter().collect::<Vec<_>>().join("`, `");
    let patterns: Vec<&Pattern> = group.iter().map(|wanted| &wanted.pattern).collect();
    let (units, what) = match (widened(group, by_source), pack(&patterns, limits::PATTERN)) {
        (Some(unit), _) => (vec![unit], "all events of their sources are forwarded"),
        (None, Ok(packed)) => {
            let unit = |packed: Packed| {
                let members = packed.members.iter();
                let members: Vec<&Wanted<'_>> = members
                    .filter_map(|index| group.get(*index).copied())
                    .collect();
                Unit {
                    rules: ids(&members),
                    patterns: vec![packed.pattern.clone()],
                    union: packed.pattern,
                }
            };
            let units = packed.into_iter().map(unit).collect();
            (units, "some alerts may be sent twice")
        }
        (None, Err(error)) => {
            diagnostics.push(
                Diagnostic::error(
                    "forward::too-long",
                    format!("`{names}` can't be forwarded: {error}"),
                )
                .at(first.rule.location.clone()),
            );
            return Vec::new();
        }
    };
    diagnostics.push(
        Diagnostic::warning(
            "forward::overlap",
            format!("the patterns of `{names}` overlap and don't fit into one forwarder: {what}"),
        )
        .at(first.rule.location.clone())
        .help("pin `detail-type` and `detail.eventName` in these rules, or merge them"),
    );
    units
}

/// The group with every pattern widened, if all can be widened and their union fits.
fn widened<'g, 'r: 'g>(
    group: &'g [&'g Wanted<'r>],
    wider: impl Fn(&&'g Wanted<'r>) -> Option<Pattern>,
) -> Option<Unit> {
    let patterns: Vec<Pattern> = group.iter().map(wider).collect::<Option<_>>()?;
    let union = union(&patterns)?;
    Some(Unit {
        rules: ids(group),
        patterns,
        union,
    })
}

/// The union as a single pattern, if it fits.
fn union(patterns: &[Pattern]) -> Option<Pattern> {
    let patterns: Vec<&Pattern> = patterns.iter().collect();
    let mut packed = pack(&patterns, limits::PATTERN).ok()?;
    let only = packed.pop()?;
    packed.is_empty().then_some(only.pattern)
}
