//! Parses YAML text into a tree with spans.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry as MapEntry;
use std::sync::Arc;

use granit_parser::{Event, Options, Parser, ScalarStyle, StrInput};

use crate::diagnostic::Diagnostic;
use crate::scalar;
use crate::source::{SourceFile, SourceLocation, Span};
use crate::tree::{Entry, Node, Value};

/// Largest file that is parsed, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Deepest nesting of lists and mappings.
pub const MAX_DEPTH: usize = 64;
/// Most values in one file, keys included.
pub const MAX_VALUES: usize = 100_000;
/// Parsing a file ends after this many diagnostics.
const MAX_DIAGNOSTICS: usize = 100;

/// Parses a file into a tree. Never panics, and continues after every error that it can skip.
///
/// The tree is missing if the text isn't YAML at all, exceeds a limit, or uses an alias, tag or
/// merge key, whose value would be a guess. Duplicate keys and anchors are reported too, but leave
/// a usable tree (the first duplicate wins).
///
/// Codes: `yaml::syntax`, `yaml::too-large`, `yaml::too-deep`, `yaml::empty`, `yaml::documents`,
/// `yaml::anchor`, `yaml::alias`, `yaml::tag`, `yaml::merge-key`, `yaml::key`,
/// `yaml::duplicate-key`, `yaml::number`.
pub fn parse(file: &Arc<SourceFile>) -> (Option<Node>, Vec<Diagnostic>) {
    if file.text.len() > MAX_BYTES {
        let diagnostic = Diagnostic::error(
            "yaml::too-large",
            format!(
                "the file has {} bytes, more than {MAX_BYTES}",
                file.text.len()
            ),
        )
        .at(SourceLocation::new(file, Span::new(0, 0)));
        return (None, vec![diagnostic]);
    }
    let mut options = Options::default();
    options.disallow_directives = true;
    options.set_emit_comments(false);
    let mut builder = Builder {
        parser: Parser::new_from_str_with_options(&file.text, options),
        file,
        diagnostics: Vec::new(),
        values: 0,
        guessed: false,
    };
    let node = builder.document().ok().flatten();
    let node = node.filter(|_| !builder.guessed);
    (node, builder.diagnostics)
}

/// Parsing ends here. The diagnostic that says why is already recorded.
struct Stop;

struct Builder<'input> {
    parser: Parser<'input, StrInput<'input>>,
    file: &'input Arc<SourceFile>,
    diagnostics: Vec<Diagnostic>,
    values: usize,
    /// Set when a placeholder replaces a rejected value, so that the tree differs from the text.
    guessed: bool,
}

