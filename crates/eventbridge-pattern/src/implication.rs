//! Static analysis: whether one pattern implies another, and which parts of a pattern are redundant.
//!
//! "Yes" is proven field by field: fields are taken from the same values, so what they may choose
//! together stays the same. "No" comes with an event that shows it. Otherwise the answer is "unknown".

use crate::event::Event;
use crate::language::{Budget, Language};
use crate::pattern::{Alternative, Pattern};
use crate::samples;
use crate::scan::write_string;
use crate::term::{Except, Literal, Scalar, Term, TermList};

/// Steps that one question may take, a fraction of a second: enough for two ordinary patterns of the
/// largest size.
const STEPS: usize = 4_000_000;

/// Whether every event that matches one pattern matches another one too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Implication {
    /// It does.
    Yes,
    /// It doesn't.
    No {
        /// An event that matches the one and not the other.
        event: String,
    },
    /// Neither was proven.
    Unknown,
}

impl Implication {
    /// Whether it was proven.
    pub fn is_yes(&self) -> bool {
        *self == Implication::Yes
    }
}

/// A part of a pattern that makes no difference to what matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RedundantPart {
    /// The joined path (`detail.eventName`) of the field that the part belongs to; `None` for a whole
    /// alternative (of which a pattern without `$or` has one).
    pub path: Option<String>,
    /// The part as compact JSON: a term, or an object of the alternative's lists by joined paths.
    pub part: String,
    /// Why it is redundant.
    pub reason: RedundancyReason,
}

/// Why a part of a pattern makes no difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RedundancyReason {
    /// No event can satisfy it.
    NeverMatches,
    /// What satisfies it satisfies another part as well: a term of the same list, or an alternative.
    CoveredBy(String),
}

impl Pattern {
    /// Whether every event that matches this pattern matches `other` too.
    ///
    /// [`Implication::Yes`] and [`Implication::No`] are always right. What the terms
    /// don't decide is [`Implication::Unknown`], mainly where several terms or alternatives of
    /// `other` accept together what none of them accepts alone, and absences in arrays.
    ///
    /// ```
    /// use eventbridge_pattern::{Implication, Pattern};
    /// let narrow = Pattern::parse(r#"{"source": ["aws.s3"], "region": ["eu-central-1"]}"#)?;
    /// let wide = Pattern::parse(r#"{"source": [{"prefix": "aws."}]}"#)?;
    /// assert_eq!(narrow.implies(&wide), Implication::Yes);
    /// let event = r#"{"source":"aws."}"#.to_owned();
    /// assert_eq!(wide.implies(&narrow), Implication::No { event });
    /// # Ok::<(), eventbridge_pattern::PatternError>(())
    /// ```
    pub fn implies(&self, other: &Pattern) -> Implication {
        let budget = &mut Budget(STEPS);
        if self
            .alternatives
            .iter()
            .all(|alternative| is_covered(Selection::of(alternative), &other.alternatives, budget))
        {
            return Implication::Yes;
        }
        for event in samples::events(&self.alternatives, &other.alternatives) {
            let Ok(parsed) = Event::parse(&event) else {
                continue;
            };
            if self.matches(&parsed) == Ok(true) && other.matches(&parsed) == Ok(false) {
                return Implication::No { event };
            }
        }
        Implication::Unknown
    }

    /// The terms and the alternatives that provably make no difference.
    /// Of two that do the same, the later one is named.
    ///
    /// ```
    /// use eventbridge_pattern::{RedundancyReason, Pattern};
    /// let pattern = Pattern::parse(r#"{"source": ["aws.s3", {"prefix": "aws."}]}"#)?;
    /// let [redundant] = pattern.redundant_parts().try_into().unwrap();
    /// assert_eq!((redundant.path.as_deref(), redundant.part.as_str()), (Some("source"), r#""aws.s3""#));
    /// assert_eq!(redundant.reason, RedundancyReason::CoveredBy(r#"{"prefix":"aws."}"#.to_owned()));
    /// # Ok::<(), eventbridge_pattern::PatternError>(())
    /// ```
    pub fn redundant_parts(&self) -> Vec<RedundantPart> {
        let budget = &mut Budget(STEPS);
        let mut redundant = Vec::new();
        for (number, alternative) in self.alternatives.iter().enumerate() {
            for field in &alternative.fields {
                redundant_terms(&field.path, &field.list, budget, &mut redundant);
            }
            let cover = self
                .alternatives
                .iter()
                .enumerate()
                .find(|(other, offered)| {
                    *other != number
                        && covers(offered, &Selection::of(alternative), budget)
                        && (*other < number
                            || !covers(alternative, &Selection::of(offered), budget))
                });
            let reason = if alternative.fields.iter().any(|field| is_dead(&field.list)) {
                Some(RedundancyReason::NeverMatches)
            } else {
                cover.map(|(_, cover)| RedundancyReason::CoveredBy(text(cover)))
            };
            if let Some(reason) = reason {
                let part = text(alternative);
                redundant.push(RedundantPart {
                    path: None,
                    part,
                    reason,
                });
            }
        }
        redundant.sort();
        redundant.dedup();
        redundant
    }
}

