//! Routes an event through a bus: rules, targets and dead-letter queues.

use std::borrow::Cow;

use eventbridge_pattern::transformer::{Reserved, select};
use serde_json::Value;

use super::dead_letters::{self, Failed};
use super::destinations::deliver;
use super::rules::{Input, Ready, ReadyRule, Target};
use crate::environment::{Cloud, Look, Surprise};
use crate::monitoring::Counted;
use crate::policy::Context;
use crate::sns::Refusal;
use crate::wire::time::iso;
use crate::{Hop, Outcome, Services, Trace};

/// Where an event on a bus comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From a service or `PutEvents`, in the bus's own account and Region.
    Here,
    /// From a rule on a bus of another account or Region; EventBridge doesn't forward it again.
    Forwarded,
}

/// A bus: account, Region, name.
type Address<'a> = (&'a str, &'a str, &'a str);

/// An event, parsed and as text.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) event: &'a Value,
    text: &'a str,
}

/// A rule that matches an event, with its bus.
pub(super) struct Firing<'a> {
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    bus: &'a str,
    pub(super) rule: &'a ReadyRule,
    message: Message<'a>,
    pub(super) origin: Origin,
}

/// A delivery to a target, with the rule's own identity or a role.
pub(super) struct Attempt<'a> {
    pub(super) firing: &'a Firing<'a>,
    pub(super) arn: &'a str,
    pub(super) role: Option<&'a str>,
    pub(super) body: Cow<'a, str>,
}

/// Delivers an event on a bus to the targets of every matching rule.
pub(crate) fn arrive(
    cloud: &mut Cloud<'_>,
    bus: Address<'_>,
    event: &Value,
    origin: Origin,
    trace: &mut Trace,
) {
    let text = &event.to_string();
    match_rules(cloud, bus, Message { event, text }, origin, trace);
}

/// [`arrive`] for an event that is already serialized.
pub(super) fn match_rules(
    cloud: &mut Cloud<'_>,
    address: Address<'_>,
    message: Message<'_>,
    origin: Origin,
    trace: &mut Trace,
) {
    let (account, region, name) = address;
    cloud.look(account, Look::ToChange);
    let mut failed = |detail: String| {
        let link = format!("bus {name}");
        let hop = Hop::new((account, region), link, Outcome::Failed, detail);
        trace.hops.push(hop);
    };
    let ready = match cloud.events.bus_mut(account, region, name) {
        Ok(bus) => bus.rules.ready(),
        Err(error) => return failed(error.message),
    };
    let matching = match ready.matching(message.text, &mut cloud.events.scratch) {
        Ok(matching) => matching,
        Err(error) => return failed(error.to_string()),
    };
    for rule in selected(&ready, &matching, address, message.event, trace) {
        let firing = Firing {
            account,
            region,
            bus: name,
            rule,
            message,
            origin,
        };
        firing.count(cloud, "MatchedEvents");
        for target in &rule.targets {
            send_to_target(cloud, &firing, target, trace);
        }
    }
}

/// The matching rules that send the event on. Records in the trace why the others don't.
fn selected<'a>(
    ready: &Ready,
    matching: &[&'a ReadyRule],
    address: Address<'_>,
    event: &Value,
    trace: &mut Trace,
) -> Vec<&'a ReadyRule> {
    let (account, region, name) = address;
    let mut hop = |link: String, outcome, detail: &str| {
        trace
            .hops
            .push(Hop::new((account, region), link, outcome, detail));
    };
    if matching.is_empty() {
        let detail = match ready.count() {
            0 => "the bus has no rules",
            1 => "the only rule does not match the event",
            count => &format!("none of the {count} rules matches the event"),
        };
        hop(format!("rules on bus {name}"), Outcome::Dropped, detail);
        return Vec::new();
    }
    let read_only = is_read_only_management_event(event);
    let mut selected = Vec::new();
    for rule in matching {
        let refused = match rule.state.as_str() {
            "DISABLED" => Some("the rule matches, but is disabled"),
            "ENABLED" if read_only => Some(
                "the rule matches, but read-only management events reach only rules in state ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
            ),
            _ if rule.targets.is_empty() => Some("the rule matches, but has no targets"),
            _ => None,
        };
        let link = format!("rule {} on bus {name}", rule.name);
        if let Some(why) = refused {
            hop(link, Outcome::Dropped, why);
        } else {
            hop(link, Outcome::Ok, "the event matches the rule's pattern");
            selected.push(*rule);
        }
    }
    selected
}

fn is_read_only_management_event(event: &Value) -> bool {
    let detail = |name: &str| event.get("detail")?.get(name);
    let is_true = |value: &Value| matches!(value, Value::Bool(true)) || value == "true";
    let via_cloudtrail = event
        .get("detail-type")
        .and_then(Value::as_str)
        .is_some_and(|detail_type| detail_type.ends_with("via CloudTrail"));
    // EventBridge goes by the name and the flag: AssumeRole and Decrypt are marked as read-only, but
    // delivered. Two calls of STS count as changes, whatever the record says.
    let text = |name| detail(name).and_then(Value::as_str).unwrap_or_default();
    let (source, name) = (text("eventSource"), text("eventName"));
    let named = ["Describe", "Get", "List"]
        .iter()
        .any(|word| name.starts_with(word))
        && !(source == "sts.amazonaws.com"
            && matches!(name, "GetFederationToken" | "GetSessionToken"));
    via_cloudtrail
        && named
        && detail("readOnly").is_some_and(is_true)
        && detail("eventCategory").is_none_or(|category| category == "Management")
        && detail("managementEvent").is_none_or(is_true)
}

