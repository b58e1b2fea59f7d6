//! What AWS's documents don't settle, and what real organizations answer.
//!
//! [`PROBES`] is the one table: from it come the page `stacksets/PROBES.md` and what
//! `verify --probe` asks. [`ask`] asks the questions that are safe: it reads, and judges the
//! canaries that a [proof](crate::proof) has sent through their own topic and queue. It creates
//! nothing, changes nothing, and publishes nothing to the topics of alerts.

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use compiler::canary::{CanaryKind, PARAMETER_PREFIX};
use compiler::organization::{Publish, Topology, Trail};
use compiler::{Bundle, Part};
use futures::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;

use crate::ports::{Cloud, CloudError, Location};
use crate::progress::{Progress, ProgressEvent};
use crate::proof::{Arrival, ProofReport};
pub use table::PROBES;
use table::{
    LINE_BREAKS, OPERATIONS, PUBLISH_ROLE, QUEUE, RECORDED_NAMES, RECORDED_TIME, SIGN_INS,
    TOPIC_SOURCE, TRAIL_KEY,
};

/// Regions asked concurrently. `LookupEvents` allows two calls per second in each.
const REGIONS_AT_ONCE: usize = 8;

/// How far CloudTrail's event history goes back; also the age up to which AWS documents to keep
/// the events of a stack.
const NINETY_DAYS: Duration = Duration::from_hours(90 * 24);

/// A question that documents don't settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Unique, in kebab case.
    pub id: &'static str,
    /// Ends with a question mark.
    pub question: &'static str,
    /// What depends on it here.
    pub why: &'static str,
    /// Whether `verify --probe` asks it.
    pub is_automatic: bool,
    /// Shell commands that answer it in a real organization.
    pub commands: &'static str,
    /// The possible answers; the first is the one that this version expects.
    pub answers: &'static [Answer],
}

/// A possible answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What is seen.
    pub seen: &'static str,
    /// What to change: the file and the setting.
    pub change: &'static str,
}

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Of the probe.
    pub id: &'static str,
    /// Of the probe.
    pub question: &'static str,
    /// What was asked or judged.
    pub done: String,
    /// What was seen; text of AWS's, or why there is no answer.
    pub seen: String,
    /// Whether the answer is the one that this version expects; `None` without an answer.
    pub expected: Option<bool>,
    /// What to do.
    pub meaning: String,
}

/// An answer's index, and what was seen; without an index, why there is none.
type Seen = (Option<usize>, String);

impl Probe {
    fn found(&self, done: impl Into<String>, (answer, seen): Seen) -> Finding {
        let chosen = answer.and_then(|index| self.answers.get(index));
        Finding {
            id: self.id,
            question: self.question,
            done: done.into(),
            seen,
            expected: chosen.and(answer).map(|index| index == 0),
            meaning: chosen.map_or_else(
                || "no answer: PROBES.md has commands for it".to_owned(),
                |chosen| format!("{}: {}", chosen.seen, chosen.change),
            ),
        }
    }
}

fn unanswered(why: impl Into<String>) -> Seen {
    (None, why.into())
}

fn unreadable(error: &CloudError) -> Seen {
    unanswered(format!("it can't be read: {error}"))
}

/// Asks every automatic probe, in the order of the table. `proof` has sent canaries.
pub async fn ask(
    cloud: &impl Cloud,
    bundle: &Bundle,
    proof: &ProofReport,
    progress: &dyn Progress,
) -> Vec<Finding> {
    progress.report(&ProgressEvent::Checking {
        what: "what AWS's documents don't settle".to_owned(),
    });
    let asked = Asked {
        cloud,
        bundle,
        proof,
    };
    let names = asked.recorded_names().await;
    let time = asked.recorded_time(names.expected != Some(false));
    vec![
        asked.publish_role(),
        asked.topic_source(),
        asked.queue(),
        asked.line_breaks(),
        names,
        time,
        asked.trail_key().await,
        asked.operations().await,
        asked.sign_ins().await,
    ]
}

struct Asked<'a, C> {
    cloud: &'a C,
    bundle: &'a Bundle,
    proof: &'a ProofReport,
}

