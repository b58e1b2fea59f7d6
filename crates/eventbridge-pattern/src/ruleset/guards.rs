//! Guards: tests of a field that need only eight bytes.
//!
//! An event that has a string which an alternative is pinned to seldom satisfies the alternative's
//! other fields. Matching those means following pointers all over memory, so each pinned alternative
//! is stored with guards: conditions of the form "these bits of that register have these values". A
//! register sums up the value at one path in one way. Many fields are nothing but their guards.

use crate::leaves::Leaves;
use crate::term::{Except, Literal, Scalar, Term, TermList};

/// Ways to summarize a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    /// Its first eight bytes.
    Front,
    /// Its last eight bytes.
    Back,
    /// One bit for each pair of adjacent bytes in it, many to one.
    Pairs,
    /// One bit for which of the strings that the set knows it is, many to one, or which literal.
    Class,
}

const KINDS: [Kind; 4] = [Kind::Front, Kind::Back, Kind::Pairs, Kind::Class];

/// Bits of [`Kind::Class`] for strings that the set knows; a path that has no more of them has one
/// bit for each.
const STRINGS: u32 = 58;
/// Its bits for any other string, for numbers, and for no value.
const OTHER: u64 = 1 << 58;
const NUMBER: u64 = 1 << 59;
const ABSENT: u64 = 1 << 63;

/// Bytes above which pairs aren't worth collecting.
const LONG: usize = 40;

impl Kind {
    fn bit(self) -> u8 {
        1 << self as u8
    }

    /// What the register holds when the path has no value, or not of the right kind: no guard of
    /// that kind lets this pass. No byte of a UTF-8 text is 0xFF.
    fn nothing(self) -> u64 {
        match self {
            Kind::Front | Kind::Back => u64::MAX,
            Kind::Pairs => 0,
            Kind::Class => ABSENT,
        }
    }

    fn register(self, path: u32) -> u32 {
        path * 4 + self as u32
    }
}

/// A necessary condition of an alternative.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Guard {
    register: u32,
    /// Bits that matter.
    mask: u64,
    /// What they must be.
    bits: u64,
}

impl Guard {
    fn new(kind: Kind, path: u32, mask: u64, bits: u64) -> Guard {
        Guard {
            register: kind.register(path),
            mask,
            bits,
        }
    }

    /// The path and the ways of summing up that the guard needs, as a bit each.
    pub(super) fn needs(&self) -> Option<(u32, u8)> {
        (self.mask != 0).then_some((self.register / 4, 1 << (self.register % 4)))
    }
}

/// The guards of a field.
#[derive(Debug, Clone, Default)]
pub(super) struct Guards {
    /// The most selective one first.
    pub(super) all: Vec<Guard>,
    /// Whether the field is satisfied if they let pass; else they are only necessary.
    pub(super) are_enough: bool,
}

impl Guards {
    /// The guards of a field of nothing but exact strings.
    pub(super) fn of_values(path: u32, values: &[u32], classes: &Classes) -> Guards {
        let allowed = values
            .iter()
            .fold(0, |bits, value| bits | classes.bit(*value));
        Guards {
            all: vec![Guard::new(Kind::Class, path, !allowed, 0)],
            are_enough: classes.are_exact(path),
        }
    }

    /// The guards of any other field; none if its list isn't simple enough. `value` looks up
    /// the number of a string at the path.
    pub(super) fn of_terms(
        path: u32,
        list: &TermList,
        classes: &Classes,
        value: impl Fn(&str) -> Option<u32>,
    ) -> Guards {
        let front = |text: &str| {
            let bytes = text.as_bytes();
            let (bits, mask) = (first_eight(bytes), mask_of(bytes.len()));
            Guard::new(Kind::Front, path, mask, bits)
        };
        let back = |text: &str| {
            let bytes = text.as_bytes();
            let mask = mask_of(bytes.len()).swap_bytes();
            Guard::new(Kind::Back, path, mask, last_eight(bytes))
        };
        // A shorter value is filled up with zeros.
        let is_short = |text: &str| !text.is_empty() && text.len() <= 8 && !text.contains('\0');
        let bit = |text: &str| value(text).map(|value| classes.bit(value));
        let allowed = list
            .terms
            .iter()
            .try_fold(0, |bits, term| Some(bits | allowed(term, bit)?));
        if let (Some(allowed), true) = (allowed, classes.are_exact(path)) {
            return Guards {
                all: vec![Guard::new(Kind::Class, path, !allowed, 0)],
                are_enough: true,
            };
        }
        let (mut all, are_enough) = match list.terms.as_slice() {
            [Term::Prefix(prefix)] => (vec![front(prefix)], is_short(prefix)),
            [Term::Suffix(suffix)] => (vec![back(suffix)], is_short(suffix)),
            [Term::Wildcard(wildcard)] => {
                let (first, middle, last) = wildcard.parts();
                let pairs = middle.map_or(0, |piece| pairs(piece.as_bytes()));
                let guards = vec![
                    Guard::new(Kind::Pairs, path, pairs, pairs),
                    back(last),
                    front(first),
                ];
                let is_front = is_short(first) && last.is_empty();
                let is_back = first.is_empty() && is_short(last);
                (guards, wildcard.has_one_star() && (is_front || is_back))
            }
            _ => (Vec::new(), false),
        };
        all.retain(|guard| guard.mask != 0);
        Guards { all, are_enough }
    }
}

