//! Generates events for an imported rule's tests: one that matches, and near misses.

use serde_json::{Map, Value, json};

use crate::alternatives::Alternative;
use crate::expression::Number;
use crate::terms::{Exclusion, Match, Range, Term};
use crate::text::Piece;

/// Number of ways to choose among a field's terms that are tried.
pub(crate) const CHOICES: usize = 4;

/// A change that turns a matching event into a near miss.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) field: String,
    pub(crate) name: String,
    /// The replacement; `None` removes the field.
    pub(crate) value: Option<Value>,
    pub(crate) record: Value,
}

/// A CloudTrail record that should match an alternative, with the given choice of terms.
pub(crate) fn record(alternative: &Alternative, choice: usize) -> Value {
    let mut record = base();
    for (field, terms) in &alternative.fields {
        let values: Vec<&Term> = terms.iter().filter(|term| **term != Term::Absent).collect();
        let current = get(&record, field).cloned();
        match values.get(choice.checked_rem(values.len()).unwrap_or(0)) {
            None => remove(&mut record, field),
            Some(Term::Not(except)) => {
                let fits = current
                    .as_ref()
                    .is_some_and(|value| value.is_string() && !is_excluded(except, value));
                if !fits && terms.contains(&Term::Absent) && choice == 0 {
                    remove(&mut record, field);
                } else if !fits {
                    set(&mut record, field, json!(format!("example-{choice}")));
                }
            }
            Some(Term::Exists | Term::NonNull) if current.is_some() => {}
            Some(Term::Text(text)) if field == "eventTime" => {
                set(&mut record, field, json!(time_of(text)));
            }
            // An event name continues after its verb.
            Some(Term::Text(text))
                if field == "eventName" && text.glob.last() == Some(&Piece::Many) =>
            {
                set(
                    &mut record,
                    field,
                    json!(format!("{}Example", text_of(text))),
                );
            }
            Some(term) => set(&mut record, field, value_of(term)),
        }
    }
    if get(&record, "eventSource") == Some(&json!("signin.amazonaws.com"))
        && !alternative.fields.contains_key("eventType")
    {
        set(&mut record, "eventType", json!("AwsConsoleSignIn"));
    }
    record
}

/// Single-field changes of the record that the alternative should reject, most telling first.
pub(crate) fn changes(record: &Value, alternative: &Alternative) -> Vec<Changed> {
    let mut out = Vec::new();
    let mut fields: Vec<(&String, &Vec<Term>)> = alternative.fields.iter().collect();
    fields.sort_by_key(|(field, _)| {
        (
            field.as_str() == "eventSource",
            field.as_str() != "eventName",
        )
    });
    for (field, terms) in fields {
        for term in terms {
            for value in term.exclusions().iter().map(excluded_value) {
                push(&mut out, record, field, Some(value));
            }
        }
        let others = [
            json!("DescribeRegions"),
            json!("something-else"),
            json!(-1),
            json!(true),
            json!(false),
            json!("198.51.100.200"),
        ];
        for value in others {
            let is_call = value == json!("DescribeRegions");
            if is_call == (field.as_str() == "eventName") {
                push(&mut out, record, field, Some(value));
            }
        }
        push(&mut out, record, field, None);
    }
    out
}

fn push(out: &mut Vec<Changed>, record: &Value, field: &str, value: Option<Value>) {
    let mut changed = record.clone();
    let name = match &value {
        Some(value) => {
            let shown: String = value.to_string().chars().take(60).collect();
            format!("{field} is {shown}")
        }
        None => format!("{field} is missing"),
    };
    match &value {
        Some(value) => set(&mut changed, field, value.clone()),
        None => remove(&mut changed, field),
    }
    out.push(Changed {
        field: field.to_owned(),
        name,
        value,
        record: changed,
    });
}

fn base() -> Value {
    json!({
        "userIdentity": {
            "type": "IAMUser",
            "arn": "arn:aws:iam::111122223333:user/alice",
            "accountId": "111122223333",
            "userName": "alice",
        },
        "eventTime": "2026-11-23T03:04:05Z",
        "eventSource": "example.amazonaws.com",
        "eventName": "ExampleCall",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.9",
        "userAgent": "aws-cli/2.31.5",
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
    })
}

