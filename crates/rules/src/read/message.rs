//! Compiles a message with placeholders to an input transformer that no event value can break.
//!
//! A text template inserts values unescaped, and a result that isn't JSON is not delivered: a user
//! agent with a quote in it would silence the alert. In an *object* template, an unquoted
//! placeholder becomes a separate JSON value, quoted and escaped by `EventBridge`. So a message
//! becomes an object, pretty-printed for e-mail, and every value that a caller can influence is a
//! separate JSON value. Only the four strings that `EventBridge` itself sets (account, Region,
//! time, id) appear inside text.

use std::collections::BTreeMap;

use eventbridge_pattern::transformer::{InputTransformer, TransformerError};
use serde_json::Value;

use super::path::EventPath;
use crate::model::{Message, Severity};

/// The longest input template that `PutTargets` accepts, in characters.
const MAX_TEMPLATE: usize = 8192;
/// The longest text that is compiled, in bytes; a longer one can't fit into a template.
const MAX_TEXT: usize = 4 * MAX_TEMPLATE;
/// Most entries of an `InputPathsMap`.
const MAX_PATHS: usize = 100;
/// The longest label of a line, in characters.
const MAX_LABEL: usize = 40;

impl Message {
    /// Fields that every alert has. Labels must differ from them, ignoring case.
    pub const FRAME: [&'static str; 10] = [
        "alert",
        "message",
        "first_steps",
        "runbook",
        "rule",
        "severity",
        "account",
        "region",
        "time",
        "event_id",
    ];

    /// The transformer, validated as by `EventBridge`.
    pub fn transformer(&self) -> Result<InputTransformer, TransformerError> {
        InputTransformer::new(&self.input_paths, &self.input_template)
    }

    /// The JSON paths of all placeholders, `$.detail.userIdentity.arn`.
    pub fn placeholders(&self) -> Vec<&str> {
        self.input_paths.values().map(String::as_str).collect()
    }
}

/// The parts of an alert besides the message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) id: &'a str,
    pub(crate) title: &'a str,
    pub(crate) severity: Severity,
    pub(crate) runbook: Option<&'a str>,
    /// Whether all of the rule's events carry a CloudTrail record.
    pub(crate) is_cloudtrail: bool,
}

/// An error in a message; `needle` is the offending part of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) needle: String,
    pub(crate) help: Option<String>,
}

/// A placeholder as written, and the path it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placeholder {
    pub(crate) written: String,
    pub(crate) path: EventPath,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Placeholder(EventPath),
}

/// A value in the template: a single line, or a list with one item per line.
enum Field {
    Inline(String),
    Lines(Vec<String>),
}

/// The result of [`compile`].
#[derive(Debug, Default)]
pub(crate) struct Compiled {
    /// `None` if there are problems.
    pub(crate) message: Option<Message>,
    pub(crate) placeholders: Vec<Placeholder>,
    pub(crate) problems: Vec<Problem>,
}

/// Compiles the text of a message; each line `label: …` becomes a separate field.
pub(crate) fn compile(text: &str, frame: &Frame<'_>) -> Compiled {
    let mut writer = Writer::default();
    if text.len() > MAX_TEXT {
        writer.problem(
            "message::too-large",
            format!("the message has {} bytes, more than {MAX_TEXT}", text.len()),
            "",
            None,
        );
        return Compiled {
            problems: writer.problems,
            ..Compiled::default()
        };
    }
    let mut fields = vec![("alert".to_owned(), writer.headline(frame))];
    let mut loose: Vec<String> = Vec::new();
    let mut loose_at = 1;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some((label, rest)) = split_label(line) {
            writer.check_label(label, &fields);
            let pieces = writer.pieces(rest);
            if rest.is_empty() {
                writer.problem(
                    "message::empty",
                    format!("the line `{label}:` has no value"),
                    line,
                    None,
                );
            }
            let value = writer.value(&pieces);
            fields.push((label.to_owned(), Field::Inline(value)));
        } else {
            if loose.is_empty() {
                loose_at = fields.len();
            }
            let pieces = writer.pieces(line);
            loose.push(writer.value(&pieces));
        }
    }
    if fields.len() == 1 && loose.is_empty() {
        writer.problem("message::empty", "the message is empty", "", None);
    }
    if let Some(field) = one_or_lines(loose) {
        fields.insert(loose_at, ("message".to_owned(), field));
    }
    fields.push(runbook(frame.runbook));
    fields.push(("rule".to_owned(), Field::Inline(quote(frame.id))));
    fields.push((
        "severity".to_owned(),
        Field::Inline(quote(frame.severity.as_str())),
    ));
    for name in ["account", "region", "time"] {
        let value = format!("\"<{}>\"", writer.name_of_envelope(name));
        fields.push((name.to_owned(), Field::Inline(value)));
    }
    let event_id = writer.event_id(frame);
    fields.push(("event_id".to_owned(), event_id));
    // Already reported at their location (`message::angle-bracket`), so don't report the template
    // too.
    let brackets = [text, frame.title, frame.runbook.unwrap_or_default()]
        .iter()
        .any(|text| text.contains(['<', '>']));
    if brackets {
        return Compiled {
            message: None,
            placeholders: writer.placeholders,
            problems: writer.problems,
        };
    }
    writer.finish(&fields)
}

