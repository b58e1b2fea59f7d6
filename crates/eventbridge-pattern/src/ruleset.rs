//! Many patterns against one event.

mod build;
mod guards;
mod verdicts;

use std::sync::Arc;

use crate::error::{EventError, TooMuchWork};
use crate::leaves::Leaves;
use crate::matching::Search;
use crate::reader;
use crate::table::Table;
use crate::term::{Scalar, TermList};
use crate::trie::Trie;

pub use build::RuleSetBuilder;
use guards::{Classes, Guard, Registers};
use verdicts::Verdicts;

/// Many patterns, matched at once: an event's bytes in, the ids of the matching patterns out.
///
/// Reads an event's bytes once, and only the parts that some pattern names more closely. A pattern costs nothing until an event has one of the strings that it needs at its most
/// selective field; equal fields of several patterns are matched once per event. With working memory
/// reused, nothing is allocated per event.
///
/// # What is checked of an event
///
/// It is one JSON object in UTF-8, nested no deeper than 1,000 levels, and all that some pattern
/// names is checked like [`crate::Event::parse`] does. Of values that no pattern names, only
/// strings (they end, and have no control characters) and brackets (as many close as open) are checked. For an event that [`crate::Event::parse`]
/// accepts, the result is that of
/// matching each pattern alone, except that patterns share one budget of work: a set may leave a pattern
/// undecided that alone is not.
///
/// ```
/// use eventbridge_pattern::{Pattern, RuleSet, Scratch};
///
/// let s3 = Pattern::parse(r#"{"source": ["aws.s3"]}"#)?;
/// let any = Pattern::parse(r#"{"source": [{"prefix": "aws."}]}"#)?;
/// let rules = RuleSet::builder().add(7, &s3).add(8, &any).build();
/// let mut scratch = Scratch::default();
/// let matches = rules.matches(br#"{"source": "aws.s3"}"#, &mut scratch)?;
/// assert_eq!(matches.decided()?, [7, 8]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    trie: Trie,
    /// The exact strings that some field is pinned to, owned by their path.
    values: Table,
    paths: Vec<PathPins>,
    classes: Classes,
    /// Per value, the alternatives that are tried when an event has it.
    by_value: Vec<Part>,
    /// Alternatives where they are pinned; the parts above point here.
    pins: Vec<Pinned>,
    /// The first guard of each of them: most alternatives stop here, so these are kept close together.
    gates: Vec<Guard>,
    /// Alternatives that are tried on every event.
    unpinned: Part,
    fields: Vec<SharedField>,
    /// Conjunctions of fields: parts of `checks` and `in_path_order`.
    alternatives: Vec<Part>,
    /// The alternatives' fields, those that are likely to fail first.
    checks: Vec<u32>,
    /// The same in the order of their paths.
    in_path_order: Vec<u32>,
    /// Guards that have no room where their alternative is pinned. Like `unguarded` in the
    /// order of `pins`, so that what is read together is stored together.
    guards: Vec<Guard>,
    /// Fields that guards don't decide.
    unguarded: Vec<u32>,
}

/// A part of a list.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    start: u32,
    end: u32,
}