fn value_of(term: &Term) -> Value {
    match term {
        Term::Text(text) => json!(text_of(text)),
        Term::Number(number) => number_of(number),
        Term::Range(range) => within(range),
        Term::Boolean(value) => json!(value),
        Term::Cidr(network) => json!(network.address.to_string()),
        Term::Exists | Term::NonNull | Term::Not(_) => json!("example"),
        Term::Null | Term::Absent => Value::Null,
    }
}

/// A matching text: stars become nothing, unless the whole text would be empty.
fn text_of(text: &Match) -> String {
    let plain: String = text
        .glob
        .iter()
        .filter_map(|piece| match piece {
            Piece::Char(c) => Some(*c),
            Piece::One | Piece::Many => None,
        })
        .collect();
    if plain.is_empty() && !text.glob.is_empty() {
        return "example".to_owned();
    }
    plain
}

/// A matching time: tries the days of a year at one time, then the times of one day.
fn time_of(text: &Match) -> String {
    let fits = |time: &String| {
        crate::text::Text {
            pieces: text.glob.clone(),
        }
        .matches(time, false)
    };
    let year = text_of(text);
    let year: String = year.chars().take_while(char::is_ascii_digit).collect();
    let year = if year.len() == 4 {
        year
    } else {
        "2026".to_owned()
    };
    let days = (1..=12).flat_map(|month| (1..=31).map(move |day| (month, day)));
    let hours = (0..24).flat_map(|hour| (0..60).map(move |minute| (hour, minute)));
    days.map(|(month, day)| format!("{year}-{month:02}-{day:02}T03:04:05Z"))
        .chain(hours.map(|(hour, minute)| format!("{year}-11-23T{hour:02}:{minute:02}:05Z")))
        .find(fits)
        .unwrap_or_default()
}

fn number_of(number: &Number) -> Value {
    serde_json::from_str(&number.spelling).unwrap_or(Value::Null)
}

fn within(range: &Range) -> Value {
    let whole = |value: f64| json!(value);
    let candidates = match (&range.low, &range.high) {
        (Some((low, _)), Some((high, _))) => {
            vec![low.value, f64::midpoint(low.value, high.value), high.value]
        }
        (Some((low, _)), None) => vec![low.value, low.value + 1.0],
        (None, Some((high, _))) => vec![high.value, high.value - 1.0],
        (None, None) => vec![0.0],
    };
    candidates
        .into_iter()
        .find(|value| range.contains(*value))
        .map_or(Value::Null, whole)
}

fn is_excluded(except: &[Exclusion], value: &Value) -> bool {
    except.iter().any(|exclusion| match exclusion {
        Exclusion::Text(text) => value.as_str().is_some_and(|value| {
            crate::text::Text {
                pieces: text.glob.clone(),
            }
            .matches(value, text.fold)
        }),
        Exclusion::Number(number) => number_of(number) == *value,
    })
}

fn excluded_value(exclusion: &Exclusion) -> Value {
    match exclusion {
        Exclusion::Text(text) => json!(text_of(text)),
        Exclusion::Number(number) => number_of(number),
    }
}

fn get<'a>(record: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(record, |value, step| value.get(step))
}

/// Sets a field; non-objects on the way are replaced by objects.
fn set(record: &mut Value, path: &str, value: Value) {
    let mut at = record;
    for step in path.split('.') {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Some(object) = at.as_object_mut() else {
            return;
        };
        at = object.entry(step.to_owned()).or_insert(Value::Null);
    }
    *at = value;
}

fn remove(record: &mut Value, path: &str) {
    match path.rsplit_once('.') {
        Some((parent, last)) => {
            let parent = parent
                .split('.')
                .try_fold(record, |value, step| value.get_mut(step));
            if let Some(object) = parent.and_then(Value::as_object_mut) {
                object.shift_remove(last);
            }
        }
        None => {
            if let Some(object) = record.as_object_mut() {
                object.shift_remove(path);
            }
        }
    }
}
