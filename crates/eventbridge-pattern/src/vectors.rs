//! Running recorded and generated verdicts through the engine: JSON lines of four kinds,
//! distinguished by their fields.
//!
//! | fields | the line says |
//! |---|---|
//! | `pattern`, `event`, `verdict` | `match`, `no_match`, or `invalid` for a pattern to refuse |
//! | `pattern`, `event`, `aws_verdict`, `aws_message` | the same from the service, and its message |
//! | `pattern`, `complexity`, `service` | the wildcard complexity, and `valid` or `too_complex` |
//! | `target`, `event`, `outcome`, `body`, `message` | what a target with this input received |
//!
//! Patterns are JSON texts; so are events, except in the last kind.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::transformer::{self, InputTransformer, Reserved};
use crate::{Event, Limits, Pattern, PatternErrorKind, RuleSet, Scratch};

/// A line on which the engine and the record differ.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{id}: expected {expected}, got {got}")]
pub struct Disagreement {
    /// The line's `id`.
    pub id: String,
    /// What the record says.
    pub expected: String,
    /// What the engine says.
    pub got: String,
}

/// A line that isn't a vector.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VectorError {
    /// Not JSON, or fields of the wrong type.
    #[error("not a vector: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON without the fields of any kind of vector.
    #[error("not a vector: no `verdict`, `aws_verdict`, `complexity` or `outcome`")]
    Kind,
}

#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    id: String,
    #[serde(default)]
    pattern: String,
    #[serde(default)]
    event: Value,
    verdict: Option<String>,
    aws_verdict: Option<String>,
    aws_message: Option<String>,
    complexity: Option<usize>,
    service: Option<String>,
    #[serde(default)]
    target: Value,
    outcome: Option<String>,
    body: Option<String>,
    message: Option<String>,
}

/// Runs one line. `Ok(None)` means that the engine agrees.
///
/// # Errors
/// A line that isn't a vector of a known kind.
pub fn check_line(line: &str) -> Result<Option<Disagreement>, VectorError> {
    let line: Line = serde_json::from_str(line)?;
    let (expected, got) = if let Some(verdict) = &line.verdict {
        (verdict.clone(), verdict_of(&line).0)
    } else if let Some(verdict) = &line.aws_verdict {
        let (got, message) = verdict_of(&line);
        let expected = if verdict == "internal_failure" {
            "invalid"
        } else {
            verdict
        };
        match &line.aws_message {
            Some(wanted) => (
                format!("{expected}: {}", reason(wanted)),
                format!("{got}: {message}"),
            ),
            None => (expected.to_owned(), got),
        }
    } else if let Some(complexity) = line.complexity {
        let service = line.service.as_deref().unwrap_or_default();
        (
            format!("{complexity} {service}"),
            complexity_of(&line.pattern),
        )
    } else if let Some(outcome) = &line.outcome {
        (
            show_outcome(outcome, line.body.as_deref(), line.message.as_deref()),
            delivery(&line.target, &line.event),
        )
    } else {
        return Err(VectorError::Kind);
    };
    Ok((expected != got).then_some(Disagreement {
        id: line.id,
        expected,
        got,
    }))
}

/// The reason inside a service message: without its fixed beginning and the location at its end.
fn reason(message: &str) -> &str {
    let message = message
        .strip_prefix("Event pattern is not valid. Reason: ")
        .unwrap_or(message);
    message
        .split_once("\n at [Source")
        .map_or(message, |(reason, _)| reason)
}