/// The classes of values that a term accepts, if classes are enough to decide.
fn allowed(term: &Term, bit: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    match term {
        Term::Text(text) => bit(text),
        Term::Literal(literal) => Some(literal_class(*literal)),
        Term::Exists => Some(!ABSENT),
        Term::Absent => Some(ABSENT),
        Term::Not(Except::Texts(texts)) => texts
            .iter()
            .try_fold(!ABSENT, |bits, text| Some(bits & !bit(text)?)),
        _ => None,
    }
}

/// The bits of strings in [`Kind::Class`].
#[derive(Debug, Clone, Default)]
pub(super) struct Classes {
    /// Per value.
    bits: Vec<u64>,
    /// Per path, how many values it has.
    counts: Vec<u32>,
}

impl Classes {
    /// The classes of values, given their paths.
    pub(super) fn of(paths_of_values: impl Iterator<Item = u32>, paths: usize) -> Classes {
        let mut counts = vec![0_u32; paths];
        let bits = paths_of_values
            .map(|path| {
                let count = counts.get_mut(path as usize);
                let number = count.map_or(0, |count| {
                    *count += 1;
                    *count - 1
                });
                1 << (number % STRINGS)
            })
            .collect();
        Classes { bits, counts }
    }

    #[inline]
    fn bit(&self, value: u32) -> u64 {
        self.bits.get(value as usize).copied().unwrap_or(OTHER)
    }

    /// Whether a path has any values.
    pub(super) fn has_some(&self, path: u32) -> bool {
        self.counts
            .get(path as usize)
            .is_some_and(|count| *count > 0)
    }

    /// Whether each value of a path has a bit of its own.
    fn are_exact(&self, path: u32) -> bool {
        self.counts
            .get(path as usize)
            .is_some_and(|count| *count <= STRINGS)
    }
}

fn mask_of(length: usize) -> u64 {
    if length >= 8 {
        u64::MAX
    } else {
        (1 << (length * 8)) - 1
    }
}

/// The first eight bytes; a shorter text is padded with zeros at its end.
#[inline]
fn first_eight(text: &[u8]) -> u64 {
    match text.first_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => text
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// The last eight bytes; a shorter text is padded with zeros at its beginning.
#[inline]
fn last_eight(text: &[u8]) -> u64 {
    match text.last_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => text
            .iter()
            .fold(0_u64, |word, byte| word >> 8 | u64::from(*byte) << 56),
    }
}

#[inline]
fn pairs(text: &[u8]) -> u64 {
    text.windows(2).fold(0, |bits, pair| match pair {
        [a, b] => bits | 1 << (u32::from(*a).wrapping_mul(29).wrapping_add(u32::from(*b)) & 63),
        _ => bits,
    })
}

fn literal_class(literal: Literal) -> u64 {
    match literal {
        Literal::True => 1 << 60,
        Literal::False => 1 << 61,
        Literal::Null => 1 << 62,
    }
}

/// The current event's values, summed up.
#[derive(Debug, Clone, Default)]
pub(super) struct Registers {
    /// Per path and kind: what it holds, and the bits that guards may look at: none if the path has
    /// several values or one in an array.
    registers: Vec<(u64, u64)>,
    written: Vec<u32>,
}

impl Registers {
    /// Starts an event of a set with this number of paths.
    pub(super) fn start(&mut self, paths: usize) {
        for path in self.written.drain(..) {
            for kind in KINDS {
                if let Some(slot) = self.registers.get_mut(kind.register(path) as usize) {
                    *slot = (kind.nothing(), u64::MAX);
                }
            }
        }
        while self.registers.len() < paths * KINDS.len() {
            for kind in KINDS {
                self.registers.push((kind.nothing(), u64::MAX));
            }
        }
    }

    /// Whether an alternative may fit.
    #[inline]
    pub(super) fn let_pass(&self, guard: &Guard) -> bool {
        self.registers
            .get(guard.register as usize)
            .is_none_or(|(bits, open)| (bits ^ guard.bits) & guard.mask & open == 0)
    }

    /// Sums up the values at a path in the ways that guards need; `known` is the
    /// number of the string, if the set knows it.
    #[inline]
    pub(super) fn write(
        &mut self,
        path: u32,
        needed: u8,
        event: &[u8],
        leaves: &Leaves,
        known: Option<u32>,
        classes: &Classes,
    ) {
        self.written.push(path);
        let value = match leaves.at(path as usize) {
            [index] => leaves
                .leaf(*index)
                .filter(|leaf| leaf.place == 0 && !leaf.has_empty_step)
                .map(|leaf| leaves.value(event, leaf)),
            _ => None,
        };
        for kind in KINDS {
            if needed & kind.bit() == 0 {
                continue;
            }
            let Some(slot) = self.registers.get_mut(kind.register(path) as usize) else {
                continue;
            };
            *slot = match (kind, value) {
                (_, None) => (0, 0),
                (Kind::Front, Some(Scalar::Text(text))) => (first_eight(text), u64::MAX),
                (Kind::Back, Some(Scalar::Text(text))) => (last_eight(text), u64::MAX),
                // A long text has most pairs.
                (Kind::Pairs, Some(Scalar::Text(text))) if text.len() > LONG => (0, 0),
                (Kind::Pairs, Some(Scalar::Text(text))) => (pairs(text), u64::MAX),
                (Kind::Class, Some(Scalar::Text(_))) => {
                    (known.map_or(OTHER, |value| classes.bit(value)), u64::MAX)
                }
                (Kind::Class, Some(Scalar::Literal(literal))) => (literal_class(literal), u64::MAX),
                (Kind::Class, Some(Scalar::Number(_))) => (NUMBER, u64::MAX),
                (_, Some(_)) => (kind.nothing(), u64::MAX),
            };
        }
    }
}