impl<'input> Builder<'input> {
    fn document(&mut self) -> Result<Option<Node>, Stop> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event if root.is_none() => root = Some(self.node(event, span, 0)?),
                _ => {
                    self.refuse("yaml::documents", "expected a single document", span);
                    return Err(Stop);
                }
            }
        }
        if root
            .as_ref()
            .is_none_or(|node| node.value == Value::Null && self.values == 1)
        {
            self.refuse("yaml::empty", "the file is empty", Span::new(0, 0));
            return Ok(None);
        }
        Ok(root)
    }

    fn next(&mut self) -> Result<(Event<'input>, Span), Stop> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let range = span.byte_range().unwrap_or_default();
                Ok((event, Span::new(range.start, range.end)))
            }
            Some(Err(error)) => {
                let offset = error
                    .marker()
                    .byte_offset()
                    .unwrap_or_default()
                    .min(self.file.text.len());
                let end = self.end_of_character(offset);
                self.diagnostics.push(
                    Diagnostic::error("yaml::syntax", format!("invalid YAML: {}", error.info()))
                        .at(SourceLocation::new(self.file, Span::new(offset, end))),
                );
                Err(Stop)
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn end_of_character(&self, offset: usize) -> usize {
        let rest = self.file.text.get(offset..).unwrap_or_default();
        offset + rest.chars().next().map_or(0, char::len_utf8)
    }

    fn refuse(&mut self, code: &'static str, message: impl Into<String>, span: Span) {
        self.diagnostics
            .push(Diagnostic::error(code, message).at(SourceLocation::new(self.file, span)));
    }

    fn node(&mut self, event: Event<'input>, span: Span, depth: usize) -> Result<Node, Stop> {
        if self.diagnostics.len() >= MAX_DIAGNOSTICS {
            return Err(Stop);
        }
        self.values += 1;
        if self.values > MAX_VALUES {
            self.refuse(
                "yaml::too-large",
                format!("the file contains more than {MAX_VALUES} values"),
                span,
            );
            return Err(Stop);
        }
        if depth > MAX_DEPTH {
            self.refuse(
                "yaml::too-deep",
                format!("nested more than {MAX_DEPTH} levels deep"),
                span,
            );
            return Err(Stop);
        }
        let (anchor, tagged) = match &event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(_, anchor, tag)
            | Event::MappingStart(_, anchor, tag) => (*anchor, tag.is_some()),
            _ => (0, false),
        };
        if anchor != 0 {
            self.refuse("yaml::anchor", "anchors (`&name`) are not supported", span);
        }
        if tagged {
            self.guessed = true;
            self.refuse("yaml::tag", "tags (`!name`) are not supported", span);
        }
        match event {
            Event::Scalar(text, style, ..) => Ok(self.scalar(&text, style, span)),
            Event::SequenceStart(..) => self.sequence(span, depth),
            Event::MappingStart(..) => self.mapping(span, depth),
            _ => {
                self.guessed = true;
                self.refuse(
                    "yaml::alias",
                    "aliases (`*name`) are not supported; write the value out",
                    span,
                );
                Ok(Node {
                    value: Value::Null,
                    span,
                })
            }
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) -> Node {
        let value = match style {
            ScalarStyle::Plain => scalar::resolve(text),
            _ => Value::String(text.to_owned()),
        };
        if let Value::Number(number) = &value
            && scalar::number_as_json(number).is_none()
        {
            self.refuse(
                "yaml::number",
                format!("`{number}` is not a number JSON can express"),
                span,
            );
        }
        Node { value, span }
    }

    fn sequence(&mut self, mut span: Span, depth: usize) -> Result<Node, Stop> {
        let mut items: Vec<Node> = Vec::new();
        loop {
            let (event, item_span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                span.end = collection_end(span, items.last().map(|item| item.span), item_span);
                return Ok(Node {
                    value: Value::Sequence(items),
                    span,
                });
            }
            items.push(self.node(event, item_span, depth + 1)?);
        }
    }

    fn mapping(&mut self, mut span: Span, depth: usize) -> Result<Node, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<Cow<'input, str>, Span> = HashMap::new();
        let mut last = None;
        loop {
            let (event, key_span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                span.end = collection_end(span, last, key_span);
                return Ok(Node {
                    value: Value::Mapping(entries),
                    span,
                });
            }
            let key = match &event {
                Event::Scalar(text, style, ..) => {
                    if *style == ScalarStyle::Plain && text.as_ref() == "<<" {
                        self.guessed = true;
                        self.refuse(
                            "yaml::merge-key",
                            "merge keys (`<<`) are not supported",
                            key_span,
                        );
                    }
                    Some(text.clone())
                }
                _ => None,
            };
            // Counts the key as well, and reports anchors and tags on it.
            self.node(event, key_span, depth + 1)?;
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span, depth + 1)?;
            last = Some(value.span);
            let Some(key) = key else {
                self.refuse(
                    "yaml::key",
                    "a key must be text, not a list or mapping",
                    key_span,
                );
                continue;
            };
            let taken = match seen.entry(key.clone()) {
                MapEntry::Occupied(first) => Some(*first.get()),
                MapEntry::Vacant(free) => {
                    free.insert(key_span);
                    None
                }
            };
            if let Some(first) = taken {
                let (line, _) = SourceLocation::new(self.file, first).line_column();
                self.diagnostics.push(
                    Diagnostic::error(
                        "yaml::duplicate-key",
                        format!("the key `{key}` occurs twice"),
                    )
                    .at(SourceLocation::new(self.file, key_span))
                    .note(format!("it was first written on line {line}")),
                );
                continue;
            }
            entries.push(Entry {
                key: key.into_owned(),
                key_span,
                value,
            });
        }
    }
}

