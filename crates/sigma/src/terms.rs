//! The terms of one field's list; an event's value must match one of them.
//!
//! A selection may test a field twice, but an event pattern has one list per field. [`meet`]
//! computes the list that requires both.

use serde_json::{Value, json};

use crate::expression::{Network, Number};
use crate::fields::{self, FieldKind};
use crate::glob::{self, Glob};
use crate::loss::Losses;
use crate::text::{Piece, Shape, Text};

/// Most terms considered for one field.
const MAX_TERMS: usize = 2_000;

/// The terms exceed what an event pattern can express.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TooHard(pub(crate) String);

/// One item of a field's list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Term {
    Text(Match),
    Number(Number),
    Range(Range),
    Boolean(bool),
    Null,
    Cidr(Network),
    /// Any value.
    Exists,
    /// Any value but null.
    NonNull,
    /// The field is absent.
    Absent,
    /// Any value but these.
    Not(Vec<Exclusion>),
}

/// A glob to compare a text with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Match {
    pub(crate) glob: Glob,
    /// Ignore case.
    pub(crate) fold: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Exclusion {
    Text(Match),
    Number(Number),
}

/// Numbers between bounds; `true` includes the bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Range {
    pub(crate) low: Option<(Number, bool)>,
    pub(crate) high: Option<(Number, bool)>,
}

impl Match {
    /// `fold` is dropped if the text has no letters.
    pub(crate) fn new(glob: Glob, fold: bool) -> Self {
        let fold = fold
            && Text {
                pieces: glob.clone(),
            }
            .has_letters();
        Self { glob, fold }
    }

    pub(crate) fn exact(text: &str, fold: bool) -> Self {
        Self::new(Text::plain(text).pieces, fold)
    }

    fn text(&self) -> Text {
        Text {
            pieces: self.glob.clone(),
        }
    }

    fn shape(&self) -> Shape {
        self.text().shape()
    }

    fn matches(&self, value: &str) -> bool {
        self.text().matches(value, self.fold)
    }

    fn is_ascii(&self) -> bool {
        self.glob
            .iter()
            .all(|piece| !matches!(piece, Piece::Char(c) if !c.is_ascii()))
    }
}

impl Term {
    /// Cost of comparing it, for [`Losses::spend`].
    fn weight(&self) -> usize {
        let text = |text: &Match| {
            if text.text().as_plain().is_some() {
                1
            } else {
                30
            }
        };
        match self {
            Self::Text(it) => text(it),
            Self::Not(except) => except
                .iter()
                .map(|exclusion| match exclusion {
                    Exclusion::Text(it) => text(it),
                    Exclusion::Number(_) => 1,
                })
                .sum::<usize>()
                .max(1),
            _ => 1,
        }
    }
}

impl Range {
    pub(crate) fn contains(&self, value: f64) -> bool {
        let above = |(low, inclusive): &(Number, bool)| {
            value > low.value || (*inclusive && value >= low.value)
        };
        let below = |(high, inclusive): &(Number, bool)| {
            value < high.value || (*inclusive && value <= high.value)
        };
        self.low.as_ref().is_none_or(above) && self.high.as_ref().is_none_or(below)
    }
}

/// The intersection of two lists of terms.
pub(crate) fn meet(
    field: &str,
    a: &[Term],
    b: &[Term],
    losses: &mut Losses,
) -> Result<Vec<Term>, TooHard> {
    let mut out: Vec<Term> = Vec::new();
    for left in a {
        for right in b {
            // Two globs may need a search; everything else is a comparison.
            if !losses.spend(left.weight().saturating_mul(right.weight())) {
                return Err(TooHard(format!(
                    "`{field}` combines too many required and excluded texts"
                )));
            }
            for term in meet_two(field, left, right, losses)? {
                if !out.contains(&term) {
                    out.push(term);
                }
            }
            if out.len() > MAX_TERMS {
                return Err(TooHard(format!(
                    "`{field}` needs more than {MAX_TERMS} terms"
                )));
            }
        }
    }
    Ok(out)
}

