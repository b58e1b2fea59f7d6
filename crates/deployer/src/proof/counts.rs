//! What `CloudWatch` counted of the canaries' rules: where a lost canary left no dead letter, that
//! is AWS's only word.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use compiler::canary::CanaryKind;

use super::hub::Hub;
use super::report::Link;
use super::{CANARY, Plan};
use crate::ports::{Cloud, CloudError, Location, Metric};

/// EventBridge sends the last three only when they aren't zero.
const OF_RULE: [&str; 4] = [
    "MatchedEvents",
    "InvocationsSentToDlq",
    "FailedInvocations",
    "InvocationsFailedToBeSentToDlq",
];

/// What EventBridge counted of a rule.
#[derive(Clone, Debug, Default)]
pub(super) struct RuleCounts([f64; 4]);

impl RuleCounts {
    /// Reads the counts of a rule; `bus` is `None` for the default bus.
    pub(super) async fn read(
        cloud: &impl Cloud,
        location: &Location,
        bus: Option<&str>,
        rule: &str,
        since: SystemTime,
    ) -> Result<RuleCounts, CloudError> {
        let metrics = of_rule(bus, rule);
        let sums = cloud.metric_sums(location, &metrics, since).await?;
        Ok(RuleCounts::of(&sums))
    }

    fn of(sums: &[f64]) -> RuleCounts {
        let mut counts = RuleCounts::default();
        counts
            .0
            .iter_mut()
            .zip(sums)
            .for_each(|(to, from)| *to = *from);
        counts
    }

    fn has_matched(&self) -> bool {
        let [matched, ..] = self.0;
        matched > 0.0
    }

    fn has_failed(&self) -> bool {
        let [_, failures @ ..] = self.0;
        failures.iter().any(|count| *count > 0.0)
    }
}

impl fmt::Display for RuleCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = OF_RULE.iter().zip(self.0);
        let words: Vec<String> = named
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        f.write_str(&words.join(", "))
    }
}

fn of_rule(bus: Option<&str>, rule: &str) -> Vec<Metric> {
    let of_bus = bus.map(|bus| ("EventBusName", bus.to_owned()));
    let dimensions: Vec<(&str, String)> = of_bus
        .into_iter()
        .chain([("RuleName", rule.to_owned())])
        .collect();
    let metric = |name| Metric {
        namespace: "AWS/Events",
        name,
        dimensions: dimensions.clone(),
    };
    OF_RULE.map(metric).to_vec()
}

/// What was counted in the hub, for the canaries of all accounts and Regions together.
pub(super) struct HubCounts {
    rules: BTreeMap<CanaryKind, RuleCounts>,
    /// Messages that the canaries' topic could not send to its queue.
    refused: f64,
}

impl HubCounts {
    pub(super) async fn read(
        cloud: &impl Cloud,
        plan: &Plan<'_>,
        hub: &Hub,
        since: SystemTime,
    ) -> Result<HubCounts, CloudError> {
        let bus = plan.hub_bus.rsplit('/').next();
        let of_rules = CanaryKind::ALL
            .iter()
            .flat_map(|kind| of_rule(bus, kind.rule_name()));
        let of_topic = Metric {
            namespace: "AWS/SNS",
            name: "NumberOfNotificationsFailed",
            dimensions: vec![("TopicName", CANARY.to_owned())],
        };
        let metrics: Vec<Metric> = of_rules.chain([of_topic]).collect();
        let sums = cloud.metric_sums(&hub.location, &metrics, since).await?;
        let rules = CanaryKind::ALL.into_iter().zip(sums.chunks(OF_RULE.len()));
        Ok(HubCounts {
            rules: rules
                .map(|(kind, sums)| (kind, RuleCounts::of(sums)))
                .collect(),
            refused: sums.last().copied().unwrap_or_default(),
        })
    }

    pub(super) fn words(&self, kind: CanaryKind) -> String {
        let counts = self.rules.get(&kind).cloned().unwrap_or_default();
        format!(
            "{counts}; for topic {CANARY}: NumberOfNotificationsFailed {}",
            self.refused
        )
    }
}

/// Where a canary without a dead letter was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The forwarder matched nothing.
    BeforeForwarder,
    /// The forwarder could not deliver.
    AtForwarder,
    /// The forwarder delivered, and the hub's rule matched nothing.
    BeforeHub,
    /// The hub's rule could not deliver.
    AtRule,
    /// The topic could not send to the queue.
    AtTopic,
    /// The metrics say nothing.
    Somewhere,
}

impl Lost {
    /// In an event's order: the first link that metrics show to have failed.
    pub(super) fn find(spoke: &RuleCounts, hub: &HubCounts, kind: CanaryKind) -> Lost {
        let rule = hub.rules.get(&kind).cloned().unwrap_or_default();
        if !spoke.has_matched() {
            Lost::BeforeForwarder
        } else if spoke.has_failed() {
            Lost::AtForwarder
        } else if !rule.has_matched() {
            Lost::BeforeHub
        } else if rule.has_failed() {
            Lost::AtRule
        } else if hub.refused > 0.0 {
            Lost::AtTopic
        } else {
            Lost::Somewhere
        }
    }

    pub(super) fn link(self) -> Link {
        match self {
            Lost::AtRule | Lost::AtTopic => Link::Alerting,
            _ => Link::Forwarding,
        }
    }

    pub(super) fn words(self, kind: CanaryKind) -> String {
        let rule = kind.rule_name();
        match self {
            Lost::BeforeForwarder => {
                "between the default bus and the canaries' forwarder".to_owned()
            }
            Lost::AtForwarder => "the canaries' forwarder".to_owned(),
            Lost::BeforeHub => format!("between the canaries' forwarder and rule {rule}"),
            Lost::AtRule => format!("rule {rule}"),
            Lost::AtTopic => format!("topic {CANARY} to queue {CANARY}"),
            Lost::Somewhere => "between the default bus and the canaries' queue".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_name_the_first_link_that_failed() {
        let kind = CanaryKind::Event;
        let of = |spoke: [f64; 4], rule: [f64; 4], refused| {
            let hub = HubCounts {
                rules: BTreeMap::from([(kind, RuleCounts(rule))]),
                refused,
            };
            Lost::find(&RuleCounts(spoke), &hub, kind)
        };
        let (none, one, dead) = ([0.0; 4], [1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]);
        assert_eq!(of(none, one, 1.0), Lost::BeforeForwarder);
        assert_eq!(of(dead, one, 1.0), Lost::AtForwarder);
        assert_eq!(of(one, none, 1.0), Lost::BeforeHub);
        assert_eq!(of(one, dead, 1.0), Lost::AtRule);
        assert_eq!(of(one, one, 1.0), Lost::AtTopic);
        assert_eq!(of(one, one, 0.0), Lost::Somewhere);
    }
}
