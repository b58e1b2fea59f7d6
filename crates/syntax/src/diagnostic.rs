//! Something wrong in a user's file, as a value.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::fix::Fix;
use crate::source::SourceLocation;

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is deployed while it is there.
    Error,
    /// Worth a look; the file is used all the same.
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

/// Something wrong in a user's file. Many of them come out of one run.
///
/// Serializes to `{code, severity, message, file, line, column, help, notes, fix}`; `file`, `line`
/// and `column` are null for a diagnostic without a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable short name, such as `rule::unknown-field`, to search for and to filter by.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where; `None` without a position in a file, such as for an empty folder.
    pub location: Option<SourceLocation>,
    /// Text to set beside the excerpt; may be empty.
    pub label: String,
    /// How to correct it.
    pub help: Option<String>,
    /// Further lines: a diff, a reason, a related location.
    pub notes: Vec<String>,
    /// The change of the file that corrects it, if one is certain to.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// A diagnostic that stops a deployment.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, message.into())
    }

    /// A diagnostic that doesn't.
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

    /// Says where.
    #[must_use]
    pub fn at(mut self, location: SourceLocation) -> Self {
        self.location = Some(location);
        self
    }

    /// Says something beside the excerpt.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Says what to do.
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

    /// Adds the change that mends it; only one that can't be wrong.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// Whether this diagnostic stops a deployment.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// A text of at most so many characters: diagnostics quote files, which may hold a megabyte in a word.
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
    fn what_is_quoted_has_an_end() {
        let long = "ä".repeat(1_000_000);
        let diagnostic = Diagnostic::error("x", long.as_str())
            .help(long.as_str())
            .note(long);
        assert_eq!(diagnostic.message.chars().count(), 501);
        assert!(diagnostic.help.unwrap().ends_with("ä…"));
        assert!(diagnostic.notes[0].len() < 30_000);
    }

    #[test]
    fn a_diagnostic_without_a_place_serializes_nulls() {
        let value = serde_json::to_value(Diagnostic::warning("x", "y")).unwrap();
        assert_eq!(value["line"], serde_json::Value::Null);
        assert_eq!(value["severity"], "warning");
    }
}