fn meet_two(field: &str, a: &Term, b: &Term, losses: &mut Losses) -> Result<Vec<Term>, TooHard> {
    if a == b {
        return Ok(vec![a.clone()]);
    }
    Ok(match (a, b) {
        (Term::Absent, _) | (_, Term::Absent) => Vec::new(),
        (Term::Exists, other) | (other, Term::Exists) => vec![other.clone()],
        (Term::NonNull, Term::Null) | (Term::Null, Term::NonNull) => Vec::new(),
        (Term::NonNull, Term::Not(except)) | (Term::Not(except), Term::NonNull) => {
            if fields::kind(field) != FieldKind::Text {
                losses.wider(format!("a `{field}` of null counts as a value"));
            }
            vec![Term::Not(except.clone())]
        }
        (Term::NonNull, other) | (other, Term::NonNull) => vec![other.clone()],
        (Term::Not(a), Term::Not(b)) => {
            let mut all = a.clone();
            all.extend(b.iter().filter(|it| !a.contains(it)).cloned());
            vec![Term::Not(all)]
        }
        (Term::Not(except), other) | (other, Term::Not(except)) => {
            without(field, other, except, losses).into_iter().collect()
        }
        (Term::Text(a), Term::Text(b)) => meet_texts(field, a, b, losses)?
            .into_iter()
            .map(Term::Text)
            .collect(),
        (Term::Cidr(network), Term::Text(text)) | (Term::Text(text), Term::Cidr(network)) => {
            if let Shape::Exact(address) = text.shape() {
                let lies_in = address
                    .parse()
                    .is_ok_and(|address| network.contains(address));
                lies_in
                    .then(|| Term::Text(text.clone()))
                    .into_iter()
                    .collect()
            } else {
                losses.wider(format!(
                    "`{field}` must be in {} and match `{}`; only the range is checked",
                    network.spelling,
                    text.text()
                ));
                vec![Term::Cidr(network.clone())]
            }
        }
        (Term::Cidr(a), Term::Cidr(b)) => {
            let (narrow, wide) = if a.bits >= b.bits { (a, b) } else { (b, a) };
            wide.contains(narrow.address)
                .then(|| Term::Cidr(narrow.clone()))
                .into_iter()
                .collect()
        }
        (Term::Range(range), Term::Number(number)) | (Term::Number(number), Term::Range(range)) => {
            range
                .contains(number.value)
                .then(|| Term::Number(number.clone()))
                .into_iter()
                .collect()
        }
        (Term::Range(a), Term::Range(b)) => meet_ranges(a, b).into_iter().collect(),
        #[expect(clippy::float_cmp, reason = "two spellings of one number")]
        (Term::Number(a), Term::Number(b)) if a.value == b.value => vec![Term::Number(a.clone())],
        _ => Vec::new(),
    })
}

fn meet_ranges(a: &Range, b: &Range) -> Option<Term> {
    let tighter = |a: &Option<(Number, bool)>, b: &Option<(Number, bool)>, low: bool| match (a, b) {
        (Some(x), Some(y)) => {
            let first = if low {
                x.0.value > y.0.value
            } else {
                x.0.value < y.0.value
            };
            let same = !first
                && if low {
                    y.0.value <= x.0.value
                } else {
                    y.0.value >= x.0.value
                };
            Some(if first || (same && !x.1) {
                x.clone()
            } else {
                y.clone()
            })
        }
        (one, other) => one.clone().or_else(|| other.clone()),
    };
    let range = Range {
        low: tighter(&a.low, &b.low, true),
        high: tighter(&a.high, &b.high, false),
    };
    match (&range.low, &range.high) {
        (Some((low, x)), Some((high, y))) if low.value >= high.value => {
            (*x && *y && low.value <= high.value).then(|| Term::Number(low.clone()))
        }
        _ => Some(Term::Range(range)),
    }
}

fn meet_texts(
    field: &str,
    a: &Match,
    b: &Match,
    losses: &mut Losses,
) -> Result<Vec<Match>, TooHard> {
    let (cased, folded) = if a.fold { (b, a) } else { (a, b) };
    if let Shape::Exact(text) = cased.shape() {
        return Ok(folded
            .matches(&text)
            .then(|| cased.clone())
            .into_iter()
            .collect());
    }
    if let Shape::Exact(text) = folded.shape() {
        let fits = cased.text().matches(&text, true);
        if fits && !cased.fold {
            losses.wider(format!(
                "`{field}` must be `{text}` in any case and `{}` in this case; only the first is checked",
                cased.text()
            ));
        }
        return Ok(fits.then(|| folded.clone()).into_iter().collect());
    }
    let fold = a.fold || b.fold;
    let Some(globs) = glob::common(&cased.glob, &folded.glob, fold) else {
        return Err(TooHard(format!(
            "`{field}` must match both `{}` and `{}`, which takes too many patterns",
            a.text(),
            b.text()
        )));
    };
    if a.fold != b.fold && cased.text().has_letters() {
        losses.narrower(format!(
            "`{}` of `{field}` is compared case-sensitively, since another part is",
            folded.text()
        ));
    }
    let globs = globs
        .into_iter()
        .filter(|glob| field != "eventTime" || glob::may_be_time(glob));
    let both = a.fold && b.fold;
    // If one of them has no letters, the other one decides about case.
    let fold = both || (fold && !cased.text().has_letters());
    Ok(globs.map(|glob| Match::new(glob, fold)).collect())
}

