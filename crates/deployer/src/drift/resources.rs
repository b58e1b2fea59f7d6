//! CloudFormation's own drift detection, for stack sets and ordinary stacks.

use compiler::StackSet;
use futures::{StreamExt, stream};

use super::report::{DriftCheck, DriftFinding};
use crate::apply::{Backoff, Run, Stop, await_others, fingerprint, looking, wait};
use crate::plan::{resources, rule_of};
use crate::ports::{
    Action, Cloud, CloudError, DriftDetection, OperationStatus, Place, ResourceDrift,
    ResourceDriftStatus, ResultStatus,
};
use crate::progress::ProgressEvent;

/// How many instances' drifts are read at once.
const AT_ONCE: usize = 4;

/// Resource drift found, and what could not be looked at.
#[derive(Debug, Default)]
pub(crate) struct Detected {
    pub(crate) findings: Vec<DriftFinding>,
    pub(crate) unchecked: Vec<String>,
}

/// Detects drift in every instance of a stack set.
pub(crate) async fn of_stack_set<C: Cloud>(run: &Run<'_, C>, set: &StackSet) -> Detected {
    let mut detected = Detected::default();
    if let Err(stop) = try_stack_set(run, set, &mut detected).await {
        detected
            .unchecked
            .push(format!("resources of stack set {}: {}", set.name, stop));
    }
    detected
}

async fn try_stack_set<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    detected: &mut Detected,
) -> Result<(), Stop> {
    let name = &set.name;
    let doing = |what: &str, error: CloudError| Stop::cloud(&format!("{what} of {name}"), &error);
    let instances = run
        .cloud
        .list_instances(name)
        .await
        .map_err(|error| doing("cannot list the instances", error))?;
    if instances.is_empty() {
        return Ok(());
    }
    let operation = start(run, name).await?;
    run.progress.report(&ProgressEvent::OperationStarted {
        stack_set: name.clone(),
        operation: operation.clone(),
        action: Action::DetectDrift,
        wave: None,
        total: instances.len(),
        attached: false,
    });
    let ended = wait(run, name, &operation, instances.len()).await?;
    let results = run
        .cloud
        .list_operation_results(name, &operation)
        .await
        .map_err(|error| doing("cannot read the drift", error))?;
    let mut failed = 0;
    for result in &results {
        if result.status != ResultStatus::Succeeded {
            failed += 1;
            detected.unchecked.push(format!(
                "resources of {name} in {} {}: {}",
                result.account,
                result.region,
                result.reason.as_deref().unwrap_or("no reason given")
            ));
        }
    }
    run.progress.report(&ProgressEvent::OperationFinished {
        stack_set: name.clone(),
        operation: operation.clone(),
        status: ended.status.clone(),
        done: results.len() - failed,
        failed,
    });
    if ended.status != OperationStatus::Succeeded && failed == 0 {
        return Err(Stop::Failed(format!(
            "drift detection did not succeed: {}",
            ended.reason.as_deref().unwrap_or("no reason given")
        )));
    }
    let drifted: Vec<Place> = run
        .cloud
        .list_instances(name)
        .await
        .map_err(|error| doing("cannot list the instances", error))?
        .into_iter()
        .filter(|instance| instance.drift_status.as_deref() == Some("DRIFTED"))
        .map(|instance| Place::new(instance.account, instance.region))
        .collect();
    let operation = operation.as_str();
    let read = stream::iter(drifted)
        .map(|place| async move {
            let drifts = run
                .cloud
                .list_instance_resource_drifts(name, operation, &place.account, &place.region)
                .await;
            (place, drifts)
        })
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    for (place, drifts) in read {
        match drifts {
            Ok(drifts) => detected.add(set, &place, drifts),
            Err(error) => detected
                .unchecked
                .push(format!("resources of {name} in {place}: {error}")),
        }
    }
    Ok(())
}

