//! Invariants of every run, checked against the simulator's state and journal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use compiler::Bundle;
use deployer::apply::PartOutcome;
use deployer::drift::DriftCode;
use deployer::{ApplyOutcome, ApplyReport, DriftReport};
use jiff::Timestamp;
use serde::Serialize;
use simulator::{Fleet, FleetOperation, Request};

use crate::differences::{Difference, differences, is_reachable};
use crate::lab::Lab;
use crate::tampering::{Tampering, misjudged};

/// Actions that start work on instances. Creating an empty stack set or deleting one is not work,
/// and CloudFormation rejects a second request for the same change set.
const STARTS: [&str; 5] = [
    "UpdateStackSet",
    "CreateStackInstances",
    "UpdateStackInstances",
    "DeleteStackInstances",
    "ExecuteChangeSet",
];

/// A property that every run must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Invariant {
    /// In the end, the fleet matches the bundle, or the report names exactly the instances that
    /// don't, with reasons.
    EqualOrNamed,
    /// No operation is started while the same one is running or after it succeeded.
    StartedOnce,
    /// Stack sets and stacks of other owners are never changed.
    OnlyOurs,
    /// No failed instance is reported as successful.
    NoFalseSuccess,
    /// A run on an unchanged fleet and a refused run make no mutating call.
    NothingToDo,
    /// The drift check reports exactly what was changed directly, and changes nothing.
    DriftFound,
    /// The remedies of a drift report restore the fleet.
    Repaired,
    /// Every run ends.
    Ends,
}

impl Invariant {
    /// All invariants, in report order.
    pub const ALL: [Invariant; 8] = [
        Invariant::EqualOrNamed,
        Invariant::StartedOnce,
        Invariant::OnlyOurs,
        Invariant::NoFalseSuccess,
        Invariant::NothingToDo,
        Invariant::DriftFound,
        Invariant::Repaired,
        Invariant::Ends,
    ];

    /// A clause that states the invariant.
    pub fn describe(self) -> &'static str {
        match self {
            Invariant::EqualOrNamed => {
                "in the end the fleet matches the bundle, or the report names all differences"
            }
            Invariant::StartedOnce => "no operation is started twice",
            Invariant::OnlyOurs => "nothing that others own is changed",
            Invariant::NoFalseSuccess => "no failed instance is reported as successful",
            Invariant::NothingToDo => {
                "a run on an unchanged fleet and a refused run make no mutating call"
            }
            Invariant::DriftFound => "the drift check reports exactly what was changed directly",
            Invariant::Repaired => "the remedies of a drift report restore the fleet",
            Invariant::Ends => "every run ends",
        }
    }
}

/// A violated invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The invariant that was violated.
    pub invariant: Invariant,
    /// What was observed instead.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant.describe(), self.what)
    }
}

fn broken(invariant: Invariant, what: String) -> Broken {
    Broken { invariant, what }
}

/// Fails if a report claims success although differences remain.
pub(crate) fn no_false_success(
    bundle: &Bundle,
    fleet: &Fleet,
    report: &ApplyReport,
) -> Vec<Broken> {
    let success = matches!(
        report.outcome(),
        ApplyOutcome::Done | ApplyOutcome::NothingToDo
    );
    if !success {
        return Vec::new();
    }
    let named = Named::of(bundle, report);
    let wrong: Vec<String> = differences(bundle, fleet)
        .into_iter()
        // Blocked locations are reported but are not failures, because nothing was attempted there.
        .filter(|difference| !named.has_location(difference))
        .map(|difference| difference.to_string())
        .collect();
    if wrong.is_empty() {
        return Vec::new();
    }
    vec![broken(
        Invariant::NoFalseSuccess,
        format!("reported as {:?}, but {}", report.outcome(), list(&wrong)),
    )]
}

/// The stack sets and locations that a report names.
struct Named<'r> {
    locations: BTreeSet<(&'r str, &'r str, &'r str)>,
    /// Stack sets reported as failed, with all their instances.
    sets: BTreeSet<&'r str>,
    /// Stack sets that were not started, with all their instances.
    skipped: BTreeSet<&'r str>,
}