/// An alternative as a JSON object of its lists.
fn text(alternative: &Alternative) -> String {
    let mut out = String::from("{");
    for (number, field) in alternative.fields.iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        write_string(&mut out, &field.path);
        out.push_str(":[");
        out.push_str(&field.list.sources.join(","));
        out.push(']');
    }
    out.push('}');
    out
}

fn redundant_terms(
    path: &str,
    list: &TermList,
    budget: &mut Budget,
    redundant: &mut Vec<RedundantPart>,
) {
    let terms = || list.terms.iter().zip(&list.sources).enumerate();
    for (number, (term, source)) in terms() {
        let reason = if accepts_nothing(term, list) {
            Some(RedundancyReason::NeverMatches)
        } else {
            terms()
                .find(|(other, (wide, _))| {
                    *other != number
                        && is_within(term, list, &[*wide], list, budget)
                        && (*other < number || !is_within(wide, list, &[term], list, budget))
                })
                .map(|(_, (_, cover))| RedundancyReason::CoveredBy(cover.clone()))
        };
        if let Some(reason) = reason {
            redundant.push(RedundantPart {
                path: Some(path.to_owned()),
                part: source.clone(),
                reason,
            });
        }
    }
}

/// A number that the service compares by its text, and not even with itself.
fn accepts_nothing(term: &Term, list: &TermList) -> bool {
    matches!(term, Term::Number(text, None) if !list.accepts(Scalar::Number(text.as_bytes())))
}

fn is_dead(list: &TermList) -> bool {
    list.terms.iter().all(|term| accepts_nothing(term, list))
}

/// An alternative, and of each list some of the terms.
#[derive(Clone)]
struct Selection<'a> {
    alternative: &'a Alternative,
    terms: Vec<Vec<&'a Term>>,
}

