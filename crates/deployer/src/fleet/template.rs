//! Reads CloudFormation templates. A deployed template may be any text, even invalid JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Whether two templates are equal, ignoring key order and white space.
pub(crate) fn same_template(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    match (parse(one), parse(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

/// A template's sections; `None` unless the text is a JSON object.
pub(crate) fn parse(template: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(template).ok()
}

/// A template's resources by logical id.
pub(crate) fn resources(template: &str) -> BTreeMap<String, Value> {
    let resources = parse(template).and_then(|mut sections| sections.swap_remove("Resources"));
    match resources {
        Some(Value::Object(resources)) => resources.into_iter().collect(),
        _ => BTreeMap::new(),
    }
}

/// The rule a resource was compiled from, according to its metadata.
pub(crate) fn rule_of(resource: &Value) -> Option<&str> {
    resource.pointer("/Metadata/gizmos/rule")?.as_str()
}

/// A deployment's parameter values: those that were given and the template's defaults for the rest,
/// as CloudFormation lists both.
pub(crate) fn parameter_values(
    template: &str,
    given: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let declared = parse(template).and_then(|mut sections| sections.swap_remove("Parameters"));
    let mut values = BTreeMap::new();
    if let Some(Value::Object(declared)) = declared {
        for (name, parameter) in declared {
            let value = match parameter.get("Default") {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => continue,
            };
            values.insert(name, value);
        }
    }
    values.extend(given.clone());
    values
}
