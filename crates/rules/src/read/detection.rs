//! Reads the event pattern and its exceptions.

use eventbridge_pattern::Pattern;
use jiff::civil::Date;
use syntax::{Diagnostic, Node, Span};

use super::exceptions;
use super::path::EventPath;
use super::reader::Reader;
use super::shape::{self, MAX_WORDS};
use crate::model::Exception;

/// Most exceptions of one rule.
const MAX_EXCEPTIONS: usize = 100;

/// Reads the pattern without exceptions.
pub(super) fn pattern(reader: &mut Reader, root: &Node) -> Option<Pattern> {
    let node = root.get("event_pattern")?;
    if node.as_mapping().is_none() {
        reader.push(
            Diagnostic::error(
                "rule::wrong-type",
                format!("`event_pattern` must be a mapping, not {}", node.kind()),
            )
            .help("it is EventBridge's own language, written in YAML"),
            node.span,
        );
        return None;
    }
    match Pattern::parse(&node.to_json_text()) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let span = nearest_span(node, &error.pointer);
            reader.push(
                Diagnostic::error("pattern::invalid", error.message)
                    .note("this is EventBridge's error message")
                    .help("the language: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern.html"),
                span,
            );
            None
        }
    }
}

/// The span at a JSON pointer. If key and value are on one line, the span covers both, so that a
/// misspelled operator is underlined along with its operand.
fn nearest_span(node: &Node, pointer: &str) -> Span {
    let target = node.nearest(pointer);
    let (parent, last) = pointer.rsplit_once('/').unwrap_or(("", ""));
    let entry = node
        .pointer(parent)
        .and_then(|parent| parent.entry(&last.replace("~1", "/").replace("~0", "~")));
    match entry {
        Some(entry) if entry.value == *target && !pointer.is_empty() => {
            Span::new(entry.key_span.start, target.span.end)
        }
        _ => target.span,
    }
}

/// Reads the exceptions with the spans of their `when`. Every valid `expires` is added to
/// `expiries`.
pub(super) fn exceptions(
    reader: &mut Reader,
    root: &Node,
    expiries: &mut Vec<(Date, Span)>,
) -> Vec<(Exception, Span)> {
    let Some(node) = root.get("exceptions") else {
        return Vec::new();
    };
    let items = reader.sequence(node, "`exceptions`").unwrap_or_default();
    if items.len() > MAX_EXCEPTIONS {
        reader.error(
            "exception::too-many",
            format!("{} exceptions are more than {MAX_EXCEPTIONS}", items.len()),
            node.span,
        );
        return Vec::new();
    }
    let mut found: Vec<(Exception, Span)> = Vec::new();
    for item in items {
        let Some(exception) = exception(reader, item, expiries) else {
            continue;
        };
        if found.iter().any(|(other, _)| other.name == exception.name) {
            let span = item.get("name").map_or(item.span, |name| name.span);
            reader.error(
                "exception::duplicate-name",
                format!("two exceptions are named `{}`", exception.name),
                span,
            );
        }
        let span = item.get("when").map_or(item.span, |when| when.span);
        found.push((exception, span));
    }
    found
}

fn exception(
    reader: &mut Reader,
    node: &Node,
    expiries: &mut Vec<(Date, Span)>,
) -> Option<Exception> {
    reader
        .mapping(node, "an exception", &shape::EXCEPTION)
        .then_some(())?;
    let mut short = |field: &str| {
        let node = node.get(field)?;
        reader.short_text(node, &format!("`{field}` of an exception"), MAX_WORDS)
    };
    let name = short("name");
    let reason = short("reason");
    let owner = short("owner");
    let expires = node.get("expires").and_then(|node| {
        let date = expires(reader, node)?;
        expiries.push((date, node.span));
        Some(date)
    });
    let when = node.get("when").and_then(|node| when(reader, node));
    Some(Exception {
        name: name?,
        reason: reason?,
        owner: owner?,
        expires: expires?,
        when: [when?].into_iter().collect(),
    })
}

