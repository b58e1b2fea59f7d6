//! Reading an API action's input, whatever protocol it came in: the query protocols send every
//! number and boolean as text.

use serde_json::{Map, Value};

use crate::api::ApiError;

/// The members of one input structure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a>(&'a Value);

impl<'a> Input<'a> {
    /// Wraps an input and refuses members the action does not have.
    pub(crate) fn new(value: &'a Value, allowed: &[&str]) -> Result<Input<'a>, ApiError> {
        if let Some(unknown) = value
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
            .find(|key| !allowed.contains(&key.as_str()))
        {
            return Err(ApiError::new(
                "ValidationException",
                format!("The simulator does not support the parameter {unknown} of this action."),
            ));
        }
        Ok(Input(value))
    }

    pub(crate) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text member, `None` when absent.
    pub(crate) fn text(self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Value::as_str)
    }

    /// A text member that must be there.
    pub(crate) fn required(self, name: &str) -> Result<&'a str, ApiError> {
        self.text(name).filter(|text| !text.is_empty()).ok_or_else(|| {
            ApiError::new(
                "ValidationException",
                format!("1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"),
            )
        })
    }

    /// A boolean member, in the query protocols as text.
    pub(crate) fn flag(self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text == "true" || text == "false" => {
                Ok(Some(text == "true"))
            }
            Some(other) => Err(mistyped(name, "a boolean", other)),
        }
    }

    /// A whole number, in the query protocols as text.
    pub(crate) fn number(self, name: &str) -> Result<Option<i64>, ApiError> {
        let number = match self.get(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        match (number, self.get(name)) {
            (None, Some(other)) => Err(mistyped(name, "a whole number", other)),
            (number, _) => Ok(number),
        }
    }

    /// The size of a page.
    pub(crate) fn size(self, name: &str, default: usize) -> Result<usize, ApiError> {
        Ok(self
            .number(name)?
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or(default))
    }

    /// A list member; one value alone counts as a list of one.
    pub(crate) fn list(self, name: &str) -> Vec<&'a Value> {
        match self.get(name) {
            None => Vec::new(),
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one) => vec![one],
        }
    }

    pub(crate) fn strings(self, name: &str) -> Vec<&'a str> {
        self.list(name)
            .into_iter()
            .filter_map(Value::as_str)
            .collect()
    }

    pub(crate) fn map(self, name: &str) -> Option<&'a Map<String, Value>> {
        self.get(name).and_then(Value::as_object)
    }
}

fn mistyped(name: &str, wanted: &str, found: &Value) -> ApiError {
    ApiError::new(
        "ValidationException",
        format!("The parameter {name} must be {wanted}, not {found}."),
    )
}

/// One page of a listing: `token` is the position to go on from, `limit` the page's size.
pub(crate) fn page<T>(
    items: Vec<T>,
    token: Option<&str>,
    limit: usize,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let start = match token {
        None => 0,
        Some(token) => token
            .parse::<usize>()
            .map_err(|_| ApiError::new("InvalidNextTokenException", "The token is not valid."))?,
    };
    let total = items.len();
    let next = start.saturating_add(limit.max(1));
    let items = items.into_iter().skip(start).take(limit.max(1)).collect();
    Ok((items, (next < total).then(|| next.to_string())))
}

/// Tags in template shape as a list of `Key`/`Value` pairs, empty when there are none.
pub(crate) fn tags(properties: &Map<String, Value>) -> Value {
    properties
        .get("Tags")
        .cloned()
        .unwrap_or_else(|| Value::Array(Vec::new()))
}
