//! Loads and renders the template sources, `stacksets/*.json.j2`.
//!
//! Values enter a template only as JSON: because file names end in `.json.j2`, minijinja serializes
//! every expression as a JSON value. No content can make it more than one value.
//!
//! Every entry in a loop or condition ends with a comma. No template checks for the last entry; a
//! comma before a closing bracket is dropped before the rendered text is parsed.

use std::path::Path;
use std::sync::Arc;

use minijinja::{Environment, UndefinedBehavior, Value};
use syntax::{Diagnostic, SourceFile, SourceLocation, Span};

use crate::forward::Unions;
use crate::{Part, json};

/// Included by other templates; not the template of a [`Part`].
const INCLUDED: [&str; 2] = ["responses.json.j2", "topics.json.j2"];

/// The parsed minijinja sources of all parts, and what compiling with them again can reuse.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    files: Vec<Arc<SourceFile>>,
    pub(crate) unions: Unions,
}

impl Templates {
    /// Loads the sources of all parts from a directory.
    ///
    /// Codes: `template::missing` for a file that can't be read, `template::syntax` for one that
    /// isn't a minijinja template.
    pub fn load(directory: &Path) -> Result<Templates, Vec<Diagnostic>> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut templates = Templates {
            environment,
            files: Vec::new(),
            unions: Unions::default(),
        };
        let mut diagnostics = Vec::new();
        let names = Part::ALL
            .iter()
            .map(|part| source_name(*part))
            .chain(INCLUDED.map(str::to_owned));
        for name in names {
            if let Err(diagnostic) = templates.add(directory, name) {
                diagnostics.push(*diagnostic);
            }
        }
        if diagnostics.is_empty() {
            Ok(templates)
        } else {
            Err(diagnostics)
        }
    }

    fn add(&mut self, directory: &Path, name: String) -> Result<(), Box<Diagnostic>> {
        let path = directory.join(&name);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let diagnostic = Diagnostic::error(
                "template::missing",
                format!(
                    "the stack set template `{}` cannot be read: {error}",
                    path.display()
                ),
            );
            Box::new(diagnostic)
        })?;
        let file = Arc::new(SourceFile::new(path, text.clone()));
        self.files.push(file);
        self.environment
            .add_template_owned(name, text)
            .map_err(|error| Box::new(self.diagnostic("template::syntax", &error)))
    }

    /// Renders a part's template and parses the result as JSON; keys keep their order.
    ///
    /// Codes: `template::render`, `template::json`.
    pub(crate) fn render(
        &self,
        part: Part,
        context: Value,
    ) -> Result<serde_json::Value, Box<Diagnostic>> {
        let name = source_name(part);
        let text = self
            .environment
            .get_template(&name)
            .and_then(|template| template.render(context))
            .map_err(|error| Box::new(self.diagnostic("template::render", &error)))?;
        let text = without_trailing_commas(&text);
        json::parse(&text).map_err(|error| {
            let line = text
                .lines()
                .nth(error.line().saturating_sub(1))
                .unwrap_or_default();
            let diagnostic = Diagnostic::error(
                "template::json",
                format!("`{name}` does not render to JSON: {error}"),
            )
            .note(format!("the rendered line is `{}`", line.trim()));
            Box::new(match self.location(part) {
                Some(location) => diagnostic.at(location),
                None => diagnostic,
            })
        })
    }

    /// The source of a part, for diagnostics about its rendered output.
    pub(crate) fn location(&self, part: Part) -> Option<SourceLocation> {
        self.file(&source_name(part))
            .map(|file| SourceLocation::new(file, Span::new(0, 0)))
    }

    fn file(&self, name: &str) -> Option<&Arc<SourceFile>> {
        self.files.iter().find(|file| file.path.ends_with(name))
    }

    fn diagnostic(&self, code: &'static str, error: &minijinja::Error) -> Diagnostic {
        let message = match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        };
        let diagnostic = Diagnostic::error(code, message);
        let Some(file) = error.name().and_then(|name| self.file(name)) else {
            return diagnostic;
        };
        let line = error.line().unwrap_or(1).saturating_sub(1);
        let before: usize = file
            .text
            .split_inclusive('\n')
            .take(line)
            .map(str::len)
            .sum();
        let span = error.range().map_or(Span::new(before, before), |range| {
            Span::new(range.start, range.end)
        });
        diagnostic.at(SourceLocation::new(file, span))
    }
}

/// Replaces each comma before a closing bracket with a space, which preserves lines and columns.
fn without_trailing_commas(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_string = false;
    let mut is_escaped = false;
    // Holds back a comma and the space after it until the next token.
    let mut waiting = String::new();
    for c in text.chars() {
        if !in_string && (c == ',' || (c.is_whitespace() && !waiting.is_empty())) {
            // A second comma must remain a syntax error.
            if c == ',' {
                out.push_str(&waiting);
                waiting.clear();
            }
            waiting.push(c);
            continue;
        }
        if !in_string && matches!(c, '}' | ']') && waiting.starts_with(',') {
            waiting.replace_range(..1, " ");
        }
        out.push_str(&waiting);
        waiting.clear();
        in_string = match c {
            '"' if !is_escaped => !in_string,
            _ => in_string,
        };
        is_escaped = in_string && c == '\\' && !is_escaped;
        out.push(c);
    }
    out + &waiting
}

fn source_name(part: Part) -> String {
    format!("{}.template.json.j2", part.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_before_a_closing_bracket_is_dropped_outside_of_strings_only() {
        for (rendered, read) in [
            ("[1, 2,\n]", "[1, 2 \n]"),
            (
                r#"{"a": [1,], "b": "x,]\",}",}"#,
                r#"{"a": [1 ], "b": "x,]\",}" }"#,
            ),
            (r#"{"a": "\\",}"#, r#"{"a": "\\" }"#),
            ("[1,,]", "[1, ]"),
            ("[,]", "[ ]"),
            ("[1] ,", "[1] ,"),
        ] {
            assert_eq!(without_trailing_commas(rendered), read);
        }
    }

    /// Hand-written comma logic breaks silently when a loop or condition is added; see the module
    /// docs.
    #[test]
    fn no_template_decides_about_commas() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stacksets");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|it| it != "j2") {
                continue;
            }
            seen += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            for (number, line) in text.lines().enumerate() {
                let logic = [
                    "loop.last",
                    "loop.first",
                    "loop.index",
                    "%},{%",
                    "%}, {%",
                    "\",\" if",
                ]
                .iter()
                .find(|it| line.contains(**it));
                let here = format!("{}:{}", path.display(), number + 1);
                assert_eq!(logic, None, "{here}: {line}");
                // Block tags are on their own lines, so that no comma hides after one.
                let tags = line.matches("{%").count();
                assert!(
                    tags == 0 || line.trim().ends_with("%}") && tags == 1,
                    "{here}: {line}"
                );
            }
        }
        assert!(seen > 8, "{seen}");
    }
}
