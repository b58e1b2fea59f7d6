//! Where fleet and bundle differ, and which links of the alert chain don't work.
//!
//! Everything is read-only, except that CloudFormation is asked to look for drift.

mod code;
mod definition;
mod health;
mod instances;
mod report;
mod resolve;
mod resources;
mod template;
mod visit;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use code::{DriftCheck, DriftCode, DriftOptions};
pub use report::{BrokenLink, Checked, Difference, DriftOutcome, DriftReport, Unchecked};

use compiler::{Bundle, StackSet};
use futures::future::join_all;

use crate::apply::{Limits, Run};
use crate::error::DeployError;
use crate::observe::{Observed, World, observe};
use crate::plan::{Change, Plan, plan};
use crate::ports::{Cloud, Location};
use crate::progress::{Progress, ProgressEvent};

const DEPLOY: &str = "run `cargo xtask deploy --org`";
const LOOK: &str = "read the messages; their attributes name the rule and the error";

/// Compares fleet and bundle in every respect that `options` asks for.
pub async fn drift(
    cloud: &impl Cloud,
    bundle: &Bundle,
    options: &DriftOptions,
    progress: &dyn Progress,
) -> Result<DriftReport, DeployError> {
    let checking = |what: &str| {
        progress.report(&ProgressEvent::Checking {
            what: what.to_owned(),
        });
    };
    checking("stack sets, stacks and instances");
    let observed = observe(cloud, bundle).await?;
    let plan = plan(bundle, &observed);
    let mut report = DriftReport {
        differences: Vec::new(),
        unchecked: unknown_accounts(&observed, options),
        notes: Vec::new(),
        checked: Checked {
            checks: options.checks.iter().copied().collect(),
            ..Checked::default()
        },
        plan,
    };
    if !report.plan.problems.is_empty() {
        return Ok(report);
    }
    let about_stacks = options.makes(DriftCheck::Plan) || options.makes(DriftCheck::Resources);
    if let Some(reason) = observed.stacks_unreadable.as_ref().filter(|_| about_stacks) {
        report.unchecked.push(Unchecked {
            check: DriftCheck::Plan,
            part: None,
            what: "stacks of the management account".to_owned(),
            location: None,
            reason: reason.clone(),
        });
    }
    if options.makes(DriftCheck::Plan) {
        report.differences = definition::definition(bundle, &report.plan, &observed, options);
    }
    if options.makes(DriftCheck::Instances) {
        report
            .differences
            .extend(instances::instances(bundle, &observed, options));
    }
    let (sets, stacks) = existing(bundle, &report.plan, options);
    report.checked.stack_sets = sets.len();
    report.checked.stacks = stacks.len();
    report.checked.instances = sets
        .iter()
        .filter_map(|set| observed.stack_sets.get(&set.name))
        .flat_map(|found| &found.instances)
        .filter(|it| options.covers(&Location::new(&it.account, &it.region)))
        .count();
    if options.makes(DriftCheck::Resources) {
        checking("resources");
        let run = Run {
            cloud,
            bundle,
            progress,
            limits: Limits::default(),
            gate: false,
            world: Arc::new(World::default()),
        };
        let in_sets = join_all(
            sets.iter()
                .map(|set| resources::of_stack_set(&run, options, set, &observed)),
        )
        .await;
        let in_stacks = join_all(
            stacks
                .iter()
                .map(|(set, location)| resources::of_stack(&run, options, set, location)),
        )
        .await;
        for detected in in_sets.into_iter().chain(in_stacks) {
            report.differences.extend(detected.differences);
            report.unchecked.extend(detected.unchecked);
            report.notes.extend(detected.notes);
        }
    }
    if options.makes(DriftCheck::Stacks) || options.makes(DriftCheck::Chain) {
        checking("every account's stacks");
        let visited = visit::visit(cloud, bundle, &observed, options).await;
        report.differences.extend(visited.differences);
        report.unchecked.extend(visited.unchecked);
    }
    if options.makes(DriftCheck::Chain) {
        checking("the alert chain's health");
        let inspection = health::inspect(cloud, bundle, options).await?;
        let broken = inspection.broken.into_iter();
        report
            .differences
            .extend(broken.map(health::Broken::into_drift));
        report.unchecked.extend(inspection.unreadable);
    }
    // In the order of the checks; within one as they were found.
    report
        .differences
        .sort_by_key(|difference| difference.check);
    forget_resources_of_gone_stacks(&mut report);
    Ok(report)
}