impl Part {
    #[inline]
    fn of<T>(self, list: &[T]) -> &[T] {
        list.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// An alternative where it is pinned, with necessary conditions.
#[derive(Debug, Clone, Copy)]
struct Pinned {
    id: usize,
    alternative: u32,
    guards: [Guard; INLINE],
    /// The rest of the work for a plain event: guards that have no room here, and fields.
    left: Left,
}

/// Parts of [`RuleSet::guards`] and [`RuleSet::unguarded`].
#[derive(Debug, Clone, Copy, Default)]
struct Left {
    guards: Part,
    fields: Part,
}

/// Guards stored with the pinned alternative, besides the first one.
const INLINE: usize = 2;

#[derive(Debug, Clone, Copy, Default)]
struct PathPins {
    /// Whether some field is pinned to exact strings here.
    has_values: bool,
    /// How guards need its value summed up, one bit each.
    registers: u8,
    /// Alternatives that are tried when an event has any value here.
    by_presence: Part,
}

/// A field that alternatives share, matched once per event.
#[derive(Debug, Clone)]
struct SharedField {
    path: u32,
    sees_empty_steps: bool,
    allows_absence: bool,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    /// Nothing but exact strings: their numbers in [`RuleSet::values`], sorted.
    Values(Box<[u32]>),
    Terms(Arc<TermList>),
}

/// Working memory of [`RuleSet::matches`], to be reused from event to event (and from set to
/// set).
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    reader: reader::Memory,
    leaves: Leaves,
    matched: Vec<usize>,
    undecided: Vec<usize>,
    registers: Registers,
    verdicts: Verdicts,
    search: Search,
}

/// A [`RuleSet`]'s answer for one event: ids in ascending order, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Matches<'a> {
    matched: &'a [usize],
    undecided: &'a [usize],
}

impl<'a> Matches<'a> {
    /// The patterns that match.
    pub fn matched(&self) -> &'a [usize] {
        self.matched
    }

    /// The patterns on which the matcher gave up, see [`TooMuchWork`]. Any of them may match.
    pub fn undecided(&self) -> &'a [usize] {
        self.undecided
    }

    /// The patterns that match or may match: first those that do.
    pub fn possible(&self) -> impl Iterator<Item = usize> + use<'a> {
        self.matched.iter().chain(self.undecided).copied()
    }

    /// The patterns that match, if all were decided.
    ///
    /// # Errors
    /// [`TooMuchWork`] if some pattern is undecided.
    pub fn decided(&self) -> Result<&'a [usize], TooMuchWork> {
        if self.undecided.is_empty() {
            Ok(self.matched)
        } else {
            Err(TooMuchWork)
        }
    }
}

impl RuleSet {
    /// Starts an empty set.
    pub fn builder() -> RuleSetBuilder {
        RuleSetBuilder::default()
    }

    /// Matches the event against all patterns.
    ///
    /// # Errors
    /// Bytes that aren't one JSON object in UTF-8, or that are nested too deep. An event on which
    /// the matcher gives up isn't an error: the result names the undecided patterns.
    pub fn matches<'a>(
        &self,
        event: &[u8],
        scratch: &'a mut Scratch,
    ) -> Result<Matches<'a>, EventError> {
        let Scratch {
            reader,
            leaves,
            matched,
            undecided,
            registers,
            verdicts,
            search,
        } = scratch;
        matched.clear();
        undecided.clear();
        reader::read(event, &self.trie, reader, leaves)?;
        registers.start(self.paths.len());
        verdicts.start(self, leaves.count());
        search.start();
        let mut trial = Trial {
            set: self,
            event,
            leaves,
            registers,
            verdicts,
            search,
            matched,
            undecided,
            is_plain: leaves.is_plain(),
        };
        trial.run();
        matched.sort_unstable();
        matched.dedup();
        if !undecided.is_empty() {
            // Another alternative of the same pattern may have matched.
            undecided.retain(|id| matched.binary_search(id).is_err());
            undecided.sort_unstable();
            undecided.dedup();
        }
        Ok(Matches { matched, undecided })
    }
}

/// One event against a set.
struct Trial<'a> {
    set: &'a RuleSet,
    event: &'a [u8],
    leaves: &'a Leaves,
    registers: &'a mut Registers,
    verdicts: &'a mut Verdicts,
    search: &'a mut Search,
    matched: &'a mut Vec<usize>,
    undecided: &'a mut Vec<usize>,
    is_plain: bool,
}

