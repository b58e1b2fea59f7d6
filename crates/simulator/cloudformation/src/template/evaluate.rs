//! Evaluates a template's functions for one stack.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::template::Template;
use crate::template::parameter::referred;
use crate::template::references::{SubPart, attribute, sub_parts};
use crate::wire::scalar;

/// Maximum depth of references between conditions. Cycles are refused earlier.
const CONDITION_DEPTH: usize = 64;

/// Most bytes that the functions of a template may produce during an operation. Nested functions can
/// multiply a text at each level; real templates, of at most 1 MB, stay far below.
const MAX_PRODUCED: usize = 16 * 1024 * 1024;

/// What functions can refer to during a stack operation.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) template: &'a Template,
    pub(crate) parameters: &'a BTreeMap<String, String>,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) stack_name: &'a str,
    pub(crate) stack_id: &'a str,
    /// Existing resources: physical id and attributes.
    pub(crate) made: BTreeMap<String, (String, BTreeMap<String, Value>)>,
    /// Exports of the account and Region: value by name.
    pub(crate) exports: &'a BTreeMap<String, String>,
    /// Names of the exports used so far.
    pub(crate) imported: std::cell::RefCell<Vec<String>>,
    /// Bytes that functions have produced so far.
    pub(crate) produced: std::cell::Cell<usize>,
}

