//! Building a set: equal fields are shared, and each alternative is pinned to what it needs most.

use std::collections::HashMap;
use std::sync::Arc;

use super::guards::{Classes, Guard, Guards};
use super::{INLINE, Left, Part, PathPins, Pinned, RuleSet, SharedField, Test};
use crate::pattern::Pattern;
use crate::table::Table;
use crate::term::{Except, Term, TermList};
use crate::trie::Trie;

/// Collects the patterns of a [`RuleSet`].
#[derive(Debug, Clone, Default)]
pub struct RuleSetBuilder {
    trie: Trie,
    values: Table,
    fields: Vec<SharedField>,
    /// Fields by path, by whether they see empty steps, and by their terms' text.
    known: HashMap<(u32, bool, String), u32>,
    /// Ids and fields, in the order of their paths.
    alternatives: Vec<(usize, Vec<u32>)>,
}

/// What an alternative is tried on.
enum Pin {
    Values(u32),
    Presence(u32),
    Nothing,
}

/// An alternative that is about to be pinned, maybe at several values.
struct Waiting {
    gate: Guard,
    pinned: Pinned,
    left: (Vec<Guard>, Vec<u32>),
}

impl Waiting {
    /// An alternative whose `open` fields aren't known to hold when it is tried.
    fn of(id: usize, alternative: u32, open: &[u32], guards: &[Guards]) -> Waiting {
        let of = |number: &u32| guards.get(*number as usize);
        let mut all = open.iter().filter_map(of).flat_map(|guards| &guards.all);
        let gate = all.next().copied().unwrap_or_default();
        let inline = [(); INLINE].map(|()| all.next().copied().unwrap_or_default());
        let is_unguarded = |number: &&u32| !of(number).is_some_and(|guards| guards.are_enough);
        Waiting {
            gate,
            pinned: Pinned {
                id,
                alternative,
                guards: inline,
                left: Left::default(),
            },
            left: (
                all.copied().collect(),
                open.iter().filter(is_unguarded).copied().collect(),
            ),
        }
    }
}

/// The numbers of alternatives by what they are pinned to.
struct PinnedAt {
    values: Vec<Vec<u32>>,
    presence: Vec<Vec<u32>>,
    nothing: Vec<u32>,
}

impl PinnedAt {
    fn new(values: usize, paths: usize) -> PinnedAt {
        PinnedAt {
            values: vec![Vec::new(); values],
            presence: vec![Vec::new(); paths],
            nothing: Vec::new(),
        }
    }

    fn add(&mut self, pin: &Pin, number: u32, fields: &[SharedField]) {
        match pin {
            Pin::Nothing => self.nothing.push(number),
            Pin::Presence(path) => {
                if let Some(pins) = self.presence.get_mut(*path as usize) {
                    pins.push(number);
                }
            }
            Pin::Values(field) => {
                for value in values_of(fields.get(*field as usize)) {
                    if let Some(pins) = self.values.get_mut(*value as usize) {
                        pins.push(number);
                    }
                }
            }
        }
    }
}

impl RuleSetBuilder {
    /// Adds a pattern under an id. Several patterns may share one id.
    #[must_use]
    pub fn add(mut self, id: usize, pattern: &Pattern) -> Self {
        for alternative in pattern.alternatives.iter() {
            let fields = alternative
                .fields
                .iter()
                .map(|field| {
                    let path = self.trie.add(&field.path);
                    self.field(path, &field.list, alternative.uses_empty_step)
                })
                .collect();
            self.alternatives.push((id, fields));
        }
        self
    }

