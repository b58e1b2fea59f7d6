//! What a template says about the resources that our own looks compare: rules, roles and the
//! dead-letter queue. Values are as written, with CloudFormation's functions.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::settle::Source;
use crate::fleet::document::same_pattern;
use crate::fleet::resolve::{Context, is_constant};
use crate::fleet::template::rule_of;
use crate::ports::{Location, RoleDetails};

/// A rule of a template.
#[derive(Debug)]
pub(crate) struct ExpectedRule {
    pub(crate) logical_id: String,
    /// The rule file that it was compiled from.
    pub(crate) rule: Option<String>,
    /// A fixed name, if it has one.
    name: Value,
    bus: Value,
    pub(crate) state: String,
    pub(crate) pattern: Option<ExpectedPattern>,
    pub(crate) targets: Value,
}

/// The pattern of a template's rule. A fleet has thousands of rules made from each, all of them with
/// the same pattern, which is compared once.
#[derive(Debug)]
pub(crate) struct ExpectedPattern {
    written: Value,
    /// Whether it is the same everywhere: it has no functions.
    is_constant: bool,
    /// The last pattern of a listed rule that was equal to it.
    equal: Mutex<Option<Arc<Value>>>,
}

impl ExpectedPattern {
    fn new(written: Value) -> ExpectedPattern {
        ExpectedPattern {
            is_constant: is_constant(&written),
            written,
            equal: Mutex::default(),
        }
    }

    /// Without functions.
    pub(crate) fn resolve(&self, context: &Context<'_>) -> Cow<'_, Value> {
        if self.is_constant {
            Cow::Borrowed(&self.written)
        } else {
            Cow::Owned(context.resolve(&self.written))
        }
    }

    /// Whether a listed rule has this pattern.
    pub(crate) fn is(&self, context: &Context<'_>, actual: &Arc<Value>) -> bool {
        let compare = || same_pattern(&self.resolve(context), actual);
        if !self.is_constant {
            return compare();
        }
        let mut equal = self.equal.lock().unwrap_or_else(PoisonError::into_inner);
        if equal.as_ref().is_some_and(|it| Arc::ptr_eq(it, actual)) {
            return true;
        }
        let is_equal = compare();
        if is_equal {
            *equal = Some(Arc::clone(actual));
        }
        is_equal
    }
}

/// A role of a template.
#[derive(Debug)]
pub(crate) struct ExpectedRole {
    pub(crate) logical_id: String,
    pub(crate) path: String,
    /// A fixed name, if it has one.
    name: Value,
    inline: BTreeMap<String, Value>,
    attached: Value,
    trust: Value,
}

/// Everything to look at in the stacks of one template.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) rules: Vec<ExpectedRule>,
    pub(crate) roles: Vec<ExpectedRole>,
    /// The properties of the stack's dead-letter queue.
    pub(crate) queue: Option<Value>,
    /// The policy of the stack's dead-letter queue.
    pub(crate) queue_policy: Option<Value>,
}

impl Expected {
    pub(crate) fn of(source: &Source) -> Expected {
        let mut expected = Expected::default();
        for (logical_id, resource) in &source.resources {
            let property = |name: &str| {
                let properties = resource.get("Properties")?;
                properties.get(name).cloned()
            };
            match resource.get("Type").and_then(Value::as_str) {
                Some("AWS::Events::Rule") => expected.rules.push(ExpectedRule {
                    logical_id: logical_id.clone(),
                    rule: rule_of(resource).map(str::to_owned),
                    name: property("Name").unwrap_or_default(),
                    bus: property("EventBusName").unwrap_or_else(|| "default".into()),
                    state: property("State")
                        .and_then(|state| state.as_str().map(str::to_owned))
                        .unwrap_or_else(|| "ENABLED".to_owned()),
                    pattern: property("EventPattern").map(ExpectedPattern::new),
                    targets: property("Targets").unwrap_or_else(|| Value::Array(Vec::new())),
                }),
                Some("AWS::IAM::Role") => expected.roles.push(ExpectedRole {
                    logical_id: logical_id.clone(),
                    path: property("Path")
                        .and_then(|path| path.as_str().map(str::to_owned))
                        .unwrap_or_else(|| "/".to_owned()),
                    name: property("RoleName").unwrap_or_default(),
                    inline: inline(property("Policies").as_ref()),
                    attached: property("ManagedPolicyArns")
                        .unwrap_or_else(|| Value::Array(Vec::new())),
                    trust: property("AssumeRolePolicyDocument").unwrap_or_default(),
                }),
                Some("AWS::SQS::Queue") => {
                    expected.queue = resource.get("Properties").cloned();
                }
                Some("AWS::SQS::QueueInlinePolicy") => {
                    expected.queue_policy = property("PolicyDocument");
                }
                _ => {}
            }
        }
        expected
    }
}

