//! Check 3: CloudFormation's drift detection, for stack sets and ordinary stacks.

use std::time::SystemTime;

use compiler::StackSet;
use futures::{StreamExt, stream};

use super::options::DriftOptions;
use super::report::{Difference, Found, Unchecked};
use crate::code::{DriftCheck, DriftCode};
use crate::fingerprint::fingerprint;
use crate::fleet::Observed;
use crate::fleet::template::{resources, rule_of};
use crate::operation::{Backoff, Session, Stop, await_others, wait};
use crate::ports::{
    Action, Cloud, CloudError, DriftDetection, Location, Operation, OperationStatus,
    OperationSummary, PropertyDifference, ResourceDrift, ResourceDriftStatus, ResultStatus,
};
use crate::progress::ProgressEvent;
use crate::rollout::detection;

/// Instances whose drift is read concurrently.
const AT_ONCE: usize = 4;

const FIX: &str =
    "restore the expected value by hand, or remove the stack instance and deploy again";

/// Detects drift in every instance of a stack set.
pub(super) async fn of_stack_set<C: Cloud>(
    session: &Session<'_, C>,
    options: &DriftOptions,
    set: &StackSet,
    observed: &Observed,
) -> Found {
    let existing = observed.stack_sets.get(&set.name);
    let mut check = StackSetCheck {
        session,
        options,
        set,
        total: existing.map_or(0, |found| found.instances.len()),
        found: Found::default(),
    };
    if check.total > 0
        && let Err(stop) = check.run().await
    {
        check.found.skip(&set.name, None, stop.to_string());
    }
    check.found
}

/// Drift detection in one stack set.
struct StackSetCheck<'a, C> {
    session: &'a Session<'a, C>,
    options: &'a DriftOptions,
    set: &'a StackSet,
    /// Number of the stack set's instances.
    total: usize,
    found: Found,
}

