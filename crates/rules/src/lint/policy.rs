//! Checks the policies for deployment, beyond readable fields.

use jiff::civil::Date;
use syntax::{Diagnostic, Node, Span};

use crate::model::{Severity, Status};
use crate::read::reader::Reader;
use crate::read::rule::Fields;
use crate::source_pin::pins_source;

/// Warn about an exception this many days before it ends.
const NOTICE_DAYS: i32 = 14;

pub(super) fn check(reader: &mut Reader, root: &Node, fields: &Fields, today: Date) {
    status(reader, root, fields);
    runbook(reader, root, fields);
    effect(reader, root);
    source(reader, root, fields);
    expiries(reader, fields, today);
    both_kinds_of_tests(reader, root, fields);
    unresolved(reader, fields);
}

fn status(reader: &mut Reader, root: &Node, fields: &Fields) {
    if fields.status == Some(Status::Deprecated)
        && let Some(node) = root.get("status")
    {
        reader.push(
            Diagnostic::warning(
                "rule::deprecated",
                "the rule is deprecated and not deployed",
            )
            .help("remove the file once no one needs it"),
            node.span,
        );
    }
    if fields.status == Some(Status::Stable)
        && let Some(node) = root.get("references")
        && node.as_sequence().is_some_and(<[Node]>::is_empty)
    {
        reader.error(
            "rule::reference",
            "a stable rule needs at least one reference",
            node.span,
        );
    }
}

fn runbook(reader: &mut Reader, root: &Node, fields: &Fields) {
    let needs_one = fields
        .severity
        .is_some_and(|severity| severity >= Severity::Medium);
    if needs_one && root.get("runbook").is_none() {
        let span = root
            .entry("severity")
            .map_or(root.span, |entry| entry.value.span);
        reader.push(
            Diagnostic::error(
                "rule::runbook-missing",
                "a rule of this severity needs a `runbook`",
            )
            .help("write the first steps for the person on call, or an https address"),
            span,
        );
    }
}

fn effect(reader: &mut Reader, root: &Node) {
    if root.get("message").is_none() && root.get("respond").is_none() {
        reader.push(
            Diagnostic::error("rule::no-effect", "the rule neither alerts nor responds")
                .help("add a `message` or a `respond`"),
            root.entry("event_pattern")
                .map_or(root.span, |entry| entry.key_span),
        );
    }
}

/// Anyone who can call `PutEvents` can send events with any source except `aws.*`.
fn source(reader: &mut Reader, root: &Node, fields: &Fields) {
    let (Some(node), Some(pattern)) = (root.get("event_pattern"), &fields.written_pattern) else {
        return;
    };
    let span = node.entry("source").map_or(node.span, |entry| {
        Span::new(entry.key_span.start, entry.value.span.end)
    });
    if !pins_source(pattern) {
        reader.push(
            Diagnostic::error("pattern::source", "the pattern does not pin `source`")
                .help("add `source: [aws.…]` with exact names, or `{prefix: aws.}`, in every branch of a `$or`")
                .note("only events from the sources `aws.*` can't be forged"),
            span,
        );
    }
    let sources = pattern.exact_values("source").unwrap_or_default();
    if let Some(other) = sources.iter().find(|source| !source.starts_with("aws.")) {
        reader.push(
            Diagnostic::warning(
                "pattern::forgeable-source",
                format!("events of the source `{other}` can be forged"),
            )
            .note("anyone who can call PutEvents chooses their content; only `aws.*` is reserved"),
            span,
        );
    }
}

fn expiries(reader: &mut Reader, fields: &Fields, today: Date) {
    for (date, span) in &fields.expiries {
        let left = today.until(*date).map_or(0, |left| left.get_days());
        let diagnostic = if *date < today {
            Diagnostic::error(
                "exception::expired",
                format!("the exception ended on {date}"),
            )
        } else if left <= NOTICE_DAYS {
            Diagnostic::warning(
                "exception::expires-soon",
                format!("the exception ends on {date}, in {left} days"),
            )
        } else {
            continue;
        };
        reader.push(
            diagnostic.help("remove it, or renew it with its owner"),
            *span,
        );
    }
}

fn both_kinds_of_tests(reader: &mut Reader, root: &Node, fields: &Fields) {
    let (Some(entry), Some(expected)) = (root.entry("tests"), &fields.tests.expected) else {
        return;
    };
    for (matches, code, word, help) in [
        (
            true,
            "test::no-positive",
            "match",
            "add an event that the rule must alert on",
        ),
        (
            false,
            "test::no-negative",
            "no_match",
            "add a near miss: an event that differs from a match in one field",
        ),
    ] {
        if !expected.contains(&matches) {
            reader.push(
                Diagnostic::error(code, format!("no test has `expect: {word}`")).help(help),
                entry.key_span,
            );
        }
    }
}

/// A path that no positive test's event has would be empty in every alert.
fn unresolved(reader: &mut Reader, fields: &Fields) {
    let positive = || fields.tests.list.iter().filter(|test| test.matches);
    if positive().next().is_none() {
        return;
    }
    for read in &fields.event_paths {
        let found = positive().any(|test| {
            read.path
                .lookup(&test.event)
                .is_some_and(|value| !value.is_null())
        });
        if !found {
            reader.diagnostics.push(
                Diagnostic::error(
                    read.code,
                    format!("no positive test's event has `{}`", read.path.as_str()),
                )
                .at(read.location.clone())
                .help("correct the path, or add a test with an event that has it"),
            );
        }
    }
}