impl<C: Cloud> Asked<'_, C> {
    fn canaries(&self) -> String {
        format!(
            "judged the canaries of {} accounts and Regions",
            self.proof.sent
        )
    }

    fn arrived(&self, kind: CanaryKind) -> impl Iterator<Item = &Arrival> {
        self.proof.arrivals.iter().filter(move |it| it.kind == kind)
    }

    /// AWS's words about a link that lost a canary.
    fn lost(&self, links: &[&str]) -> Option<&str> {
        let rows = &self.proof.locations;
        let mut broken = rows.iter().flat_map(|row| &row.broken);
        let is_it = |link: &str| links.iter().any(|begin| link.starts_with(begin));
        let found = broken.find(|it| is_it(&it.link));
        found.map(|it| it.message.as_str())
    }

    /// An answer from whether canaries arrive; `links` are those that the second answer breaks.
    fn by_arrival(&self, links: &[&str]) -> Seen {
        let count = self.arrived(CanaryKind::Event).count();
        if count > 0 {
            return (Some(0), format!("{count} canaries arrived"));
        }
        match self.lost(links) {
            Some(words) => (Some(1), words.to_owned()),
            None => unanswered("no canary arrived, for another reason"),
        }
    }

    fn publishing(&self, probe: &Probe, way: Publish, links: &[&str]) -> Finding {
        let organization = &self.bundle.organization;
        let seen = if organization.topology == Topology::Local {
            unanswered("without a hub there are no canaries")
        } else if organization.publish == way {
            self.by_arrival(links)
        } else {
            unanswered("the organization file publishes the other way")
        };
        probe.found(self.canaries(), seen)
    }

    fn publish_role(&self) -> Finding {
        let links = ["publisher role", "key of the alerts' topics"];
        self.publishing(&PUBLISH_ROLE, Publish::Role, &links)
    }

    fn topic_source(&self) -> Finding {
        self.publishing(&TOPIC_SOURCE, Publish::Policy, &["topic policy of"])
    }

    fn queue(&self) -> Finding {
        QUEUE.found(
            self.canaries(),
            self.by_arrival(&["topic gizmos-canary to"]),
        )
    }

    fn line_breaks(&self) -> Finding {
        let done = "looked at the text of a canary, whose template has several lines";
        let seen = match self.proof.arrivals.first() {
            None => unanswered("no canary arrived"),
            Some(arrival) if arrival.text.trim().contains('\n') => {
                (Some(0), "the text has several lines".to_owned())
            }
            Some(arrival) => (Some(1), format!("the text is {}", arrival.text)),
        };
        LINE_BREAKS.found(done, seen)
    }

    async fn recorded_names(&self) -> Finding {
        let done = "called ssm:DeleteParameters for a name that does not exist";
        let count = self.arrived(CanaryKind::CloudTrail).count();
        if count > 0 {
            let seen = format!("{count} calls came back as events with the name in them");
            return RECORDED_NAMES.found(done, (Some(0), seen));
        }
        let seen = match self.proof.locations.first() {
            Some(row) if self.proof.sent > 0 => self.in_history(&row.location).await,
            _ => unanswered("no call was made"),
        };
        let done = format!("{done}, and looked into CloudTrail's event history");
        RECORDED_NAMES.found(done, seen)
    }

    /// How the event history has the canaries' call.
    async fn in_history(&self, location: &Location) -> Seen {
        let records = match self
            .cloud
            .recorded_calls(location, "DeleteParameters")
            .await
        {
            Ok(records) => records,
            Err(error) => return unreadable(&error),
        };
        let Some(record) = records.first() else {
            return unanswered(format!(
                "the event history of {location} does not have it yet"
            ));
        };
        let parameters = record.get("requestParameters").unwrap_or(&Value::Null);
        let has_name = |it: &Value| {
            let names = it.get("names").and_then(Value::as_array);
            let mut names = names.into_iter().flatten().filter_map(Value::as_str);
            names.any(|name| name.starts_with(PARAMETER_PREFIX))
        };
        if records
            .iter()
            .filter_map(|it| it.get("requestParameters"))
            .any(has_name)
        {
            return (
                Some(0),
                "the event history has the name, although no event arrived".to_owned(),
            );
        }
        (Some(1), format!("requestParameters is {parameters}"))
    }

    /// `is_recognized` is whether events of the calls differ from others.
    fn recorded_time(&self, is_recognized: bool) -> Finding {
        let done = "measured from the call of ssm:DeleteParameters to the arrival of its event";
        let times: Vec<u64> = self
            .arrived(CanaryKind::CloudTrail)
            .map(|it| it.after.as_secs())
            .collect();
        let is_trail = |it: &crate::BrokenLink| it.link.starts_with("trail ");
        let came = self.arrived(CanaryKind::Event).count();
        let seen = match (times.iter().min(), times.iter().max()) {
            (Some(least), Some(most)) if times.len() == came => {
                (Some(0), format!("{least} to {most} seconds"))
            }
            _ if !is_recognized => unanswered("events of the calls can't be recognized"),
            _ if came == 0 => unanswered("no canary arrived"),
            _ if self.proof.hub.iter().any(is_trail) => unanswered("the trail is broken"),
            _ => {
                let late = came - times.len().min(came);
                (
                    Some(1),
                    format!("{late} of {came} calls took longer than 15 minutes"),
                )
            }
        };
        RECORDED_TIME.found(done, seen)
    }

    async fn trail_key(&self) -> Finding {
        let organization = &self.bundle.organization;
        let location = Location::new(&organization.accounts.management, &organization.home_region);
        let name = organization.trail_name();
        if let Trail::Existing(_) = organization.trail {
            let why = unanswered("the trail's bucket and key are not Gizmos'");
            return TRAIL_KEY.found("left the existing trail alone".to_owned(), why);
        }
        let seen = match self.cloud.trail_status(&location, name).await {
            Ok(Some(status)) => match status.delivery_error {
                None if status.logging => (
                    Some(0),
                    "the latest delivery of log files had no error".to_owned(),
                ),
                None => unanswered("the trail is not logging"),
                Some(error) => (Some(1), format!("the latest delivery failed: {error}")),
            },
            Ok(None) => unanswered("the trail does not exist"),
            Err(error) => unreadable(&error),
        };
        TRAIL_KEY.found(format!("read the status of trail {name}"), seen)
    }

    async fn operations(&self) -> Finding {
        let sets = self.bundle.stack_sets.iter();
        let mut sets = sets.filter(|set| set.targets.members.is_some());
        let name = sets
            .find(|set| matches!(set.part, Part::Bucket))
            .map_or("gizmos-bucket", |set| set.name.as_str());
        let done = format!("listed the operations of stack set {name}");
        let seen = match self.cloud.list_operations(name).await {
            Ok(operations) => {
                let now = self.cloud.now();
                let ended = operations.iter().filter_map(|it| it.ended);
                let ages: Vec<Duration> = ended.filter_map(|at| age(now, at)).collect();
                operations_seen(&ages, operations.is_empty())
            }
            Err(error) => unreadable(&error),
        };
        OPERATIONS.found(done, seen)
    }

    async fn sign_ins(&self) -> Finding {
        let organization = &self.bundle.organization;
        let account = &organization.accounts.management;
        let regions = match self.cloud.enabled_regions().await {
            Ok(Some(regions)) => regions,
            Ok(None) => return SIGN_INS.found("", unanswered("the Regions can't be listed")),
            Err(error) => return SIGN_INS.found("", unreadable(&error)),
        };
        let done = format!(
            "looked for ConsoleLogin in the event history of the management account, in {} Regions",
            regions.len()
        );
        let locations = regions.iter().map(|region| Location::new(account, region));
        let found: Vec<(String, Result<Vec<Value>, CloudError>)> = stream::iter(locations)
            .map(|location| async move {
                let records = self.cloud.recorded_calls(&location, "ConsoleLogin").await;
                (location.region, records)
            })
            .buffered(REGIONS_AT_ONCE)
            .collect()
            .await;
        let watched = organization.regions.iter().cloned().collect();
        SIGN_INS.found(done, sign_ins_seen(&found, &watched))
    }
}