fn verdict_of(line: &Line) -> (String, String) {
    let event = match &line.event {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let pattern = match Pattern::parse(&line.pattern) {
        Ok(pattern) => pattern,
        Err(error) => return ("invalid".to_owned(), error.message),
    };
    let single = Event::parse(&event)
        .map_err(|error| error.to_string())
        .and_then(|event| pattern.matches(&event).map_err(|error| error.to_string()));
    let mut scratch = Scratch::default();
    let set = RuleSet::builder().add(0, &pattern).build();
    let set = set
        .matches(event.as_bytes(), &mut scratch)
        .map_err(|error| error.to_string())
        .and_then(|matches| match matches.decided() {
            Ok(matched) => Ok(!matched.is_empty()),
            Err(error) => Err(error.to_string()),
        });
    let verdict = match (&single, &set) {
        (Ok(single), Ok(set)) if single == set => {
            if *single { "match" } else { "no_match" }.to_owned()
        }
        (Err(error), Err(_)) => error.clone(),
        _ => format!("alone {single:?}, in a set {set:?}"),
    };
    (verdict, String::new())
}

fn complexity_of(pattern: &str) -> String {
    let unlimited = Limits {
        complexity: usize::MAX,
        ..Limits::default()
    };
    let complexity = match Pattern::parse_within(pattern, &unlimited) {
        Ok(pattern) => pattern.complexity().to_string(),
        Err(error) => error.to_string(),
    };
    let service = match Pattern::parse(pattern) {
        Ok(_) => "valid".to_owned(),
        Err(error) if error.kind == PatternErrorKind::TooComplex => "too_complex".to_owned(),
        Err(error) => error.to_string(),
    };
    format!("{complexity} {service}")
}

/// The record of a target as one line. Messages are compared by the words that don't depend on the
/// target's id or on how the recording client phrases a constraint.
fn show_outcome(outcome: &str, body: Option<&str>, message: Option<&str>) -> String {
    let outcome = match outcome {
        // Nothing but white space is no body; the service reports nothing.
        "nothing_observed" => "dlq_INVALID_JSON or nothing",
        other => other,
    };
    let message = message.map(class_of).unwrap_or_default();
    format!("{outcome} {} {message}", body.unwrap_or_default())
}

/// What a refusal by `PutTargets` is about.
fn class_of(message: &str) -> String {
    const CLASSES: [(&str, &str); 9] = [
        ("InputPath for target", "InputPath"),
        ("contains invalid placeholder", "unknown placeholder"),
        ("valid only for JSON template", "event outside an object"),
        ("JSON object key", "placeholder in a key"),
        ("Invalid InputTemplate", "template"),
        ("JSON syntax error in input", "input"),
        ("Only one of Input", "only one"),
        ("ap keys", "map key"),
        ("min length 1", "length"),
    ];
    let class = CLASSES
        .iter()
        .find(|(words, _)| message.contains(words))
        .map(|(_, class)| *class);
    match class {
        Some("unknown placeholder") => {
            let name = message.rsplit(' ').next().unwrap_or_default();
            format!("unknown placeholder {name}")
        }
        Some("event outside an object") => {
            let name = message
                .split("placeholder ")
                .nth(1)
                .and_then(|rest| rest.split(' ').next());
            format!("event outside an object {}", name.unwrap_or_default())
        }
        Some(class) => class.to_owned(),
        None if message.contains("greater than or equal to 1") => "length".to_owned(),
        None => message.to_owned(),
    }
}

/// What the engine says about a target and an event.
fn delivery(target: &Value, event: &Value) -> String {
    let event = event.to_string();
    let rejected = |message: &str| show_outcome("rejected_at_PutTargets", None, Some(message));
    let field = |name: &str| target.get(name).filter(|value| !value.is_null());
    let (input, path, transformer) = (
        field("Input"),
        field("InputPath"),
        field("InputTransformer"),
    );
    if let Err(error) =
        transformer::check_one_of(input.is_some(), path.is_some(), transformer.is_some())
    {
        return rejected(&error.message);
    }
    if let Some(input) = input.and_then(Value::as_str) {
        return match transformer::check_input(input) {
            Err(error) => rejected(&error.message),
            Ok(()) if input.is_empty() => show_outcome("nothing_observed", None, None),
            Ok(()) => show_outcome("delivered", Some(input), None),
        };
    }
    if let Some(path) = path.and_then(Value::as_str) {
        return match transformer::select(path, &event) {
            Ok(body) => show_outcome("delivered", Some(&body), None),
            Err(error) => rejected(&error.to_string()),
        };
    }
    let transformer = transformer.unwrap_or(&Value::Null);
    let paths: BTreeMap<String, String> = transformer
        .get("InputPathsMap")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, path)| (name.clone(), path.as_str().unwrap_or_default().to_owned()))
        .collect();
    let template = transformer
        .get("InputTemplate")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let reserved = Reserved {
        rule_arn: "RULE-ARN".to_owned(),
        rule_name: "RULE".to_owned(),
        ingestion_time: "2026-09-13T12:17:30.408Z".to_owned(),
    };
    match InputTransformer::new(&paths, template)
        .map(|transformer| transformer.render(&event, &reserved))
    {
        Err(error) => rejected(&error.message),
        Ok(Ok(body)) => show_outcome("delivered", Some(&body), None),
        Ok(Err(undeliverable)) if undeliverable.attempted.trim().is_empty() => {
            show_outcome("nothing_observed", None, None)
        }
        Ok(Err(undeliverable)) => show_outcome(
            &format!("dlq_{}", undeliverable.code),
            Some(&undeliverable.attempted),
            None,
        ),
    }
}
