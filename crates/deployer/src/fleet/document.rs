//! Compares policies and event patterns by meaning.
//!
//! Services and CloudFormation return them in other words than a template: a list of one as its
//! item, a boolean as text, lists in another order, `{"AWS": "*"}` for `"*"`, an account's id for
//! the ARN of its root.

use serde_json::{Map, Value};

use super::resolve::UNKNOWN;

/// Whether IAM treats two policies as equal, regardless of notation.
pub(crate) fn same_policy(expected: &Value, actual: &Value) -> bool {
    // In a fleet without drift nearly all are equal, and finding one notation takes longer.
    if expected == actual {
        return true;
    }
    let expected = statements(expected);
    let actual = statements(actual);
    same_items(&expected, &actual)
}

/// Whether two documents mean the same.
pub(crate) fn same_document(expected: &Value, actual: &Value) -> bool {
    same(&normal(expected), &normal(actual))
}

/// Whether two event patterns match the same events, as far as the order of alternatives goes.
/// Unlike in policies, `true` and `"true"` differ.
pub(crate) fn same_pattern(expected: &Value, actual: &Value) -> bool {
    same(expected, actual)
}

/// The value that a text stands for: JSON, or the text itself.
pub(crate) fn value_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn statements(policy: &Value) -> Vec<Value> {
    match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().map(normal).collect(),
        Some(one) => vec![normal(one)],
        None => Vec::new(),
    }
}

/// One notation for all that are equivalent.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(map) if map.len() == 1 && map.get("AWS") == Some(&Value::from("*")) => {
            Value::from("*")
        }
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| {
                let value = match normal(value) {
                    Value::String(text) if key == "AWS" => root_account(text),
                    Value::Array(items) if key == "AWS" => {
                        let items = items.into_iter().map(|item| match item {
                            Value::String(text) => root_account(text),
                            other => other,
                        });
                        items.collect()
                    }
                    other => other,
                };
                (key.clone(), value)
            })
            .collect::<Map<String, Value>>()
            .into(),
        Value::Array(items) => {
            let items: Vec<Value> = items.iter().map(normal).collect();
            match items.as_slice() {
                [one] => one.clone(),
                _ => Value::Array(items),
            }
        }
        Value::Bool(flag) => Value::from(flag.to_string()),
        Value::Number(number) => Value::from(number.to_string()),
        other => other.clone(),
    }
}

/// The id of the account whose root user this is, or the text itself.
fn root_account(text: String) -> Value {
    let account = text
        .strip_suffix(":root")
        .and_then(|arn| arn.rsplit_once("::"))
        .map(|(_, account)| account.to_owned());
    Value::from(account.unwrap_or(text))
}

fn same(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::String(text), _) if text == UNKNOWN => true,
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => same_items(a, b),
        (a, b) => a == b,
    }
}

/// Whether lists have the same items in any order.
fn same_items(expected: &[Value], actual: &[Value]) -> bool {
    let mut left: Vec<&Value> = actual.iter().collect();
    // What is unknown equals anything, so it chooses last.
    let (unknown, known): (Vec<&Value>, Vec<&Value>) = expected
        .iter()
        .partition(|item| *item == &Value::from(UNKNOWN));
    expected.len() == actual.len()
        && known.into_iter().chain(unknown).all(|item| {
            let found = left.iter().position(|other| same(item, other));
            found.map(|index| left.swap_remove(index)).is_some()
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn policies_are_compared_by_meaning() {
        let ours = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": ["events:PutEvents"],
            "Resource": UNKNOWN, "Condition": {"Bool": {"aws:SecureTransport": false}}}]});
        let theirs = json!({"Statement": {
            "Action": "events:PutEvents", "Effect": "Allow", "Principal": {"AWS": "*"},
            "Resource": "arn:aws:events:…", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}});
        assert!(same_policy(&ours, &theirs));
        let mut other = theirs;
        other["Statement"]["Action"] = json!("events:*");
        assert!(!same_policy(&ours, &other));
        assert!(!same_policy(&ours, &json!(null)));
    }

    #[test]
    fn the_order_of_statements_and_items_does_not_count() {
        let ours = json!({"Statement": [
            {"Sid": "A", "Action": ["kms:Decrypt", "kms:GenerateDataKey*"]},
            {"Sid": "B", "Principal": {"AWS": ["arn:aws:iam::111122223333:root", UNKNOWN]}}]});
        let theirs = json!({"Statement": [
            {"Sid": "B", "Principal": {"AWS": ["arn:aws:iam::222233334444:role/a", "111122223333"]}},
            {"Sid": "A", "Action": ["kms:GenerateDataKey*", "kms:Decrypt"]}]});
        assert!(same_policy(&ours, &theirs));
        let fewer = json!({"Statement": [{"Sid": "A", "Action": ["kms:Decrypt"]}]});
        assert!(!same_policy(&ours, &fewer));
    }

    #[test]
    fn reported_values_are_json_or_text() {
        let same = |a: &str, b: &str| same_document(&value_of(a), &value_of(b));
        assert!(same("false", "\"false\""));
        assert!(same("[\"a\"]", "a"));
        assert!(!same("ENABLED", "DISABLED"));
        assert!(!same("{\"Arn\":\"a\"}", "null"));
    }

    #[test]
    fn patterns_keep_the_types_of_their_values() {
        let ours = json!({"source": ["aws.iam", "aws.sts"], "detail": {"readOnly": [false]}});
        let theirs = json!({"detail": {"readOnly": [false]}, "source": ["aws.sts", "aws.iam"]});
        assert!(same_pattern(&ours, &theirs));
        let silenced = json!({"source": ["aws.iam", "aws.sts"], "detail": {"readOnly": ["false"]}});
        assert!(!same_pattern(&ours, &silenced));
    }
}
