//! Many patterns against one event.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::EventError;
use crate::event::{Interest, Leaves, Paths};
use crate::matching::{Offer, fits};
use crate::pattern::Pattern;
use crate::term::{Leaf, Scalar};

/// Many patterns, matched at once: an event's bytes in, the ids of the matching patterns out.
///
/// Only the parts of an event that some pattern names are looked at. A pattern that pins a field
/// to exact strings costs nothing until an event has one of them; equal fields of several patterns
/// are judged once an event.
///
/// ```
/// use pattern::{Pattern, RuleSet, Scratch};
///
/// let s3 = Pattern::parse(r#"{"source": ["aws.s3"]}"#)?;
/// let any = Pattern::parse(r#"{"source": [{"prefix": "aws."}]}"#)?;
/// let rules = RuleSet::builder().add(7, &s3).add(8, &any).build();
/// let mut scratch = Scratch::default();
/// let ids: Vec<usize> = rules.matches_with(br#"{"source": "aws.s3"}"#, &mut scratch)?.collect();
/// assert_eq!(ids, [7, 8]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    paths: HashMap<String, Interest>,
    cells: Vec<Cell>,
    alternatives: Vec<Alternative>,
    /// Per path and string: the alternatives that need that string there.
    by_text: HashMap<usize, HashMap<String, Vec<usize>>>,
    /// The paths of `by_text`, sorted.
    text_paths: Vec<usize>,
    /// Alternatives that every event must be tried against.
    unpinned: Vec<usize>,
}

/// A field of one or many alternatives, judged once an event.
#[derive(Debug, Clone)]
struct Cell {
    path: usize,
    leaf: Arc<Leaf>,
    sees_empty_steps: bool,
}

#[derive(Debug, Clone)]
struct Alternative {
    id: usize,
    /// In the order of their paths.
    cells: Vec<usize>,
}

/// Collects the patterns of a [`RuleSet`].
#[derive(Debug, Clone, Default)]
pub struct RuleSetBuilder {
    set: RuleSet,
    path_count: usize,
    known_cells: HashMap<(usize, bool), Vec<usize>>,
}

/// Working memory of [`RuleSet::matches_with`], to be reused from event to event (and from set to
/// set).
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    leaves: Leaves,
    ids: Vec<usize>,
    candidates: Vec<usize>,
    judged: Vec<Judged>,
}

/// What a cell accepts of the current event.
#[derive(Debug, Clone, Default)]
struct Judged {
    done: bool,
    accepted: Vec<usize>,
    present: Vec<usize>,
}

/// The ids of the patterns that matched one event, ascending, each once.
#[derive(Debug, Clone)]
pub struct Matches<'a> {
    ids: std::iter::Copied<std::slice::Iter<'a, usize>>,
}

impl RuleSet {
    /// Starts an empty set.
    pub fn builder() -> RuleSetBuilder {
        RuleSetBuilder::default()
    }

    /// The ids of all patterns that match the event, with working memory of its own.
    ///
    /// # Errors
    /// As [`RuleSet::matches_with`].
    pub fn matches(&self, event: &[u8]) -> Result<Vec<usize>, EventError> {
        let mut scratch = Scratch::default();
        Ok(self.matches_with(event, &mut scratch)?.collect())
    }

    /// The ids of all patterns that match the event.
    ///
    /// # Errors
    /// Bytes that aren't one JSON object in UTF-8, nested too deep, or built to stall the matcher.
    pub fn matches_with<'a>(
        &self,
        event: &[u8],
        scratch: &'a mut Scratch,
    ) -> Result<Matches<'a>, EventError> {
        scratch.ids.clear();
        let source = std::str::from_utf8(event).map_err(|error| EventError::Syntax {
            message: "Invalid UTF-8".to_owned(),
            offset: error.valid_up_to(),
        })?;
        scratch.leaves.flatten(source, &mut Wanted(&self.paths))?;
        self.find_candidates(source, scratch);
        scratch
            .judged
            .resize_with(self.cells.len().max(scratch.judged.len()), Judged::default);
        for judged in &mut scratch.judged {
            judged.done = false;
        }
        for candidate in std::mem::take(&mut scratch.candidates).drain(..) {
            let Some(alternative) = self.alternatives.get(candidate) else {
                continue;
            };
            // Alternatives of one id stand together: one that matched settles the others.
            if scratch.ids.last() == Some(&alternative.id) {
                continue;
            }
            if self.fits(source, alternative, scratch)? {
                scratch.ids.push(alternative.id);
            }
        }
        scratch.ids.sort_unstable();
        scratch.ids.dedup();
        Ok(Matches {
            ids: scratch.ids.iter().copied(),
        })
    }

    fn find_candidates(&self, source: &str, scratch: &mut Scratch) {
        let Scratch {
            leaves, candidates, ..
        } = scratch;
        candidates.clear();
        candidates.extend_from_slice(&self.unpinned);
        for path in &self.text_paths {
            let Some(by_text) = self.by_text.get(path) else {
                continue;
            };
            for leaf in leaves
                .at(*path)
                .iter()
                .filter_map(|index| leaves.leaf(*index))
            {
                if let Scalar::Text(text) = leaves.value(source, leaf)
                    && let Some(found) = by_text.get(text)
                {
                    candidates.extend_from_slice(found);
                }
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
    }

    fn fits(
        &self,
        source: &str,
        alternative: &Alternative,
        scratch: &mut Scratch,
    ) -> Result<bool, EventError> {
        for number in &alternative.cells {
            let (Some(cell), Some(judged)) =
                (self.cells.get(*number), scratch.judged.get_mut(*number))
            else {
                return Ok(false);
            };
            if !judged.done {
                cell.judge(source, &scratch.leaves, judged);
            }
            if judged.accepted.is_empty() && !cell.leaf.allows_absence {
                return Ok(false);
            }
        }
        let offers: Vec<Offer<'_>> = alternative
            .cells
            .iter()
            .filter_map(|number| {
                let (cell, judged) = (self.cells.get(*number)?, scratch.judged.get(*number)?);
                let allows_absence = cell.leaf.allows_absence;
                Some(Offer {
                    accepted: &judged.accepted,
                    present: &judged.present,
                    allows_absence,
                })
            })
            .collect();
        fits(&offers, &scratch.leaves)
    }
}

impl Cell {
    fn judge(&self, source: &str, leaves: &Leaves, judged: &mut Judged) {
        judged.done = true;
        judged.accepted.clear();
        judged.present.clear();
        for index in leaves.at(self.path) {
            let Some(leaf) = leaves.leaf(*index) else {
                continue;
            };
            if leaf.has_empty_step && !self.sees_empty_steps {
                continue;
            }
            judged.present.push(*index);
            if self.leaf.allows_presence && self.leaf.accepts(leaves.value(source, leaf)) {
                judged.accepted.push(*index);
            }
        }
    }
}

/// The paths of a set, as the event reader wants them.
struct Wanted<'a>(&'a HashMap<String, Interest>);

