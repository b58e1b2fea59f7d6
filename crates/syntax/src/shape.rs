//! The fields of a file format as data. Readers use the names, the formatter the order, and editors
//! the JSON Schema made from them.

use serde_json::{Map, Value, json};

/// A mapping and its known fields.
#[derive(Debug)]
pub struct Shape {
    /// In the order in which the formatter prints them.
    pub fields: &'static [Field],
    /// At least one of these fields must be present; empty for no such requirement.
    pub any_of: &'static [&'static str],
    /// Exactly one of these fields must be present; empty for no such requirement.
    pub one_of: &'static [&'static str],
}

/// One field of a [`Shape`].
#[derive(Debug)]
pub struct Field {
    /// The key as written in the file.
    pub name: &'static str,
    /// A missing required field is an error.
    pub is_required: bool,
    /// One or two sentences; editors show them.
    pub about: &'static str,
    /// Which values are valid.
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

/// The valid values of a field.
#[derive(Debug)]
pub enum FieldType {
    /// Exactly this number.
    Exactly(u64),
    /// A whole number in a range, inclusive.
    Number(u64, u64),
    /// `true` or `false`.
    Boolean,
    /// Non-empty text of at most this many characters.
    Text(usize),
    /// Text that matches this regular expression.
    Pattern(&'static str),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A value of one of two types.
    Either(&'static FieldType, &'static FieldType),
    /// A list with this minimum number of items.
    List(usize, &'static FieldType),
    /// A mapping of known fields.
    Mapping(&'static Shape),
    /// A non-empty mapping with arbitrary keys and values of this type.
    Each(&'static FieldType),
    /// A mapping with arbitrary content.
    Object,
    /// A reference to the schema definition of this name.
    Defined(&'static str),
}

impl Shape {
    /// A mapping without `any_of` and `one_of` requirements.
    pub const fn of(fields: &'static [Field]) -> Self {
        Self {
            fields,
            any_of: &[],
            one_of: &[],
        }
    }

    /// The keys, in display order.
    pub fn names(&self) -> Vec<&'static str> {
        self.fields.iter().map(|field| field.name).collect()
    }

    /// The nested mapping at a path of keys; `[]` steps into a list's items.
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

    /// The shape as JSON Schema (draft 7, which editors support), with definitions for
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
                // Draft 7 ignores everything next to a `$ref`.
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
            Self::Either(one, other) => json!({"anyOf": [one.schema(), other.schema()]}),
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