/// The term minus the exclusions, or the unchanged term with a loss.
fn without(field: &str, term: &Term, except: &[Exclusion], losses: &mut Losses) -> Option<Term> {
    for exclusion in except {
        match excludes(exclusion, term) {
            Some(true) => return None,
            Some(false) => {}
            None => losses.wider(format!(
                "an exclusion from `{field}` can't be combined with the rule's other tests of it; it is left out"
            )),
        }
    }
    Some(term.clone())
}

/// `Some(true)` if the exclusion covers the whole term, `Some(false)` if it covers nothing, `None`
/// if it covers a part.
fn excludes(exclusion: &Exclusion, term: &Term) -> Option<bool> {
    match (exclusion, term) {
        (Exclusion::Text(except), Term::Text(text)) => match text.shape() {
            Shape::Exact(exact) if !text.fold || except.fold => Some(except.matches(&exact)),
            Shape::Exact(exact) => (!except.text().matches(&exact, true)).then_some(false),
            _ => {
                let common = glob::common(&except.glob, &text.glob, true)?;
                common.is_empty().then_some(false)
            }
        },
        (Exclusion::Text(except), Term::Number(number)) => match except.shape() {
            Shape::Exact(text) => Some(same_number(&text, number)),
            _ => Some(false),
        },
        (Exclusion::Text(except), Term::Boolean(value)) => {
            Some(except.shape() == Shape::Exact(value.to_string()))
        }
        (Exclusion::Number(except), Term::Text(text)) => match text.shape() {
            Shape::Exact(text) => Some(same_number(&text, except)),
            shape => (shape != Shape::Any).then_some(false),
        },
        #[expect(clippy::float_cmp, reason = "two spellings of one number")]
        (Exclusion::Number(except), Term::Number(number)) => Some(except.value == number.value),
        (Exclusion::Number(except), Term::Range(range)) => {
            (!range.contains(except.value)).then_some(false)
        }
        (Exclusion::Text(except), Term::Range(_)) => {
            let number =
                matches!(except.shape(), Shape::Exact(text) if Number::parse(&text).is_some());
            (!number).then_some(false)
        }
        (Exclusion::Text(except), Term::Cidr(network)) => match except.shape() {
            Shape::Exact(text) => match text.parse() {
                Ok(address) => (!network.contains(address)).then_some(false),
                Err(_) => Some(false),
            },
            _ => None,
        },
        _ => Some(false),
    }
}

#[expect(clippy::float_cmp, reason = "two spellings of one number")]
fn same_number(text: &str, number: &Number) -> bool {
    Number::parse(text).is_some_and(|other| other.value == number.value)
}

/// The terms in the syntax of event patterns. Collects what that syntax can't express.
pub(crate) fn render(field: &str, terms: &[Term], losses: &mut Losses) -> Vec<Value> {
    let mut out = Vec::new();
    for term in terms {
        let written = match term {
            Term::Text(text) => text_term(field, text, losses),
            Term::Number(number) => number_value(number),
            Term::Range(range) => json!({ "numeric": range_operands(range) }),
            Term::Boolean(value) => json!(value),
            Term::Null => Value::Null,
            Term::Cidr(network) => json!({ "cidr": network.spelling }),
            Term::Exists => json!({ "exists": true }),
            Term::Absent => json!({ "exists": false }),
            Term::NonNull => {
                match fields::kind(field) {
                    FieldKind::Text => out.push(json!({ "prefix": "" })),
                    FieldKind::Boolean => out.extend([json!(true), json!(false)]),
                    FieldKind::Object | FieldKind::Open => out.extend([
                        json!({ "prefix": "" }),
                        json!(true),
                        json!(false),
                        json!({ "numeric": [">", -1e300] }),
                    ]),
                }
                continue;
            }
            Term::Not(except) => exclusion(field, except, losses),
        };
        if !out.contains(&written) {
            out.push(written);
        }
    }
    out
}

