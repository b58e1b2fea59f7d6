//! The subset of JSON path that targets accept: `$`, `.name`, `[n]`, `[*]`.

use serde_json::{Map, Number, Value};

use crate::error::EventError;
use crate::event::MAX_DEPTH;

/// A checked path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
    Every,
}

impl JsonPath {
    pub(crate) fn parse(path: &str) -> Option<JsonPath> {
        if path.chars().count() > 256 {
            return None;
        }
        let mut steps = Vec::new();
        let mut rest = path.strip_prefix('$')?;
        while !rest.is_empty() {
            if let Some(name) = rest.strip_prefix('.') {
                let end = name
                    .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '/')))
                    .unwrap_or(name.len());
                let (name, behind) = name.split_at(end);
                if name.is_empty() {
                    return None;
                }
                steps.push(Step::Name(name.to_owned()));
                rest = behind;
            } else {
                let (index, behind) = rest.strip_prefix('[')?.split_once(']')?;
                steps.push(match index {
                    "*" => Step::Every,
                    _ if index.bytes().all(|b| b.is_ascii_digit()) => {
                        Step::Index(index.parse().ok()?)
                    }
                    _ => return None,
                });
                rest = behind;
            }
        }
        Some(JsonPath { steps })
    }

    /// The value at the path; with `[*]` in it, an array of what is there.
    pub(crate) fn select(&self, document: &Value) -> Option<Value> {
        let mut found = vec![document];
        for step in &self.steps {
            found = found
                .into_iter()
                .flat_map(|value| match step {
                    Step::Name(name) => value.get(name.as_str()).into_iter().collect(),
                    Step::Index(index) if value.is_array() => {
                        value.get(*index).into_iter().collect()
                    }
                    Step::Index(_) => Vec::new(),
                    Step::Every => value
                        .as_array()
                        .map(|items| items.iter().collect())
                        .unwrap_or_default(),
                })
                .collect();
        }
        if self.steps.contains(&Step::Every) {
            return (!found.is_empty()).then(|| Value::Array(found.into_iter().cloned().collect()));
        }
        found.first().map(|value| (*value).clone())
    }
}

/// Reads an event.
pub(crate) fn read(event: &str) -> Result<Value, EventError> {
    // Our scanner first: it bounds the depth, and its messages carry offsets.
    crate::scan::compact(event, MAX_DEPTH).map_err(|error| {
        if error.too_deep {
            EventError::TooDeep { limit: MAX_DEPTH }
        } else {
            EventError::Syntax {
                message: error.message,
                offset: error.offset,
            }
        }
    })?;
    serde_json::from_str(event).map_err(|error| EventError::Syntax {
        message: error.to_string(),
        offset: 0,
    })
}

/// Compact JSON.
pub(crate) fn write(value: &Value) -> String {
    value.to_string()
}

/// What `<aws.events.event>` stands for: the envelope without the detail, under other names.
pub(crate) fn envelope(document: &Value) -> Value {
    let mut envelope = Map::new();
    let mut copy = |to: &str, value: Option<Value>| {
        if let Some(value) = value {
            envelope.insert(to.to_owned(), value);
        }
    };
    let get = |name: &str| document.get(name).cloned();
    copy("id", get("id"));
    copy("account", get("account"));
    copy("detailType", get("detail-type"));
    copy(
        "time",
        document
            .get("time")
            .and_then(Value::as_str)
            .and_then(epoch_milliseconds)
            .map(|ms| Value::Number(Number::from(ms))),
    );
    copy("source", get("source"));
    copy("region", get("region"));
    copy("resources", get("resources"));
    copy("version", get("version"));
    Value::Object(envelope)
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
    fn accepts_what_put_targets_accepts() {
        for path in [
            "$",
            "$.detail.a",
            "$.a-b_c/d",
            "$.a[0].b",
            "$.a[*].b",
            "$.a[12]",
        ] {
            assert!(JsonPath::parse(path).is_some(), "{path}");
        }
        for path in [
            "", "a", "$a", "$.", "$..a", "$.a.*", "$['a']", "$[\"a\"]", "$.a[-1]", "$.a[0:2]",
            "$.a[", "$.a[]x",
        ] {
            assert!(JsonPath::parse(path).is_none(), "{path}");
        }
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
