//! Loads and renders the template sources, `stacksets/*.json.j2`.
//!
//! Values enter a template only as JSON: because file names end in `.json.j2`, minijinja serializes
//! every expression as a JSON value. No content can make it more than one value.
//!
//! Every entry in a loop or condition ends with a comma. No template checks for the last entry; a
//! comma before a closing bracket is dropped before the rendered text is parsed.

use std::io;
use std::path::Path;
use std::sync::Arc;

use minijinja::{Environment, UndefinedBehavior, Value};
use syntax::{Diagnostic, SourceFile, SourceLocation, Span};

use crate::forward::Unions;
use crate::{Part, json};

/// Included by other templates; not the template of a [`Part`].
const INCLUDED: [&str; 2] = ["responses.json.j2", "topics.json.j2"];

/// Steps of one rendering. The largest template that AWS accepts takes less than a hundredth.
const MAX_STEPS: u64 = 5_000_000;

/// Longest rendered text, in bytes; AWS accepts 1 MB without white space.
const MAX_RENDERED: usize = 16 * 1024 * 1024;

/// The statements that a template may use. Others, such as `set`, can double a text time and again, and
/// so can the operators `~`, `+` and `*`.
const STATEMENTS: [&str; 7] = ["if", "elif", "else", "endif", "for", "endfor", "include"];

/// Rendered text up to its limit.
#[derive(Default)]
struct Rendered(Vec<u8>);

impl io::Write for Rendered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_RENDERED {
            let message = format!("it renders to more than {MAX_RENDERED} bytes");
            return Err(io::Error::other(message));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where a tag ends, which isn't inside a string.
fn end_of_tag(tag: &str, close: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (index, c) in tag.char_indices() {
        match quote {
            _ if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if tag.get(index..).is_some_and(|rest| rest.starts_with(close)) => return index,
            None => {}
        }
    }
    tag.len()
}

/// The first statement or operator that a template may not use.
fn construct(file: &Arc<SourceFile>) -> Option<Diagnostic> {
    let text = file.text.as_str();
    let mut tags = text.match_indices("{%").chain(text.match_indices("{{"));
    tags.find_map(|(start, open)| {
        let close = if open == "{%" { "%}" } else { "}}" };
        let tag = text.get(start + 2..)?;
        let tag = tag.get(..end_of_tag(tag, close)).unwrap_or(tag);
        let inner = tag.trim_matches(['-', '+']);
        let word = inner.split_whitespace().next().unwrap_or_default();
        let problem = if open == "{%" && !STATEMENTS.contains(&word) {
            format!("a template can't use the statement `{word}`")
        } else {
            let operator = inner.chars().find(|c| matches!(c, '~' | '+' | '*'))?;
            format!("a template can't use the operator `{operator}`")
        };
        let span = Span::new(start, start + 2 + tag.len());
        let diagnostic = Diagnostic::error("template::construct", problem)
            .at(SourceLocation::new(file, span))
            .help("a template has values, `if`, `for` and `include`");
        Some(diagnostic)
    })
}

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
    /// isn't a minijinja template, `template::construct` for one that uses more of minijinja than
    /// values, conditions, loops and includes.
    pub fn load(directory: &Path) -> Result<Templates, Vec<Diagnostic>> {
        // Without filters and functions, which a template could use to make any amount of text.
        let mut environment = Environment::empty();
        environment.add_test("none", Value::is_none);
        environment.set_auto_escape_callback(minijinja::default_auto_escape_callback);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(MAX_STEPS));
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
        let read = syntax::files::stay_inside(directory, &path)
            .and_then(|()| syntax::files::read(&path, syntax::MAX_BYTES));
        let text = read.map_err(|error| {
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
        if let Some(diagnostic) = construct(&file) {
            return Err(Box::new(diagnostic));
        }
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
            .and_then(|template| {
                let mut rendered = Rendered::default();
                template.render_captured_to(context, &mut rendered)?;
                Ok(rendered.0)
            })
            .map_err(|error| Box::new(self.diagnostic("template::render", &error)))?;
        let text = without_trailing_commas(&String::from_utf8_lossy(&text));
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
        let mut diagnostic = Diagnostic::error(code, message);
        if let Some(cause) = std::error::Error::source(error) {
            diagnostic = diagnostic.note(cause.to_string());
        }
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
        // The range of an unclosed comment or string can end after the text or inside a character.
        let range = error.range();
        let range = range.filter(|range| file.text.get(range.clone()).is_some());
        let span = range.map_or(Span::new(before, before), |range| {
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

    /// The diagnostic about a stack set template with this text, from loading or rendering it.
    fn diagnostic_about(text: &str) -> Diagnostic {
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stacksets");
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(committed).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        let changed = folder.path().join(source_name(Part::Trail));
        std::fs::write(changed, text).unwrap();
        match Templates::load(folder.path()) {
            Err(mut diagnostics) => diagnostics.remove(0),
            Ok(templates) => {
                let context = minijinja::context!(ten => [0; 10]);
                *templates.render(Part::Trail, context).unwrap_err()
            }
        }
    }

    #[test]
    fn templates_that_loop_or_double_a_text_end_in_a_diagnostic() {
        let nested = |depth: usize, text: &str| {
            let (open, close) = (
                "{% for x in ten %}".repeat(depth),
                "{% endfor %}".repeat(depth),
            );
            format!("{open}{text}{close}")
        };
        for (text, code, said) in [
            (nested(12, ""), "template::render", "fuel"),
            (
                nested(4, &"x".repeat(100_000)),
                "template::render",
                "more than 16777216 bytes",
            ),
            ("{% set x = 1 %}".to_owned(), "template::construct", "`set`"),
            (
                "{%- macro m() -%}".to_owned(),
                "template::construct",
                "`macro`",
            ),
            ("{{ ten ~ ten }}".to_owned(), "template::construct", "`~`"),
            (
                r#"{{ "}}" ~ ten }}"#.to_owned(),
                "template::construct",
                "`~`",
            ),
            (
                r#"{{ "\"}}" ~ ten }}"#.to_owned(),
                "template::construct",
                "`~`",
            ),
            (
                "{% for x in ten * 9 %}{% endfor %}".to_owned(),
                "template::construct",
                "`*`",
            ),
            ("{{ range(9) }}".to_owned(), "template::render", "range"),
            ("{{ ten|join }}".to_owned(), "template::syntax", "join"),
        ] {
            let found = diagnostic_about(&text);
            let short = text.get(..40).unwrap_or(&text);
            let about = format!("{} {:?}", found.message, found.notes);
            assert!(about.contains(said), "{short}: {about}");
            if code != "template::syntax" {
                assert_eq!(found.code, code, "{short}: {about}");
            }
        }
    }

    /// The range of an unclosed comment ended two bytes after the text.
    #[test]
    fn a_diagnostic_about_any_broken_template_points_into_it() {
        for text in [
            "{#",
            "{# é",
            "é{#",
            "é\né {# é",
            "{% if é %}",
            "é {{ é",
            "{{ 'é",
            "é\n{%",
            "{#- a -#}\né {# b",
        ] {
            let found = diagnostic_about(text);
            let location = found.location.clone().expect("a location");
            let span = location.span.start..location.span.end;
            assert!(location.file.text.get(span).is_some(), "{text}: {found:?}");
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
