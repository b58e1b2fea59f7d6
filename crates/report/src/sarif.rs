//! SARIF 2.1.0, the format of code scanning services.
//!
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use std::path::Path;

use serde_json::{Map, Value, json};
use syntax::{Diagnostic, Severity, SourceLocation, Span};

/// Documentation of a code.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The code, such as `pattern::value-type`.
    pub code: &'static str,
    /// Heading, without a full stop.
    pub name: &'static str,
    /// One paragraph of plain text.
    pub about: &'static str,
}

/// One result that a user has to look at.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its documentation is the page with the same code.
    pub code: String,
    /// Becomes SARIF's `level`.
    pub severity: Severity,
    /// Message, notes and help.
    pub message: String,
    /// SARIF `locations`; empty if the result has none.
    pub locations: Vec<Value>,
    /// SARIF `fixes`.
    pub fixes: Vec<Value>,
}

/// The log of one run. It lists all pages, even without results for them, so that a service knows
/// which checks ran.
pub fn log(entries: &[Entry], pages: &[Page]) -> Value {
    let rules: Vec<Value> = pages
        .iter()
        .map(|page| {
            json!({
                "id": page.code,
                "shortDescription": { "text": page.name },
                "fullDescription": { "text": page.about },
            })
        })
        .collect();
    let results: Vec<Value> = entries.iter().map(|entry| result(entry, pages)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Gizmos",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(entry: &Entry, pages: &[Page]) -> Value {
    let mut result = Map::new();
    result.insert("ruleId".to_owned(), entry.code.as_str().into());
    if let Some(index) = pages.iter().position(|page| page.code == entry.code) {
        result.insert("ruleIndex".to_owned(), index.into());
    }
    let level = match entry.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    result.insert("level".to_owned(), level.into());
    result.insert("message".to_owned(), json!({ "text": entry.message }));
    if !entry.locations.is_empty() {
        result.insert("locations".to_owned(), entry.locations.clone().into());
    }
    if !entry.fixes.is_empty() {
        result.insert("fixes".to_owned(), entry.fixes.clone().into());
    }
    result.into()
}

/// Diagnostics as a SARIF log.
pub fn diagnostics(diagnostics: &[Diagnostic], pages: &[Page]) -> Value {
    let entries: Vec<Entry> = diagnostics.iter().map(entry).collect();
    log(&entries, pages)
}

fn entry(diagnostic: &Diagnostic) -> Entry {
    let mut message = diagnostic.message.clone();
    for note in &diagnostic.notes {
        message.push('\n');
        message.push_str(note);
    }
    if let Some(help) = &diagnostic.help {
        message.push_str("\nhelp: ");
        message.push_str(help);
    }
    let location = diagnostic.location.as_ref();
    let fixes = diagnostic.fix.iter().zip(location).map(|(fix, location)| {
        let replacements: Vec<Value> = fix
            .edits
            .iter()
            .map(|edit| {
                json!({
                    "deletedRegion": region(&SourceLocation::new(&location.file, edit.span)),
                    "insertedContent": { "text": edit.text },
                })
            })
            .collect();
        json!({
            "description": { "text": fix.title },
            "artifactChanges": [{
                "artifactLocation": { "uri": uri(&location.file.path) },
                "replacements": replacements,
            }],
        })
    });
    Entry {
        code: diagnostic.code.to_owned(),
        severity: diagnostic.severity,
        message,
        fixes: fixes.collect(),
        locations: location.map(self::location).into_iter().collect(),
    }
}

/// A source location as a SARIF location.
pub fn location(location: &SourceLocation) -> Value {
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(&location.file.path) },
        "region": region(location),
    }})
}

/// The start of a file as a SARIF location, for results about the whole file.
pub(crate) fn start_of(path: &Path) -> Value {
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(path) },
        "region": { "startLine": 1 },
    }})
}

fn region(location: &SourceLocation) -> Value {
    let (line, column) = location.line_column();
    let end = SourceLocation::new(
        &location.file,
        Span::new(location.span.end, location.span.end),
    );
    let (end_line, end_column) = end.line_column();
    json!({ "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column })
}

/// A path as a URI reference. Relative paths stay relative to the root of the repository.
fn uri(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let mut uri = if text.starts_with('/') {
        "file://".to_owned()
    } else {
        String::new()
    };
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use syntax::{Fix, SourceFile};

    use super::*;

    #[test]
    fn a_diagnostic_with_a_fix() {
        let file = Arc::new(SourceFile::new("rules/a b.yaml", "id: ä\nx: [fälse]\n"));
        let span = Span::new(11, 17);
        let diagnostic = Diagnostic::error("pattern::value-type", "never matches")
            .at(SourceLocation::new(&file, span))
            .note("a note")
            .help("quote it")
            .fix(Fix::replace("put it in quotes", span, "\"false\""));
        let page = Page {
            code: "pattern::value-type",
            name: "Never matches",
            about: "Because.",
        };
        let region = json!({ "startLine": 2, "startColumn": 5, "endLine": 2, "endColumn": 10 });
        let artifact = json!({ "uri": "rules/a%20b.yaml" });
        assert_eq!(
            diagnostics(&[diagnostic], &[page])["runs"][0]["results"],
            json!([{
                "ruleId": "pattern::value-type",
                "ruleIndex": 0,
                "level": "error",
                "message": { "text": "never matches\na note\nhelp: quote it" },
                "locations": [{ "physicalLocation": { "artifactLocation": artifact, "region": region } }],
                "fixes": [{
                    "description": { "text": "put it in quotes" },
                    "artifactChanges": [{
                        "artifactLocation": artifact,
                        "replacements": [{ "deletedRegion": region, "insertedContent": { "text": "\"false\"" } }],
                    }],
                }],
            }])
        );
    }

    #[test]
    fn a_diagnostic_without_a_position_has_no_location() {
        let log = diagnostics(&[Diagnostic::warning("library::empty", "no rule")], &[]);
        let result = &log["runs"][0]["results"][0];
        assert_eq!(result["level"], "warning");
        assert!(result.get("locations").is_none() && result.get("ruleIndex").is_none());
    }
}
