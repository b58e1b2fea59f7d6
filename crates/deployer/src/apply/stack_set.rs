//! Making one stack set, and all its instances, what the bundle says.

use std::collections::{BTreeMap, BTreeSet};

use compiler::StackSet;

use super::operation::{self, Finished, Task, fingerprint};
use super::report::{PartOutcome, PartReport};
use super::{Run, Stop, targeting, waves};
use crate::observe::{ObservedStackSet, observe_stack_set};
use crate::plan::{Change, Reason, StackSetPlan, is_owned, plan_stack_set};
use crate::ports::{
    AccountSelection, AccountState, AutoDeployment, Cloud, CloudError, DeploymentTargets,
    InstanceRequest, NewStackSet, OperationStatus, Place, Preferences, StackSetUpdate,
};
use crate::progress::ProgressEvent;

/// How often a stack set is looked at afresh when it changes under our hands.
const REPLANS: usize = 4;

/// Brings a stack set and its instances into line, apart from what is to be removed.
pub(crate) async fn deploy<C: Cloud>(run: &Run<'_, C>, set: &StackSet) -> PartReport {
    let mut report = PartReport::begin(&set.name, None);
    for _ in 0..REPLANS {
        match try_deploy(run, set, &mut report).await {
            Err(Stop::Replan) => {}
            result => {
                report.conclude(result);
                return report;
            }
        }
    }
    report.outcome = PartOutcome::Failed {
        reason: format!("{} keeps being changed by somebody else", set.name),
    };
    report
}

async fn try_deploy<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    report: &mut PartReport,
) -> Result<(), Stop> {
    let Some(members) = &set.targets.members else {
        return Ok(());
    };
    let existing = settled(run, &set.name).await?;
    let plan = plan_stack_set(run.bundle, set, existing.as_ref(), &run.accounts);
    report.blocked.clone_from(&plan.blocked);
    match &plan.change {
        Change::Blocked { reason } => return Err(Stop::Failed(reason.clone())),
        Change::Create => create(run, set, report).await?,
        Change::Update { reasons } if reasons.contains(&Reason::AutoDeployment) => {
            if let Some(existing) = &existing {
                switch_auto_deployment(run, set, existing, report).await?;
            }
        }
        _ => {}
    }
    let definition = matches!(&plan.change, Change::Update { reasons }
        if reasons.iter().any(|reason| *reason != Reason::AutoDeployment));
    let instances = existing.as_ref().map_or(0, |found| found.instances.len());
    let mut template_due = definition;
    if template_due && plan.update.is_empty() {
        // No instance wants it, but those to be created do.
        let update = update(set, None, Vec::new(), waves::main());
        report.take(
            operation::perform(run, Task::Update(Box::new(update)), None, instances).await?,
        )?;
        template_due = false;
    }
    let pool = pool(run, &members.organizational_units);
    let parts = waves::split(
        &run.bundle.organization.waves,
        &run.accounts,
        &plan.update,
        &plan.add,
        template_due,
    );
    let everything = plan.update.len() == instances && parts.len() == 1;
    let last = parts.len().saturating_sub(1);
    for (index, part) in parts.into_iter().enumerate() {
        let wave = part.name.as_deref();
        let groups = targeting::group(
            &part.update,
            &members.organizational_units,
            &pool,
            &members.regions,
        );
        let mut failed = false;
        for group in groups {
            let total = group.places.len();
            if !template_due {
                let request = request(set, group.targets, group.regions, part.preferences);
                let finished = operation::perform(run, Task::Refresh(request), wave, total).await?;
                failed |= !report.take(finished)?;
                continue;
            }
            template_due = false;
            let (targets, regions, total) = if everything {
                (None, Vec::new(), instances)
            } else {
                (Some(group.targets), group.regions, total)
            };
            let task = Task::Update(Box::new(update(set, targets, regions, part.preferences)));
            failed |= !report.take(operation::perform(run, task, wave, total).await?)?;
            if everything {
                break;
            }
        }
        let groups = targeting::group(
            &part.add,
            &members.organizational_units,
            &pool,
            &members.regions,
        );
        for group in groups {
            let request = request(set, group.targets, group.regions, part.preferences);
            let total = group.places.len();
            let finished = operation::perform(run, Task::Create(request), wave, total).await?;
            failed |= !report.take(finished)?;
        }
        if index == last {
            break;
        }
        let name = wave.unwrap_or_default().to_owned();
        if failed {
            return Err(Stop::Failed(format!(
                "wave {name} failed; the later waves were not begun"
            )));
        }
        // Soaking keeps a bad template from what works already. Where everything is new, nothing
        // works yet, and a wait would only leave the rest unwatched for longer.
        if !part.update.is_empty() {
            soak(run, &set.name, name, part.soak_minutes).await;
        }
    }
    Ok(())
}

