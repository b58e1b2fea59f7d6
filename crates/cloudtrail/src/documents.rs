//! The events of a whole text: a JSON document of some shape, or JSON lines.
//!
//! For files that people hand over one by one, of which a tree fits into memory.
//! [`records`](crate::records) streams logs.

use std::borrow::Cow;

use serde_json::Value;

/// The events or records of a text: one document, a list, a log file's `Records`, or JSON lines.
///
/// ```
/// let found = cloudtrail::documents::records(r#"{"Records": [{"a": 1}]} [{"a": 2}]"#)?;
/// assert_eq!(found, [serde_json::json!({"a": 1}), serde_json::json!({"a": 2})]);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn records(text: &str) -> serde_json::Result<Vec<Value>> {
    let text = with_whole_characters(text);
    let values: Vec<Value> = serde_json::Deserializer::from_str(&text)
        .into_iter()
        .collect::<Result<_, _>>()?;
    Ok(values.into_iter().flat_map(unpacked).collect())
}

/// The records of a document: a list, a log file's `Records`, or a single one.
pub fn unpacked(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        Value::Object(mut object) if object.get("Records").is_some_and(Value::is_array) => {
            match object.remove("Records") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }
        }
        other => vec![other],
    }
}

/// Replaces every lone half of a surrogate pair by U+FFFD, as most JSON parsers do. Whoever chooses a
/// name can put one into a record, which `serde_json` would refuse with the whole file.
fn with_whole_characters(text: &str) -> Cow<'_, str> {
    let half = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        let unit = u16::from_str_radix(digits, 16).ok()?;
        (0xD800..=0xDFFF).contains(&unit).then_some(unit)
    };
    let (mut whole, mut copied, mut from) = (String::new(), 0, 0);
    while let Some(found) = text.get(from..).and_then(|rest| rest.find('\\')) {
        let at = from + found;
        from = match half(at) {
            // Another escape, of which the second character can be a backslash.
            None => at + 2,
            Some(..0xDC00) if half(at + 6).is_some_and(|next| next >= 0xDC00) => at + 12,
            Some(_) => {
                whole.push_str(text.get(copied..at).unwrap_or_default());
                whole.push_str("\\ufffd");
                copied = at + 6;
                copied
            }
        };
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    whole.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(whole)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lone_surrogate_is_read_as_a_replacement_character() {
        for (text, whole) in [
            (r#"{"a": "x\ud800y"}"#, "x\u{fffd}y"),
            (r#"{"a": "\udc00\ud800\ud800"}"#, "\u{fffd}\u{fffd}\u{fffd}"),
            (r#"{"a": "\ud83d\ude00 \\ud800"}"#, "\u{1f600} \\ud800"),
            (r#"{"a": "\ud83dé\""}"#, "\u{fffd}é\""),
        ] {
            assert_eq!(records(text).unwrap(), [json!({"a": whole})], "{text}");
        }
    }
}
