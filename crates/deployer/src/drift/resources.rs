//! Check 3: CloudFormation's drift detection, for stack sets and ordinary stacks.

use std::collections::BTreeMap;
use std::time::SystemTime;

use compiler::StackSet;
use futures::{StreamExt, stream};

use super::options::DriftOptions;
use super::report::{Difference, Found, Unchecked};
use super::settle::{Settling, Source, settle};
use crate::code::{DriftCheck, DriftCode};
use crate::fingerprint::fingerprint;
use crate::fleet::template::rule_of;
use crate::fleet::{Membership, Observed, ObservedStackSet};
use crate::operation::{Backoff, Session, Stop, await_others, wait};
use crate::ports::{
    AccountState, Action, Cloud, CloudError, DriftCounts, DriftDetection, DriftStatus, Location,
    Operation, OperationStatus, OperationSummary, PropertyDifference, ResourceDrift,
    ResourceDriftStatus, ResultStatus,
};
use crate::progress::ProgressEvent;
use crate::restore::StackAddress;
use crate::rollout::detection;

/// Instances whose drift is read concurrently.
const AT_ONCE: usize = 16;

/// Rules whose targets a run reads, over all stacks of a template, because CloudFormation may
/// report them falsely. If it reports more, every nth one is read, unless the run is deep.
const LOOKS: usize = 1_000;

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
        existing,
        membership: &observed.membership,
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
    existing: Option<&'a ObservedStackSet>,
    membership: &'a Membership,
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
        let counts = ended.drift.as_ref();
        if counts.is_none_or(|counts| counts.drifted > 0) {
            self.read_drifts(&ended.id, DriftStatus::Drifted).await?;
        }
        if counts.is_none_or(has_unknown) {
            self.read_drifts(&ended.id, DriftStatus::Unknown).await?;
            self.note_unchecked().await?;
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

    /// The instances in scope with this drift status.
    async fn instances(&self, status: DriftStatus) -> Result<Vec<Location>, Stop> {
        let cloud = self.session.cloud;
        let found = cloud.list_instances_by_drift(&self.set.name, status).await;
        let what = "cannot list the instances by drift status";
        let mut found = found.map_err(|error| self.failed(what, &error))?;
        found.retain(|location| self.options.covers(location));
        Ok(found)
    }

    /// Reports instances that CloudFormation has left unchecked. It skips accounts that are not in
    /// use, which need no detections.
    async fn note_unchecked(&mut self) -> Result<(), Stop> {
        for location in self.instances(DriftStatus::NotChecked).await? {
            let account = self.membership.account(&location.account);
            let in_use = account.is_some_and(|account| account.state == AccountState::Active);
            let known = self.found.unchecked.iter();
            let known = known.filter_map(|it| it.location.as_ref());
            if in_use && !known.into_iter().any(|known| *known == location) {
                let reason = "CloudFormation's drift status is NOT_CHECKED".to_owned();
                self.found.skip(&self.set.name, Some(location), reason);
            }
        }
        Ok(())
    }

    async fn read_drifts(&mut self, operation: &str, status: DriftStatus) -> Result<(), Stop> {
        let locations = self.instances(status).await?;
        let source = Source::of(self.set, self.existing);
        let instances = self.existing.iter().flat_map(|set| &set.instances);
        let stacks: BTreeMap<Location, &str> = instances
            .filter_map(|it| Some((it.location(), it.stack_id.as_deref()?)))
            .collect();
        let per_instance = source.count("AWS::Events::Rule");
        let step = step(self.options, &source, locations.len());
        let all = {
            let (this, source, stacks) = (&*self, &source, &stacks);
            let read = stream::iter(locations.into_iter().enumerate()).map(
                |(number, location)| async move {
                    let first = number * per_instance;
                    let looks = Looks { first, step };
                    let stack = stacks.get(&location).copied();
                    let instance = (location, stack);
                    this.read_instance(operation, source, instance, looks).await
                },
            );
            let merge = |mut all: Found, found| async {
                all.merge(found);
                all
            };
            read.buffered(AT_ONCE).fold(Found::default(), merge).await
        };
        self.found.merge(all);
        Ok(())
    }

    async fn read_instance(
        &self,
        operation: &str,
        source: &Source,
        (location, stack): (Location, Option<&str>),
        looks: Looks,
    ) -> Found {
        let mut found = Found::default();
        let cloud = self.session.cloud;
        let name = &self.set.name;
        let Location { account, region } = &location;
        let drifts = cloud
            .list_instance_resource_drifts(name, operation, account, region)
            .await;
        match drifts {
            Ok(drifts) => {
                let address = StackAddress::new(&location, stack.unwrap_or(name), source.names());
                found
                    .add(cloud, self.set, source, &address, (drifts, looks))
                    .await;
            }
            Err(error) => found.skip(name, Some(location), error.to_string()),
        }
        found
    }
}

/// Whether CloudFormation counted some instances neither as drifted nor as in sync.
fn has_unknown(counts: &DriftCounts) -> bool {
    counts.drifted + counts.in_sync + counts.failed < counts.total
}

/// Which of an instance's rules may be looked at.
#[derive(Clone, Copy)]
struct Looks {
    /// The number of rules in the instances before.
    first: usize,
    /// Every nth rule.
    step: usize,
}

/// Every nth rule may be looked at: CloudFormation may report the targets of every rule of every
/// stack.
fn step(options: &DriftOptions, source: &Source, stacks: usize) -> usize {
    if options.deep {
        return 1;
    }
    let rules = source.count("AWS::Events::Rule") * stacks;
    rules.div_ceil(LOOKS).max(1)
}

