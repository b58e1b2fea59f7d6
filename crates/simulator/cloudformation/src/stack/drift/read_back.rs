//! What CloudFormation's read handlers return instead of the truth.
//!
//! Each entry is a false positive or a blind spot that users have reported. A deployer that trusts
//! drift detection must fail here as it would on AWS.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::template::Template;

/// What drift detection can read, for defects that AWS has or hasn't fixed in a Region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DriftReading {
    /// Whether the handler of `AWS::Events::Rule` reads a target's dead-letter queue and retry
    /// policy. The report of the defect is open although a fix was confirmed.
    ///
    /// <https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2006>
    pub target_details: bool,
    /// Resources whose read handler fails; their status is `UNKNOWN`.
    pub unreadable: Vec<Unreadable>,
}

/// Resources of one type in one account and Region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unreadable {
    /// Twelve digits.
    pub account: String,
    /// For example `eu-central-1`.
    pub region: String,
    /// For example `AWS::SQS::Queue`.
    pub resource_type: String,
}

impl DriftReading {
    /// Whether the read handler fails there.
    pub(super) fn fails(&self, account: &str, region: &str, resource_type: &str) -> bool {
        self.unreadable.iter().any(|it| {
            it.account == account && it.region == region && it.resource_type == resource_type
        })
    }

    /// Whether any read handler fails there.
    pub(super) fn fails_at(&self, account: &str, region: &str) -> bool {
        let mut all = self.unreadable.iter();
        all.any(|it| it.account == account && it.region == region)
    }

    /// The logical ids of a template's resources that read handlers misrepresent although they are as
    /// the template says.
    pub(super) fn misread<'t>(&self, template: &'t Template) -> &'t [String] {
        template.misread(self.target_details, || {
            let resources = template.resources.iter();
            let misread = resources.filter(|(_, declared)| {
                let mut read = declared.properties.clone();
                self.apply(&declared.kind, &declared.properties, &mut read);
                read != declared.properties
            });
            misread.map(|(name, _)| name.clone()).collect()
        })
    }

    /// Replaces the live properties by what the type's read handler returns.
    pub(super) fn apply(&self, kind: &str, expected: &Value, live: &mut Value) {
        let Value::Object(live) = live else {
            return;
        };
        match kind {
            // roadmap issue 2188
            "AWS::Events::EventBus" => {
                live.shift_remove("Policy");
            }
            "AWS::Events::Rule" if !self.target_details => forget_target_details(live),
            "AWS::S3::Bucket" => forget_lifecycle_details(live),
            "AWS::S3::BucketPolicy"
            | "AWS::SQS::QueueInlinePolicy"
            | "AWS::SQS::QueuePolicy"
            | "AWS::SNS::TopicInlinePolicy"
            | "AWS::SNS::TopicPolicy" => store(live.get_mut("PolicyDocument")),
            "AWS::Events::EventBusPolicy" => store(live.get_mut("Statement")),
            "AWS::KMS::Key" => {
                hide_removed_statements(expected, live);
                store(live.get_mut("KeyPolicy"));
            }
            "AWS::KMS::Alias" => hide_all(expected, live),
            "AWS::IAM::Role" => hide_additions(expected, live),
            _ => {}
        }
    }
}

/// Roadmap issues 956, 968, 1605 and 2006.
fn forget_target_details(live: &mut Map<String, Value>) {
    let targets = live.get_mut("Targets").and_then(Value::as_array_mut);
    for target in targets.into_iter().flatten() {
        if let Some(target) = target.as_object_mut() {
            target.shift_remove("DeadLetterConfig");
            target.shift_remove("RetryPolicy");
        }
    }
}

/// Roadmap issues 965 and 966.
fn forget_lifecycle_details(live: &mut Map<String, Value>) {
    let rules = live
        .get_mut("LifecycleConfiguration")
        .and_then(|it| it.get_mut("Rules"))
        .and_then(Value::as_array_mut);
    for rule in rules.into_iter().flatten() {
        let Some(rule) = rule.as_object_mut() else {
            continue;
        };
        rule.shift_remove("ExpiredObjectDeleteMarker");
        let transitions = rule.get_mut("Transitions").and_then(Value::as_array_mut);
        for transition in transitions.into_iter().flatten() {
            if let Some(transition) = transition.as_object_mut()
                && transition.get("TransitionInDays") == Some(&Value::from(0))
            {
                transition.shift_remove("TransitionInDays");
            }
        }
    }
}

