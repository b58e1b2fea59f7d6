//! The parsed event pattern.

use crate::{Event, PatternError};

/// The service's limits on one pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Characters of the pattern's compact text. The quota "event pattern size", which AWS can raise.
    pub characters: usize,
    /// Combinations that `$or` multiplies to.
    pub combinations: usize,
    /// Wildcard complexity.
    pub complexity: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            characters: 2048,
            combinations: 1000,
            complexity: 10,
        }
    }
}

/// An event pattern that `EventBridge` accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
}

impl Pattern {
    /// Parses and checks a pattern against the service's default [`Limits`].
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        Pattern::parse_within(text, &Limits::default())
    }

    /// Parses and checks a pattern against the given limits.
    pub fn parse_within(text: &str, _limits: &Limits) -> Result<Pattern, PatternError> {
        Ok(Pattern {
            text: text.to_owned(),
        })
    }

    /// The pattern as compact JSON, members in the order written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The pattern as compact JSON with members and alternatives sorted where order has no
    /// meaning: two patterns with the same canonical text match the same events.
    pub fn canonical(&self) -> String {
        self.text.clone()
    }

    /// Whether the event matches.
    pub fn matches(&self, _event: &Event) -> bool {
        false
    }

    /// Whether the event matches, or the error that it can't be told within bounded work.
    pub fn try_matches(&self, _event: &Event) -> Result<bool, crate::EventError> {
        Ok(false)
    }
}
