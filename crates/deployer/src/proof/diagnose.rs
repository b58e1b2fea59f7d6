//! Finds the link that lost a canary: by its dead letter, which has AWS's own error, or by what was
//! read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use compiler::canary::CanaryKind;
use futures::{StreamExt, stream};
use remedy::Remedy;
use serde_json::Value;

use super::collect::{Missing, nonce_in};
use super::counts::{HubCounts, Lost, RuleCounts};
use super::hub::Hub;
use super::report::{Link, LinkState};
use super::rules::DEFAULT_BUS;
use super::spoke::Visit;
use super::{ACCOUNTS_AT_ONCE, CANARY, Plan, broken, restored_by_drift};
use crate::health::BrokenLink;
use crate::ports::{Cloud, CloudError, Location};

/// How long a request waits for the first message.
const WAIT: Duration = Duration::from_secs(1);
/// How long a dead letter that isn't ours is hidden from others.
const HIDDEN: Duration = Duration::from_secs(30);
/// Batches of ten messages that are read beyond our own, in a queue with other dead letters.
const OTHERS: usize = 50;
/// The path of forwarder roles.
const ROLE_PATH: &str = "/gizmos/";

/// An event that EventBridge could not deliver.
#[derive(Clone, Debug)]
struct DeadLetter {
    /// AWS's own words: the attributes of the message.
    said: String,
}

/// What became of a canary.
struct Verdict {
    links: Vec<(Link, LinkState)>,
    broken: Vec<BrokenLink>,
}

impl Verdict {
    fn at(kind: CanaryKind, link: Link, broken: Option<BrokenLink>) -> Verdict {
        let mut links = vec![(link, LinkState::Broken)];
        if kind == CanaryKind::Event && link == Link::Alerting {
            links.push((Link::Forwarding, LinkState::Works));
        }
        // A recorded call that fails later has passed CloudTrail.
        if kind == CanaryKind::CloudTrail && link != Link::CloudTrail {
            links.push((Link::CloudTrail, LinkState::Works));
        }
        Verdict {
            links,
            broken: broken.into_iter().collect(),
        }
    }
}

/// Says for every missing canary which link lost it, and removes the dead letters of this run.
pub(super) async fn diagnose(
    cloud: &impl Cloud,
    plan: &Plan<'_>,
    hub: &Hub,
    visits: &mut [Visit],
    missing: &[Missing],
) {
    let nonces: BTreeSet<String> = missing
        .iter()
        .filter_map(|(index, kind)| {
            let visit = visits.get(*index)?;
            Some(plan.nonces.of(*kind, &visit.proof.location))
        })
        .collect();
    let letters = dead_letters(cloud, &hub.location, &hub.dead_letters, &nonces).await;
    let (in_hub, unreadable) = match letters {
        Ok(letters) => (letters, None),
        Err(error) => (BTreeMap::new(), Some(error)),
    };
    let first = missing.iter().filter_map(|(index, _)| visits.get(*index));
    let since = first.map(|visit| visit.counted_from).min();
    let judge = Judge {
        cloud,
        plan,
        hub,
        in_hub,
        unreadable,
        counts: HubCounts::read(cloud, plan, hub, since.unwrap_or(cloud.now())).await,
    };
    let known: &[Visit] = visits;
    let verdicts: Vec<(usize, Verdict)> = stream::iter(missing)
        .map(|(index, kind)| {
            let judge = &judge;
            async move { Some((*index, judge.of(known.get(*index)?, *kind).await)) }
        })
        .buffered(ACCOUNTS_AT_ONCE)
        .filter_map(async |verdict| verdict)
        .collect()
        .await;
    for (index, verdict) in verdicts {
        if let Some(visit) = visits.get_mut(index) {
            for (link, state) in verdict.links {
                visit.proof.set(link, state);
            }
            visit.proof.broken.extend(verdict.broken);
        }
    }
}

struct Judge<'a, C> {
    cloud: &'a C,
    plan: &'a Plan<'a>,
    hub: &'a Hub,
    /// Dead letters of the hub's rules, by nonce.
    in_hub: BTreeMap<String, DeadLetter>,
    /// Why the hub's dead letters can't be read.
    unreadable: Option<CloudError>,
    counts: Result<HubCounts, CloudError>,
}

