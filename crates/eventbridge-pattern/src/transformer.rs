//! What a rule's target receives: `Input`, `InputPath` and `InputTransformer`.
//!
//! `PutTargets` checks a template with `null` for each placeholder, which says little about the result
//! for an event. In an *object* template (its text starts with `{`) a placeholder
//! outside of a string becomes the value's JSON, so that nothing in an event can break it. In any
//! other template strings are inserted as they are, without quotes and without escapes, and an
//! event whose text holds a quote or a newline isn't delivered at all.
//!
//! Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html>,
//! and outcomes recorded on the service.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::document::Document;
use crate::error::EventError;
use crate::json_path::JsonPath;
use crate::scan::{Scanner, Token};

/// Most characters of a template.
const MAX_TEMPLATE: usize = 8192;
/// Most entries of an input paths map.
const MAX_PATHS: usize = 100;
/// Most characters of a path, and of a path's name.
const MAX_PATH: usize = 256;
/// Nesting of a body: an event's, inside a template's.
const MAX_DEPTH: usize = 2000;

/// An input transformer that `PutTargets` accepts.
#[derive(Debug, Clone, PartialEq)]
pub struct InputTransformer {
    parts: Vec<Part>,
    is_object: bool,
    paths: BTreeMap<String, JsonPath>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Placeholder { name: String, quoted: bool },
}

/// Values that the service itself knows, for the reserved placeholders `<aws.events.…>`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reserved {
    /// `<aws.events.rule-arn>`
    pub rule_arn: String,
    /// `<aws.events.rule-name>`
    pub rule_name: String,
    /// `<aws.events.event.ingestion-time>`, as `2026-09-13T12:17:30.408Z`
    pub ingestion_time: String,
}

/// An input transformer (or path, or input) that `PutTargets` refuses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct TransformerError {
    /// The reason in the service's wording, the word `target` standing for the target's id.
    pub message: String,
    /// Byte offset into the template, for what is wrong inside it.
    pub offset: Option<usize>,
}

/// An event that would go to the dead-letter queue instead of the target.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{code}: {message}")]
pub struct Undeliverable {
    /// The dead letter's `ERROR_CODE`, as `INVALID_JSON`.
    pub code: String,
    /// The dead letter's `ERROR_MESSAGE`.
    pub message: String,
    /// The body that was attempted.
    pub attempted: String,
}

