//! Decides which events spokes forward: the union of what rules match, in as few patterns as
//! possible.
//!
//! An event must reach the hub exactly once. Two forwarders that match the same event would send it
//! twice, and every alert would be sent twice. So rules that may match the same event share a
//! forwarder.
//!
//! That must hold while a rule edit reaches the accounts, too. CloudFormation creates and updates the
//! resources of a stack in no order but that of `DependsOn`, and deletes others after that. So an
//! event must not go from a forwarder that stays to another one, unless the other one comes first.
//!
//! Therefore sources are in groups, each with a forwarder, and stay in the group that they are deployed
//! in: an edit changes the pattern of one forwarder in place. If a group's pattern gets too long, the
//! fewest sources leave it, and the others become a new group: its forwarder is created before that of
//! the old group is deleted, so their events come twice for a moment rather than not at all.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use eventbridge_pattern::union::{Packed, pack, single};
use eventbridge_pattern::{Event, Pattern};
use rules::Rule;
use serde_json::{Map, Value, json};
use syntax::Diagnostic;

use crate::deployed::{REPLAY_CLAUSE_LENGTH, with_replay_clause, without_replay_clause};
use crate::emit::{self, Attempt};
use crate::organization::Forward;
use crate::placement::Placement;
use crate::{limits, logical};

/// A rule on the default bus that sends events to the hub.
#[derive(Debug)]
pub(crate) struct Forwarder {
    /// The group of sources: a number, a hash of a single source, [`OTHER_GROUP`] or [`ANY_GROUP`].
    pub(crate) group: String,
    /// The sources of the group, or [`OTHER`] or [`ANY`].
    pub(crate) sources: Vec<String>,
    /// Unique among forwarders.
    pub(crate) logical_id: String,
    pub(crate) pattern: Pattern,
    /// Whether it receives read-only calls.
    pub(crate) read_only: bool,
    /// Ids of the rules that need its events.
    pub(crate) rules: Vec<String>,
}

/// In place of a source: all that no other forwarder is for.
pub const OTHER: &str = "other sources";
/// In place of a source: any, because a rule names its sources inside `$or`.
pub const ANY: &str = "any source";
/// The group for [`OTHER`].
pub(crate) const OTHER_GROUP: &str = "other";
/// The group for [`ANY`].
const ANY_GROUP: &str = "any";

/// Fields with a single value per event. Rules that pin different values never match the same
/// event.
const EXCLUSIVE: [&str; 4] = [
    "source",
    "detail-type",
    "detail.eventSource",
    "detail.eventName",
];

/// Unions of patterns that were computed before. Neither Regions nor placement change them, so
/// compiling the same rules again needs hardly any new ones.
#[derive(Debug, Default)]
pub(crate) struct Unions(Mutex<HashMap<String, Option<Pattern>>>);

impl Unions {
    /// The union as a single pattern, if it fits.
    fn of(&self, patterns: &[Pattern]) -> Option<Pattern> {
        let texts: Vec<&str> = patterns.iter().map(Pattern::text).collect();
        let key = texts.join("\n");
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let union = || single(&patterns.iter().collect::<Vec<_>>(), LONGEST);
        known.entry(key).or_insert_with(union).clone()
    }
}

/// Most characters of a union, to which the clause about replays is added.
const LONGEST: usize = limits::PATTERN - REPLAY_CLAUSE_LENGTH;