async fn soak<C: Cloud>(run: &Run<'_, C>, set: &str, wave: String, minutes: u32) {
    if minutes > 0 {
        run.progress.report(&ProgressEvent::Soaking {
            stack_set: set.to_owned(),
            wave,
            minutes,
        });
        let seconds = u64::from(minutes) * 60;
        run.cloud
            .pause(std::time::Duration::from_secs(seconds))
            .await;
    }
}

/// Reads a stack set once nothing works on it any more. An operation that an earlier run of ours
/// has started is waited for like any other: what it leaves undone is in the plan made afterwards.
async fn settled<C: Cloud>(run: &Run<'_, C>, name: &str) -> Result<Option<ObservedStackSet>, Stop> {
    loop {
        let found = observe_stack_set(run.cloud, name)
            .await
            .map_err(|error| Stop::deploy(&error))?;
        match found {
            Some(found) if !found.pending.is_empty() => operation::await_others(run, name).await?,
            found => return Ok(found),
        }
    }
}

async fn create<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    report: &mut PartReport,
) -> Result<(), Stop> {
    let mut new = NewStackSet {
        name: set.name.clone(),
        description: set.description.clone(),
        template: set.template.clone(),
        parameters: set.parameters.clone(),
        tags: set.tags.clone(),
        capabilities: set.capabilities.clone(),
        auto_deployment: auto_deployment(set),
        token: String::new(),
    };
    new.token = format!("gizmos-{}", fingerprint(&new));
    match run.cloud.create_stack_set(&new).await {
        Ok(()) => {
            report.changed = true;
            run.progress.report(&ProgressEvent::StackSetCreated {
                stack_set: set.name.clone(),
            });
            Ok(())
        }
        Err(CloudError::AlreadyExists { .. } | CloudError::Stale { .. }) => Err(Stop::Replan),
        Err(error) => Err(Stop::cloud(&format!("cannot create {}", set.name), &error)),
    }
}

fn auto_deployment(set: &StackSet) -> AutoDeployment {
    AutoDeployment {
        enabled: set.auto_deployment,
        // What a spoke's stack holds is of no use once the account is gone.
        retain_stacks: false,
    }
}

/// Its own call, since the API takes it only without targets. Everything else stays as it is.
async fn switch_auto_deployment<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    existing: &ObservedStackSet,
    report: &mut PartReport,
) -> Result<(), Stop> {
    let details = &existing.details;
    let update = StackSetUpdate {
        name: set.name.clone(),
        description: details.description.clone(),
        template: None,
        parameters: details.parameters.clone(),
        tags: details.tags.clone(),
        capabilities: details.capabilities.clone(),
        auto_deployment: Some(auto_deployment(set)),
        targets: None,
        regions: Vec::new(),
        preferences: waves::main(),
        operation_id: String::new(),
    };
    let total = existing.instances.len();
    let task = Task::Update(Box::new(update));
    let finished = operation::perform(run, task, None, total).await?;
    if report.take(finished)? {
        Ok(())
    } else {
        Err(Stop::Failed(format!(
            "the auto-deployment of {} could not be switched everywhere",
            set.name
        )))
    }
}