impl<C: Cloud> Judge<'_, C> {
    async fn of(&self, visit: &Visit, kind: CanaryKind) -> Verdict {
        let location = &visit.proof.location;
        let nonce = self.plan.nonces.of(kind, location);
        if let Some(letter) = self.in_hub.get(&nonce) {
            return Verdict::at(kind, Link::Alerting, Some(self.publishing(kind, letter)));
        }
        if visit.broken_forwarders.contains_key(&kind) {
            return Verdict::at(kind, Link::Forwarding, None);
        }
        let letter = match self.spoke_letter(visit, kind, &nonce).await {
            Ok(letter) => letter,
            Err(error) => {
                let message = format!("its dead letters can't be read: {error}");
                return Verdict::at(
                    kind,
                    Link::Forwarding,
                    Some(broken(
                        "dead letters",
                        location,
                        message,
                        "give the access role permission to read them",
                    )),
                );
            }
        };
        if let Some((letter, role)) = letter {
            let broken = self.forwarding(location, &letter, role.as_deref()).await;
            return Verdict::at(kind, Link::Forwarding, Some(broken));
        }
        let rules = &self.hub.rules.broken_canaries;
        let is_about = |it: &BrokenLink| it.link.contains(CANARY) || it.link.starts_with("key ");
        if rules.contains_key(&kind) || self.hub.broken.iter().any(is_about) {
            return Verdict::at(kind, Link::Alerting, None);
        }
        if kind == CanaryKind::CloudTrail {
            return self.recording(location);
        }
        let (lost, counted) = self.counted(visit, kind).await;
        let unreadable = self.unreadable.as_ref().map_or_else(String::new, |error| {
            format!("; the hub's dead letters can't be read: {error}")
        });
        let message = format!(
            "the canary did not arrive, and no dead letter and no broken rule says why\
             {unreadable}; {counted}"
        );
        let fix = "try again, because metrics come a few minutes late; then look at the targets of \
                   the rule, their role and the dead-letter queue's policy";
        Verdict::at(
            kind,
            lost.link(),
            Some(broken(lost.words(kind), location, message, fix)),
        )
    }

    /// Where a canary without a dead letter was lost, by metrics, and what they count.
    async fn counted(&self, visit: &Visit, kind: CanaryKind) -> (Lost, String) {
        let Some(rule) = visit.forwarders.get(&kind) else {
            return (Lost::Somewhere, "the forwarder is unknown".to_owned());
        };
        let location = &visit.proof.location;
        let spoke = RuleCounts::read(self.cloud, location, None, rule, visit.counted_from).await;
        match (&spoke, &self.counts) {
            (Ok(spoke), Ok(hub)) => {
                let words = format!(
                    "CloudWatch counts for {rule}: {spoke}; for {}: {}",
                    kind.rule_name(),
                    hub.words(kind)
                );
                (Lost::find(spoke, hub, kind), words)
            }
            (Err(error), _) | (_, Err(error)) => {
                let words = format!("CloudWatch's metrics can't be read: {error}");
                (Lost::Somewhere, words)
            }
        }
    }

    /// A call that CloudTrail recorded too late or not at all.
    fn recording(&self, location: &Location) -> Verdict {
        let kind = CanaryKind::CloudTrail;
        if self
            .hub
            .broken
            .iter()
            .any(|it| it.link.starts_with("trail "))
        {
            return Verdict::at(kind, Link::CloudTrail, None);
        }
        Verdict::at(
            kind,
            Link::CloudTrail,
            Some(broken(
                "CloudTrail to the default bus",
                location,
                "the call ssm:DeleteParameters did not come back as an event within 15 minutes, \
             although a canary on the default bus did",
                "look for the call in CloudTrail's event history of this account and Region; \
             if it is there, try again, because delivery is best effort",
            )),
        )
    }

    /// The dead letter of a canary's forwarder, with the role of its target.
    async fn spoke_letter(
        &self,
        visit: &Visit,
        kind: CanaryKind,
        nonce: &str,
    ) -> Result<Option<(DeadLetter, Option<String>)>, CloudError> {
        let location = &visit.proof.location;
        let Some(rule) = visit.forwarders.get(&kind) else {
            return Ok(None);
        };
        let targets = self.cloud.rule_targets(location, DEFAULT_BUS, rule).await?;
        let targets = targets.unwrap_or_default();
        let text = |target: &Value, path: &str| Some(target.pointer(path)?.as_str()?.to_owned());
        let hub = Some(self.plan.hub_bus.clone());
        let target = targets.iter().find(|it| text(it, "/Arn") == hub);
        let Some(queue) = target.and_then(|it| text(it, "/DeadLetterConfig/Arn")) else {
            return Ok(None);
        };
        let role = target.and_then(|it| text(it, "/RoleArn"));
        let name = queue.rsplit(':').next().unwrap_or_default();
        let wanted = BTreeSet::from([nonce.to_owned()]);
        let mut letters = dead_letters(self.cloud, location, name, &wanted).await?;
        Ok(letters.remove(nonce).map(|letter| (letter, role)))
    }

    /// An event that the hub's bus did not take.
    async fn forwarding(
        &self,
        location: &Location,
        letter: &DeadLetter,
        role: Option<&str>,
    ) -> BrokenLink {
        let of_bus = |it: &&BrokenLink| it.link.starts_with("bus policy");
        if let Some(policy) = self.hub.broken.iter().find(of_bus) {
            let fix = policy.fix.clone();
            return broken(policy.link.clone(), location, letter.said.clone(), fix);
        }
        let name = role
            .and_then(|arn| arn.rsplit('/').next())
            .unwrap_or("without a name");
        let roles = self.cloud.roles(location, ROLE_PATH).await;
        let link = match roles {
            Ok(roles) if !roles.iter().any(|role| role.name == name) => {
                format!("forwarder role {name}, which does not exist")
            }
            _ => format!("forwarder role {name}"),
        };
        broken(
            link,
            location,
            letter.said.clone(),
            restored_by_drift(false),
        )
    }

    /// A message that the canaries' topic did not take.
    fn publishing(&self, kind: CanaryKind, letter: &DeadLetter) -> BrokenLink {
        let said = letter.said.to_ascii_lowercase();
        let topic_is_gone = self
            .hub
            .broken
            .iter()
            .any(|it| it.link == format!("topic {CANARY}"));
        let link = if topic_is_gone || said.contains("no_resource") {
            format!("topic {CANARY}")
        } else if said.contains("kms") || said.contains("key policy") {
            "key of the alerts' topics".to_owned()
        } else if said.contains("topic policy") || self.hub.by_policy {
            format!("topic policy of {CANARY}")
        } else {
            format!("publisher role of rule {}", kind.rule_name())
        };
        broken(
            link,
            &self.hub.location,
            letter.said.clone(),
            Remedy::from("alerts take the same way, so they are lost, too: ")
                .and(restored_by_drift(false)),
        )
    }
}

