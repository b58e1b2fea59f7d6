//! Checks that a pattern can't match forged events.
//!
//! Anyone who can call `PutEvents` in an account can choose an event's source, except that names with
//! the prefix `aws.` are reserved
//! (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html>).
//! So a pattern that doesn't pin the source matches forged events.

use eventbridge_pattern::Pattern;
use serde_json::Value;

/// Whether a pattern pins `source` in every `$or` branch: to exact names, or to a prefix within the
/// reserved names, such as `{"prefix": "aws."}`.
pub fn pins_source(pattern: &Pattern) -> bool {
    if pattern.exact_values("source").is_some() {
        return true;
    }
    let Ok(root) = serde_json::from_str::<Value>(pattern.text()) else {
        return false;
    };
    let terms = root.get("source").and_then(Value::as_array);
    terms.is_some_and(|terms| terms.iter().all(is_bound)) && !branches_name_source(&root)
}

fn is_bound(term: &Value) -> bool {
    term.is_string()
        || term
            .get("prefix")
            .and_then(Value::as_str)
            .is_some_and(|prefix| prefix.starts_with("aws."))
}

/// A `source` inside a `$or` replaces the one outside.
fn branches_name_source(object: &Value) -> bool {
    let branches = object.get("$or").and_then(Value::as_array);
    branches
        .into_iter()
        .flatten()
        .any(|branch| branch.get("source").is_some() || branches_name_source(branch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_names_and_reserved_prefixes_pin_the_source() {
        for (pattern, pinned) in [
            (r#"{"source": ["aws.iam", "aws.sts"]}"#, true),
            (r#"{"source": [{"prefix": "aws."}]}"#, true),
            (r#"{"source": ["aws.iam", {"prefix": "aws.s"}]}"#, true),
            (
                r#"{"$or": [{"source": ["aws.iam"]}, {"source": ["aws.sts"]}]}"#,
                true,
            ),
            (r#"{"detail": {"a": [1]}}"#, false),
            (r#"{"source": [{"prefix": "a"}]}"#, false),
            (
                r#"{"source": [{"prefix": {"equals-ignore-case": "aws."}}]}"#,
                false,
            ),
            (r#"{"source": [{"anything-but": ["x"]}]}"#, false),
            (r#"{"source": [{"exists": true}]}"#, false),
            (
                r#"{"$or": [{"source": ["aws.iam"]}, {"region": ["x"]}]}"#,
                false,
            ),
            (
                r#"{"source": [{"prefix": "aws."}], "$or": [{"source": [{"prefix": ""}]}, {"region": ["x"]}]}"#,
                false,
            ),
        ] {
            assert_eq!(
                pins_source(&Pattern::parse(pattern).unwrap()),
                pinned,
                "{pattern}"
            );
        }
    }
}
