//! Orders the parts of a deployment or removal.

use std::collections::{BTreeMap, BTreeSet};

use compiler::{Bundle, Part, StackSet};
use futures::future::join_all;

use super::report::{PartOutcome, PartReport, Unfinished};
use super::{Run, change_set, removal, stack, stack_set};
use crate::plan::{
    Change, Plan, Reason, StackPlan, StackSetPlan, receivers, removal_rank, waits_for,
};
use crate::ports::Cloud;

/// The stack sets that must be deployed before another one: those it depends on, and those that
/// receive a rule from it. Only if topics no longer let EventBridge publish without a role, the order
/// is the reverse: first the detections get their role, then the permission goes, so that no alert is
/// refused in between. If a detection can't be updated, the topics keep the permission.
fn needs<'a>(bundle: &'a Bundle, plan: &'a Plan, set: &'a StackSet) -> BTreeSet<&'a str> {
    let publishes = |set: &StackSet| matches!(set.part, Part::RulesHub | Part::RulesLocal);
    let mut needs: BTreeSet<&str> = waits_for(set, &plan.moves)
        .into_iter()
        .filter(|name| !(publishes(set) && withdraws_publishing(plan, name)))
        .collect();
    if withdraws_publishing(plan, &set.name) {
        let dependents = bundle
            .stack_sets
            .iter()
            .filter(|other| publishes(other) && other.depends_on.contains(&set.name));
        needs.extend(dependents.map(|other| other.name.as_str()));
    }
    needs
}

fn withdraws_publishing(plan: &Plan, name: &str) -> bool {
    let instances = plan.stack_sets.iter().map(|it| (&it.name, &it.change));
    let stacks = plan.stacks.iter().map(|it| (&it.name, &it.change));
    instances.chain(stacks).any(|(planned, change)| {
        let Change::Update { reasons } = change else {
            return false;
        };
        planned == name && reasons.contains(&Reason::WithdrawsPublishing)
    })
}

/// Deploys every part of the bundle after the parts that it [needs].
pub(super) async fn deploy_all<C: Cloud>(run: &Run<'_, C>, plan: &Plan) -> Vec<PartReport> {
    let mut reports = Vec::new();
    // Part name to whether its dependents may start.
    let mut done: BTreeMap<&str, bool> = BTreeMap::new();
    let mut waiting: Vec<&StackSet> = run.bundle.stack_sets.iter().collect();
    while !waiting.is_empty() {
        let names: BTreeSet<&str> = waiting.iter().map(|set| set.name.as_str()).collect();
        let (later, mut ready): (Vec<&StackSet>, Vec<&StackSet>) = waiting
            .into_iter()
            .partition(|set| !needs(run.bundle, plan, set).is_disjoint(&names));
        waiting = later;
        if ready.is_empty() {
            // A dependency cycle, which the compiler never emits: fall back to the bundle's order.
            ready = std::mem::take(&mut waiting);
        }
        let steps = ready.iter().map(|set| {
            let broken = why_not(run.bundle, set, plan, &done);
            deploy_part(run, set, plan, broken)
        });
        let finished = join_all(steps).await;
        for (set, parts) in ready.into_iter().zip(finished) {
            // An artifact bucket that the caller can't read may still exist. If it doesn't, the
            // parts that need it fail.
            let unseen = |part: &PartReport| {
                set.part == Part::Artifacts && matches!(part.outcome, PartOutcome::Skipped { .. })
            };
            let good = |part: &PartReport| part.outcome.is_good() || unseen(part);
            done.insert(&set.name, parts.iter().all(good));
            reports.extend(parts);
        }
    }
    reports
}

/// Why a stack set must not be deployed after the parts before it; `None` if it may.
fn why_not(
    bundle: &Bundle,
    set: &StackSet,
    plan: &Plan,
    done: &BTreeMap<&str, bool>,
) -> Option<String> {
    let mut needs = needs(bundle, plan, set).into_iter();
    let failed = needs.find(|name| done.get(name) == Some(&false))?;
    if !receivers(&set.name, &plan.moves).any(|name| name == failed) {
        return Some(format!("{failed}, which it depends on, failed"));
    }
    Some(format!(
        "{failed} failed, and must have the rules that move there before {} gives them: they stay \
         deployed in {}",
        set.name, set.name
    ))
}

