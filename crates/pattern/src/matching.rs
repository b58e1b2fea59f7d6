//! Whether an alternative of a pattern fits an event: every field satisfied, and all of them from
//! the same elements of arrays.

use std::collections::{HashMap, HashSet};

use crate::error::EventError;
use crate::event::{Event, Leaves};
use crate::pattern::SubRule;

/// Steps after which an event counts as built to stall the matcher. An honest event of the
/// largest size stays far below.
const MAX_WORK: usize = 1_000_000;

/// What an event offers to one field of an alternative.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer<'a> {
    /// The leaves that the field's terms accept.
    pub(crate) accepted: &'a [usize],
    /// All leaves at the field's path that the pattern can see.
    pub(crate) present: &'a [usize],
    /// The field is satisfied by absence.
    pub(crate) allows_absence: bool,
}

impl Offer<'_> {
    /// Whether the field, taken alone, can be satisfied in some element.
    pub(crate) fn is_possible(&self) -> bool {
        !self.accepted.is_empty() || self.allows_absence
    }

    /// Whether the field, taken alone and over the whole event, is satisfied.
    fn is_satisfied(&self) -> bool {
        !self.accepted.is_empty() || (self.allows_absence && self.present.is_empty())
    }
}

/// Matches one alternative against an event.
pub(crate) fn matches(sub_rule: &SubRule, event: &Event) -> Result<bool, EventError> {
    let leaves = event.leaves();
    let mut found = Vec::with_capacity(sub_rule.fields.len());
    for field in &sub_rule.fields {
        let mut present = Vec::new();
        let mut accepted = Vec::new();
        for index in event.at(&field.path) {
            let Some(leaf) = leaves.leaf(*index) else {
                continue;
            };
            if leaf.has_empty_step && !sub_rule.uses_empty_step {
                continue;
            }
            present.push(*index);
            if field.leaf.allows_presence && field.leaf.accepts(leaves.value(event.source(), leaf))
            {
                accepted.push(*index);
            }
        }
        if accepted.is_empty() && !field.leaf.allows_absence {
            return Ok(false);
        }
        found.push((accepted, present, field.leaf.allows_absence));
    }
    let offers: Vec<Offer<'_>> = found
        .iter()
        .map(|(accepted, present, allows_absence)| Offer {
            accepted,
            present,
            allows_absence: *allows_absence,
        })
        .collect();
    fits(&offers, leaves)
}