impl<C: Cloud> StackSetCheck<'_, C> {
    async fn run(&mut self) -> Result<(), Stop> {
        let ended = if self.options.detect {
            self.detect().await?
        } else {
            match self.latest().await? {
                Some(ended) => ended,
                None => return Ok(()),
            }
        };
        let failed = self.note_failures(&ended).await?;
        if self.options.detect {
            self.session
                .progress
                .report(&ProgressEvent::OperationFinished {
                    stack_set: self.set.name.clone(),
                    operation: ended.id.clone(),
                    status: ended.status.clone(),
                    done: self.total.saturating_sub(failed),
                    failed,
                });
        }
        if ended.status != OperationStatus::Succeeded && failed == 0 {
            return Err(Stop::Failed(format!(
                "drift detection did not succeed: {}",
                ended.reason.as_deref().unwrap_or("no reason given")
            )));
        }
        if ended.drift.as_ref().is_none_or(|counts| counts.drifted > 0) {
            self.read_drifts(&ended.id).await?;
        }
        Ok(())
    }

    fn failed(&self, what: &str, error: &CloudError) -> Stop {
        Stop::cloud(&format!("{what} of {}", self.set.name), error)
    }

    /// Starts drift detection, or joins one that is running, and waits for its end.
    async fn detect(&self) -> Result<Operation, Stop> {
        let id = self.start().await?;
        self.session
            .progress
            .report(&ProgressEvent::OperationStarted {
                stack_set: self.set.name.clone(),
                operation: id.clone(),
                action: Action::DetectDrift,
                wave: None,
                total: self.total,
            });
        wait(self.session, &self.set.name, &id, self.total).await
    }

    /// Derives the id from the previous operations and the time: each detection gets a new id, also
    /// when no operation is listed any more, and a retry of the same call reuses it.
    async fn start(&self) -> Result<String, Stop> {
        let name = &self.set.name;
        let since = self
            .session
            .cloud
            .now()
            .duration_since(SystemTime::UNIX_EPOCH);
        let now = since.unwrap_or_default().as_secs().to_string();
        loop {
            let operations = self.operations().await?;
            match operations.iter().find(|found| found.status.is_pending()) {
                Some(running) if running.action == Some(Action::DetectDrift) => {
                    return Ok(running.id.clone());
                }
                Some(_) => {
                    await_others(self.session, name).await?;
                    continue;
                }
                None => {}
            }
            let before = operations.iter().map(|found| found.id.as_str());
            let before: Vec<&str> = before.chain([now.as_str()]).collect();
            let id = format!("gizmos-drift-{}", fingerprint(&before));
            let started = self
                .session
                .cloud
                .detect_stack_set_drift(name, detection(), &id)
                .await;
            match started {
                Ok(id) => return Ok(id),
                Err(CloudError::OperationIdAlreadyExists { .. }) => return Ok(id),
                Err(CloudError::OperationInProgress { .. }) => {
                    await_others(self.session, name).await?;
                }
                Err(error) => return Err(Stop::cloud("cannot start drift detection", &error)),
            }
        }
    }

    async fn operations(&self) -> Result<Vec<OperationSummary>, Stop> {
        let operations = self.session.cloud.list_operations(&self.set.name).await;
        operations.map_err(|error| self.failed("cannot list the operations", &error))
    }

    /// The latest finished drift detection. A note records its age, or that there is none.
    async fn latest(&mut self) -> Result<Option<Operation>, Stop> {
        let name = &self.set.name;
        let mut operations = self.operations().await?.into_iter();
        let latest =
            operations.find(|it| it.action == Some(Action::DetectDrift) && !it.status.is_pending());
        let Some(latest) = latest else {
            self.found.notes.push(format!(
                "resources of {name}: CloudFormation has never detected drift, and was not asked to"
            ));
            return Ok(None);
        };
        let ended = self
            .session
            .cloud
            .describe_operation(name, &latest.id)
            .await
            .map_err(|error| self.failed("cannot read the drift", &error))?
            .ok_or_else(|| {
                Stop::Failed("CloudFormation no longer knows its latest drift detection".to_owned())
            })?;
        let when = ended.drift.as_ref().and_then(|it| it.checked.as_deref());
        self.found.notes.push(format!(
            "resources of {name}: as CloudFormation saw them at {}",
            when.unwrap_or("an unknown time")
        ));
        Ok(Some(ended))
    }

    /// Records the instances in which detection failed, and returns their number.
    async fn note_failures(&mut self, ended: &Operation) -> Result<usize, Stop> {
        let counted = ended.drift.as_ref();
        if ended.status == OperationStatus::Succeeded && counted.is_some_and(|it| it.failed == 0) {
            return Ok(0);
        }
        let results = self
            .session
            .cloud
            .list_operation_results(&self.set.name, &ended.id)
            .await
            .map_err(|error| self.failed("cannot read the drift", &error))?;
        let mut failed = 0;
        for result in results {
            if result.status == ResultStatus::Succeeded {
                continue;
            }
            failed += 1;
            let location = Location::new(result.account, result.region);
            if self.options.covers(&location) {
                let reason = result.reason;
                let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
                self.found.skip(&self.set.name, Some(location), reason);
            }
        }
        Ok(failed)
    }

    async fn read_drifts(&mut self, operation: &str) -> Result<(), Stop> {
        let cloud = self.session.cloud;
        let name = &self.set.name;
        let mut drifted = cloud
            .list_drifted_instances(name)
            .await
            .map_err(|error| self.failed("cannot list the drifted instances", &error))?;
        drifted.retain(|location| self.options.covers(location));
        let read = stream::iter(drifted)
            .map(|location| async move {
                let Location { account, region } = &location;
                let drifts = cloud
                    .list_instance_resource_drifts(name, operation, account, region)
                    .await;
                (location, drifts)
            })
            .buffered(AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        for (location, drifts) in read {
            match drifts {
                Ok(drifts) => self.found.add(self.set, &location, drifts),
                Err(error) => self.found.skip(name, Some(location), error.to_string()),
            }
        }
        Ok(())
    }
}

/// Detects drift in a stack of the management account.
pub(super) async fn of_stack<C: Cloud>(
    session: &Session<'_, C>,
    options: &DriftOptions,
    set: &StackSet,
    location: &Location,
) -> Found {
    let mut found = Found::default();
    let drifts = if options.detect {
        detect_in_stack(session, &set.name, location).await
    } else {
        found.notes.push(format!(
            "resources of stack {} in {location}: as of CloudFormation's latest detection",
            set.name
        ));
        let drifts = session.cloud.list_resource_drifts(location, &set.name);
        drifts
            .await
            .map_err(|error| Stop::cloud("cannot read the drift", &error))
    };
    match drifts {
        Ok(drifts) => found.add(set, location, drifts),
        Err(stop) => found.skip(&set.name, Some(location.clone()), stop.to_string()),
    }
    found
}

