//! Diagnostics as text with source excerpts, in rustc's style.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, Title};
use syntax::untrusted::{line, lines};
use syntax::{Diagnostic, Severity, SourceLocation};

/// Longest line to show in an excerpt, in bytes. A rule file from a stranger may contain a megabyte
/// in one line.
const LONGEST_LINE: usize = 1_000;

/// Every diagnostic with its excerpt, and a last line with their number. Empty if there are no
/// diagnostics.
///
/// `color` adds ANSI colors; the text is complete without them.
pub fn terminal(diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut text = String::new();
    for diagnostic in diagnostics {
        let rendered = renderer.render(&[group(diagnostic)]);
        // Two harmless parts of a line can make a command. Workflow logs have no colors.
        text.push_str(&if color { rendered } else { lines(&rendered) });
        text.push_str("\n\n");
    }
    if !diagnostics.is_empty() {
        text.push_str(&count(diagnostics));
        text.push('\n');
    }
    text
}

/// Such as `2 errors, 1 warning`.
pub fn count(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|it| it.is_error()).count();
    let warnings = diagnostics.len() - errors;
    let mut parts = Vec::new();
    if errors > 0 || warnings == 0 {
        parts.push(crate::plural(errors, "error"));
    }
    if warnings > 0 {
        parts.push(crate::plural(warnings, "warning"));
    }
    parts.join(", ")
}

fn group(diagnostic: &Diagnostic) -> Group<'_> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(lines(&diagnostic.message))
        .id(diagnostic.code);
    let mut group = match &diagnostic.location {
        Some(location) => located(title, location, &diagnostic.label),
        None => Group::with_title(title),
    };
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(lines(note)));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(lines(help)));
    }
    if let Some(fix) = &diagnostic.fix {
        let text = format!("`check --fix` can fix this: {}", line(&fix.title));
        group = group.element(Level::HELP.message(text));
    }
    group
}

/// Adds the excerpt, or just the position if there is none.
fn located<'a>(title: Title<'a>, location: &SourceLocation, label: &str) -> Group<'a> {
    let path = line(&location.file.path.to_string_lossy());
    if let Some(excerpt) = excerpt(location) {
        let mut annotation = AnnotationKind::Primary.span(excerpt.span);
        if !label.is_empty() {
            annotation = annotation.label(lines(label));
        }
        return title.element(
            Snippet::source(excerpt.text)
                .line_start(excerpt.first_line)
                .path(path)
                .annotation(annotation),
        );
    }
    let (line, column) = location.line_column();
    title.element(Origin::path(path).line(line).char_column(column))
}

/// The lines of a location, safe to show. The renderer works through all text that it gets, so it
/// gets no more than that.
struct Excerpt {
    text: String,
    first_line: usize,
    /// The location in `text`.
    span: Range<usize>,
}

/// `None` if the location is outside of the text, or its lines are too long to show.
fn excerpt(location: &SourceLocation) -> Option<Excerpt> {
    let text = &location.file.text;
    let (start, end) = (location.span.start, location.span.end);
    let line_start = text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    let after = text.get(end..)?;
    let line_end = after.find('\n').map_or(text.len(), |at| end + at);
    if line_end - line_start > LONGEST_LINE {
        return None;
    }
    let mut shown = lines(text.get(line_start..start)?);
    let from = shown.len();
    shown.push_str(&lines(text.get(start..end)?));
    let span = from..shown.len();
    shown.push_str(&lines(text.get(end..line_end)?));
    if line_end < text.len() {
        shown.push('\n');
    }
    Some(Excerpt {
        text: shown,
        first_line: location.line_column().0,
        span,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use syntax::{SourceFile, SourceLocation, Span};

    use super::*;

    fn diagnostic() -> Diagnostic {
        let file = Arc::new(SourceFile::new(
            "rules/example.yaml",
            "id: example\nseverty: high\n",
        ));
        Diagnostic::error("rule::unknown-field", "unknown field `severty`")
            .at(SourceLocation::new(&file, Span::new(12, 19)))
            .label("not a field of a rule")
            .help("did you mean `severity`?")
    }

    #[test]
    fn shows_place_excerpt_and_help() {
        insta::assert_snapshot!(terminal(&[diagnostic()], false), @"
        error[rule::unknown-field]: unknown field `severty`
         --> rules/example.yaml:2:1
          |
        2 | severty: high
          | ^^^^^^^ not a field of a rule
          |
          = help: did you mean `severity`?

        1 error
        ");
    }

    #[test]
    fn a_line_of_a_megabyte_is_not_shown() {
        let file = Arc::new(SourceFile::new("rules/x.yaml", "a".repeat(1_000_000)));
        let diagnostic = Diagnostic::error("rule::size", "too long")
            .at(SourceLocation::new(&file, Span::new(10, 12)));
        let text = terminal(&[diagnostic], false);
        assert!(text.len() < 300, "{}", text.len());
        assert!(text.contains("rules/x.yaml:1:11"), "{text}");
    }

    #[test]
    fn count_names_errors_and_warnings() {
        assert_eq!(
            count(&[diagnostic(), Diagnostic::warning("a", "b")]),
            "1 error, 1 warning"
        );
        assert_eq!(count(&[]), "0 errors");
    }
}
