//! Mutation testing: do a rule's tests detect changes to its pattern?
//!
//! A clause whose removal no test detects is either unnecessary or untested: a later edit may lose
//! it, and the rule goes silent or floods its topics. [`mutants`] makes every small change to a
//! pattern and reports whether a test fails because of it.

use eventbridge_pattern::{Event, Pattern};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::model::Rule;
use crate::source_pin::pins_source;

/// Most mutants per rule; a pattern of 2,048 characters has far fewer.
const MAX_MUTANTS: usize = 1000;
/// Bytes of events that the mutants of a library may be matched with: some seconds.
pub const MAX_WORK: usize = 4_000_000_000;
/// Appended to a string to change it.
const OTHER: &str = "~";

/// A change to a rule's pattern and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mutant {
    /// The change, such as `detail.eventName: without "DeleteTrail"`.
    pub change: String,
    /// Whether a test detected the change.
    pub fate: Fate,
}

/// The result of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// A test of the rule fails.
    Tested,
    /// The mutant isn't a valid event pattern, or doesn't pin `source`: loading rejects it.
    Refused,
    /// No test fails: this part of the pattern is untested.
    Survived,
}

/// All mutants of a rule's pattern: each field, alternative and value removed in turn, each single
/// value replaced, each numeric bound moved.
///
/// `source` and an equivalent `detail.eventSource` count as one clause: no event has one without
/// the other, so no test could tell them apart.
///
/// `work` is the number of bytes of events that may still be matched, at first [`MAX_WORK`]; `None` if
/// that isn't enough for this rule.
pub fn mutants(rule: &Rule, work: &mut usize) -> Option<Vec<Mutant>> {
    let Ok(Value::Object(mut pattern)) = serde_json::from_str(rule.pattern.text()) else {
        return Some(Vec::new());
    };
    drop_repeated_source(&mut pattern);
    let mut changes = Vec::new();
    object(&pattern, "", &mut |change, mutant| {
        if changes.len() < MAX_MUTANTS {
            changes.push((change, Value::Object(mutant)));
        }
    });
    let mut tests: Vec<(Event, bool)> = Vec::new();
    let mut bytes = 0;
    for test in &rule.tests {
        let text = test.event.to_string();
        bytes += text.len();
        tests.extend(Event::parse(&text).ok().map(|event| (event, test.matches)));
    }
    *work = work.checked_sub(bytes * changes.len())?;
    let mutants = changes
        .into_iter()
        .map(|(change, mutant)| Mutant {
            change,
            fate: fate(&mutant, &tests),
        })
        .collect();
    Some(mutants)
}

fn fate(mutant: &Value, tests: &[(Event, bool)]) -> Fate {
    let Some(pattern) = Pattern::parse(&mutant.to_string()).ok().filter(pins_source) else {
        return Fate::Refused;
    };
    let noticed = tests
        .iter()
        .any(|(event, expected)| pattern.matches(event) != Ok(*expected));
    if noticed {
        Fate::Tested
    } else {
        Fate::Survived
    }
}

fn drop_repeated_source(pattern: &mut Map<String, Value>) {
    let sources = pattern.get("source").and_then(Value::as_array).cloned();
    let Some(detail) = pattern.get_mut("detail").and_then(Value::as_object_mut) else {
        return;
    };
    let repeated: Option<Vec<Value>> = sources.map(|sources| {
        let repeat = |source: Value| {
            let service = source.as_str()?.strip_prefix("aws.")?;
            Some(json!(format!("{service}.amazonaws.com")))
        };
        sources.into_iter().filter_map(repeat).collect()
    });
    if repeated.as_ref() == detail.get("eventSource").and_then(Value::as_array) {
        detail.shift_remove("eventSource");
    }
}

/// Calls `give` with every change to an object and the changed object.
fn object(
    fields: &Map<String, Value>,
    path: &str,
    give: &mut dyn FnMut(String, Map<String, Value>),
) {
    for (key, value) in fields {
        let here = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let mut with = |change: String, replacement: Option<Value>| {
            let mut mutant = fields.clone();
            match replacement {
                Some(replacement) => mutant.insert(key.clone(), replacement),
                None => mutant.shift_remove(key),
            };
            give(change, mutant);
        };
        match value {
            Value::Array(branches) if key == "$or" => {
                alternatives(fields, branches, &here, give);
            }
            Value::Array(values) => {
                with(format!("{here}: left out"), None);
                list(values, &mut |change, values| {
                    with(format!("{here}: {change}"), Some(Value::Array(values)));
                });
            }
            Value::Object(below) => object(below, &here, &mut |change, below| {
                // An empty object isn't a pattern, so the field is removed.
                let below = (!below.is_empty()).then_some(Value::Object(below));
                with(change, below);
            }),
            _ => {}
        }
    }
}

fn alternatives(
    fields: &Map<String, Value>,
    branches: &[Value],
    here: &str,
    give: &mut dyn FnMut(String, Map<String, Value>),
) {
    for (index, branch) in branches.iter().enumerate() {
        let name = format!("{here}[{index}]");
        let mut others = branches.to_vec();
        others.remove(index);
        give(format!("{name}: left out"), with_branches(fields, others));
        let Value::Object(branch) = branch else {
            continue;
        };
        object(branch, &name, &mut |change, branch| {
            let mut branches = branches.to_vec();
            if let Some(location) = branches.get_mut(index) {
                *location = Value::Object(branch);
            }
            give(change, with_branches(fields, branches));
        });
    }
}

/// The object with other `$or` branches. A single remaining branch is merged into the object.
fn with_branches(fields: &Map<String, Value>, mut branches: Vec<Value>) -> Map<String, Value> {
    let mut mutant = fields.clone();
    if branches.len() == 1
        && let Some(Value::Object(only)) = branches.pop()
    {
        mutant.shift_remove("$or");
        merge(&mut mutant, only);
    } else {
        mutant.insert("$or".to_owned(), Value::Array(branches));
    }
    mutant
}

fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(into)), Value::Object(value)) => merge(into, value),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// Calls `give` with every change to a field's values: one removed, or the only one replaced.
fn list(values: &[Value], give: &mut dyn FnMut(String, Vec<Value>)) {
    for (index, value) in values.iter().enumerate() {
        if values.len() > 1 {
            let mut others = values.to_vec();
            others.remove(index);
            give(format!("without {value}"), others);
        }
        for (change, replacement) in replacements(value, values.len() == 1) {
            let mut changed = values.to_vec();
            if let Some(location) = changed.get_mut(index) {
                *location = replacement;
            }
            give(change, changed);
        }
    }
}

/// Replacements for a value. If there are several values, removing one is equivalent to replacing
/// it, so only its operands are changed.
fn replacements(value: &Value, only: bool) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    match value {
        Value::String(text) if only => {
            found.push((
                format!("a text other than {value}"),
                json!(format!("{text}{OTHER}")),
            ));
        }
        Value::Bool(yes) if only => found.push((format!("{} for {yes}", !yes), json!(!yes))),
        Value::Object(matcher) => {
            for (operator, operand) in matcher {
                for (change, operand) in operands(operator, operand, only) {
                    found.push((format!("{operator} {change}"), json!({ operator: operand })));
                }
            }
        }
        _ => {}
    }
    found
}

fn operands(operator: &str, operand: &Value, only: bool) -> Vec<(String, Value)> {
    match (operator, operand) {
        ("exists", Value::Bool(yes)) if only => vec![(format!("{}", !yes), json!(!yes))],
        ("numeric", Value::Array(terms)) => terms
            .iter()
            .enumerate()
            .filter_map(|(index, term)| {
                let other = match term.as_str()? {
                    ">=" => ">",
                    ">" => ">=",
                    "<=" => "<",
                    "<" => "<=",
                    _ => return None,
                };
                let mut terms = terms.clone();
                *terms.get_mut(index)? = json!(other);
                Some((format!("{other} for {term}"), Value::Array(terms)))
            })
            .collect(),
        ("anything-but", Value::Array(values)) => {
            let mut found = Vec::new();
            list(values, &mut |change, values| {
                found.push((change, Value::Array(values)));
            });
            found
        }
        ("anything-but", Value::Object(_)) => replacements(operand, true),
        (_, Value::String(text)) if only => {
            vec![(format!("{operand} longer"), json!(format!("{text}{OTHER}")))]
        }
        (_, Value::Array(values)) => {
            let mut found = Vec::new();
            list(values, &mut |change, values| {
                found.push((change, Value::Array(values)));
            });
            found
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(pattern: &Value) -> Vec<(String, Value)> {
        let mut found = Vec::new();
        object(pattern.as_object().unwrap(), "", &mut |change, mutant| {
            found.push((change, Value::Object(mutant)));
        });
        found
    }

    #[test]
    fn every_field_alternative_and_value_is_changed_once() {
        let pattern = json!({
            "source": ["aws.a"],
            "detail": {"$or": [{"x": ["1", "2"]}, {"y": [{"numeric": [">=", 7]}]}]},
        });
        let found = changes(&pattern);
        let names: Vec<&str> = found.iter().map(|(change, _)| change.as_str()).collect();
        assert_eq!(
            names,
            [
                "source: left out",
                "source: a text other than \"aws.a\"",
                "detail.$or[0]: left out",
                "detail.$or[0].x: left out",
                "detail.$or[0].x: without \"1\"",
                "detail.$or[0].x: without \"2\"",
                "detail.$or[1]: left out",
                "detail.$or[1].y: left out",
                "detail.$or[1].y: numeric > for \">=\"",
            ]
        );
        let of = |name: &str| &found.iter().find(|(change, _)| change == name).unwrap().1;
        assert_eq!(
            *of("detail.$or[0]: left out"),
            json!({"source": ["aws.a"], "detail": {"y": [{"numeric": [">=", 7]}]}})
        );
        assert_eq!(
            of("detail.$or[0].x: without \"1\"")["detail"]["$or"][0],
            json!({"x": ["2"]})
        );
    }

    #[test]
    fn a_repeated_source_is_one_clause() {
        let mut pattern = json!({
            "source": ["aws.a"],
            "detail": {"eventSource": ["a.amazonaws.com"], "eventName": ["X"]},
        });
        drop_repeated_source(pattern.as_object_mut().unwrap());
        assert_eq!(pattern["detail"], json!({"eventName": ["X"]}));
        let mut other =
            json!({"source": ["aws.a"], "detail": {"eventSource": ["b.amazonaws.com"]}});
        let before = other.clone();
        drop_repeated_source(other.as_object_mut().unwrap());
        assert_eq!(other, before);
    }

    #[test]
    fn undetected_mutants_survive() {
        let event = |name: &str| {
            Event::parse(&json!({"source": "aws.a", "detail": {"n": name}}).to_string()).unwrap()
        };
        let tests = [(event("x"), true), (event("z"), false)];
        let judge = |pattern: Value| fate(&pattern, &tests);
        let with = |names: Value| json!({"source": ["aws.a"], "detail": {"n": names}});
        assert_eq!(judge(with(json!(["x"]))), Fate::Survived);
        assert_eq!(judge(with(json!(["y"]))), Fate::Tested);
        assert_eq!(judge(json!({"source": ["aws.a"]})), Fate::Tested);
        assert_eq!(judge(json!({"detail": {"n": ["x"]}})), Fate::Refused);
        assert_eq!(judge(with(json!([]))), Fate::Refused);
    }
}
