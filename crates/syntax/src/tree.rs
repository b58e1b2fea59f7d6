//! The YAML tree. Every value has its span.

use crate::scalar;
use crate::source::Span;

/// A value and its position in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The parsed value, nested nodes included.
    pub value: Value,
    /// Byte range in the file. A collection's span ends with its last child.
    pub span: Span,
}

/// A YAML value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`, `~` or no value.
    Null,
    /// `true` or `false`; not `yes`, `no`, `on`, `off`, which are text.
    Bool(bool),
    /// A number in the spelling of the source.
    Number(String),
    /// Text, quoted or not.
    String(String),
    /// `[a, b]` or lines with `-`.
    Sequence(Vec<Node>),
    /// `key: value` pairs in source order, with unique keys.
    Mapping(Vec<Entry>),
}

/// One `key: value` pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Always text: `1` and `true` are the keys `"1"` and `"true"`.
    pub key: String,
    /// Byte range of the key.
    pub key_span: Span,
    /// The parsed value, nested nodes included.
    pub value: Node,
}

impl Node {
    /// The value under `key` of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of a mapping under `key`.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.as_mapping()?.iter().find(|entry| entry.key == key)
    }

    /// The node at a JSON pointer (RFC 6901); `""` is this node.
    pub fn pointer(&self, pointer: &str) -> Option<&Node> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer
            .strip_prefix('/')?
            .split('/')
            .try_fold(self, |node, step| {
                let step = step.replace("~1", "/").replace("~0", "~");
                match &node.value {
                    Value::Sequence(items) => items.get(step.parse::<usize>().ok()?),
                    Value::Mapping(_) => node.get(&step),
                    _ => None,
                }
            })
    }

    /// The deepest node along a JSON pointer that exists; this node if none of its steps does.
    pub fn nearest(&self, pointer: &str) -> &Node {
        let mut prefix = pointer;
        loop {
            if let Some(node) = self.pointer(prefix) {
                return node;
            }
            prefix = prefix.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
    }

    /// The text, if this is text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The spelling of the number, if this is one.
    pub fn as_number(&self) -> Option<&str> {
        match &self.value {
            Value::Number(text) => Some(text),
            _ => None,
        }
    }

    /// The items, if this is a sequence.
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The pairs, if this is a mapping.
    pub fn as_mapping(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value's type as worded in messages: `a list`, `text`, …
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    /// Converts to JSON. A number that JSON can't express becomes null.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => serde_json::Value::Bool(*value),
            Value::Number(text) => scalar::number(text).map_or(serde_json::Value::Null, Into::into),
            Value::String(text) => serde_json::Value::String(text.clone()),
            Value::Sequence(items) => items.iter().map(Node::to_json).collect(),
            Value::Mapping(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.value.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// Converts to compact JSON text. Numbers keep the spelling of the source where JSON allows it:
    /// `1.50` stays `1.50`.
    pub fn to_json_text(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) {
        match &self.value {
            Value::Number(text) => {
                out.push_str(&scalar::number_as_json(text).unwrap_or_else(|| "null".to_owned()));
            }
            Value::Sequence(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Value::Mapping(entries) => {
                out.push('{');
                for (index, entry) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    out.push_str(&serde_json::Value::from(entry.key.as_str()).to_string());
                    out.push(':');
                    entry.value.write_json(out);
                }
                out.push('}');
            }
            Value::Null | Value::Bool(_) | Value::String(_) => {
                out.push_str(&self.to_json().to_string());
            }
        }
    }
}