/// A policy as services return it: booleans are text, and a list of one is its item.
fn store(document: Option<&mut Value>) {
    let Some(document) = document else {
        return;
    };
    match document {
        Value::Bool(flag) => *document = Value::from(flag.to_string()),
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                // Statements stay a list.
                let statements = name == "Statement";
                store(Some(field));
                if let (false, Value::Array(items)) = (statements, &mut *field)
                    && items.len() == 1
                {
                    *field = items.remove(0);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                store(Some(item));
            }
        }
        _ => {}
    }
}

/// Roadmap issue 936: a statement that was removed from a key's policy is not missed.
fn hide_removed_statements(expected: &Value, live: &mut Map<String, Value>) {
    let statements = |policy: Option<&Value>| {
        let statements = policy?.get("Statement")?.as_array()?;
        Some(statements.clone())
    };
    let written = expected.get("KeyPolicy");
    if let (Some(wanted), Some(found)) = (statements(written), statements(live.get("KeyPolicy")))
        && found.iter().all(|statement| wanted.contains(statement))
        && let Some(written) = written
    {
        live.insert("KeyPolicy".to_owned(), written.clone());
    }
}

/// Roadmap issue 1672: no change of an alias is seen.
fn hide_all(expected: &Value, live: &mut Map<String, Value>) {
    if let Value::Object(expected) = expected {
        live.clone_from(expected);
    }
}

/// Roadmap issues 936 and 2489: policies that were added to a role are not seen.
fn hide_additions(expected: &Value, live: &mut Map<String, Value>) {
    let named = |policy: &Value| policy.get("PolicyName").cloned();
    let wanted: Vec<Value> = (expected.get("Policies").and_then(Value::as_array))
        .into_iter()
        .flatten()
        .filter_map(named)
        .collect();
    if let Some(policies) = live.get_mut("Policies").and_then(Value::as_array_mut) {
        policies.retain(|policy| named(policy).is_some_and(|name| wanted.contains(&name)));
    }
    let wanted = expected.get("ManagedPolicyArns").and_then(Value::as_array);
    let attached = live.get_mut("ManagedPolicyArns");
    if let (Some(wanted), Some(attached)) = (wanted, attached.and_then(Value::as_array_mut)) {
        attached.retain(|arn| wanted.contains(arn));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(kind: &str, expected: &Value, live: &Value) -> Value {
        let mut read = live.clone();
        DriftReading::default().apply(kind, expected, &mut read);
        read
    }

    #[test]
    fn the_policy_of_a_bus_reads_as_missing() {
        let bus = json!({"Name": "gizmos", "Policy": {"Statement": []}});
        assert_eq!(
            read("AWS::Events::EventBus", &bus, &bus),
            json!({"Name": "gizmos"})
        );
    }

    #[test]
    fn the_details_of_a_target_read_as_missing_unless_the_handler_is_fixed() {
        let rule = json!({"Targets": [{"Id": "a", "RetryPolicy": {}, "DeadLetterConfig": {}}]});
        let missing = json!({"Targets": [{"Id": "a"}]});
        assert_eq!(read("AWS::Events::Rule", &rule, &rule), missing);
        let fixed = DriftReading {
            target_details: true,
            ..DriftReading::default()
        };
        let mut read = rule.clone();
        fixed.apply("AWS::Events::Rule", &rule, &mut read);
        assert_eq!(read, rule);
    }

    #[test]
    fn services_store_booleans_as_text_and_lists_of_one_as_their_item() {
        let written = json!({"PolicyDocument": {"Statement": [{
            "Action": ["s3:*"], "Condition": {"Bool": {"aws:SecureTransport": false}}}]}});
        let stored = json!({"PolicyDocument": {"Statement": [{
            "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}});
        assert_eq!(read("AWS::S3::BucketPolicy", &written, &written), stored);
    }

    #[test]
    fn additions_to_a_role_and_removals_from_a_key_are_not_seen() {
        let role = json!({"Policies": [{"PolicyName": "ours"}]});
        let more = json!({"Policies": [{"PolicyName": "ours"}, {"PolicyName": "theirs"}]});
        assert_eq!(read("AWS::IAM::Role", &role, &more), role);
        let key = json!({"KeyPolicy": {"Statement": [{"Sid": "A"}, {"Sid": "B"}]}});
        let less = json!({"KeyPolicy": {"Statement": [{"Sid": "B"}]}});
        assert_eq!(read("AWS::KMS::Key", &key, &less), key);
        let other = json!({"KeyPolicy": {"Statement": [{"Sid": "C"}]}});
        assert_eq!(read("AWS::KMS::Key", &key, &other), other);
    }
}
