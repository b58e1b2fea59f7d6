//! Sending the rules' test events through the deployed chain.
//!
//! What should arrive is computed without the chain: the pattern engine says which rules match an
//! event, their message templates say the text, the organization file says who gets it. What does
//! arrive comes from the [`Chain`].

mod chain;
mod expect;
mod report;

pub use chain::{Chain, ChainError, Delivery, Hop, HopOutcome, TestInstance, Trace};
pub use report::{Case, CaseKind, VerifyOutcome, VerifyReport};

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use compiler::{Bundle, Part};
use expect::{Alert, Watch, at_place};
use rules::{Response, Rule};
use serde_json::Value;

use crate::plan::selected;
use crate::ports::{Account, AccountState, Place};
use crate::progress::{Progress, ProgressEvent};

/// How long a response gets to do its work.
const RESPONSE_TIME: Duration = Duration::from_mins(5);

/// The account from which [`verify`] sends: the first watched member account that is active and
/// plays no other part, else any watched active member account.
pub fn sender(bundle: &Bundle, accounts: &[Account]) -> Option<String> {
    let organization = &bundle.organization;
    let members = bundle
        .stack_sets
        .iter()
        .filter(|set| matches!(set.part, Part::RulesSpoke | Part::RulesLocal))
        .find_map(|set| set.targets.members.as_ref())?;
    let watched: Vec<&Account> = selected(members, organization, accounts)
        .filter(|account| account.state == AccountState::Active)
        .collect();
    watched
        .iter()
        .find(|account| {
            account.id != organization.accounts.hub
                && account.id != organization.accounts.log_archive
        })
        .or_else(|| watched.first())
        .map(|account| account.id.clone())
}

/// Sends every rule's test events from `account` and compares what arrives with what should:
/// positive and negative tests, hostile variants of the first positive one, and for rules with a
/// response a virtual machine with its tag and one without. (Hostile variants of all positive tests
/// would be most of the time this takes; that any message is safe is a matter of its compilation,
/// which has tests of its own.)
///
/// An event is sent in its own Region if that is watched, else in the first watched Region that
/// isn't the hub's. Dead letters of events that ended as they should are removed from their queues.
pub async fn verify(
    chain: &impl Chain,
    bundle: &Bundle,
    rules: &[Rule],
    account: &str,
    progress: &dyn Progress,
) -> Result<VerifyReport, ChainError> {
    let watch = Watch::new(bundle, rules);
    let mut report = VerifyReport::default();
    for rule in rules.iter().filter(|rule| rule.is_deployed()) {
        progress.report(&ProgressEvent::Checking {
            what: format!("rule {}", rule.id),
        });
        let first = rule.tests.iter().position(|test| test.matches);
        for (index, test) in rule.tests.iter().enumerate() {
            let kind = if test.matches {
                CaseKind::Positive
            } else {
                CaseKind::Negative
            };
            let sent = Sent {
                rule,
                test: test.name.clone(),
                kind,
                place: place(bundle, account, &test.event),
                planted: Vec::new(),
            };
            report
                .cases
                .push(send(chain, &watch, sent, &test.event).await?);
            if !test.matches {
                continue;
            }
            let place = place(bundle, account, &test.event);
            let hostile = if first == Some(index) {
                cloudtrail::hostile::variants(&test.event, &rule.pattern)
            } else {
                Vec::new()
            };
            for hostile in hostile {
                let sent = Sent {
                    rule,
                    test: format!("{} ({})", test.name, hostile.name),
                    kind: CaseKind::Hostile,
                    place: place.clone(),
                    planted: hostile.planted,
                };
                report
                    .cases
                    .push(send(chain, &watch, sent, &hostile.event).await?);
            }
            if let Some(response) = &rule.respond {
                for tagged in [true, false] {
                    let case = respond(chain, rule, response, &test.event, &place, tagged).await?;
                    report.cases.push(Case {
                        test: format!(
                            "{} ({})",
                            test.name,
                            if tagged { "tagged" } else { "untagged" }
                        ),
                        ..case
                    });
                }
            }
        }
    }
    // A machine that a hostile event names can't be started, for example. Left in its queue, that would
    // be an alarm for somebody, and drift.
    // Variants of an event share its id, and what failed keeps its evidence.
    let (passed, failed): (Vec<&Case>, Vec<&Case>) =
        report.cases.iter().partition(|case| case.passed());
    let ids = |cases: Vec<&Case>| -> BTreeSet<String> {
        let ids = cases.into_iter().filter_map(|case| case.event_id.clone());
        ids.collect()
    };
    let events: Vec<String> = (&ids(passed) - &ids(failed)).into_iter().collect();
    chain.discard_dead_letters(&events).await?;
    let places: BTreeSet<Place> = report.cases.iter().map(|case| case.place.clone()).collect();
    report.places = places.into_iter().collect();
    Ok(report)
}

