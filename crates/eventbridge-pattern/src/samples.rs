//! Events that an alternative probably matches, made from its terms.

use std::collections::BTreeMap;

use crate::document::Document;
use crate::pattern::{Alternative, Field};
use crate::scan::write_string;
use crate::term::{Except, Literal, Scalar, Term, TermList};

/// Values that are tried of one field.
const VALUES: usize = 24;
/// Events that are made of one alternative by varying several fields.
const MIXED: usize = 48;
/// Alternatives that events are made of.
const ALTERNATIVES: usize = 32;

#[cfg(feature = "samples")]
impl crate::Pattern {
    /// Events made from the pattern's terms, most of which it matches. Starting points for tests.
    ///
    /// ```
    /// use eventbridge_pattern::Pattern;
    ///
    /// let pattern = Pattern::parse(r#"{"source": ["aws.s3"], "detail": {"size": [{"numeric": [">", 5]}]}}"#)?;
    /// assert_eq!(pattern.samples()[0], r#"{"detail":{"size":6},"source":"aws.s3"}"#);
    /// # Ok::<(), eventbridge_pattern::PatternError>(())
    /// ```
    pub fn samples(&self) -> Vec<String> {
        events(&self.alternatives, &[]).collect()
    }
}

/// A value as JSON, or none.
type Sample = Option<String>;

/// Events for the alternatives, most of which they match. Values that matter to `others` are among
/// them.
pub(crate) fn events(
    alternatives: &[Alternative],
    others: &[Alternative],
) -> impl Iterator<Item = String> {
    alternatives
        .iter()
        .take(ALTERNATIVES)
        .flat_map(|alternative| of_alternative(alternative, others))
}

fn of_alternative(
    alternative: &Alternative,
    others: &[Alternative],
) -> impl Iterator<Item = String> {
    let fields = || alternative.fields.iter();
    let first: Vec<Vec<Sample>> = fields().map(|field| values(field, &[])).collect();
    let write = move |choose: &dyn Fn(usize, usize) -> usize, values: &[Vec<Sample>]| {
        let mut event = Tree::default();
        for (number, (field, values)) in fields().zip(values).enumerate() {
            let at = choose(number, values.len().max(1));
            if let Some(value) = values.get(at).cloned().flatten() {
                event.add(&field.path, value);
            }
        }
        let mut text = String::new();
        event.write(&mut text);
        text
    };
    let plain = std::iter::once_with(move || write(&|_, _| 0, &first));
    // Most questions are answered by the first one.
    let further = std::iter::once_with(move || {
        let values: Vec<Vec<Sample>> = fields().map(|field| values(field, others)).collect();
        let mut events = Vec::new();
        for (varied, all) in values.iter().enumerate() {
            for at in 1..all.len() {
                events.push(write(
                    &|number, _| if number == varied { at } else { 0 },
                    &values,
                ));
            }
        }
        for mix in 0..MIXED {
            let choose = |number: usize, count: usize| scatter(mix * 256 + number) % count;
            events.push(write(&choose, &values));
        }
        events
    })
    .flatten();
    plain.chain(further)
}

/// Any two numbers give numbers that look unrelated.
fn scatter(number: usize) -> usize {
    let mixed = (number + 1).wrapping_mul(0x9E37_79B9);
    ((mixed ^ mixed >> 15).wrapping_mul(0x85EB_CA6B) >> 13) & 0xFFFF
}

/// Values that a field accepts, the most natural ones first.
fn values(field: &Field, others: &[Alternative]) -> Vec<Sample> {
    let mut values = Vec::new();
    let mut add = |sample: String| {
        if values.len() < VALUES
            && accepts(&field.list, &sample)
            && !values.contains(&Some(sample.clone()))
        {
            values.push(Some(sample));
        }
    };
    let at_path = others
        .iter()
        .flat_map(|other| &other.fields)
        .filter(|other| other.path == field.path);
    for list in std::iter::once(&field.list).chain(at_path.map(|other| &other.list)) {
        for (term, source) in list.terms.iter().zip(&list.sources) {
            of_term(term, source, &mut add);
        }
    }
    for any in [r#""other""#, r#""~""#, "null", "7919", "true", "false"] {
        add(any.to_owned());
    }
    if field.list.allows_absence {
        values.insert(values.len().min(1), None);
    }
    values
}

