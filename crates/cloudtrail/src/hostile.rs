//! Variants of an event with hostile text.
//!
//! The caller of an AWS API chooses the user agent, session name, tags and request parameters. If a
//! quote in one of them broke the alert, an attacker could silence it. [`variants`] plants such
//! text in every string under `detail` that the pattern leaves free, so that tests can prove that
//! the alert still arrives.

use std::collections::BTreeSet;

use eventbridge_pattern::{Event, Pattern};
use serde_json::{Value, json};

use crate::fields;

/// Length of the long hostile text, in bytes.
const LONG: usize = 10 * 1024;
/// Long texts are distributed over events of at most this many bytes, safely below `EventBridge`'s
/// limit of 256 KB.
const MAX_EVENT: usize = 200 * 1000;

/// Names and contents of short hostile texts.
const SHORT: [(&str, &str); 6] = [
    ("quote", "\""),
    ("backslash", "\\"),
    ("newline", "\n"),
    ("angle bracket", "<"),
    ("braces", "{{"),
    (
        "everything",
        "\"\\\n<{{resolve:ssm:x}}<account>${AWS::AccountId}\"",
    ),
];

/// An event with hostile text that the pattern still matches.
#[derive(Clone, Debug)]
pub struct Hostile {
    /// Name of the planted text, such as `quote` or `10 kB (2)`.
    pub name: String,
    /// The whole event, envelope included.
    pub event: Value,
    /// JSON path (`$.detail.…`) and new value of every changed string.
    pub planted: Vec<(String, String)>,
}

/// Hostile variants of `event`: one for each short text, and as many for the 10 kB text as needed
/// to keep each event under 200 kB. `pattern` matches all of them.
///
/// The text is appended to the original value, or prepended if the pattern tests the end. Strings
/// that the pattern pins, and those that CloudTrail sets itself, stay unchanged.
pub fn variants(event: &Value, pattern: &Pattern) -> Vec<Hostile> {
    let mut found = Vec::new();
    let mut leaves = Vec::new();
    if let Some(detail) = event.get("detail") {
        strings(detail, &mut vec!["detail".to_owned()], &mut leaves);
        if detail.get("eventVersion").is_some() {
            leaves
                .retain(|steps| !matches!(&steps[..], [_, name] if is_written_by_cloudtrail(name)));
        }
    }
    let tested = Tested::new(pattern);
    for (name, text) in SHORT {
        let mut variant = Hostile::new(name, event);
        for pointer in &leaves {
            variant.plant(pointer, text, &tested);
        }
        if !variant.planted.is_empty() {
            found.push(variant);
        }
    }
    found.extend(long(event, &tested, &leaves));
    found
}

/// The event as CloudTrail records it if the parameters of the request have more than 100 KB: it
/// leaves them out. `None` if it has no parameters.
///
/// Whoever makes a call can choose that, so a rule that looks into parameters needs another one
/// beside it
/// (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>).
pub fn without_parameters(event: &Value) -> Option<Value> {
    let mut event = event.clone();
    let parameters = event.pointer_mut("/detail/requestParameters")?;
    if !parameters.is_object() {
        return None;
    }
    *parameters = json!({
        "omitted": true, "originalSize": 102_442, "reason": "requestParameters too large",
    });
    Some(event)
}

/// A pattern with the paths of the fields it tests. Text in any other field can't change whether
/// it matches, which spares serializing and matching the event for most strings.
struct Tested<'a> {
    pattern: &'a Pattern,
    paths: BTreeSet<String>,
}

impl<'a> Tested<'a> {
    fn new(pattern: &'a Pattern) -> Self {
        Self {
            pattern,
            paths: pattern
                .field_paths()
                .iter()
                .map(|path| names(path))
                .collect(),
        }
    }

    /// Whether the pattern still matches after the string at `steps` changed.
    fn allows(&self, event: &Value, steps: &[String]) -> bool {
        if !self.paths.contains(&names(&steps.join("."))) {
            return true;
        }
        Event::parse(&event.to_string()).is_ok_and(|event| self.pattern.matches(&event) == Ok(true))
    }
}

/// A path without its numbers. The elements of an array are matched under the array's own path, and
/// a path alone doesn't tell an index from a member that is named by a number.
fn names(path: &str) -> String {
    let steps = path.split('.');
    let names: Vec<&str> = steps.filter(|step| !is_number(step)).collect();
    names.join(".")
}

