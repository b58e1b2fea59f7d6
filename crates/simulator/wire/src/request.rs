//! Deserializes an action's parameters into a structure.
//!
//! Query protocols send every scalar as text, JSON protocols send typed values; both deserialize
//! alike. Structures reject unknown fields: ignoring one would make a deployment appear to work.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use super::api::ApiError;

/// Deserializes an action's parameters. `T` must have `#[serde(deny_unknown_fields)]`. A field that
/// is neither an `Option` nor has a default is required, and must not be an empty string.
pub fn decode<T: DeserializeOwned>(parameters: &Value) -> Result<T, ApiError> {
    T::deserialize(Parameter::new("", parameters)).map_err(|error| match error {
        RequestError::Refused(error) => error,
        RequestError::Choice { text, allowed } => ApiError::validation(format!(
            "The parameter {text} is none of [{}].",
            allowed.join(", ")
        )),
    })
}

/// The error for a missing required parameter.
pub fn missing(name: &str) -> ApiError {
    ApiError::validation(format!(
        "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member \
         must not be null"
    ))
}

/// A scalar as text, the same for Query and JSON requests; `None` for other values.
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[derive(Debug)]
enum RequestError {
    Refused(ApiError),
    /// An invalid enum value, before the parameter's name is known.
    Choice {
        text: String,
        allowed: &'static [&'static str],
    },
}

impl RequestError {
    fn of(self, name: &str) -> RequestError {
        match self {
            RequestError::Choice { text, allowed } => {
                RequestError::Refused(ApiError::validation(format!(
                    "1 validation error detected: Value '{text}' at '{name}' failed to satisfy constraint: \
                     Member must satisfy enum value set: [{}]",
                    allowed.join(", ")
                )))
            }
            refused @ RequestError::Refused(_) => refused,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Refused(error) => formatter.write_str(&error.message),
            RequestError::Choice { text, .. } => write!(formatter, "{text} is not allowed"),
        }
    }
}

impl std::error::Error for RequestError {}

impl de::Error for RequestError {
    fn custom<T: fmt::Display>(message: T) -> RequestError {
        RequestError::Refused(ApiError::validation(message.to_string()))
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> RequestError {
        RequestError::custom(format!(
            "The simulator does not support the parameter {field} here."
        ))
    }

    fn missing_field(field: &'static str) -> RequestError {
        RequestError::Refused(missing(field))
    }

    fn unknown_variant(variant: &str, allowed: &'static [&'static str]) -> RequestError {
        RequestError::Choice {
            text: variant.to_owned(),
            allowed,
        }
    }
}

/// Deserializes one parameter.
#[derive(Clone, Copy)]
struct Parameter<'de> {
    name: &'de str,
    value: &'de Value,
    /// Whether an empty string is allowed.
    optional: bool,
}

impl<'de> Parameter<'de> {
    fn new(name: &'de str, value: &'de Value) -> Parameter<'de> {
        Parameter {
            name,
            value,
            optional: false,
        }
    }

    fn optional(self) -> Parameter<'de> {
        Parameter {
            optional: true,
            ..self
        }
    }

    fn mistyped(self, wanted: &str) -> RequestError {
        let Parameter { name, value, .. } = self;
        de::Error::custom(format!(
            "The parameter {name} must be {wanted}, not {value}."
        ))
    }

    fn text(self) -> Result<&'de str, RequestError> {
        match self.value {
            Value::String(text) if text.is_empty() && !self.optional => {
                Err(RequestError::Refused(missing(self.name)))
            }
            Value::String(text) => Ok(text),
            _ => Err(self.mistyped("a text")),
        }
    }

    fn scalar<T: std::str::FromStr>(self, wanted: &str) -> Result<T, RequestError> {
        scalar(self.value)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| self.mistyped(wanted))
    }

    /// The fields of a structure or map. Query sends an empty one as a key without a value.
    fn fields(self) -> Result<Fields<'de>, RequestError> {
        match self.value {
            Value::Object(fields) => Ok(Fields::new(Some(fields))),
            Value::Null => Ok(Fields::new(None)),
            Value::String(text) if text.is_empty() => Ok(Fields::new(None)),
            _ => Err(de::Error::custom("A structure was expected.")),
        }
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $number:ty;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RequestError> {
            visitor.$visit(self.scalar::<$number>("a whole number")?)
        }
    )+};
}