fn accepts(list: &TermList, sample: &str) -> bool {
    let value = match Document::read(sample) {
        Ok(Document::Text(text)) => return list.accepts(Scalar::Text(text.as_bytes())),
        Ok(Document::Number(_)) => Scalar::Number(sample.as_bytes()),
        Ok(Document::Bool(true)) => Scalar::Literal(Literal::True),
        Ok(Document::Bool(false)) => Scalar::Literal(Literal::False),
        Ok(Document::Null) => Scalar::Literal(Literal::Null),
        _ => return false,
    };
    list.accepts(value)
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    write_string(&mut out, text);
    out
}

fn of_term(term: &Term, source: &str, add: &mut impl FnMut(String)) {
    match term {
        Term::Text(text) => add(quoted(text)),
        Term::Literal(_) | Term::Number(..) => add(source.to_owned()),
        Term::Address(_) => match Document::read(source) {
            Ok(Document::Text(text)) => add(quoted(&text)),
            Ok(block) => {
                if let Some(Document::Text(block)) = block.member("cidr")
                    && let Some((address, _)) = block.split_once('/')
                {
                    add(quoted(address));
                }
            }
            Err(_) => {}
        },
        Term::Prefix(text) => {
            for rest in ["", "-other"] {
                add(quoted(&format!("{text}{rest}")));
            }
        }
        Term::Suffix(text) => {
            for rest in ["", "other-"] {
                add(quoted(&format!("{rest}{text}")));
            }
        }
        Term::Folded(folded) => {
            for text in [folded.lower(), folded.upper()] {
                add(quoted(&text));
            }
        }
        Term::FoldedPrefix(folded) => {
            add(quoted(&folded.lower()));
            add(quoted(&format!("{}-other", folded.upper())));
        }
        Term::FoldedSuffix(folded) => {
            add(quoted(&folded.lower()));
            add(quoted(&format!("other-{}", folded.upper())));
        }
        Term::Wildcard(wildcard) => {
            for filling in ["", "other"] {
                add(quoted(&wildcard.example(filling)));
            }
        }
        Term::Numeric(low, high) => {
            let (low, high) = (low.map(|low| low.value), high.map(|high| high.value));
            let bottom = low.or(high.map(|high| high - 2.0)).unwrap_or_default();
            let top = high.unwrap_or(bottom + 2.0);
            for value in [
                f64::midpoint(bottom, top),
                bottom,
                top,
                bottom + 1.0,
                top - 1.0,
            ] {
                add(value.to_string());
            }
        }
        Term::Exists => add(r#""any""#.to_owned()),
        Term::Absent => {}
        Term::Not(except) => {
            let excluded: Vec<String> = match except {
                Except::Texts(texts) | Except::Prefixes(texts) | Except::Suffixes(texts) => {
                    texts.clone()
                }
                Except::Folded(all) => all.iter().map(crate::fold::Folded::lower).collect(),
                Except::Wildcards(all) => all.iter().map(|wildcard| wildcard.example("")).collect(),
                Except::Numbers(numbers) => {
                    add(r#""other""#.to_owned());
                    for number in numbers {
                        add(number.to_string());
                    }
                    return;
                }
            };
            add(r#""other""#.to_owned());
            for text in excluded {
                add(quoted(&text));
            }
        }
    }
}

/// A JSON object under construction.
#[derive(Default)]
struct Tree {
    members: BTreeMap<String, Member>,
}

enum Member {
    Value(String),
    Object(Tree),
}

impl Tree {
    /// Adds a value at a joined path: nested as in ordinary events, or, where another value is in
    /// the way, under a joined name, which is the same to a pattern.
    fn add(&mut self, path: &str, value: String) {
        let nested = path
            .split_once('.')
            .filter(|(step, rest)| !step.is_empty() && !rest.is_empty());
        if let Some((step, rest)) = nested {
            let member = self.members.entry(step.to_owned());
            if let Member::Object(tree) = member.or_insert_with(|| Member::Object(Tree::default()))
            {
                tree.add(rest, value);
                return;
            }
        }
        // A shorter path comes first in order, so that no object is in a value's way.
        self.members.insert(path.to_owned(), Member::Value(value));
    }

    fn write(&self, out: &mut String) {
        out.push('{');
        for (number, (name, member)) in self.members.iter().enumerate() {
            if number > 0 {
                out.push(',');
            }
            write_string(out, name);
            out.push(':');
            match member {
                Member::Value(value) => out.push_str(value),
                Member::Object(tree) => tree.write(out),
            }
        }
        out.push('}');
    }
}
