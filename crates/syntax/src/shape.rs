//! The fields of a file format, as data: readers take their names from it, formatting takes their
//! order, and editors a JSON Schema.

use serde_json::{Map, Value, json};

/// A mapping of a file format.
#[derive(Debug)]
pub struct Shape {
    /// The fields in the order in which they are best read.
    pub fields: &'static [Field],
    /// Fields of which there must be at least one; empty if there is no such rule.
    pub any_of: &'static [&'static str],
    /// Fields of which there must be exactly one; empty if there is no such rule.
    pub one_of: &'static [&'static str],
}

/// A field of a mapping.
#[derive(Debug)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// Whether it is required.
    pub is_required: bool,
    /// A description in one or two sentences.
    pub about: &'static str,
    /// What its value may be.
    pub field_type: FieldType,
}

impl Field {
    /// A required field.
    #[must_use]
    pub const fn required(name: &'static str, about: &'static str, field_type: FieldType) -> Self {
        Self {
            name,
            is_required: true,
            about,
            field_type,
        }
    }

    /// An optional field.
    #[must_use]
    pub const fn optional(name: &'static str, about: &'static str, field_type: FieldType) -> Self {
        Self {
            is_required: false,
            ..Self::required(name, about, field_type)
        }
    }
}

/// What a value may be.
#[derive(Debug)]
pub enum FieldType {
    /// This number only.
    Exactly(u64),
    /// A whole number in a range, inclusive.
    Number(u64, u64),
    /// `true` or `false`.
    Boolean,
    /// Text that isn't empty, of at most so many characters.
    Text(usize),
    /// Text that a regular expression describes.
    Pattern(&'static str),
    /// One of some words.
    Word(&'static [&'static str]),
    /// A list of at least so many items.
    List(usize, &'static FieldType),
    /// A mapping of known fields.
    Mapping(&'static Shape),
    /// A mapping of any keys, each with such a value, at least one.
    Each(&'static FieldType),
    /// A mapping of anything.
    Object,
    /// What the schema's definition of that name says.
    Defined(&'static str),
}

impl Shape {
    /// A mapping without rules about several fields at once.
    pub const fn of(fields: &'static [Field]) -> Self {
        Self {
            fields,
            any_of: &[],
            one_of: &[],
        }
    }

    /// The keys in their order.
    pub fn names(&self) -> Vec<&'static str> {
        self.fields.iter().map(|field| field.name).collect()
    }

    /// The mapping to which keys lead from this one, `[]` for a list's items.
    pub fn at(&'static self, path: &[&str]) -> Option<&'static Self> {
        let Some((first, rest)) = path.split_first() else {
            return Some(self);
        };
        let field = self.fields.iter().find(|field| field.name == *first)?;
        let mut kind = &field.field_type;
        let mut rest = rest;
        loop {
            match (kind, rest.split_first()) {
                (FieldType::List(_, item), Some((&"[]", below))) => {
                    kind = item;
                    rest = below;
                }
                (FieldType::Mapping(shape), _) => return shape.at(rest),
                _ => return None,
            }
        }
    }

    /// The shape as JSON Schema (draft 7, which editors know), with definitions for
    /// [`FieldType::Defined`].
    ///
    /// ```
    /// use syntax::{Field, FieldType, Shape};
    ///
    /// static FIELDS: [Field; 1] = [Field {
    ///     name: "enabled", is_required: true, about: "Whether it is on.", field_type: FieldType::Boolean,
    /// }];
    /// static SHAPE: Shape = Shape::of(&FIELDS);
    /// let schema = SHAPE.schema("A switch", serde_json::json!({}));
    /// assert_eq!(schema["properties"]["enabled"]["type"], "boolean");
    /// assert_eq!(schema["required"], serde_json::json!(["enabled"]));
    /// ```
    pub fn schema(&self, title: &str, definitions: Value) -> Value {
        let mut schema = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": title,
        });
        if let (Value::Object(schema), Value::Object(below)) = (&mut schema, self.mapping()) {
            schema.extend(below);
            if definitions.as_object().is_some_and(|it| !it.is_empty()) {
                schema.insert("definitions".to_owned(), definitions);
            }
        }
        schema
    }

    fn mapping(&self) -> Value {
        let mut properties = Map::new();
        for field in self.fields {
            let mut property = Map::new();
            property.insert("description".to_owned(), json!(field.about));
            match field.field_type.schema() {
                // Beside `$ref` nothing else counts in draft 7.
                Value::Object(below) if below.contains_key("$ref") => {
                    property.insert("allOf".to_owned(), json!([below]));
                }
                Value::Object(below) => property.extend(below),
                _ => {}
            }
            properties.insert(field.name.to_owned(), Value::Object(property));
        }
        let required: Vec<_> = self
            .fields
            .iter()
            .filter(|field| field.is_required)
            .map(|field| field.name)
            .collect();
        let mut schema = json!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        });
        if let Value::Object(schema) = &mut schema {
            let each = |names: &[&str]| -> Value {
                names
                    .iter()
                    .map(|name| json!({"required": [name]}))
                    .collect()
            };
            let rules = [
                ("required", json!(required)),
                ("anyOf", each(self.any_of)),
                ("oneOf", each(self.one_of)),
            ];
            for (name, rule) in rules {
                if rule.as_array().is_some_and(|it| !it.is_empty()) {
                    schema.insert(name.to_owned(), rule);
                }
            }
        }
        schema
    }
}

impl FieldType {
    fn schema(&self) -> Value {
        match self {
            Self::Exactly(number) => json!({"const": number}),
            Self::Number(least, most) => {
                json!({"type": "integer", "minimum": least, "maximum": most})
            }
            Self::Boolean => json!({"type": "boolean"}),
            Self::Text(most) => {
                json!({"type": "string", "pattern": "\\S", "maxLength": most})
            }
            Self::Pattern(pattern) => json!({"type": "string", "pattern": pattern}),
            Self::Word(words) => json!({"enum": words}),
            Self::List(least, item) => {
                json!({"type": "array", "minItems": least, "items": item.schema()})
            }
            Self::Mapping(shape) => shape.mapping(),
            Self::Each(kind) => {
                json!({"type": "object", "minProperties": 1, "additionalProperties": kind.schema()})
            }
            Self::Object => json!({"type": "object"}),
            Self::Defined(name) => json!({"$ref": format!("#/definitions/{name}")}),
        }
    }
}
