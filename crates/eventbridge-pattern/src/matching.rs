//! Whether an event satisfies an alternative: every field satisfied, and all of them from
//! the same elements of arrays.

use crate::error::TooMuchWork;
use crate::event::Event;
use crate::leaves::Leaves;
use crate::pattern::{Alternative, Field};
use crate::term::Scalar;

/// Steps after which the search for one alternative gives up. Ordinary events of the largest size
/// take far fewer.
const MAX_WORK: usize = 1_000_000;

/// Steps after which all further searches for the same event give up.
const MAX_TOTAL_WORK: usize = 20_000_000;

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
    /// Whether the field, taken alone and over the whole event, is satisfied.
    fn is_satisfied(&self) -> bool {
        !self.accepted.is_empty() || (self.allows_absence && self.present.is_empty())
    }

    /// Whether some leaf is in an element of an array, so that it can contradict another.
    fn is_in_array(&self, leaves: &Leaves) -> bool {
        self.present
            .iter()
            .any(|index| leaves.leaf(*index).is_some_and(|leaf| leaf.place != 0))
    }
}

/// Matches one alternative against an event.
pub(crate) fn matches(
    alternative: &Alternative,
    event: &Event,
    search: &mut Search,
) -> Result<bool, TooMuchWork> {
    let leaves = event.leaves();
    let mut found = Vec::with_capacity(alternative.fields.len());
    for field in &alternative.fields {
        let mut present = Vec::new();
        let mut accepted = Vec::new();
        for (index, value) in visible(field, alternative, event) {
            present.push(index);
            if field.list.allows_presence && field.list.accepts(value) {
                accepted.push(index);
            }
        }
        if accepted.is_empty() && !field.list.allows_absence {
            return Ok(false);
        }
        found.push((accepted, present, field.list.allows_absence));
    }
    let offers: Vec<Offer<'_>> = found
        .iter()
        .map(|(accepted, present, allows_absence)| Offer {
            accepted,
            present,
            allows_absence: *allows_absence,
        })
        .collect();
    let (in_arrays, others): (Vec<Offer<'_>>, Vec<Offer<'_>>) =
        offers.iter().partition(|offer| offer.is_in_array(leaves));
    // What is in no array can't contradict anything.
    if !others.iter().all(Offer::is_satisfied) {
        return Ok(false);
    }
    if in_arrays.len() < 2 {
        return Ok(in_arrays.iter().all(Offer::is_satisfied));
    }
    search.is_consistent(in_arrays.into_iter(), leaves)
}

/// The leaves at a field's path that the pattern can see: their indices and values.
pub(crate) fn visible<'e>(
    field: &Field,
    alternative: &Alternative,
    event: &'e Event,
) -> impl Iterator<Item = (usize, Scalar<'e>)> {
    let leaves = event.leaves();
    let uses_empty_step = alternative.uses_empty_step;
    event.at(&field.path).iter().filter_map(move |index| {
        let leaf = leaves.leaf(*index)?;
        (uses_empty_step || !leaf.has_empty_step)
            .then(|| (*index, leaves.value(event.source(), leaf)))
    })
}

/// An element of an array: the array's number and the element's index.
type Element = (usize, usize);

/// A part of a buffer.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    fn of<T>(self, buffer: &[T]) -> &[T] {
        buffer.get(self.start..self.end).unwrap_or_default()
    }
}

/// The search for a way to satisfy fields together. Reused, it keeps its memory.
///
/// Fields are taken in the order of their paths, and a set of ties is followed for each way to
/// satisfy the fields so far: the elements of arrays that it has chosen. Ties to arrays that no
/// later field reaches are dropped, which keeps the set as small as the event's arrays; only events
/// with several arrays under one path can multiply it, and those run into the limit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    /// Where leaves are in arrays, outermost element first.
    elements: Vec<Element>,
    /// Per field the chains of its leaves, sorted: leaves of one element are adjacent.
    chains: Vec<Span>,
    fields: Vec<FieldChains>,
    places: Vec<usize>,
    /// Per array the last field that reaches it, and the search that noted it.
    last_use: Vec<(u64, usize)>,
    searches: u64,
    /// The ways so far, and those with one field more. Each is sorted by array.
    ways: Ways,
    next: Ways,
    ranges: Vec<(Span, usize)>,
    /// Steps taken in this search.
    work: usize,
    /// Steps taken in all searches for this event.
    total_work: usize,
}