/// Collects placeholders and problems.
#[derive(Default)]
struct Writer {
    /// Maps JSON path to placeholder name.
    names: BTreeMap<String, String>,
    placeholders: Vec<Placeholder>,
    problems: Vec<Problem>,
}

impl Writer {
    fn problem(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        needle: &str,
        help: Option<String>,
    ) {
        self.problems.push(Problem {
            code,
            message: message.into(),
            needle: needle.to_owned(),
            help,
        });
    }

    fn headline(&mut self, frame: &Frame<'_>) -> Field {
        let start = format!(
            "[{}] {} in account ",
            frame.severity.as_str().to_uppercase(),
            frame.title
        );
        let account = self.name_of_envelope("account");
        let region = self.name_of_envelope("region");
        Field::Inline(format!("\"{}<{account}> (<{region}>)\"", escape(&start)))
    }

    /// The id by which the event can be looked up. EventBridge makes up the envelope's `id`, which
    /// appears in no log, so for a CloudTrail record it is the record's own.
    fn event_id(&mut self, frame: &Frame<'_>) -> Field {
        Field::Inline(if frame.is_cloudtrail {
            format!(
                "<{}>",
                self.name_of("eventID", "$.detail.eventID".to_owned())
            )
        } else {
            format!("\"<{}>\"", self.name_of_envelope("id"))
        })
    }

    fn check_label(&mut self, label: &str, fields: &[(String, Field)]) {
        if Message::FRAME
            .iter()
            .any(|field| field.eq_ignore_ascii_case(label))
        {
            self.problem(
                "message::reserved-label",
                format!("`{label}` is a field that every alert has"),
                &format!("{label}:"),
                Some("choose a different label".to_owned()),
            );
        } else if fields
            .iter()
            .any(|(other, _)| other.eq_ignore_ascii_case(label))
        {
            self.problem(
                "message::duplicate-label",
                format!("the label `{label}` occurs twice"),
                &format!("{label}:"),
                Some("a field of an object has one value; choose a different label".to_owned()),
            );
        }
    }

    /// Splits a line into text and placeholders.
    fn pieces(&mut self, line: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("{{") {
            push_text(&mut pieces, before);
            let Some((inside, tail)) = after.split_once("}}") else {
                self.problem(
                    "message::placeholder",
                    "`{{` without `}}`",
                    "{{",
                    Some(
                        "placeholders look like `{{ detail.userIdentity.arn }}`, on one line"
                            .to_owned(),
                    ),
                );
                return pieces;
            };
            let written = format!("{{{{{inside}}}}}");
            match EventPath::parse(inside.trim()) {
                Ok(path) if path.as_str() == "detail" => self.problem(
                    "message::placeholder",
                    "`{{ detail }}` would copy the whole event into the alert",
                    &written,
                    Some("name the fields that matter".to_owned()),
                ),
                Ok(path) => {
                    self.placeholders.push(Placeholder {
                        written,
                        path: path.clone(),
                    });
                    pieces.push(Piece::Placeholder(path));
                }
                // `rule::dynamic-reference` reports these in every text of a rule.
                Err(_)
                    if inside
                        .trim_start()
                        .get(..8)
                        .is_some_and(|word| word.eq_ignore_ascii_case("resolve:")) => {}
                Err(bad) => self.problem("message::placeholder", bad.message, &written, bad.help),
            }
            rest = tail;
        }
        if rest.contains("}}") {
            self.problem("message::placeholder", "`}}` without `{{`", "}}", None);
        }
        push_text(&mut pieces, rest);
        pieces
    }

    /// The JSON for a line: a lone placeholder is unquoted; text with only envelope strings is one
    /// string; anything else is a list of pieces.
    fn value(&mut self, pieces: &[Piece]) -> String {
        match pieces {
            [Piece::Placeholder(path)] => format!("<{}>", self.name(path)),
            _ if pieces.iter().all(is_safe_in_text) => {
                let inside: String = pieces
                    .iter()
                    .map(|piece| match piece {
                        Piece::Text(text) => escape(text),
                        Piece::Placeholder(path) => format!("<{}>", self.name(path)),
                    })
                    .collect();
                format!("\"{}\"", inside.trim())
            }
            _ => {
                let items: Vec<String> = pieces
                    .iter()
                    .filter_map(|piece| match piece {
                        Piece::Text(text) if text.trim().is_empty() => None,
                        Piece::Text(text) => Some(quote(text.trim())),
                        Piece::Placeholder(path) => Some(format!("<{}>", self.name(path))),
                    })
                    .collect();
                format!("[{}]", items.join(", "))
            }
        }
    }

