//! Estimates the effort of carrying out a plan.

use std::collections::{BTreeMap, BTreeSet};

use compiler::{Bundle, StackSet};

use super::model::{Change, Estimate, Plan, Reason, StackSetPlan};
use super::moves::waits_for;
use crate::ports::{Account, Preferences, RegionConcurrency, Tolerance};
use crate::rollout::{Group, group, removal, split};

/// Maximum number of instances StackSets works on at once per stack set.
const AT_ONCE: usize = 100;
/// Seconds per stack.
const STACK: usize = 90;
/// Minutes between the creation of a resource and the deletion of the one that it replaces.
const REPLACEMENT: u64 = 1;
/// Seconds to start an operation and notice its end.
const OPERATION: usize = 45;

/// Seconds of work, and minutes of soaking.
type Time = (usize, u64);

/// Estimates operations, instances and minutes, and for how long moved rules are in two stack sets.
pub(crate) fn estimate(bundle: &Bundle, accounts: &[Account], plan: &mut Plan) {
    let mut sum = Estimate::default();
    let times = deployments(bundle, accounts, plan, &mut sum);
    let ends = times.values().map(|(_, end)| *end);
    let mut last = ends.max().unwrap_or_default();
    for planned in &plan.stack_sets {
        if planned.remove.is_empty() {
            continue;
        }
        let groups = group(&planned.remove, &[], &BTreeSet::new(), &[]);
        for group in groups {
            last.0 += operation(&group, &removal(), &mut sum);
        }
    }
    let removed = plan
        .stacks
        .iter()
        .filter(|stack| stack.change == Change::Delete)
        .count();
    if removed > 0 {
        sum.stacks += removed;
        last.0 += STACK;
    }
    sum.soak_minutes = last.1;
    sum.minutes = minutes(last);
    let durations: Vec<u64> = plan
        .moves
        .iter()
        .map(|it| {
            if it.from == it.to {
                return REPLACEMENT;
            }
            // A stack set that is no longer in the bundle is deleted at the end.
            let end = times.get(it.from.as_str()).map_or(last, |(_, end)| *end);
            let begin = times
                .get(it.to.as_str())
                .map_or((0, 0), |(begin, _)| *begin);
            minutes((end.0.saturating_sub(begin.0), end.1.saturating_sub(begin.1)))
        })
        .collect();
    for (it, minutes) in plan.moves.iter_mut().zip(durations) {
        it.minutes = minutes;
    }
    plan.estimate = sum;
}

fn minutes((seconds, soak): Time) -> u64 {
    u64::try_from(seconds.div_ceil(60)).unwrap_or(u64::MAX) + soak
}

/// Begin and end of each stack set's deployment. Independent parts are deployed concurrently.
fn deployments<'b>(
    bundle: &'b Bundle,
    accounts: &[Account],
    plan: &Plan,
    sum: &mut Estimate,
) -> BTreeMap<&'b str, (Time, Time)> {
    let mut times: BTreeMap<&str, (Time, Time)> = BTreeMap::new();
    let mut waiting: Vec<&StackSet> = bundle.stack_sets.iter().collect();
    while !waiting.is_empty() {
        let names: BTreeSet<&str> = waiting.iter().map(|set| set.name.as_str()).collect();
        let waits = |set: &&StackSet| {
            let mut needed = waits_for(set, &plan.moves).into_iter();
            needed.any(|name| names.contains(name))
        };
        let (later, mut ready): (Vec<&StackSet>, Vec<&StackSet>) =
            waiting.into_iter().partition(waits);
        waiting = later;
        if ready.is_empty() {
            ready = std::mem::take(&mut waiting);
        }
        for set in ready {
            let begin = waits_for(set, &plan.moves)
                .into_iter()
                .filter_map(|name| times.get(name).map(|(_, end)| *end))
                .max()
                .unwrap_or_default();
            let took = deployment(bundle, set, accounts, plan, sum);
            let end = (begin.0 + took.0, begin.1 + took.1);
            times.insert(&set.name, (begin, end));
        }
    }
    times
}

