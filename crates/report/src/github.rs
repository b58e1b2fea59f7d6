//! Diagnostics as GitHub workflow commands, which appear next to the lines of a pull request.
//!
//! <https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>

use syntax::untrusted::{line as line_of, lines};
use syntax::{Diagnostic, SourceLocation, Span};

/// One workflow command per diagnostic, one per line.
pub fn diagnostics(diagnostics: &[Diagnostic]) -> String {
    diagnostics
        .iter()
        .map(|diagnostic| line(diagnostic) + "\n")
        .collect()
}

fn line(diagnostic: &Diagnostic) -> String {
    let mut properties = Vec::new();
    if let Some(location) = &diagnostic.location {
        let (line, column) = location.line_column();
        let end = SourceLocation::new(
            &location.file,
            Span::new(location.span.end, location.span.end),
        );
        let (end_line, end_column) = end.line_column();
        properties.push(format!(
            "file={}",
            property(&line_of(&location.file.path.to_string_lossy()))
        ));
        properties.push(format!("line={line}"));
        // GitHub accepts columns only if the diagnostic starts and ends on the same line.
        if end_line == line {
            properties.push(format!("col={column},endColumn={end_column}"));
        } else {
            properties.push(format!("endLine={end_line}"));
        }
    }
    properties.push(format!("title={}", property(diagnostic.code)));
    let mut message = lines(&diagnostic.message);
    for note in &diagnostic.notes {
        message.push('\n');
        message.push_str(&lines(note));
    }
    if let Some(help) = &diagnostic.help {
        message.push_str("\nhelp: ");
        message.push_str(&lines(help));
    }
    format!(
        "::{} {}::{}",
        diagnostic.severity,
        properties.join(","),
        data(&message)
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use syntax::SourceFile;

    use super::*;

    #[test]
    fn escaping_keeps_an_annotation_on_one_line() {
        let file = Arc::new(SourceFile::new("rules/a,b.yaml", "id: x\nidd: y\n"));
        let diagnostic = Diagnostic::error("rule::unknown-field", "100 % wrong\n::error::no")
            .at(SourceLocation::new(&file, Span::new(6, 9)))
            .help("did you mean `id`?");
        assert_eq!(
            diagnostics(&[diagnostic]),
            "::error file=rules/a%2Cb.yaml,line=2,col=1,endColumn=4,title=rule%3A%3Aunknown-field::\
             100 %25 wrong%0A\\::error::no%0Ahelp: did you mean `id`?\n"
        );
        assert_eq!(
            diagnostics(&[Diagnostic::warning("library::empty", "no rule")]),
            "::warning title=library%3A%3Aempty::no rule\n"
        );
    }
}