/// Deploys one stack set: its instances, then its stacks in the management account.
async fn deploy_part<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    plan: &Plan,
    broken: Option<String>,
) -> Vec<PartReport> {
    let mut reports = Vec::new();
    let instances = plan
        .stack_sets
        .iter()
        .find(|planned| planned.name == set.name && planned.change != Change::Delete);
    if let Some(planned) = instances {
        reports.push(deploy_instances(run, set, planned, broken.clone()).await);
    }
    let reason = broken.or_else(|| reports.iter().find_map(blocks_stacks));
    let stacks = plan
        .stacks
        .iter()
        .filter(|planned| planned.name == set.name && planned.change != Change::Delete)
        .map(|planned| deploy_stack(run, set, planned, reason.clone()));
    reports.extend(join_all(stacks).await);
    reports
}

async fn deploy_instances<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    planned: &StackSetPlan,
    broken: Option<String>,
) -> PartReport {
    if planned.is_deployed() && planned.in_progress.is_empty() {
        let mut report = PartReport::begin(&set.name, None);
        report.blocked.clone_from(&planned.blocked);
        return report;
    }
    match broken {
        Some(reason) => PartReport::not_begun(planned, reason),
        None => stack_set::deploy(run, set, planned).await,
    }
}

/// Why the management account's stacks must not follow the instances; `None` if they may. Failures
/// in some accounts don't leave the management account without detections.
fn blocks_stacks(report: &PartReport) -> Option<String> {
    match &report.outcome {
        PartOutcome::Unchanged | PartOutcome::Done | PartOutcome::Partial => None,
        PartOutcome::Skipped { reason } => Some(reason.clone()),
        PartOutcome::Failed { .. } | PartOutcome::TimedOut { .. } => {
            Some(format!("the stack set {} failed", report.name))
        }
    }
}

async fn deploy_stack<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    planned: &StackPlan,
    reason: Option<String>,
) -> PartReport {
    let location = Some(planned.location.clone());
    match (&planned.change, reason) {
        (Change::Unchanged, _) => PartReport::begin(&set.name, location),
        (Change::Blocked { reason }, _) => PartReport::skipped(&set.name, location, reason.clone()),
        (_, Some(reason)) => PartReport::skipped(&set.name, location, reason),
        (_, None) => change_set::deploy(&run.session, set, &planned.location).await,
    }
}

/// A stack set or stack to remove.
enum Removal<'a> {
    StackSet(&'a StackSetPlan),
    Stack(&'a StackPlan),
}

/// Removes what the plan removes, dependents first. If `broken` is set, nothing is removed and the
/// report gives it as the reason.
pub(super) async fn remove_all<C: Cloud>(
    run: &Run<'_, C>,
    plan: &Plan,
    mut broken: Option<String>,
) -> Vec<PartReport> {
    let mut reports: Vec<PartReport> = Vec::new();
    for removals in removals(plan).into_values() {
        let steps = removals
            .into_iter()
            .map(|removal| remove(run, removal, broken.clone()));
        let done = join_all(steps).await;
        if broken.is_none()
            && let Some(part) = done.iter().find(|part| !part.outcome.is_good())
        {
            broken = Some(format!("{} could not be removed", part.name));
        }
        reports.extend(done);
    }
    reports
}

/// The plan's removals, grouped by removal rank.
fn removals(plan: &Plan) -> BTreeMap<u8, Vec<Removal<'_>>> {
    let mut all: BTreeMap<u8, Vec<Removal<'_>>> = BTreeMap::new();
    for set in &plan.stack_sets {
        if set.change == Change::Delete || !set.remove.is_empty() {
            let rank = all.entry(removal_rank(set.part)).or_default();
            rank.push(Removal::StackSet(set));
        }
    }
    for stack in plan.stacks.iter().filter(|it| it.change == Change::Delete) {
        let rank = all.entry(removal_rank(stack.part)).or_default();
        rank.push(Removal::Stack(stack));
    }
    all
}

async fn remove<C: Cloud>(
    run: &Run<'_, C>,
    removal: Removal<'_>,
    broken: Option<String>,
) -> PartReport {
    match (removal, broken) {
        (Removal::StackSet(plan), Some(reason)) => {
            let mut report = PartReport::skipped(&plan.name, None, reason.clone());
            report.unfinished.push(Unfinished {
                reason,
                locations: plan.remove.clone(),
            });
            report
        }
        (Removal::Stack(plan), Some(reason)) => {
            PartReport::skipped(&plan.name, Some(plan.location.clone()), reason)
        }
        (Removal::StackSet(plan), None) => removal::remove(run, plan).await,
        (Removal::Stack(plan), None) => stack::remove(&run.session, plan).await,
    }
}