/// The time that one stack set takes, with its stacks in the management account.
fn deployment(
    bundle: &Bundle,
    set: &StackSet,
    accounts: &[Account],
    plan: &Plan,
    sum: &mut Estimate,
) -> Time {
    let mut took = (0, 0);
    let planned = plan
        .stack_sets
        .iter()
        .find(|planned| planned.name == set.name && planned.change != Change::Delete);
    if let Some(planned) = planned {
        took = roll_out(bundle, set, planned, accounts, sum);
    }
    let stacks = plan
        .stacks
        .iter()
        .filter(|stack| stack.name == set.name)
        .filter(|stack| {
            matches!(
                stack.change,
                Change::Create | Change::Update { .. } | Change::Replace { .. }
            )
        })
        .count();
    if stacks > 0 {
        sum.stacks += stacks;
        took.0 += STACK;
    }
    took
}

/// Seconds of work and minutes of soaking.
fn roll_out(
    bundle: &Bundle,
    set: &StackSet,
    planned: &StackSetPlan,
    accounts: &[Account],
    sum: &mut Estimate,
) -> Time {
    let Some(members) = &set.targets.members else {
        return (0, 0);
    };
    let reasons = match &planned.change {
        Change::Update { reasons } => reasons.as_slice(),
        _ => &[],
    };
    let mut seconds = 0;
    if reasons.contains(&Reason::AutoDeployment) {
        sum.operations += 1;
        seconds += OPERATION;
    }
    let locations: Vec<_> = planned
        .repair
        .iter()
        .map(|it| it.location.clone())
        .collect();
    for group in group(&locations, &[], &BTreeSet::new(), &[]) {
        seconds += operation(&group, &removal(), sum);
    }
    let add: Vec<_> = planned.add.iter().chain(&locations).cloned().collect();
    let definition = reasons
        .iter()
        .any(|reason| *reason != Reason::AutoDeployment);
    let parts = split(
        &bundle.organization.waves,
        accounts,
        &planned.update,
        &add,
        definition,
    );
    let mut soak = 0;
    let last = parts.len().saturating_sub(1);
    for (index, part) in parts.iter().enumerate() {
        for locations in [&part.update, &part.add] {
            for group in group(locations, &[], &BTreeSet::new(), &members.regions) {
                seconds += operation(&group, &part.preferences, sum);
            }
        }
        if index < last && !part.update.is_empty() {
            soak += u64::from(part.soak_minutes);
        }
    }
    (seconds, soak)
}

/// Seconds for one operation.
fn operation(group: &Group, how: &Preferences, sum: &mut Estimate) -> usize {
    sum.operations += 1;
    sum.instances += group.locations.len();
    let regions = group.regions.len().max(1);
    let accounts = group.locations.len() / regions;
    let wanted = match how.max_concurrent {
        Tolerance::Count(count) => usize::try_from(count).unwrap_or(AT_ONCE),
        Tolerance::Percentage(percent) => accounts * usize::try_from(percent).unwrap_or(100) / 100,
    };
    let wanted = wanted.clamp(1, accounts.max(1));
    let rounds = match how.region_concurrency {
        RegionConcurrency::Parallel => {
            (accounts * regions).div_ceil((wanted * regions).min(AT_ONCE))
        }
        RegionConcurrency::Sequential => regions * accounts.div_ceil(wanted.min(AT_ONCE)),
    };
    OPERATION + rounds * STACK
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Location;
    use crate::rollout::main;

    #[test]
    fn a_hundred_stacks_at_once_is_the_most() {
        let locations: Vec<Location> = (0..10_000)
            .flat_map(|n| {
                ["eu-central-1", "us-east-1"].map(|r| Location::new(format!("{n:012}"), r))
            })
            .collect();
        let groups = group(&locations, &[], &BTreeSet::new(), &[]);
        let mut sum = Estimate::default();
        let seconds = operation(&groups[0], &main(), &mut sum);
        assert_eq!((sum.operations, sum.instances), (1, 20_000));
        assert_eq!(seconds, OPERATION + 200 * STACK);
    }
}
