//! A rule as alternatives, each a list of terms per field, which is what an event pattern can
//! express.

use std::collections::BTreeMap;

use crate::expression::{Atom, Expression};
use crate::fields::{self, FieldKind};
use crate::lower::{Context, Lowered};
use crate::terms::{self, Exclusion, Match, Term, TooHard};

/// Most combinations that EventBridge accepts
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>).
const MAX_ALTERNATIVES: usize = 1000;

/// One way to match: every field must match one of its terms.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Alternative {
    pub(crate) fields: BTreeMap<String, Vec<Term>>,
    /// Set if a test was left out, so that the alternative matches too much.
    pub(crate) dropped: bool,
}

/// The alternatives of an expression; empty if no event can match it.
pub(crate) fn of(
    expression: &Expression,
    context: &mut Context,
) -> Result<Vec<Alternative>, TooHard> {
    expand(expression, false, context)
}

fn expand(
    expression: &Expression,
    negated: bool,
    context: &mut Context,
) -> Result<Vec<Alternative>, TooHard> {
    match expression {
        Expression::Atom(atom) => self::atom(atom, negated, context),
        Expression::Not(inside) => expand(inside, !negated, context),
        Expression::And(parts) if !negated => all_of(parts, negated, context),
        Expression::Or(parts) if negated => all_of(parts, negated, context),
        Expression::And(parts) | Expression::Or(parts) => {
            let mut any = Vec::new();
            for part in parts {
                any.extend(expand(part, negated, context)?);
                any = merged(any);
                limit(any.len())?;
            }
            Ok(any)
        }
    }
}

fn limit(count: usize) -> Result<(), TooHard> {
    if count > MAX_ALTERNATIVES {
        return Err(TooHard(format!(
            "its selections multiply to more than the {MAX_ALTERNATIVES} combinations that EventBridge accepts"
        )));
    }
    Ok(())
}

fn atom(atom: &Atom, negated: bool, context: &mut Context) -> Result<Vec<Alternative>, TooHard> {
    let lowered = if negated {
        context.negative(atom)?
    } else {
        context.positive(atom)
    };
    Ok(match lowered {
        Lowered::Terms(terms) if terms.is_empty() => Vec::new(),
        Lowered::Terms(terms) => vec![Alternative {
            fields: [(atom.field.clone(), terms)].into_iter().collect(),
            dropped: false,
        }],
        Lowered::Dropped => vec![Alternative {
            fields: BTreeMap::new(),
            dropped: true,
        }],
    })
}

fn all_of(
    parts: &[Expression],
    negated: bool,
    context: &mut Context,
) -> Result<Vec<Alternative>, TooHard> {
    let mut so_far = vec![Alternative::default()];
    for part in parts {
        let next = expand(part, negated, context)?;
        limit(so_far.len().saturating_mul(next.len()))?;
        let mut both = Vec::new();
        for a in &so_far {
            for b in &next {
                both.extend(joined(a, b, context)?);
            }
        }
        so_far = merged(both);
    }
    Ok(so_far)
}

/// The conjunction of two alternatives; `None` if no event can match both.
fn joined(
    a: &Alternative,
    b: &Alternative,
    context: &mut Context,
) -> Result<Option<Alternative>, TooHard> {
    let mut joined = a.clone();
    joined.dropped |= b.dropped;
    for (field, terms) in &b.fields {
        let Some(before) = joined.fields.get(field) else {
            joined.fields.insert(field.clone(), terms.clone());
            continue;
        };
        if fields::kind(field) == FieldKind::Open && before != terms {
            context.losses.narrower(format!(
                "if `{field}` is a list, a single item must pass all tests"
            ));
        }
        let both = terms::meet(field, before, terms, &mut context.losses)?;
        if both.is_empty() {
            return Ok(None);
        }
        joined.fields.insert(field.clone(), both);
    }
    Ok(Some(joined))
}