fn place(bundle: &Bundle, account: &str, event: &Value) -> Place {
    let organization = &bundle.organization;
    let own = event.get("region").and_then(Value::as_str);
    let region = organization
        .regions
        .iter()
        .find(|region| own == Some(region.as_str()))
        .or_else(|| {
            organization
                .regions
                .iter()
                .find(|region| **region != organization.home_region)
        })
        .unwrap_or(&organization.home_region);
    Place::new(account, region)
}

/// An event on its way.
struct Sent<'a> {
    rule: &'a Rule,
    test: String,
    kind: CaseKind,
    place: Place,
    planted: Vec<(String, String)>,
}

async fn send(
    chain: &impl Chain,
    watch: &Watch<'_>,
    sent: Sent<'_>,
    event: &Value,
) -> Result<Case, ChainError> {
    let event = at_place(event, &sent.place);
    let trace = chain.send(&sent.place, &event).await?;
    // A global service's events appear in us-east-1, wherever the call was made.
    let place = trace.hops.first().map_or_else(
        || sent.place.clone(),
        |hop| Place::new(&sent.place.account, &hop.region),
    );
    let event = at_place(&event, &place);
    let mut failures = Vec::new();
    let emitted = trace.event.as_ref();
    let expected = match watch.expected(emitted, &event, &place, &trace.event_id) {
        Ok(expected) => expected,
        Err(reason) => {
            failures.push(reason);
            Vec::new()
        }
    };
    let mine = |alert: &Alert| alert.rule == sent.rule.id;
    match sent.kind {
        CaseKind::Negative if expected.iter().any(mine) => failures.push(format!(
            "as sent from {}, the event matches {} and is no negative test",
            sent.place, sent.rule.id
        )),
        CaseKind::Positive | CaseKind::Hostile
            if sent.rule.message.is_some() && !expected.iter().any(mine) =>
        {
            failures.push(format!(
                "as sent from {}, the event does not lead to an alert of {}",
                sent.place, sent.rule.id
            ));
        }
        _ => {}
    }
    let mut arrived: Vec<Option<&Delivery>> = trace.deliveries.iter().map(Some).collect();
    let mut alerts = Vec::new();
    let mut missing = false;
    for alert in &expected {
        let found = arrived
            .iter()
            .position(|delivery| delivery.is_some_and(|delivery| alert.is(delivery)));
        if let Some(delivery) = found.and_then(|index| arrived.get_mut(index)?.take()) {
            if mine(alert) {
                alerts.push(delivery.clone());
                failures.extend(readable(delivery, &sent));
            }
            continue;
        }
        let near = arrived
            .iter_mut()
            .find(|delivery| delivery.is_some_and(|delivery| alert.is_for(delivery)))
            .and_then(Option::take);
        if let Some(delivery) = near {
            failures.push(format!(
                "the alert of {} to {} says something else: expected {}, arrived {}",
                alert.rule, alert.endpoint, alert.text, delivery.body
            ));
        } else {
            missing = true;
            failures.push(format!(
                "no alert of {} arrived at {} ({}, topic {})",
                alert.rule, alert.endpoint, alert.protocol, alert.topic
            ));
        }
    }
    for delivery in arrived.into_iter().flatten() {
        failures.push(format!(
            "an alert that nobody expected arrived at {} (topic {}): {}",
            delivery.endpoint, delivery.topic_arn, delivery.body
        ));
    }
    let broken_link = missing.then(|| broken_link(&trace.hops)).flatten();
    if missing && broken_link.is_none() {
        failures.push(match trace.hops.last() {
            Some(hop) => format!(
                "the last link the event reached is {} in {} {}",
                hop.link, hop.account, hop.region
            ),
            None => "no link of the chain saw the event".to_owned(),
        });
    }
    let hops = if failures.is_empty() {
        Vec::new()
    } else {
        trace.hops
    };
    Ok(Case {
        event_id: Some(trace.event_id),
        rule: sent.rule.id.clone(),
        test: sent.test,
        kind: sent.kind,
        place: sent.place,
        failures,
        alerts,
        hops,
        broken_link,
    })
}

