//! Why a pattern or an event was refused.

use thiserror::Error;

/// What kind of refusal a [`PatternError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PatternErrorKind {
    /// The text isn't JSON.
    Syntax,
    /// JSON, but not an event pattern.
    Refused,
    /// More characters than the service takes (2,048 unless the quota was raised).
    TooLong,
    /// `$or` multiplies to more than 1,000 combinations.
    TooManyCombinations,
    /// The wildcards' complexity is over 10.
    TooComplex,
    /// Nested deeper than this engine reads.
    TooDeep,
}

/// A pattern that `EventBridge` refuses, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
#[error("{message} (line {line}, column {column})")]
pub struct PatternError {
    /// What kind of refusal this is.
    pub kind: PatternErrorKind,
    /// The reason in the service's own words, the part of its answer that follows `Reason:`.
    pub message: String,
    /// JSON pointer (RFC 6901) to the offending member of the pattern; empty for the root.
    pub pointer: String,
    /// Byte offset into the pattern's text.
    pub offset: usize,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
}

/// An event that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EventError {
    /// The text isn't a JSON object.
    #[error("the event is not valid JSON: {message} at byte {offset}")]
    Syntax {
        /// What is wrong.
        message: String,
        /// Byte offset into the event.
        offset: usize,
    },
    /// Nested deeper than this engine reads.
    #[error("the event is nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
}

/// The matcher gave up: whether the event matches is undecided.
///
/// Only an event with many long arrays under the same path gets here: one that repeats a key, or
/// spells a path with dots in several ways. Anyone who can write events can cause this error, so
/// decide what it means where it occurs: an alert system should treat the event as a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[error(
    "undecided: the event has so many arrays under the same path that matching it takes too much work"
)]
pub struct TooMuchWork;