fn is_number(step: &str) -> bool {
    step.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_written_by_cloudtrail(name: &str) -> bool {
    fields::field(name).is_some_and(|field| field.is_written_by_cloudtrail)
}

fn long(event: &Value, tested: &Tested<'_>, leaves: &[Vec<String>]) -> Vec<Hostile> {
    let text = "x".repeat(LONG);
    let base = event.to_string().len();
    let room = MAX_EVENT.saturating_sub(base) / LONG;
    if room == 0 {
        return Vec::new();
    }
    let mut found: Vec<Hostile> = Vec::new();
    for pointer in leaves {
        // Testing each string on the small event keeps matching cheap.
        let mut alone = Hostile::new("10 kB", event);
        if !alone.plant(pointer, &text, tested) {
            continue;
        }
        let full = found
            .last()
            .is_none_or(|variant| variant.planted.len() >= room);
        if full {
            found.push(Hostile::new(&format!("10 kB ({})", found.len() + 1), event));
        }
        if let Some(variant) = found.last_mut() {
            variant.plant(pointer, &text, tested);
        }
    }
    found.retain(|variant| !variant.planted.is_empty());
    found
}

impl Hostile {
    fn new(name: &str, event: &Value) -> Self {
        Self {
            name: name.to_owned(),
            event: event.clone(),
            planted: Vec::new(),
        }
    }

    /// Plants the text in one string, unless the pattern would no longer match.
    fn plant(&mut self, steps: &[String], text: &str, tested: &Tested<'_>) -> bool {
        let Some(leaf) = leaf(&mut self.event, steps) else {
            return false;
        };
        let Value::String(original) = leaf.clone() else {
            return false;
        };
        for hostile in [format!("{original}{text}"), format!("{text}{original}")] {
            if let Some(leaf) = self::leaf(&mut self.event, steps) {
                *leaf = Value::String(hostile.clone());
            }
            if tested.allows(&self.event, steps) {
                self.planted.push((json_path(steps), hostile));
                return true;
            }
        }
        if let Some(leaf) = self::leaf(&mut self.event, steps) {
            *leaf = Value::String(original);
        }
        false
    }
}

fn leaf<'a>(event: &'a mut Value, steps: &[String]) -> Option<&'a mut Value> {
    steps.iter().try_fold(event, |value, step| match value {
        Value::Object(map) => map.get_mut(step),
        Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Collects the path to every string below `value`.
fn strings(value: &Value, path: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
    match value {
        Value::String(_) => out.push(path.clone()),
        Value::Object(map) => {
            for (key, below) in map {
                path.push(key.clone());
                strings(below, path, out);
                path.pop();
            }
        }
        Value::Array(items) => {
            for (index, below) in items.iter().enumerate() {
                path.push(index.to_string());
                strings(below, path, out);
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Formats `$.detail.items[0].id`; a step of digits is treated as an index.
fn json_path(steps: &[String]) -> String {
    steps.iter().fold("$".to_owned(), |path, step| {
        if is_number(step) {
            format!("{path}[{step}]")
        } else {
            format!("{path}.{step}")
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> Value {
        json!({
            "source": "aws.iam", "account": "012345678901",
            "detail": {
                "eventName": "CreateUser", "userAgent": "cli", "count": 3,
                "arn": "arn:aws:iam::012345678901:user/alice",
                "tags": [{"key": "a", "value": "b"}],
            },
        })
    }

    fn pattern() -> Pattern {
        Pattern::parse(
            r#"{"source": ["aws.iam"], "detail": {"eventName": ["CreateUser"], "arn": [{"suffix": "/alice"}]}}"#,
        )
        .unwrap()
    }

    #[test]
    fn every_free_string_is_changed_and_no_pinned_one() {
        let variants = variants(&event(), &pattern());
        let quote = variants
            .iter()
            .find(|variant| variant.name == "quote")
            .unwrap();
        assert_eq!(quote.event["detail"]["eventName"], "CreateUser");
        assert_eq!(quote.event["detail"]["userAgent"], "cli\"");
        assert_eq!(
            quote.event["detail"]["arn"],
            "\"arn:aws:iam::012345678901:user/alice"
        );
        assert_eq!(quote.event["detail"]["tags"][0]["value"], "b\"");
        assert_eq!(quote.event["account"], "012345678901");
        assert_eq!(quote.event["detail"]["count"], 3);
        let paths: Vec<&str> = quote
            .planted
            .iter()
            .map(|(path, _)| path.as_str())
            .collect();
        assert_eq!(
            paths,
            [
                "$.detail.userAgent",
                "$.detail.arn",
                "$.detail.tags[0].key",
                "$.detail.tags[0].value"
            ]
        );
    }

    #[test]
    fn long_texts_are_spread_over_events_that_fit() {
        let mut event = event();
        for n in 0..30 {
            event["detail"][format!("f{n}")] = json!("x");
        }
        let variants = variants(&event, &pattern());
        let long: Vec<&Hostile> = variants
            .iter()
            .filter(|variant| variant.name.starts_with("10 kB"))
            .collect();
        assert_eq!(long.len(), 2);
        assert_eq!(
            long.iter()
                .map(|variant| variant.planted.len())
                .sum::<usize>(),
            34
        );
        for variant in long {
            let text = variant.event.to_string();
            assert!(text.len() < MAX_EVENT);
            assert_eq!(pattern().matches(&Event::parse(&text).unwrap()), Ok(true));
        }
    }
}