impl<'a> Selection<'a> {
    fn of(alternative: &'a Alternative) -> Selection<'a> {
        Selection {
            alternative,
            terms: alternative
                .fields
                .iter()
                .map(|field| field.list.terms.iter().collect())
                .collect(),
        }
    }
}

/// Whether each event of the selection provably satisfies some alternative. A selection that none
/// covers as a whole is split.
fn is_covered(selection: Selection<'_>, offered: &[Alternative], budget: &mut Budget) -> bool {
    let mut open = vec![selection];
    while let Some(selection) = open.pop() {
        if offered
            .iter()
            .any(|offered| covers(offered, &selection, budget))
        {
            continue;
        }
        // Values are chosen term by term, so the parts together are the whole.
        let matters = |number: &usize| {
            let field = selection.alternative.fields.get(*number);
            field.is_some_and(|field| {
                let at_path = |offered: &Alternative| {
                    offered.fields.iter().any(|other| other.path == field.path)
                };
                offered.iter().any(at_path)
            })
        };
        let several = (0..selection.terms.len())
            .filter(|number| {
                selection
                    .terms
                    .get(*number)
                    .is_some_and(|terms| terms.len() > 1)
            })
            .find(matters);
        let Some(number) = several.filter(|_| offered.len() > 1) else {
            return false;
        };
        for term in selection.terms.get(number).into_iter().flatten() {
            if !budget.spend(selection.terms.len()) {
                return false;
            }
            let mut part = selection.clone();
            if let Some(terms) = part.terms.get_mut(number) {
                *terms = vec![*term];
            }
            open.push(part);
        }
    }
    true
}

/// Whether each event of the selection provably satisfies the alternative.
fn covers(offered: &Alternative, selection: &Selection<'_>, budget: &mut Budget) -> bool {
    let needed = &selection.alternative.fields;
    if !budget.spend(offered.fields.len() + needed.len())
        || offered.uses_empty_step != selection.alternative.uses_empty_step
    {
        return false;
    }
    offered.fields.iter().all(|field| {
        let found = needed
            .iter()
            .zip(&selection.terms)
            .find(|(needed, _)| needed.path == field.path);
        let Some((needed, terms)) = found else {
            return false;
        };
        let wide: Vec<&Term> = field.list.terms.iter().collect();
        terms
            .iter()
            .all(|term| is_within(term, &needed.list, &wide, &field.list, budget))
            && (!terms.contains(&&Term::Absent)
                || absence_is_the_same(&field.path, offered, selection))
    })
}

/// Whether an absence means the same in both: it depends on the array elements that earlier
/// fields chose. A field that only one of them has doesn't matter if it can't be in the same array.
fn absence_is_the_same(path: &str, offered: &Alternative, selection: &Selection<'_>) -> bool {
    let root = |path: &str| path.split('.').next().map(str::to_owned);
    let earlier = selection
        .alternative
        .fields
        .iter()
        .take_while(|field| *field.path != *path);
    earlier
        .filter(|field| root(&field.path) == root(path))
        .all(|field| offered.fields.iter().any(|other| other.path == field.path))
}

/// Whether some of `wide`, in their list, provably accept all that a term accepts in its own.
fn is_within(
    term: &Term,
    list: &TermList,
    wide: &[&Term],
    wide_list: &TermList,
    budget: &mut Budget,
) -> bool {
    if *term == Term::Absent {
        return wide.contains(&&Term::Absent);
    }
    budget.spend(wide.len() + 1)
        && texts_are_within(term, wide, budget)
        && literals_are_within(term, wide)
        && numbers_are_within(term, list, wide, wide_list)
}

fn takes_all_texts(term: &Term) -> bool {
    matches!(term, Term::Exists | Term::Not(Except::Numbers(_)))
        || Language::of(term) == Some(Language::all())
}

fn texts_are_within(term: &Term, wide: &[&Term], budget: &mut Budget) -> bool {
    let language = match term {
        Term::Literal(_) | Term::Number(..) | Term::Numeric(..) => return true,
        Term::Exists | Term::Not(Except::Numbers(_)) => Some(Language::all()),
        _ => Language::of(term),
    };
    wide.iter().any(|wide| {
        if takes_all_texts(wide) || *wide == term {
            return true;
        }
        match (term, wide, &language) {
            (Term::Address(range), Term::Address(wide), _) => wide.covers(range),
            // A string that is an address in another list.
            (Term::Text(text), Term::Address(range), _) => crate::address::literal(text.as_bytes())
                .is_some_and(|digits| range.contains(digits.as_bytes())),
            (Term::Not(except), Term::Not(wide), _) => {
                let excluded = Language::excluded(except);
                Language::excluded(wide).iter().all(|left_out| {
                    left_out.as_ref().is_some_and(|left_out| {
                        let mut excluded = excluded.iter().flatten();
                        excluded.any(|excluded| excluded.covers(left_out, budget))
                    })
                })
            }
            (_, Term::Not(wide), Some(language)) => {
                Language::excluded(wide).iter().all(|left_out| {
                    let left_out = left_out.as_ref();
                    left_out.is_some_and(|left_out| left_out.is_disjoint(language, budget))
                })
            }
            (_, _, Some(language)) => {
                Language::of(wide).is_some_and(|wide| wide.covers(language, budget))
            }
            _ => false,
        }
    })
}

fn literals_are_within(term: &Term, wide: &[&Term]) -> bool {
    let accepts = |term: &Term, literal: Literal| match term {
        Term::Literal(wanted) => *wanted == literal,
        Term::Exists | Term::Not(_) => true,
        _ => false,
    };
    [Literal::True, Literal::False, Literal::Null]
        .into_iter()
        .all(|literal| !accepts(term, literal) || wide.iter().any(|wide| accepts(wide, literal)))
}

/// Numbers mean another thing in a list with numeric terms.
fn numbers_are_within(term: &Term, list: &TermList, wide: &[&Term], wide_list: &TermList) -> bool {
    if accepts_nothing(term, list) {
        return true;
    }
    if wide.iter().any(|wide| match wide {
        Term::Not(Except::Numbers(_)) => false,
        Term::Exists | Term::Not(_) => true,
        _ => false,
    }) {
        return true;
    }
    let accepted = |text: &str| {
        let part = wide.iter().copied().cloned().collect();
        let part = TermList {
            has_numeric: wide_list.has_numeric,
            has_address: wide_list.has_address,
            ..TermList::new(part, Vec::new())
        };
        part.accepts(Scalar::Number(text.as_bytes()))
    };
    match term {
        Term::Exists | Term::Absent => false,
        Term::Not(Except::Numbers(numbers)) => wide.iter().any(|wide| {
            matches!(wide, Term::Not(Except::Numbers(wide)) if wide.iter().all(|number| numbers.contains(number)))
        }),
        Term::Not(_) => false,
        // Other spellings are equal where numbers are compared as such.
        Term::Number(text, Some(_)) => wide_list.has_numeric && accepted(text),
        Term::Number(text, None) => accepted(text),
        Term::Numeric(low, high) => wide.iter().any(|wide| match wide {
            Term::Numeric(wide_low, wide_high) => {
                let low_fits = wide_low.is_none_or(|wide| {
                    low.is_some_and(|low| {
                        low.value > wide.value
                            || low.value >= wide.value && (wide.inclusive || !low.inclusive)
                    })
                });
                let high_fits = wide_high.is_none_or(|wide| {
                    high.is_some_and(|high| {
                        high.value < wide.value
                            || high.value <= wide.value && (wide.inclusive || !high.inclusive)
                    })
                });
                low_fits && high_fits
            }
            Term::Not(Except::Numbers(numbers)) => numbers.iter().all(|number| {
                low.is_some_and(|low| *number < low.value || *number <= low.value && !low.inclusive)
                    || high.is_some_and(|high| {
                        *number > high.value || *number >= high.value && !high.inclusive
                    })
            }),
            _ => false,
        }),
        Term::Address(range) => {
            let numbers_count = list.has_numeric || !wide_list.has_numeric;
            numbers_count && wide.iter().any(|wide| matches!(wide, Term::Address(wide) if wide.covers(range)))
        }
        // The rest is about texts.
        _ => true,
    }
}
