//! Differences between fleet and bundle, and broken links of the alert chain.
//!
//! Nothing is changed, but CloudFormation may be asked to run drift detection.

mod definition;
pub(crate) mod expected;
mod instances;
pub(crate) mod look;
mod options;
mod report;
mod resources;
mod settle;
mod template;
mod visit;

use std::collections::{BTreeMap, BTreeSet};

use compiler::{Bundle, StackSet};
use futures::future::join_all;

pub use crate::code::{DriftCheck, DriftCode};
use crate::error::DeployError;
use crate::fleet::{Observed, observe};
use crate::health::{Fault, Inspection, inspect};
use crate::operation::{Limits, Session};
use crate::plan::{Change, Plan, plan};
use crate::ports::{Cloud, Location, ResourceDrift, ResourceDriftStatus};
use crate::progress::{Progress, ProgressEvent};
pub use options::DriftOptions;
use report::Found;
pub use report::{Checked, Difference, DriftOutcome, DriftReport, Unchecked};
pub use settle::{SETTLED_PROPERTIES, Settled, SettledProperty, Settlement};

/// Compares fleet and bundle with the checks that `options` selects.
pub async fn drift(
    cloud: &impl Cloud,
    bundle: &Bundle,
    options: &DriftOptions,
    progress: &dyn Progress,
) -> Result<DriftReport, DeployError> {
    let observed = observe_for_drift(cloud, bundle, progress).await?;
    drift_of(cloud, bundle, observed, options, progress).await
}

/// Reads the fleet for [`drift_of`], and reports that it does.
pub async fn observe_for_drift(
    cloud: &impl Cloud,
    bundle: &Bundle,
    progress: &dyn Progress,
) -> Result<Observed, DeployError> {
    progress.report(&ProgressEvent::Checking {
        what: "stack sets, stacks and instances".to_owned(),
    });
    observe(cloud, bundle).await
}

/// Like [`drift()`], with a fleet that was just observed.
pub async fn drift_of(
    cloud: &impl Cloud,
    bundle: &Bundle,
    observed: Observed,
    options: &DriftOptions,
    progress: &dyn Progress,
) -> Result<DriftReport, DeployError> {
    let checking = |what: &str| {
        progress.report(&ProgressEvent::Checking {
            what: what.to_owned(),
        });
    };
    let plan = plan(bundle, &observed);
    let mut found = Found {
        unchecked: unknown_accounts(&observed, options),
        ..Found::default()
    };
    let mut checked = Checked {
        checks: options.checks.iter().copied().collect(),
        ..Checked::default()
    };
    if !plan.problems.is_empty() {
        return Ok(conclude(plan, found, checked));
    }
    let about_stacks = options.makes(DriftCheck::Plan) || options.makes(DriftCheck::Resources);
    if let Some(reason) = observed.stacks_unreadable.as_ref().filter(|_| about_stacks) {
        found.unchecked.push(Unchecked {
            check: DriftCheck::Plan,
            part: None,
            what: "stacks of the management account".to_owned(),
            location: None,
            reason: reason.clone(),
        });
    }
    if options.makes(DriftCheck::Plan) {
        found.merge(definition::definition(bundle, &plan, &observed, options));
    }
    if options.makes(DriftCheck::Instances) {
        found.merge(instances::instances(bundle, &observed, options));
    }
    let existing = Existing::of(bundle, &plan, options);
    existing.count(&observed, options, &mut checked);
    if options.makes(DriftCheck::Resources) {
        checking("resources");
        let session = Session {
            cloud,
            progress,
            limits: Limits::default(),
            organization: &bundle.organization,
        };
        found.merge(existing.resources(&session, &observed, options).await);
    }
    if options.makes(DriftCheck::Stacks) || options.makes(DriftCheck::Chain) {
        checking("every account's stacks");
        let known = std::mem::take(&mut found.targets);
        found.merge(visit::visit(cloud, bundle, &observed, options, &known).await);
    }
    if options.makes(DriftCheck::Chain) {
        checking("the alert chain's health");
        let inspection = inspect(cloud, bundle, &options.scope, Some(&observed));
        found.merge(inspection.await?.into());
    }
    name_rules(bundle, &mut found);
    Ok(conclude(plan, found, checked))
}

fn conclude(plan: Plan, mut found: Found, checked: Checked) -> DriftReport {
    // The sort is stable, so differences keep their order within a check.
    found.differences.sort_by_key(|difference| difference.check);
    forget_resources_of_gone_stacks(&mut found);
    forget_what_cloudformation_sees(&mut found);
    DriftReport {
        plan,
        differences: found.differences,
        unchecked: found.unchecked,
        notes: found.notes,
        settled: found.tally.into_settled(),
        checked,
    }
}

/// The id of an account outside the organization, or a mistyped one, would select nothing and look
/// healthy.
fn unknown_accounts(observed: &Observed, options: &DriftOptions) -> Vec<Unchecked> {
    options
        .scope
        .accounts
        .iter()
        .filter(|id| observed.membership.account(id).is_none())
        .map(|id| Unchecked {
            check: DriftCheck::Instances,
            part: None,
            what: format!("account {id}"),
            location: None,
            reason: "it is not in the organization".to_owned(),
        })
        .collect()
}

/// Adds the ids of the rules that forwarders and other resources were compiled from.
fn name_rules(bundle: &Bundle, found: &mut Found) {
    for difference in &mut found.differences {
        let part = difference.part.as_deref();
        let set = bundle
            .stack_sets
            .iter()
            .find(|set| Some(set.name.as_str()) == part);
        if let (true, Some(set), Some(resource)) =
            (difference.rules.is_empty(), set, &difference.resource)
            && let Some(rules) = set.rules.get(&resource.logical_id)
        {
            difference.rules.clone_from(rules);
        }
    }
}

