//! One rule file, field by field.
//!
//! Every field is read whatever is wrong with the others, so that one run shows all problems.

mod cases;
mod detection;

use std::sync::Arc;

use jiff::civil::Date;
use syntax::{Diagnostic, Node, Place, SourceFile, Span};

use crate::fields::Reader;
use crate::fixtures::Fixtures;
use crate::lint::allow::Allowances;
use crate::lint::checks;
use crate::message::{self, Frame};
use crate::model::{Budget, ImportedFrom, Message, Response, Rule, RuleTest, Severity, Status};
use crate::path::EventPath;
use crate::{shape, text};

/// Most diagnostics that one file is worth; whoever fixes them sees the others next time.
const MAX_DIAGNOSTICS: usize = 100;
/// Longest title: it leads every alert.
pub(crate) const MAX_TITLE: usize = 100;
/// Longest description.
pub(crate) const MAX_DESCRIPTION: usize = 2000;
/// Longest reason of a severity.
pub(crate) const MAX_REASON: usize = 500;
/// Longest owner, tag, name and the like.
pub(crate) const MAX_WORDS: usize = 200;

/// What a file amounts to.
#[derive(Debug)]
pub(crate) struct Lowered {
    /// The rule, if all of its parts could be read.
    pub(crate) rule: Option<Rule>,
    /// Whether the rule belongs into the library: nothing is wrong with it and it isn't
    /// deprecated.
    pub(crate) sound: bool,
    /// The id, as soon as it is one.
    pub(crate) id: Option<(String, Place)>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What comments in the file allow; some of it concerns diagnostics that are yet to come.
    pub(crate) allowances: Allowances,
}

/// Reads a rule file.
pub(crate) fn file(file: &Arc<SourceFile>, fixtures: &mut Fixtures, today: Date) -> Lowered {
    let (root, diagnostics) = syntax::parse(file);
    let mut reader = Reader::new(file);
    reader.diagnostics = diagnostics;
    let Some(root) = root else {
        return Lowered {
            rule: None,
            sound: false,
            id: None,
            diagnostics: reader.diagnostics,
            allowances: Allowances::default(),
        };
    };
    text::check(&mut reader, &root);
    let (rule, id) = rule(&mut reader, &root, fixtures, today);
    let mut allowances = Allowances::read(file, &root, &mut reader.diagnostics);
    allowances.filter(&mut reader.diagnostics);
    limit(&mut reader);
    let deprecated = rule
        .as_ref()
        .is_some_and(|rule| rule.status == Status::Deprecated);
    Lowered {
        rule,
        sound: !deprecated && !reader.has_errors(),
        id,
        diagnostics: reader.diagnostics,
        allowances,
    }
}

/// A file with thousands of problems has one: it is not a rule.
fn limit(reader: &mut Reader) {
    let more = reader.diagnostics.len().saturating_sub(MAX_DIAGNOSTICS);
    if more > 0 {
        reader.diagnostics.truncate(MAX_DIAGNOSTICS);
        reader.error(
            "rule::too-many-diagnostics",
            format!("and {more} more diagnostics in this file"),
            Span::default(),
        );
    }
}