fn update(
    set: &StackSet,
    targets: Option<DeploymentTargets>,
    regions: Vec<String>,
    preferences: Preferences,
) -> StackSetUpdate {
    StackSetUpdate {
        name: set.name.clone(),
        description: set.description.clone(),
        template: Some(set.template.clone()),
        parameters: set.parameters.clone(),
        tags: set.tags.clone(),
        capabilities: set.capabilities.clone(),
        auto_deployment: None,
        targets,
        regions,
        preferences,
        operation_id: String::new(),
    }
}

fn request(
    set: &StackSet,
    targets: DeploymentTargets,
    regions: Vec<String>,
    preferences: Preferences,
) -> InstanceRequest {
    InstanceRequest {
        stack_set: set.name.clone(),
        targets,
        regions,
        preferences,
        operation_id: String::new(),
        retain_stacks: false,
    }
}

/// All accounts that a call for these units without a filter would reach.
fn pool<'a, C>(run: &'a Run<'_, C>, units: &[String]) -> BTreeSet<&'a str> {
    let management = &run.bundle.organization.accounts.management;
    run.accounts
        .iter()
        .filter(|account| account.id != *management)
        .filter(|account| units.iter().any(|unit| account.is_under(unit)))
        .map(|account| account.id.as_str())
        .collect()
}

/// Removes instances, and with `Change::Delete` the stack set itself.
pub(crate) async fn remove<C: Cloud>(run: &Run<'_, C>, plan: &StackSetPlan) -> PartReport {
    let mut report = PartReport::begin(&plan.name, None);
    let result = match try_remove(run, plan, &mut report).await {
        Err(Stop::Replan) => Err(Stop::Failed(format!(
            "{} was changed by somebody else meanwhile",
            plan.name
        ))),
        result => result,
    };
    report.conclude(result);
    report
}

async fn try_remove<C: Cloud>(
    run: &Run<'_, C>,
    plan: &StackSetPlan,
    report: &mut PartReport,
) -> Result<(), Stop> {
    let Some(existing) = settled(run, &plan.name).await? else {
        return Ok(());
    };
    if !is_owned(&existing.details.tags) {
        return Err(Stop::Failed(format!(
            "{} no longer carries our tag and is left alone",
            plan.name
        )));
    }
    let whole = plan.change == Change::Delete;
    let places: Vec<Place> = existing
        .instances
        .iter()
        .map(|instance| Place::new(&instance.account, &instance.region))
        .filter(|place| whole || plan.remove.contains(place))
        .collect();
    let tasks = removals(run, &existing, &places);
    let mut good = true;
    for (request, total) in tasks {
        let finished = operation::perform(run, Task::Delete(request), None, total).await?;
        good &= report.take(finished)?;
    }
    if whole && good {
        match run.cloud.delete_stack_set(&plan.name).await {
            Ok(()) | Err(CloudError::NotFound { .. }) => {
                report.changed = true;
                run.progress.report(&ProgressEvent::StackSetDeleted {
                    stack_set: plan.name.clone(),
                });
            }
            Err(error) => {
                return Err(Stop::cloud(&format!("cannot delete {}", plan.name), &error));
            }
        }
    }
    Ok(())
}