impl Paths for Wanted<'_> {
    fn interest(&mut self, path: &str) -> Option<Interest> {
        self.0.get(path).copied()
    }
}

impl RuleSetBuilder {
    /// Adds a pattern under an id. Several patterns may share one id.
    #[must_use]
    pub fn add(mut self, id: usize, pattern: &Pattern) -> Self {
        for sub_rule in pattern.sub_rules.iter() {
            let cells = sub_rule
                .fields
                .iter()
                .map(|field| {
                    let path = self.path(&field.path);
                    self.cell(path, &field.leaf, sub_rule.uses_empty_step)
                })
                .collect();
            self.set.alternatives.push(Alternative { id, cells });
        }
        self
    }

    fn path(&mut self, path: &str) -> usize {
        for (dot, _) in path.match_indices('.') {
            let prefix = path.get(..dot).unwrap_or_default();
            let entry = self.set.paths.entry(prefix.to_owned());
            entry
                .or_insert(Interest {
                    leaf: None,
                    descend: true,
                })
                .descend = true;
        }
        let entry = self.set.paths.entry(path.to_owned()).or_insert(Interest {
            leaf: None,
            descend: false,
        });
        *entry.leaf.get_or_insert_with(|| {
            self.path_count += 1;
            self.path_count - 1
        })
    }

    fn cell(&mut self, path: usize, leaf: &Arc<Leaf>, sees_empty_steps: bool) -> usize {
        let known = self
            .known_cells
            .entry((path, sees_empty_steps))
            .or_default();
        let same = |number: &&usize| {
            self.set
                .cells
                .get(**number)
                .is_some_and(|cell| cell.leaf.sources == leaf.sources)
        };
        if let Some(number) = known.iter().find(same) {
            return *number;
        }
        let number = self.set.cells.len();
        known.push(number);
        self.set.cells.push(Cell {
            path,
            leaf: Arc::clone(leaf),
            sees_empty_steps,
        });
        number
    }

    /// Builds the set.
    pub fn build(self) -> RuleSet {
        let mut set = self.set;
        // How many alternatives would have to be tried for one string at one path.
        let mut crowd: HashMap<(usize, &str), usize> = HashMap::new();
        let cells = &set.cells;
        let texts = |number: &usize| {
            let cell: &Cell = cells.get(*number)?;
            let texts: Vec<&str> = cell.leaf.exact_texts()?.collect();
            Some((cell.path, texts))
        };
        set.alternatives.sort_by_key(|alternative| alternative.id);
        for alternative in &set.alternatives {
            for (path, texts) in alternative.cells.iter().filter_map(texts) {
                for text in texts {
                    *crowd.entry((path, text)).or_default() += 1;
                }
            }
        }
        for (number, alternative) in set.alternatives.iter().enumerate() {
            let cost = |(path, texts): &(usize, Vec<&str>)| -> usize {
                texts
                    .iter()
                    .filter_map(|text| crowd.get(&(*path, *text)))
                    .sum()
            };
            match alternative.cells.iter().filter_map(texts).min_by_key(cost) {
                None => set.unpinned.push(number),
                Some((path, texts)) => {
                    let by_text = set.by_text.entry(path).or_default();
                    for text in texts {
                        by_text.entry(text.to_owned()).or_default().push(number);
                    }
                }
            }
        }
        set.text_paths = set.by_text.keys().copied().collect();
        set.text_paths.sort_unstable();
        set
    }
}

impl Iterator for Matches<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.ids.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ids.size_hint()
    }
}

impl ExactSizeIterator for Matches<'_> {}
