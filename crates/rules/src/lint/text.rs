//! Finds text that could deceive a reader or that a machine would expand.
//!
//! Rule files come from pull requests. Their text is used in CloudFormation templates, which expand
//! `{{resolve:…}}` and `${…}`; in input templates, where `<` and `>` can't be escaped; and in
//! reviews, where bidirectional controls can deceive people.

use syntax::untrusted::is_deceptive;
use syntax::{Diagnostic, Fix, Node, Span, Value};

use crate::model::UNFINISHED;
use crate::read::reader::Reader;

/// The use of a text decides what it may contain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The message, which may contain placeholders.
    Message,
    /// Copied into the input template next to the message.
    Alert,
    /// All other text that reaches a template or a reader.
    Rule,
    /// A test's event: inert data that may be as hostile as real events.
    Event,
}

/// Checks every text of a rule file.
pub(super) fn check(reader: &mut Reader, root: &Node) {
    raw_characters(reader);
    for entry in root.as_mapping().unwrap_or_default() {
        match entry.key.as_str() {
            "tests" => tests(reader, &entry.value),
            "message" => walk(reader, &entry.value, Purpose::Message),
            "title" | "runbook" | "id" => walk(reader, &entry.value, Purpose::Alert),
            _ => walk(reader, &entry.value, Purpose::Rule),
        }
        one(reader, &entry.key, entry.key_span, Purpose::Rule);
    }
}

fn tests(reader: &mut Reader, tests: &Node) {
    for test in tests.as_sequence().unwrap_or_default() {
        for entry in test.as_mapping().unwrap_or_default() {
            let purpose = match entry.key.as_str() {
                "event" | "override" | "message" => Purpose::Event,
                _ => Purpose::Rule,
            };
            walk(reader, &entry.value, purpose);
        }
    }
}

fn walk(reader: &mut Reader, node: &Node, purpose: Purpose) {
    match &node.value {
        Value::String(text) => one(reader, text, node.span, purpose),
        Value::Number(text) if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) => {
            let diagnostic = Diagnostic::warning(
                "rule::account-number",
                format!("{text} is a number here, but account ids are text"),
            )
            .help(format!("write \"{text}\""))
            .fix(Fix::replace(
                "put it in quotes",
                node.span,
                format!("\"{text}\""),
            ));
            reader.push(diagnostic, node.span);
        }
        Value::Sequence(items) => {
            for item in items {
                walk(reader, item, purpose);
            }
        }
        Value::Mapping(entries) => {
            for entry in entries {
                one(reader, &entry.key, entry.key_span, purpose);
                walk(reader, &entry.value, purpose);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn one(reader: &mut Reader, text: &str, span: Span, purpose: Purpose) {
    if purpose == Purpose::Event {
        return;
    }
    // Finds escaped characters; `raw_characters` finds unescaped ones.
    if let Some(c) = text.chars().find(|c| is_deceptive(*c))
        && !reader.location(span).text().contains(c)
    {
        reader.push(forbidden(c), span);
    }
    if let Some(reference) = dynamic_reference(text) {
        let location = reader.location(span).narrowed_to(reference);
        reader.diagnostics.push(
            Diagnostic::error(
                "rule::dynamic-reference",
                "`{{resolve:…}}` is a CloudFormation dynamic reference",
            )
            .at(location)
            .note("CloudFormation would replace it with a secret or parameter of the deploying account"),
        );
    } else if purpose != Purpose::Message && text.contains("{{") {
        let location = reader.location(span).narrowed_to("{{");
        reader.diagnostics.push(
            Diagnostic::error("rule::placeholder", "placeholders work in `message` only")
                .at(location),
        );
    }
    if let Some(line) = text.lines().map(str::trim).find(|line| is_unfinished(line)) {
        let location = reader.location(span).narrowed_to(UNFINISHED);
        reader.diagnostics.push(
            Diagnostic::error("rule::unfinished", format!("not written yet: {line}"))
                .at(location)
                .help("only the rule's author knows this; replace the whole line"),
        );
    }
    if text.contains("${") {
        let location = reader.location(span).narrowed_to("${");
        reader.diagnostics.push(
            Diagnostic::error(
                "rule::substitution",
                "`${` is CloudFormation's substitution",
            )
            .at(location)
            .help("leave it out"),
        );
    }
    if matches!(purpose, Purpose::Message | Purpose::Alert)
        && let Some(bracket) = text.chars().find(|c| matches!(c, '<' | '>'))
    {
        let location = reader.location(span).narrowed_to(&bracket.to_string());
        reader.diagnostics.push(
            Diagnostic::error(
                "message::angle-bracket",
                format!("`{bracket}` can't be used in an alert"),
            )
            .at(location)
            .note("an input template marks its placeholders with `<` and `>` and has no escape for them"),
        );
    }
}

/// Whether a line is a placeholder left by `new`.
fn is_unfinished(line: &str) -> bool {
    line.strip_prefix(UNFINISHED)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// The dynamic reference in `text`, ignoring case and spacing.
fn dynamic_reference(text: &str) -> Option<&str> {
    text.match_indices("{{").find_map(|(at, _)| {
        let inside = text.get(at + 2..)?;
        let word = inside.trim_start().get(..8)?;
        word.eq_ignore_ascii_case("resolve:").then(|| {
            let end = inside.find("}}").map_or(text.len(), |end| at + 2 + end + 2);
            text.get(at..end).unwrap_or("{{")
        })
    })
}

fn raw_characters(reader: &mut Reader) {
    let file = std::sync::Arc::clone(&reader.file);
    // Reports each distinct character once.
    let mut seen = Vec::new();
    for (at, c) in file.text.char_indices() {
        let byte_order_mark = at == 0 && c == '\u{feff}';
        if is_deceptive(c) && c != '\r' && !byte_order_mark && !seen.contains(&c) {
            seen.push(c);
            reader.push(forbidden(c), Span::new(at, at + c.len_utf8()));
        }
    }
}

fn forbidden(c: char) -> Diagnostic {
    let kind = if c.is_control() {
        "a control character"
    } else {
        "an invisible or bidirectional character"
    };
    Diagnostic::error(
        "rule::character",
        format!("U+{:04X} is {kind}", u32::from(c)),
    )
    .help("remove it; it makes text look different from what it is")
}
