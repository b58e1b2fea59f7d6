//! Canaries: harmless events that `verify` sends through the deployed chain, and the names and
//! patterns by which the chain recognizes them.
//!
//! A canary takes the way of every alert, up to a topic and a queue of its own. People's
//! subscriptions get no filter to hide canaries from them: a filter would be one more way to lose
//! an alert.

use std::collections::BTreeMap;

use eventbridge_pattern::Pattern;
use minijinja::{Value, context};
use serde_json::json;

use crate::forward::Forwarder;

/// The short name of the canaries' topic, which no topic of the organization file may have.
pub(crate) const TOPIC: &str = "canary";
/// Whether a topic can't have this name, because its name on AWS or its logical id would be that of
/// the canaries' topic.
pub(crate) fn is_reserved(topic: &str) -> bool {
    topic.replace('-', "") == TOPIC
}

/// The name on AWS of the canaries' topic, and of their queue.
pub const NAME: &str = "gizmos-canary";
/// The source of canaries that are put on a default bus.
pub const SOURCE: &str = "gizmos.canary";
/// Their detail type.
pub const DETAIL_TYPE: &str = "Gizmos Canary";
/// Prefix of the names of the parameters that a probe of CloudTrail pretends to delete; the rest
/// of the name is the nonce. No such parameter ever exists.
pub const PARAMETER_PREFIX: &str = "/gizmos/heartbeat-never-exists/";

/// The two ways in which a canary enters the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CanaryKind {
    /// `events:PutEvents` on a default bus: everything behind that bus.
    Event,
    /// `ssm:DeleteParameters`, which CloudTrail records: everything, from the API call on.
    CloudTrail,
}

impl CanaryKind {
    /// Both kinds.
    pub const ALL: [CanaryKind; 2] = [CanaryKind::Event, CanaryKind::CloudTrail];

    /// The value of `kind` in the message that reaches the queue.
    pub fn name(self) -> &'static str {
        match self {
            CanaryKind::Event => "canary",
            CanaryKind::CloudTrail => "cloudtrail",
        }
    }

    /// The name of the hub's rule.
    pub fn rule_name(self) -> &'static str {
        match self {
            CanaryKind::Event => "gizmos-canary",
            CanaryKind::CloudTrail => "gizmos-canary-cloudtrail",
        }
    }

    /// The pattern of forwarders and of the hub's rule.
    pub fn pattern(self) -> serde_json::Value {
        match self {
            CanaryKind::Event => json!({"source": [SOURCE], "detail-type": [DETAIL_TYPE]}),
            CanaryKind::CloudTrail => json!({
                "source": ["aws.ssm"],
                "detail-type": ["AWS API Call via CloudTrail"],
                "detail": {
                    "eventSource": ["ssm.amazonaws.com"],
                    "eventName": ["DeleteParameters"],
                    "requestParameters": {"names": [{"prefix": PARAMETER_PREFIX}]},
                },
            }),
        }
    }

    fn nonce_path(self) -> &'static str {
        match self {
            CanaryKind::Event => "$.detail.nonce",
            CanaryKind::CloudTrail => "$.detail.requestParameters.names[0]",
        }
    }

    fn description(self) -> &'static str {
        match self {
            CanaryKind::Event => "Publishes canaries, which prove that the alert chain works",
            CanaryKind::CloudTrail => {
                "Publishes canaries that CloudTrail recorded, which prove that the alert chain works"
            }
        }
    }

    /// The context of the hub's rule.
    pub(crate) fn hub_rule(self) -> Value {
        let logical_id = match self {
            CanaryKind::Event => "CanaryRule",
            CanaryKind::CloudTrail => "CloudTrailCanaryRule",
        };
        let input_paths = BTreeMap::from([
            ("account", "$.account"),
            ("nonce", self.nonce_path()),
            ("region", "$.region"),
        ]);
        let kind = self.name();
        context! {
            logical_id,
            name => self.rule_name(),
            description => self.description(),
            pattern => Value::from_safe_string(self.pattern().to_string()),
            input_paths,
            // Values stand alone, so that no content of an event can break the message. Like an
            // alert, it has one field per line.
            input_template => format!(
                "{{\n  \"kind\": \"{kind}\",\n  \"account\": <account>,\n  \"region\": <region>,\n  \"nonce\": <nonce>\n}}"
            ),
        }
    }

    /// The spokes' forwarder. It is never merged with the detections' forwarders, so that it stays
    /// the same when rules change.
    pub(crate) fn forwarder(self) -> Option<Forwarder> {
        let (group, logical_id) = match self {
            CanaryKind::Event => ("canaries", "ForwardCanary"),
            CanaryKind::CloudTrail => ("CloudTrail canaries", "ForwardCloudTrailCanary"),
        };
        Some(Forwarder {
            group: group.to_owned(),
            sources: vec![group.to_owned()],
            logical_id: logical_id.to_owned(),
            pattern: Pattern::parse(&self.pattern().to_string()).ok()?,
            read_only: false,
            rules: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_can_not_take_the_canaries_name() {
        for (topic, reserved) in [("canary", true), ("canary-", true), ("canaries", false)] {
            assert_eq!(is_reserved(topic), reserved, "{topic}");
        }
    }

    #[test]
    fn both_kinds_of_canary_have_a_forwarder() {
        for kind in CanaryKind::ALL {
            assert!(kind.forwarder().is_some(), "{kind:?}");
        }
    }
}
