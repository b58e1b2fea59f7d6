//! Builds the requests that remove a set of instances.

use std::collections::{BTreeMap, BTreeSet};

use compiler::Members;

use super::Run;
use super::definition::request;
use crate::fleet::ObservedStackSet;
use crate::ports::{AccountSelection, DeploymentTargets, InstanceRequest, Location};
use crate::rollout::{self, group};

/// The requests that remove these locations, each with its number of instances. Instances in
/// accounts that are out of use are removed with their stacks retained, because StackSets can't
/// reach the account. Units and Regions that are no longer wanted are removed as a whole, because
/// that also ends automatic deployment to them.
pub(super) fn requests<C>(
    run: &Run<'_, C>,
    existing: &ObservedStackSet,
    locations: &[Location],
) -> Vec<(InstanceRequest, usize)> {
    let (alive, gone): (Vec<Location>, Vec<Location>) = locations
        .iter()
        .cloned()
        .partition(|location| run.is_active(&location.account));
    let mut requests = named(run, existing, &gone, true);
    let units = &existing.details.organizational_units;
    if locations.len() == existing.instances.len() && !units.is_empty() && !alive.is_empty() {
        requests.push(whole_units(existing, units.clone(), &alive));
        return requests;
    }
    let mut sets = run.bundle.stack_sets.iter();
    let set = sets.find(|set| set.name == existing.details.name);
    let mut rest = alive;
    if let Some(members) = set.and_then(|set| set.targets.members.as_ref()) {
        if !units.is_empty() {
            let unwanted = rest.extract_if(.., |it| !members.regions.contains(&it.region));
            let unwanted: Vec<Location> = unwanted.collect();
            if !unwanted.is_empty() {
                requests.push(whole_units(existing, units.clone(), &unwanted));
            }
        }
        for unit in units {
            if !members.organizational_units.contains(unit)
                && can_go_whole(run, existing, members, unit, &rest)
            {
                let under = |it: &Location| is_under(run, &it.account, unit);
                let going: Vec<Location> = rest.extract_if(.., |it| under(it)).collect();
                requests.push(whole_units(existing, vec![unit.clone()], &going));
            }
        }
    }
    requests.extend(named(run, existing, &rest, false));
    requests
}

fn is_under<C>(run: &Run<'_, C>, account: &str, unit: &str) -> bool {
    let account = run.membership.account(account);
    account.is_some_and(|account| account.is_under(unit))
}

/// Whether a request for the whole unit would reach only instances to be removed.
fn can_go_whole<C>(
    run: &Run<'_, C>,
    existing: &ObservedStackSet,
    members: &Members,
    unit: &str,
    rest: &[Location],
) -> bool {
    let instances = || existing.instances.iter();
    let reached = instances()
        .filter(|it| is_under(run, &it.account, unit))
        .filter(|it| members.regions.contains(&it.region))
        .count();
    let going = rest
        .iter()
        .filter(|it| is_under(run, &it.account, unit))
        .count();
    // CloudFormation still records an account that moved to a wanted unit under the unit it left,
    // so a request for that unit would remove its instances too.
    let has_left = instances().any(|it| {
        it.organizational_unit.as_deref() == Some(unit) && !is_under(run, &it.account, unit)
    });
    reached == going && reached > 0 && !has_left
}

/// A request for all accounts of these units, in the Regions of the locations.
fn whole_units(
    existing: &ObservedStackSet,
    units: Vec<String>,
    locations: &[Location],
) -> (InstanceRequest, usize) {
    let regions: BTreeSet<&String> = locations.iter().map(|it| &it.region).collect();
    let targets = DeploymentTargets {
        organizational_units: units,
        accounts: AccountSelection::All,
    };
    let regions = regions.into_iter().cloned().collect();
    let name = &existing.details.name;
    let request = request(name, targets, regions, rollout::removal());
    (request, locations.len())
}

/// Requests that remove these locations by account, each through the unit the instance was deployed
/// through, or the unit the account is in now. Never for all accounts of the unit: that would also
/// end its automatic deployment.
pub(super) fn named<C>(
    run: &Run<'_, C>,
    existing: &ObservedStackSet,
    locations: &[Location],
    retain_stacks: bool,
) -> Vec<(InstanceRequest, usize)> {
    if locations.is_empty() {
        return Vec::new();
    }
    let recorded: BTreeMap<Location, &String> = existing
        .instances
        .iter()
        .filter_map(|it| Some((it.location(), it.organizational_unit.as_ref()?)))
        .collect();
    let mut by_unit: BTreeMap<String, Vec<Location>> = BTreeMap::new();
    for location in locations {
        let account = run.membership.account(&location.account);
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
        .flat_map(|(unit, locations)| group(&locations, &[unit], &BTreeSet::new(), &[]))
        .map(|group| {
            let total = group.locations.len();
            let name = &existing.details.name;
            let request = request(name, group.targets, group.regions, rollout::removal());
            let request = InstanceRequest {
                retain_stacks,
                ..request
            };
            (request, total)
        })
        .collect()
}