/// Forwarders for the rules. Their order doesn't depend on the order of `rules`.
///
/// The clause that leaves out replays is in every rule, so it is added to each union once: its room is
/// reserved before patterns are split. A rule with a clause of its own about replays keeps all of
/// them where they are.
pub(crate) fn forwarders(
    rules: &[&Rule],
    forward: Forward,
    placement: &Placement,
    unions: &Unions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Forwarder> {
    let wanted: Option<Vec<Wanted<'_>>> = rules
        .iter()
        .map(|rule| {
            Some(Wanted::new(
                rule,
                without_replay_clause(&rule.pattern)?,
                forward,
            ))
        })
        .collect();
    let Some(wanted) = wanted else {
        let kept = rules
            .iter()
            .map(|&rule| Wanted::new(rule, rule.pattern.clone(), forward));
        return united(kept.collect(), placement, unions, diagnostics);
    };
    let mut forwarders = united(wanted, placement, unions, diagnostics);
    for forwarder in &mut forwarders {
        if let Some(pattern) = with_replay_clause(&forwarder.pattern) {
            forwarder.pattern = pattern;
        }
    }
    forwarders
}

fn united(
    mut wanted: Vec<Wanted<'_>>,
    placement: &Placement,
    unions: &Unions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Forwarder> {
    wanted.sort_by(|a, b| a.key().cmp(&b.key()));

    let Some(by_source) = BySource::new(&wanted, unions) else {
        let group = Group {
            name: ANY_GROUP.to_owned(),
            sources: vec![ANY.to_owned()],
            members: wanted,
            unions,
        };
        return group.forwarders(diagnostics);
    };
    let mut forwarders: Vec<Forwarder> = by_source
        .rest()
        .into_iter()
        .flat_map(|group| group.forwarders(diagnostics))
        .collect();
    forwarders.extend(by_source.forwarders(placement, diagnostics));
    forwarders
}

/// The rules by source.
struct BySource<'w, 'r> {
    /// Rules about each source, restricted to it.
    narrow: BTreeMap<String, Vec<Wanted<'r>>>,
    /// Rules about any source.
    wide: Vec<(&'w Wanted<'r>, SourceTerms)>,
    unions: &'w Unions,
}

impl<'w, 'r> BySource<'w, 'r> {
    /// `None` if a rule can't be divided by source.
    fn new(wanted: &'w [Wanted<'r>], unions: &'w Unions) -> Option<Self> {
        let mut narrow: BTreeMap<String, Vec<Wanted<'r>>> = BTreeMap::new();
        let mut wide = Vec::new();
        for it in wanted {
            match (it.sources(), source_terms(&it.pattern)) {
                (None, SourceTerms::Nested) => return None,
                (None, terms) => wide.push((it, terms)),
                (Some([source]), _) => {
                    let rule = Wanted::with(it.rule, it.pattern.clone());
                    narrow.entry(source.clone()).or_default().push(rule);
                }
                (Some(_), SourceTerms::Nested) => return None,
                (Some(sources), _) => {
                    for source in sources {
                        let pattern = with_source(&it.pattern, json!([source]))?;
                        let rule = Wanted::with(it.rule, pattern);
                        narrow.entry(source.clone()).or_default().push(rule);
                    }
                }
            }
        }
        let by_source = BySource {
            narrow,
            wide,
            unions,
        };
        let rest = by_source.rest();
        let fits = |it: &Wanted<'_>| it.pattern.text().chars().count() <= LONGEST;
        rest.is_none_or(|rest| rest.members.iter().all(fits))
            .then_some(by_source)
    }

    /// The rules about any source, restricted to those that no other rule is about.
    fn rest(&self) -> Option<Group<'w, 'r>> {
        let all: Vec<&String> = self.narrow.keys().collect();
        let members: Vec<Wanted<'r>> = self
            .wide
            .iter()
            .filter_map(|(it, _)| {
                let pattern = if all.is_empty() {
                    it.pattern.clone()
                } else {
                    // The rule's own terms can't be kept, since a field has a single list of
                    // alternatives. The hub discards the surplus from sources other than AWS.
                    with_source(&it.pattern, json!([{"anything-but": all}]))?
                };
                Some(Wanted::with(it.rule, pattern))
            })
            .collect();
        (!members.is_empty()).then(|| Group {
            name: OTHER_GROUP.to_owned(),
            sources: vec![OTHER.to_owned()],
            members,
            unions: self.unions,
        })
    }

    /// The rules about these sources, as one group.
    fn group(&self, name: &str, sources: &[&str]) -> Group<'w, 'r> {
        let mut members = Vec::new();
        for source in sources {
            for it in self.narrow.get(*source).into_iter().flatten() {
                members.push(Wanted::with(it.rule, it.pattern.clone()));
            }
        }
        for (it, terms) in &self.wide {
            let matching: Vec<&&str> = sources.iter().filter(|it| terms.include(it)).collect();
            if !matching.is_empty()
                && let Some(pattern) = with_source(&it.pattern, json!(matching))
            {
                members.push(Wanted::with(it.rule, pattern));
            }
        }
        members.sort_by(|a, b| a.key().cmp(&b.key()));
        Group {
            name: name.to_owned(),
            sources: sources.iter().map(|&source| source.to_owned()).collect(),
            members,
            unions: self.unions,
        }
    }

    /// The forwarders of all groups.
    fn forwarders(
        &self,
        placement: &Placement,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<Forwarder> {
        let (sources, large): (Vec<&str>, Vec<&str>) = self
            .narrow
            .keys()
            .map(String::as_str)
            .partition(|source| self.group("", &[source]).fitting().is_some());
        let shards = emit::shards(
            &sources,
            |source| placement.groups_of(source),
            |number, sources| {
                let sources: Vec<&str> = sources.iter().map(|source| **source).collect();
                Ok(self.group(&number.to_string(), &sources).attempt())
            },
            |source| {
                Diagnostic::error(
                    "forward::too-long",
                    format!("the rules about {source} don't fit into a forwarder"),
                )
            },
        );
        let shards = shards.unwrap_or_else(|problems| {
            diagnostics.extend(problems);
            Vec::new()
        });
        let mut taken = placement.groups();
        taken.extend(shards.iter().map(|shard| shard.number));
        let mut forwarders = Vec::new();
        for shard in shards {
            let kept: BTreeSet<&str> = shard.items.iter().map(|source| **source).collect();
            let gives = self.narrow.keys().any(|source| {
                placement.groups_of(source).contains(&shard.number)
                    && !kept.contains(source.as_str())
            });
            if !gives {
                forwarders.extend(shard.rendered);
                continue;
            }
            let mut free = (1..=taken.len() + 1).filter(|number| !taken.contains(number));
            let number = free.next().unwrap_or(shard.number);
            taken.insert(number);
            let sources: Vec<&str> = kept.into_iter().collect();
            let group = self.group(&number.to_string(), &sources);
            forwarders.extend(group.forwarders(diagnostics));
        }
        for source in large {
            let group = self.group(&logical::hash(source), &[source]);
            forwarders.extend(group.forwarders(diagnostics));
        }
        forwarders
    }
}

/// The rules about some sources.
struct Group<'u, 'r> {
    /// Unique among groups.
    name: String,
    sources: Vec<String>,
    members: Vec<Wanted<'r>>,
    unions: &'u Unions,
}

impl Group<'_, '_> {
    /// At most one forwarder that receives read-only calls and one that doesn't; `None` if that
    /// doesn't fit.
    fn fitting(&self) -> Option<Vec<Forwarder>> {
        if self.least() > LONGEST {
            return None;
        }
        let groups = groups(&self.members);
        let mut forwarders = Vec::new();
        for read_only in [false, true] {
            let units: Vec<Unit> = groups
                .iter()
                .filter(|group| is_read_only(group) == read_only)
                .map(|group| exact(group, self.unions))
                .collect::<Option<_>>()?;
            if !units.is_empty() {
                let unit = Unit::of(&units, self.unions)?;
                forwarders.push(self.forwarder(read_only, unit, false, &groups));
            }
        }
        Some(forwarders)
    }

    fn attempt(&self) -> Attempt<Vec<Forwarder>> {
        let fitting = self.fitting();
        let lengths = fitting.iter().flatten();
        let lengths = lengths.map(|it| it.pattern.text().chars().count());
        Attempt {
            bytes: lengths.max().unwrap_or_default(),
            resources: 0,
            most: LONGEST,
            rendered: fitting,
        }
    }

    /// A length that no union of the patterns is shorter than: it has every event name.
    fn least(&self) -> usize {
        let names: BTreeSet<&String> = self
            .members
            .iter()
            .filter_map(|it| it.pinned.last()?.as_ref())
            .flatten()
            .collect();
        names.iter().map(|name| name.chars().count() + 2).sum()
    }

    /// As many forwarders as it takes.
    fn forwarders(&self, diagnostics: &mut Vec<Diagnostic>) -> Vec<Forwarder> {
        // Patterns may fit together although some of them don't: what all have is written once.
        if let Some(fitting) = self.fitting() {
            return fitting;
        }
        let groups = groups(&self.members);
        let mut forwarders = Vec::new();
        for read_only in [false, true] {
            let units: Vec<Unit> = groups
                .iter()
                .filter(|group| is_read_only(group) == read_only)
                .flat_map(|group| units(group, self.unions, diagnostics))
                .collect();
            let filled = filled(&units, self.unions);
            let is_part = filled.len() > 1;
            forwarders.extend(
                filled
                    .into_iter()
                    .map(|unit| self.forwarder(read_only, unit, is_part, &groups)),
            );
        }
        forwarders
    }

    fn forwarder(
        &self,
        read_only: bool,
        unit: Unit,
        is_part: bool,
        groups: &[Vec<&Wanted<'_>>],
    ) -> Forwarder {
        let mut content = String::new();
        if is_part {
            content.push_str(unit.union.text());
        }
        if self.name == OTHER_GROUP {
            // Its events go to another forwarder, or come from one, when the other sources change.
            let terms = self.members.first().map(|it| source_terms(&it.pattern));
            if let Some(SourceTerms::Some(terms)) = terms {
                content.push_str(&terms.to_string());
            }
        } else if !read_only && groups.iter().any(is_read_only) {
            // When a rule begins to need read-only calls, or to share events with one that does, its
            // events go from this forwarder to the other.
            let joined = groups.iter().filter(|group| is_read_only(group)).flatten();
            content.extend(joined.map(|it| it.pattern.text()));
        }
        let suffix = if content.is_empty() {
            String::new()
        } else {
            format!("x{}", logical::hash(&content))
        };
        let kind = if read_only { "ReadOnly" } else { "" };
        Forwarder {
            logical_id: format!("Forward{}{kind}{suffix}", self.name),
            group: self.name.clone(),
            sources: self.sources.clone(),
            pattern: unit.union,
            read_only,
            rules: unit.rules.into_iter().collect(),
        }
    }
}

/// A single rule that needs read-only calls is enough: its forwarder receives all other calls too.
fn is_read_only(group: &Vec<&Wanted<'_>>) -> bool {
    group.iter().any(|wanted| wanted.rule.read_only)
}

/// What a pattern says about the source.
enum SourceTerms {
    /// Nothing.
    None,
    /// This list of terms, at the top level.
    Some(Value),
    /// Something inside `$or`.
    Nested,
}

/// Patterns that must share a forwarder.
#[derive(Clone)]
struct Unit {
    rules: BTreeSet<String>,
    patterns: Vec<Pattern>,
    union: Pattern,
}

impl Unit {
    fn of(units: &[Unit], unions: &Unions) -> Option<Unit> {
        if let [only] = units {
            return Some(only.clone());
        }
        let patterns: Vec<Pattern> = units
            .iter()
            .flat_map(|unit| &unit.patterns)
            .cloned()
            .collect();
        Some(Unit {
            union: unions.of(&patterns)?,
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
fn filled(units: &[Unit], unions: &Unions) -> Vec<Unit> {
    let mut full = Vec::new();
    let mut rest = units;
    while let Some(first) = rest.first() {
        let (mut count, mut best) = (1, first.clone());
        let mut step = 1;
        let mut growing = true;
        while step > 0 {
            let more = rest.get(..count + step);
            let more = more.and_then(|units| Unit::of(units, unions));
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
    fn new(rule: &'r Rule, pattern: Pattern, forward: Forward) -> Self {
        let broadened = match forward {
            Forward::Exact => None,
            Forward::Broad => broad(&pattern),
        };
        Self::with(rule, broadened.unwrap_or(pattern))
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

/// A group as one unit, or as several of which no two match the same event, where possible.
fn units(group: &[&Wanted<'_>], unions: &Unions, diagnostics: &mut Vec<Diagnostic>) -> Vec<Unit> {
    if let Some(unit) = exact(group, unions) {
        return vec![unit];
    }
    coarse(group, unions, diagnostics)
}

fn exact(group: &[&Wanted<'_>], unions: &Unions) -> Option<Unit> {
    let patterns: Vec<Pattern> = group.iter().map(|wanted| wanted.pattern.clone()).collect();
    let union = unions.of(&patterns)?;
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

fn source_terms(pattern: &Pattern) -> SourceTerms {
    let fields: Map<String, Value> = serde_json::from_str(pattern.text()).unwrap_or_default();
    let branches = fields.get("$or").and_then(Value::as_array);
    let elsewhere = branches.is_some_and(|branches| {
        branches
            .iter()
            .any(|branch| branch.to_string().contains("\"source\""))
    });
    match fields.get("source") {
        _ if elsewhere => SourceTerms::Nested,
        Some(terms) => SourceTerms::Some(terms.clone()),
        None => SourceTerms::None,
    }
}

impl SourceTerms {
    fn include(&self, source: &str) -> bool {
        let SourceTerms::Some(terms) = self else {
            return true;
        };
        let pattern = Pattern::parse(&json!({"source": terms}).to_string());
        let event = Event::parse(&json!({"source": source}).to_string());
        matches!((pattern, event), (Ok(pattern), Ok(event)) if pattern.matches(&event) != Ok(false))
    }
}

fn with_source(pattern: &Pattern, terms: Value) -> Option<Pattern> {
    let mut fields: Map<String, Value> = serde_json::from_str(pattern.text()).ok()?;
    fields.insert("source".to_owned(), terms);
    Pattern::parse(&Value::Object(fields).to_string()).ok()
}

/// Widens a group that doesn't fit: by event names if that is enough, otherwise by sources, since a
/// surplus costs little and duplicates alert twice. As a last resort, uses several forwarders.
fn coarse(group: &[&Wanted<'_>], unions: &Unions, diagnostics: &mut Vec<Diagnostic>) -> Vec<Unit> {
    let Some(first) = group.first() else {
        return Vec::new();
    };
    // A rule about everything that an identity does names no events, and is short already.
    let by_name = |wanted: &&Wanted<'_>| {
        Some(broad(&wanted.pattern).unwrap_or_else(|| wanted.pattern.clone()))
    };
    if let Some(unit) = widened(group, unions, by_name) {
        return vec![unit];
    }
    let by_source = |wanted: &&Wanted<'_>| {
        let sources = wanted.sources()?;
        Pattern::parse(&json!({ "source": sources }).to_string()).ok()
    };
    let names = ids(group).into_iter().collect::<Vec<_>>().join("`, `");
    let patterns: Vec<&Pattern> = group.iter().map(|wanted| &wanted.pattern).collect();
    let (units, what) = match (widened(group, unions, by_source), pack(&patterns, LONGEST)) {
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
    unions: &Unions,
    wider: impl Fn(&&'g Wanted<'r>) -> Option<Pattern>,
) -> Option<Unit> {
    let patterns: Vec<Pattern> = group.iter().map(wider).collect::<Option<_>>()?;
    let union = unions.of(&patterns)?;
    Some(Unit {
        rules: ids(group),
        patterns,
        union,
    })
}
