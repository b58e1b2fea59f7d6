//! Many patterns against one event.

use crate::{EventError, Pattern};

/// Many patterns, matched at once.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {}

/// Collects the patterns of a [`RuleSet`].
#[derive(Debug, Clone, Default)]
pub struct RuleSetBuilder {}

/// Working memory of [`RuleSet::matches_with`], reused from event to event.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    ids: Vec<usize>,
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
    pub fn matches(&self, event: &[u8]) -> Result<Vec<usize>, EventError> {
        let mut scratch = Scratch::default();
        Ok(self.matches_with(event, &mut scratch)?.collect())
    }

    /// The ids of all patterns that match the event.
    pub fn matches_with<'a>(
        &self,
        _event: &[u8],
        scratch: &'a mut Scratch,
    ) -> Result<Matches<'a>, EventError> {
        Ok(Matches {
            ids: scratch.ids.iter().copied(),
        })
    }
}

impl RuleSetBuilder {
    /// Adds a pattern under an id. Several patterns may share one id.
    #[must_use]
    pub fn add(self, _id: usize, _pattern: &Pattern) -> Self {
        self
    }

    /// Builds the set.
    pub fn build(self) -> RuleSet {
        RuleSet {}
    }
}

impl Iterator for Matches<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.ids.next()
    }
}