/// Why [`select`] has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SelectError {
    /// The path isn't one that `PutTargets` accepts.
    #[error(transparent)]
    Path(#[from] TransformerError),
    /// The event isn't JSON.
    #[error(transparent)]
    Event(#[from] EventError),
}

fn refused<T>(message: impl Into<String>, offset: Option<usize>) -> Result<T, TransformerError> {
    Err(TransformerError {
        message: message.into(),
        offset,
    })
}

/// The reserved placeholders that stand for the event itself.
fn is_whole_event(name: &str) -> bool {
    matches!(name, "aws.events.event" | "aws.events.event.json")
}

fn is_reserved(name: &str) -> bool {
    is_whole_event(name)
        || matches!(
            name,
            "aws.events.rule-arn" | "aws.events.rule-name" | "aws.events.event.ingestion-time"
        )
}

fn is_name(name: &str) -> bool {
    (1..=MAX_PATH).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

impl InputTransformer {
    /// Checks a transformer as `PutTargets` does. An empty map counts as no map at all: unknown
    /// placeholders then stay in the text.
    ///
    /// # Errors
    /// The service's refusal, in its wording.
    pub fn new(
        paths: &BTreeMap<String, String>,
        template: &str,
    ) -> Result<InputTransformer, TransformerError> {
        if paths.len() > MAX_PATHS {
            return refused(
                format!("Member must have length less than or equal to {MAX_PATHS}"),
                None,
            );
        }
        let mut parsed = BTreeMap::new();
        for (name, path) in paths {
            if !is_name(name) || name.starts_with("AWS.") {
                return refused(
                    "Map keys must satisfy constraint: [Member must have length less than or equal to 256, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [A-Za-z0-9\\_\\-]+]",
                    None,
                );
            }
            match JsonPath::parse(path) {
                Some(path) => parsed.insert(name.clone(), path),
                None => return refused("InputPath for target target is invalid.", None),
            };
        }
        let length = template.chars().count();
        if length == 0 {
            return refused("Member must have length greater than or equal to 1", None);
        }
        if length > MAX_TEMPLATE {
            return refused(
                format!("Member must have length less than or equal to {MAX_TEMPLATE}"),
                None,
            );
        }
        let is_object = template.trim_start().starts_with('{');
        let parts = parts(template, &parsed)?;
        let transformer = InputTransformer {
            parts,
            is_object,
            paths: parsed,
        };
        transformer.check(template)?;
        Ok(transformer)
    }

    /// The template with each placeholder taken for `null` must be one JSON value, or several
    /// strings; in it, no placeholder may be part of a key, and the whole event may only be a value
    /// in an object.
    fn check(&self, template: &str) -> Result<(), TransformerError> {
        // Marks placeholders inside of strings.
        let marker = ('\u{e000}'..='\u{f8ff}')
            .find(|c| !template.contains(*c))
            .unwrap_or_default();
        let mut sample = String::with_capacity(template.len());
        for part in &self.parts {
            match part {
                Part::Text(text) => sample.push_str(text),
                Part::Placeholder { name, quoted: true } if is_whole_event(name) => {
                    return only_in_objects(name);
                }
                Part::Placeholder { name, .. } if is_whole_event(name) && !self.is_object => {
                    return only_in_objects(name);
                }
                Part::Placeholder { quoted: true, .. } => sample.push(marker),
                Part::Placeholder { quoted: false, .. } => sample.push_str("null"),
            }
        }
        // Without a map, unknown placeholders are kept, and counted as values all the same.
        let sample = null_unknown(&sample);
        if has_key_with(marker, &sample) {
            return refused(
                "InputTemplate placeholder present as a JSON object key for target target.",
                None,
            );
        }
        match multiple_values(&sample) {
            Ok(()) => Ok(()),
            Err(offset) => {
                let shown = sample.replace(marker, "");
                let before = sample.get(..offset).unwrap_or(&sample);
                let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
                let line = before.matches('\n').count() + 1;
                let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
                let message = format!(
                    "Invalid InputTemplate for target target : [Source: (String)\"{shown}\"; line: {line}, column: {column}]."
                );
                refused(message, Some(offset))
            }
        }
    }

    /// Placeholder names in the template, each once, sorted.
    pub fn placeholders(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Placeholder { name, .. } => Some(name),
                Part::Text(_) => None,
            })
            .collect();
        names.into_iter().cloned().collect()
    }

    /// The placeholders inside a string of the template: what they insert must not be
    /// an object or an array, and in a template that isn't an object must not hold a quote, a
    /// backslash or a control character either.
    pub fn quoted_placeholders(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Placeholder { name, quoted: true } => Some(name),
                _ => None,
            })
            .collect();
        names.into_iter().cloned().collect()
    }

    /// Whether the template is a JSON object, the one form in which values are inserted as JSON.
    pub fn is_object(&self) -> bool {
        self.is_object
    }

    /// The body that the target receives. `event` is the event's JSON.
    ///
    /// # Errors
    /// What the service sends to the dead-letter queue instead: a result that isn't JSON. An event
    /// that isn't JSON itself is reported the same way.
    pub fn render(&self, event: &str, reserved: &Reserved) -> Result<String, Undeliverable> {
        let undeliverable = |attempted: String| Undeliverable {
            code: "INVALID_JSON".to_owned(),
            message: "Invalid input for target.".to_owned(),
            attempted,
        };
        let Ok(document) = Document::read(event) else {
            return Err(undeliverable(event.to_owned()));
        };
        let mut body = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => body.push_str(text),
                Part::Placeholder { name, quoted } => {
                    let value = self.value(name, &document, reserved);
                    self.insert(&mut body, value.as_ref(), *quoted);
                }
            }
        }
        match multiple_values(&body) {
            Ok(()) => Ok(body),
            Err(_) => Err(undeliverable(body)),
        }
    }

    fn value(&self, name: &str, document: &Document, reserved: &Reserved) -> Option<Document> {
        if let Some(path) = self.paths.get(name) {
            return path.select(document);
        }
        match name {
            "aws.events.rule-arn" => Some(Document::Text(reserved.rule_arn.clone())),
            "aws.events.rule-name" => Some(Document::Text(reserved.rule_name.clone())),
            "aws.events.event.ingestion-time" => {
                Some(Document::Text(reserved.ingestion_time.clone()))
            }
            "aws.events.event.json" => Some(document.clone()),
            "aws.events.event" => Some(document.envelope()),
            _ => None,
        }
    }

    fn insert(&self, body: &mut String, value: Option<&Document>, quoted: bool) {
        let Some(value) = value else {
            if self.is_object && !quoted {
                body.push_str("\"\"");
            }
            return;
        };
        match (value, self.is_object, quoted) {
            (Document::Text(text), true, true) => crate::scan::write_content(body, text),
            (Document::Text(text), false, _) => body.push_str(text),
            (value, true, _) => body.push_str(&value.text()),
            (value, false, _) => body.push_str(&value.text().replace('"', "")),
        }
    }
}

