//! Reads the fields of a mapping. Missing, mistyped and misspelled ones become diagnostics.

use std::sync::Arc;

use syntax::{Diagnostic, Node, Shape, SourceFile, SourceLocation, Span, Value, nearest};

/// Most diagnostics for unknown fields in one mapping.
const MAX_UNKNOWN: usize = 20;

/// The file being read and the diagnostics so far.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) file: Arc<SourceFile>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Reader {
    pub(crate) fn location(&self, span: Span) -> SourceLocation {
        SourceLocation::new(&self.file, span)
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic, span: Span) {
        let location = self.location(span);
        self.diagnostics.push(diagnostic.at(location));
    }

    pub(crate) fn error(&mut self, code: &'static str, message: impl Into<String>, span: Span) {
        self.push(Diagnostic::error(code, message), span);
    }

    fn wrong_type(&mut self, what: &str, wanted: &str, node: &Node) {
        let mut diagnostic = Diagnostic::error(
            "rule::wrong-type",
            format!("{what} must be {wanted}, not {}", node.kind()),
        );
        if wanted == "text" && matches!(node.value, Value::Number(_) | Value::Bool(_)) {
            diagnostic = diagnostic.help("put it in quotes");
        }
        self.push(diagnostic, node.span);
    }

    /// Checks that `node` is a mapping with all required fields and no unknown ones.
    pub(crate) fn mapping(&mut self, node: &Node, what: &str, shape: &Shape) -> bool {
        let Some(entries) = node.as_mapping() else {
            self.wrong_type(what, "a mapping", node);
            return false;
        };
        let known = shape.names();
        let unknown = entries
            .iter()
            .filter(|entry| !known.contains(&entry.key.as_str()));
        // A mapping with more unknown fields isn't misspelled but something else.
        let mut meant = Vec::new();
        for entry in unknown.take(MAX_UNKNOWN) {
            let diagnostic = Diagnostic::error(
                "rule::unknown-field",
                format!("{what} has no field `{}`", entry.key),
            );
            let near = nearest(&entry.key, &known);
            meant.extend(near);
            let diagnostic = match near {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help(format!("the fields are {}", listed(&known))),
            };
            self.push(diagnostic, entry.key_span);
        }
        let required = shape.fields.iter().filter(|field| field.is_required);
        for field in required.map(|field| field.name) {
            if node.get(field).is_none() && !meant.contains(&field) {
                let span = first_line(node, &self.file);
                self.error(
                    "rule::missing-field",
                    format!("{what} lacks the field `{field}`"),
                    span,
                );
            }
        }
        true
    }

    /// Reads non-blank text.
    pub(crate) fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        let Some(text) = node.as_str() else {
            self.wrong_type(what, "text", node);
            return None;
        };
        if text.trim().is_empty() {
            self.error("rule::empty", format!("{what} is empty"), node.span);
            return None;
        }
        Some(text.to_owned())
    }

    /// Reads text under a key, if the key is present.
    pub(crate) fn text_of(&mut self, node: &Node, field: &str, what: &str) -> Option<String> {
        let value = node.get(field)?;
        self.text(value, &format!("`{field}` of {what}"))
    }

    /// Reads text of at most `limit` characters.
    pub(crate) fn short_text(&mut self, node: &Node, what: &str, limit: usize) -> Option<String> {
        let text = self.text(node, what)?.trim().to_owned();
        let length = text.chars().count();
        if length > limit {
            self.error(
                "rule::too-long",
                format!("{what} has {length} characters, more than {limit}"),
                node.span,
            );
            return None;
        }
        Some(text)
    }

    /// Reads a list of texts with their nodes.
    pub(crate) fn texts<'a>(
        &mut self,
        node: &'a Node,
        what: &str,
    ) -> Option<Vec<(String, &'a Node)>> {
        let Some(items) = node.as_sequence() else {
            self.wrong_type(what, "a list", node);
            return None;
        };
        let texts: Vec<_> = items
            .iter()
            .filter_map(|item| Some((self.text(item, &format!("an item of {what}"))?, item)))
            .collect();
        (texts.len() == items.len()).then_some(texts)
    }

    pub(crate) fn sequence<'a>(&mut self, node: &'a Node, what: &str) -> Option<&'a [Node]> {
        let items = node.as_sequence();
        if items.is_none() {
            self.wrong_type(what, "a list", node);
        }
        items
    }

    pub(crate) fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        let value = node.as_bool();
        if value.is_none() {
            self.wrong_type(what, "true or false", node);
        }
        value
    }

    /// Reads one of the given words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        node: &Node,
        what: &str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.text(node, what)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let diagnostic =
            Diagnostic::error("rule::unknown-value", format!("{what} can't be `{text}`"));
        let diagnostic = match nearest(&text, &known) {
            Some(near) => diagnostic.help(format!(
                "did you mean `{near}`? It is one of {}",
                listed(&known)
            )),
            None => diagnostic.help(format!("it is one of {}", listed(&known))),
        };
        self.push(diagnostic, node.span);
        None
    }
}

/// The location for something missing: the mapping's first line.
fn first_line(node: &Node, file: &SourceFile) -> Span {
    let text = file.text.get(node.span.start..).unwrap_or_default();
    let length = text
        .find('\n')
        .unwrap_or(text.len())
        .min(node.span.end.saturating_sub(node.span.start));
    Span::new(node.span.start, node.span.start + length)
}

pub(crate) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}
