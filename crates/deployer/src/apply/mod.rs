//! Carries out a plan.
//!
//! Parts are deployed in dependency order, independent parts concurrently. If a part fails, the
//! parts that depend on it are skipped; all others continue. A stack set that gives a rule to another
//! waits until that one has it everywhere. Removals come last, and only if
//! everything before them succeeded.

mod change_set;
mod definition;
mod gate;
mod guard;
mod parts;
mod removal;
mod removal_requests;
mod repair;
mod report;
mod roll_out;
mod rollback;
mod settle;
mod stack;
mod stack_set;

use std::sync::Arc;
use std::time::Duration;

use compiler::organization::Trail;
use compiler::{Bundle, Part};

pub use guard::removals_problem;
pub use report::{ApplyOutcome, ApplyReport, ApplySummary, PartOutcome, PartReport, Unfinished};

use crate::error::DeployError;
use crate::fleet::{Membership, Scope, observe};
use crate::health::trail;
use crate::operation::Session;
pub use crate::operation::{InstanceFailure, Limits, OperationReport};
use crate::plan::{
    Basis, Change, Estimate, Plan, StackPlan, StackSetPlan, delete_stack, delete_stack_set,
    newer_format, wrong_organization,
};
use crate::ports::{AccountState, Cloud};
use crate::progress::Progress;

/// Limits and safety checks for carrying out a plan.
#[derive(Clone, Debug)]
pub struct Options {
    /// Time limits for the run's own operations and for others.
    pub limits: Limits,
    /// Disables the limit of `delete_percent`.
    pub allow_delete: bool,
    /// Highest percentage of a stack set's instances that may be removed without `allow_delete`.
    pub delete_percent: u8,
    /// Whether a wave that breaks the alert chain stops the rollout.
    pub gate: bool,
    /// Accounts and Regions, if the caller has just read them; `None` reads them.
    pub membership: Option<Membership>,
}

impl Default for Options {
    /// Allows removing up to a fifth of each stack set's instances.
    fn default() -> Options {
        Options {
            limits: Limits::default(),
            allow_delete: false,
            delete_percent: 20,
            gate: true,
            membership: None,
        }
    }
}

/// Pause before reading eventually consistent lists again.
const LAG: Duration = Duration::from_secs(10);

/// Shared by every step of a run.
struct Run<'a, C> {
    session: Session<'a, C>,
    bundle: &'a Bundle,
    gate: bool,
    membership: Arc<Membership>,
}

impl<C> Run<'_, C> {
    fn is_active(&self, account: &str) -> bool {
        self.membership
            .account(account)
            .is_some_and(|account| account.state == AccountState::Active)
    }
}

/// Carries out a plan with the default [`Options`].
///
/// Each part is read again just before it changes, so a slightly outdated plan is safe. The report
/// holds the failures of parts; an error means that the run could not start or continue.
pub async fn apply(
    cloud: &impl Cloud,
    bundle: &Bundle,
    plan: &Plan,
    progress: &dyn Progress,
) -> Result<ApplyReport, DeployError> {
    apply_with(cloud, bundle, plan, progress, Options::default()).await
}

/// Carries out a plan. Each part is read again before it changes.
pub async fn apply_with(
    cloud: &impl Cloud,
    bundle: &Bundle,
    plan: &Plan,
    progress: &dyn Progress,
    options: Options,
) -> Result<ApplyReport, DeployError> {
    let mut problems = plan.problems.clone();
    if !options.allow_delete {
        problems.extend(removals_problem(plan, options.delete_percent));
    }
    if !problems.is_empty() {
        return Ok(ApplyReport {
            problems,
            parts: Vec::new(),
        });
    }
    let busy = plan.stack_sets.iter().any(|it| !it.in_progress.is_empty());
    let membership = match options.membership {
        Some(membership) => membership,
        None if plan.is_empty() && !busy => Membership::default(),
        None => Membership::read(cloud, &bundle.organization).await?,
    };
    let run = Run {
        session: Session {
            cloud,
            progress,
            limits: options.limits,
            organization: &bundle.organization,
        },
        bundle,
        gate: options.gate,
        membership: Arc::new(membership),
    };
    let mut parts = parts::deploy_all(&run, plan).await;
    let broken = parts.iter().find(|part| !part.outcome.is_good());
    let mut broken = broken.map(|part| format!("{} failed; nothing is removed", part.name));
    if broken.is_none() {
        // Rare and large, so not a part of every deployment's future.
        broken = Box::pin(without_a_trail(&run, plan)).await;
    }
    parts.extend(parts::remove_all(&run, plan, broken).await);
    Ok(ApplyReport { problems, parts })
}

/// Why an own trail isn't removed for an existing one: what is broken about that, since the deployment
/// began or unnoticed.
async fn without_a_trail<C: Cloud>(run: &Run<'_, C>, plan: &Plan) -> Option<String> {
    let organization = &run.bundle.organization;
    let is_own =
        |it: &StackPlan| it.part == Some(Part::Trail) && matches!(it.change, Change::Delete);
    if matches!(organization.trail, Trail::Own(_)) || !plan.stacks.iter().any(is_own) {
        return None;
    }
    let sample = trail::sample(organization, &run.membership.accounts);
    let scope = Scope::default();
    let (found, _) = trail::existing(run.session.cloud, run.bundle, &sample, &scope).await;
    let broken = found.into_broken().into_iter().next()?;
    Some(format!(
        "{} in {} can't take the place of Gizmos' own trail: {}; nothing is removed",
        broken.link, broken.location, broken.message
    ))
}

/// Removes everything Gizmos deployed: detections first, the log bucket's stack last. The log
/// bucket and its logs remain (its template retains them), and so does trusted access. The artifact
/// bucket is emptied and deleted. Other installations' stack sets and stacks are never touched.
pub async fn destroy(
    cloud: &impl Cloud,
    bundle: &Bundle,
    progress: &dyn Progress,
) -> Result<ApplyReport, DeployError> {
    let observed = observe(cloud, bundle).await?;
    let mut report = ApplyReport::default();
    let wrong = wrong_organization(&bundle.organization, &observed.organization);
    if let Some(problem) = wrong.or_else(|| newer_format(bundle, &observed)) {
        report.problems.push(problem);
        return Ok(report);
    }
    let part_of = |name: &str| {
        let set = bundle.stack_sets.iter().find(|set| set.name == name)?;
        Some(set.part)
    };
    let stack_sets = observed.owned_stack_sets(bundle).map(|found| {
        let plan = delete_stack_set(found, &observed.membership);
        let part = plan.part.or_else(|| part_of(&plan.name));
        StackSetPlan { part, ..plan }
    });
    let stacks = observed.owned_stacks(bundle).map(|found| {
        let plan = delete_stack(found);
        let part = plan.part.or_else(|| part_of(&plan.name));
        StackPlan { part, ..plan }
    });
    let plan = Plan {
        organization: bundle.organization.id.clone(),
        problems: Vec::new(),
        stack_sets: stack_sets.collect(),
        stacks: stacks.collect(),
        moves: Vec::new(),
        accounts: 0,
        regions: 0,
        notes: Vec::new(),
        pinned_regions: Vec::new(),
        estimate: Estimate::default(),
        basis: Basis::default(),
    };
    let run = Run {
        session: Session {
            cloud,
            progress,
            limits: Limits::default(),
            organization: &bundle.organization,
        },
        bundle,
        gate: false,
        membership: Arc::new(observed.membership),
    };
    report.parts = parts::remove_all(&run, &plan, None).await;
    Ok(report)
}

#[cfg(test)]
mod tests;
