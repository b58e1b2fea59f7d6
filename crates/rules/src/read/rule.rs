//! Reads the fields of a rule file.
//!
//! Every field is read even if others are invalid, so that one run shows all problems.

use std::sync::Arc;

use eventbridge_pattern::Pattern;
use jiff::civil::Date;
use syntax::{Diagnostic, Node, SourceFile, SourceLocation, Span};

use super::detection;
use super::fixtures::Fixtures;
use super::message::{self, Frame};
use super::path::EventPath;
use super::reader::Reader;
use super::rule_tests::{self, Tests};
use super::shape::{self, MAX_DESCRIPTION, MAX_REASON, MAX_TITLE, MAX_WORDS};
use crate::event_origin::are_records;
use crate::model::{Budget, Exception, ImportedFrom, Message, Response, Rule, Severity, Status};

/// The fields of a rule file; invalid ones are missing.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) id: Option<(String, SourceLocation)>,
    title: Option<String>,
    description: Option<String>,
    pub(crate) status: Option<Status>,
    pub(crate) severity: Option<Severity>,
    severity_reason: Option<String>,
    enabled: Option<bool>,
    owner: Option<String>,
    references: Vec<String>,
    false_positives: Vec<String>,
    runbook: Option<String>,
    tags: Vec<String>,
    /// The pattern without exceptions.
    pub(crate) written_pattern: Option<Pattern>,
    /// The pattern with exceptions compiled in.
    pub(crate) pattern: Option<Pattern>,
    pub(crate) read_only: bool,
    message: Option<Message>,
    notify: Vec<String>,
    respond: Option<Response>,
    budget: Option<Budget>,
    /// Exceptions with the spans of their `when`.
    pub(crate) exceptions: Vec<(Exception, Span)>,
    /// Every valid `expires`, including those of invalid exceptions.
    pub(crate) expiries: Vec<(Date, Span)>,
    imported_from: Option<ImportedFrom>,
    pub(crate) tests: Tests,
    /// Event paths used by the message and the response.
    pub(crate) event_paths: Vec<ReadPath>,
}

/// An event path used by an alert or response.
#[derive(Debug)]
pub(crate) struct ReadPath {
    pub(crate) path: EventPath,
    pub(crate) location: SourceLocation,
    /// The code to report if no test event has the path.
    pub(crate) code: &'static str,
}

impl Fields {
    /// Reads the fields; all are missing if the file isn't a mapping.
    pub(super) fn read(reader: &mut Reader, root: &Node, fixtures: &mut Fixtures) -> Self {
        if !reader.mapping(root, "a rule", &shape::RULE) {
            return Self::default();
        }
        version(reader, root);
        let mut fields = Self {
            id: id(reader, root),
            title: title(reader, root),
            description: short(reader, root, "description", MAX_DESCRIPTION),
            status: status(reader, root),
            severity: severity(reader, root),
            severity_reason: short(reader, root, "severity_reason", MAX_REASON),
            enabled: boolean(reader, root, "enabled"),
            owner: short(reader, root, "owner", MAX_WORDS),
            references: references(reader, root),
            false_positives: list(reader, root, "false_positives"),
            runbook: runbook(reader, root),
            tags: list(reader, root, "tags"),
            written_pattern: detection::pattern(reader, root),
            read_only: boolean(reader, root, "read_only").unwrap_or(false),
            notify: notify(reader, root),
            budget: root.get("budget").and_then(|node| budget(reader, node)),
            imported_from: imported_from(reader, root),
            tests: rule_tests::tests(reader, root, fixtures),
            ..Self::default()
        };
        fields.respond = respond(reader, root, &mut fields.event_paths);
        fields.exceptions = detection::exceptions(reader, root, &mut fields.expiries);
        fields.pattern = fields.written_pattern.as_ref().and_then(|written| {
            detection::with_exceptions(reader, root, written, &fields.exceptions)
        });
        let frame = Frame {
            id: fields.id.as_ref().map_or("unnamed", |(id, _)| id),
            title: fields.title.as_deref().unwrap_or("untitled"),
            severity: fields.severity.unwrap_or(Severity::Informational),
            runbook: fields.runbook.as_deref(),
            is_cloudtrail: fields.pattern.as_ref().is_some_and(are_records),
        };
        fields.message = message(reader, root, &frame, &mut fields.event_paths);
        fields
    }

