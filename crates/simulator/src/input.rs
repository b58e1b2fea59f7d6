//! Typed access to a decoded request, refusing what the simulator does not know.
//!
//! Query protocols send every scalar as text and JSON protocols send typed values; both read the
//! same here. A parameter that is not on an action's list is an error: ignoring it would let a
//! deployment seem to work.

use serde_json::{Map, Value};

use crate::wire::api::ApiError;
use crate::wire::{missing, scalar};

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
    pub(crate) fn text(self, name: &str) -> Option<&'a str> {
        self.value(name).and_then(Value::as_str)
    }

    /// A text that must be sent and not be empty.
    pub(crate) fn required(self, name: &str) -> Result<&'a str, ApiError> {
        self.text(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| missing(name))
    }

    /// A whole number, if sent.
    pub(crate) fn integer(self, name: &str) -> Result<Option<i64>, ApiError> {
        self.value(name)
            .map(|value| {
                scalar(value)
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| mistyped(name, "a whole number", value))
            })
            .transpose()
    }

    /// A boolean, if sent.
    pub(crate) fn boolean(self, name: &str) -> Result<Option<bool>, ApiError> {
        self.value(name)
            .map(|value| {
                scalar(value)
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| mistyped(name, "a boolean", value))
            })
            .transpose()
    }

    /// A list; empty if not sent.
    pub(crate) fn list(self, name: &str) -> Result<&'a [Value], ApiError> {
        match self.value(name) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            // An empty list in a Query request is a key without a value.
            Some(Value::String(text)) if text.is_empty() => Ok(&[]),
            Some(other) => Err(mistyped(name, "a list", other)),
        }
    }

    /// A list of texts, owned or not; empty if not sent.
    pub(crate) fn texts<T: From<&'a str>>(self, name: &str) -> Result<Vec<T>, ApiError> {
        self.list(name)?
            .iter()
            .map(|item| {
                item.as_str()
                    .map(T::from)
                    .ok_or_else(|| mistyped(name, "a list of texts", item))
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
                Ok((
                    item.required(key)?.to_owned(),
                    item.text(value).unwrap_or_default().to_owned(),
                ))
            })
            .collect()
    }

    /// One of `allowed`, or the first of them if not sent.
    pub(crate) fn choice(self, name: &str, allowed: &[&'a str]) -> Result<&'a str, ApiError> {
        let text = self
            .text(name)
            .unwrap_or_else(|| allowed.first().copied().unwrap_or_default());
        if allowed.contains(&text) {
            return Ok(text);
        }
        Err(ApiError::validation(format!(
            "1 validation error detected: Value '{text}' at '{name}' failed to satisfy constraint: \
             Member must satisfy enum value set: [{}]",
            allowed.join(", ")
        )))
    }
}

fn mistyped(name: &str, wanted: &str, found: &Value) -> ApiError {
    ApiError::validation(format!(
        "The parameter {name} must be {wanted}, not {found}."
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
            assert!(input.texts::<&str>("List").unwrap().is_empty());
        }
    }
}
