//! An event as a tree, for copying values out of it: numbers keep their source text.

use std::collections::HashMap;

use crate::error::EventError;
use crate::event::MAX_DEPTH;
use crate::scan::{ScanError, Scanner, Token, write_string};

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Document {
    Null,
    Bool(bool),
    /// The source text.
    Number(String),
    Text(String),
    List(Vec<Document>),
    /// Each name once.
    Object(Vec<(String, Document)>),
}

/// A container under construction.
enum Frame {
    List(Vec<Document>),
    /// The members, their places by name, and the name of the next one.
    Object(Vec<(String, Document)>, HashMap<String, usize>, String),
}

fn refusal(error: ScanError) -> EventError {
    if error.too_deep {
        EventError::TooDeep { limit: MAX_DEPTH }
    } else {
        EventError::Syntax {
            message: error.message,
            offset: error.offset,
        }
    }
}

impl Document {
    /// Reads a document. Of members with the same name the last one counts.
    pub(crate) fn read(text: &str) -> Result<Document, EventError> {
        let mut scanner = Scanner::new(text, MAX_DEPTH);
        let mut frames: Vec<Frame> = Vec::new();
        let mut root = Document::Null;
        loop {
            let value = match scanner.next().map_err(refusal)? {
                Token::End => return Ok(root),
                Token::ObjectStart => {
                    frames.push(Frame::Object(Vec::new(), HashMap::new(), String::new()));
                    continue;
                }
                Token::ArrayStart => {
                    frames.push(Frame::List(Vec::new()));
                    continue;
                }
                Token::Key(name) => {
                    if let Some(Frame::Object(_, _, next)) = frames.last_mut() {
                        *next = name.into_owned();
                    }
                    continue;
                }
                Token::ObjectEnd | Token::ArrayEnd => match frames.pop() {
                    Some(Frame::List(items)) => Document::List(items),
                    Some(Frame::Object(members, ..)) => Document::Object(members),
                    None => continue,
                },
                Token::String(text) => Document::Text(text.into_owned()),
                Token::Number(text) => Document::Number(text.to_owned()),
                Token::True => Document::Bool(true),
                Token::False => Document::Bool(false),
                Token::Null => Document::Null,
            };
            match frames.last_mut() {
                None => root = value,
                Some(Frame::List(items)) => items.push(value),
                Some(Frame::Object(members, places, name)) => {
                    let place = *places.entry(name.clone()).or_insert(members.len());
                    match members.get_mut(place) {
                        Some((_, known)) => *known = value,
                        None => members.push((std::mem::take(name), value)),
                    }
                }
            }
        }
    }

    /// The member of an object.
    pub(crate) fn member(&self, name: &str) -> Option<&Document> {
        match self {
            Document::Object(members) => members
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The elements of a list; nothing for anything else.
    pub(crate) fn elements(&self) -> &[Document] {
        match self {
            Document::List(items) => items,
            _ => &[],
        }
    }

    /// Compact JSON.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Document::Null => out.push_str("null"),
            Document::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Document::Number(text) => out.push_str(text),
            Document::Text(text) => write_string(out, text),
            Document::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Document::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_string(out, name);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// What `<aws.events.event>` stands for: the envelope without the detail, under other names.
    pub(crate) fn envelope(&self) -> Document {
        let time = match self.member("time") {
            Some(Document::Text(time)) => {
                epoch_milliseconds(time).map(|ms| Document::Number(ms.to_string()))
            }
            _ => None,
        };
        let member = |name: &str| self.member(name).cloned();
        let members = [
            ("id", member("id")),
            ("account", member("account")),
            ("detailType", member("detail-type")),
            ("time", time),
            ("source", member("source")),
            ("region", member("region")),
            ("resources", member("resources")),
            ("version", member("version")),
        ];
        Document::Object(
            members
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect(),
        )
    }
}

/// Milliseconds since 1970 of a UTC time as events carry it, `2026-01-02T03:04:05Z`, with or
/// without a fraction of a second.
fn epoch_milliseconds(time: &str) -> Option<i64> {
    let (date, clock) = time.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut clock = clock.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let in_range =
        (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let milliseconds: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    // Days since 1970-01-01, with years that start in March.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    seconds.checked_mul(1000)?.checked_add(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_text_and_the_last_member_counts() {
        let document =
            Document::read(r#"{"a": [1.0, 1e309, {"b": "\n"}], "a2": null, "a2": true}"#)
                .expect("JSON");
        assert_eq!(document.text(), r#"{"a":[1.0,1e309,{"b":"\n"}],"a2":true}"#);
    }

    #[test]
    fn times_become_milliseconds() {
        assert_eq!(
            epoch_milliseconds("2026-01-02T03:04:05Z"),
            Some(1_767_323_045_000)
        );
        assert_eq!(epoch_milliseconds("1970-01-01T00:00:00.5Z"), Some(500));
        assert_eq!(
            epoch_milliseconds("2024-02-29T00:00:00Z"),
            Some(1_709_164_800_000)
        );
        assert_eq!(epoch_milliseconds("yesterday"), None);
    }
}