async fn detect_in_stack<C: Cloud>(
    session: &Session<'_, C>,
    name: &str,
    location: &Location,
) -> Result<Vec<ResourceDrift>, Stop> {
    let cloud = session.cloud;
    let failed = |error: CloudError| Stop::cloud("cannot detect drift", &error);
    let detection = cloud
        .detect_stack_drift(location, name)
        .await
        .map_err(failed)?;
    let mut pause = Backoff::new();
    loop {
        let state = cloud
            .describe_drift_detection(location, &detection)
            .await
            .map_err(failed)?;
        match state {
            DriftDetection::Complete { drifted: false } => return Ok(Vec::new()),
            DriftDetection::Complete { drifted: true } => break,
            DriftDetection::Failed { reason } => {
                return Err(Stop::Failed(format!("drift detection failed: {reason}")));
            }
            DriftDetection::InProgress if pause.waited >= session.limits.operation => {
                return Err(Stop::TimedOut(
                    "drift detection did not end in time".to_owned(),
                ));
            }
            DriftDetection::InProgress => cloud.pause(pause.next()).await,
        }
    }
    cloud
        .list_resource_drifts(location, name)
        .await
        .map_err(failed)
}

impl Found {
    fn skip(&mut self, part: &str, location: Option<Location>, reason: String) {
        self.unchecked.push(Unchecked {
            check: DriftCheck::Resources,
            part: Some(part.to_owned()),
            what: "resources".to_owned(),
            location,
            reason,
        });
    }

    fn add(&mut self, set: &StackSet, location: &Location, drifts: Vec<ResourceDrift>) {
        let known = resources(&set.template);
        for drift in drifts {
            let by_metadata = known
                .get(&drift.logical_id)
                .and_then(rule_of)
                .map(|rule| vec![rule.to_owned()]);
            let rules = by_metadata
                .or_else(|| set.rules.get(&drift.logical_id).cloned())
                .unwrap_or_default();
            let code = match drift.status {
                ResourceDriftStatus::Deleted => DriftCode::ResourceDeleted,
                _ => DriftCode::ResourceModified,
            };
            let (expected, actual) = values(&drift);
            let mut difference = Difference::new(code, message(&drift, &rules), FIX)
                .part(&set.name)
                .at(location)
                .values(expected, actual);
            difference.rules = rules;
            difference.resource = Some(drift);
            self.differences.push(difference);
        }
    }
}

/// Expected and actual values of all properties that differ.
fn values(drift: &ResourceDrift) -> (String, String) {
    if drift.status == ResourceDriftStatus::Deleted {
        let id = drift.physical_id.as_deref().unwrap_or(&drift.logical_id);
        return (
            format!("{} {id}", drift.resource_type),
            "nothing".to_owned(),
        );
    }
    let side = |value: fn(&PropertyDifference) -> &str| {
        let all = drift.differences.iter();
        let all: Vec<String> = all
            .map(|it| format!("{}: {}", it.path, value(it)))
            .collect();
        all.join("; ")
    };
    (side(|it| &it.expected), side(|it| &it.actual))
}

fn message(drift: &ResourceDrift, rules: &[String]) -> String {
    let what = match rules {
        [] => format!("{} {}", drift.resource_type, drift.logical_id),
        [rule] => format!("rule {rule} ({} {})", drift.resource_type, drift.logical_id),
        rules => format!(
            "{} {} of rules {}",
            drift.resource_type,
            drift.logical_id,
            rules.join(", ")
        ),
    };
    if drift.status == ResourceDriftStatus::Deleted {
        return format!("{what} was deleted outside of CloudFormation");
    }
    let paths: Vec<&str> = drift.differences.iter().map(|d| d.path.as_str()).collect();
    let changed = format!("{what} was changed outside of CloudFormation");
    if paths.is_empty() {
        changed
    } else {
        format!("{changed}: {}", paths.join(", "))
    }
}