impl<'r> Named<'r> {
    fn of(bundle: &'r Bundle, report: &'r ApplyReport) -> Named<'r> {
        let mut named = Named {
            locations: BTreeSet::new(),
            sets: BTreeSet::new(),
            skipped: BTreeSet::new(),
        };
        let management = bundle.organization.accounts.management.as_str();
        for part in &report.parts {
            let name = part.name.as_str();
            let locations = part
                .failures
                .iter()
                .map(|failure| &failure.location)
                .chain(part.blocked.iter().map(|blocked| &blocked.location))
                .chain(part.unfinished.iter().flat_map(|it| &it.locations));
            named.locations.extend(
                locations
                    .map(|location| (name, location.account.as_str(), location.region.as_str())),
            );
            let (reason, skipped) = match &part.outcome {
                PartOutcome::Unchanged | PartOutcome::Done | PartOutcome::Partial => continue,
                PartOutcome::Skipped { reason } => (reason, true),
                PartOutcome::Failed { reason } | PartOutcome::TimedOut { reason } => {
                    (reason, false)
                }
            };
            match &part.location {
                _ if reason.is_empty() => {}
                Some(location) => {
                    named.locations.insert((name, management, &location.region));
                }
                None => {
                    named.sets.insert(name);
                    if skipped {
                        named.skipped.insert(name);
                    }
                }
            }
        }
        named
    }

    fn has_location(&self, difference: &Difference) -> bool {
        difference
            .location
            .as_ref()
            .is_some_and(|(account, region)| {
                self.locations
                    .contains(&(difference.name.as_str(), account, region))
            })
    }

    fn has(&self, difference: &Difference) -> bool {
        let name = difference.name.as_str();
        self.has_location(difference)
            || self.skipped.contains(name)
            || (difference.location.is_none() && self.sets.contains(name))
    }
}

/// In the end, the fleet must match the bundle, or the report must name every difference.
pub(crate) fn equal_or_named(bundle: &Bundle, fleet: &Fleet, report: &ApplyReport) -> Vec<Broken> {
    if report.outcome() == ApplyOutcome::Blocked {
        // Nothing was started, and the problems say why.
        return Vec::new();
    }
    let found = differences(bundle, fleet);
    let named = Named::of(bundle, report);
    let unnamed: Vec<String> = found
        .iter()
        .filter(|difference| !named.has(difference))
        .map(ToString::to_string)
        .collect();
    let mut all = Vec::new();
    if !unnamed.is_empty() {
        all.push(broken(
            Invariant::EqualOrNamed,
            format!("the report does not name {}", list(&unnamed)),
        ));
    }
    let different: BTreeSet<(&str, &str, &str)> = found
        .iter()
        .filter_map(|difference| {
            let (account, region) = difference.location.as_ref()?;
            Some((difference.name.as_str(), account.as_str(), region.as_str()))
        })
        .collect();
    // If a failed stack set's own definition is wrong, each of its instances differs.
    let wrong_sets: BTreeSet<&str> = found
        .iter()
        .filter(|difference| difference.location.is_none())
        .map(|difference| difference.name.as_str())
        .collect();
    let falsely: Vec<String> = report
        .parts
        .iter()
        .filter(|part| !wrong_sets.contains(part.name.as_str()))
        .flat_map(|part| {
            part.failures
                .iter()
                .map(move |failure| (part.name.as_str(), &failure.location))
        })
        .filter(|(name, location)| {
            !different.contains(&(name, &location.account, &location.region))
        })
        // Unreachable locations may differ, but a failed attempt must be reported.
        .filter(|(_, location)| is_reachable(fleet, &location.account, &location.region))
        .map(|(name, location)| format!("{name} in {} {}", location.account, location.region))
        .collect();
    if !falsely.is_empty() {
        all.push(broken(
            Invariant::EqualOrNamed,
            format!(
                "the report names as failed what matches the bundle: {}",
                list(&falsely)
            ),
        ));
    }
    all
}

/// Nothing of other owners may change, and no request may name it.
pub(crate) fn only_ours(lab: &Lab, fleet: &Fleet, requests: &[Request]) -> Vec<Broken> {
    let touched = lab.touched(fleet).into_iter();
    let aimed = requests
        .iter()
        .filter(|request| {
            let named = request.target.as_deref();
            // Creating a stack set whose name is taken is rejected and changes nothing.
            request.action != "CreateStackSet" && named.is_some_and(|name| lab.is_foreign(name))
        })
        .map(|request| {
            let target = request.target.as_deref().unwrap_or_default();
            format!("{} of {target}", request.action)
        });
    let all: Vec<String> = touched.chain(aimed).collect();
    if all.is_empty() {
        return Vec::new();
    }
    vec![broken(Invariant::OnlyOurs, list(&all))]
}

/// A refused run must not start any work.
pub(crate) fn nothing_was_begun(requests: &[Request]) -> Vec<Broken> {
    requests
        .iter()
        .map(|request| {
            let what = format!("{} by a run that was refused", request.action);
            broken(Invariant::NothingToDo, what)
        })
        .collect()
}

/// A run without anything to do must make no mutating call.
pub(crate) fn nothing_to_do(requests: &[Request], outcome: ApplyOutcome) -> Vec<Broken> {
    let mut all = Vec::new();
    if !requests.is_empty() {
        let actions: Vec<String> = requests
            .iter()
            .map(|request| {
                let target = request.target.as_deref().unwrap_or("nothing in particular");
                format!("{} of {target}", request.action)
            })
            .collect();
        all.push(broken(Invariant::NothingToDo, list(&actions)));
    }
    if outcome != ApplyOutcome::NothingToDo {
        all.push(broken(
            Invariant::NothingToDo,
            format!("the second run ended as {outcome:?}"),
        ));
    }
    all
}