#[derive(Debug, Clone, Copy)]
struct FieldChains {
    accepted: Span,
    /// For a field that is satisfied by absence: all leaves.
    present: Option<Span>,
}

#[derive(Debug, Clone, Default)]
struct Ways {
    ties: Vec<Element>,
    each: Vec<Span>,
}

impl Ways {
    fn clear(&mut self) {
        self.ties.clear();
        self.each.clear();
    }

    /// Sorts the ways and drops repeated ones.
    fn settle(&mut self) {
        let Ways { ties, each } = self;
        each.sort_unstable_by(|a, b| a.of(ties).cmp(b.of(ties)));
        each.dedup_by(|a, b| a.of(ties) == b.of(ties));
    }
}

impl Search {
    /// Starts a new event.
    pub(crate) fn start(&mut self) {
        self.total_work = 0;
    }

    fn spend(work: &mut usize, steps: usize) -> Result<(), TooMuchWork> {
        *work += steps;
        if *work > MAX_WORK {
            Err(TooMuchWork)
        } else {
            Ok(())
        }
    }

    /// Whether all fields can be satisfied together. The offers are in the order of their paths.
    pub(crate) fn is_consistent<'a>(
        &mut self,
        offers: impl Iterator<Item = Offer<'a>>,
        leaves: &Leaves,
    ) -> Result<bool, TooMuchWork> {
        if self.total_work > MAX_TOTAL_WORK {
            return Err(TooMuchWork);
        }
        self.work = 0;
        let result = self.load_and_search(offers, leaves);
        self.total_work += self.work;
        result
    }

    fn load_and_search<'a>(
        &mut self,
        offers: impl Iterator<Item = Offer<'a>>,
        leaves: &Leaves,
    ) -> Result<bool, TooMuchWork> {
        self.searches += 1;
        self.elements.clear();
        self.chains.clear();
        self.fields.clear();
        if self.last_use.len() < leaves.arrays() {
            self.last_use.resize(leaves.arrays(), (0, 0));
        }
        for (number, offer) in offers.enumerate() {
            let accepted = self.load(number, offer.accepted, leaves)?;
            let present = if offer.allows_absence {
                Some(self.load(number, offer.present, leaves)?)
            } else {
                None
            };
            self.fields.push(FieldChains { accepted, present });
        }
        self.search()
    }

    /// Notes where a field's leaves are.
    fn load(
        &mut self,
        number: usize,
        indices: &[usize],
        leaves: &Leaves,
    ) -> Result<Span, TooMuchWork> {
        self.places.clear();
        let place = |index: &usize| Some(leaves.leaf(*index)?.place);
        self.places.extend(indices.iter().filter_map(place));
        self.places.sort_unstable();
        self.places.dedup();
        let first = self.chains.len();
        for place in &self.places {
            let start = self.elements.len();
            leaves.chain(*place, &mut self.elements);
            let chain = self.elements.get_mut(start..).unwrap_or_default();
            Self::spend(&mut self.work, chain.len() + 1)?;
            chain.reverse();
            for (array, _) in chain {
                if let Some(last) = self.last_use.get_mut(*array) {
                    *last = (self.searches, number);
                }
            }
            self.chains.push(Span {
                start,
                end: self.elements.len(),
            });
        }
        let elements = &self.elements;
        if let Some(chains) = self.chains.get_mut(first..) {
            chains.sort_unstable_by(|a, b| a.of(elements).cmp(b.of(elements)));
        }
        Ok(Span {
            start: first,
            end: self.chains.len(),
        })
    }

    fn search(&mut self) -> Result<bool, TooMuchWork> {
        let Search {
            elements,
            chains,
            fields,
            last_use,
            searches,
            ways,
            next,
            ranges,
            work,
            ..
        } = self;
        ways.clear();
        ways.each.push(Span::default());
        for (number, field) in fields.iter().enumerate() {
            let is_last = number + 1 == fields.len();
            next.clear();
            let reached_later = |array: usize| {
                last_use
                    .get(array)
                    .is_some_and(|(search, last)| search == searches && *last > number)
            };
            let mut add = |ties: &[Element], chain: &[Element]| {
                let start = next.ties.len();
                let kept = ties.iter().chain(chain).copied();
                next.ties
                    .extend(kept.filter(|(array, _)| reached_later(*array)));
                if let Some(joined) = next.ties.get_mut(start..) {
                    joined.sort_unstable();
                }
                // An element that both name is there twice now.
                let mut end = start;
                for at in start..next.ties.len() {
                    let element = next.ties.get(at).copied();
                    if at == start || element != next.ties.get(end - 1).copied() {
                        if let (Some(element), Some(slot)) = (element, next.ties.get_mut(end)) {
                            *slot = element;
                        }
                        end += 1;
                    }
                }
                next.ties.truncate(end);
                next.each.push(Span { start, end });
            };
            for way in &ways.each {
                let ties = way.of(&ways.ties);
                let mut found = false;
                if let Some(present) = field.present {
                    Self::spend(work, 1)?;
                    let present = present.of(chains);
                    if !each_consistent(elements, present, ties, ranges, |_| Ok(false))? {
                        found = true;
                        add(ties, &[]);
                    }
                }
                let accepted = field.accepted.of(chains);
                found |= each_consistent(elements, accepted, ties, ranges, |chain| {
                    Self::spend(work, ties.len() + chain.len() + 1)?;
                    add(ties, chain);
                    Ok(!is_last)
                })?;
                if found && is_last {
                    return Ok(true);
                }
            }
            next.settle();
            std::mem::swap(ways, next);
            if ways.each.is_empty() {
                return Ok(false);
            }
        }
        Ok(!ways.each.is_empty())
    }
}

