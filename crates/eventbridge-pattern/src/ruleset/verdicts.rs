//! Verdicts of a set's fields on the current event, each computed when it is first needed.

use super::{RuleSet, SharedField, Test};
use crate::leaves::{Leaf, Leaves};
use crate::matching::Offer;
use crate::term::Scalar;

/// A field's verdict on an event, taken alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict(u32);

impl Verdict {
    /// Some value is accepted.
    const ACCEPTED: u32 = 1;
    /// Accepted, or satisfied by absence in some element at least.
    const POSSIBLE: u32 = 2;
    /// Accepted, or absent from the whole event as the field allows.
    const SATISFIED: u32 = 4;
    /// Some value at the path is in an element of an array.
    const IN_ARRAY: u32 = 8;
    /// Bits below the event's number.
    const BITS: u32 = 4;

    #[inline]
    pub(super) fn is_possible(self) -> bool {
        self.0 & Self::POSSIBLE != 0
    }

    #[inline]
    pub(super) fn is_satisfied(self) -> bool {
        self.0 & Self::SATISFIED != 0
    }

    #[inline]
    pub(super) fn is_in_array(self) -> bool {
        self.0 & Self::IN_ARRAY != 0
    }
}

/// Verdicts of the current event. Marks carry the number of the event that they are about, so that
/// nothing has to be cleared between two events.
#[derive(Debug, Clone, Default)]
pub(super) struct Verdicts {
    event: u32,
    /// Per field its verdict, and above it the number of the event.
    by_field: Vec<u32>,
    /// Per field what it accepts and sees, if its path has several values.
    lists: Vec<Lists>,
    /// Per leaf the number of its value plus one.
    known: Vec<u32>,
    /// Per value the event that had it.
    seen: Vec<u32>,
}

#[derive(Debug, Clone, Default)]
struct Lists {
    accepted: Vec<usize>,
    present: Vec<usize>,
}

impl Verdicts {
    /// Starts an event with this number of leaves.
    pub(super) fn start(&mut self, set: &RuleSet, leaves: usize) {
        self.event += 1;
        if self.event > u32::MAX >> Verdict::BITS {
            self.event = 1;
            self.by_field.fill(0);
            self.seen.fill(0);
        }
        if self.by_field.len() < set.fields.len() {
            self.by_field.resize(set.fields.len(), 0);
        }
        if self.seen.len() < set.by_value.len() {
            self.seen.resize(set.by_value.len(), 0);
        }
        self.known.clear();
        self.known.resize(leaves, 0);
    }

    /// Notes which value a leaf is.
    #[inline]
    pub(super) fn know(&mut self, leaf: usize, value: Option<u32>) {
        if let Some(known) = self.known.get_mut(leaf) {
            *known = value.map_or(0, |value| value + 1);
        }
    }

    /// The number of a leaf's value, if it is one that the set knows.
    #[inline]
    pub(super) fn value(&self, leaf: usize) -> Option<u32> {
        self.known.get(leaf)?.checked_sub(1)
    }

    /// Whether this is the first time that the event has a value.
    pub(super) fn is_first(&mut self, value: u32) -> bool {
        self.seen
            .get_mut(value as usize)
            .is_some_and(|seen| std::mem::replace(seen, self.event) != self.event)
    }

    /// A field's verdict.
    #[inline]
    pub(super) fn of(
        &mut self,
        set: &RuleSet,
        number: u32,
        event: &[u8],
        leaves: &Leaves,
    ) -> Verdict {
        let known = self.by_field.get(number as usize).copied();
        if let Some(known) = known
            && known >> Verdict::BITS == self.event
        {
            return Verdict(known);
        }
        self.judge(set, number, event, leaves)
    }

    fn judge(&mut self, set: &RuleSet, number: u32, event: &[u8], leaves: &Leaves) -> Verdict {
        let Some(field) = set.fields.get(number as usize) else {
            return Verdict(0);
        };
        let at = leaves.at(field.path as usize);
        let mut verdict = 0;
        let mut is_present = false;
        if let ([index], false) = (at, leaves.has_empty_steps()) {
            if let Some(leaf) = leaves.leaf(*index) {
                is_present = true;
                if self.accepts(field, *index, leaf, event, leaves) {
                    verdict |= Verdict::ACCEPTED;
                }
                if leaf.place != 0 {
                    verdict |= Verdict::IN_ARRAY;
                }
            }
        } else if !at.is_empty() {
            if self.lists.len() <= number as usize {
                self.lists.resize_with(set.fields.len(), Lists::default);
            }
            let mut lists = self
                .lists
                .get_mut(number as usize)
                .map(std::mem::take)
                .unwrap_or_default();
            lists.accepted.clear();
            lists.present.clear();
            for index in at {
                let Some(leaf) = leaves.leaf(*index) else {
                    continue;
                };
                if leaf.has_empty_step && !field.sees_empty_steps {
                    continue;
                }
                is_present = true;
                lists.present.push(*index);
                if self.accepts(field, *index, leaf, event, leaves) {
                    lists.accepted.push(*index);
                    verdict |= Verdict::ACCEPTED;
                }
                if leaf.place != 0 {
                    verdict |= Verdict::IN_ARRAY;
                }
            }
            if let Some(slot) = self.lists.get_mut(number as usize) {
                *slot = lists;
            }
        }
        if verdict & Verdict::ACCEPTED != 0 {
            verdict |= Verdict::POSSIBLE | Verdict::SATISFIED;
        } else if field.allows_absence {
            verdict |= Verdict::POSSIBLE;
            if !is_present {
                verdict |= Verdict::SATISFIED;
            }
        }
        if let Some(slot) = self.by_field.get_mut(number as usize) {
            *slot = self.event << Verdict::BITS | verdict;
        }
        Verdict(verdict)
    }

    #[inline]
    fn accepts(
        &self,
        field: &SharedField,
        index: usize,
        leaf: &Leaf,
        event: &[u8],
        leaves: &Leaves,
    ) -> bool {
        match &field.test {
            Test::Values(values) => self
                .value(index)
                .is_some_and(|value| is_among(value, values)),
            Test::Terms(terms) => {
                terms.allows_presence && {
                    let value: Scalar<'_> = leaves.value(event, leaf);
                    terms.accepts(value)
                }
            }
        }
    }

    /// What the event offers to a field with a verdict, if some of it is in arrays.
    pub(super) fn offer<'a>(
        &'a self,
        set: &RuleSet,
        number: u32,
        leaves: &'a Leaves,
    ) -> Option<Offer<'a>> {
        let field = set.fields.get(number as usize)?;
        let verdict = Verdict(*self.by_field.get(number as usize)?);
        if !verdict.is_in_array() {
            return None;
        }
        let at = leaves.at(field.path as usize);
        let allows_absence = field.allows_absence;
        Some(if at.len() == 1 && !leaves.has_empty_steps() {
            Offer {
                accepted: if verdict.0 & Verdict::ACCEPTED == 0 {
                    &[]
                } else {
                    at
                },
                present: at,
                allows_absence,
            }
        } else {
            let lists = self.lists.get(number as usize)?;
            Offer {
                accepted: &lists.accepted,
                present: &lists.present,
                allows_absence,
            }
        })
    }
}

#[inline]
fn is_among(value: u32, values: &[u32]) -> bool {
    if values.len() <= 8 {
        values.contains(&value)
    } else {
        values.binary_search(&value).is_ok()
    }
}