    fn field(&mut self, path: u32, list: &Arc<TermList>, sees_empty_steps: bool) -> u32 {
        let number = count(self.fields.len());
        let key = (path, sees_empty_steps, list.sources.join(","));
        match self.known.entry(key) {
            std::collections::hash_map::Entry::Occupied(known) => return *known.get(),
            std::collections::hash_map::Entry::Vacant(slot) => slot.insert(number),
        };
        // Guards distinguish values by these strings, so they are noted for every field.
        let mut values: Vec<u32> = list
            .terms
            .iter()
            .flat_map(texts)
            .map(|text| self.values.insert(path, text.as_bytes()))
            .collect();
        let test = if list.exact_texts().is_some() {
            values.sort_unstable();
            values.dedup();
            Test::Values(values.into())
        } else {
            Test::Terms(Arc::clone(list))
        };
        self.fields.push(SharedField {
            path,
            sees_empty_steps,
            allows_absence: list.allows_absence,
            test,
        });
        number
    }

    /// Builds the set.
    pub fn build(self) -> RuleSet {
        let RuleSetBuilder {
            mut trie,
            values,
            fields,
            mut alternatives,
            ..
        } = self;
        trie.finish();
        alternatives.sort_by_key(|(id, _)| *id);
        let crowds = Crowds::of(&fields, &alternatives, values.len(), trie.len());
        let classes = Classes::of(values.owners(), trie.len());
        let paths = (0..trie.len()).map(|path| PathPins {
            has_values: classes.has_some(count(path)),
            ..PathPins::default()
        });
        let mut set = RuleSet {
            paths: paths.collect(),
            ..RuleSet::default()
        };
        let guards: Vec<Guards> = fields
            .iter()
            .map(|field| match &field.test {
                Test::Values(numbers) => Guards::of_values(field.path, numbers, &classes),
                Test::Terms(list) => Guards::of_terms(field.path, list, &classes, |text| {
                    values.find(field.path, text.as_bytes())
                }),
            })
            .collect();
        let mut waiting = Vec::with_capacity(alternatives.len());
        let mut pinned_at = PinnedAt::new(values.len(), trie.len());
        for (number, (id, in_path_order)) in (0..).zip(alternatives) {
            let start = count(set.checks.len());
            let mut checks = in_path_order.clone();
            checks.sort_by_key(|number| crowds.rank(fields.get(*number as usize)));
            let pin = crowds.pin(&fields, &in_path_order);
            if let Pin::Values(pinned) = pin {
                // It holds whenever the alternative is tried, so it is checked last.
                checks.retain(|check| *check != pinned);
                checks.push(pinned);
            }
            let open = match pin {
                Pin::Values(_) => checks.get(..checks.len() - 1).unwrap_or_default(),
                Pin::Presence(_) | Pin::Nothing => &checks,
            };
            let open_guards = open
                .iter()
                .filter_map(|number| guards.get(*number as usize))
                .flat_map(|guards| &guards.all);
            for (path, kinds) in open_guards.filter_map(Guard::needs) {
                if let Some(path) = set.paths.get_mut(path as usize) {
                    path.registers |= kinds;
                }
            }
            waiting.push(Waiting::of(id, number, open, &guards));
            pinned_at.add(&pin, number, &fields);
            set.checks.extend(checks);
            set.in_path_order.extend(in_path_order);
            let end = count(set.checks.len());
            set.alternatives.push(Part { start, end });
        }
        set.pin_all(&waiting, pinned_at);
        RuleSet {
            trie,
            values,
            classes,
            fields,
            ..set
        }
    }
}

/// The strings that a term names as wholes.
fn texts(term: &Term) -> &[String] {
    match term {
        Term::Text(text) => std::slice::from_ref(text),
        Term::Not(Except::Texts(texts)) => texts,
        _ => &[],
    }
}

impl RuleSet {
    fn pin_all(&mut self, waiting: &[Waiting], pinned_at: PinnedAt) {
        for pins in pinned_at.values {
            let part = self.pin(waiting, &pins);
            self.by_value.push(part);
        }
        for (path, pins) in pinned_at.presence.into_iter().enumerate() {
            let part = self.pin(waiting, &pins);
            if let Some(path) = self.paths.get_mut(path) {
                path.by_presence = part;
            }
        }
        self.unpinned = self.pin(waiting, &pinned_at.nothing);
    }

