//! Dead-letter queues for events that can't be delivered to a target or bus.

use std::collections::BTreeMap;

use serde_json::Value;

use super::SERVICE;
use super::rules::Target;
use crate::Services;
use crate::arn::{Arn, short};
use crate::policy::Context;
use crate::sns::Refusal;
use crate::{Hop, Outcome, Trace, monitoring, sqs};

/// A target that refused an event.
pub(super) struct Failed<'a> {
    pub(super) rule: &'a str,
    /// Account and Region of the rule.
    pub(super) location: (&'a str, &'a str),
    pub(super) target: &'a Target,
}

/// Sends an undeliverable event to the target's dead-letter queue; without one it is lost. Returns
/// whether the queue took it; `None` without a queue.
pub(super) fn of_target(
    services: &mut Services,
    failed: &Failed<'_>,
    refusal: &Refusal,
    body: String,
    trace: &mut Trace,
) -> Option<bool> {
    let Some(queue) = &failed.target.dead_letters else {
        trace.hops.push(Hop::new(
            failed.location,
            "dead letters",
            Outcome::Dropped,
            "the target has no dead-letter queue: the event is lost",
        ));
        return None;
    };
    let letter = Letter {
        location: failed.location,
        source: failed.rule,
        queue,
        attributes: vec![
            ("RULE_ARN", failed.rule),
            ("TARGET_ARN", &failed.target.arn),
        ],
        refusal,
    };
    Some(keep(services, letter, body, trace))
}

/// Sends an event that a bus refused to the bus's own dead-letter queue; without one the sender
/// gets the refusal.
pub(super) fn of_bus(
    services: &mut Services,
    bus: &str,
    refusal: Refusal,
    body: &str,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let queue = services
        .events
        .buses
        .get(bus)
        .and_then(|bus| bus.properties.get("DeadLetterConfig"))
        .and_then(|letters| letters.get("Arn"))
        .and_then(Value::as_str)
        .map(str::to_owned);
    let (Some(queue), Some(parsed)) = (queue, Arn::parse(bus)) else {
        return Err(refusal);
    };
    let location = (parsed.account, parsed.region);
    trace.hops.push(Hop::new(
        location,
        &refusal.link,
        refusal.outcome,
        &refusal.reason,
    ));
    let letter = Letter {
        location,
        source: bus,
        queue: &queue,
        attributes: vec![("EVENT_BUS_ARN", bus)],
        refusal: &refusal,
    };
    keep(services, letter, body.to_owned(), trace);
    Ok(())
}

struct Letter<'a> {
    location: (&'a str, &'a str),
    /// `aws:SourceArn` for the queue's policy.
    source: &'a str,
    queue: &'a str,
    attributes: Vec<(&'a str, &'a str)>,
    refusal: &'a Refusal,
}

/// Returns whether the queue took it.
fn keep(services: &mut Services, letter: Letter<'_>, body: String, trace: &mut Trace) -> bool {
    let context = Context::new()
        .with("aws:SourceArn", letter.source)
        .with("aws:SourceAccount", letter.location.0);
    let verdict = sqs::service_may_send(services, letter.queue, SERVICE, body.len(), context);
    let (outcome, detail) = if verdict.allowed {
        let attributes: BTreeMap<String, String> = letter
            .attributes
            .into_iter()
            .chain([
                ("ERROR_CODE", letter.refusal.code.as_str()),
                ("ERROR_MESSAGE", letter.refusal.reason.as_str()),
                ("RETRY_ATTEMPTS", "0"),
            ])
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        if let Some(message) = sqs::send(services, letter.queue, body, attributes) {
            let all = &mut services.events.dead_letters;
            let of_event = all.entry(trace.event_id.clone()).or_default();
            of_event.push((letter.queue.to_owned(), message));
        }
        monitoring::queue_changed(services, letter.queue);
        let detail = format!("kept as a dead letter ({})", letter.refusal.code);
        (Outcome::Ok, detail)
    } else {
        (
            Outcome::Denied,
            format!("{}: the event is lost", verdict.reason),
        )
    };
    trace.hops.push(Hop::new(
        letter.location,
        format!("dead letters {}", short(letter.queue)),
        outcome,
        detail,
    ));
    verdict.allowed
}

/// Removes the dead letters of an event from their queues and returns their number.
pub fn discard(services: &mut Services, event_id: &str) -> usize {
    let letters = services.events.dead_letters.remove(event_id);
    let mut discarded = 0;
    for (queue, message) in letters.into_iter().flatten() {
        if let Some(found) = services.sqs.queues.get_mut(&queue) {
            let before = found.messages.len();
            found.messages.retain(|it| it.id != message);
            discarded += before - found.messages.len();
        }
        monitoring::queue_changed(services, &queue);
    }
    discarded
}
