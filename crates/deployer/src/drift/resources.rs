//! CloudFormation's own drift detection, for stack sets and ordinary stacks.

use compiler::StackSet;
use futures::{StreamExt, stream};

use super::code::{DriftCheck, DriftCode, DriftOptions};
use super::report::{Difference, Unchecked};
use crate::apply::{Backoff, Run, Stop, await_others, fingerprint, looking, wait};
use crate::observe::Observed;
use crate::plan::{resources, rule_of};
use crate::ports::{
    Action, Cloud, CloudError, DriftDetection, Location, OperationStatus, PropertyDifference,
    ResourceDrift, ResourceDriftStatus, ResultStatus,
};
use crate::progress::ProgressEvent;

/// How many instances' drifts are read at once.
const AT_ONCE: usize = 4;

/// Resource drift found, and what could not be looked at.
#[derive(Debug, Default)]
pub(crate) struct Detected {
    pub(crate) differences: Vec<Difference>,
    pub(crate) unchecked: Vec<Unchecked>,
    pub(crate) notes: Vec<String>,
}

/// Detects drift in every instance of a stack set.
pub(crate) async fn of_stack_set<C: Cloud>(
    run: &Run<'_, C>,
    options: &DriftOptions,
    set: &StackSet,
    observed: &Observed,
) -> Detected {
    let mut detected = Detected::default();
    let instances = observed.stack_sets.get(&set.name);
    let total = instances.map_or(0, |found| found.instances.len());
    if total > 0
        && let Err(stop) = try_stack_set(run, options, set, total, &mut detected).await
    {
        detected.skip(&set.name, None, stop.to_string());
    }
    detected
}

async fn try_stack_set<C: Cloud>(
    run: &Run<'_, C>,
    options: &DriftOptions,
    set: &StackSet,
    total: usize,
    detected: &mut Detected,
) -> Result<(), Stop> {
    let name = &set.name;
    let doing = |what: &str, error: CloudError| Stop::cloud(&format!("{what} of {name}"), &error);
    let operation = if options.detect {
        start(run, name).await?
    } else if let Some(latest) = latest(run, name).await? {
        latest
    } else {
        detected.notes.push(format!(
            "resources of {name}: CloudFormation has never looked for drift, and was not asked to"
        ));
        return Ok(());
    };
    let ended = if options.detect {
        run.progress.report(&ProgressEvent::OperationStarted {
            stack_set: name.clone(),
            operation: operation.clone(),
            action: Action::DetectDrift,
            wave: None,
            total,
        });
        wait(run, name, &operation, total).await?
    } else {
        run.cloud
            .describe_operation(name, &operation)
            .await
            .map_err(|error| doing("cannot read the drift", error))?
            .ok_or_else(|| Stop::Failed("its latest drift detection is forgotten".to_owned()))?
    };
    let counts = ended.drift.clone().unwrap_or_default();
    if !options.detect {
        let when = counts.checked.as_deref().unwrap_or("an unknown time");
        detected.notes.push(format!(
            "resources of {name}: as CloudFormation saw them at {when}"
        ));
    }
    let all_well =
        ended.status == OperationStatus::Succeeded && ended.drift.is_some() && counts.failed == 0;
    let mut failed = 0;
    if !all_well {
        let results = run
            .cloud
            .list_operation_results(name, &operation)
            .await
            .map_err(|error| doing("cannot read the drift", error))?;
        for result in results {
            if result.status != ResultStatus::Succeeded {
                failed += 1;
                let location = Location::new(result.account, result.region);
                if options.covers(&location) {
                    let reason = result
                        .reason
                        .unwrap_or_else(|| "no reason given".to_owned());
                    detected.skip(name, Some(location), reason);
                }
            }
        }
    }
    if options.detect {
        run.progress.report(&ProgressEvent::OperationFinished {
            stack_set: name.clone(),
            operation: operation.clone(),
            status: ended.status.clone(),
            done: total.saturating_sub(failed),
            failed,
        });
    }
    if ended.status != OperationStatus::Succeeded && failed == 0 {
        return Err(Stop::Failed(format!(
            "drift detection did not succeed: {}",
            ended.reason.as_deref().unwrap_or("no reason given")
        )));
    }
    if ended.drift.is_some() && counts.drifted == 0 {
        return Ok(());
    }
    let mut drifted = run
        .cloud
        .list_drifted_instances(name)
        .await
        .map_err(|error| doing("cannot list the drifted instances", error))?;
    drifted.retain(|location| options.covers(location));
    let operation = operation.as_str();
    let read = stream::iter(drifted)
        .map(|location| async move {
            let drifts = run
                .cloud
                .list_instance_resource_drifts(name, operation, &location.account, &location.region)
                .await;
            (location, drifts)
        })
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    for (location, drifts) in read {
        match drifts {
            Ok(drifts) => detected.add(set, &location, drifts),
            Err(error) => detected.skip(name, Some(location), error.to_string()),
        }
    }
    Ok(())
}

/// The latest detection that came to its end.
async fn latest<C: Cloud>(run: &Run<'_, C>, name: &str) -> Result<Option<String>, Stop> {
    let operations = run
        .cloud
        .list_operations(name)
        .await
        .map_err(|e| Stop::cloud(&format!("cannot list the operations of {name}"), &e))?;
    let mut ended = operations
        .into_iter()
        .filter(|it| it.action == Some(Action::DetectDrift) && !it.status.is_pending());
    Ok(ended.next().map(|operation| operation.id))
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
    options: &DriftOptions,
    set: &StackSet,
    location: &Location,
) -> Detected {
    let mut detected = Detected::default();
    let drifts = if options.detect {
        try_stack(run, &set.name, location).await
    } else {
        detected.notes.push(format!(
            "resources of stack {} in {location}: as of CloudFormation's latest look",
            set.name
        ));
        let found = run.cloud.list_resource_drifts(location, &set.name).await;
        found.map_err(|error| Stop::cloud("cannot read the drift", &error))
    };
    match drifts {
        Ok(drifts) => detected.add(set, location, drifts),
        Err(stop) => detected.skip(&set.name, Some(location.clone()), stop.to_string()),
    }
    detected
}

async fn try_stack<C: Cloud>(
    run: &Run<'_, C>,
    name: &str,
    location: &Location,
) -> Result<Vec<ResourceDrift>, Stop> {
    let doing = |error: CloudError| Stop::cloud("cannot detect drift", &error);
    let detection = run
        .cloud
        .detect_stack_drift(location, name)
        .await
        .map_err(doing)?;
    let mut pause = Backoff::new();
    loop {
        match run
            .cloud
            .describe_drift_detection(location, &detection)
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
        .list_resource_drifts(location, name)
        .await
        .map_err(doing)
}

impl Detected {
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
                .location(location)
                .values(expected, actual);
            difference.rules = rules;
            difference.resource = Some(drift);
            self.differences.push(difference);
        }
    }
}

const FIX: &str = "put it back by hand as expected; or remove the stack instance and deploy again";

/// Expected and actual values of all that differs.
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
