//! Resolves template values for one account and Region, as far as that is possible outside of
//! CloudFormation.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::ports::Location;

/// Stands for values that only CloudFormation knows, such as another resource's ARN.
pub(crate) const UNKNOWN: &str = "\u{0}unknown";

/// The location and parameters of a deployment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) location: &'a Location,
    /// Includes the template's defaults.
    pub(crate) parameters: &'a BTreeMap<String, String>,
    /// Values of resources by `LogicalId` (for `Ref`) and `LogicalId.Attribute`, where known.
    pub(crate) resources: &'a BTreeMap<String, String>,
}

impl Context<'_> {
    fn reference(&self, name: &str) -> Option<String> {
        let region = &self.location.region;
        match name {
            "AWS::AccountId" => Some(self.location.account.clone()),
            "AWS::Region" => Some(region.clone()),
            "AWS::Partition" => Some(self.location.partition().to_owned()),
            "AWS::URLSuffix" => Some(self.location.url_suffix().to_owned()),
            _ => (self.parameters.get(name))
                .or_else(|| self.resources.get(name))
                .cloned(),
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
                    ("Fn::GetAtt", Value::Array(path)) => {
                        let path: Vec<&str> = path.iter().filter_map(Value::as_str).collect();
                        known(self.resources.get(&path.join(".")).cloned())
                    }
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

/// Whether a value has no functions, so that it resolves to itself.
pub(crate) fn is_constant(value: &Value) -> bool {
    match value {
        Value::Object(map) => map
            .iter()
            .all(|(key, value)| key != "Ref" && !key.starts_with("Fn::") && is_constant(value)),
        Value::Array(items) => items.iter().all(is_constant),
        _ => true,
    }
}

/// What a template's resources with fixed names are called once they exist, for
/// [`Context::resources`]: so no call is needed to know the ARN of a topic.
pub(crate) fn named_resources(
    template: &BTreeMap<String, Value>,
    location: &Location,
    parameters: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let context = Context {
        location,
        parameters,
        resources: &BTreeMap::new(),
    };
    let Location { account, region } = location;
    let arn = |service: &str, resource: &str| {
        let partition = location.partition();
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    };
    let mut known = BTreeMap::new();
    for (id, resource) in template {
        let text = |property: &str| {
            let value = resource.get("Properties")?.get(property)?;
            let value = context.resolve(value);
            value
                .as_str()
                .filter(|it| *it != UNKNOWN)
                .map(str::to_owned)
        };
        let kind = resource.get("Type").and_then(Value::as_str);
        let mut add = |reference: String, arn: String| {
            known.insert(id.clone(), reference);
            known.insert(format!("{id}.Arn"), arn);
        };
        match kind.unwrap_or_default() {
            "AWS::SNS::Topic" => {
                if let Some(name) = text("TopicName") {
                    add(arn("sns", &name), arn("sns", &name));
                }
            }
            "AWS::SQS::Queue" => {
                if let Some(name) = text("QueueName") {
                    let host = format!("sqs.{region}.{}", location.url_suffix());
                    add(
                        format!("https://{host}/{account}/{name}"),
                        arn("sqs", &name),
                    );
                    known.insert(format!("{id}.QueueName"), name);
                }
            }
            "AWS::Events::EventBus" => {
                if let Some(name) = text("Name") {
                    let bus = arn("events", &format!("event-bus/{name}"));
                    add(name, bus);
                }
            }
            "AWS::CloudWatch::Alarm" => {
                if let Some(name) = text("AlarmName") {
                    let alarm = arn("cloudwatch", &format!("alarm:{name}"));
                    add(name, alarm);
                }
            }
            "AWS::IAM::Role" => {
                if let Some(name) = text("RoleName") {
                    let path = text("Path").unwrap_or_else(|| "/".to_owned());
                    let partition = location.partition();
                    let role = format!("arn:{partition}:iam::{account}:role{path}{name}");
                    add(name, role);
                }
            }
            _ => {}
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn context_check(template: &Value, expected: &Value) {
        let parameters = BTreeMap::from([("BusName".to_owned(), "gizmos".to_owned())]);
        let location = Location::new("333344445555", "eu-central-1");
        let resources = BTreeMap::from([("Queue.Arn".to_owned(), "arn:queue".to_owned())]);
        let context = Context {
            location: &location,
            parameters: &parameters,
            resources: &resources,
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
        context_check(
            &json!({"Fn::GetAtt": ["Queue", "Arn"]}),
            &json!("arn:queue"),
        );
        context_check(&json!({"Fn::Sub": "${Queue.Arn}/*"}), &json!("arn:queue/*"));
    }
}