/// Detects drift in a stack of the management account, one of `stacks` made from the same template.
pub(super) async fn of_stack<C: Cloud>(
    session: &Session<'_, C>,
    options: &DriftOptions,
    set: &StackSet,
    location: &Location,
    stacks: usize,
) -> Found {
    let mut found = Found::default();
    let source = Source::of(set, None);
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
        Ok(drifts) => {
            let address = StackAddress::new(location, &set.name, source.names());
            let step = step(options, &source, stacks);
            let looks = Looks { first: 0, step };
            found
                .add(session.cloud, set, &source, &address, (drifts, looks))
                .await;
        }
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
    let status = loop {
        let state = cloud
            .describe_drift_detection(location, &detection)
            .await
            .map_err(failed)?;
        match state {
            DriftDetection::Complete {
                drift: DriftStatus::InSync,
            } => return Ok(Vec::new()),
            DriftDetection::Complete { drift } => break drift,
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
    };
    let drifts = cloud.list_resource_drifts(location, name);
    let drifts = drifts.await.map_err(failed)?;
    if drifts.is_empty() && status != DriftStatus::Drifted {
        let status = status.name();
        return Err(Stop::Failed(format!(
            "CloudFormation's drift status is {status}"
        )));
    }
    Ok(drifts)
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

    /// Adds what is left of a stack's drift after settling.
    async fn add(
        &mut self,
        cloud: &impl Cloud,
        set: &StackSet,
        source: &Source,
        address: &StackAddress<'_>,
        (drifts, looks): (Vec<ResourceDrift>, Looks),
    ) {
        let location = address.location;
        let mut number = looks.first;
        for drift in drifts {
            if let Some(reason) = unreadable(&drift) {
                self.unchecked.push(Unchecked {
                    check: DriftCheck::Resources,
                    part: Some(set.name.clone()),
                    what: format!("{} {}", drift.resource_type, drift.logical_id),
                    location: Some(location.clone()),
                    reason,
                });
                continue;
            }
            let may_look =
                drift.resource_type != "AWS::Events::Rule" || number.is_multiple_of(looks.step);
            number += usize::from(drift.resource_type == "AWS::Events::Rule");
            let what = format!("{} {}", drift.resource_type, drift.logical_id);
            let settled = settle(cloud, location, source, drift, may_look).await;
            let Settling {
                drift,
                unreadable,
                tally,
                read,
            } = settled;
            // All rules on a bus of the fleet's own are looked at again; those of spokes aren't.
            self.targets
                .extend(read.filter(|((_, bus, _), _)| bus != "default"));
            self.tally.merge(tally);
            if let Some(error) = unreadable {
                self.unchecked.push(Unchecked {
                    check: DriftCheck::Resources,
                    part: Some(set.name.clone()),
                    what,
                    location: Some(location.clone()),
                    reason: format!(
                        "CloudFormation reports it, which is often false, and it can't be read: \
                         {error}"
                    ),
                });
            }
            if let Some(drift) = drift {
                self.differences
                    .push(of_resource(set, source, address, drift));
            }
        }
    }
}

/// Why a resource was not checked; `None` if it was.
fn unreadable(drift: &ResourceDrift) -> Option<String> {
    let status = match drift.status {
        ResourceDriftStatus::Unknown => "UNKNOWN",
        ResourceDriftStatus::NotChecked => "NOT_CHECKED",
        _ => return None,
    };
    let reason = drift.reason.as_ref();
    let reason = reason.map(|it| format!(": {it}")).unwrap_or_default();
    Some(format!("CloudFormation's drift status is {status}{reason}"))
}

fn of_resource(
    set: &StackSet,
    source: &Source,
    address: &StackAddress<'_>,
    drift: ResourceDrift,
) -> Difference {
    let rules = rules_of(set, source, &drift.logical_id);
    let code = match drift.status {
        ResourceDriftStatus::Deleted => DriftCode::ResourceDeleted,
        _ => DriftCode::ResourceModified,
    };
    let (expected, actual) = values(&drift);
    let mut difference = Difference::new(code, message(&drift, &rules), address.revert_drift())
        .part(&set.name)
        .at(address.location)
        .values(expected, actual);
    difference.rules = rules;
    difference.resource = Some(drift);
    difference
}

/// The ids of the rules that a resource was compiled from.
pub(super) fn rules_of(set: &StackSet, source: &Source, logical_id: &str) -> Vec<String> {
    let by_metadata = (source.resources.get(logical_id))
        .and_then(rule_of)
        .map(|rule| vec![rule.to_owned()]);
    by_metadata
        .or_else(|| set.rules.get(logical_id).cloned())
        .unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_looks_at_a_thousand_rules_of_a_template_unless_it_is_deep() {
        let rule = json!({"Type": "AWS::Events::Rule", "Properties": {}});
        let source = Source {
            resources: (0..10).map(|it| (it.to_string(), rule.clone())).collect(),
            parameters: BTreeMap::new(),
        };
        let options = DriftOptions::default();
        assert_eq!(step(&options, &source, 1), 1);
        assert_eq!(step(&options, &source, 100), 1);
        assert_eq!(step(&options, &source, 40_000), 400);
        let deep = DriftOptions {
            deep: true,
            ..options
        };
        assert_eq!(step(&deep, &source, 40_000), 1);
    }
}