/// Whether the marker is part of a key.
fn has_key_with(marker: char, sample: &str) -> bool {
    let mut scanner = Scanner::new(sample, MAX_DEPTH);
    while let Ok(token) = scanner.next() {
        match token {
            Token::Key(name) if name.contains(marker) => return true,
            Token::End => return false,
            _ => {}
        }
    }
    false
}

fn only_in_objects(name: &str) -> Result<(), TransformerError> {
    refused(
        format!(
            "InputTemplate for target target contains placeholder {name} valid only for JSON template."
        ),
        None,
    )
}

/// Takes a template apart.
fn parts(
    template: &str,
    paths: &BTreeMap<String, JsonPath>,
) -> Result<Vec<Part>, TransformerError> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let (mut quoted, mut escaped) = (false, false);
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        if let Some((name, behind)) = placeholder(rest) {
            let known = paths.contains_key(name) || is_reserved(name);
            if !known && !paths.is_empty() {
                let offset = template.len() - rest.len();
                let message =
                    format!("InputTemplate for target target contains invalid placeholder {name}.");
                return refused(message, Some(offset));
            }
            if known {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Placeholder {
                    name: name.to_owned(),
                    quoted,
                });
                rest = behind;
                escaped = false;
                continue;
            }
        }
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = c == '\\' && quoted && !escaped;
        text.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

/// A placeholder's name at the start of `text`, and what follows it.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, behind) = text.strip_prefix('<')?.split_once('>')?;
    let valid = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    valid.then_some((name, behind))
}

/// Replaces what still looks like a placeholder outside of strings by `null`.
fn null_unknown(sample: &str) -> String {
    let mut out = String::with_capacity(sample.len());
    let (mut quoted, mut escaped) = (false, false);
    let mut rest = sample;
    while let Some(c) = rest.chars().next() {
        if !quoted && let Some((_, behind)) = placeholder(rest) {
            out.push_str("null");
            rest = behind;
            continue;
        }
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = c == '\\' && quoted && !escaped;
        out.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    out
}

/// Checks that the text is one JSON value, or several strings with white space between them; else
/// the offset of what is wrong.
fn multiple_values(text: &str) -> Result<(), usize> {
    let mut at = 0;
    let mut strings = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let start = at + (rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len());
        let rest = text.get(start..).unwrap_or_default();
        if rest.is_empty() {
            return if strings > 0 { Ok(()) } else { Err(start) };
        }
        if !rest.starts_with('"') {
            if strings > 0 {
                return Err(start);
            }
            return crate::scan::compact(rest, MAX_DEPTH)
                .map(|_| ())
                .map_err(|error| start + error.offset);
        }
        let mut scanner = Scanner::new(rest, MAX_DEPTH);
        scanner.next().map_err(|error| start + error.offset)?;
        at = start + scanner.position();
        strings += 1;
    }
}

/// Checks an `InputPath` as `PutTargets` does. An empty path is accepted, and selects nothing.
///
/// # Errors
/// The service's refusal.
pub fn check_path(path: &str) -> Result<(), TransformerError> {
    if path.is_empty() || JsonPath::parse(path).is_some() {
        Ok(())
    } else {
        refused("InputPath for target target is invalid.", None)
    }
}

/// Checks a constant `Input` as `PutTargets` does. An empty one is accepted (and nothing is
/// delivered).
///
/// # Errors
/// The service's refusal.
pub fn check_input(input: &str) -> Result<(), TransformerError> {
    if input.chars().count() > MAX_TEMPLATE {
        return refused(
            format!("Member must have length less than or equal to {MAX_TEMPLATE}"),
            None,
        );
    }
    if input.is_empty() {
        return Ok(());
    }
    match crate::scan::compact(input, MAX_DEPTH) {
        Ok(_) => Ok(()),
        Err(error) => refused(
            "JSON syntax error in input for target target.",
            Some(error.offset),
        ),
    }
}

/// Checks that a target has at most one of `Input`, `InputPath` and `InputTransformer`.
///
/// # Errors
/// The service's refusal.
pub fn check_one_of(
    input: bool,
    input_path: bool,
    input_transformer: bool,
) -> Result<(), TransformerError> {
    if usize::from(input) + usize::from(input_path) + usize::from(input_transformer) > 1 {
        return refused(
            "Only one of Input, InputPath, or InputTransformer must be provided for target target.",
            None,
        );
    }
    Ok(())
}

/// What a target with this `InputPath` receives: compact JSON, `{}` for a missing value or null.
///
/// # Errors
/// A path that `PutTargets` refuses, or an event that isn't JSON.
pub fn select(path: &str, event: &str) -> Result<String, SelectError> {
    check_path(path)?;
    let document = Document::read(event)?;
    let selected = JsonPath::parse(path)
        .and_then(|path| path.select(&document))
        .filter(|value| *value != Document::Null);
    Ok(selected.map_or_else(|| "{}".to_owned(), |value| value.text()))
}
