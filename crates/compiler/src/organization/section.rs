//! Reads single values of the organization file. Invalid values become diagnostics; reading
//! continues after each.

use std::ops::RangeInclusive;
use std::sync::Arc;

use syntax::{Diagnostic, Node, Shape as Fields, SourceFile, SourceLocation, Span, Value, nearest};

/// The file and the diagnostics so far.
pub(super) struct Reader {
    pub(super) file: Arc<SourceFile>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// The required format of a text.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) is: fn(&str) -> bool,
    /// Completes the sentence "… is not": `an account id`.
    pub(super) name: &'static str,
    /// A valid value, shown as help.
    pub(super) example: &'static str,
}

impl Reader {
    pub(super) fn location(&self, span: Span) -> SourceLocation {
        SourceLocation::new(&self.file, span)
    }

    pub(super) fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        let diagnostic = Diagnostic::error(code, message).at(self.location(span));
        self.diagnostics.push(diagnostic);
    }

    pub(super) fn error_with_help(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let diagnostic = Diagnostic::error(code, message)
            .at(self.location(span))
            .help(help);
        self.diagnostics.push(diagnostic);
    }

    pub(super) fn warning(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let diagnostic = Diagnostic::warning(code, message)
            .at(self.location(span))
            .help(help);
        self.diagnostics.push(diagnostic);
    }

    /// Checks that a node is a mapping of known fields. `what` names it: `the file`, `accounts`.
    pub(super) fn mapping(&mut self, node: &Node, what: &str, shape: &Fields) -> bool {
        let Some(entries) = node.as_mapping() else {
            self.wrong_type(node, what, "a mapping");
            return false;
        };
        let fields = shape.names();
        for entry in entries {
            if fields.contains(&entry.key.as_str()) {
                continue;
            }
            let help = match nearest(&entry.key, &fields) {
                Some(field) => format!("did you mean `{field}`?"),
                None => format!("fields here: {}", fields.join(", ")),
            };
            self.error_with_help(
                "organization::unknown-field",
                entry.key_span,
                format!("unknown field `{}` in {what}", entry.key),
                help,
            );
        }
        true
    }

    /// The value of a required field; a missing one is a diagnostic.
    pub(super) fn required<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        key: &str,
    ) -> Option<&'n Node> {
        let found = self.optional(node, key);
        if found.is_none() && node.as_mapping().is_some() {
            // Points at the start of the mapping, since an excerpt of all of it would be unhelpful.
            let start = node.span.start;
            let span = node
                .as_mapping()
                .and_then(|entries| entries.first())
                .map_or(Span::new(start, start), |entry| entry.key_span);
            self.error(
                "organization::missing-field",
                span,
                format!("field `{key}` is missing in {what}"),
            );
        }
        found
    }

    /// The value of an optional field; `None` if it is missing or null.
    #[expect(
        clippy::unused_self,
        reason = "reads like its sibling at the call site"
    )]
    pub(super) fn optional<'n>(&self, node: &'n Node, key: &str) -> Option<&'n Node> {
        node.get(key).filter(|value| value.value != Value::Null)
    }

    /// The items of a list.
    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        node.as_sequence().unwrap_or_else(|| {
            self.wrong_type(node, what, "a list");
            &[]
        })
    }

    /// Text in the given format.
    ///
    /// An id that YAML reads as a number keeps its digits here, but other tools may drop a leading
    /// zero, so it gets a warning.
    pub(super) fn text(&mut self, node: &Node, what: &str, shape: Shape) -> Option<String> {
        let text = match &node.value {
            Value::String(text) => text,
            Value::Number(text) => {
                if (shape.is)(text) {
                    self.warning(
                        "organization::unquoted-number",
                        node.span,
                        format!("{what} is a number in YAML"),
                        format!("quote it: \"{text}\""),
                    );
                }
                text
            }
            _ => {
                self.wrong_type(node, what, "text");
                return None;
            }
        };
        if (shape.is)(text) {
            return Some(text.clone());
        }
        self.error_with_help(
            "organization::format",
            node.span,
            format!("{what} `{text}` is not {}", shape.name),
            format!("for example: {}", shape.example),
        );
        None
    }

    /// A list of unique texts in the given format.
    pub(super) fn texts(&mut self, node: &Node, what: &str, shape: Shape) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for item in self.list(node, what) {
            let Some(text) = self.text(item, what, shape) else {
                continue;
            };
            if texts.contains(&text) {
                self.error(
                    "organization::duplicate",
                    item.span,
                    format!("{what} names `{text}` twice"),
                );
            } else {
                texts.push(text);
            }
        }
        texts
    }

    /// One of the given words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        node: &Node,
        what: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let Some(text) = node.as_str() else {
            self.wrong_type(node, what, "text");
            return None;
        };
        let found = choices.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let help = match nearest(text, &words) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("one of {}", words.join(", ")),
            };
            self.error_with_help(
                "organization::format",
                node.span,
                format!("{what} `{text}` is not one of {}", words.join(", ")),
                help,
            );
        }
        found.map(|(_, value)| *value)
    }

    /// A whole number in a range.
    pub(super) fn number(
        &mut self,
        node: &Node,
        what: &str,
        range: RangeInclusive<u32>,
    ) -> Option<u32> {
        let Some(text) = node.as_number() else {
            self.wrong_type(node, what, "a number");
            return None;
        };
        let number = text
            .parse::<u32>()
            .ok()
            .filter(|number| range.contains(number));
        if number.is_none() {
            self.error(
                "organization::format",
                node.span,
                format!(
                    "{what} `{text}` is not a whole number from {} to {}",
                    range.start(),
                    range.end()
                ),
            );
        }
        number
    }

    fn wrong_type(&mut self, node: &Node, what: &str, expected: &str) {
        self.error(
            "organization::type",
            node.span,
            format!("{what} must be {expected}, not {}", node.kind()),
        );
    }
}