    /// Adds alternatives that are tried together.
    fn pin(&mut self, waiting: &[Waiting], numbers: &[u32]) -> Part {
        let start = count(self.pins.len());
        for waiting in numbers
            .iter()
            .filter_map(|number| waiting.get(*number as usize))
        {
            let (guards, fields) = &waiting.left;
            let left = Left {
                guards: append(&mut self.guards, guards),
                fields: append(&mut self.unguarded, fields),
            };
            self.gates.push(waiting.gate);
            self.pins.push(Pinned {
                left,
                ..waiting.pinned
            });
        }
        Part {
            start,
            end: count(self.pins.len()),
        }
    }
}

fn append<T: Copy>(list: &mut Vec<T>, more: &[T]) -> Part {
    let start = count(list.len());
    list.extend_from_slice(more);
    Part {
        start,
        end: count(list.len()),
    }
}

/// Lists of a set stay below this: a pattern has at most 1,000 alternatives of 256 fields.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn values_of(field: Option<&SharedField>) -> &[u32] {
    match field.map(|field| &field.test) {
        Some(Test::Values(values)) => values,
        _ => &[],
    }
}

/// How many alternatives ask for the same: the fewer, the rarer it should be in events.
struct Crowds {
    /// Per value.
    values: Vec<usize>,
    /// Per path.
    paths: Vec<usize>,
    all: usize,
}

impl Crowds {
    fn of(
        fields: &[SharedField],
        alternatives: &[(usize, Vec<u32>)],
        values: usize,
        paths: usize,
    ) -> Crowds {
        let mut crowds = Crowds {
            values: vec![0; values],
            paths: vec![0; paths],
            all: alternatives.len(),
        };
        for number in alternatives.iter().flat_map(|(_, fields)| fields) {
            let field = fields.get(*number as usize);
            for value in values_of(field) {
                if let Some(crowd) = crowds.values.get_mut(*value as usize) {
                    *crowd += 1;
                }
            }
            if let Some(crowd) = field.and_then(|field| crowds.paths.get_mut(field.path as usize)) {
                *crowd += 1;
            }
        }
        crowds
    }

    fn of_values(&self, values: &[u32]) -> usize {
        values
            .iter()
            .filter_map(|value| self.values.get(*value as usize))
            .sum()
    }

    /// The field whose strings the fewest alternatives ask for, else the path that the fewest name.
    fn pin(&self, fields: &[SharedField], numbers: &[u32]) -> Pin {
        let field = |number: &u32| fields.get(*number as usize);
        let exact = |number: &&u32| {
            matches!(
                field(number),
                Some(SharedField {
                    test: Test::Values(_),
                    ..
                })
            )
        };
        if let Some(number) = numbers
            .iter()
            .filter(exact)
            .min_by_key(|number| self.of_values(values_of(field(number))))
        {
            return Pin::Values(*number);
        }
        numbers
            .iter()
            .filter_map(field)
            .filter(|field| !field.allows_absence)
            .map(|field| field.path)
            .min_by_key(|path| self.paths.get(*path as usize))
            .map_or(Pin::Nothing, Pin::Presence)
    }

    /// Fields that are likely to fail, and cheap, come first.
    fn rank(&self, field: Option<&SharedField>) -> usize {
        match field.map(|field| &field.test) {
            Some(Test::Values(values)) => self.of_values(values),
            Some(Test::Terms(list)) => {
                let is_narrow = |term: &Term| {
                    !matches!(
                        term,
                        Term::Not(_) | Term::Exists | Term::Absent | Term::Literal(_)
                    )
                };
                if list.terms.iter().all(is_narrow) {
                    1
                } else if list.terms.iter().any(|term| matches!(term, Term::Not(_))) {
                    self.all + 1
                } else {
                    self.all
                }
            }
            None => usize::MAX,
        }
    }
}