/// The dead letters in a queue that have one of these nonces, which are removed from it.
async fn dead_letters(
    cloud: &impl Cloud,
    location: &Location,
    queue: &str,
    nonces: &BTreeSet<String>,
) -> Result<BTreeMap<String, DeadLetter>, CloudError> {
    let mut found = BTreeMap::new();
    let Some(url) = cloud.queue_url(location, queue).await? else {
        return Ok(found);
    };
    for _ in 0..nonces.len().div_ceil(10) + OTHERS {
        let messages = cloud.receive_messages(location, &url, WAIT, HIDDEN).await?;
        if messages.is_empty() {
            break;
        }
        let mut own = Vec::new();
        for message in messages {
            let body: Value = serde_json::from_str(&message.body).unwrap_or_default();
            let nonce = nonce_in(&body).filter(|nonce| nonces.contains(*nonce));
            if let Some(nonce) = nonce {
                found.insert(nonce.to_owned(), DeadLetter::of(&message.attributes));
                own.push(message.receipt);
            }
        }
        if !own.is_empty() {
            cloud.delete_messages(location, &url, &own).await?;
        }
        if found.len() == nonces.len() {
            break;
        }
    }
    Ok(found)
}

impl DeadLetter {
    fn of(attributes: &BTreeMap<String, String>) -> DeadLetter {
        let text = |name: &str| attributes.get(name).map_or("none", String::as_str);
        DeadLetter {
            said: format!(
                "{}: {} (rule {}, target {})",
                text("ERROR_CODE"),
                text("ERROR_MESSAGE"),
                text("RULE_ARN"),
                text("TARGET_ARN")
            ),
        }
    }
}