/// The link that kept an alert from arriving: a refusal or failure before a mere "nobody wanted
/// it", which is normal for most rules.
fn broken_link(hops: &[Hop]) -> Option<Hop> {
    let of = |outcome| hops.iter().find(|hop| hop.outcome == outcome);
    of(HopOutcome::Denied)
        .or_else(|| of(HopOutcome::Failed))
        .or_else(|| hops.iter().rfind(|hop| hop.outcome == HopOutcome::Dropped))
        .cloned()
}

/// What a hostile alert must still be: valid JSON in which the planted values that the message
/// shows can be found whole.
fn readable(delivery: &Delivery, sent: &Sent<'_>) -> Vec<String> {
    if sent.kind != CaseKind::Hostile {
        return Vec::new();
    }
    let text = expect::message_of(delivery);
    let Ok(body) = serde_json::from_str::<Value>(&text) else {
        return vec![format!(
            "the alert at {} is no longer valid JSON: {text}",
            delivery.endpoint
        )];
    };
    let mut values = BTreeSet::new();
    strings(&body, &mut values);
    let shown: BTreeSet<&str> = sent
        .rule
        .message
        .as_ref()
        .map(|message| message.placeholders().into_iter().collect())
        .unwrap_or_default();
    sent.planted
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

/// Stops a virtual machine and sees whether the response starts it again.
async fn respond(
    chain: &impl Chain,
    rule: &Rule,
    response: &Response,
    event: &Value,
    place: &Place,
    tagged: bool,
) -> Result<Case, ChainError> {
    let Response::StartInstance {
        instance,
        tag_key,
        tag_value,
    } = response;
    let mut case = Case {
        event_id: None,
        rule: rule.id.clone(),
        test: String::new(),
        kind: CaseKind::Response,
        place: place.clone(),
        failures: Vec::new(),
        alerts: Vec::new(),
        hops: Vec::new(),
        broken_link: None,
    };
    let pointer = instance.trim_start_matches('$').replace('.', "/");
    let Some(id) = event.pointer(&pointer).and_then(Value::as_str) else {
        case.failures.push(format!(
            "the test event has no {instance}, so no machine can be started"
        ));
        return Ok(case);
    };
    let tags = if tagged {
        BTreeMap::from([(tag_key.clone(), tag_value.clone())])
    } else {
        BTreeMap::new()
    };
    chain
        .put_instance(&TestInstance {
            account: place.account.clone(),
            region: place.region.clone(),
            instance_id: id.to_owned(),
            state: "stopped".to_owned(),
            tags,
        })
        .await?;
    let trace = chain.send(place, &at_place(event, place)).await?;
    case.event_id = Some(trace.event_id);
    chain.pause(RESPONSE_TIME).await?;
    let state = chain
        .instances(place)
        .await?
        .into_iter()
        .find(|found| found.instance_id == id)
        .map_or_else(|| "gone".to_owned(), |found| found.state);
    let expected = if tagged { "running" } else { "stopped" };
    if state != expected {
        case.failures.push(format!(
            "the {} machine {id} is {state}, expected {expected}",
            if tagged { "tagged" } else { "untagged" }
        ));
        if tagged {
            case.broken_link = broken_link(&trace.hops);
        }
        case.hops = trace.hops;
    }
    Ok(case)
}

#[cfg(test)]
mod tests;