/// A flow collection ends with its bracket. A block collection's end event is at the next token,
/// which may be lines below, so the collection ends with its last child.
fn collection_end(start: Span, last_child: Option<Span>, end_event: Span) -> usize {
    if end_event.end > end_event.start {
        end_event.end
    } else {
        last_child.map_or(start.end, |span| span.end).max(start.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Node>, Vec<Diagnostic>) {
        parse(&Arc::new(SourceFile::new("a.yaml", text)))
    }

    fn codes(text: &str) -> Vec<(&'static str, usize, usize)> {
        read(text)
            .1
            .iter()
            .map(|diagnostic| {
                let (line, column) = diagnostic.location.as_ref().unwrap().line_column();
                (diagnostic.code, line, column)
            })
            .collect()
    }

    #[test]
    fn every_value_has_its_span() {
        let text = "title: Grüße\nlist:\n  - a\n  - {k: [1, 2]}\ntext: |\n  one\n  two\nlast: x\n";
        let (node, diagnostics) = read(text);
        assert!(diagnostics.is_empty());
        let node = node.unwrap();
        let written = |span: Span| text.get(span.start..span.end).unwrap();
        let at = |pointer: &str| written(node.pointer(pointer).unwrap().span);
        assert_eq!(at("/title"), "Grüße");
        assert_eq!(at("/list/1/k"), "[1, 2]");
        assert_eq!(at("/list/1/k/0"), "1");
        assert_eq!(at("/list"), "- a\n  - {k: [1, 2]}");
        assert_eq!(at("/last"), "x");
        assert_eq!(node.pointer("/text").unwrap().as_str(), Some("one\ntwo\n"));
        assert!(at("/text").contains("two"));
        let entry = node.entry("list").unwrap();
        assert_eq!(written(entry.key_span), "list");
    }

    #[test]
    fn pointers_and_the_nearest_node() {
        let (node, _) = read("a: {b/c: [x, y]}\n");
        let node = node.unwrap();
        assert_eq!(node.pointer("/a/b~1c/1").unwrap().as_str(), Some("y"));
        assert_eq!(node.pointer("/a/b~1c/2"), None);
        assert_eq!(node.nearest("/a/b~1c/2/deeper").kind(), "a list");
        assert_eq!(node.nearest("/z"), &node);
        assert_eq!(node.nearest(""), &node);
    }

    #[test]
    fn syntax_errors_have_a_location() {
        let (node, diagnostics) = read("a: 1\nb: [1, 2\nc: 3\n");
        assert!(node.is_none());
        assert_eq!(diagnostics.len(), 1);
        assert_eq!(diagnostics[0].code, "yaml::syntax");
        let (line, _) = diagnostics[0].location.as_ref().unwrap().line_column();
        assert!((2..=3).contains(&line), "{line}");
    }

    #[test]
    fn unsupported_yaml_is_rejected_with_a_location() {
        assert_eq!(
            codes("a: &x 1\nb: *x\n"),
            [("yaml::anchor", 1, 7), ("yaml::alias", 2, 4)]
        );
        assert_eq!(codes("a: !Sub x\n"), [("yaml::tag", 1, 9)]);
        assert_eq!(codes("a: 1\n---\nb: 2\n"), [("yaml::documents", 3, 1)]);
        assert_eq!(codes("? [a]\n: 1\n"), [("yaml::key", 1, 3)]);
        assert_eq!(codes("a: {<<: {b: 1}}\n"), [("yaml::merge-key", 1, 5)]);
        assert_eq!(codes("a: .nan\n"), [("yaml::number", 1, 4)]);
        assert_eq!(codes(""), [("yaml::empty", 1, 1)]);
        assert_eq!(codes("# nothing\n"), [("yaml::empty", 1, 1)]);
    }

    #[test]
    fn duplicate_keys_leave_a_tree_with_the_first() {
        let (node, diagnostics) = read("a: 1\nb: 2\na: 3\n");
        assert_eq!(node.unwrap().get("a").unwrap().as_number(), Some("1"));
        assert_eq!(diagnostics[0].code, "yaml::duplicate-key");
        assert_eq!(
            diagnostics[0].location.as_ref().unwrap().line_column(),
            (3, 1)
        );
        assert_eq!(diagnostics[0].notes, ["it was first written on line 1"]);
    }

    #[test]
    fn oversized_and_deep_files_end_in_a_diagnostic() {
        let mut lines = vec!["a0: &a0 [x, x]".to_owned()];
        lines.extend((1..40).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}]", n - 1)));
        let laughs = lines.join("\n");
        assert!(read(&laughs).0.is_none());
        for deep in [
            "[".repeat(50_000),
            "{a: ".repeat(50_000),
            "- ".repeat(50_000),
            "? ".repeat(50_000),
        ] {
            let (node, diagnostics) = read(&deep);
            assert!(node.is_none());
            assert!(!diagnostics.is_empty());
        }
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert_eq!(read(&deep).1[0].code, "yaml::too-deep");
        let long = "x".repeat(MAX_BYTES + 1);
        assert_eq!(read(&long).1[0].code, "yaml::too-large");
        let many = "[".to_owned() + &"1,".repeat(MAX_VALUES + 1) + "]";
        assert_eq!(read(&many).1[0].code, "yaml::too-large");
    }

    #[test]
    fn json_text_keeps_the_spelling_of_numbers() {
        let (node, _) = read("{a: [1.50, 1e3, 0x10, \"1\"], b: null, c: \"q\\\"\\n\"}\n");
        assert_eq!(
            node.unwrap().to_json_text(),
            r#"{"a":[1.50,1e3,16,"1"],"b":null,"c":"q\"\n"}"#
        );
    }
}
