//! Receives the canaries from their queue.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use compiler::canary::{CanaryKind, PARAMETER_PREFIX};
use serde_json::Value;

use super::report::{Arrival, Link, LinkState};
use super::spoke::Visit;
use super::{CLOUDTRAIL_PATIENCE, PATIENCE, Plan};
use crate::error::{DeployError, Doing};
use crate::ports::{Cloud, Location, QueueMessage};

/// How long a request waits for the first message.
const WAIT: Duration = Duration::from_secs(1);
/// How long a received message is hidden from other runs, which may be waiting for it.
const HIDDEN: Duration = Duration::from_secs(10);
/// Pause after a request that got nothing of this run.
const PAUSE: Duration = Duration::from_secs(1);

/// How much longer to wait while there are messages of others.
const FLOODED: Duration = Duration::from_mins(10);

/// A canary that didn't arrive: the index of its visit, and its kind.
pub(super) type Missing = (usize, CanaryKind);

/// A canary that is on its way.
struct Awaited {
    index: usize,
    kind: CanaryKind,
    until: SystemTime,
}

/// Receives until every canary has arrived or waited long enough. Returns those that didn't arrive
/// (of a location whose event was lost only that) and those that did.
pub(super) async fn collect(
    cloud: &impl Cloud,
    plan: &Plan<'_>,
    hub: &Location,
    url: &str,
    visits: &mut [Visit],
) -> Result<(Vec<Missing>, Vec<Arrival>), DeployError> {
    let receiving = || format!("cannot receive canaries from {url}");
    let mut awaited = awaited(plan, visits);
    let (mut missing, mut arrivals) = (Vec::new(), Vec::new());
    while !awaited.is_empty() {
        let messages = cloud.receive_messages(hub, url, WAIT, HIDDEN).await;
        let messages = messages.doing(receiving)?;
        let is_empty = messages.is_empty();
        let stale = cloud.now().checked_sub(2 * CLOUDTRAIL_PATIENCE);
        let mut done = Vec::new();
        for message in messages {
            if let Some((index, kind)) = recognize(&message, &mut awaited, visits) {
                if let Some(visit) = visits.get_mut(index) {
                    arrived(visit, kind);
                    let now = cloud.now();
                    arrivals.push(Arrival {
                        location: visit.proof.location.clone(),
                        kind,
                        after: now.duration_since(visit.at).unwrap_or_default(),
                        text: message.body,
                    });
                }
            } else if stale.is_none_or(|stale| message.sent.is_none_or(|sent| sent > stale)) {
                // It may be another run's, which waits for it.
                continue;
            }
            done.push(message.receipt);
        }
        if !done.is_empty() {
            let deleted = cloud.delete_messages(hub, url, &done).await;
            deleted.doing(receiving)?;
        }
        // A message that has waited in the queue is not late. A queue that others keep filling
        // must end, too.
        let late = if is_empty { Duration::ZERO } else { FLOODED };
        let now = cloud.now();
        give_up(
            &mut awaited,
            now.checked_sub(late).unwrap_or(now),
            &mut missing,
        );
        if done.is_empty() && !awaited.is_empty() {
            cloud.pause(PAUSE).await;
        }
    }
    Ok((missing, arrivals))
}

fn awaited(plan: &Plan<'_>, visits: &[Visit]) -> BTreeMap<String, Awaited> {
    let mut all = BTreeMap::new();
    for (index, visit) in visits.iter().enumerate() {
        for kind in &visit.kinds {
            let patience = match kind {
                CanaryKind::Event => PATIENCE,
                CanaryKind::CloudTrail => CLOUDTRAIL_PATIENCE,
            };
            let awaited = Awaited {
                index,
                kind: *kind,
                until: visit.at + patience,
            };
            all.insert(plan.nonces.of(*kind, &visit.proof.location), awaited);
        }
    }
    all
}

/// Moves the canaries that waited long enough to `missing`.
fn give_up(awaited: &mut BTreeMap<String, Awaited>, now: SystemTime, missing: &mut Vec<Missing>) {
    let late: Vec<Missing> = awaited
        .values()
        .filter(|it| it.until < now)
        .map(|it| (it.index, it.kind))
        .collect();
    awaited.retain(|_, it| it.until >= now);
    for (index, kind) in late {
        missing.push((index, kind));
        // What CloudTrail records would take the same broken way.
        if kind == CanaryKind::Event {
            awaited.retain(|_, it| it.index != index);
        }
    }
}

/// The awaited canary that a message is: it has the nonce, and EventBridge says that it comes from
/// the location to which the nonce belongs.
fn recognize(
    message: &QueueMessage,
    awaited: &mut BTreeMap<String, Awaited>,
    visits: &[Visit],
) -> Option<Missing> {
    let body: Value = serde_json::from_str(&message.body).ok()?;
    let nonce = nonce_in(&body)?;
    let found = awaited.get(nonce)?;
    let location = &visits.get(found.index)?.proof.location;
    let says = |name: &str| body.get(name).and_then(Value::as_str);
    if says("account") != Some(&location.account) || says("region") != Some(&location.region) {
        return None;
    }
    let found = awaited.remove(nonce)?;
    Some((found.index, found.kind))
}

/// The nonce in a message: an alert, or an event that became a dead letter.
pub(super) fn nonce_in(body: &Value) -> Option<&str> {
    [
        "/nonce",
        "/detail/nonce",
        "/detail/requestParameters/names/0",
    ]
    .iter()
    .find_map(|path| body.pointer(path)?.as_str())
    .map(|nonce| nonce.strip_prefix(PARAMETER_PREFIX).unwrap_or(nonce))
}

fn arrived(visit: &mut Visit, kind: CanaryKind) {
    if kind == CanaryKind::CloudTrail {
        visit.proof.set(Link::CloudTrail, LinkState::Works);
    }
    visit.proof.set(Link::Forwarding, LinkState::Works);
    visit.proof.set(Link::Alerting, LinkState::Works);
}
