//! Template parameters: types, defaults, constraints.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::template::Template;
use crate::wire::scalar;

const KEYS: &[&str] = &[
    "Type",
    "Default",
    "AllowedPattern",
    "AllowedValues",
    "ConstraintDescription",
    "Description",
    "MaxLength",
    "MinLength",
    "MaxValue",
    "MinValue",
    "NoEcho",
];

/// One entry of `Parameters`.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) kind: String,
    pub(crate) default: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) no_echo: bool,
    pub(crate) allowed_values: Vec<String>,
    allowed_pattern: Option<String>,
    constraint: Option<String>,
    length: (Option<usize>, Option<usize>),
    value: (Option<f64>, Option<f64>),
}

impl Parameter {
    pub(crate) fn parse(name: &str, value: &Value) -> Result<Parameter, String> {
        let fields = value.as_object().ok_or_else(|| {
            format!("Template format error: [/Parameters/{name}] parameter definition is malformed")
        })?;
        if let Some(key) = fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(format!("Invalid template parameter property '{key}'"));
        }
        let text = |key: &str| fields.get(key).and_then(scalar);
        let kind = text("Type").ok_or_else(|| {
            "Template format error: Every Parameters object must contain a Type member.".to_owned()
        })?;
        let known = matches!(
            kind.as_str(),
            "String" | "Number" | "List<Number>" | "CommaDelimitedList"
        ) || kind.starts_with("AWS::EC2::")
            || kind.starts_with("List<AWS::EC2::");
        if !known {
            return Err(format!(
                "Template format error: Unrecognized parameter type: {kind}"
            ));
        }
        let number = |key: &str| -> Result<Option<f64>, String> {
            text(key)
                .map(|text| {
                    text.parse().map_err(|_| {
                        format!(
                            "Template format error: [/Parameters/{name}/{key}] must be a number"
                        )
                    })
                })
                .transpose()
        };
        let length = |key: &str| -> Result<Option<usize>, String> {
            text(key)
                .map(|text| {
                    text.parse().map_err(|_| {
                        format!("Template format error: [/Parameters/{name}/{key}] must be a whole number")
                    })
                })
                .transpose()
        };
        let parameter = Parameter {
            default: text("Default"),
            description: text("Description"),
            no_echo: text("NoEcho").is_some_and(|text| text == "true"),
            allowed_values: fields
                .get("AllowedValues")
                .and_then(Value::as_array)
                .map(|values| values.iter().filter_map(scalar).collect())
                .unwrap_or_default(),
            allowed_pattern: text("AllowedPattern"),
            constraint: text("ConstraintDescription"),
            length: (length("MinLength")?, length("MaxLength")?),
            value: (number("MinValue")?, number("MaxValue")?),
            kind,
        };
        if let Some(default) = &parameter.default {
            parameter
                .check(name, default)
                .map_err(|error| format!("Template format error: {error}"))?;
        }
        Ok(parameter)
    }

    fn is_list(&self) -> bool {
        self.kind == "CommaDelimitedList" || self.kind.starts_with("List<")
    }

    /// Checks a value against the constraints.
    fn check(&self, name: &str, value: &str) -> Result<(), String> {
        let broken = |rule: String| match &self.constraint {
            Some(constraint) => {
                format!("Parameter '{name}' failed to satisfy constraint: {constraint}")
            }
            None => format!("Parameter '{name}' {rule}"),
        };
        let items: Vec<&str> = if self.is_list() {
            value.split(',').map(str::trim).collect()
        } else {
            vec![value]
        };
        for item in items {
            if !self.allowed_values.is_empty()
                && !self.allowed_values.iter().any(|allowed| allowed == item)
            {
                return Err(broken(format!(
                    "must be one of AllowedValues: [{}]",
                    self.allowed_values.join(", ")
                )));
            }
            if let Some(pattern) = &self.allowed_pattern {
                let regex = regex_lite::Regex::new(&format!("^(?:{pattern})$")).map_err(|_| {
                    format!(
                        "AllowedPattern of parameter '{name}' is not a valid regular expression"
                    )
                })?;
                if !regex.is_match(item) {
                    return Err(broken(format!("must match pattern {pattern}")));
                }
            }
            if self.kind == "Number" || self.kind == "List<Number>" {
                let number: f64 = item
                    .trim()
                    .parse()
                    .map_err(|_| broken("must be a number".to_owned()))?;
                if self.value.0.is_some_and(|least| number < least) {
                    return Err(broken(format!(
                        "must be a number not less than {}",
                        self.value.0.unwrap_or_default()
                    )));
                }
                if self.value.1.is_some_and(|most| number > most) {
                    return Err(broken(format!(
                        "must be a number not greater than {}",
                        self.value.1.unwrap_or_default()
                    )));
                }
            } else {
                let length = item.chars().count();
                if self.length.0.is_some_and(|least| length < least) {
                    return Err(broken(format!(
                        "must contain at least {} characters",
                        self.length.0.unwrap_or_default()
                    )));
                }
                if self.length.1.is_some_and(|most| length > most) {
                    return Err(broken(format!(
                        "must contain at most {} characters",
                        self.length.1.unwrap_or_default()
                    )));
                }
            }
        }
        if value.len() > 4096 {
            return Err(format!(
                "Parameter '{name}' must contain at most 4096 characters"
            ));
        }
        Ok(())
    }
}

/// A parameter in a request: a value, or `UsePreviousValue`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Given {
    Value(String),
    Previous,
}

/// The checked value of every parameter: given, previous or default.
pub(crate) fn values(
    template: &Template,
    given: &BTreeMap<String, Given>,
    previous: Option<&BTreeMap<String, String>>,
) -> Result<BTreeMap<String, String>, String> {
    let unknown: Vec<&str> = given
        .keys()
        .filter(|name| !template.parameters.contains_key(*name))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        return Err(format!(
            "Parameters: [{}] do not exist in the template",
            unknown.join(", ")
        ));
    }
    let mut values = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, parameter) in &template.parameters {
        let value = match given.get(name) {
            Some(Given::Value(value)) => Some(value),
            Some(Given::Previous) => match previous.and_then(|previous| previous.get(name)) {
                Some(value) => Some(value),
                None => {
                    return Err(format!(
                        "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter key not in the previous template"
                    ));
                }
            },
            None => parameter.default.as_ref(),
        };
        match value {
            Some(value) => {
                parameter.check(name, value)?;
                values.insert(name.clone(), value.clone());
            }
            None => missing.push(name.as_str()),
        }
    }
    if !missing.is_empty() {
        return Err(format!(
            "Parameters: [{}] must have values",
            missing.join(", ")
        ));
    }
    Ok(values)
}

/// The value of `Ref` for a parameter: a list for list types.
pub(crate) fn referred(parameter: &Parameter, text: &str) -> Value {
    if parameter.is_list() {
        Value::from(
            text.split(',')
                .map(|item| item.trim().to_owned())
                .collect::<Vec<_>>(),
        )
    } else {
        Value::String(text.to_owned())
    }
}