    /// The rule, if all fields are valid.
    pub(crate) fn into_rule(self, file: &Arc<SourceFile>) -> Option<Rule> {
        let (id, location) = self.id?;
        let exceptions = self.exceptions.into_iter();
        Some(Rule {
            id,
            title: self.title?,
            description: self.description?,
            status: self.status?,
            enabled: self.enabled.unwrap_or(true),
            severity: self.severity?,
            severity_reason: self.severity_reason,
            owner: self.owner,
            references: self.references,
            false_positives: self.false_positives,
            runbook: self.runbook,
            tags: self.tags,
            pattern: self.pattern?,
            written_pattern: self.written_pattern?,
            read_only: self.read_only,
            message: self.message,
            notify: self.notify,
            respond: self.respond,
            budget: self.budget,
            exceptions: exceptions.map(|(exception, _)| exception).collect(),
            imported_from: self.imported_from,
            tests: self.tests.list,
            file: Arc::clone(file),
            location,
        })
    }
}

fn short(reader: &mut Reader, root: &Node, field: &str, limit: usize) -> Option<String> {
    reader.short_text(root.get(field)?, &format!("`{field}`"), limit)
}

fn boolean(reader: &mut Reader, root: &Node, field: &str) -> Option<bool> {
    reader.boolean(root.get(field)?, &format!("`{field}`"))
}

fn severity(reader: &mut Reader, root: &Node) -> Option<Severity> {
    let words = Severity::ALL.map(|severity| (severity.as_str(), severity));
    reader.word(root.get("severity")?, "`severity`", &words)
}

fn version(reader: &mut Reader, root: &Node) {
    let Some(node) = root.get("version") else {
        return;
    };
    if node.as_number() != Some("1") {
        reader.push(
            Diagnostic::error("rule::version", "the only version of rule files is 1")
                .help("write `version: 1`"),
            node.span,
        );
    }
}

