//! Resolves template values for one account and Region, and compares policies by meaning.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::ports::Location;

/// Stands for values that only CloudFormation knows, such as another resource's ARN.
const UNKNOWN: &str = "\u{0}unknown";

/// The location and parameters of a deployment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) location: &'a Location,
    /// Includes the template's defaults.
    pub(crate) parameters: &'a BTreeMap<String, String>,
}

impl Context<'_> {
    fn reference(&self, name: &str) -> Option<String> {
        let china = self.location.region.starts_with("cn-");
        match name {
            "AWS::AccountId" => Some(self.location.account.clone()),
            "AWS::Region" => Some(self.location.region.clone()),
            "AWS::Partition" => Some(
                if china {
                    "aws-cn"
                } else if self.location.region.starts_with("us-gov-") {
                    "aws-us-gov"
                } else {
                    "aws"
                }
                .to_owned(),
            ),
            "AWS::URLSuffix" => Some(
                if china {
                    "amazonaws.com.cn"
                } else {
                    "amazonaws.com"
                }
                .to_owned(),
            ),
            _ => self.parameters.get(name).cloned(),
        }
    }

    fn substitute(&self, text: &str, own: Option<&Map<String, Value>>) -> Option<String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, tail) = after.split_once('}')?;
            out.push_str(before);
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str(&format!("${{{literal}}}"));
            } else {
                let value = match own.and_then(|own| own.get(name)) {
                    Some(value) => self.resolve(value).as_str().map(str::to_owned),
                    None => self.reference(name),
                }?;
                out.push_str(&value);
            }
            rest = tail;
        }
        out.push_str(rest);
        (!out.contains(UNKNOWN)).then_some(out)
    }

    /// Evaluates the value's intrinsic functions as far as possible outside of CloudFormation.
    pub(crate) fn resolve(&self, value: &Value) -> Value {
        let known = |text: Option<String>| Value::String(text.unwrap_or_else(|| UNKNOWN.into()));
        match value {
            Value::Object(map) if map.len() == 1 => {
                let Some((key, argument)) = map.iter().next() else {
                    return value.clone();
                };
                match (key.as_str(), argument) {
                    ("Ref", Value::String(name)) => known(self.reference(name)),
                    ("Fn::Sub", Value::String(text)) => known(self.substitute(text, None)),
                    ("Fn::Sub", Value::Array(pair)) => match pair.as_slice() {
                        [Value::String(text), Value::Object(own)] => {
                            known(self.substitute(text, Some(own)))
                        }
                        _ => known(None),
                    },
                    ("Fn::Join", Value::Array(pair)) => match pair.as_slice() {
                        [Value::String(separator), Value::Array(parts)] => {
                            let parts: Option<Vec<String>> = parts
                                .iter()
                                .map(|part| {
                                    let part = self.resolve(part);
                                    part.as_str().filter(|p| *p != UNKNOWN).map(str::to_owned)
                                })
                                .collect();
                            known(parts.map(|parts| parts.join(separator)))
                        }
                        _ => known(None),
                    },
                    (function, _) if function.starts_with("Fn::") => known(None),
                    _ => self.resolve_each(map),
                }
            }
            Value::Object(map) => self.resolve_each(map),
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            other => other.clone(),
        }
    }

    fn resolve_each(&self, map: &Map<String, Value>) -> Value {
        map.iter()
            .map(|(key, value)| (key.clone(), self.resolve(value)))
            .collect::<Map<String, Value>>()
            .into()
    }
}

/// Whether IAM treats two policies as equal, regardless of notation.
pub(crate) fn same_policy(expected: &Value, actual: &Value) -> bool {
    let expected = statements(expected);
    let mut actual = statements(actual);
    expected.len() == actual.len()
        && expected.iter().all(|statement| {
            let found = actual.iter().position(|other| same(statement, other));
            found.map(|index| actual.swap_remove(index)).is_some()
        })
}

fn statements(policy: &Value) -> Vec<Value> {
    match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().map(normal).collect(),
        Some(one) => vec![normal(one)],
        None => Vec::new(),
    }
}

/// Normalizes equivalent notations: a list of one becomes its element, `{"AWS": "*"}` becomes
/// `"*"`, a boolean becomes a string, and lists are sorted.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(map) if map.len() == 1 && map.get("AWS") == Some(&Value::from("*")) => {
            Value::from("*")
        }
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), normal(value)))
            .collect::<Map<String, Value>>()
            .into(),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(normal).collect();
            items.sort_by_key(Value::to_string);
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

fn same(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::String(text), _) if text == UNKNOWN => true,
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn context_check(template: &Value, expected: &Value) {
        let parameters = BTreeMap::from([("BusName".to_owned(), "gizmos".to_owned())]);
        let location = Location::new("333344445555", "eu-central-1");
        let context = Context {
            location: &location,
            parameters: &parameters,
        };
        assert_eq!(context.resolve(template), *expected);
    }

    #[test]
    fn intrinsic_functions_are_resolved_for_the_account() {
        context_check(
            &json!({"Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${BusName}"}),
            &json!("arn:aws:events:eu-central-1:333344445555:event-bus/gizmos"),
        );
        context_check(
            &json!({"a": [{"Fn::Join": [":", ["x", {"Ref": "BusName"}]]}]}),
            &json!({"a": ["x:gizmos"]}),
        );
        context_check(&json!({"Fn::Sub": "${!literal}"}), &json!("${literal}"));
        context_check(&json!({"Fn::GetAtt": ["Key", "Arn"]}), &json!(UNKNOWN));
    }

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
}