/// Starts a detection, or attaches to one that runs. The id comes from the operation before it:
/// new for every detection, the same if the call has to be repeated.
async fn start<C: Cloud>(run: &Run<'_, C>, name: &str) -> Result<String, Stop> {
    loop {
        let operations = run
            .cloud
            .list_operations(name)
            .await
            .map_err(|e| Stop::cloud(&format!("cannot list the operations of {name}"), &e))?;
        match operations.iter().find(|found| found.status.is_pending()) {
            Some(running) if running.action == Some(Action::DetectDrift) => {
                return Ok(running.id.clone());
            }
            Some(_) => {
                await_others(run, name).await?;
                continue;
            }
            None => {}
        }
        let before: Vec<&str> = operations.iter().map(|found| found.id.as_str()).collect();
        let id = format!("gizmos-drift-{}", fingerprint(&before));
        match run.cloud.detect_stack_set_drift(name, looking(), &id).await {
            Ok(id) => return Ok(id),
            Err(CloudError::OperationIdAlreadyExists { .. }) => return Ok(id),
            Err(CloudError::OperationInProgress { .. }) => await_others(run, name).await?,
            Err(error) => {
                return Err(Stop::cloud("cannot start drift detection", &error));
            }
        }
    }
}

/// Detects drift in a stack of the management account.
pub(crate) async fn of_stack<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    place: &Place,
) -> Detected {
    let mut detected = Detected::default();
    match try_stack(run, &set.name, place).await {
        Ok(drifts) => detected.add(set, place, drifts),
        Err(stop) => detected.unchecked.push(format!(
            "resources of stack {} in {place}: {}",
            set.name, stop
        )),
    }
    detected
}

async fn try_stack<C: Cloud>(
    run: &Run<'_, C>,
    name: &str,
    place: &Place,
) -> Result<Vec<ResourceDrift>, Stop> {
    let doing = |error: CloudError| Stop::cloud("cannot detect drift", &error);
    let detection = run
        .cloud
        .detect_stack_drift(place, name)
        .await
        .map_err(doing)?;
    let mut pause = Backoff::new();
    loop {
        match run
            .cloud
            .describe_drift_detection(place, &detection)
            .await
            .map_err(doing)?
        {
            DriftDetection::Complete { drifted: false } => return Ok(Vec::new()),
            DriftDetection::Complete { drifted: true } => break,
            DriftDetection::Failed { reason } => {
                return Err(Stop::Failed(format!("drift detection failed: {reason}")));
            }
            DriftDetection::InProgress if pause.waited >= run.limits.operation => {
                return Err(Stop::TimedOut("drift detection does not end".to_owned()));
            }
            DriftDetection::InProgress => run.cloud.pause(pause.next()).await,
        }
    }
    run.cloud
        .list_resource_drifts(place, name)
        .await
        .map_err(doing)
}

impl Detected {
    fn add(&mut self, set: &StackSet, place: &Place, drifts: Vec<ResourceDrift>) {
        let known = resources(&set.template);
        for drift in drifts {
            let by_metadata = known
                .get(&drift.logical_id)
                .and_then(rule_of)
                .map(|rule| vec![rule.to_owned()]);
            let rules = by_metadata
                .or_else(|| set.rules.get(&drift.logical_id).cloned())
                .unwrap_or_default();
            self.findings.push(DriftFinding {
                check: DriftCheck::Resources,
                part: Some(set.name.clone()),
                place: Some(place.clone()),
                message: message(&drift, &rules),
                rules,
                resource: Some(drift),
                fix: Some(
                    "put it back by hand as expected; or remove the stack instance and deploy \
                     again"
                        .to_owned(),
                ),
            });
        }
    }
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
        return format!("{what} was deleted behind CloudFormation's back");
    }
    let paths: Vec<&str> = drift.differences.iter().map(|d| d.path.as_str()).collect();
    let changed = format!("{what} was changed behind CloudFormation's back");
    if paths.is_empty() {
        changed
    } else {
        format!("{changed}: {}", paths.join(", "))
    }
}