    fn name_of_envelope(&mut self, field: &str) -> String {
        self.name_of(field, format!("$.{field}"))
    }

    fn name(&mut self, path: &EventPath) -> String {
        self.name_of(path.as_str(), path.json_path())
    }

    /// A unique, readable placeholder name for a path.
    fn name_of(&mut self, text: &str, json_path: String) -> String {
        if let Some(name) = self.names.get(&json_path) {
            return name.clone();
        }
        let short = text.strip_prefix("detail.").unwrap_or(text);
        let name: String = short
            .chars()
            .filter(|c| *c != ']')
            .map(|c| match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => c,
                '*' => 'n',
                _ => '-',
            })
            .collect();
        let name = name.trim_end_matches('-').to_owned();
        let mut unique = name.clone();
        let mut number = 2;
        while self.names.values().any(|taken| *taken == unique) {
            unique = format!("{name}-{number}");
            number += 1;
        }
        self.names.insert(json_path, unique.clone());
        unique
    }

    fn finish(mut self, fields: &[(String, Field)]) -> Compiled {
        let template = layout(fields);
        let length = template.chars().count();
        if length > MAX_TEMPLATE {
            self.problem(
                "message::too-large",
                format!("the alert's template has {length} characters, more than the {MAX_TEMPLATE} that EventBridge accepts"),
                "",
                Some("shorten the message or the runbook; a runbook can be an https address".to_owned()),
            );
        }
        if self.names.len() > MAX_PATHS {
            self.problem(
                "message::too-many-paths",
                format!(
                    "the alert uses {} paths, more than the {MAX_PATHS} that EventBridge accepts",
                    self.names.len()
                ),
                "",
                None,
            );
        }
        let message = Message {
            input_paths: self
                .names
                .into_iter()
                .map(|(path, name)| (name, path))
                .collect(),
            input_template: template,
        };
        if self.problems.is_empty()
            && let Err(error) = message.transformer()
        {
            self.problems.push(Problem {
                code: "message::invalid",
                message: format!("EventBridge would refuse the message: {error}"),
                needle: String::new(),
                help: None,
            });
        }
        Compiled {
            message: self.problems.is_empty().then_some(message),
            placeholders: self.placeholders,
            problems: self.problems,
        }
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

fn is_safe_in_text(piece: &Piece) -> bool {
    match piece {
        Piece::Text(_) => true,
        Piece::Placeholder(path) => path.is_envelope_string(),
    }
}

/// Splits `label: rest` if the line starts with a label: a letter, then letters, digits, spaces,
/// `_` and `-`, up to a colon that is followed by a space or the end of the line.
fn split_label(line: &str) -> Option<(&str, &str)> {
    let (label, rest) = line.split_once(':')?;
    let label = label.trim_end();
    let well_formed = label.starts_with(|c: char| c.is_ascii_alphabetic())
        && label.chars().count() <= MAX_LABEL
        && label
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-'));
    let ends = rest.is_empty() || rest.starts_with(char::is_whitespace);
    (well_formed && ends).then_some((label, rest.trim()))
}

fn runbook(text: Option<&str>) -> (String, Field) {
    let text = text.map(str::trim).unwrap_or_default();
    if text.is_empty() {
        return ("runbook".to_owned(), Field::Inline(quote("none written")));
    }
    if is_address(text) {
        return ("runbook".to_owned(), Field::Inline(quote(text)));
    }
    let lines = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .map(quote)
        .collect();
    let field = one_or_lines(lines).unwrap_or_else(|| Field::Inline(quote(text)));
    ("first_steps".to_owned(), field)
}

/// Whether a runbook is an https address rather than text.
pub(crate) fn is_address(text: &str) -> bool {
    text.starts_with("https://") && !text.contains(char::is_whitespace)
}

fn one_or_lines(mut values: Vec<String>) -> Option<Field> {
    match values.len() {
        0 => None,
        1 => values.pop().map(Field::Inline),
        _ => Some(Field::Lines(values)),
    }
}

/// One field per line, indented by two spaces, as shown in an e-mail.
fn layout(fields: &[(String, Field)]) -> String {
    let lines: Vec<String> = fields
        .iter()
        .map(|(name, field)| match field {
            Field::Inline(value) => format!("  {}: {value}", quote(name)),
            Field::Lines(values) => {
                format!("  {}: [\n    {}\n  ]", quote(name), values.join(",\n    "))
            }
        })
        .collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

fn escape(text: &str) -> String {
    let quoted = quote(text);
    quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests;
