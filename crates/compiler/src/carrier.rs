//! Finds the deployed resources that implement a rule, from the compiled templates.

use serde::Serialize;
use serde_json::Value;

use crate::bundle::{Bundle, Part, StackSet, Targets};

/// A resource that implements a rule, possibly together with other rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Carrier {
    /// The stack set's name.
    pub stack_set: String,
    /// The stack set's part of the alert chain.
    pub part: Part,
    /// Where the stack set's stacks are deployed.
    pub targets: Targets,
    /// Logical id in the template.
    pub resource: String,
    /// Resource type, such as `AWS::Events::Rule`.
    pub kind: String,
    /// The state of an EventBridge rule.
    pub state: Option<String>,
    /// The event pattern of an EventBridge rule, as compact JSON.
    pub pattern: Option<String>,
    /// Ids of the targets of an EventBridge rule; the id of a topic target is the topic's name.
    pub target_ids: Vec<String>,
    /// Ids of all rules that it implements.
    pub rules: Vec<String>,
}

impl Bundle {
    /// The resources that implement a rule, in order of deployment. Empty if the rule isn't
    /// deployed.
    pub fn carriers(&self, rule: &str) -> Vec<Carrier> {
        let mut carriers = Vec::new();
        for set in &self.stack_sets {
            let template: Value = serde_json::from_str(&set.template).unwrap_or_default();
            for (resource, rules) in &set.rules {
                if rules.iter().any(|id| id == rule) {
                    carriers.push(carrier(set, &template, resource, rules));
                }
            }
        }
        carriers
    }
}

fn carrier(set: &StackSet, template: &Value, resource: &str, rules: &[String]) -> Carrier {
    let body = template
        .get("Resources")
        .and_then(|resources| resources.get(resource))
        .unwrap_or(&Value::Null);
    let property = |name: &str| body.get("Properties").and_then(|it| it.get(name));
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let kind = text(body.get("Type")).unwrap_or_default();
    let is_rule = kind == "AWS::Events::Rule";
    let targets = property("Targets")
        .filter(|_| is_rule)
        .and_then(Value::as_array);
    Carrier {
        stack_set: set.name.clone(),
        part: set.part,
        targets: set.targets.clone(),
        resource: resource.to_owned(),
        state: text(property("State")).filter(|_| is_rule),
        pattern: property("EventPattern")
            .filter(|_| is_rule)
            .map(Value::to_string),
        target_ids: targets
            .into_iter()
            .flatten()
            .filter_map(|target| text(target.get("Id")))
            .collect(),
        kind,
        rules: rules.to_vec(),
    }
}
