//! Turns alternatives into event patterns within EventBridge's limits.

use std::collections::BTreeSet;

use eventbridge_pattern::Pattern;
use serde_json::{Map, Value, json};

use crate::alternatives::Alternative;
use crate::loss::Losses;
use crate::terms::{self, Match, Term};
use crate::text::{Shape, Text};

/// A Sigma rule is split into at most this many rules.
const MAX_PARTS: usize = 10;

/// A pattern and the alternatives that it covers.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) pattern: Pattern,
    pub(crate) json: Value,
    pub(crate) alternatives: Vec<Alternative>,
}

/// The patterns that together match what the alternatives do: several if a single one would exceed
/// a limit of EventBridge.
pub(crate) fn parts(
    alternatives: Vec<Alternative>,
    losses: &mut Losses,
) -> Result<Vec<Part>, String> {
    let mut waiting = vec![alternatives];
    let mut parts = Vec::new();
    while let Some(alternatives) = waiting.pop() {
        if parts.len() + waiting.len() >= MAX_PARTS {
            return Err(format!(
                "it would take more than {MAX_PARTS} rules to keep each event pattern within EventBridge's limits"
            ));
        }
        let json = json_of(&alternatives, losses);
        match Pattern::parse(&json.to_string()) {
            Ok(pattern) => parts.push(Part {
                pattern,
                json,
                alternatives,
            }),
            Err(error) => match halves(alternatives) {
                Some((first, second)) => waiting.extend([second, first]),
                None => {
                    return Err(format!(
                        "EventBridge would refuse the event pattern: {}",
                        error.message
                    ));
                }
            },
        }
    }
    Ok(parts)
}

/// Splits the alternatives into two lists that together match the same events.
fn halves(mut alternatives: Vec<Alternative>) -> Option<(Vec<Alternative>, Vec<Alternative>)> {
    if alternatives.len() > 1 {
        let second = alternatives.split_off(alternatives.len() / 2);
        return Some((alternatives, second));
    }
    let only = alternatives.pop()?;
    let (field, terms) = only
        .fields
        .iter()
        .filter(|(_, terms)| terms.len() > 1)
        .max_by_key(|(_, terms)| terms.len())?;
    let (first, second) = terms.split_at(terms.len() / 2);
    let with = |terms: &[Term]| {
        let mut other = only.clone();
        other.fields.insert(field.clone(), terms.to_vec());
        vec![other]
    };
    Some((with(first), with(second)))
}

fn json_of(alternatives: &[Alternative], losses: &mut Losses) -> Value {
    let shared: Vec<&String> = match alternatives.split_first() {
        Some((first, rest)) => first
            .fields
            .iter()
            .filter(|(field, terms)| {
                rest.iter()
                    .all(|other| other.fields.get(*field) == Some(*terms))
            })
            .map(|(field, _)| field)
            .collect(),
        None => Vec::new(),
    };
    let mut detail = Map::new();
    if let Some(first) = alternatives.first() {
        put_all(&mut detail, first, |field| shared.contains(&field), losses);
    }
    // An alternative with only the common terms makes the others redundant.
    let differ = alternatives
        .iter()
        .all(|alternative| alternative.fields.len() > shared.len());
    if alternatives.len() > 1 && differ {
        let branches: Vec<Value> = alternatives
            .iter()
            .map(|alternative| {
                let mut branch = Map::new();
                put_all(
                    &mut branch,
                    alternative,
                    |field| !shared.contains(&field),
                    losses,
                );
                Value::Object(branch)
            })
            .collect();
        detail.insert("$or".to_owned(), Value::Array(branches));
    }
    json!({
        "source": sources(alternatives),
        "detail-type": [{ "suffix": " via CloudTrail" }],
        "detail": detail,
    })
}

