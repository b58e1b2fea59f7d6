//! Writes JSON values as idiomatic YAML.

use std::fmt::Write;

use serde_json::Value;

/// Longest list or mapping on one line, in characters.
const MAX_LINE: usize = 90;

/// Appends a mapping entry, `key: value`, indented by `indent` spaces; it may take several lines.
/// Parsing the output yields the same value.
///
/// ```
/// let mut text = String::new();
/// syntax::write_entry(&mut text, 0, "source", &serde_json::json!(["aws.iam", "No"]));
/// assert_eq!(text, "source: [aws.iam, \"No\"]\n");
/// ```
pub fn write_entry(out: &mut String, indent: usize, key: &str, value: &Value) {
    let pad = " ".repeat(indent);
    let _infallible = write!(out, "{pad}{}:", scalar_text(key));
    below(out, indent, value);
}

/// Writes the value after its key, on the same line or below it.
fn below(out: &mut String, indent: usize, value: &Value) {
    if let Value::String(text) = value
        && is_block(text)
    {
        out.push_str(" |\n");
        for line in text.lines() {
            let pad = if line.is_empty() { 0 } else { indent + 2 };
            out.push_str(&" ".repeat(pad));
            out.push_str(line);
            out.push('\n');
        }
        return;
    }
    let line = flow(value);
    let is_short = indent + line.chars().count() <= MAX_LINE && is_flat(value);
    match value {
        Value::Object(fields) if !is_short && !fields.is_empty() => {
            out.push('\n');
            for (key, value) in fields {
                write_entry(out, indent + 2, key, value);
            }
        }
        Value::Array(items) if !is_short && !items.is_empty() => {
            out.push('\n');
            for item in items {
                self::item(out, indent + 2, item);
            }
        }
        _ => {
            out.push(' ');
            out.push_str(&line);
            out.push('\n');
        }
    }
}

/// Writes a list item; a mapping starts on the dash's line.
fn item(out: &mut String, indent: usize, value: &Value) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(fields) if !is_flat(value) || indent + flow(value).len() > MAX_LINE => {
            for (index, (key, value)) in fields.iter().enumerate() {
                if index == 0 {
                    let _infallible = write!(out, "{pad}- {}:", scalar_text(key));
                    below(out, indent + 2, value);
                } else {
                    write_entry(out, indent + 2, key, value);
                }
            }
        }
        value => {
            let _infallible = writeln!(out, "{pad}- {}", flow(value));
        }
    }
}

/// Whether it reads well on one line: it contains no mapping of several fields.
fn is_flat(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.len() <= 1 && fields.values().all(is_flat),
        Value::Array(items) => items.iter().all(is_flat),
        _ => true,
    }
}

/// The value in flow style, on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let inside: Vec<String> = fields
                .iter()
                .map(|(key, value)| format!("{}: {}", scalar_text(key), flow(value)))
                .collect();
            format!("{{{}}}", inside.join(", "))
        }
        Value::Array(items) => {
            let inside: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", inside.join(", "))
        }
        Value::String(text) => scalar_text(text),
        other => other.to_string(),
    }
}

/// The text, quoted unless every reader resolves it to this text.
fn scalar_text(text: &str) -> String {
    if is_word(text) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// Whether the text never needs quotes: no reader resolves it to another type.
pub(crate) fn is_word(text: &str) -> bool {
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-/$ ()|".contains(c))
        && !text.ends_with(' ');
    let is_other = matches!(
        text.to_ascii_lowercase().as_str(),
        "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n"
    );
    is_word && !is_other
}

/// The text in double quotes.
pub(crate) fn quoted(text: &str) -> String {
    // JSON strings are valid YAML; the loop adds the escapes that only YAML requires.
    let mut out = String::new();
    for c in Value::from(text).to_string().chars() {
        if c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}') {
            let _infallible = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether the text reads best as lines and survives a literal block unchanged.
fn is_block(text: &str) -> bool {
    text.ends_with('\n')
        && text.trim() == text.strip_suffix('\n').unwrap_or(text)
        && !text.trim().is_empty()
        && text.lines().all(|line| line.trim_end() == line)
        && text.chars().all(|c| {
            c == '\n' || !(c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}'))
        })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{SourceFile, parse};
    use proptest::prelude::*;
    use serde_json::json;

    fn back(value: &Value) -> Value {
        let mut text = String::new();
        write_entry(&mut text, 0, "key", value);
        let (node, diagnostics) = parse(&Arc::new(SourceFile::new("a.yaml", text.as_str())));
        assert!(diagnostics.is_empty(), "{diagnostics:?}\n{text}");
        node.unwrap().get("key").unwrap().to_json()
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[ -~\n\u{e9}\u{2028}\t'\"#:{}-]{0,12}".prop_map(Value::from),
            "[a-z]{1,3}\n[a-z #:]{0,5}\n".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ -~]{1,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn written_values_read_back(value in values()) {
            prop_assert_eq!(back(&value), value);
        }
    }

    #[test]
    fn output_is_idiomatic_yaml() {
        let mut text = String::new();
        let value = json!({
            "source": ["aws.iam"],
            "detail": {"eventName": [{"prefix": "Put"}, "No"], "a": {"b": [{"anything-but": ["x"]}, {"exists": false}]}},
        });
        write_entry(&mut text, 0, "event_pattern", &value);
        assert_eq!(
            text,
            r#"event_pattern:
  source: [aws.iam]
  detail:
    eventName: [{prefix: Put}, "No"]
    a: {b: [{anything-but: [x]}, {exists: false}]}
"#
        );
    }
}