fn text_term(field: &str, text: &Match, losses: &mut Losses) -> Value {
    let mut fold = text.fold;
    if fold && !text.is_ascii() {
        fold = false;
        losses.narrower(format!(
            "`{}` of `{field}` is compared case-sensitively, since EventBridge folds other alphabets differently",
            text.text()
        ));
    }
    match text.shape() {
        // EventBridge compares addresses by value, so this would match other spellings.
        Shape::Exact(exact) if fold || exact.parse::<std::net::IpAddr>().is_ok() => {
            json!({ "equals-ignore-case": exact })
        }
        Shape::Exact(exact) => json!(exact),
        Shape::Prefix(prefix) if fold => json!({ "prefix": { "equals-ignore-case": prefix } }),
        Shape::Prefix(prefix) => json!({ "prefix": prefix }),
        Shape::Suffix(suffix) if fold => json!({ "suffix": { "equals-ignore-case": suffix } }),
        Shape::Suffix(suffix) => json!({ "suffix": suffix }),
        Shape::Any => json!({ "prefix": "" }),
        Shape::Other => {
            if fold {
                losses.narrower(format!(
                    "`{}` of `{field}` is compared case-sensitively: a `wildcard` can't ignore case",
                    text.text()
                ));
            }
            json!({ "wildcard": glob::operand(&text.glob) })
        }
    }
}

/// `anything-but` with one kind of operand. Exclusions of several kinds become wildcards, which
/// can't ignore case.
fn exclusion(field: &str, except: &[Exclusion], losses: &mut Losses) -> Value {
    let mut texts: Vec<&Match> = Vec::new();
    let mut numbers: Vec<&Number> = Vec::new();
    for exclusion in except {
        match exclusion {
            Exclusion::Text(text) => texts.push(text),
            Exclusion::Number(number) => numbers.push(number),
        }
    }
    if texts.is_empty() {
        let numbers: Vec<Value> = numbers.iter().map(|number| number_value(number)).collect();
        return json!({ "anything-but": numbers });
    }
    if !numbers.is_empty() {
        losses.wider(format!(
            "`{field}` must not be certain texts and certain numbers; only the texts are excluded"
        ));
    }
    let shapes: Vec<Shape> = texts.iter().map(|text| text.shape()).collect();
    let all = |is: fn(&Shape) -> bool| shapes.iter().all(is);
    let inner = |shape: &Shape| match shape {
        Shape::Exact(text) | Shape::Prefix(text) | Shape::Suffix(text) => text.clone(),
        Shape::Any | Shape::Other => String::new(),
    };
    let operands: Vec<String> = shapes.iter().map(inner).collect();
    let any_fold = texts.iter().any(|text| text.fold);
    // Texts without letters may be among operands that ignore case.
    let may_fold = texts
        .iter()
        .all(|text| text.is_ascii() && (text.fold || !text.text().has_letters()));
    let exact = all(|shape| matches!(shape, Shape::Exact(_)));
    if exact && !any_fold {
        return json!({ "anything-but": operands });
    }
    if exact && may_fold {
        return json!({ "anything-but": { "equals-ignore-case": operands } });
    }
    for text in texts.iter().filter(|text| text.fold) {
        losses.wider(format!(
            "the exclusion of `{}` from `{field}` applies to this case only",
            text.text()
        ));
    }
    let filled = operands.iter().all(|operand| !operand.is_empty());
    if filled && all(|shape| matches!(shape, Shape::Prefix(_))) {
        return json!({ "anything-but": { "prefix": operands } });
    }
    if filled && all(|shape| matches!(shape, Shape::Suffix(_))) {
        return json!({ "anything-but": { "suffix": operands } });
    }
    let operands: Vec<String> = texts.iter().map(|text| glob::operand(&text.glob)).collect();
    json!({ "anything-but": { "wildcard": operands } })
}

fn number_value(number: &Number) -> Value {
    serde_json::from_str(&number.spelling).unwrap_or_else(|_| json!(number.value))
}

fn range_operands(range: &Range) -> Vec<Value> {
    let mut out = Vec::new();
    for (bound, signs) in [(&range.low, [">", ">="]), (&range.high, ["<", "<="])] {
        if let Some((number, inclusive)) = bound {
            let sign = if *inclusive { signs[1] } else { signs[0] };
            out.extend([json!(sign), number_value(number)]);
        }
    }
    out
}
