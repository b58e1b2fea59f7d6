//! Removing instances, and stack sets.

use std::collections::{BTreeMap, BTreeSet};

use super::operation::{Chain, Task};
use super::repair::repair;
use super::report::{PartReport, Unfinished};
use super::settle::{is_old, settled};
use super::{Run, Stop, targeting, waves};
use crate::observe::{ObservedStackSet, Patience, observe_stack_set};
use crate::plan::{Change, Repair, StackSetPlan, is_owned, region_is_off};
use crate::ports::{
    AccountSelection, AccountState, Cloud, CloudError, DeploymentTargets, Instance,
    InstanceRequest, InstanceStatus, Location,
};
use crate::progress::ProgressEvent;

/// How often a stack set is looked at afresh when it changes under our hands.
const REPLANS: u32 = 8;

/// How long is waited each time.
const LAG: std::time::Duration = std::time::Duration::from_secs(10);

/// Removes instances, and with `Change::Delete` the stack set itself. Ends with another look: an
/// operation succeeds as well where it finds nothing to do.
pub(crate) async fn remove<C: Cloud>(run: &Run<'_, C>, plan: &StackSetPlan) -> PartReport {
    let mut report = PartReport::begin(&plan.name, None);
    if plan.change == Change::Delete {
        // Those of a stack set that stays are in the report of its deployment.
        report.blocked.clone_from(&plan.blocked);
    }
    let mut tries = Tries::default();
    let result = loop {
        match try_remove(run, plan, &mut report, &mut tries).await {
            Err(Stop::Replan | Stop::Lagging) if !tries.are_used_up() => {
                tries.count += 1;
                run.cloud.pause(LAG).await;
            }
            result => break result,
        }
    };
    report.conclude(result);
    if !report.outcome.is_good() {
        account_for(run, plan, &mut report).await;
    }
    report
}

/// Names every instance that should have gone, now that the removal has ended badly.
async fn account_for<C: Cloud>(run: &Run<'_, C>, plan: &StackSetPlan, report: &mut PartReport) {
    let reason = report.outcome.reason().to_owned();
    // Without an answer, the failures that are known have to do.
    let Ok(existing) = observe_stack_set(run.cloud, &plan.name, Patience::None).await else {
        return;
    };
    let unfinished = report.unfinished.iter().flat_map(|it| &it.locations);
    let named: BTreeSet<&Location> = (report.failures.iter().map(|it| &it.location))
        .chain(report.blocked.iter().map(|it| &it.location))
        .chain(unfinished)
        .collect();
    let whole = plan.change == Change::Delete;
    let unwanted: BTreeSet<&Location> = plan.remove.iter().collect();
    let locations: Vec<Location> = (existing.iter().flat_map(|found| &found.instances))
        .map(|instance| Location::new(&instance.account, &instance.region))
        .filter(|location| (whole || unwanted.contains(location)) && !named.contains(location))
        .collect();
    if !locations.is_empty() {
        report.unfinished.push(Unfinished { reason, locations });
    }
}

/// How often a removal was begun anew.
#[derive(Debug, Default)]
struct Tries {
    count: u32,
    /// Where operations of this run have succeeded.
    done: BTreeSet<Location>,
}

impl Tries {
    fn are_used_up(&self) -> bool {
        self.count >= REPLANS
    }
}

async fn try_remove<C: Cloud>(
    run: &Run<'_, C>,
    plan: &StackSetPlan,
    report: &mut PartReport,
    tries: &mut Tries,
) -> Result<(), Stop> {
    let Some(existing) = settled(run, &plan.name, &report.operations).await? else {
        return Ok(());
    };
    if !is_owned(&existing.details.tags) {
        return Err(Stop::Failed(format!(
            "{} no longer carries our tag and is left alone",
            plan.name
        )));
    }
    let whole = plan.change == Change::Delete;
    let unwanted: BTreeSet<&Location> = plan.remove.iter().collect();
    let (out_of_reach, locations): (Vec<&Instance>, Vec<&Instance>) = existing
        .instances
        .iter()
        .filter(|it| whole || unwanted.contains(&Location::new(&it.account, &it.region)))
        .partition(|it| run.world.is_off(&it.region));
    let left = StackSetPlan {
        remove: locations
            .iter()
            .map(|it| Location::new(&it.account, &it.region))
            .collect(),
        ..plan.clone()
    };
    let still: Vec<Location> = (left
        .remove
        .iter()
        .filter(|location| tries.done.contains(location)))
    .cloned()
    .collect();
    if !tries.are_used_up() && (!still.is_empty() || is_old(run, &existing, &left).await?) {
        return Err(Stop::Lagging);
    }
    if !still.is_empty() {
        let reason = format!(
            "the operations on {} succeeded, but {} of its instances are still there",
            plan.name,
            still.len()
        );
        report.unfinished.push(Unfinished {
            reason: reason.clone(),
            locations: still,
        });
        return Err(Stop::Failed(reason));
    }
    let mut chain = Chain::after(&plan.name, &existing.operations);
    // What an earlier deletion failed on can't be reached by another one.
    let (stuck, sound): (Vec<&Instance>, Vec<&Instance>) = locations
        .into_iter()
        .partition(|instance| instance.status == InstanceStatus::Inoperable);
    let mut good = true;
    if !stuck.is_empty() {
        let repairs: Vec<Repair> = stuck
            .into_iter()
            .filter(|instance| is_active(run, &instance.account))
            .map(Repair::of)
            .collect();
        let before = report.failures.len();
        repair(run, &existing, &repairs, &mut chain, report).await?;
        good &= report.failures.len() == before;
    }
    let locations: Vec<Location> = sound
        .into_iter()
        .map(|it| Location::new(&it.account, &it.region))
        .collect();
    for (request, total) in tasks(run, &existing, &locations) {
        let task = Task::Delete(request);
        let finished = chain.perform(run, task, None, total).await?;
        good &= report.take(finished)?;
    }
    if !good {
        return Ok(());
    }
    if !left.remove.is_empty() {
        tries.done.extend(left.remove);
        return Err(Stop::Replan);
    }
    if let Some(instance) = out_of_reach.first() {
        return Err(Stop::Failed(region_is_off(&instance.region)));
    }
    if whole {
        delete_set(run, &plan.name, report).await?;
    }
    Ok(())
}