/// The calls that remove these places. An account that is no longer in use can't be reached: there
/// the instance is forgotten and its stack left.
fn removals<C>(
    run: &Run<'_, C>,
    existing: &ObservedStackSet,
    places: &[Place],
) -> Vec<(InstanceRequest, usize)> {
    let account_of = |id: &str| run.accounts.iter().find(|account| account.id == id);
    let (alive, gone): (Vec<Place>, Vec<Place>) = places.iter().cloned().partition(|place| {
        account_of(&place.account).is_some_and(|account| account.state == AccountState::Active)
    });
    let make = |targets, regions, retain_stacks| InstanceRequest {
        stack_set: existing.details.name.clone(),
        targets,
        regions,
        preferences: waves::removal(),
        operation_id: String::new(),
        retain_stacks,
    };
    let named = |places: &[Place], retain: bool| -> Vec<(InstanceRequest, usize)> {
        let mut by_unit: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        for place in places {
            let recorded = existing
                .instances
                .iter()
                .find(|i| i.account == place.account && i.region == place.region)
                .and_then(|instance| instance.organizational_unit.clone());
            let unit = recorded
                .or_else(|| account_of(&place.account)?.path.last().cloned())
                .unwrap_or_else(|| run.bundle.organization.root.clone());
            by_unit.entry(unit).or_default().push(place.clone());
        }
        by_unit
            .into_iter()
            .flat_map(|(unit, places)| {
                // Never "all of the unit": that would also end its automatic deployment.
                targeting::group(&places, &[unit], &BTreeSet::new(), &[])
            })
            .map(|group| {
                let total = group.places.len();
                (make(group.targets, group.regions, retain), total)
            })
            .collect()
    };
    let mut tasks = named(&gone, true);
    let units = &existing.details.organizational_units;
    let mut whole = |units: Vec<String>, places: &[&Place]| {
        let regions: BTreeSet<String> = places.iter().map(|place| place.region.clone()).collect();
        let targets = DeploymentTargets {
            organizational_units: units,
            accounts: AccountSelection::All,
        };
        tasks.push((
            make(targets, regions.into_iter().collect(), false),
            places.len(),
        ));
    };
    if places.len() == existing.instances.len() && !units.is_empty() && !alive.is_empty() {
        whole(units.clone(), &alive.iter().collect::<Vec<_>>());
        return tasks;
    }
    // Units and Regions that are no longer wanted go as a whole: that also ends the automatic
    // deployment to them.
    let set = run
        .bundle
        .stack_sets
        .iter()
        .find(|set| set.name == existing.details.name);
    let mut rest = alive;
    if let Some(members) = set.and_then(|set| set.targets.members.as_ref()) {
        let unwanted = |place: &Place| !members.regions.contains(&place.region);
        let (go, stay): (Vec<Place>, Vec<Place>) = rest.into_iter().partition(unwanted);
        rest = stay;
        if units.is_empty() {
            rest.extend(go);
        } else if !go.is_empty() {
            whole(units.clone(), &go.iter().collect::<Vec<_>>());
        }
        for unit in units {
            if members.organizational_units.contains(unit) {
                continue;
            }
            let under = |id: &str| account_of(id).is_some_and(|account| account.is_under(unit));
            let (go, stay): (Vec<Place>, Vec<Place>) =
                rest.into_iter().partition(|place| under(&place.account));
            rest = stay;
            let all = existing
                .instances
                .iter()
                .filter(|instance| under(&instance.account))
                .filter(|instance| members.regions.contains(&instance.region))
                .count();
            if all == go.len() && all > 0 {
                whole(vec![unit.clone()], &go.iter().collect::<Vec<_>>());
            } else {
                rest.extend(go);
            }
        }
    }
    tasks.extend(named(&rest, false));
    tasks
}

impl PartReport {
    /// Notes a finished operation; `false` if it didn't work out everywhere.
    fn take(&mut self, finished: Finished) -> Result<bool, Stop> {
        let good = finished.is_good();
        let status = finished.report.status.clone();
        let id = finished.report.id.clone();
        let silent = finished.failures.is_empty();
        self.changed = true;
        self.operations.push(finished.report);
        self.failures.extend(finished.failures);
        if !good && silent && status != OperationStatus::Succeeded {
            return Err(Stop::Failed(format!(
                "operation {id} {} without a failed instance: {}",
                if status == OperationStatus::Stopped {
                    "was stopped"
                } else {
                    "failed"
                },
                finished.reason.as_deref().unwrap_or("no reason given")
            )));
        }
        Ok(good)
    }
}