impl Trial<'_> {
    fn run(&mut self) {
        let set = self.set;
        let leaves = self.leaves;
        // All values first, because one path's value can lead to fields of other paths.
        for path in leaves.touched() {
            let Some(pins) = set.paths.get(*path) else {
                continue;
            };
            let mut known = None;
            if pins.has_values {
                for index in leaves.at(*path) {
                    if let Some(leaf) = leaves.leaf(*index)
                        && let Scalar::Text(text) = leaves.value(self.event, leaf)
                    {
                        known = set.values.find(owner(*path), text);
                        self.verdicts.know(*index, known);
                    }
                }
            }
            if pins.registers != 0 {
                self.registers.write(
                    owner(*path),
                    pins.registers,
                    self.event,
                    leaves,
                    known,
                    &set.classes,
                );
            }
        }
        self.try_all(set.unpinned);
        for path in leaves.touched() {
            let Some(pins) = set.paths.get(*path) else {
                continue;
            };
            self.try_all(pins.by_presence);
            if !pins.has_values {
                continue;
            }
            let at = leaves.at(*path);
            for index in at {
                if let Some(value) = self.verdicts.value(*index)
                    // An array may have a value many times.
                    && (at.len() == 1 || self.verdicts.is_first(value))
                    && let Some(part) = set.by_value.get(value as usize)
                {
                    self.try_all(*part);
                }
            }
        }
    }

    #[inline]
    fn try_all(&mut self, part: Part) {
        let set = self.set;
        for (gate, pinned) in part.of(&set.gates).iter().zip(part.of(&set.pins)) {
            if !self.registers.let_pass(gate) {
                continue;
            }
            let guards = &pinned.guards;
            if !guards.iter().all(|guard| self.registers.let_pass(guard)) {
                continue;
            }
            match self.fits(pinned) {
                Ok(true) => self.matched.push(pinned.id),
                Ok(false) => {}
                Err(TooMuchWork) => self.undecided.push(pinned.id),
            }
        }
    }

    /// Whether an alternative matches whose first guards let the event pass.
    #[inline]
    fn fits(&mut self, pinned: &Pinned) -> Result<bool, TooMuchWork> {
        let set = self.set;
        if !self.is_plain {
            return self.fits_anywhere(pinned.alternative);
        }
        let guards = pinned.left.guards.of(&set.guards);
        let fields = pinned.left.fields.of(&set.unguarded);
        Ok(guards.iter().all(|guard| self.registers.let_pass(guard))
            && fields.iter().all(|number| {
                self.verdicts
                    .of(set, *number, self.event, self.leaves)
                    .is_satisfied()
            }))
    }

    /// The same for an event with arrays, where fields can contradict each other.
    #[inline(never)]
    fn fits_anywhere(&mut self, alternative: u32) -> Result<bool, TooMuchWork> {
        let set = self.set;
        let Some(fields) = set.alternatives.get(alternative as usize) else {
            return Ok(false);
        };
        let mut in_arrays = 0;
        let mut all_satisfied = true;
        for number in fields.of(&set.checks) {
            let verdict = self.verdicts.of(set, *number, self.event, self.leaves);
            if !verdict.is_possible() {
                return Ok(false);
            }
            if verdict.is_in_array() {
                in_arrays += 1;
                all_satisfied &= verdict.is_satisfied();
            } else if !verdict.is_satisfied() {
                // What is in no array can't contradict anything.
                return Ok(false);
            }
        }
        if in_arrays < 2 {
            return Ok(all_satisfied);
        }
        self.is_consistent(*fields)
    }

    #[inline(never)]
    fn is_consistent(&mut self, fields: Part) -> Result<bool, TooMuchWork> {
        let offers = fields
            .of(&self.set.in_path_order)
            .iter()
            .filter_map(|number| self.verdicts.offer(self.set, *number, self.leaves));
        self.search.is_consistent(offers, self.leaves)
    }
}

/// A path as the owner of its values.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "a path's number was a u32 before it was an index"
)]
fn owner(path: usize) -> u32 {
    path as u32
}
