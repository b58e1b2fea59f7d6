//! The terms of a field's list, and what one value of an event means to them.

use crate::address::{self, Range};
use crate::fold::Folded;
use crate::number::comparable;
use crate::wildcard::Wildcard;

/// `true`, `false`, `null`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Literal {
    True,
    False,
    Null,
}

/// A value that an event has at a path. Texts are bytes, since a matcher that took them for `str`
/// would check each one again for being UTF-8; comparing them as bytes is the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar<'a> {
    Text(&'a [u8]),
    /// The source text.
    Number(&'a [u8]),
    Literal(Literal),
}

/// One end of a numeric range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bound {
    pub(crate) value: f64,
    pub(crate) inclusive: bool,
}

/// What `anything-but` excludes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Except {
    Texts(Vec<String>),
    Numbers(Vec<f64>),
    Prefixes(Vec<String>),
    Suffixes(Vec<String>),
    Folded(Vec<Folded>),
    Wildcards(Vec<Wildcard>),
}

/// One alternative of a field's list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Term {
    Text(String),
    Literal(Literal),
    /// A number, and its value if it is comparable.
    Number(String, Option<f64>),
    /// An address range; a string that is an address literal is a range of one.
    Address(Range),
    Prefix(String),
    Suffix(String),
    FoldedPrefix(Folded),
    FoldedSuffix(Folded),
    Folded(Folded),
    Wildcard(Wildcard),
    Numeric(Option<Bound>, Option<Bound>),
    Exists,
    Absent,
    Not(Except),
}

impl Term {
    /// Whether the term makes comparable numbers of its path be compared as numbers only.
    fn is_numeric(&self) -> bool {
        matches!(
            self,
            Term::Number(_, Some(_)) | Term::Numeric(..) | Term::Not(Except::Numbers(_))
        )
    }
}

/// A field's list of terms.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TermList {
    pub(crate) terms: Vec<Term>,
    /// The terms' compact source texts, one each.
    pub(crate) sources: Vec<String>,
    pub(crate) has_numeric: bool,
    pub(crate) has_address: bool,
    /// One of the terms is `{"exists": false}`.
    pub(crate) allows_absence: bool,
    /// Some term needs a value.
    pub(crate) allows_presence: bool,
}

impl TermList {
    pub(crate) fn new(terms: Vec<Term>, sources: Vec<String>) -> TermList {
        TermList {
            has_numeric: terms.iter().any(Term::is_numeric),
            has_address: terms.iter().any(|term| matches!(term, Term::Address(_))),
            allows_absence: terms.contains(&Term::Absent),
            allows_presence: terms.iter().any(|term| *term != Term::Absent),
            terms,
            sources,
        }
    }

    /// The strings this list is made of, if it is made of nothing else (address literals are
    /// compared by value, so they aren't strings here).
    pub(crate) fn exact_texts(&self) -> Option<impl Iterator<Item = &str>> {
        let exact = self.terms.iter().all(|term| matches!(term, Term::Text(_)));
        exact.then(|| {
            self.terms.iter().filter_map(|term| match term {
                Term::Text(text) => Some(text.as_str()),
                _ => None,
            })
        })
    }

    /// Whether some term accepts the value.
    ///
    /// Terms of one path aren't independent, because event-ruler translates a value once for all
    /// of them: a comparable number, if any term is numeric, is only a number; a string that is an
    /// address literal, if any term is an address, is only an address.
    pub(crate) fn accepts(&self, value: Scalar<'_>) -> bool {
        let number = match value {
            Scalar::Number(text) if self.has_numeric => {
                std::str::from_utf8(text).ok().and_then(comparable)
            }
            _ => None,
        };
        if let Some(number) = number {
            return self.terms.iter().any(|term| accepts_number(term, number));
        }
        let literal;
        let address: Option<&[u8]> = match value {
            Scalar::Text(text) if self.has_address => {
                literal = address::literal(text);
                literal.as_ref().map(address::Digits::as_bytes)
            }
            Scalar::Number(text) if self.has_address => Some(text),
            _ => None,
        };
        self.terms.iter().any(|term| match (term, address) {
            (Term::Address(range), Some(digits)) => range.contains(digits),
            // A fraction that no double holds doesn't even match itself on the service, as recorded
            // for lists without a numeric term; event-ruler compares texts in any list.
            (Term::Number(_, None), _) if !self.has_numeric && is_fraction(value) => false,
            _ => accepts_value(term, value),
        })
    }
}

/// A number written with a fraction or an exponent.
fn is_fraction(value: Scalar<'_>) -> bool {
    matches!(value, Scalar::Number(text) if text.iter().any(|b| matches!(b, b'.' | b'e' | b'E')))
}

fn accepts_number(term: &Term, number: f64) -> bool {
    match term {
        Term::Exists => true,
        #[expect(
            clippy::float_cmp,
            reason = "equality of numbers is what the pattern asks for"
        )]
        Term::Number(_, Some(value)) => *value == number,
        Term::Numeric(low, high) => {
            low.is_none_or(|low| number > low.value || (low.inclusive && number >= low.value))
                && high.is_none_or(|high| {
                    number < high.value || (high.inclusive && number <= high.value)
                })
        }
        Term::Not(Except::Numbers(numbers)) => !numbers.contains(&number),
        Term::Not(_) => true,
        _ => false,
    }
}

fn accepts_value(term: &Term, value: Scalar<'_>) -> bool {
    match (term, value) {
        (Term::Exists, _) => true,
        (Term::Text(wanted), Scalar::Text(text)) => wanted.as_bytes() == text,
        (Term::Literal(wanted), Scalar::Literal(literal)) => *wanted == literal,
        (Term::Number(wanted, _), Scalar::Number(text)) => wanted.as_bytes() == text,
        (Term::Prefix(prefix), Scalar::Text(text)) => text.starts_with(prefix.as_bytes()),
        (Term::Suffix(suffix), Scalar::Text(text)) => text.ends_with(suffix.as_bytes()),
        (Term::FoldedPrefix(folded), Scalar::Text(text)) => folded.starts(text),
        (Term::FoldedSuffix(folded), Scalar::Text(text)) => folded.ends(text),
        (Term::Folded(folded), Scalar::Text(text)) => folded.equals(text),
        (Term::Wildcard(wildcard), Scalar::Text(text)) => wildcard.matches(text),
        (Term::Not(except), Scalar::Text(text)) => !excludes(except, text),
        (Term::Not(_), _) => true,
        _ => false,
    }
}

fn excludes(except: &Except, text: &[u8]) -> bool {
    match except {
        Except::Texts(texts) => texts.iter().any(|other| other.as_bytes() == text),
        Except::Numbers(_) => false,
        Except::Prefixes(prefixes) => prefixes
            .iter()
            .any(|prefix| text.starts_with(prefix.as_bytes())),
        Except::Suffixes(suffixes) => suffixes
            .iter()
            .any(|suffix| text.ends_with(suffix.as_bytes())),
        Except::Folded(folded) => folded.iter().any(|folded| folded.equals(text)),
        Except::Wildcards(wildcards) => wildcards.iter().any(|wildcard| wildcard.matches(text)),
    }
}