impl Scope<'_> {
    /// Resolves all functions in a value; `None` is `AWS::NoValue`.
    pub(crate) fn resolve(&self, value: &Value) -> Result<Option<Value>, String> {
        match value {
            Value::Object(fields) => {
                let mut entries = fields.iter();
                if let (Some((name, argument)), None) = (entries.next(), entries.next())
                    && (name == "Ref" || name.starts_with("Fn::"))
                {
                    return self.function(name, argument);
                }
                let mut resolved = Map::new();
                for (key, value) in fields {
                    if let Some(value) = self.resolve(value)? {
                        resolved.insert(key.clone(), value);
                    }
                }
                Ok(Some(Value::Object(resolved)))
            }
            Value::Array(items) => {
                let mut resolved = Vec::with_capacity(items.len());
                for item in items {
                    resolved.extend(self.resolve(item)?);
                }
                Ok(Some(Value::Array(resolved)))
            }
            other => Ok(Some(other.clone())),
        }
    }

    fn function(&self, name: &str, argument: &Value) -> Result<Option<Value>, String> {
        let produced = self.call(name, argument)?;
        self.count(produced.as_ref().map_or(0, size))?;
        Ok(produced)
    }

    /// Counts what a function produces; an error ends the operation.
    fn count(&self, bytes: usize) -> Result<(), String> {
        let produced = self.produced.get().saturating_add(bytes);
        self.produced.set(produced);
        if produced > MAX_PRODUCED {
            return Err(format!(
                "Template error: the template's functions produce more than {MAX_PRODUCED} bytes"
            ));
        }
        Ok(())
    }

    fn call(&self, name: &str, argument: &Value) -> Result<Option<Value>, String> {
        match name {
            "Ref" => self.reference(argument.as_str().unwrap_or_default()),
            "Fn::GetAtt" => {
                let (resource, attribute) =
                    attribute(argument).ok_or("Template error: malformed Fn::GetAtt")?;
                let attribute = self.text(attribute, "Fn::GetAtt")?;
                self.attribute(resource, &attribute).map(Some)
            }
            "Fn::Sub" => self.sub(argument).map(|text| Some(Value::String(text))),
            "Fn::Join" => self.join(argument).map(Some),
            "Fn::Select" => self.select(argument).map(Some),
            "Fn::Split" => self.split(argument).map(Some),
            "Fn::FindInMap" => self.find_in_map(argument).map(Some),
            "Fn::Base64" => Ok(Some(Value::String(
                STANDARD.encode(self.text(argument, name)?),
            ))),
            "Fn::GetAZs" => {
                let region = match self.text(argument, name)? {
                    region if region.is_empty() => self.region.to_owned(),
                    region => region,
                };
                Ok(Some(Value::from(
                    ["a", "b", "c"]
                        .map(|zone| format!("{region}{zone}"))
                        .to_vec(),
                )))
            }
            "Fn::ImportValue" => {
                let export = self.text(argument, name)?;
                let value = self.exports.get(&export).cloned().map(Value::String);
                self.imported.borrow_mut().push(export.clone());
                value
                    .map(Some)
                    .ok_or_else(|| format!("No export named {export} found."))
            }
            "Fn::If" => {
                let [condition, then, otherwise] = arguments(argument, name)?;
                let condition = condition.as_str().unwrap_or_default();
                self.resolve(if self.condition(condition)? {
                    then
                } else {
                    otherwise
                })
            }
            "Fn::And" | "Fn::Or" | "Fn::Not" | "Fn::Equals" => Err(format!(
                "Template error: {name} can only be used in Conditions"
            )),
            _ => Err(format!(
                "Template error: the function {name} is not supported"
            )),
        }
    }

    fn join(&self, argument: &Value) -> Result<Value, String> {
        let name = "Fn::Join";
        let [separator, items] = arguments(argument, name)?;
        let separator = separator
            .as_str()
            .ok_or("Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.")?;
        let texts = self
            .items(items, name)?
            .iter()
            .map(|item| {
                scalar(item).ok_or_else(|| format!("Template error: {name} can only join strings"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        // Before the text is made.
        self.count(texts.len().saturating_mul(separator.len()))?;
        Ok(Value::String(texts.join(separator)))
    }

    fn select(&self, argument: &Value) -> Result<Value, String> {
        let name = "Fn::Select";
        let [index, items] = arguments(argument, name)?;
        let index = self.text(index, name)?;
        let items = self.items(items, name)?;
        let position = index.parse::<usize>().ok();
        let chosen = position.and_then(|position| items.get(position));
        chosen.cloned().ok_or_else(|| {
            format!("Template error: {name} cannot select nonexistent value at index {index}")
        })
    }

    fn split(&self, argument: &Value) -> Result<Value, String> {
        let name = "Fn::Split";
        let [separator, text] = arguments(argument, name)?;
        let (separator, text) = (self.text(separator, name)?, self.text(text, name)?);
        if separator.is_empty() {
            return Err(format!(
                "Template error: every {name} object requires a delimiter that is not empty"
            ));
        }
        // Before the list is made, as with long texts.
        let parts = text.matches(separator.as_str()).count();
        self.count(parts.saturating_mul(size_of::<Value>()))?;
        let parts = text.split(separator.as_str()).map(str::to_owned);
        Ok(Value::from(parts.collect::<Vec<_>>()))
    }

    fn find_in_map(&self, argument: &Value) -> Result<Value, String> {
        let name = "Fn::FindInMap";
        let [map, first, second] = arguments(argument, name)?;
        let (map, first, second) = (
            self.text(map, name)?,
            self.text(first, name)?,
            self.text(second, name)?,
        );
        let value = self
            .template
            .entry("Mappings", &map)
            .and_then(|map| map.get(&first))
            .and_then(|entry| entry.get(&second));
        value.cloned().ok_or_else(|| {
            format!("Template error: Unable to get mapping for {map}::{first}::{second}")
        })
    }

    fn reference(&self, name: &str) -> Result<Option<Value>, String> {
        let text = match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::AccountId" => self.account,
            "AWS::Region" => self.region,
            "AWS::Partition" => "aws",
            "AWS::URLSuffix" => "amazonaws.com",
            "AWS::StackName" => self.stack_name,
            "AWS::StackId" => self.stack_id,
            "AWS::NotificationARNs" => return Ok(Some(Value::Array(Vec::new()))),
            name => {
                if let (Some(parameter), Some(value)) = (
                    self.template.parameters.get(name),
                    self.parameters.get(name),
                ) {
                    return Ok(Some(referred(parameter, value)));
                }
                return match self.made.get(name) {
                    Some((physical_id, _)) => Ok(Some(Value::String(physical_id.clone()))),
                    None => Err(unresolved(name)),
                };
            }
        };
        Ok(Some(Value::String(text.to_owned())))
    }

    fn attribute(&self, resource: &str, attribute: &str) -> Result<Value, String> {
        let (_, attributes) = self
            .made
            .get(resource)
            .ok_or_else(|| unresolved(resource))?;
        attributes.get(attribute).cloned().ok_or_else(|| {
            format!(
                "Template error: resource {resource} does not support attribute type {attribute} in Fn::GetAtt"
            )
        })
    }

    fn sub(&self, argument: &Value) -> Result<String, String> {
        let (text, variables) = match argument {
            Value::String(text) => (text.as_str(), None),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(text), Value::Object(variables)] => (text.as_str(), Some(variables)),
                _ => return Err("Template error: malformed Fn::Sub".to_owned()),
            },
            _ => return Err("Template error: malformed Fn::Sub".to_owned()),
        };
        let mut out = String::with_capacity(text.len());
        for part in sub_parts(text)? {
            match part {
                SubPart::Text(text) => out.push_str(text),
                SubPart::Literal(name) => {
                    out.push_str("${");
                    out.push_str(name);
                    out.push('}');
                }
                SubPart::Variable(name) => {
                    let value = match variables.and_then(|variables| variables.get(name)) {
                        Some(value) => self.resolve(value)?,
                        None => match name.split_once('.') {
                            Some((resource, attribute)) => {
                                Some(self.attribute(resource, attribute)?)
                            }
                            None => self.reference(name)?,
                        },
                    };
                    let value = value.as_ref().and_then(scalar);
                    let value = value.ok_or_else(|| {
                        format!("Template error: Fn::Sub expression does not resolve to a string: {name}")
                    })?;
                    self.count(value.len())?;
                    out.push_str(&value);
                }
            }
        }
        Ok(out)
    }

    /// Evaluates a condition.
    pub(crate) fn condition(&self, name: &str) -> Result<bool, String> {
        self.named(name, 0)
    }

    fn named(&self, name: &str, depth: usize) -> Result<bool, String> {
        let definition = self.template.entry("Conditions", name).ok_or_else(|| {
            format!("Template format error: Unresolved condition dependency {name} in the Resources block of the template")
        })?;
        self.test(definition, depth)
    }

    fn test(&self, value: &Value, depth: usize) -> Result<bool, String> {
        if depth > CONDITION_DEPTH {
            return Err("Template error: conditions are nested too deeply".to_owned());
        }
        let mut entries = value.as_object().into_iter().flatten();
        let (Some((name, argument)), None) = (entries.next(), entries.next()) else {
            return Err("Template error: a condition must be one function".to_owned());
        };
        if name == "Condition" {
            return self.named(argument.as_str().unwrap_or_default(), depth + 1);
        }
        let parts = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        let fits = match name.as_str() {
            "Fn::And" | "Fn::Or" => (2..=10).contains(&parts.len()),
            "Fn::Not" => parts.len() == 1,
            "Fn::Equals" => parts.len() == 2,
            _ => {
                return Err(format!(
                    "Template error: {name} is not a condition function"
                ));
            }
        };
        if !fits {
            return Err(format!(
                "Template error: {name} has the wrong number of parameters"
            ));
        }
        if name == "Fn::Equals" {
            let mut values = Vec::new();
            for part in parts {
                let value = self.resolve(part)?;
                values.push(value.map(|value| scalar(&value).map_or(value, Value::String)));
            }
            return Ok(values.first() == values.last());
        }
        let tests = parts
            .iter()
            .map(|part| self.test(part, depth + 1))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(match name.as_str() {
            "Fn::And" => tests.iter().all(|test| *test),
            "Fn::Or" => tests.iter().any(|test| *test),
            _ => !tests.iter().any(|test| *test),
        })
    }

    fn text(&self, value: &Value, function: &str) -> Result<String, String> {
        self.resolve(value)?
            .as_ref()
            .and_then(scalar)
            .ok_or_else(|| format!("Template error: {function} needs a text"))
    }

    fn items(&self, value: &Value, function: &str) -> Result<Vec<Value>, String> {
        match self.resolve(value)? {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(format!("Template error: {function} needs a list")),
        }
    }
}