/// An account of another organization, or a slip of the pen, would match nothing and look healthy.
fn unknown_accounts(observed: &Observed, options: &DriftOptions) -> Vec<Unchecked> {
    let known: BTreeSet<&String> = observed
        .accounts
        .iter()
        .map(|account| &account.id)
        .collect();
    options
        .accounts
        .iter()
        .filter(|id| !known.contains(id))
        .map(|id| Unchecked {
            check: DriftCheck::Instances,
            part: None,
            what: format!("account {id}"),
            location: None,
            reason: "it is not in the organization".to_owned(),
        })
        .collect()
}

/// That drift detection fails where there is no stack any more is no news.
fn forget_resources_of_gone_stacks(report: &mut DriftReport) {
    let gone: BTreeSet<(&str, &Location)> = report
        .differences
        .iter()
        .filter(|difference| difference.code == DriftCode::StackGone)
        .filter_map(|difference| Some((difference.part.as_deref()?, difference.location.as_ref()?)))
        .collect();
    report
        .unchecked
        .retain(|it| match (&it.part, &it.location) {
            (Some(part), Some(location)) => {
                it.check != DriftCheck::Resources || !gone.contains(&(part.as_str(), location))
            }
            _ => true,
        });
}

/// What exists and can be asked for drift: stack sets, and stacks of the management account.
fn existing<'a>(
    bundle: &'a Bundle,
    plan: &Plan,
    options: &DriftOptions,
) -> (Vec<&'a StackSet>, Vec<(&'a StackSet, Location)>) {
    let there = |change: &Change| matches!(change, Change::Unchanged | Change::Update { .. });
    let sets = bundle
        .stack_sets
        .iter()
        .filter(|set| {
            plan.stack_sets
                .iter()
                .any(|planned| planned.name == set.name && there(&planned.change))
        })
        .collect();
    let stacks = bundle
        .stack_sets
        .iter()
        .flat_map(|set| {
            plan.stacks
                .iter()
                .filter(move |planned| planned.name == set.name && there(&planned.change))
                .filter(|planned| options.covers(&planned.location))
                .map(move |planned| (set, planned.location.clone()))
        })
        .collect();
    (sets, stacks)
}

/// Looks at every link of the alert chain. A link that can't be looked at counts as broken.
pub async fn health(cloud: &impl Cloud, bundle: &Bundle) -> Result<Vec<BrokenLink>, DeployError> {
    let inspection = health::inspect(cloud, bundle, &DriftOptions::default()).await?;
    let broken = inspection
        .broken
        .into_iter()
        .map(health::Broken::into_health);
    let unreadable = inspection.unreadable.into_iter().filter_map(|found| {
        Some(BrokenLink {
            link: found.what,
            location: found.location?,
            message: found.reason,
            fix: health::PERMIT.to_owned(),
        })
    });
    Ok(broken.chain(unreadable).collect())
}

/// Links of the alert chain that were looked at and don't work; those that can't be looked at are
/// left out.
pub(crate) async fn broken_links(
    cloud: &impl Cloud,
    bundle: &Bundle,
    options: &DriftOptions,
) -> Result<Vec<BrokenLink>, DeployError> {
    let inspection = health::inspect(cloud, bundle, options).await?;
    let broken = inspection.broken.into_iter();
    Ok(broken.map(health::Broken::into_health).collect())
}

#[cfg(test)]
mod tests;