impl<'de> de::Deserializer<'de> for Parameter<'de> {
    type Error = RequestError;

    /// Free-form documents are passed through unchanged.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RequestError> {
        de::Deserializer::deserialize_any(self.value, visitor).map_err(de::Error::custom)
    }

    whole_numbers! {
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RequestError> {
        visitor.visit_f64(self.scalar("a number")?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RequestError> {
        visitor.visit_bool(self.scalar("a boolean")?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RequestError> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RequestError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RequestError> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self.optional()),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, RequestError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RequestError> {
        let items = match self.value {
            Value::Array(items) => items.as_slice(),
            // Query sends an empty list as a key without a value.
            Value::String(text) if text.is_empty() => &[],
            _ => return Err(self.mistyped("a list")),
        };
        visitor.visit_seq(Items {
            name: self.name,
            items: items.iter(),
        })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RequestError> {
        visitor.visit_map(self.fields()?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, RequestError> {
        visitor.visit_map(self.fields()?)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, RequestError> {
        let word: StrDeserializer<'de, RequestError> = self.text()?.into_deserializer();
        visitor.visit_enum(word)
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier ignored_any
    }
}

/// The fields that were sent; null counts as absent.
struct Fields<'de> {
    fields: Option<serde_json::map::Iter<'de>>,
    next: Option<(&'de str, &'de Value)>,
}

impl<'de> Fields<'de> {
    fn new(fields: Option<&'de Map<String, Value>>) -> Fields<'de> {
        Fields {
            fields: fields.map(Map::iter),
            next: None,
        }
    }
}

impl<'de> de::MapAccess<'de> for Fields<'de> {
    type Error = RequestError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, RequestError> {
        let mut fields = self.fields.iter_mut().flatten();
        let Some((name, value)) = fields.find(|(_, value)| !value.is_null()) else {
            return Ok(None);
        };
        self.next = Some((name, value));
        let name: StrDeserializer<'de, RequestError> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, RequestError> {
        let (name, value) = self
            .next
            .take()
            .ok_or_else(|| <RequestError as de::Error>::custom("A value without a name."))?;
        seed.deserialize(Parameter::new(name, value))
            .map_err(|error| error.of(name))
    }
}

struct Items<'de> {
    name: &'de str,
    items: std::slice::Iter<'de, Value>,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = RequestError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, RequestError> {
        self.items
            .next()
            .map(|item| seed.deserialize(Parameter::new(self.name, item).optional()))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, rename_all = "PascalCase")]
    struct Sample {
        name: String,
        count: Option<u32>,
        flag: Option<bool>,
        #[serde(default)]
        list: Vec<String>,
        #[serde(default)]
        map: BTreeMap<String, String>,
        word: Option<Word>,
        document: Option<Value>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "UPPERCASE")]
    enum Word {
        One,
        Two,
    }

    fn refusal(parameters: &Value) -> String {
        decode::<Sample>(parameters).unwrap_err().message
    }

    #[test]
    fn reads_query_texts_and_json_values_alike() {
        let query = json!({
            "Name": "n", "Count": "3", "Flag": "true", "List": "", "Map": "", "Word": "TWO",
        });
        let json = json!({
            "Name": "n", "Count": 3, "Flag": true, "List": [], "Map": {}, "Word": "TWO",
            "Document": null,
        });
        let query: Sample = decode(&query).unwrap();
        assert_eq!(query, decode(&json).unwrap());
        assert_eq!((query.count, query.flag), (Some(3), Some(true)));
    }

    #[test]
    fn a_document_stays_as_it_was_sent() {
        let document = json!({"a": [1, "2", null]});
        let read: Sample = decode(&json!({"Name": "n", "Document": document})).unwrap();
        assert_eq!(read.document, Some(document));
    }

    #[test]
    fn refuses_what_it_does_not_know_in_aws_words() {
        let unknown = refusal(&json!({"Name": "n", "Surprise": "b"}));
        assert_eq!(
            unknown,
            "The simulator does not support the parameter Surprise here."
        );
        let missing = "1 validation error detected: Value null at 'Name' failed to satisfy \
                       constraint: Member must not be null";
        assert_eq!(refusal(&json!({})), missing);
        assert_eq!(refusal(&json!({"Name": ""})), missing);
        assert_eq!(refusal(&Value::Null), missing);
        let word = refusal(&json!({"Name": "n", "Word": "THREE"}));
        assert!(
            word.ends_with("at 'Word' failed to satisfy constraint: Member must satisfy enum value set: [ONE, TWO]"),
            "{word}"
        );
        let count = refusal(&json!({"Name": "n", "Count": "many"}));
        assert_eq!(
            count,
            "The parameter Count must be a whole number, not \"many\"."
        );
    }
}