/// Whether all fields can be satisfied together. The offers are in the order of their paths.
pub(crate) fn fits(offers: &[Offer<'_>], leaves: &Leaves) -> Result<bool, EventError> {
    if !offers.iter().all(Offer::is_possible) {
        return Ok(false);
    }
    let in_array = |index: &usize| leaves.leaf(*index).is_some_and(|leaf| leaf.place != 0);
    let in_arrays = offers
        .iter()
        .filter(|offer| offer.present.iter().any(in_array))
        .count();
    if in_arrays < 2 {
        // Nothing can contradict anything.
        return Ok(offers.iter().all(Offer::is_satisfied));
    }
    consistent(offers, leaves)
}

/// The elements of arrays that a partial match is tied to, as (array, index), by array.
type Ties = Vec<(usize, usize)>;

/// A field's leaves by where they are in arrays, sorted: leaves of one element stand together.
type Chains = Vec<Vec<(usize, usize)>>;

/// The search proper. Fields are taken in the order of their paths, and a set of ties is followed
/// for each way to satisfy the fields so far. Ties to arrays that no later field reaches are
/// dropped, which keeps the set as small as the event's arrays; only events that repeat a key
/// with arrays in it can multiply it, and those run into the limit.
fn consistent(offers: &[Offer<'_>], leaves: &Leaves) -> Result<bool, EventError> {
    let mut work = 0;
    let mut spend = |steps: usize| {
        work += steps;
        if work > MAX_WORK {
            Err(EventError::TooMuchWork)
        } else {
            Ok(())
        }
    };
    let mut fields: Vec<(Chains, Option<Chains>)> = Vec::with_capacity(offers.len());
    let mut last_use: HashMap<usize, usize> = HashMap::new();
    for (number, offer) in offers.iter().enumerate() {
        let mut chains = |indices: &[usize]| {
            let places: HashSet<usize> = indices
                .iter()
                .filter_map(|index| Some(leaves.leaf(*index)?.place))
                .collect();
            let mut chains = Chains::with_capacity(places.len());
            #[expect(clippy::iter_over_hash_type, reason = "sorted right below")]
            for place in places {
                let chain = leaves.chain(place);
                spend(chain.len() + 1)?;
                for (array, _) in &chain {
                    last_use.insert(*array, number);
                }
                chains.push(chain);
            }
            chains.sort_unstable();
            Ok(chains)
        };
        let accepted = chains(offer.accepted)?;
        let present = offer
            .allows_absence
            .then(|| chains(offer.present))
            .transpose()?;
        fields.push((accepted, present));
    }
    let mut partial: Vec<Ties> = vec![Ties::new()];
    for (number, (accepted, present)) in fields.iter().enumerate() {
        let is_last = number + 1 == fields.len();
        let mut next: Vec<Ties> = Vec::new();
        let mut add = |ties: &Ties, chain: &[(usize, usize)]| {
            let mut joined: Ties = ties.iter().chain(chain).copied().collect();
            joined.retain(|(array, _)| last_use.get(array).is_some_and(|last| *last > number));
            joined.sort_unstable();
            joined.dedup();
            next.push(joined);
        };
        for ties in &partial {
            let mut found = false;
            if let Some(present) = present {
                spend(1)?;
                if !each_consistent(present, ties, |_| Ok(false))? {
                    found = true;
                    add(ties, &[]);
                }
            }
            found |= each_consistent(accepted, ties, |chain| {
                spend(ties.len() + chain.len() + 1)?;
                add(ties, chain);
                Ok(!is_last)
            })?;
            if found && is_last {
                return Ok(true);
            }
        }
        next.sort_unstable();
        next.dedup();
        partial = next;
        if partial.is_empty() {
            return Ok(false);
        }
    }
    Ok(!partial.is_empty())
}

/// Visits the chains that don't contradict the ties until the visitor says `false`. Whether there
/// was one.
fn each_consistent(
    chains: &Chains,
    ties: &Ties,
    mut visit: impl FnMut(&[(usize, usize)]) -> Result<bool, EventError>,
) -> Result<bool, EventError> {
    let mut found = false;
    let mut ranges = vec![(chains.as_slice(), 0)];
    while let Some((range, depth)) = ranges.pop() {
        // All chains of a range agree in their first `depth` elements; shorter ones come first.
        let shorter = range.partition_point(|chain| chain.len() <= depth);
        let (ended, mut rest) = range.split_at(shorter);
        for chain in ended {
            found = true;
            if !visit(chain)? {
                return Ok(true);
            }
        }
        while let Some(head) = rest.first().and_then(|chain| chain.get(depth)).copied() {
            let array_end = rest.partition_point(|chain| {
                chain.get(depth).is_some_and(|(array, _)| *array <= head.0)
            });
            let (in_array, behind) = rest.split_at(array_end);
            let tied = ties
                .binary_search_by_key(&head.0, |(array, _)| *array)
                .ok()
                .and_then(|at| ties.get(at));
            if let Some((_, index)) = tied {
                let start = in_array
                    .partition_point(|chain| chain.get(depth).is_some_and(|(_, at)| at < index));
                let end = in_array
                    .partition_point(|chain| chain.get(depth).is_some_and(|(_, at)| at <= index));
                if let Some(element) = in_array
                    .get(start..end)
                    .filter(|element| !element.is_empty())
                {
                    ranges.push((element, depth + 1));
                }
                rest = behind;
            } else {
                let end = in_array
                    .partition_point(|chain| chain.get(depth).is_some_and(|at| *at <= head));
                let (element, _) = in_array.split_at(end);
                ranges.push((element, depth + 1));
                rest = rest.get(end..).unwrap_or_default();
            }
        }
    }
    Ok(found)
}