/// Whether a text can be a rule's id: 3 to 48 of `a-z`, `0-9` and `-`.
pub fn is_id(text: &str) -> bool {
    (3..=48).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn id(reader: &mut Reader, root: &Node) -> Option<(String, SourceLocation)> {
    let node = root.get("id")?;
    let id = reader.text(node, "`id`")?;
    if !is_id(&id) {
        reader.push(
            Diagnostic::error("rule::id", format!("`{id}` is not an id")).help(
                "an id has 3 to 48 of a-z, 0-9 and `-`; it becomes the EventBridge rule's name",
            ),
            node.span,
        );
        return None;
    }
    let stem = reader
        .file
        .path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    if stem != id {
        reader.push(
            Diagnostic::error(
                "rule::id",
                format!("the id `{id}` is not the name of the file, `{stem}`"),
            )
            .help(format!(
                "rename the file to `{id}.yaml` or write `id: {stem}`"
            )),
            node.span,
        );
    }
    let location = reader.location(node.span);
    Some((id, location))
}

fn title(reader: &mut Reader, root: &Node) -> Option<String> {
    let node = root.get("title")?;
    let title = reader.short_text(node, "`title`", MAX_TITLE)?;
    if title.contains('\n') || title.ends_with('.') {
        reader.push(
            Diagnostic::error(
                "rule::title",
                "a title is one line without a period at its end",
            ),
            node.span,
        );
    }
    Some(title)
}

fn status(reader: &mut Reader, root: &Node) -> Option<Status> {
    let words = Status::ALL.map(|status| (status.as_str(), status));
    reader.word(root.get("status")?, "`status`", &words)
}

fn references(reader: &mut Reader, root: &Node) -> Vec<String> {
    let Some(node) = root.get("references") else {
        return Vec::new();
    };
    let texts = reader.texts(node, "`references`").unwrap_or_default();
    for (text, node) in &texts {
        if !message::is_address(text) {
            reader.push(
                Diagnostic::error(
                    "rule::reference",
                    format!("`{text}` is not an https address"),
                ),
                node.span,
            );
        }
    }
    texts.into_iter().map(|(text, _)| text).collect()
}

fn list(reader: &mut Reader, root: &Node, field: &str) -> Vec<String> {
    let Some(node) = root.get(field) else {
        return Vec::new();
    };
    let texts = reader
        .texts(node, &format!("`{field}`"))
        .unwrap_or_default();
    texts
        .into_iter()
        .map(|(text, _)| text.trim().to_owned())
        .collect()
}

fn runbook(reader: &mut Reader, root: &Node) -> Option<String> {
    let text = reader.text(root.get("runbook")?, "`runbook`")?;
    Some(text.trim().to_owned())
}

fn notify(reader: &mut Reader, root: &Node) -> Vec<String> {
    let Some(node) = root.get("notify") else {
        return Vec::new();
    };
    let texts = reader.texts(node, "`notify`").unwrap_or_default();
    for (text, node) in &texts {
        let well_formed = text.len() <= 64
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !well_formed {
            reader.push(
                Diagnostic::error(
                    "rule::topic",
                    format!("`{text}` is not the name of a topic"),
                )
                .help("topics are named in the organization file: a-z, 0-9 and `-`"),
                node.span,
            );
        }
    }
    if node.as_sequence().is_some_and(<[Node]>::is_empty) {
        reader.push(
            Diagnostic::error("rule::topic", "`notify` names no topic")
                .help("leave it out to route by severity"),
            node.span,
        );
    }
    texts.into_iter().map(|(text, _)| text).collect()
}

fn budget(reader: &mut Reader, node: &Node) -> Option<Budget> {
    reader
        .mapping(node, "`budget`", &shape::BUDGET)
        .then_some(())?;
    let most = node.get("max_alerts_per_day")?;
    let number = most.as_number().and_then(|text| text.parse().ok());
    if number.is_none() {
        reader.push(
            Diagnostic::error(
                "rule::budget",
                "`max_alerts_per_day` must be a whole number, 0 or more",
            )
            .help("write `max_alerts_per_day: 5`"),
            most.span,
        );
    }
    Some(Budget {
        max_alerts_per_day: number?,
    })
}

fn imported_from(reader: &mut Reader, root: &Node) -> Option<ImportedFrom> {
    let node = root.get("imported_from")?;
    reader
        .mapping(node, "`imported_from`", &shape::IMPORTED_FROM)
        .then_some(())?;
    let mut text = |field: &str| reader.text_of(node, field, "`imported_from`");
    let mut found = ImportedFrom {
        format: text("format")?,
        id: text("id"),
        author: text("author"),
        license: text("license"),
        date: text("date"),
        modified: text("modified"),
        ..ImportedFrom::default()
    };
    found.references = list(reader, node, "references");
    found.losses = list(reader, node, "losses");
    Some(found)
}

fn respond(reader: &mut Reader, root: &Node, event_paths: &mut Vec<ReadPath>) -> Option<Response> {
    let node = root.get("respond")?;
    reader
        .mapping(node, "`respond`", &shape::RESPOND)
        .then_some(())?;
    let start = node.get("start_instance")?;
    reader
        .mapping(start, "`start_instance`", &shape::START_INSTANCE)
        .then_some(())?;
    let path = start.get("instance").and_then(|instance| {
        let text = reader.text(instance, "`instance`")?;
        match EventPath::parse(text.trim()) {
            Ok(path) => Some((path, instance.span)),
            Err(bad) => {
                let diagnostic = Diagnostic::error("respond::path", bad.message);
                let diagnostic = bad.help.into_iter().fold(diagnostic, Diagnostic::help);
                reader.push(diagnostic, instance.span);
                None
            }
        }
    });
    let tag = start.get("tag")?;
    reader.mapping(tag, "`tag`", &shape::TAG).then_some(())?;
    let tag_key = tag_text(reader, tag, "key", 128);
    let tag_value = tag_text(reader, tag, "value", 256);
    let (path, span) = path?;
    let response = Response::StartInstance {
        instance: path.json_path(),
        tag_key: tag_key?,
        tag_value: tag_value?,
    };
    event_paths.push(ReadPath {
        path,
        location: reader.location(span),
        code: "respond::unresolved",
    });
    Some(response)
}

/// Reads a tag's key or value. It is used in an IAM condition, so it must not contain anything that
/// IAM would expand.
fn tag_text(reader: &mut Reader, tag: &Node, field: &str, limit: usize) -> Option<String> {
    let node = tag.get(field)?;
    let text = reader.short_text(node, &format!("`{field}` of the tag"), limit)?;
    let allowed = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c));
    if !allowed || text.to_ascii_lowercase().starts_with("aws:") {
        reader.push(
            Diagnostic::error(
                "respond::tag",
                format!("`{text}` can't be used as a tag's {field}"),
            )
            .help("letters, digits, spaces and `+-=._:/@`; keys don't start with `aws:`"),
            node.span,
        );
        return None;
    }
    Some(text)
}

fn message(
    reader: &mut Reader,
    root: &Node,
    frame: &Frame<'_>,
    event_paths: &mut Vec<ReadPath>,
) -> Option<Message> {
    let node = root.get("message")?;
    let text = reader.text(node, "`message`")?;
    let compiled = message::compile(&text, frame);
    let whole = reader.location(node.span);
    for problem in compiled.problems {
        let diagnostic =
            Diagnostic::error(problem.code, problem.message).at(whole.narrowed_to(&problem.needle));
        reader
            .diagnostics
            .push(problem.help.into_iter().fold(diagnostic, Diagnostic::help));
    }
    let mut seen = Vec::new();
    for placeholder in compiled.placeholders {
        if !seen.contains(&placeholder.written) {
            event_paths.push(ReadPath {
                location: whole.narrowed_to(&placeholder.written),
                path: placeholder.path,
                code: "message::unresolved",
            });
            seen.push(placeholder.written);
        }
    }
    compiled.message
}