/// Visits the chains that don't contradict the ties until the visitor says `false`. Whether there
/// was one.
fn each_consistent(
    elements: &[Element],
    chains: &[Span],
    ties: &[Element],
    ranges: &mut Vec<(Span, usize)>,
    mut visit: impl FnMut(&[Element]) -> Result<bool, TooMuchWork>,
) -> Result<bool, TooMuchWork> {
    let element = |chain: &Span, depth: usize| chain.of(elements).get(depth).copied();
    let mut found = false;
    ranges.clear();
    let all = Span {
        start: 0,
        end: chains.len(),
    };
    ranges.push((all, 0));
    while let Some((range, depth)) = ranges.pop() {
        // All chains of a range agree in their first `depth` elements; shorter ones come first.
        let within = range.of(chains);
        let shorter = within.partition_point(|chain| chain.of(elements).len() <= depth);
        for chain in within.get(..shorter).unwrap_or_default() {
            found = true;
            if !visit(chain.of(elements))? {
                return Ok(true);
            }
        }
        let mut start = range.start + shorter;
        while let Some(head) = chains
            .get(start..range.end)
            .and_then(|rest| element(rest.first()?, depth))
        {
            let rest = chains.get(start..range.end).unwrap_or_default();
            let tied = ties
                .binary_search_by_key(&head.0, |(array, _)| *array)
                .ok()
                .and_then(|at| ties.get(at));
            if let Some((_, index)) = tied {
                let before = |limit: Element| {
                    rest.partition_point(|chain| element(chain, depth).is_some_and(|at| at < limit))
                };
                let from = before((head.0, *index));
                let to = before((head.0, *index + 1));
                if from < to {
                    let tied = Span {
                        start: start + from,
                        end: start + to,
                    };
                    ranges.push((tied, depth + 1));
                }
                start += before((head.0 + 1, 0));
            } else {
                let count = rest
                    .partition_point(|chain| element(chain, depth).is_some_and(|at| at <= head));
                let free = Span {
                    start,
                    end: start + count,
                };
                ranges.push((free, depth + 1));
                start += count;
            }
        }
    }
    Ok(found)
}
