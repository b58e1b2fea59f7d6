//! Diagnostics: what is wrong in a user's file.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::fix::Fix;
use crate::source::SourceLocation;

/// Decides whether a diagnostic blocks deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Blocks deployment.
    Error,
    /// Reported only; the file is still used.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// Something wrong in a user's file. One run reports all of them.
///
/// Serializes to `{code, severity, message, file, line, column, help, notes, fix}`; `file`, `line`
/// and `column` are null for a diagnostic without a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable short name, such as `rule::unknown-field`, to search for and to filter by.
    pub code: &'static str,
    /// Errors block deployment, warnings don't.
    pub severity: Severity,
    /// What is wrong, in one sentence without a period.
    pub message: String,
    /// `None` if no position in a file applies, as for an empty folder.
    pub location: Option<SourceLocation>,
    /// Text shown next to the source excerpt; may be empty.
    pub label: String,
    /// How to correct it.
    pub help: Option<String>,
    /// Additional lines: a diff, a reason, a related location.
    pub notes: Vec<String>,
    /// A change to the file that is certain to correct it, if there is one.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// A diagnostic that blocks deployment.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, message.into())
    }

    /// A diagnostic that doesn't block deployment.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, message.into())
    }

    fn new(code: &'static str, severity: Severity, message: String) -> Self {
        Self {
            code,
            severity,
            message: shortened(message, 500),
            location: None,
            label: String::new(),
            help: None,
            notes: Vec::new(),
            fix: None,
        }
    }

    /// Sets the location.
    #[must_use]
    pub fn at(mut self, location: SourceLocation) -> Self {
        self.location = Some(location);
        self
    }

    /// Sets the text next to the excerpt.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Sets the help line: how to correct it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(shortened(help.into(), 1_000));
        self
    }

    /// Adds a line of background.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(shortened(note.into(), 10_000));
        self
    }

    /// Attaches a fix. It must be safe to apply without review: `check --fix` does.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// Whether this diagnostic blocks deployment.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Truncates to `most` characters: diagnostics quote files, and a word in one may be a megabyte
/// long.
fn shortened(mut text: String, most: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
        text.push('…');
    }
    text
}

impl fmt::Display for Diagnostic {
    /// One line: `path:line:column: error[code]: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        write!(f, "{}[{}]: {}", self.severity, self.code, self.message)
    }
}

impl Serialize for Diagnostic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let position = self.location.as_ref().map(SourceLocation::line_column);
        let file = self
            .location
            .as_ref()
            .map(|location| location.file.path.display().to_string());
        let mut out = serializer.serialize_struct("Diagnostic", 9)?;
        out.serialize_field("code", self.code)?;
        out.serialize_field("severity", &self.severity)?;
        out.serialize_field("message", &self.message)?;
        out.serialize_field("file", &file)?;
        out.serialize_field("line", &position.map(|(line, _)| line))?;
        out.serialize_field("column", &position.map(|(_, column)| column))?;
        out.serialize_field("help", &self.help)?;
        out.serialize_field("notes", &self.notes)?;
        out.serialize_field("fix", &self.fix)?;
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::source::{SourceFile, Span};

    #[test]
    fn serializes_with_file_line_and_column() {
        let file = Arc::new(SourceFile::new("rules/a.yaml", "id: x\nidd: y\n"));
        let diagnostic = Diagnostic::error("rule::unknown-field", "unknown field `idd`")
            .at(SourceLocation::new(&file, Span::new(6, 9)))
            .help("did you mean `id`?");
        assert_eq!(
            serde_json::to_value(&diagnostic).unwrap(),
            serde_json::json!({
                "code": "rule::unknown-field", "severity": "error", "message": "unknown field `idd`",
                "file": "rules/a.yaml", "line": 2, "column": 1,
                "help": "did you mean `id`?", "notes": [], "fix": null,
            })
        );
        assert_eq!(
            diagnostic.to_string(),
            "rules/a.yaml:2:1: error[rule::unknown-field]: unknown field `idd`"
        );
    }

    #[test]
    fn long_quotes_are_truncated() {
        let long = "ä".repeat(1_000_000);
        let diagnostic = Diagnostic::error("x", long.as_str())
            .help(long.as_str())
            .note(long);
        assert_eq!(diagnostic.message.chars().count(), 501);
        assert!(diagnostic.help.unwrap().ends_with("ä…"));
        assert!(diagnostic.notes[0].len() < 30_000);
    }

    #[test]
    fn a_diagnostic_without_a_location_serializes_nulls() {
        let value = serde_json::to_value(Diagnostic::warning("x", "y")).unwrap();
        assert_eq!(value["line"], serde_json::Value::Null);
        assert_eq!(value["severity"], "warning");
    }
}
