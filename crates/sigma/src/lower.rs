//! Lowers a rule's test to terms of an event pattern, required or excluded.

use crate::expression::{Atom, Comparison, Network, Number, Regex, Test, TimePart, Written};
use crate::fields::{self, FieldKind};
use crate::glob;
use crate::loss::Losses;
use crate::regex_globs;
use crate::terms::{self, Exclusion, Match, Range, Term, TooHard};
use crate::text::{Piece, Shape, Text};

/// A comparison of a time part is expanded to at most this many values.
const MAX_TIMES: usize = 31;
/// An excluded address range is expanded to at most this many prefixes.
const MAX_PREFIXES: usize = 64;

/// Whether imported patterns ignore case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Case {
    /// Ignore case, as Sigma does, wherever EventBridge can.
    #[default]
    Ignore,
    /// Match the rule's spelling. Patterns are shorter, with a loss wherever a value has letters.
    Exact,
}

/// A lowered test.
pub(crate) enum Lowered {
    Terms(Vec<Term>),
    /// No event pattern can express the test. A loss says why.
    Dropped,
}

/// Options and collected losses.
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub(crate) case: Case,
    pub(crate) losses: Losses,
}

impl Context {
    /// Some value of the field must pass one of the tests.
    pub(crate) fn positive(&mut self, atom: &Atom) -> Lowered {
        let mut all = Vec::new();
        for test in &atom.tests {
            match self.one(&atom.field, test) {
                Lowered::Terms(terms) => {
                    for term in terms {
                        if !all.contains(&term) {
                            all.push(term);
                        }
                    }
                }
                Lowered::Dropped => return Lowered::Dropped,
            }
        }
        Lowered::Terms(all)
    }

    /// No value of the field may pass any of the tests.
    pub(crate) fn negative(&mut self, atom: &Atom) -> Result<Lowered, TooHard> {
        let field = &atom.field;
        let mut all = vec![Term::Exists, Term::Absent];
        let mut said = false;
        for test in &atom.tests {
            if let Lowered::Terms(terms) = self.none(field, test) {
                said = true;
                all = terms::meet(field, &all, &terms, &mut self.losses)?;
            }
        }
        Ok(if said {
            Lowered::Terms(all)
        } else {
            Lowered::Dropped
        })
    }

    fn drop(&mut self, field: &str, reason: &str) -> Lowered {
        self.losses
            .wider(format!("the test of `{field}` is left out: {reason}"));
        Lowered::Dropped
    }

    fn one(&mut self, field: &str, test: &Test) -> Lowered {
        let kind = fields::kind(field);
        let terms = match test {
            Test::Null => {
                if kind == FieldKind::Object {
                    self.losses.narrower(format!(
                        "`{field}` must be null; a record that lacks it doesn't match"
                    ));
                    return Lowered::Terms(vec![Term::Null]);
                }
                if kind == FieldKind::Open {
                    self.losses.wider(format!(
                        "if `{field}` is an object or an empty list, EventBridge treats it as absent"
                    ));
                }
                vec![Term::Null, Term::Absent]
            }
            Test::Exists => match kind {
                FieldKind::Object => return self.drop(field, EXISTING_OBJECT),
                FieldKind::Open => {
                    self.losses.narrower(format!(
                        "if `{field}` is an object or an empty list, EventBridge treats it as absent"
                    ));
                    vec![Term::Exists]
                }
                FieldKind::Text | FieldKind::Boolean => vec![Term::Exists],
            },
            Test::Value {
                text,
                cased,
                written: _,
            } => self.value(field, kind, text, *cased),
            Test::Regex(regex) => return self.regex(field, regex),
            Test::Cidr(network) => vec![Term::Cidr(network.clone())],
            Test::Compare(comparison, number) => {
                vec![Term::Range(range(*comparison, number))]
            }
            Test::Reference { .. } => return self.drop(field, REFERENCE),
            Test::Time {
                part,
                comparison,
                number,
            } => match times(field, *part, *comparison, *number) {
                Ok(texts) => texts
                    .into_iter()
                    .map(|text| Term::Text(Match::new(text.pieces, false)))
                    .collect(),
                Err(reason) => return self.drop(field, reason),
            },
        };
        Lowered::Terms(terms)
    }

