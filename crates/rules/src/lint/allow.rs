//! Comments that allow a diagnostic: `# allow: pattern::value-type the reason`.
//!
//! A comment at the end of a line allows diagnostics on that line, or in the value that begins
//! there. A comment on its own line does so for the next line that isn't a comment. The reason is
//! required. An allowance that silences nothing is itself a diagnostic: the code below it has
//! changed, and it would hide the next real diagnostic.

use std::sync::Arc;

use syntax::{Diagnostic, Node, SourceFile, SourceLocation, Span, Value, nearest};

use super::registry::{Lint, find, registry};

const MARK: &str = "allow:";
/// Most allowances in one file.
const MOST: usize = 100;

/// The allowances of one file.
#[derive(Debug, Default)]
pub(crate) struct Allowances {
    list: Vec<Allowance>,
}

#[derive(Debug)]
struct Allowance {
    lint: &'static Lint,
    location: SourceLocation,
    /// Diagnostics that start in this range are allowed.
    span: Span,
    used: bool,
}

impl Allowances {
    /// Reads the allowances of a file; errors in them are added to `diagnostics`.
    pub(crate) fn read(
        file: &Arc<SourceFile>,
        root: &Node,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut list = Vec::new();
        // Most files have none, and reading comments means scanning the file again.
        if !file.text.contains(MARK) {
            return Self { list };
        }
        let comments = syntax::comments(file);
        let marked = comments
            .iter()
            .filter_map(|it| Some((it, it.text.strip_prefix(MARK)?)));
        for (comment, text) in marked.take(MOST) {
            let location = SourceLocation::new(file, comment.span);
            let (code, reason) = text
                .trim()
                .split_once(char::is_whitespace)
                .unwrap_or((text.trim(), ""));
            let Some(lint) = find(code) else {
                diagnostics.push(unknown(code).at(location));
                continue;
            };
            if !lint.allow {
                diagnostics.push(
                    Diagnostic::error(
                        "allow::refused",
                        format!("`{code}` can't be allowed; correct it"),
                    )
                    .at(location),
                );
                continue;
            }
            if reason.trim().is_empty() {
                diagnostics.push(
                    Diagnostic::error(
                        "allow::no-reason",
                        format!("the reason for allowing `{code}` is missing"),
                    )
                    .at(location)
                    .help(format!("write `# allow: {code} the reason`")),
                );
                continue;
            }
            let line = if comment.alone {
                next_line(&file.text, comment.span.end)
            } else {
                line_of(&file.text, comment.span.start)
            };
            list.push(Allowance {
                lint,
                location,
                span: covered(root, line),
                used: false,
            });
        }
        Self { list }
    }

    /// Removes allowed diagnostics.
    pub(crate) fn filter(&mut self, diagnostics: &mut Vec<Diagnostic>) {
        if self.list.is_empty() {
            return;
        }
        diagnostics.retain(|diagnostic| {
            let Some(location) = &diagnostic.location else {
                return true;
            };
            let mut allowed = false;
            for it in &mut self.list {
                if it.lint.code == diagnostic.code
                    && it.location.file == location.file
                    && (it.span.start..=it.span.end).contains(&location.span.start)
                {
                    it.used = true;
                    allowed = true;
                }
            }
            !allowed
        });
    }

    /// Returns the number of used allowances, and adds a diagnostic for each unused one.
    pub(crate) fn finish(self, diagnostics: &mut Vec<Diagnostic>) -> usize {
        let (used, unused): (Vec<_>, Vec<_>) = self.list.into_iter().partition(|it| it.used);
        diagnostics.extend(unused.into_iter().map(|it| {
            Diagnostic::error(
                "allow::unused",
                format!("there is no `{}` here to allow", it.lint.code),
            )
            .at(it.location)
            .help(
                "remove the comment, or put it on or above the line that the diagnostic points at",
            )
        }));
        used.len()
    }
}

fn unknown(code: &str) -> Diagnostic {
    let diagnostic = Diagnostic::error("allow::unknown", format!("there is no lint `{code}`"));
    let codes: Vec<&str> = registry().iter().map(|lint| lint.code).collect();
    match nearest(code, &codes) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("rules/LINTS.md lists all of them"),
    }
}

/// The line at an offset, without the line break.
fn line_of(text: &str, offset: usize) -> Span {
    let start = text
        .get(..offset)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |at| at + 1);
    let end = text
        .get(offset..)
        .and_then(|after| after.find('\n'))
        .map_or(text.len(), |at| offset + at);
    Span::new(start, end)
}

/// The first line after an offset that has content; empty at the end of the file.
fn next_line(text: &str, offset: usize) -> Span {
    let mut at = line_of(text, offset).end + 1;
    while at < text.len() {
        let line = line_of(text, at);
        let content = text.get(line.start..line.end).unwrap_or_default().trim();
        if !content.is_empty() && !content.starts_with('#') {
            return line;
        }
        at = line.end + 1;
    }
    Span::new(text.len(), text.len())
}

/// The range of a line and all values that begin on it.
fn covered(root: &Node, line: Span) -> Span {
    fn end(node: &Node, line: Span) -> usize {
        let begins = |span: Span| (line.start..=line.end).contains(&span.start);
        match &node.value {
            Value::Sequence(items) => items
                .iter()
                .map(|item| {
                    let below = end(item, line);
                    if begins(item.span) {
                        below.max(item.span.end)
                    } else {
                        below
                    }
                })
                .max()
                .unwrap_or(0),
            Value::Mapping(entries) => entries
                .iter()
                .map(|entry| {
                    let below = end(&entry.value, line);
                    if begins(entry.key_span) {
                        below.max(entry.value.span.end)
                    } else {
                        below
                    }
                })
                .max()
                .unwrap_or(0),
            _ => 0,
        }
    }
    Span::new(line.start, end(root, line).max(line.end))
}
