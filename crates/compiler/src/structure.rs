//! Checks the structure of a rendered template, independent of its source and values.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::limits;

/// Resource types that drift detection supports. Unsupported types, such as
/// `AWS::SNS::TopicPolicy`, have an equivalent in the list.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-import-supported-resources.html>
const TYPES: [&str; 15] = [
    "AWS::CloudTrail::Trail",
    "AWS::CloudWatch::Alarm",
    "AWS::Events::EventBus",
    "AWS::Events::Rule",
    "AWS::IAM::Role",
    "AWS::KMS::Alias",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::Scheduler::Schedule",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicInlinePolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueueInlinePolicy",
];

/// Allowed template sections. `Transform` is missing, because service-managed stack sets reject it.
const SECTIONS: [&str; 5] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Outputs",
    "Parameters",
    "Resources",
];

/// Pseudo parameters that templates may use.
const PSEUDO: [&str; 4] = [
    "AWS::AccountId",
    "AWS::Partition",
    "AWS::Region",
    "AWS::URLSuffix",
];

/// All structural problems of a template, as message texts.
pub(crate) fn problems(template: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    for section in template.as_object().into_iter().flat_map(Map::keys) {
        if !SECTIONS.contains(&section.as_str()) {
            problems.push(format!("it has a section `{section}`"));
        }
    }
    let resources = template.get("Resources").and_then(Value::as_object);
    let Some(resources) = resources.filter(|resources| !resources.is_empty()) else {
        problems.push("it has no resources".to_owned());
        return problems;
    };
    let mut known: BTreeSet<&str> = PSEUDO.into_iter().collect();
    let parameters = template.get("Parameters").and_then(Value::as_object);
    known.extend(
        parameters
            .into_iter()
            .flat_map(Map::keys)
            .map(String::as_str),
    );
    for (id, resource) in resources {
        if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) || id.is_empty() || id.len() > 255 {
            problems.push(format!("`{id}` is not a logical id"));
        }
        if !known.insert(id) {
            problems.push(format!("`{id}` is a parameter and a resource"));
        }
        let kind = resource
            .get("Type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let policy = resource.pointer("/Properties/Policy").map(Value::to_string);
        if kind == "AWS::Events::EventBus"
            && policy.is_some_and(|policy| policy.len() > limits::BUS_POLICY)
        {
            problems.push(format!(
                "the policy of the bus `{id}` is longer than {} bytes",
                limits::BUS_POLICY
            ));
        }
        if !TYPES.contains(&kind) {
            problems.push(format!("`{id}` has the type `{kind}`, which isn't in the list of types that drift detection supports"));
        }
    }
    let mut walk = Walk {
        resources,
        known: &known,
        problems,
    };
    for (id, resource) in resources {
        walk.visit(id, resource);
        for dependency in depends_on(resource) {
            if !resources.contains_key(dependency) {
                walk.problems.push(format!(
                    "`{id}` depends on `{dependency}`, which doesn't exist"
                ));
            }
        }
    }
    let outputs = template.get("Outputs").and_then(Value::as_object);
    for (name, output) in outputs.into_iter().flatten() {
        walk.visit(name, output);
    }
    walk.problems
}