fn arguments<'a, const N: usize>(
    argument: &'a Value,
    function: &str,
) -> Result<[&'a Value; N], String> {
    let parts: Vec<&Value> = argument.as_array().into_iter().flatten().collect();
    parts
        .try_into()
        .map_err(|_| format!("Template error: {function} needs a list of {N} parameters"))
}

/// The bytes of a value's texts, and some for every value.
fn size(value: &Value) -> usize {
    16 + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| key.len() + size(value))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn unresolved(name: &str) -> String {
    format!(
        "Template format error: Unresolved resource dependencies [{name}] in the Resources block of the template"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEMPLATE: &str = r#"{
        "Parameters": {"Env": {"Type": "String"}, "List": {"Type": "CommaDelimitedList"}},
        "Mappings": {"Sizes": {"prod": {"n": 3}, "111122223333": {"n": 1}}},
        "Conditions": {
            "IsProd": {"Fn::Equals": [{"Ref": "Env"}, "prod"]},
            "IsNot": {"Fn::Not": [{"Condition": "IsProd"}]},
            "Both": {"Fn::And": [{"Condition": "IsProd"}, {"Fn::Or": [{"Condition": "IsNot"}, {"Fn::Equals": ["1", 1]}]}]}
        },
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}
    }"#;

    fn resolve(value: &Value) -> Result<Option<Value>, String> {
        let template = Template::parse(TEMPLATE).unwrap();
        let parameters = BTreeMap::from([
            ("Env".to_owned(), "prod".to_owned()),
            ("List".to_owned(), "a, b".to_owned()),
        ]);
        let exports = BTreeMap::from([("shared".to_owned(), "value".to_owned())]);
        let scope = Scope {
            template: &template,
            parameters: &parameters,
            account: "012345678901",
            region: "eu-central-1",
            stack_name: "stack",
            stack_id: "arn:stack",
            made: BTreeMap::from([(
                "Topic".to_owned(),
                (
                    "arn:topic".to_owned(),
                    BTreeMap::from([("TopicName".to_owned(), json!("t"))]),
                ),
            )]),
            exports: &exports,
            imported: std::cell::RefCell::default(),
            produced: std::cell::Cell::default(),
        };
        scope.resolve(value)
    }

    #[test]
    fn functions_give_what_cloudformation_gives() {
        for (value, expected) in [
            (json!({"Ref": "Topic"}), json!("arn:topic")),
            (json!({"Ref": "AWS::AccountId"}), json!("012345678901")),
            (json!({"Ref": "List"}), json!(["a", "b"])),
            (json!({"Fn::GetAtt": ["Topic", "TopicName"]}), json!("t")),
            (
                json!({"Fn::Sub": "arn:${AWS::Partition}:x:${Topic.TopicName}:${!keep}:$5"}),
                json!("arn:aws:x:t:${keep}:$5"),
            ),
            (
                json!({"Fn::Sub": ["${A}-${Env}", {"A": {"Ref": "Topic"}}]}),
                json!("arn:topic-prod"),
            ),
            (
                json!({"Fn::Join": ["-", ["a", {"Ref": "Env"}, 1]]}),
                json!("a-prod-1"),
            ),
            (
                json!({"Fn::Select": [1, {"Fn::Split": ["/", "a/b/c"]}]}),
                json!("b"),
            ),
            (
                json!({"Fn::FindInMap": ["Sizes", {"Ref": "Env"}, "n"]}),
                json!(3),
            ),
            (json!({"Fn::Base64": "hi"}), json!("aGk=")),
            (json!({"Fn::ImportValue": "shared"}), json!("value")),
            (json!({"Fn::If": ["Both", "yes", "no"]}), json!("yes")),
            (
                json!({"a": {"Fn::If": ["IsNot", 1, {"Ref": "AWS::NoValue"}]}, "b": [{"Ref": "AWS::NoValue"}, 2]}),
                json!({"b": [2]}),
            ),
        ] {
            assert_eq!(resolve(&value).unwrap(), Some(expected), "{value}");
        }
    }

    #[test]
    fn nested_functions_cannot_multiply_a_text_without_end() {
        let mut value = json!("x".repeat(1000));
        for _ in 0..8 {
            value = json!({"Fn::Sub": ["${A}".repeat(10), {"A": value}]});
        }
        assert!(value.to_string().len() < 2_000);
        let error = resolve(&value).unwrap_err();
        assert!(error.contains("produce more than"), "{error}");
        let mut list = json!(["x", "x"]);
        for _ in 0..20 {
            list = json!({"Fn::Split": ["x", {"Fn::Join": ["x".repeat(50), list]}]});
        }
        let error = resolve(&list).unwrap_err();
        assert!(error.contains("produce more than"), "{error}");
    }

    #[test]
    fn failures_say_what_is_missing() {
        for (value, expected) in [
            (
                json!({"Fn::GetAtt": ["Topic", "Nope"]}),
                "does not support attribute type Nope",
            ),
            (
                json!({"Fn::ImportValue": "nope"}),
                "No export named nope found.",
            ),
            (
                json!({"Fn::FindInMap": ["Sizes", "dev", "n"]}),
                "Unable to get mapping for Sizes::dev::n",
            ),
            (
                json!({"Fn::Select": [7, ["a"]]}),
                "nonexistent value at index 7",
            ),
            (
                json!({"Ref": "Gone"}),
                "Unresolved resource dependencies [Gone]",
            ),
        ] {
            let error = resolve(&value).unwrap_err();
            assert!(error.contains(expected), "{value}: {error}");
        }
    }
}
