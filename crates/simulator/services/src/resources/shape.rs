//! Allow lists: a resource type's properties, their types, and which are immutable.

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

/// The type of a property's value.
#[derive(Debug)]
pub(crate) enum Shape {
    Text,
    /// A string enum.
    Choice(&'static [&'static str]),
    Integer,
    Number,
    Flag,
    /// A JSON document such as a policy: an object, or its text.
    Document,
    /// An event pattern, kept as its text: a fleet has thousands of copies, and a text is copied and
    /// compared in no time.
    Pattern,
    List(&'static Shape),
    Object(&'static [Property]),
    /// A map of strings with arbitrary keys.
    Texts,
}

#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: &'static str,
    shape: Shape,
    required: bool,
    /// A change requires replacement.
    pub(crate) fixed: bool,
}

/// `Tags`, as most types have them.
pub(crate) const TAGS: Property = Property::new("Tags", Shape::List(&TAG));

const TAG: Shape = Shape::Object(&[
    Property::new("Key", Shape::Text).required(),
    Property::new("Value", Shape::Text).required(),
]);

impl Property {
    pub(crate) const fn new(name: &'static str, shape: Shape) -> Property {
        Property {
            name,
            shape,
            required: false,
            fixed: false,
        }
    }

    pub(crate) const fn required(mut self) -> Property {
        self.required = true;
        self
    }

    pub(crate) const fn fixed(mut self) -> Property {
        self.fixed = true;
        self
    }
}

/// Checks an object against an allow list and converts its scalars to the declared types. The error
/// has CloudFormation's wording and follows `Properties validation failed for resource X with
/// message:`.
pub(crate) fn object(
    allowed: &[Property],
    value: &Value,
    at: &str,
) -> Result<Map<String, Value>, String> {
    let empty = Map::new();
    let given = match value {
        Value::Object(given) => given,
        Value::Null => &empty,
        other => return Err(mismatch(at, "JSONObject", other)),
    };
    if let Some(unknown) = given
        .keys()
        .find(|key| !allowed.iter().any(|property| property.name == key.as_str()))
    {
        return Err(format!(
            "#{at}: extraneous key [{unknown}] is not permitted"
        ));
    }
    let mut checked = Map::new();
    for property in allowed {
        match given.get(property.name).filter(|value| !value.is_null()) {
            Some(value) => {
                let at = format!("{at}/{}", property.name);
                let value = check(&property.shape, value, &at)?;
                checked.insert(property.name.to_owned(), value);
            }
            None if property.required => {
                return Err(format!("#{at}: required key [{}] not found", property.name));
            }
            None => {}
        }
    }
    Ok(checked)
}

fn check(shape: &Shape, value: &Value, at: &str) -> Result<Value, String> {
    match (shape, value) {
        (Shape::Text, Value::String(_)) => Ok(value.clone()),
        (Shape::Text, Value::Number(number)) => Ok(Value::String(number.to_string())),
        (Shape::Text, Value::Bool(flag)) => Ok(Value::String(flag.to_string())),
        (Shape::Text, other) => Err(mismatch(at, "String", other)),
        (Shape::Choice(words), Value::String(text)) => {
            if words.contains(&text.as_str()) {
                Ok(value.clone())
            } else {
                Err(format!(
                    "#{at}: {text} is not a valid enum value; it must be one of {}",
                    words.join(", ")
                ))
            }
        }
        (Shape::Choice(_), other) => Err(mismatch(at, "String", other)),
        (Shape::Integer, Value::Number(number)) if number.is_i64() => Ok(value.clone()),
        (Shape::Integer, Value::String(text)) => match text.parse::<i64>() {
            Ok(number) => Ok(Value::from(number)),
            Err(_) => Err(mismatch(at, "Integer", value)),
        },
        (Shape::Integer, other) => Err(mismatch(at, "Integer", other)),
        (Shape::Number, Value::Number(_)) => Ok(value.clone()),
        (Shape::Number, Value::String(text)) => match serde_json::from_str::<Value>(text) {
            Ok(number @ Value::Number(_)) => Ok(number),
            _ => Err(mismatch(at, "Number", value)),
        },
        (Shape::Number, other) => Err(mismatch(at, "Number", other)),
        (Shape::Flag, Value::Bool(_)) => Ok(value.clone()),
        (Shape::Flag, Value::String(text)) if text == "true" || text == "false" => {
            Ok(Value::Bool(text == "true"))
        }
        (Shape::Flag, other) => Err(mismatch(at, "Boolean", other)),
        (Shape::Document, Value::Object(_)) => Ok(value.clone()),
        (Shape::Document, Value::String(text)) => match serde_json::from_str::<Value>(text) {
            Ok(document @ Value::Object(_)) => Ok(document),
            _ => Err(mismatch(at, "JSONObject", value)),
        },
        (Shape::Pattern, Value::Object(_)) => Ok(Value::String(value.to_string())),
        (Shape::Pattern, Value::String(text)) if is_object(text) => Ok(value.clone()),
        (Shape::Document | Shape::Pattern, other) => Err(mismatch(at, "JSONObject", other)),
        (Shape::List(items), Value::Array(list)) => list
            .iter()
            .enumerate()
            .map(|(index, item)| check(items, item, &format!("{at}/{index}")))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        (Shape::List(_), other) => Err(mismatch(at, "JSONArray", other)),
        (Shape::Object(allowed), _) => object(allowed, value, at).map(Value::Object),
        (Shape::Texts, Value::Object(map)) => map
            .iter()
            .map(|(key, value)| {
                Ok((
                    key.clone(),
                    check(&Shape::Text, value, &format!("{at}/{key}"))?,
                ))
            })
            .collect::<Result<Map<_, _>, String>>()
            .map(Value::Object),
        (Shape::Texts, other) => Err(mismatch(at, "JSONObject", other)),
    }
}

fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn mismatch(at: &str, expected: &str, found: &Value) -> String {
    let found = match found {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(_) => "Number",
        Value::String(_) => "String",
        Value::Array(_) => "JSONArray",
        Value::Object(_) => "JSONObject",
    };
    format!("#{at}: expected type: {expected}, found: {found}")
}