fn depends_on(resource: &Value) -> Vec<&str> {
    match resource.get("DependsOn") {
        Some(Value::String(id)) => vec![id],
        Some(Value::Array(ids)) => ids.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

struct Walk<'t> {
    resources: &'t Map<String, Value>,
    known: &'t BTreeSet<&'t str>,
    problems: Vec<String>,
}

impl Walk<'_> {
    fn visit(&mut self, id: &str, value: &Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    self.text(id, key);
                    self.visit(id, value);
                }
                // An intrinsic function is an object with a single key; a `Ref` next to other keys
                // is data.
                if map.len() == 1 {
                    self.function(id, map);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.visit(id, item)),
            Value::String(text) => self.text(id, text),
            _ => {}
        }
    }

    fn function(&mut self, id: &str, map: &Map<String, Value>) {
        for (name, argument) in map {
            match name.as_str() {
                "Ref" => self.reference(id, argument.as_str()),
                "Fn::GetAtt" => {
                    let target = argument.get(0).and_then(Value::as_str);
                    if target.is_none_or(|target| !self.resources.contains_key(target)) {
                        self.problems.push(format!(
                            "`{id}` refers to an attribute of `{argument}`, which doesn't exist"
                        ));
                    }
                }
                "Fn::Sub" => match argument.as_str() {
                    Some(text) => self.substitution(id, text),
                    None => self.problems.push(format!(
                        "`{id}` has an `Fn::Sub` that is not a single string"
                    )),
                },
                "Fn::Join" => {}
                other
                    if other.starts_with("Fn::")
                        || other == "Condition" && argument.is_string() =>
                {
                    self.problems.push(format!("`{id}` uses `{other}`"));
                }
                _ => {}
            }
        }
    }

    fn reference(&mut self, id: &str, target: Option<&str>) {
        let target = target.unwrap_or_default();
        if !self.known.contains(target) {
            self.problems
                .push(format!("`{id}` refers to `{target}`, which doesn't exist"));
        }
    }

    fn substitution(&mut self, id: &str, text: &str) {
        for part in text.split("${").skip(1) {
            let Some((name, _)) = part.split_once('}') else {
                self.problems
                    .push(format!("`{id}` has an unterminated `Fn::Sub`: `{text}`"));
                continue;
            };
            match name.split_once('.') {
                Some((resource, _)) if self.resources.contains_key(resource) => {}
                Some((resource, _)) => self.reference(id, Some(resource)),
                None => self.reference(id, Some(name)),
            }
        }
    }

    /// CloudFormation resolves dynamic references in every text of a template.
    fn text(&mut self, id: &str, text: &str) {
        if text.contains(DYNAMIC_REFERENCE) {
            self.problems
                .push(format!("`{id}` has the dynamic reference `{text}`"));
        }
    }
}

/// Prefix of a dynamic reference, which CloudFormation replaces with a parameter or secret.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html>
pub(crate) const DYNAMIC_REFERENCE: &str = "{{resolve:";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(resource: &Value) -> Value {
        json!({"Parameters": {"P": {"Type": "String"}}, "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}, "R": resource}})
    }

    #[test]
    fn accepts_a_consistent_template() {
        let template = with(
            &json!({"Type": "AWS::SNS::Subscription", "DependsOn": "Topic", "Properties": {
                "TopicArn": {"Ref": "Topic"},
                "Endpoint": {"Fn::Sub": "${AWS::Region}-${P}-${Topic.TopicName}-$DEFAULT"},
            }}),
        );
        assert_eq!(problems(&template), Vec::<String>::new());
    }

    #[test]
    fn rejects_broken_templates() {
        let cases = [
            (
                json!({"Type": "AWS::SNS::TopicPolicy"}),
                "type `AWS::SNS::TopicPolicy`",
            ),
            (
                json!({"Type": "AWS::SNS::Topic", "Properties": {"A": {"Ref": "Tpoic"}}}),
                "refers to `Tpoic`",
            ),
            (
                json!({"Type": "AWS::SNS::Topic", "Properties": {"A": {"Fn::GetAtt": ["P", "Arn"]}}}),
                "attribute of",
            ),
            (
                json!({"Type": "AWS::SNS::Topic", "Properties": {"A": {"Fn::Sub": "${Nobody}"}}}),
                "refers to `Nobody`",
            ),
            (
                json!({"Type": "AWS::SNS::Topic", "Properties": {"A": {"Fn::ImportValue": "x"}}}),
                "uses `Fn::ImportValue`",
            ),
            (
                json!({"Type": "AWS::SNS::Topic", "DependsOn": ["Nobody"]}),
                "depends on `Nobody`",
            ),
            (
                json!({"Type": "AWS::SNS::Topic", "Properties": {"A": "x{{resolve:ssm:y}}"}}),
                "dynamic reference",
            ),
        ];
        for (resource, expected) in cases {
            let found = problems(&with(&resource));
            assert!(
                found.iter().any(|problem| problem.contains(expected)),
                "{expected}: {found:?}"
            );
        }
        assert_eq!(problems(&json!({"Resources": {}})), ["it has no resources"]);
        assert_eq!(
            problems(&json!({"Transform": "x", "Resources": {"T": {"Type": "AWS::SNS::Topic"}}})),
            ["it has a section `Transform`"]
        );
    }
}