fn inline(policies: Option<&Value>) -> BTreeMap<String, Value> {
    let policies = policies.and_then(Value::as_array);
    let policies = policies.into_iter().flatten();
    policies
        .filter_map(|policy| {
            let name = policy.get("PolicyName")?.as_str()?;
            Some((name.to_owned(), policy.get("PolicyDocument")?.clone()))
        })
        .collect()
}

impl ExpectedRule {
    /// The name of its bus.
    pub(crate) fn bus(&self, context: &Context<'_>) -> String {
        let bus = context.resolve(&self.bus);
        bus.as_str().unwrap_or_default().to_owned()
    }

    /// Whether a rule with this physical name can be it.
    pub(crate) fn is_named(&self, context: &Context<'_>, name: &str) -> bool {
        is_named(&self.name, context, &self.logical_id, name)
    }

    /// Its fixed name, if it has one.
    pub(crate) fn fixed_name(&self, context: &Context<'_>) -> Option<String> {
        context.resolve(&self.name).as_str().map(str::to_owned)
    }

    /// Whether a rule with any other name can't be it.
    pub(crate) fn has_fixed_name(&self) -> bool {
        !self.name.is_null()
    }
}

impl ExpectedRole {
    /// Whether a role with this path and physical name can be it.
    pub(crate) fn is(&self, context: &Context<'_>, role: &RoleDetails) -> bool {
        self.path == role.path && is_named(&self.name, context, &self.logical_id, &role.name)
    }

    /// Its inline policies and the ARNs of its managed policies, resolved.
    pub(crate) fn policies(&self, context: &Context<'_>) -> (BTreeMap<String, Value>, Value) {
        let inline = self.inline.iter();
        let inline = inline.map(|(name, document)| (name.clone(), context.resolve(document)));
        (inline.collect(), context.resolve(&self.attached))
    }

    /// Its trust policy, resolved.
    pub(crate) fn trust(&self, context: &Context<'_>) -> Value {
        context.resolve(&self.trust)
    }
}

/// Whether a physical name is the fixed one, or was generated for the logical id:
/// `stack-LogicalId-SUFFIX`, in which CloudFormation shortens both if the name gets too long.
fn is_named(fixed: &Value, context: &Context<'_>, logical_id: &str, name: &str) -> bool {
    /// CloudFormation leaves at least so much of a logical id.
    const KEPT: usize = 16;
    if !fixed.is_null() {
        return context.resolve(fixed) == name;
    }
    let mut parts = name.rsplit('-').skip(1);
    parts.next().is_some_and(|part| {
        logical_id.starts_with(part) && part.len() >= logical_id.len().min(KEPT)
    })
}

/// What a stack's outputs tell about its resources, for [`Context::resources`].
pub(crate) fn known_resources(
    location: &Location,
    queue_url: Option<&String>,
    role: Option<(&String, &str)>,
) -> BTreeMap<String, String> {
    let Location { account, region } = location;
    let partition = location.partition();
    let mut known = BTreeMap::new();
    if let Some(url) = queue_url {
        let name = url.rsplit('/').next().unwrap_or(url);
        let arn = format!("arn:{partition}:sqs:{region}:{account}:{name}");
        known.insert("DeadLetters".to_owned(), url.clone());
        known.insert("DeadLetters.Arn".to_owned(), arn);
    }
    if let Some((role, path)) = role {
        let arn = format!("arn:{partition}:iam::{account}:role{path}{role}");
        known.insert("ForwarderRole".to_owned(), role.clone());
        known.insert("ForwarderRole.Arn".to_owned(), arn);
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(logical_id: &str, name: &str) -> bool {
        let location = Location::new("111122223333", "eu-central-1");
        let context = Context {
            location: &location,
            parameters: &BTreeMap::new(),
            resources: &BTreeMap::new(),
        };
        is_named(&Value::Null, &context, logical_id, name)
    }

    #[test]
    fn a_generated_name_carries_the_logical_id_even_if_shortened() {
        assert!(named(
            "ForwarderRole",
            "StackSet-gizmos-rules-sp-ForwarderRole-1WFDP9KFQJ3F"
        ));
        assert!(named(
            "Ruleiamcompromisedkeyquarantined",
            "StackSet-gizmos-rules-lo-Ruleiamcompromisedkey-1WFDP9KFQJ3F"
        ));
        assert!(!named(
            "ForwarderRole",
            "StackSet-gizmos-rules-sp-Forwarder-1WFDP9KFQJ3F"
        ));
        assert!(!named("ForwarderRole", "ForwarderRole"));
    }
}
