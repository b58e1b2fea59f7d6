//! Diagnostics as text with source excerpts, in rustc's style.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use syntax::{Diagnostic, Severity};

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
        text.push_str(&renderer.render(&[group(diagnostic)]));
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
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code);
    let mut group = match &diagnostic.location {
        Some(location) if excerpt_is_readable(location) => {
            let mut annotation =
                AnnotationKind::Primary.span(location.span.start..location.span.end);
            if !diagnostic.label.is_empty() {
                annotation = annotation.label(diagnostic.label.as_str());
            }
            title.element(
                Snippet::source(location.file.text.as_str())
                    .path(location.file.path.to_string_lossy())
                    .annotation(annotation),
            )
        }
        Some(location) => {
            let (line, column) = location.line_column();
            title.element(
                annotate_snippets::Origin::path(location.file.path.to_string_lossy())
                    .line(line)
                    .char_column(column),
            )
        }
        None => Group::with_title(title),
    };
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    if let Some(fix) = &diagnostic.fix {
        let text = format!("`check --fix` can fix this: {}", fix.title);
        group = group.element(Level::HELP.message(text));
    }
    group
}

/// Whether the span's lines are short enough to show.
fn excerpt_is_readable(location: &syntax::SourceLocation) -> bool {
    let text = &location.file.text;
    let (start, end) = (location.span.start, location.span.end);
    if start > end || end > text.len() {
        return false;
    }
    let line_start = text
        .get(..start)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |at| at + 1);
    let line_end = text
        .get(end..)
        .and_then(|after| after.find('\n'))
        .map_or(text.len(), |at| end + at);
    line_end.saturating_sub(line_start) <= LONGEST_LINE
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
