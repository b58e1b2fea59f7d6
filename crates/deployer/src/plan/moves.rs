//! Rules that move from one stack set to another, and the order that keeps them deployed.
//!
//! A part of the alert chain whose rules don't fit into one template is several stack sets. No
//! request updates two of them, so a rule that moves is in both for a while or in neither. It must
//! be in both: the stack set that receives it is deployed, everywhere, before the other gives it.

use std::collections::{BTreeMap, BTreeSet};

use compiler::{ANY, Bundle, Item, OTHER, Part, StackSet, carried, forwarders, split_part};
use serde::Serialize;

use super::compare::moved_details;
use super::model::{Plan, RuleChange, RuleChangeKind};
use crate::fleet::Observed;

/// A rule or forwarder that moves from one stack set to another. While both have it, its alerts or
/// events come twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Move {
    /// What moves.
    pub item: Item,
    /// Name of the stack set that gives it.
    pub from: String,
    /// Name of the stack set that receives it first. The same for a forwarder that is replaced within
    /// its stack set.
    pub to: String,
    /// Estimated minutes during which both have it, including soaking.
    pub minutes: u64,
}

/// What the deployed stack sets and stacks of each name carry.
fn deployed<'o>(bundle: &Bundle, observed: &'o Observed) -> BTreeMap<&'o str, BTreeSet<Item>> {
    let sets = observed
        .owned_stack_sets(bundle)
        .map(|found| (&found.details.name, found.details.template.as_str()));
    let stacks = observed
        .owned_stacks(bundle)
        .filter_map(|found| Some((&found.stack.name, found.template.as_deref()?)));
    let mut all: BTreeMap<&str, BTreeSet<Item>> = BTreeMap::new();
    for (name, template) in sets.chain(stacks) {
        if split_part(name).is_some() {
            all.entry(name).or_default().extend(carried(template));
        }
    }
    all
}

/// The moves from the deployed stack sets to the bundle's, without estimates.
pub(super) fn moves(bundle: &Bundle, observed: &Observed) -> Vec<Move> {
    let before = deployed(bundle, observed);
    let mut after: BTreeMap<(Part, Item), &str> = BTreeMap::new();
    for set in &bundle.stack_sets {
        if let Some(part) = split_part(&set.name) {
            let items = carried(&set.template).into_iter();
            after.extend(items.map(|item| ((part, item), set.name.as_str())));
        }
    }
    let mut moves = Vec::new();
    for (name, items) in &before {
        let Some(part) = split_part(name) else {
            continue;
        };
        for item in items {
            let to = after.get(&(part, item.clone()));
            if let Some(to) = to.filter(|to| *to != name) {
                moves.push(Move {
                    item: item.clone(),
                    from: (*name).to_owned(),
                    to: (*to).to_owned(),
                    minutes: 0,
                });
            }
        }
    }
    moves.extend(replaced_forwarders(bundle, observed));
    moves.sort();
    moves.dedup();
    moves
}

/// Name of the stack set and logical id.
type ForwarderId = (String, String);

/// Forwarders by source.
type Forwarders = BTreeMap<String, BTreeSet<ForwarderId>>;

fn by_source<'t>(templates: impl Iterator<Item = (&'t String, &'t str)>) -> Forwarders {
    let mut all = Forwarders::new();
    for (name, template) in templates {
        if split_part(name) != Some(Part::RulesSpoke) {
            continue;
        }
        for (logical_id, sources) in forwarders(template) {
            for source in sources {
                let ids = all.entry(source).or_default();
                ids.insert((name.clone(), logical_id.clone()));
            }
        }
    }
    all
}

/// Sources whose events go from one forwarder to another. CloudFormation creates the new one before
/// it deletes the old one, so their events come twice in between.
fn replaced_forwarders(bundle: &Bundle, observed: &Observed) -> Vec<Move> {
    let deployed = observed
        .owned_stack_sets(bundle)
        .map(|found| (&found.details.name, found.details.template.as_str()));
    let old = by_source(deployed);
    let sets = bundle.stack_sets.iter();
    let new = by_source(sets.map(|set| (&set.name, set.template.as_str())));
    let none = BTreeSet::new();
    // By forwarders, and the stack sets that give and receive.
    let mut moves: BTreeMap<(Vec<ForwarderId>, String, String), Vec<String>> = BTreeMap::new();
    let sources: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for source in sources {
        // A source without a forwarder of its own is forwarded with all others, if it is.
        let ids = |all: &Forwarders| {
            let own = all.get(source);
            let shared = || [ANY, OTHER].iter().find_map(|it| all.get(*it));
            own.or_else(shared).unwrap_or(&none).clone()
        };
        let (old, new) = (ids(&old), ids(&new));
        for (from, _) in old.difference(&new) {
            for (to, _) in new.difference(&old) {
                let ids = old.iter().chain(&new).cloned().collect();
                let sources = moves.entry((ids, from.clone(), to.clone())).or_default();
                sources.push(source.clone());
            }
        }
    }
    // One line for the sources that have their forwarders in common.
    let line = |((_, from, to), mut sources): (_, Vec<String>)| {
        sources.dedup();
        Move {
            item: Item::Forwarder(sources.join(", ")),
            from,
            to,
            minutes: 0,
        }
    };
    moves.into_iter().map(line).collect()
}

/// Names of the stack sets that a stack set waits for: those it depends on, and those that receive
/// a rule from it.
pub(crate) fn waits_for<'p>(set: &'p StackSet, moves: &'p [Move]) -> BTreeSet<&'p str> {
    let depends_on = set.depends_on.iter().map(String::as_str);
    depends_on.chain(receivers(&set.name, moves)).collect()
}

/// Names of the stack sets that receive a rule from this one.
pub(crate) fn receivers<'p>(
    name: &'p str,
    moves: &'p [Move],
) -> impl Iterator<Item = &'p str> + use<'p> {
    let from_here = moves
        .iter()
        .filter(move |it| it.from == name && it.to != name);
    from_here.map(|it| it.to.as_str())
}

/// Says of rules that move that they do: in one stack set they would seem new, and gone in another.
pub(super) fn name_moves(plan: &mut Plan, bundle: &Bundle, observed: &Observed) {
    let moves = std::mem::take(&mut plan.moves);
    for it in &moves {
        let Item::Rule(rule) = &it.item else {
            continue;
        };
        let old = observed.stack_sets.get(&it.from);
        let old = old.map(|found| found.details.template.as_str());
        let new = bundle.stack_sets.iter().find(|set| set.name == it.to);
        let mut received = vec![format!("from {}", it.from)];
        if let (Some(old), Some(new)) = (old, new) {
            received.extend(moved_details(rule, new, old));
        }
        let given = vec![format!("to {}", it.to)];
        let sets = plan.stack_sets.iter_mut();
        let of_sets = sets.map(|set| (set.name.as_str(), &mut set.rules));
        let stacks = plan.stacks.iter_mut();
        let of_stacks = stacks.map(|stack| (stack.name.as_str(), &mut stack.rules));
        for (name, changes) in of_sets.chain(of_stacks) {
            for change in changes.iter_mut().filter(|change| change.rule == *rule) {
                rename(change, name == it.to, name == it.from, &received, &given);
            }
        }
    }
    plan.moves = moves;
}

fn rename(
    change: &mut RuleChange,
    receives: bool,
    gives: bool,
    received: &[String],
    given: &[String],
) {
    let details = match change.change {
        RuleChangeKind::Added if receives => received,
        RuleChangeKind::Removed if gives => given,
        _ => return,
    };
    change.change = RuleChangeKind::Moved;
    change.details = details.to_vec();
}