fn age(now: SystemTime, at: SystemTime) -> Option<Duration> {
    now.duration_since(at).ok()
}

/// `ages` of the operations that are listed.
fn operations_seen(ages: &[Duration], none: bool) -> Seen {
    let days = |age: &Duration| age.as_secs() / 86_400;
    match ages.iter().max() {
        Some(oldest) if *oldest > NINETY_DAYS => (
            Some(0),
            format!("the oldest ended {} days ago", days(oldest)),
        ),
        Some(oldest) => unanswered(format!(
            "the oldest ended {} days ago; ask again when it is older than 90",
            days(oldest)
        )),
        None if none => (
            Some(1),
            "the stack set exists, and no operation is listed".to_owned(),
        ),
        None => unanswered("no operation has ended"),
    }
}

fn sign_ins_seen(
    found: &[(String, Result<Vec<Value>, CloudError>)],
    watched: &BTreeSet<String>,
) -> Seen {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut closed = Vec::new();
    for (region, records) in found {
        match records {
            Ok(records) if records.is_empty() => {}
            Ok(records) => {
                counts.insert(region, records.len());
            }
            Err(error) => closed.push(format!("{region} can't be read: {error}")),
        }
    }
    let mut words: Vec<String> = counts
        .iter()
        .map(|(region, count)| {
            let note = if watched.contains(*region) {
                ""
            } else {
                ", which is not watched"
            };
            format!("{count} in {region}{note}")
        })
        .collect();
    words.extend(closed);
    let words = words.join("; ");
    if counts.keys().any(|region| !watched.contains(*region)) {
        (Some(1), words)
    } else if counts.is_empty() {
        unanswered(
            format!("no sign-in within 90 days; {words}")
                .trim_end_matches("; ")
                .to_owned(),
        )
    } else {
        (Some(0), words)
    }
}

#[cfg(test)]
mod tests;