    /// The text to compare with. CloudTrail writes event sources in lower case.
    fn compared(&mut self, field: &str, text: &Text, cased: bool) -> (Text, bool) {
        if field == "eventSource" && !cased {
            let pieces = text
                .pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Char(c) => Piece::Char(c.to_ascii_lowercase()),
                    other => *other,
                })
                .collect();
            return (Text { pieces }, false);
        }
        (text.clone(), !cased && self.case == Case::Ignore)
    }

    fn value(&mut self, field: &str, kind: FieldKind, text: &Text, cased: bool) -> Vec<Term> {
        if text.shape() == Shape::Any {
            if kind == FieldKind::Object {
                return vec![];
            }
            return vec![Term::NonNull];
        }
        let (text, fold) = self.compared(field, text, cased);
        if text.pieces.contains(&Piece::One) {
            self.losses.wider(format!(
                "`?` in `{text}` of `{field}` matches any number of characters"
            ));
        }
        let matched = Match::new(glob::widened(&text.pieces), fold);
        if self.case == Case::Exact && !cased && field != "eventSource" && text.has_letters() {
            self.losses.narrower(format!(
                "`{text}` of `{field}` is compared case-sensitively, as requested"
            ));
        }
        let mut terms = vec![Term::Text(matched)];
        if let Shape::Exact(exact) = text.shape() {
            if kind == FieldKind::Open
                && let Some(number) = Number::parse(&exact)
            {
                terms.push(Term::Number(number));
            }
            if kind != FieldKind::Text
                && let Some(value) = boolean(&exact)
            {
                terms.push(Term::Boolean(value));
            }
        }
        terms
    }

    fn regex(&mut self, field: &str, regex: &Regex) -> Lowered {
        let Some(texts) = regex_globs::texts(regex) else {
            return self.drop(field, REGEX);
        };
        if !regex.dot_all && regex_globs::has_dot(regex) {
            self.losses.wider(format!(
                "`.` in the regular expression of `{field}` also matches a line end"
            ));
        }
        let mut terms = Vec::new();
        for text in texts {
            if text.pieces.contains(&Piece::One) {
                self.losses.wider(format!(
                    "`.` in the regular expression of `{field}` matches any number of characters"
                ));
            }
            if self.case == Case::Exact && regex.ignore_case && text.has_letters() {
                self.losses.narrower(format!(
                    "the regular expression of `{field}` is compared case-sensitively, as requested"
                ));
            }
            let fold = regex.ignore_case && self.case == Case::Ignore;
            terms.push(Term::Text(Match::new(glob::widened(&text.pieces), fold)));
        }
        Lowered::Terms(terms)
    }

    /// The terms for values that fail one test.
    fn none(&mut self, field: &str, test: &Test) -> Lowered {
        let kind = fields::kind(field);
        let is_about_presence = matches!(test, Test::Null | Test::Exists);
        if kind == FieldKind::Open && !is_about_presence {
            self.losses.wider(format!(
                "if `{field}` is a list, one item that isn't excluded is enough"
            ));
        }
        let terms = match test {
            Test::Null => match kind {
                FieldKind::Object => return self.drop(field, EXISTING_OBJECT),
                FieldKind::Open => {
                    self.losses.narrower(format!(
                        "if `{field}` is an object or an empty list, EventBridge treats it as absent"
                    ));
                    vec![Term::NonNull]
                }
                FieldKind::Text | FieldKind::Boolean => vec![Term::NonNull],
            },
            Test::Exists => match kind {
                FieldKind::Object => return self.drop(field, EXISTING_OBJECT),
                FieldKind::Open => {
                    self.losses.wider(format!(
                        "if `{field}` is an object or an empty list, EventBridge treats it as absent"
                    ));
                    vec![Term::Absent]
                }
                FieldKind::Text | FieldKind::Boolean => vec![Term::Absent],
            },
            Test::Value {
                text,
                cased,
                written,
            } => return self.no_value(field, kind, text, *cased, *written),
            Test::Regex(regex) => return self.no_regex(field, regex),
            Test::Cidr(network) => match prefixes(network) {
                Some(prefixes) => {
                    self.losses.narrower(format!(
                        "a `{field}` that is not an address but begins like one in {} counts as one",
                        network.spelling
                    ));
                    not(prefixes
                        .iter()
                        .map(|prefix| Text::plain(prefix).starting())
                        .map(|text| Match::new(text.pieces, false)))
                }
                None => return self.drop(field, ADDRESSES),
            },
            // A numeric field has no texts, and `check` rejects text terms for it.
            Test::Compare(comparison, number) => {
                self.losses
                    .narrower(format!("a `{field}` that is not a number doesn't match"));
                vec![
                    Term::Range(range(comparison.opposite(), number)),
                    Term::Absent,
                ]
            }
            Test::Reference { .. } => return self.drop(field, REFERENCE),
            Test::Time {
                part,
                comparison,
                number,
            } => match times(field, *part, *comparison, *number) {
                Ok(texts) if texts.is_empty() => vec![Term::Exists, Term::Absent],
                Ok(texts) => not(texts.into_iter().map(|text| Match::new(text.pieces, false))),
                Err(reason) => return self.drop(field, reason),
            },
        };
        Lowered::Terms(terms)
    }

    fn no_value(
        &mut self,
        field: &str,
        kind: FieldKind,
        text: &Text,
        cased: bool,
        written: Written,
    ) -> Lowered {
        if text.shape() == Shape::Any {
            if kind == FieldKind::Object {
                return Lowered::Terms(vec![Term::Exists, Term::Absent]);
            }
            return Lowered::Terms(vec![Term::Null, Term::Absent]);
        }
        if text.pieces.contains(&Piece::One) {
            return self.drop(
                field,
                "`?` excludes texts of one length, which can't be expressed",
            );
        }
        let (text, fold) = self.compared(field, text, cased);
        if self.case == Case::Exact && !cased && field != "eventSource" && text.has_letters() {
            self.losses.wider(format!(
                "`{text}` of `{field}` is excluded case-sensitively, as requested"
            ));
        }
        let excluded = Exclusion::Text(Match::new(text.pieces.clone(), fold));
        let Shape::Exact(exact) = text.shape() else {
            return Lowered::Terms(vec![Term::Not(vec![excluded]), Term::Absent]);
        };
        if kind != FieldKind::Text
            && let Some(value) = boolean(&exact)
        {
            if kind == FieldKind::Boolean {
                return Lowered::Terms(vec![Term::Boolean(!value), Term::Null, Term::Absent]);
            }
            if written == Written::Boolean {
                self.losses.narrower(format!(
                    "`{field}` must be {}, its text, or missing; other values don't match",
                    !value
                ));
                let other = Match::exact(if value { "false" } else { "true" }, true);
                return Lowered::Terms(vec![
                    Term::Boolean(!value),
                    Term::Text(other),
                    Term::Null,
                    Term::Absent,
                ]);
            }
            self.losses.wider(format!(
                "the text `{exact}` is excluded from `{field}`, the boolean isn't"
            ));
        }
        if kind == FieldKind::Open
            && let Some(number) = Number::parse(&exact)
        {
            if written == Written::Number {
                self.losses.wider(format!(
                    "the number {exact} is excluded from `{field}`, the text isn't"
                ));
                return Lowered::Terms(vec![
                    Term::Not(vec![Exclusion::Number(number)]),
                    Term::Absent,
                ]);
            }
            self.losses.wider(format!(
                "the text `{exact}` is excluded from `{field}`, the number isn't"
            ));
        }
        Lowered::Terms(vec![Term::Not(vec![excluded]), Term::Absent])
    }

    fn no_regex(&mut self, field: &str, regex: &Regex) -> Lowered {
        let Some(texts) = regex_globs::texts(regex) else {
            return self.drop(field, REGEX);
        };
        let inexact = texts.iter().any(|text| text.pieces.contains(&Piece::One))
            || (!regex.dot_all && regex_globs::has_dot(regex));
        if inexact {
            return self.drop(
                field,
                "`.` excludes single characters, which can't be expressed",
            );
        }
        let fold = regex.ignore_case && self.case == Case::Ignore;
        if regex.ignore_case && !fold {
            self.losses.wider(format!(
                "the regular expression of `{field}` is excluded case-sensitively, as requested"
            ));
        }
        Lowered::Terms(not(texts
            .into_iter()
            .map(|text| Match::new(text.pieces, fold))))
    }
}

