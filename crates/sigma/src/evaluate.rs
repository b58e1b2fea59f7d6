//! Evaluates a rule directly against a CloudTrail record, without an event pattern in between.
//!
//! Imported patterns are compared with this. The specification doesn't define fields with several
//! values; these rules do:
//!
//! - a field's values are the texts, numbers, booleans and nulls at its path, of all items where
//!   the path leads through lists; one of them must pass a test;
//! - an object or an empty list has no value, but it exists;
//! - `null` matches a field that is missing or null, `'*'` one with a value;
//! - numbers and booleans equal the text that spells them; wildcards match text only.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use crate::expression::{Atom, Expression, How, Number, Test, TimePart};
use crate::text::Shape;

/// A record, flattened into its fields.
#[derive(Debug)]
pub struct Record<'a> {
    /// Path to values. A path that has only objects or empty lists has an empty list.
    fields: BTreeMap<String, Vec<&'a Value>>,
}

impl<'a> Record<'a> {
    /// Flattens a CloudTrail record.
    pub fn new(record: &'a Value) -> Self {
        let mut fields = BTreeMap::new();
        for (name, value) in record.as_object().into_iter().flatten() {
            collect(value, name.clone(), &mut fields);
        }
        Self { fields }
    }

    fn values(&self, field: &str) -> &[&'a Value] {
        self.fields.get(field).map_or(&[], Vec::as_slice)
    }
}

fn collect<'a>(value: &'a Value, path: String, fields: &mut BTreeMap<String, Vec<&'a Value>>) {
    match value {
        Value::Object(below) => {
            fields.entry(path.clone()).or_default();
            for (name, value) in below {
                collect(value, format!("{path}.{name}"), fields);
            }
        }
        Value::Array(items) => {
            fields.entry(path.clone()).or_default();
            for item in items {
                collect(item, path.clone(), fields);
            }
        }
        value => fields.entry(path).or_default().push(value),
    }
}

/// Whether a record satisfies the expression.
pub(crate) fn holds(expression: &Expression, record: &Record<'_>) -> bool {
    match expression {
        Expression::Atom(atom) => passes(atom, record),
        Expression::Not(inside) => !holds(inside, record),
        Expression::And(all) => all.iter().all(|it| holds(it, record)),
        Expression::Or(any) => any.iter().any(|it| holds(it, record)),
    }
}

fn passes(atom: &Atom, record: &Record<'_>) -> bool {
    let exists = record.fields.contains_key(&atom.field);
    let values = record.values(&atom.field);
    atom.tests.iter().any(|test| match test {
        Test::Null => !exists || values.iter().any(|value| value.is_null()),
        Test::Exists => exists,
        _ => values.iter().any(|value| fits(test, value, record)),
    })
}

fn fits(test: &Test, value: &Value, record: &Record<'_>) -> bool {
    match test {
        Test::Null => value.is_null(),
        Test::Exists => true,
        Test::Value { text, cased, .. } => match (text.shape(), value) {
            (_, Value::Null) => false,
            (Shape::Any, _) => true,
            (_, Value::String(value)) => text.matches(value, !cased),
            (Shape::Exact(text), Value::Bool(value)) => {
                text.eq_ignore_ascii_case(if *value { "true" } else { "false" })
            }
            (Shape::Exact(text), Value::Number(value)) => {
                same_number(&text, value) || text == value.to_string()
            }
            _ => false,
        },
        Test::Regex(regex) => value
            .as_str()
            .is_some_and(|value| regex.compiled.is_match(value)),
        Test::Cidr(network) => value
            .as_str()
            .and_then(|value| value.parse::<IpAddr>().ok())
            .is_some_and(|address| network.contains(address)),
        Test::Compare(comparison, number) => value
            .as_f64()
            .is_some_and(|value| comparison.holds(&value, &number.value)),
        Test::Reference { other, how, cased } => record.values(other).iter().any(|other| {
            let (Some(value), Some(other)) = (value.as_str(), other.as_str()) else {
                return *how == How::Equals && value == *other;
            };
            let text = crate::text::Text::plain(other);
            let text = match how {
                How::Equals => text,
                How::Contains => text.starting().ending(),
                How::Starts => text.starting(),
                How::Ends => text.ending(),
            };
            text.matches(value, !cased)
        }),
        Test::Time {
            part,
            comparison,
            number,
        } => value
            .as_str()
            .and_then(|value| part_of(*part, value))
            .is_some_and(|value| match comparison {
                Some(comparison) => comparison.holds(&value, number),
                None => value == *number,
            }),
    }
}

fn same_number(text: &str, value: &serde_json::Number) -> bool {
    let number = Number::parse(text);
    number.is_some_and(|number| value.as_f64() == Some(number.value))
}

fn part_of(part: TimePart, text: &str) -> Option<i64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    let time = time.to_zoned_datetime(jiff::tz::TimeZone::UTC);
    Some(match part {
        TimePart::Minute => time.minute().into(),
        TimePart::Hour => time.hour().into(),
        TimePart::Day => time.day().into(),
        TimePart::Week => time.date().iso_week_date().week().into(),
        TimePart::Month => time.month().into(),
        TimePart::Year => time.year().into(),
    })
}