async fn delete_set<C: Cloud>(
    run: &Run<'_, C>,
    name: &str,
    report: &mut PartReport,
) -> Result<(), Stop> {
    match run.cloud.delete_stack_set(name).await {
        Ok(()) | Err(CloudError::NotFound { .. }) => {
            report.changed = true;
            run.progress.report(&ProgressEvent::StackSetDeleted {
                stack_set: name.to_owned(),
            });
            Ok(())
        }
        Err(
            CloudError::OperationInProgress { .. }
            | CloudError::Unavailable { .. }
            | CloudError::Throttled
            | CloudError::Stale { .. }
            | CloudError::NotEmpty { .. },
        ) => Err(Stop::Replan),
        Err(error) => Err(Stop::cloud(&format!("cannot delete {name}"), &error)),
    }
}

fn is_active<C>(run: &Run<'_, C>, id: &str) -> bool {
    run.account(id)
        .is_some_and(|account| account.state == AccountState::Active)
}

/// The calls that remove these locations. An account that is no longer in use can't be reached: there
/// the instance is forgotten and its stack left.
fn tasks<C>(
    run: &Run<'_, C>,
    existing: &ObservedStackSet,
    locations: &[Location],
) -> Vec<(InstanceRequest, usize)> {
    let account_of = |id: &str| run.account(id);
    let (alive, gone): (Vec<Location>, Vec<Location>) = locations
        .iter()
        .cloned()
        .partition(|location| is_active(run, &location.account));
    let make = |targets, regions, retain_stacks| InstanceRequest {
        stack_set: existing.details.name.clone(),
        targets,
        regions,
        preferences: waves::removal(),
        operation_id: String::new(),
        retain_stacks,
    };
    let named = |locations: &[Location], retain| named(run, existing, locations, retain);
    let mut tasks = named(&gone, true);
    let units = &existing.details.organizational_units;
    let mut whole = |units: Vec<String>, locations: &[&Location]| {
        let regions: BTreeSet<String> = locations
            .iter()
            .map(|location| location.region.clone())
            .collect();
        let targets = DeploymentTargets {
            organizational_units: units,
            accounts: AccountSelection::All,
        };
        tasks.push((
            make(targets, regions.into_iter().collect(), false),
            locations.len(),
        ));
    };
    if locations.len() == existing.instances.len() && !units.is_empty() && !alive.is_empty() {
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
        let unwanted = |location: &Location| !members.regions.contains(&location.region);
        let (go, stay): (Vec<Location>, Vec<Location>) = rest.into_iter().partition(unwanted);
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
            let (go, stay): (Vec<Location>, Vec<Location>) = rest
                .into_iter()
                .partition(|location| under(&location.account));
            rest = stay;
            let all = existing
                .instances
                .iter()
                .filter(|instance| under(&instance.account))
                .filter(|instance| members.regions.contains(&instance.region))
                .count();
            // An account that has moved to where it is wanted is still recorded with the unit it left,
            // and would go with it.
            let has_left = existing.instances.iter().any(|instance| {
                instance.organizational_unit.as_ref() == Some(unit) && !under(&instance.account)
            });
            if all == go.len() && all > 0 && !has_left {
                whole(vec![unit.clone()], &go.iter().collect::<Vec<_>>());
            } else {
                rest.extend(go);
            }
        }
    }
    tasks.extend(named(&rest, false));
    tasks
}

/// The calls that remove these locations by naming their accounts, each through the unit by which it
/// was reached, or by which it can be reached now that it has moved. Never "all of the unit": that
/// would also end its automatic deployment.
pub(super) fn named<C>(
    run: &Run<'_, C>,
    existing: &ObservedStackSet,
    locations: &[Location],
    retain_stacks: bool,
) -> Vec<(InstanceRequest, usize)> {
    let wanted: BTreeSet<&Location> = locations.iter().collect();
    let recorded: BTreeMap<Location, &String> = existing
        .instances
        .iter()
        .filter_map(|instance| {
            let unit = instance.organizational_unit.as_ref()?;
            Some((Location::new(&instance.account, &instance.region), unit))
        })
        .filter(|(location, _)| wanted.contains(location))
        .collect();
    let mut by_unit: BTreeMap<String, Vec<Location>> = BTreeMap::new();
    for location in locations {
        let account = run.account(&location.account);
        let unit = recorded
            .get(location)
            .filter(|unit| account.is_none_or(|account| account.is_under(unit)))
            .map(|unit| (*unit).clone())
            .or_else(|| account?.path.last().cloned())
            .unwrap_or_else(|| run.bundle.organization.root.clone());
        by_unit.entry(unit).or_default().push(location.clone());
    }
    by_unit
        .into_iter()
        .flat_map(|(unit, locations)| targeting::group(&locations, &[unit], &BTreeSet::new(), &[]))
        .map(|group| {
            let total = group.locations.len();
            let request = InstanceRequest {
                stack_set: existing.details.name.clone(),
                targets: group.targets,
                regions: group.regions,
                preferences: waves::removal(),
                operation_id: String::new(),
                retain_stacks,
            };
            (request, total)
        })
        .collect()
}
