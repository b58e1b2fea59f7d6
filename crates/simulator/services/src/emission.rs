//! Emits an event of an AWS service: completes the envelope, consults the trails, sends to the
//! default bus.

use serde_json::{Value, json};

use super::Services;
use super::cloudtrail::{appears, carries};
use super::environment::Cloud;
use super::events::{Origin, arrive};
use super::{Hop, Outcome, Trace};

/// In bytes; CloudTrail sends no larger events to EventBridge.
const LARGEST: usize = 256 * 1024;

/// Emits an event of an AWS service in an account and Region. Sets the envelope's `account` and
/// `region`, and `id`, `time`, `version` and `resources` if they are missing. Events `… via
/// CloudTrail` need a logging trail to arrive, get an `id` that differs from the record's, and appear
/// where AWS records them, wherever the caller was: see `appears`.
pub fn emit(cloud: &mut Cloud<'_>, account: &str, region: &str, event: Value) -> Trace {
    let mut event = event;
    let via_cloudtrail = event
        .get("detail-type")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.ends_with("via CloudTrail"));
    let fixed = if via_cloudtrail {
        appears(&event)
    } else {
        None
    };
    let place = fixed.as_ref();
    let there = place.and_then(|it| it.region).unwrap_or(region);
    let owner = place.and_then(|it| it.account).unwrap_or(account);
    let is_elsewhere = (owner, there) != (account, region);
    let account = owner;
    let id = envelope(cloud, account, there, &mut event);
    let mut trace = Trace {
        event_id: id,
        ..Trace::default()
    };
    if via_cloudtrail {
        let now = cloud.environment.now;
        cloud.cloudtrail.remember(account, there, &event, now);
        let size = event.to_string().len();
        let (outcome, detail) = match carries(cloud, account, there, &event) {
            Ok(_) if size > LARGEST => (
                Outcome::Dropped,
                format!(
                    "the event has {size} bytes; CloudTrail sends at most {LARGEST} to EventBridge"
                ),
            ),
            Ok(trail) if is_elsewhere => {
                let why = place.map_or("", |it| it.why);
                (Outcome::Ok, format!("{trail}, in {account} {there}: {why}"))
            }
            Ok(trail) => (Outcome::Ok, trail),
            Err(why) => (
                Outcome::Dropped,
                format!("{why}: nothing reaches EventBridge"),
            ),
        };
        trace
            .hops
            .push(Hop::new((account, there), "trail", outcome, detail));
        if outcome != Outcome::Ok {
            return trace;
        }
    }
    arrive(
        cloud,
        (account, there, "default"),
        &event,
        Origin::Here,
        &mut trace,
    );
    trace
}

/// Completes the envelope and returns the event's id.
fn envelope(services: &mut Services, account: &str, region: &str, event: &mut Value) -> String {
    let fresh = services.environment.uuid();
    let now = services
        .environment
        .now
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let Some(fields) = event.as_object_mut() else {
        return fresh;
    };
    // EventBridge makes up an id of its own for a record that has one.
    let record = fields
        .get("detail")
        .and_then(|detail| detail.get("eventID"));
    let record = record.and_then(Value::as_str);
    let id = match fields.get("id").and_then(Value::as_str) {
        Some(id) if !id.is_empty() && record != Some(id) => id.to_owned(),
        _ => fresh,
    };
    fields.insert("id".to_owned(), json!(id));
    fields.insert("account".to_owned(), json!(account));
    fields.insert("region".to_owned(), json!(region));
    for (name, default) in [
        ("version", json!("0")),
        ("time", json!(now)),
        ("resources", json!([])),
        ("detail", json!({})),
    ] {
        let missing = fields
            .get(name)
            .is_none_or(|value| value.is_null() || *value == json!(""));
        if missing {
            fields.insert(name.to_owned(), default);
        }
    }
    id
}
