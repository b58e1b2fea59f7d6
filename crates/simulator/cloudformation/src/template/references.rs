//! References in a template: their existence, and the resulting order of resources.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::parameter::Parameter;
use super::{Declaration, FUNCTIONS, PSEUDO, section};

/// Checks every reference and adds those between resources to `needs`.
pub(super) fn check(
    document: &Value,
    parameters: &BTreeMap<String, Parameter>,
    resources: &mut BTreeMap<String, Declaration>,
) -> Result<(), String> {
    let conditions: BTreeSet<&str> = section(document, "Conditions")?
        .map(|(name, _)| name.as_str())
        .collect();
    let names: BTreeSet<String> = resources.keys().cloned().collect();
    let known = |name: &str| parameters.contains_key(name) || PSEUDO.contains(&name);
    let unknown = |found: &Found| -> BTreeSet<String> {
        let refs = found.refs.iter().filter(|name| !known(name));
        let missing = refs.chain(&found.attributes);
        missing
            .filter(|name| !names.contains(*name))
            .cloned()
            .collect()
    };
    let mut used = BTreeMap::new();
    for (name, condition) in section(document, "Conditions")? {
        let mut found = Found::default();
        found.walk(condition)?;
        if let Some(name) = found.names().find(|name| !known(name)) {
            return Err(format!(
                "Template format error: Unresolved dependencies [{name}]. Cannot reference resources in the Conditions block of the template"
            ));
        }
        defined(&conditions, &found.conditions, "Conditions")?;
        used.insert(name.clone(), found.conditions);
    }
    if let Some(cycle) = cycle(&used) {
        return Err(format!(
            "Template format error: Circular dependency between conditions: [{}]",
            cycle.join(", ")
        ));
    }
    for (name, declaration) in resources.iter_mut() {
        let mut found = Found::default();
        found.walk(&declaration.properties)?;
        found.walk(&declaration.metadata)?;
        found.conditions.extend(declaration.condition.clone());
        defined(&conditions, &found.conditions, "Resources")?;
        let mut unresolved = unknown(&found);
        unresolved.extend(declaration.needs.difference(&names).cloned());
        resolved(&unresolved, "Resources")?;
        declaration
            .needs
            .extend(found.refs.into_iter().filter(|name| names.contains(name)));
        declaration.needs.extend(found.attributes);
        if declaration.needs.contains(name) {
            return Err(format!("Circular dependency between resources: [{name}]"));
        }
    }
    for (name, output) in section(document, "Outputs")? {
        let fields = output.as_object().ok_or_else(|| {
            format!("Template format error: [/Outputs/{name}] output definition is malformed")
        })?;
        if let Some(key) = fields
            .keys()
            .find(|key| !["Value", "Description", "Export", "Condition"].contains(&key.as_str()))
        {
            return Err(format!("Invalid template output property '{key}'"));
        }
        if !fields.contains_key("Value") {
            return Err(
                "Template format error: Every Outputs member must contain a Value object"
                    .to_owned(),
            );
        }
        let mut found = Found::default();
        for key in ["Value", "Export"] {
            found.walk(fields.get(key).unwrap_or(&Value::Null))?;
        }
        found.conditions.extend(
            fields
                .get("Condition")
                .and_then(Value::as_str)
                .map(str::to_owned),
        );
        defined(&conditions, &found.conditions, "Outputs")?;
        resolved(&unknown(&found), "Outputs")?;
    }
    Ok(())
}

fn defined(known: &BTreeSet<&str>, used: &BTreeSet<String>, block: &str) -> Result<(), String> {
    match used.iter().find(|name| !known.contains(name.as_str())) {
        None => Ok(()),
        Some(name) => Err(format!(
            "Template format error: Unresolved condition dependency {name} in the {block} block of the template"
        )),
    }
}

fn resolved(unresolved: &BTreeSet<String>, block: &str) -> Result<(), String> {
    if unresolved.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = unresolved.iter().map(String::as_str).collect();
    Err(format!(
        "Template format error: Unresolved resource dependencies [{}] in the {block} block of the template",
        names.join(", ")
    ))
}

/// The references in a value.
#[derive(Debug, Default)]
struct Found {
    refs: BTreeSet<String>,
    attributes: BTreeSet<String>,
    conditions: BTreeSet<String>,
}

impl Found {
    fn names(&self) -> impl Iterator<Item = &String> {
        self.refs.iter().chain(&self.attributes)
    }

