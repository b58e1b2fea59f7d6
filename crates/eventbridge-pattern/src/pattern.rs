//! The parsed event pattern.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::complexity;
use crate::error::{PatternError, PatternErrorKind, TooMuchWork};
use crate::event::Event;
use crate::matching::{self, Search};
use crate::parse::{self, Parsed};
use crate::term::TermList;

/// The service's limits on one pattern.
///
/// Sources: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html> and
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Characters of the pattern's compact text: 2,048, a quota that AWS can raise.
    pub characters: usize,
    /// Combinations that `$or` multiplies to: 1,000.
    pub combinations: usize,
    /// Wildcard complexity: 10.
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

/// One field of an alternative.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) path: Arc<str>,
    pub(crate) list: Arc<TermList>,
}

/// One alternative: a conjunction of fields, in the order in which they are matched.
#[derive(Debug, Clone)]
pub(crate) struct Alternative {
    pub(crate) fields: Vec<Field>,
    /// Some path has an empty step that an event can reach.
    pub(crate) uses_empty_step: bool,
}

impl Alternative {
    pub(crate) fn new(mut fields: Vec<Field>) -> Alternative {
        fields.sort_by(|a, b| compare_paths(&a.path, &b.path));
        Alternative {
            uses_empty_step: fields.iter().any(|field| uses_empty_step(&field.path)),
            fields,
        }
    }
}

/// The order of paths: by UTF-16 units, as in Java.
pub(crate) fn compare_paths(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

/// Whether the path has an empty step. Trailing ones are lost when the service takes the path
/// apart, so that they can't be reached; a path that is nothing but an empty step can.
fn uses_empty_step(path: &str) -> bool {
    path.is_empty() || path.trim_end_matches('.').split('.').any(str::is_empty)
}

/// An event pattern that `EventBridge` accepts.
///
/// Two patterns are equal if their compact texts are.
#[derive(Clone)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(into = "String", try_from = "String")
)]
pub struct Pattern {
    text: Arc<str>,
    pub(crate) alternatives: Arc<[Alternative]>,
    pub(crate) overridden: Arc<BTreeSet<String>>,
    complexity: usize,
}

impl Pattern {
    /// Parses and checks a pattern against the service's default [`Limits`].
    ///
    /// # Errors
    /// What `PutRule` or `TestEventPattern` would refuse, in the service's own wording, and where.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        Pattern::parse_within(text, &Limits::default())
    }

    /// Parses and checks a pattern against the given limits.
    ///
    /// # Errors
    /// As [`Pattern::parse`].
    pub fn parse_within(text: &str, limits: &Limits) -> Result<Pattern, PatternError> {
        let (
            compact,
            Parsed {
                alternatives,
                overridden,
                first_wildcard,
            },
        ) = parse::parse(text, limits)?;
        let mut complexity = 0;
        if let Some(position) = first_wildcard {
            complexity = complexity::of(&alternatives, limits.complexity);
            if complexity > limits.complexity {
                let message = "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character";
                return Err(position.error(text, PatternErrorKind::TooComplex, message));
            }
        }
        Ok(Pattern {
            text: Arc::from(compact),
            alternatives: Arc::from(alternatives),
            overridden: Arc::new(overridden),
            complexity,
        })
    }

    /// The pattern as compact JSON, members in the order written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the event matches.
    ///
    /// # Errors
    /// [`TooMuchWork`] if the matcher gave up on some alternative and no other one matches.
    pub fn matches(&self, event: &Event) -> Result<bool, TooMuchWork> {
        let mut search = Search::default();
        let mut result = Ok(false);
        for alternative in self.alternatives.iter() {
            match matching::matches(alternative, event, &mut search) {
                Ok(false) => {}
                Ok(true) => return Ok(true),
                undecided => result = undecided,
            }
        }
        result
    }

    /// The wildcard complexity as the service counts it (its limit is 10): how many prefixes of
    /// wildcard operands the worst input keeps alive at once.
    pub fn complexity(&self) -> usize {
        self.complexity
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl std::hash::Hash for Pattern {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Pattern::parse(text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text().to_owned()
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Pattern::parse(&text)
    }
}