fn rule(
    reader: &mut Reader,
    root: &Node,
    fixtures: &mut Fixtures,
    today: Date,
) -> (Option<Rule>, Option<(String, Place)>) {
    if !reader.mapping(root, "a rule", &shape::RULE) {
        return (None, None);
    }
    version(reader, root);
    let id = id(reader, root);
    let title = title(reader, root);
    let description = root
        .get("description")
        .and_then(|node| reader.short_text(node, "`description`", MAX_DESCRIPTION));
    let status = status(reader, root);
    let severity = root.get("severity").and_then(|node| {
        reader.word(
            node,
            "`severity`",
            &Severity::ALL.map(|severity| (severity.as_str(), severity)),
        )
    });
    let severity_reason = root
        .get("severity_reason")
        .and_then(|node| reader.short_text(node, "`severity_reason`", MAX_REASON));
    let enabled = root
        .get("enabled")
        .and_then(|node| reader.boolean(node, "`enabled`"));
    let owner = root
        .get("owner")
        .and_then(|node| reader.short_text(node, "`owner`", MAX_WORDS));
    let references = references(reader, root, status);
    let false_positives = list(reader, root, "false_positives");
    let runbook = runbook(reader, root, severity);
    let tags = list(reader, root, "tags");
    let read_only = root
        .get("read_only")
        .and_then(|node| reader.boolean(node, "`read_only`"));
    let notify = notify(reader, root);
    let respond = root.get("respond").map(|node| respond(reader, node));
    let budget = root.get("budget").and_then(|node| budget(reader, node));
    let imported_from = root
        .get("imported_from")
        .and_then(|node| imported_from(reader, node));
    let written = detection::pattern(reader, root);
    let exceptions = detection::exceptions(reader, root, today);
    let pattern = written
        .as_ref()
        .and_then(|written| detection::with_exceptions(reader, root, written, &exceptions));
    let tests = cases::tests(reader, root, fixtures);
    reader.diagnostics.extend(checks::tags(&reader.file, root));
    if let (Some(written), Some(pattern)) = (&written, &pattern) {
        let found = checks::run(&checks::Subject {
            file: &reader.file,
            root,
            written,
            pattern,
            exceptions: &exceptions,
            tests: &tests,
            read_only: read_only.unwrap_or(false),
        });
        reader.diagnostics.extend(found);
    }
    let frame = Frame {
        id: id.as_ref().map_or("unnamed", |(id, _)| id),
        title: title.as_deref().unwrap_or("untitled"),
        severity: severity.unwrap_or(Severity::Informational),
        runbook: runbook.as_deref(),
    };
    let message = root
        .get("message")
        .and_then(|node| message(reader, node, &frame, &tests));
    if root.get("message").is_none() && root.get("respond").is_none() {
        reader.push(
            Diagnostic::error("rule::no-effect", "the rule neither says nor does anything")
                .help("add a `message` or a `respond`"),
            root.entry("event_pattern")
                .map_or(root.span, |entry| entry.key_span),
        );
    }
    if let Some((response, path, span)) = respond
        .as_ref()
        .and_then(Option::as_ref)
        .map(|(r, p, s)| (r, p, *s))
    {
        let Response::StartInstance { .. } = response;
        unresolved(
            reader,
            path,
            reader.place(span),
            &tests,
            "respond::unresolved",
        );
    }
    let found = id.clone();
    let build = || {
        let (id, place) = id?;
        Some(Rule {
            id,
            title: title?,
            description: description?,
            status: status?,
            enabled: enabled.unwrap_or(true),
            severity: severity?,
            severity_reason: severity_reason.map(|text| text.trim().to_owned()),
            owner,
            references,
            false_positives,
            runbook,
            tags,
            pattern: pattern?,
            written_pattern: written?,
            read_only: read_only.unwrap_or(false),
            message,
            notify,
            respond: respond.flatten().map(|(response, ..)| response),
            budget,
            exceptions: exceptions
                .into_iter()
                .map(|(exception, _)| exception)
                .collect(),
            imported_from,
            tests,
            file: Arc::clone(&reader.file),
            place,
        })
    };
    (build(), found)
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

fn id(reader: &mut Reader, root: &Node) -> Option<(String, Place)> {
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
    let place = reader.place(node.span);
    Some((id, place))
}

fn title(reader: &mut Reader, root: &Node) -> Option<String> {
    let node = root.get("title")?;
    let title = reader.short_text(node, "`title`", MAX_TITLE)?;
    if title.contains('\n') || title.ends_with('.') {
        reader.push(
            Diagnostic::error(
                "rule::title",
                "a title is one line without a full stop at its end",
            ),
            node.span,
        );
    }
    Some(title)
}

fn status(reader: &mut Reader, root: &Node) -> Option<Status> {
    let node = root.get("status")?;
    let status = reader.word(
        node,
        "`status`",
        &Status::ALL.map(|status| (status.as_str(), status)),
    )?;
    if status == Status::Deprecated {
        reader.push(
            Diagnostic::warning(
                "rule::deprecated",
                "the rule is deprecated and not deployed",
            )
            .help("remove the file when nobody needs it any more"),
            node.span,
        );
    }
    Some(status)
}

fn references(reader: &mut Reader, root: &Node, status: Option<Status>) -> Vec<String> {
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
    if status == Some(Status::Stable) && node.as_sequence().is_some_and(<[Node]>::is_empty) {
        reader.error(
            "rule::reference",
            "a stable rule has at least one reference",
            node.span,
        );
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

fn runbook(reader: &mut Reader, root: &Node, severity: Option<Severity>) -> Option<String> {
    let Some(node) = root.get("runbook") else {
        if severity.is_some_and(|severity| severity >= Severity::Medium) {
            let span = root
                .entry("severity")
                .map_or(root.span, |entry| entry.value.span);
            reader.push(
                Diagnostic::error(
                    "rule::runbook-missing",
                    "a rule of this severity needs a `runbook`",
                )
                .help("write what the person who is woken up does first, or an https address"),
                span,
            );
        }
        return None;
    };
    let text = reader.text(node, "`runbook`")?;
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

fn imported_from(reader: &mut Reader, node: &Node) -> Option<ImportedFrom> {
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

fn respond(reader: &mut Reader, node: &Node) -> Option<(Response, EventPath, Span)> {
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
    Some((response, path, span))
}

/// A tag's key or value: it ends in an IAM condition, so nothing that IAM would expand.
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
    node: &Node,
    frame: &Frame<'_>,
    tests: &[RuleTest],
) -> Option<Message> {
    let text = reader.text(node, "`message`")?;
    let compiled = message::compile(&text, frame);
    let whole = reader.place(node.span);
    for problem in compiled.problems {
        let diagnostic =
            Diagnostic::error(problem.code, problem.message).at(whole.narrowed_to(&problem.needle));
        reader
            .diagnostics
            .push(problem.help.into_iter().fold(diagnostic, Diagnostic::help));
    }
    let mut seen = Vec::new();
    for placeholder in &compiled.placeholders {
        if !seen.contains(&placeholder.written) {
            seen.push(placeholder.written.clone());
            let place = whole.narrowed_to(&placeholder.written);
            unresolved(
                reader,
                &placeholder.path,
                place,
                tests,
                "message::unresolved",
            );
        }
    }
    compiled.message
}

/// A path that no event of a positive test has would be empty in every alert.
fn unresolved(
    reader: &mut Reader,
    path: &EventPath,
    place: Place,
    tests: &[RuleTest],
    code: &'static str,
) {
    let mut positive = tests.iter().filter(|test| test.matches).peekable();
    if positive.peek().is_none() {
        return;
    }
    let found = positive.any(|test| {
        path.lookup(&test.event)
            .is_some_and(|value| !value.is_null())
    });
    if !found {
        reader.diagnostics.push(
            Diagnostic::error(
                code,
                format!("no positive test's event has `{}`", path.as_str()),
            )
            .at(place)
            .help("correct the path, or add a test with an event that has it"),
        );
    }
}