    fn walk(&mut self, value: &Value) -> Result<(), String> {
        match value {
            Value::Object(fields) => {
                let function = fields
                    .keys()
                    .find(|key| *key == "Ref" || key.starts_with("Fn::"));
                match function {
                    Some(name) if fields.len() > 1 => Err(format!(
                        "Template error: an object with {name} must have no other members"
                    )),
                    Some(name) => self.function(name, fields.get(name).unwrap_or(&Value::Null)),
                    None => fields.values().try_for_each(|value| self.walk(value)),
                }
            }
            Value::Array(items) => items.iter().try_for_each(|item| self.walk(item)),
            Value::String(text) if text.contains("{{resolve:") => {
                Err("Template error: the simulator does not support dynamic references".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn function(&mut self, name: &str, argument: &Value) -> Result<(), String> {
        if name == "Ref" {
            let target = argument
                .as_str()
                .filter(|target| !target.is_empty())
                .ok_or(
                    "Template format error: [every Ref object must have a single String value.]",
                )?;
            self.refs.insert(target.to_owned());
            return Ok(());
        }
        if !FUNCTIONS.contains(&name) {
            return Err(format!(
                "Template error: the function {name} is not supported"
            ));
        }
        match (name, argument) {
            ("Fn::GetAtt", argument) => {
                let (resource, attribute) = attribute(argument).ok_or(
                    "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute",
                )?;
                self.attributes.insert(resource.to_owned());
                self.walk(attribute)
            }
            ("Fn::Sub", Value::String(text)) => self.sub(text, None),
            ("Fn::Sub", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(text), Value::Object(variables)] => {
                    variables.values().try_for_each(|value| self.walk(value))?;
                    self.sub(text, Some(variables))
                }
                _ => Err(SUB_SHAPE.to_owned()),
            },
            ("Fn::Sub", _) => Err(SUB_SHAPE.to_owned()),
            ("Fn::If", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(condition), then, otherwise] => {
                    self.conditions.insert(condition.clone());
                    self.walk(then)?;
                    self.walk(otherwise)
                }
                _ => Err(
                    "Template error: Fn::If requires a list argument with three members".to_owned(),
                ),
            },
            ("Fn::If", _) => {
                Err("Template error: Fn::If requires a list argument with three members".to_owned())
            }
            ("Fn::And" | "Fn::Or" | "Fn::Not", Value::Array(parts)) => {
                for part in parts {
                    match part.as_object().and_then(|fields| fields.get("Condition")) {
                        Some(Value::String(condition)) => {
                            self.conditions.insert(condition.clone());
                        }
                        _ => self.walk(part)?,
                    }
                }
                Ok(())
            }
            (_, argument) => self.walk(argument),
        }
    }

    fn sub(&mut self, text: &str, variables: Option<&Map<String, Value>>) -> Result<(), String> {
        for part in sub_parts(text)? {
            let SubPart::Variable(name) = part else {
                continue;
            };
            if variables.is_some_and(|variables| variables.contains_key(name)) {
                continue;
            }
            match name.split_once('.') {
                Some((resource, _)) => self.attributes.insert(resource.to_owned()),
                None => self.refs.insert(name.to_owned()),
            };
        }
        Ok(())
    }
}

const SUB_SHAPE: &str = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string";

/// A part of a `Fn::Sub` string.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SubPart<'a> {
    Text(&'a str),
    /// `${!Literal}`, without the exclamation mark.
    Literal(&'a str),
    Variable(&'a str),
}

/// Splits a `Fn::Sub` string into its parts.
pub(crate) fn sub_parts(text: &str) -> Result<Vec<SubPart<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        parts.push(SubPart::Text(before));
        let (inside, after) = after.split_once('}').ok_or(SUB_NAMES)?;
        if let Some(literal) = inside.strip_prefix('!') {
            parts.push(SubPart::Literal(literal));
        } else {
            let name = inside.trim();
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':');
            if name.is_empty() || !name.chars().all(fits) {
                return Err(SUB_NAMES.to_owned());
            }
            parts.push(SubPart::Variable(name));
        }
        rest = after;
    }
    parts.push(SubPart::Text(rest));
    Ok(parts)
}

const SUB_NAMES: &str = "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons";

/// Both forms of a `Fn::GetAtt` argument: logical id and attribute name.
pub(crate) fn attribute(argument: &Value) -> Option<(&str, &Value)> {
    match argument {
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(resource), attribute] => Some((resource, attribute)),
            _ => None,
        },
        _ => None,
    }
}

/// Logical ids, dependencies first, otherwise alphabetical.
pub(super) fn order(resources: &BTreeMap<String, Declaration>) -> Result<Vec<String>, String> {
    let needs: BTreeMap<String, BTreeSet<String>> = resources
        .iter()
        .map(|(name, declaration)| (name.clone(), declaration.needs.clone()))
        .collect();
    if let Some(cycle) = cycle(&needs) {
        return Err(format!(
            "Circular dependency between resources: [{}]",
            cycle.join(", ")
        ));
    }
    let mut done = BTreeSet::new();
    let mut order = Vec::with_capacity(needs.len());
    while order.len() < needs.len() {
        for (name, needs) in &needs {
            if !done.contains(name) && needs.iter().all(|need| done.contains(need)) {
                done.insert(name.clone());
                order.push(name.clone());
            }
        }
    }
    Ok(order)
}

/// The names in a cycle and their dependents; `None` if there is no cycle.
fn cycle(needs: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut left: BTreeSet<&String> = needs.keys().collect();
    loop {
        let free: Vec<&String> = left
            .iter()
            .copied()
            .filter(|name| {
                needs
                    .get(*name)
                    .is_none_or(|needs| !needs.iter().any(|need| left.contains(need)))
            })
            .collect();
        if free.is_empty() {
            break;
        }
        for name in free {
            left.remove(name);
        }
    }
    (!left.is_empty()).then(|| left.into_iter().cloned().collect())
}