fn expires(reader: &mut Reader, node: &Node) -> Option<Date> {
    let text = reader.text(node, "`expires`")?;
    match text.trim().parse() {
        Ok(date) if text.trim().len() == 10 => Some(date),
        _ => {
            reader.push(
                Diagnostic::error("exception::date", format!("`{text}` is not a date"))
                    .help("write it as 2027-01-31"),
                node.span,
            );
            None
        }
    }
}

fn when(reader: &mut Reader, node: &Node) -> Option<(String, Vec<String>)> {
    let Some([entry]) = node.as_mapping() else {
        reader.push(
            Diagnostic::error("exception::not-expressible", "`when` takes one path and the excepted values")
                .help("write `when: {detail.userIdentity.userName: [some-name]}`; several fields at once need a change of the event pattern"),
            node.span,
        );
        return None;
    };
    let well_formed = match EventPath::parse(&entry.key) {
        Ok(path) if path.as_str().contains('[') => Err((
            "an event pattern has no list indices".to_owned(),
            Some("remove `[…]`; note that an exception on a list applies only if all items are excepted".to_owned()),
        )),
        Ok(_) => Ok(()),
        Err(bad) => Err((bad.message, bad.help)),
    };
    if let Err((message, help)) = well_formed {
        let diagnostic = Diagnostic::error("exception::not-expressible", message);
        reader.push(
            help.into_iter().fold(diagnostic, Diagnostic::help),
            entry.key_span,
        );
        return None;
    }
    let values = reader.texts(&entry.value, "the excepted values")?;
    if values.is_empty() {
        reader.error(
            "exception::not-expressible",
            "no value is excepted",
            entry.value.span,
        );
        return None;
    }
    Some((
        entry.key.clone(),
        values.into_iter().map(|(text, _)| text).collect(),
    ))
}

/// Compiles the exceptions into the pattern.
pub(super) fn with_exceptions(
    reader: &mut Reader,
    root: &Node,
    written: &Pattern,
    exceptions: &[(Exception, Span)],
) -> Option<Pattern> {
    if exceptions.is_empty() {
        return Some(written.clone());
    }
    let node = root.get("event_pattern")?;
    let mut json = node.to_json();
    // Exceptions on the same field are merged: each excludes its values.
    let mut fields: Vec<(String, Vec<String>, Span)> = Vec::new();
    for (exception, span) in exceptions {
        for (path, values) in &exception.when {
            match fields.iter_mut().find(|(known, ..)| known == path) {
                Some((_, all, _)) => all.extend(values.iter().cloned()),
                None => fields.push((path.clone(), values.clone(), *span)),
            }
        }
    }
    let taken = written.field_paths();
    let mut sound = true;
    for (path, values, span) in fields {
        let compiled = if taken.contains(&path) {
            Err(exceptions::constrained(&path))
        } else {
            exceptions::compile(&mut json, &path, &values)
        };
        if let Err(problem) = compiled {
            sound = false;
            reader.push(
                Diagnostic::error("exception::not-expressible", problem.message).help(problem.help),
                span,
            );
        }
    }
    if !sound {
        return None;
    }
    match Pattern::parse(&json.to_string()) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let span = root.get("exceptions").map_or(node.span, |node| node.span);
            reader.error(
                "exception::not-expressible",
                format!(
                    "with its exceptions the pattern is refused: {}",
                    error.message
                ),
                span,
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_operator_is_underlined_with_its_key() {
        let text = "source: [aws.ec2]\ndetail:\n  a: [{prefx: x}]\n";
        let file = std::sync::Arc::new(syntax::SourceFile::new("a.yaml", text));
        let (node, _) = syntax::parse(&file);
        let node = node.unwrap();
        let written = |span| syntax::SourceLocation::new(&file, span).text().to_owned();
        let span = nearest_span(&node, "/detail/a/0/prefx");
        assert_eq!(written(span), "prefx: x");
        let span = nearest_span(&node, "/detail/a/0/absent/deeper");
        assert_eq!(written(span), "{prefx: x}");
    }
}
