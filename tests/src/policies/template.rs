//! Finds the policies of a compiled template, with CloudFormation's functions evaluated.

use serde_json::{Map, Value};

use super::PolicyKind;
use crate::{HOME, HUB};

/// A policy of a template.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Logical id of its resource, and the property.
    pub name: String,
    /// What it is attached to.
    pub kind: PolicyKind,
    /// The document, without CloudFormation's functions.
    pub document: Value,
}

/// Where each resource type has its policies, as JSON pointers.
const PROPERTIES: [(&str, &str, PolicyKind); 7] = [
    (
        "AWS::IAM::Role",
        "AssumeRolePolicyDocument",
        PolicyKind::Trust,
    ),
    ("AWS::IAM::Role", "Policies", PolicyKind::Identity),
    ("AWS::KMS::Key", "KeyPolicy", PolicyKind::Key),
    (
        "AWS::S3::BucketPolicy",
        "PolicyDocument",
        PolicyKind::Resource,
    ),
    (
        "AWS::SQS::QueueInlinePolicy",
        "PolicyDocument",
        PolicyKind::Resource,
    ),
    (
        "AWS::SNS::TopicInlinePolicy",
        "PolicyDocument",
        PolicyKind::Resource,
    ),
    ("AWS::Events::EventBus", "Policy", PolicyKind::Resource),
];

/// All policies of a template. Fails if one is somewhere else than expected, so that none is missed.
pub fn policies(template: &Value, parameters: &Value) -> Vec<Policy> {
    let stack = Stack {
        resources: template["Resources"].as_object().expect("resources"),
        parameters,
    };
    let mut found = Vec::new();
    for (id, resource) in stack.resources {
        let mut statements = 0;
        for (of, property, kind) in PROPERTIES {
            let Some(written) = resource["Properties"].get(property) else {
                continue;
            };
            if resource["Type"] != of {
                continue;
            }
            let documents = match written {
                Value::Array(inline) => inline.iter().map(|it| &it["PolicyDocument"]).collect(),
                document => vec![document],
            };
            for document in documents {
                statements += 1;
                found.push(Policy {
                    name: format!("{id}.{property}"),
                    kind,
                    document: stack.evaluate(document),
                });
            }
        }
        let all = count(resource);
        assert_eq!(all, statements, "policies of {id} in unexpected properties");
    }
    found
}

/// How many objects have a member `Statement`. Event patterns don't count: they may look for
/// statements in requests.
fn count(value: &Value) -> usize {
    match value {
        Value::Object(map) => {
            let members = map.iter().filter(|(key, _)| *key != "EventPattern");
            let below: usize = members.map(|(_, value)| count(value)).sum();
            usize::from(map.contains_key("Statement")) + below
        }
        Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    }
}

struct Stack<'a> {
    resources: &'a Map<String, Value>,
    parameters: &'a Value,
}

impl Stack<'_> {
    /// Replaces CloudFormation's functions. Fails for a function that no policy has used so far.
    fn evaluate(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.evaluate(item)).collect(),
            Value::Object(map) => {
                let only = map.iter().next().filter(|_| map.len() == 1);
                match only.map(|(key, value)| (key.as_str(), value)) {
                    Some(("Ref", name)) => self.reference(name.as_str().expect("a name")).into(),
                    Some(("Fn::GetAtt", path)) => {
                        assert_eq!(path.get(1), Some(&"Arn".into()), "{path} in a policy");
                        let id = path.get(0).and_then(Value::as_str);
                        self.arn(id.expect("a logical id")).into()
                    }
                    Some(("Fn::Sub", Value::String(text))) => self.substitute(text).into(),
                    Some(("Fn::Join", arguments)) => {
                        let items = self.evaluate(&arguments[1]);
                        let texts = items.as_array().expect("a list").iter();
                        let texts: Vec<&str> = texts.filter_map(Value::as_str).collect();
                        texts
                            .join(arguments[0].as_str().expect("a separator"))
                            .into()
                    }
                    Some((function, _)) if function.starts_with("Fn::") => {
                        panic!("{function} in a policy")
                    }
                    _ => map
                        .iter()
                        .map(|(key, value)| (key.clone(), self.evaluate(value)))
                        .collect::<Map<String, Value>>()
                        .into(),
                }
            }
            other => other.clone(),
        }
    }

    fn substitute(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').expect("a closing brace");
            out.push_str(before);
            out.push_str(&match name.strip_suffix(".Arn") {
                Some(id) => self.arn(id),
                None => self.reference(name),
            });
            rest = after;
        }
        out + rest
    }

    fn reference(&self, name: &str) -> String {
        let pseudo = match name {
            "AWS::AccountId" => Some(HUB),
            "AWS::Partition" => Some("aws"),
            "AWS::Region" => Some(HOME),
            _ => self.parameters.get(name).and_then(Value::as_str),
        };
        match pseudo {
            Some(value) => value.to_owned(),
            None if self.type_of(name) == Some("AWS::SNS::Topic") => self.arn(name),
            None => panic!("Ref of {name} in a policy"),
        }
    }

    fn type_of(&self, id: &str) -> Option<&str> {
        self.resources.get(id)?.get("Type")?.as_str()
    }

    fn arn(&self, id: &str) -> String {
        let resource = self.resources.get(id);
        let resource = resource.unwrap_or_else(|| panic!("there is no resource {id}"));
        let properties = &resource["Properties"];
        let name = |property: &str| match properties.get(property) {
            None => id.to_lowercase(),
            Some(name) => self.evaluate(name).as_str().expect("a name").to_owned(),
        };
        match self.type_of(id).expect("a type") {
            "AWS::IAM::Role" => {
                let path = properties["Path"].as_str().expect("a path");
                format!("arn:aws:iam::{HUB}:role{path}{}", name("RoleName"))
            }
            "AWS::KMS::Key" => format!("arn:aws:kms:{HOME}:{HUB}:key/{id}"),
            "AWS::S3::Bucket" => format!("arn:aws:s3:::{}", name("BucketName")),
            "AWS::SNS::Topic" => format!("arn:aws:sns:{HOME}:{HUB}:{}", name("TopicName")),
            "AWS::SQS::Queue" => format!("arn:aws:sqs:{HOME}:{HUB}:{}", name("QueueName")),
            other => panic!("the ARN of {id}, {other}, in a policy"),
        }
    }
}