/// The drift check must report every direct change and nothing else, and must change nothing.
pub(crate) fn drift_found(
    report: &DriftReport,
    done: &[Tampering],
    requests: &[Request],
) -> Vec<Broken> {
    let changes = requests
        .iter()
        .filter(|request| !request.action.starts_with("Detect"))
        .map(|request| format!("{} was called", request.action));
    let all: Vec<String> = misjudged(report, done).into_iter().chain(changes).collect();
    if all.is_empty() {
        return Vec::new();
    }
    vec![broken(Invariant::DriftFound, list(&all))]
}

/// After the remedies of a drift report, no difference may be left. Dead letters that arrived meanwhile
/// are no difference from the bundle.
pub(crate) fn repaired(report: &DriftReport) -> Vec<Broken> {
    let left = report.differences.iter();
    let left: Vec<String> = left
        .filter(|it| it.code != DriftCode::DeadLetters)
        .map(|it| format!("{}: {}; {}", it.code.id(), it.message, it.fix))
        .collect();
    if left.is_empty() {
        return Vec::new();
    }
    vec![broken(Invariant::Repaired, list(&left))]
}

/// The deployers' requests, and when something else changed the organization.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The deployers' requests, in order.
    requests: Vec<Request>,
    /// Journal numbers before which something else happened.
    disturbed: BTreeSet<u64>,
    /// All operations so far, by stack set, id and time. The time is needed because a stack set
    /// that is deleted and created again restarts its numbering.
    operations: BTreeMap<(String, String, Timestamp), FleetOperation>,
}

impl History {
    /// Records a deployer's requests.
    pub(crate) fn add(&mut self, requests: Vec<Request>, fleet: &Fleet) {
        self.requests.extend(requests);
        let operations = fleet.operations.iter().map(|((set, id), operation)| {
            let key = (set.clone(), id.clone(), operation.created);
            (key, operation.clone())
        });
        self.operations.extend(operations);
    }

    /// Records that something else happened between these journal numbers.
    pub(crate) fn disturb(&mut self, numbers: RangeInclusive<u64>) {
        self.disturbed.extend(numbers);
    }

    /// No work may be started while the same work is running, or after it succeeded and was not
    /// undone.
    pub(crate) fn started_once(&self) -> Vec<Broken> {
        let starts: Vec<&Request> = self
            .requests
            .iter()
            .filter(|request| STARTS.contains(&request.action.as_str()) && request.error.is_none())
            .collect();
        let mut all = Vec::new();
        for (index, later) in starts.iter().enumerate() {
            let Some(earlier) = starts
                .iter()
                .take(index)
                .rev()
                .find(|earlier| earlier.is_same_work(later))
            else {
                continue;
            };
            let between = |number: u64| earlier.number < number && number <= later.number;
            let undone = self.disturbed.iter().any(|number| between(*number))
                || starts.iter().any(|other| {
                    other.number < later.number
                        && other.number > earlier.number
                        && other.target == later.target
                });
            let operation = self.operation(earlier);
            let running = operation.is_some_and(|it| it.ended.is_none_or(|end| end > later.at));
            let succeeded = operation.map_or(earlier.action == "ExecuteChangeSet", |it| {
                it.status == "SUCCEEDED" && it.unsuccessful == 0
            });
            if running || (succeeded && !undone) {
                let target = later.target.as_deref().unwrap_or_default();
                let when = if running { "while" } else { "after" };
                let how = if running { "ran" } else { "had succeeded" };
                all.push(broken(
                    Invariant::StartedOnce,
                    format!(
                        "{} of {target}, operation {}, was started {when} the same work, \
                         operation {}, {how}",
                        later.action,
                        later.operation.as_deref().unwrap_or("without an id"),
                        earlier.operation.as_deref().unwrap_or("without an id"),
                    ),
                ));
            }
        }
        all
    }

    fn operation(&self, request: &Request) -> Option<&FleetOperation> {
        let (set, id) = (request.target.as_ref()?, request.operation.as_ref()?);
        let from = (set.clone(), id.clone(), request.at);
        let ((found, number, _), operation) = self.operations.range(from..).next()?;
        (found == set && number == id).then_some(operation)
    }
}

/// Lists a few of many items, and their number.
fn list(items: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = items
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    if items.len() > SHOWN {
        text.push_str(&format!("; and {} more", items.len() - SHOWN));
    }
    text
}

/// Whether two requests ask for the same work.
trait SameWork {
    fn is_same_work(&self, other: &Request) -> bool;
}

impl SameWork for Request {
    fn is_same_work(&self, other: &Request) -> bool {
        self.action == other.action
            && self.account == other.account
            && self.region == other.region
            && self.content == other.content
    }
}
