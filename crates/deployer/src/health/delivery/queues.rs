//! Compares a queue with its template: what decides which messages it takes, and how long they
//! stay.

use serde_json::Value;

use crate::code::DriftCode;
use crate::fleet::document::{same_document, same_policy};
use crate::fleet::resolve::UNKNOWN;
use crate::ports::QueueState;

/// How an attribute is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// It must be as in the template, or else as AWS sets it by default.
    Same,
    /// It must be at least so many.
    AtLeast(u64),
}

/// Attribute, AWS's default and what is demanded of it.
const ATTRIBUTES: [(&str, Option<&str>, Rule); 5] = [
    ("DelaySeconds", Some("0"), Rule::Same),
    ("KmsMasterKeyId", None, Rule::Same),
    // An event or message has at most 256 KiB. AWS has raised the default since.
    ("MaximumMessageSize", None, Rule::AtLeast(262_144)),
    ("MessageRetentionPeriod", Some("345600"), Rule::Same),
    ("RedrivePolicy", None, Rule::Same),
];

/// What differs in a queue.
pub(crate) struct QueueDifference {
    pub(crate) code: DriftCode,
    pub(crate) message: String,
    pub(crate) expected: String,
    pub(crate) actual: String,
    /// The attribute and the value that restores it, if the template doesn't set it, so that
    /// CloudFormation can't restore it.
    reset: Option<(&'static str, String)>,
}

impl QueueDifference {
    /// The command of the AWS CLI that restores what CloudFormation can't.
    pub(crate) fn reset(&self, url: &str) -> Option<String> {
        let (name, value) = self.reset.as_ref()?;
        Some(format!(
            "sqs set-queue-attributes --queue-url {url} --attributes '{{\"{name}\":\"{value}\"}}'"
        ))
    }
}

/// Compares a queue with its resolved properties and policy.
pub(crate) fn compare_queue(
    expected: &Value,
    policy: Option<&Value>,
    actual: &QueueState,
) -> Vec<QueueDifference> {
    let mut found = Vec::new();
    let actual_policy = actual.policy.as_ref().unwrap_or(&Value::Null);
    if let Some(policy) = policy
        && !same_policy(policy, actual_policy)
    {
        found.push(QueueDifference {
            code: DriftCode::QueuePolicy,
            message: "the queue's policy differs from the compiled one, so it may refuse dead \
                      letters"
                .to_owned(),
            expected: policy.to_string(),
            actual: actual_policy.to_string(),
            reset: None,
        });
    }
    for (name, default, rule) in ATTRIBUTES {
        let set = expected.get(name);
        let wanted = set.cloned().or_else(|| default.map(Value::from));
        let given = actual.attributes.get(name);
        let same = match rule {
            Rule::Same => match (&wanted, given) {
                (Some(wanted), Some(given)) => same_document(wanted, &Value::from(given.as_str())),
                (None, None) => true,
                // A queue that doesn't say so has the default.
                (Some(wanted), None) => set.is_none() || wanted.is_null(),
                (None, Some(given)) => given.is_empty(),
            },
            Rule::AtLeast(least) => {
                given.is_none_or(|given| given.parse::<u64>().is_ok_and(|given| given >= least))
            }
        };
        // Which key it is, is seen by what else the key encrypts.
        if same || wanted.as_ref() == Some(&Value::from(UNKNOWN)) {
            continue;
        }
        let least = match rule {
            Rule::Same => String::new(),
            Rule::AtLeast(least) => least.to_string(),
        };
        let value = wanted.as_ref().and_then(Value::as_str).unwrap_or(&least);
        found.push(QueueDifference {
            code: DriftCode::QueueSettings,
            message: format!(
                "the queue's {name} was changed, so it may refuse or lose dead letters"
            ),
            expected: wanted
                .as_ref()
                .map_or_else(|| format!("{name} {least}"), |it| format!("{name} {it}")),
            actual: format!("{name} {}", given.map_or("none", String::as_str)),
            reset: set.is_none().then(|| (name, value.to_owned())),
        });
    }
    found
}