const EXISTING_OBJECT: &str =
    "it is an object, and EventBridge sees only the values inside objects";
const REFERENCE: &str = "an event pattern can't compare one field with another";
const REGEX: &str = "EventBridge has no regular expressions, and wildcards can't express this one";
const ADDRESSES: &str = "an event pattern can't exclude this address range";

fn not(texts: impl Iterator<Item = Match>) -> Vec<Term> {
    vec![
        Term::Not(texts.map(Exclusion::Text).collect()),
        Term::Absent,
    ]
}

fn boolean(text: &str) -> Option<bool> {
    [true, false]
        .into_iter()
        .find(|value| text.eq_ignore_ascii_case(if *value { "true" } else { "false" }))
}

fn range(comparison: Comparison, number: &Number) -> Range {
    let bound = |inclusive| Some((number.clone(), inclusive));
    match comparison {
        Comparison::Less => Range {
            high: bound(false),
            ..Range::default()
        },
        Comparison::LessOrEqual => Range {
            high: bound(true),
            ..Range::default()
        },
        Comparison::Greater => Range {
            low: bound(false),
            ..Range::default()
        },
        Comparison::GreaterOrEqual => Range {
            low: bound(true),
            ..Range::default()
        },
    }
}

/// The prefixes of the addresses in a range, in their usual spelling.
fn prefixes(network: &Network) -> Option<Vec<String>> {
    let std::net::IpAddr::V4(address) = network.address else {
        return None;
    };
    let bits = u32::from(network.bits);
    if bits == 0 {
        return None;
    }
    // Whole octets are fixed; the next one has a range of values.
    let octets = bits.div_ceil(8);
    let count = 1_usize.checked_shl(octets * 8 - bits)?;
    if count > MAX_PREFIXES {
        return None;
    }
    let mask = u32::MAX.checked_shl(32 - bits)?;
    let first = u32::from(address) & mask;
    let step = 1_u32.checked_shl(32 - octets * 8)?;
    let mut found = Vec::new();
    for index in 0..u32::try_from(count).ok()? {
        let address = std::net::Ipv4Addr::from(first.checked_add(step.checked_mul(index)?)?);
        let kept: Vec<String> = address
            .octets()
            .iter()
            .take(usize::try_from(octets).ok()?)
            .map(ToString::to_string)
            .collect();
        let dot = if octets < 4 { "." } else { "" };
        found.push(format!("{}{dot}", kept.join(".")));
    }
    Some(found)
}

