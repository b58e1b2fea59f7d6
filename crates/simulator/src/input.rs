//! Typed access to a decoded request, refusing what the simulator does not know.
//!
//! Query protocols send every scalar as text and JSON protocols send typed values; both read the
//! same here. A parameter that is not on an action's list is an error: ignoring it would let a
//! deployment seem to work.

use serde_json::{Map, Value};

use crate::api::ApiError;

/// The parameters of an action, or of a structure inside it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    fields: Option<&'a Map<String, Value>>,
}

impl<'a> Input<'a> {
    /// Reads `value`, which may only have the `known` fields.
    pub(crate) fn new(value: &'a Value, known: &[&str]) -> Result<Input<'a>, ApiError> {
        let fields = match value {
            Value::Object(fields) => Some(fields),
            Value::Null => None,
            // An empty structure in a Query request is a key without a value.
            Value::String(text) if text.is_empty() => None,
            _ => return Err(ApiError::validation("A structure was expected.")),
        };
        if let Some(unknown) =
            fields.and_then(|fields| fields.keys().find(|name| !known.contains(&name.as_str())))
        {
            return Err(ApiError::validation(format!(
                "The simulator does not support the parameter {unknown} here."
            )));
        }
        Ok(Input { fields })
    }

    /// The raw value, if it was sent.
    pub(crate) fn value(self, name: &str) -> Option<&'a Value> {
        self.fields?.get(name).filter(|value| !value.is_null())
    }

    /// Whether the parameter was sent at all.
    pub(crate) fn has(self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// A text, if sent.
    pub(crate) fn text(self, name: &str) -> Option<String> {
        self.value(name).and_then(scalar)
    }

    /// A text that must be sent and not be empty.
    pub(crate) fn required(self, name: &str) -> Result<String, ApiError> {
        self.text(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| missing(name))
    }

    /// A whole number, if sent.
    pub(crate) fn integer(self, name: &str) -> Result<Option<i64>, ApiError> {
        self.text(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    ApiError::validation(format!("The value '{text}' of {name} is not a number."))
                })
            })
            .transpose()
    }

    /// A boolean, if sent.
    pub(crate) fn boolean(self, name: &str) -> Result<Option<bool>, ApiError> {
        self.text(name)
            .map(|text| match text.as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(ApiError::validation(format!(
                    "The value '{text}' of {name} is not a boolean."
                ))),
            })
            .transpose()
    }

    /// A list; empty if not sent.
    pub(crate) fn list(self, name: &str) -> Result<&'a [Value], ApiError> {
        match self.value(name) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(Value::String(text)) if text.is_empty() => Ok(&[]),
            Some(_) => Err(ApiError::validation(format!("{name} must be a list."))),
        }
    }

    /// A list of texts; empty if not sent.
    pub(crate) fn texts(self, name: &str) -> Result<Vec<String>, ApiError> {
        self.list(name)?
            .iter()
            .map(|item| {
                scalar(item).ok_or_else(|| ApiError::validation(format!("{name} must hold texts.")))
            })
            .collect()
    }

    /// A structure, if sent.
    pub(crate) fn structure(
        self,
        name: &str,
        known: &[&str],
    ) -> Result<Option<Input<'a>>, ApiError> {
        self.value(name)
            .map(|value| Input::new(value, known))
            .transpose()
    }

    /// A list of `{KEY, VALUE}` structures.
    pub(crate) fn pairs(
        self,
        name: &str,
        key: &str,
        value: &str,
    ) -> Result<Vec<(String, String)>, ApiError> {
        self.list(name)?
            .iter()
            .map(|item| {
                let item = Input::new(item, &[key, value])?;
                Ok((item.required(key)?, item.text(value).unwrap_or_default()))
            })
            .collect()
    }

    /// One of `allowed`, or the first of them if not sent.
    pub(crate) fn choice(self, name: &str, allowed: &[&str]) -> Result<String, ApiError> {
        let text = self
            .text(name)
            .unwrap_or_else(|| allowed.first().copied().unwrap_or_default().to_owned());
        if allowed.contains(&text.as_str()) {
            return Ok(text);
        }
        Err(ApiError::validation(format!(
            "1 validation error detected: Value '{text}' at '{name}' failed to satisfy constraint: \
             Member must satisfy enum value set: [{}]",
            allowed.join(", ")
        )))
    }
}

/// The error for a parameter that must be there.
pub(crate) fn missing(name: &str) -> ApiError {
    ApiError::validation(format!(
        "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member \
         must not be null"
    ))
}

/// A scalar's text, the same for Query and JSON requests.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// One page of `items`: the page, and the token of the next one.
pub(crate) fn page<T>(
    items: Vec<T>,
    token: Option<&str>,
    size: usize,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let start = match token {
        None | Some("") => 0,
        Some(token) => token
            .strip_prefix("page-")
            .and_then(|rest| rest.parse::<usize>().ok())
            .filter(|start| *start <= items.len())
            .ok_or_else(|| ApiError::validation("The pagination token is invalid."))?,
    };
    let end = start.saturating_add(size.max(1));
    let next = (end < items.len()).then(|| format!("page-{end}"));
    Ok((
        items.into_iter().skip(start).take(size.max(1)).collect(),
        next,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn refuses_what_it_does_not_know() {
        let value = json!({"StackName": "a", "Surprise": "b"});
        let error = Input::new(&value, &["StackName"]).unwrap_err();
        assert!(error.message.contains("Surprise"), "{error:?}");
    }

    #[test]
    fn reads_query_texts_and_json_values_alike() {
        let known = ["Count", "Flag", "List"];
        for value in [
            json!({"Count": "3", "Flag": "true", "List": ""}),
            json!({"Count": 3, "Flag": true, "List": []}),
        ] {
            let input = Input::new(&value, &known).unwrap();
            assert_eq!(input.integer("Count").unwrap(), Some(3));
            assert_eq!(input.boolean("Flag").unwrap(), Some(true));
            assert!(input.texts("List").unwrap().is_empty());
        }
    }

    #[test]
    fn pages_cover_everything_once() {
        let items: Vec<u32> = (0..45).collect();
        let mut seen = Vec::new();
        let mut token = None;
        loop {
            let (part, next) = page(items.clone(), token.as_deref(), 20).unwrap();
            seen.extend(part);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, items);
        assert!(page(items, Some("nonsense"), 20).is_err());
    }
}
