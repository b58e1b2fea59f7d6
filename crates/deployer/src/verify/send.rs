//! Sends one event and compares actual with expected alerts.

use std::collections::BTreeSet;

use rules::Rule;
use serde_json::Value;

use super::chain::{Chain, ChainError, Delivery, Hop, HopOutcome};
use super::expect::{self, Alert, Watch, at_location};
use super::report::{Case, CaseKind};
use crate::ports::Location;

/// An event that was sent.
pub(super) struct Sent<'a> {
    pub(super) rule: &'a Rule,
    pub(super) test: String,
    pub(super) kind: CaseKind,
    pub(super) location: Location,
    pub(super) event: Value,
    /// Hostile values by their path in the event.
    pub(super) planted: Vec<(String, String)>,
}

/// Actual alerts compared with expected ones.
#[derive(Default)]
struct Comparison {
    failures: Vec<String>,
    /// Correct alerts of the rule under test.
    alerts: Vec<Delivery>,
    /// Whether an expected alert did not arrive.
    missing: bool,
}

pub(super) async fn send(
    chain: &impl Chain,
    watch: &Watch<'_>,
    sent: Sent<'_>,
) -> Result<Case, ChainError> {
    let event = at_location(&sent.event, &sent.location);
    let trace = chain.send(&sent.location, &event).await?;
    // Events of a global service appear in us-east-1, wherever the call was made, and those of
    // IAM Identity Center in the management account.
    let location = trace.hops.first().map_or_else(
        || sent.location.clone(),
        |hop| Location::new(&hop.account, &hop.region),
    );
    let event = at_location(&event, &location);
    let mut found = Comparison::default();
    match watch.expected(trace.event.as_ref(), &event, &location, &trace.event_id) {
        Ok(expected) => {
            found.failures.extend(sent.contradiction(&expected));
            found.compare(&sent, &expected, &trace.deliveries);
        }
        Err(reason) => {
            found.failures.push(reason);
            found.compare(&sent, &[], &trace.deliveries);
        }
    }
    let broken_link = found.missing.then(|| broken_link(&trace.hops)).flatten();
    if found.missing && broken_link.is_none() {
        found.failures.push(match trace.hops.last() {
            Some(hop) => format!(
                "the last link the event reached is {} in {} {}",
                hop.link, hop.account, hop.region
            ),
            None => "the event reached no link of the chain".to_owned(),
        });
    }
    let hops = if found.failures.is_empty() {
        Vec::new()
    } else {
        trace.hops
    };
    Ok(Case {
        event_id: Some(trace.event_id),
        rule: sent.rule.id.clone(),
        test: sent.test,
        kind: sent.kind,
        location: sent.location,
        failures: found.failures,
        alerts: found.alerts,
        hops,
        broken_link,
    })
}

impl Sent<'_> {
    fn is_mine(&self, alert: &Alert) -> bool {
        alert.rule == self.rule.id
    }

    /// Why the expected alerts contradict the test itself.
    fn contradiction(&self, expected: &[Alert]) -> Option<String> {
        let alerts = expected.iter().any(|alert| self.is_mine(alert));
        let (location, rule) = (&self.location, &self.rule.id);
        match self.kind {
            CaseKind::Negative if alerts => Some(format!(
                "as sent from {location}, the event matches {rule}, so it is not a negative test"
            )),
            CaseKind::Positive | CaseKind::Hostile if self.rule.message.is_some() && !alerts => {
                Some(format!(
                    "as sent from {location}, the event does not cause an alert of {rule}"
                ))
            }
            _ => None,
        }
    }

    /// Checks a hostile alert: it must still be valid JSON and contain the planted values that the
    /// message shows, unchanged.
    fn unreadable(&self, delivery: &Delivery) -> Vec<String> {
        if self.kind != CaseKind::Hostile {
            return Vec::new();
        }
        let text = expect::message_of(delivery);
        let Ok(body) = text.parse::<Value>() else {
            return vec![format!(
                "the alert at {} is no longer valid JSON: {text}",
                delivery.endpoint
            )];
        };
        let mut values = BTreeSet::new();
        strings(&body, &mut values);
        let message = self.rule.message.as_ref();
        let shown: BTreeSet<&str> = message
            .map(|message| message.placeholders().into_iter().collect())
            .unwrap_or_default();
        self.planted
            .iter()
            .filter(|(path, _)| shown.contains(path.as_str()))
            .filter(|(_, value)| !values.iter().any(|found| found.contains(value.as_str())))
            .map(|(path, _)| {
                format!(
                    "the alert at {} does not show the value planted in {path}",
                    delivery.endpoint
                )
            })
            .collect()
    }
}

impl Comparison {
    fn compare(&mut self, sent: &Sent<'_>, expected: &[Alert], deliveries: &[Delivery]) {
        let mut arrived: Vec<Option<&Delivery>> = deliveries.iter().map(Some).collect();
        for alert in expected {
            let right = arrived
                .iter_mut()
                .find(|it| it.is_some_and(|it| alert.is(it)));
            if let Some(delivery) = right.and_then(Option::take) {
                if sent.is_mine(alert) {
                    self.alerts.push(delivery.clone());
                    self.failures.extend(sent.unreadable(delivery));
                }
                continue;
            }
            let wrong = arrived
                .iter_mut()
                .find(|it| it.is_some_and(|it| alert.is_for(it)));
            if let Some(delivery) = wrong.and_then(Option::take) {
                self.failures.push(format!(
                    "the alert of {} to {} has the wrong text: expected {}, arrived {}",
                    alert.rule, alert.endpoint, alert.text, delivery.body
                ));
            } else {
                self.missing = true;
                self.failures.push(format!(
                    "no alert of {} arrived at {} ({}, topic {})",
                    alert.rule, alert.endpoint, alert.protocol, alert.topic
                ));
            }
        }
        for delivery in arrived.into_iter().flatten() {
            self.failures.push(format!(
                "an unexpected alert arrived at {} (topic {}): {}",
                delivery.endpoint, delivery.topic_arn, delivery.body
            ));
        }
    }
}

/// The link that stopped an alert. Denials and failures take precedence over "no rule matched",
/// which is normal for most rules.
pub(super) fn broken_link(hops: &[Hop]) -> Option<Hop> {
    let of = |outcome| hops.iter().find(|hop| hop.outcome == outcome);
    of(HopOutcome::Denied)
        .or_else(|| of(HopOutcome::Failed))
        .or_else(|| hops.iter().rfind(|hop| hop.outcome == HopOutcome::Dropped))
        .cloned()
}

fn strings(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            found.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(map) => map.values().for_each(|item| strings(item, found)),
        _ => {}
    }
}