/// Globs for times, `2026-11-23T03:04:05Z`, in which a part has the given values.
fn times(
    field: &str,
    part: TimePart,
    comparison: Option<Comparison>,
    number: i64,
) -> Result<Vec<Text>, &'static str> {
    if field != "eventTime" {
        return Err("only parts of `eventTime` can be derived from its text");
    }
    let (first, last) = match part {
        TimePart::Minute => (0, 59),
        TimePart::Hour => (0, 23),
        TimePart::Day => (1, 31),
        TimePart::Month => (1, 12),
        // CloudTrail began in 2013.
        TimePart::Year => (2013, 2099),
        TimePart::Week => return Err("the week can't be derived from the text of a time"),
    };
    let values: Vec<i64> = (first..=last)
        .filter(|value| match comparison {
            Some(comparison) => comparison.holds(value, &number),
            None => *value == number,
        })
        .collect();
    if values.len() > MAX_TIMES {
        return Err("the comparison of times has too many values to spell out");
    }
    let text = |value: i64| match part {
        TimePart::Minute => format!("*T*:{value:02}:*"),
        TimePart::Hour => format!("*T{value:02}:*"),
        TimePart::Day => format!("*-{value:02}T*"),
        TimePart::Month => format!("*-{value:02}-*"),
        TimePart::Week | TimePart::Year => format!("{value:04}-*"),
    };
    Ok(values
        .into_iter()
        .map(|value| Text::parse(&text(value)))
        .collect())
}