/// The event sources for the envelope, derived from the records' `eventSource`
/// ([`cloudtrail::envelope::wrap`]).
fn sources(alternatives: &[Alternative]) -> Value {
    let mut names = BTreeSet::new();
    for alternative in alternatives {
        match alternative.exact("eventSource") {
            Some(sources) => names.extend(sources.iter().map(|source| {
                let service = source.strip_suffix(".amazonaws.com").unwrap_or(source);
                format!("aws.{service}")
            })),
            None => return json!([{ "prefix": "aws." }]),
        }
    }
    json!(names)
}

fn put_all(
    object: &mut Map<String, Value>,
    alternative: &Alternative,
    wanted: impl Fn(&String) -> bool,
    losses: &mut Losses,
) {
    let mut fields: Vec<(&String, &Vec<Term>)> = alternative
        .fields
        .iter()
        .filter(|(field, _)| wanted(field))
        .collect();
    fields.sort_by_key(|(field, _)| (rank(field), *field));
    for (field, terms) in fields {
        let list = Value::Array(terms::render(field, terms, losses));
        put(object, field, list);
    }
}

/// Sort key of a field: what a reader wants to see first.
fn rank(field: &str) -> usize {
    ["eventSource", "eventName", "errorCode"]
        .iter()
        .position(|first| *first == field)
        .unwrap_or(3)
}

/// Inserts a list at a path, or under the dotted path if a list is already on the way. Paths arrive
/// sorted, so a shorter one is inserted first.
fn put(object: &mut Map<String, Value>, path: &str, list: Value) {
    match path.split_once('.') {
        Some((first, rest)) if object.get(first).is_none_or(Value::is_object) => {
            let below = object
                .entry(first.to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
            if let Some(below) = below.as_object_mut() {
                put(below, rest, list);
            }
        }
        _ => {
            object.insert(path.to_owned(), list);
        }
    }
}

/// Verbs of calls that CloudTrail may mark as read-only. Their events reach only rules with
/// `read_only: true`
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html>).
/// Too long a list costs money, too short a list costs alerts.
const READING: [&str; 26] = [
    "AssumeRole",
    "BatchCheck",
    "BatchDescribe",
    "BatchGet",
    "Check",
    "Decrypt",
    "Describe",
    "Detect",
    "Discover",
    "Download",
    "Encrypt",
    "Estimate",
    "Filter",
    "GenerateDataKey",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Preview",
    "Query",
    "Read",
    "Retrieve",
    "Scan",
    "Search",
    "Simulate",
    "Verify",
];

/// Calls that look read-only but count as changes.
const CHANGING: [&str; 2] = ["GetFederationToken", "GetSessionToken"];

/// Whether a rule with these alternatives needs read-only calls.
pub(crate) fn reads(alternatives: &[Alternative]) -> bool {
    alternatives.iter().any(|alternative| {
        let changes_only = alternative
            .fields
            .get("readOnly")
            .is_some_and(|terms| terms.iter().all(|term| *term == Term::Boolean(false)));
        !changes_only && may_read(alternative)
    })
}

fn may_read(alternative: &Alternative) -> bool {
    let Some(terms) = alternative.fields.get("eventName") else {
        return true;
    };
    let starts = |text: &str, verb: &str| {
        let head: String = text.chars().take(verb.len()).collect();
        head.eq_ignore_ascii_case(verb)
    };
    terms.iter().any(|term| {
        let Term::Text(Match { glob, .. }) = term else {
            return true;
        };
        let text = Text {
            pieces: glob.clone(),
        };
        match text.shape() {
            Shape::Exact(name) => {
                !CHANGING
                    .iter()
                    .any(|other| other.eq_ignore_ascii_case(&name))
                    && READING.iter().any(|verb| starts(&name, verb))
            }
            // `De*` may continue as `Describe`.
            Shape::Prefix(prefix) => READING
                .iter()
                .any(|verb| starts(&prefix, verb) || starts(verb, &prefix)),
            _ => true,
        }
    })
}
