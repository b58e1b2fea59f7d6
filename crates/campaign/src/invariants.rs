//! What must hold in every run, checked on the simulator's state and journal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use compiler::Bundle;
use deployer::apply::PartOutcome;
use deployer::{ApplyOutcome, ApplyReport, DriftReport};
use jiff::Timestamp;
use serde::Serialize;
use simulator::{Fleet, FleetOperation, Request};

use crate::differences::{Difference, differences, is_reachable};
use crate::lab::Lab;
use crate::tampering::{Tampering, misjudged};

/// The actions that start work on instances. Creating an empty stack set or deleting one is not
/// work, and a second request for the same change set is refused by CloudFormation.
const STARTS: [&str; 5] = [
    "UpdateStackSet",
    "CreateStackInstances",
    "UpdateStackInstances",
    "DeleteStackInstances",
    "ExecuteChangeSet",
];

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Invariant {
    /// In the end the fleet equals the bundle, or the report names exactly the instances that do
    /// not, and why.
    EqualOrNamed,
    /// No operation is started while the same one runs, or again after it has succeeded.
    StartedOnce,
    /// Nothing that belongs to somebody else is touched.
    OnlyOurs,
    /// No failed instance is reported as success.
    NoFalseSuccess,
    /// A run on an unchanged fleet, or one that is refused, makes no mutating call.
    NothingToDo,
    /// The drift check finds what was changed directly, and nothing else, and changes nothing.
    DriftFound,
    /// Every run comes to an end.
    Ends,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Invariant; 7] = [
        Invariant::EqualOrNamed,
        Invariant::StartedOnce,
        Invariant::OnlyOurs,
        Invariant::NoFalseSuccess,
        Invariant::NothingToDo,
        Invariant::DriftFound,
        Invariant::Ends,
    ];

    /// What must hold, in words.
    pub fn describe(self) -> &'static str {
        match self {
            Invariant::EqualOrNamed => {
                "in the end the fleet equals the bundle, or the report names exactly what does not"
            }
            Invariant::StartedOnce => "no operation is started twice",
            Invariant::OnlyOurs => "nothing that others own is touched",
            Invariant::NoFalseSuccess => "no failed instance is reported as success",
            Invariant::NothingToDo => {
                "a run on an unchanged fleet, or one that is refused, makes no mutating call"
            }
            Invariant::DriftFound => "the drift check finds what was changed, and nothing else",
            Invariant::Ends => "every run comes to an end",
        }
    }
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Which.
    pub invariant: Invariant,
    /// What was seen instead.
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

/// A report that claims success while something is not as it should be.
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
        // Blocked locations are reported, and no failure: nothing was tried there.
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

/// What a report names.
struct Named<'r> {
    locations: BTreeSet<(&'r str, &'r str, &'r str)>,
    /// Stack sets that are reported as failed, whatever became of their instances.
    sets: BTreeSet<&'r str>,
    /// Stack sets that were not begun, with all their instances.
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

/// In the end the fleet equals the bundle, or the report names exactly what doesn't.
pub(crate) fn equal_or_named(bundle: &Bundle, fleet: &Fleet, report: &ApplyReport) -> Vec<Broken> {
    if report.outcome() == ApplyOutcome::Blocked {
        // Nothing was begun, and the problems say why.
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
    // A failed stack set's own definition makes each of its instances differ.
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
                "the report names as failed what is as it should be: {}",
                list(&falsely)
            ),
        ));
    }
    all
}

/// Nothing of other people has changed, and no request named any of it.
pub(crate) fn only_ours(lab: &Lab, fleet: &Fleet, requests: &[Request]) -> Vec<Broken> {
    let touched = lab.touched(fleet).into_iter();
    let aimed = requests
        .iter()
        .filter(|request| {
            let named = request.target.as_deref();
            // Creating under a taken name is refused, and changes nothing.
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

/// The run was refused as a whole.
pub(crate) fn nothing_was_begun(requests: &[Request]) -> Vec<Broken> {
    requests
        .iter()
        .map(|request| {
            let what = format!("{} by a run that was refused", request.action);
            broken(Invariant::NothingToDo, what)
        })
        .collect()
}

/// Requests of a run that had nothing to do.
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

/// What was changed directly is found, nothing else is, and the check changes nothing.
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

/// The requests of deployers, and the moments at which something else changed the organization.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The requests of deployers, in order.
    requests: Vec<Request>,
    /// Numbers of journal entries before which something else happened.
    disturbed: BTreeSet<u64>,
    /// All operations so far, by stack set, id and time: a stack set that was deleted and created again
    /// numbers its operations from the beginning.
    operations: BTreeMap<(String, String, Timestamp), FleetOperation>,
}

impl History {
    /// Notes what a deployer did.
    pub(crate) fn add(&mut self, requests: Vec<Request>, fleet: &Fleet) {
        self.requests.extend(requests);
        let operations = fleet.operations.iter().map(|((set, id), operation)| {
            let key = (set.clone(), id.clone(), operation.created);
            (key, operation.clone())
        });
        self.operations.extend(operations);
    }

    /// Notes that something else happened, between these numbers of the journal.
    pub(crate) fn disturb(&mut self, numbers: RangeInclusive<u64>) {
        self.disturbed.extend(numbers);
    }

    /// No work was started while the same ran, or after it had been done and not undone.
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

/// At most a few of many, and how many there are.
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

/// Whether two requests ask for the same.
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
