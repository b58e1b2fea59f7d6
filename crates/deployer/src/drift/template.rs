//! Lists the resources in which two templates differ.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Most differences to list by name; the rest are counted.
const LISTED: usize = 8;

/// Describes the changes from `expected` to `actual`: `Forwarder1 changed, Extra added`.
pub(super) fn template_changes(expected: &str, actual: &str) -> String {
    let parse = |text: &str| serde_json::from_str::<Map<String, Value>>(text).ok();
    let (Some(expected), Some(actual)) = (parse(expected), parse(actual)) else {
        return "a template that is not a JSON object".to_owned();
    };
    let mut changes = Vec::new();
    let sections: BTreeSet<&String> = expected.keys().chain(actual.keys()).collect();
    for section in sections {
        let (left, right) = (expected.get(section), actual.get(section));
        if left == right {
            continue;
        }
        match (left, right) {
            (Some(Value::Object(left)), Some(Value::Object(right))) => {
                changes.extend(entries(left, right));
            }
            _ => changes.push(format!("section {section} changed")),
        }
    }
    let more = changes.len().saturating_sub(LISTED);
    changes.truncate(LISTED);
    if more > 0 {
        changes.push(format!("{more} more"));
    }
    changes.join(", ")
}

fn entries(expected: &Map<String, Value>, actual: &Map<String, Value>) -> Vec<String> {
    let names: BTreeSet<&String> = expected.keys().chain(actual.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| match (expected.get(name), actual.get(name)) {
            (Some(_), None) => Some(format!("{name} missing")),
            (None, Some(_)) => Some(format!("{name} added")),
            (Some(left), Some(right)) if left != right => Some(format!("{name} changed")),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_changes_names_the_differences() {
        let expected = r#"{"Resources": {"A": 1, "B": 2, "C": 3}, "Description": "x"}"#;
        let actual = r#"{"Resources": {"A": 1, "B": 9, "D": 4}}"#;
        assert_eq!(
            template_changes(expected, actual),
            "section Description changed, B changed, C missing, D added"
        );
        assert_eq!(
            template_changes(expected, "- yaml"),
            "a template that is not a JSON object"
        );
        assert_eq!(template_changes(expected, expected), "");
    }
}