impl Firing<'_> {
    pub(super) fn hop(
        &self,
        link: impl Into<String>,
        outcome: Outcome,
        detail: impl Into<String>,
    ) -> Hop {
        Hop::new((self.account, self.region), link, outcome, detail)
    }

    pub(super) fn context(&self) -> Context {
        Context::new()
            .with("aws:SourceArn", self.rule.arn.as_str())
            .with("aws:SourceAccount", self.account)
    }

    /// Counts in a metric of the rule.
    fn count(&self, services: &mut Services, metric: &str) {
        let counted = Counted::of_rule(metric, self.bus, &self.rule.name);
        let now = services.environment.now;
        let location = (self.account, self.region);
        services.monitoring.metrics.count(location, counted, now);
    }

    pub(super) fn is_in(&self, account: &str, region: &str) -> bool {
        self.account == account && self.region == region
    }
}

impl<'a> Attempt<'a> {
    /// The event, if the target receives it unchanged.
    pub(super) fn unchanged(&self) -> Option<Message<'a>> {
        matches!(self.body, Cow::Borrowed(_)).then_some(self.firing.message)
    }
}

fn send_to_target(cloud: &mut Cloud<'_>, firing: &Firing<'_>, target: &Target, trace: &mut Trace) {
    cloud.look_at_named(&target.written, Look::ToChange);
    let (refusal, body) = match body(cloud, firing, target) {
        Ok(body) => {
            let attempt = Attempt {
                firing,
                arn: &target.arn,
                role: target.role.as_deref(),
                body,
            };
            match deliver(cloud, &attempt, &target.id, trace) {
                Ok(()) => return,
                Err(refusal) => (refusal, attempt.body.into_owned()),
            }
        }
        Err(undeliverable) => {
            let refusal = Refusal {
                code: undeliverable.code,
                reason: undeliverable.message,
                link: "input transformer".to_owned(),
                outcome: Outcome::Failed,
            };
            (refusal, undeliverable.attempted)
        }
    };
    trace.hops.push(firing.hop(
        refusal.link.clone(),
        refusal.outcome,
        refusal.reason.clone(),
    ));
    let failed = Failed {
        rule: &firing.rule.arn,
        location: (firing.account, firing.region),
        target,
    };
    // What a dead-letter queue keeps doesn't count as failed.
    let metrics: &[&str] = match dead_letters::of_target(cloud, &failed, &refusal, body, trace) {
        Some(true) => &["InvocationsSentToDlq"],
        Some(false) => &["FailedInvocations", "InvocationsFailedToBeSentToDlq"],
        None => &["FailedInvocations"],
    };
    for metric in metrics {
        firing.count(cloud, metric);
    }
}

/// The result of an object template on one line; any other result stays.
fn without_line_breaks(text: String) -> String {
    match serde_json::from_str::<Value>(&text) {
        Ok(object @ Value::Object(_)) => object.to_string(),
        _ => text,
    }
}

struct Undelivered {
    code: String,
    message: String,
    attempted: String,
}

/// The body for the target; borrowed if it is the unchanged event.
fn body<'a>(
    services: &Services,
    firing: &Firing<'a>,
    target: &'a Target,
) -> Result<Cow<'a, str>, Undelivered> {
    let event = firing.message.text;
    let invalid = |message: String| Undelivered {
        code: "INVALID_JSON".to_owned(),
        message,
        attempted: event.to_owned(),
    };
    match &target.input {
        Input::Event => Ok(Cow::Borrowed(event)),
        Input::Constant(text) => Ok(Cow::Owned(text.clone())),
        Input::Path(path) => select(path, event)
            .map(Cow::Owned)
            .map_err(|error| invalid(error.to_string())),
        Input::Transformer(transformer) => {
            let reserved = Reserved {
                rule_arn: firing.rule.arn.clone(),
                rule_name: firing.rule.name.clone(),
                ingestion_time: iso(services.environment.now),
            };
            let compact = services
                .environment
                .surprises(Surprise::TemplatesLoseLineBreaks);
            transformer
                .render(event, &reserved)
                .map(|text| {
                    Cow::Owned(if compact {
                        without_line_breaks(text)
                    } else {
                        text
                    })
                })
                .map_err(|undeliverable| Undelivered {
                    message: format!(
                        "{} The transformed text was: {}",
                        undeliverable.message, undeliverable.attempted
                    ),
                    code: undeliverable.code,
                    attempted: undeliverable.attempted,
                })
        }
        Input::Invalid(why) => Err(invalid(why.clone())),
    }
}