/// A changed resource that CloudFormation reports, too, is one difference.
fn forget_what_cloudformation_sees(found: &mut Found) {
    type Key<'a> = (Option<&'a str>, Option<&'a Location>, &'a str);
    fn key(difference: &Difference) -> Option<Key<'_>> {
        let resource = difference.resource.as_ref()?;
        let part = difference.part.as_deref();
        Some((part, difference.location.as_ref(), &resource.logical_id))
    }
    let mut seen: BTreeMap<Key<'_>, Vec<&ResourceDrift>> = BTreeMap::new();
    for difference in &found.differences {
        if difference.check == DriftCheck::Resources
            && let (Some(key), Some(resource)) = (key(difference), &difference.resource)
        {
            seen.entry(key).or_default().push(resource);
        }
    }
    let is_seen = |difference: &Difference| {
        let (Some(key), Some(resource)) = (key(difference), &difference.resource) else {
            return false;
        };
        let mut reported = seen.get(&key).into_iter().flatten();
        difference.check == DriftCheck::Chain
            && reported.any(|reported| {
                let mut ours = resource.differences.iter();
                reported.status == ResourceDriftStatus::Deleted
                    || ours.all(|it| {
                        reported
                            .differences
                            .iter()
                            .any(|that| overlap(&it.path, &that.path))
                    })
            })
    };
    let keep: Vec<bool> = found.differences.iter().map(|it| !is_seen(it)).collect();
    let mut keep = keep.into_iter();
    found.differences.retain(|_| keep.next().unwrap_or(true));
}

/// Whether one property is the other or a part of it.
fn overlap(one: &str, other: &str) -> bool {
    let inside = |outer: &str, inner: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    inside(one, other) || inside(other, one)
}

/// Drift detection fails for a deleted stack, which another check has already reported.
fn forget_resources_of_gone_stacks(found: &mut Found) {
    let gone: BTreeSet<(&str, &Location)> = found
        .differences
        .iter()
        .filter(|difference| difference.code == DriftCode::StackGone)
        .filter_map(|it| Some((it.part.as_deref()?, it.location.as_ref()?)))
        .collect();
    found.unchecked.retain(|it| match (&it.part, &it.location) {
        (Some(part), Some(location)) => {
            it.check != DriftCheck::Resources || !gone.contains(&(part.as_str(), location))
        }
        _ => true,
    });
}

/// The bundle's parts that exist, so that CloudFormation can detect their drift.
struct Existing<'a> {
    sets: Vec<&'a StackSet>,
    /// Stacks in the management account.
    stacks: Vec<(&'a StackSet, Location)>,
}

impl<'a> Existing<'a> {
    fn of(bundle: &'a Bundle, plan: &Plan, options: &DriftOptions) -> Existing<'a> {
        let exists = |change: &Change| matches!(change, Change::Unchanged | Change::Update { .. });
        let mut existing = Existing {
            sets: Vec::new(),
            stacks: Vec::new(),
        };
        for set in &bundle.stack_sets {
            let mut planned = plan.stack_sets.iter();
            if planned.any(|it| it.name == set.name && exists(&it.change)) {
                existing.sets.push(set);
            }
            let stacks = plan
                .stacks
                .iter()
                .filter(|it| it.name == set.name && exists(&it.change))
                .filter(|it| options.covers(&it.location));
            existing
                .stacks
                .extend(stacks.map(|it| (set, it.location.clone())));
        }
        existing
    }

    fn count(&self, observed: &Observed, options: &DriftOptions, checked: &mut Checked) {
        checked.stack_sets = self.sets.len();
        checked.stacks = self.stacks.len();
        checked.instances = self
            .sets
            .iter()
            .filter_map(|set| observed.stack_sets.get(&set.name))
            .flat_map(|found| &found.instances)
            .filter(|instance| options.covers(&instance.location()))
            .count();
    }

    async fn resources<C: Cloud>(
        &self,
        session: &Session<'_, C>,
        observed: &Observed,
        options: &DriftOptions,
    ) -> Found {
        let sets = self
            .sets
            .iter()
            .map(|set| resources::of_stack_set(session, options, set, observed));
        let mut found = Found::default();
        for detected in join_all(sets).await {
            found.merge(detected);
        }
        let stacks = self.stacks.iter().map(|(set, location)| {
            let alike = self.stacks.iter().filter(|(it, _)| it.name == set.name);
            let instances = observed.stack_sets.get(&set.name);
            let instances = instances.map_or(0, |it| it.instances.len());
            let stacks = alike.count() + instances;
            resources::of_stack(session, options, set, location, stacks)
        });
        for detected in join_all(stacks).await {
            found.merge(detected);
        }
        found
    }
}

impl From<Inspection> for Found {
    fn from(inspection: Inspection) -> Found {
        let unreadable = inspection.unreadable.into_iter().map(|it| Unchecked {
            check: DriftCheck::Chain,
            part: None,
            what: it.link,
            location: Some(it.location),
            reason: it.reason,
        });
        let notes = inspection.warnings.into_iter();
        let notes = notes.map(|it| format!("{} in {}: {}", it.link, it.location, it.message));
        Found {
            differences: inspection.faults.into_iter().map(Into::into).collect(),
            unchecked: unreadable.collect(),
            notes: notes.collect(),
            ..Found::default()
        }
    }
}

impl From<Fault> for Difference {
    fn from(fault: Fault) -> Difference {
        let link = fault.link;
        let message = format!("{}: {}", link.link, link.message);
        Difference::new(fault.code, message, link.fix)
            .at(&link.location)
            .values(fault.expected, fault.actual)
    }
}

#[cfg(test)]
mod tests;