/// Merges alternatives that differ in a single field: the merged one has both lists.
fn merged(alternatives: Vec<Alternative>) -> Vec<Alternative> {
    let mut out: Vec<Alternative> = Vec::new();
    for next in alternatives {
        let known = out
            .iter_mut()
            .find_map(|known| Some((only_difference(known, &next)?, known)));
        match known {
            Some((None, _)) => {}
            Some((Some(field), known)) => {
                if let (Some(terms), Some(more)) =
                    (known.fields.get_mut(&field), next.fields.get(&field))
                {
                    for term in more {
                        if !terms.contains(term) {
                            terms.push(term.clone());
                        }
                    }
                    if is_anything(terms) {
                        known.fields.remove(&field);
                    }
                }
            }
            None => out.push(next),
        }
    }
    out
}

/// Whether the terms match every event, because one term matches what another excludes.
fn is_anything(terms: &[Term]) -> bool {
    let asked = |exclusion: &Exclusion| match exclusion {
        Exclusion::Text(text) => terms.contains(&Term::Text(text.clone())),
        Exclusion::Number(number) => terms.contains(&Term::Number(number.clone())),
    };
    terms.contains(&Term::Absent)
        && terms.iter().any(|term| match term {
            Term::Exists => true,
            Term::Not(except) => except.iter().all(asked),
            _ => false,
        })
}

/// The only field in which two alternatives differ: `Some(None)` if they are equal, `None` if they
/// differ in several fields.
#[expect(
    clippy::option_option,
    reason = "different in more, in nothing, in one field"
)]
fn only_difference(a: &Alternative, b: &Alternative) -> Option<Option<String>> {
    if a.dropped != b.dropped || a.fields.len() != b.fields.len() {
        return None;
    }
    let mut found = None;
    for ((field, terms), (other_field, other_terms)) in a.fields.iter().zip(&b.fields) {
        if field != other_field || (terms != other_terms && found.replace(field).is_some()) {
            return None;
        }
    }
    Some(found.cloned())
}

/// Notes where EventBridge requires several fields in a single list item.
pub(crate) fn note_shared_lists(alternatives: &[Alternative], context: &mut Context) {
    for alternative in alternatives {
        let names: Vec<&String> = alternative.fields.keys().collect();
        for (index, a) in names.iter().enumerate() {
            for b in names.iter().skip(index + 1) {
                if !fields::share_a_list(a, b) {
                    continue;
                }
                let text =
                    format!("if `{a}` and `{b}` are inside a list, a single item must match both");
                context.losses.narrower(text);
                let absent = [a, b].iter().any(|name| {
                    alternative
                        .fields
                        .get(**name)
                        .is_some_and(|terms| terms.contains(&Term::Absent))
                });
                if absent {
                    context.losses.wider(format!(
                        "if `{a}` and `{b}` are inside a list, the field that must be absent may be present in another item"
                    ));
                }
            }
        }
    }
}

impl Alternative {
    /// Whether it names its calls. Only then may a test be left out.
    pub(crate) fn names_calls(&self) -> bool {
        let asks = |field: &str| {
            self.fields.get(field).is_some_and(|terms| {
                terms
                    .iter()
                    .all(|term| matches!(term, Term::Text(text) if text.glob.len() > 1))
            })
        };
        asks("eventName")
    }

    /// The exact texts of a field, if it has no other terms.
    pub(crate) fn exact(&self, field: &str) -> Option<Vec<String>> {
        self.fields
            .get(field)?
            .iter()
            .map(|term| match term {
                Term::Text(Match { glob, .. }) => crate::text::Text {
                    pieces: glob.clone(),
                }
                .as_plain(),
                _ => None,
            })
            .collect()
    }

    /// Whether the field must have a value.
    pub(crate) fn asks_presence(&self, field: &str) -> bool {
        self.fields
            .get(field)
            .is_some_and(|terms| !terms.contains(&Term::Absent))
    }
}

impl Term {
    /// The term's exclusions; empty for other terms.
    pub(crate) fn exclusions(&self) -> &[Exclusion] {
        match self {
            Self::Not(except) => except,
            _ => &[],
        }
    }
}
