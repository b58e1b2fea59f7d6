//! Deploys one stack set and all its instances.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use compiler::StackSet;

use super::definition::{create, switch_auto_deployment};
use super::report::PartReport;
use super::roll_out::RollOut;
use super::settle::{is_old, settled};
use super::{LAG, Run, repair};
use crate::fleet::{Membership, ObservedStackSet, Patience, observe_stack_set, owner};
use crate::operation::{InstanceFailure, Sequence, Stop};
use crate::plan::{Change, Reason, StackSetPlan, plan_stack_set};
use crate::ports::{Cloud, Location};

/// Attempts to plan again after the stack set changed in the meantime.
const REPLANS: u32 = 8;

/// Attempts to read the lists again while they are outdated.
const LAGS: u32 = 12;

/// Brings a stack set and its instances in line with the bundle, except for removals. The last
/// round only reads, so that "done" describes the fleet and not just the requests that were sent.
pub(super) async fn deploy<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    planned: &StackSetPlan,
) -> PartReport {
    let mut deployment = Deployment {
        run,
        set,
        membership: Arc::clone(&run.membership),
        report: PartReport::begin(&set.name, None),
        replans: 0,
        lags: 0,
        done: BTreeSet::new(),
    };
    let result = deployment.repeat().await;
    if let Ok(plan) = &result {
        deployment.leave_unplanned(plan, planned);
    }
    deployment.report.conclude(result.map(drop));
    if !deployment.report.outcome.is_good() {
        deployment.account_for().await;
    }
    deployment.report
}

/// Deploys one stack set, round by round.
struct Deployment<'a, C> {
    run: &'a Run<'a, C>,
    set: &'a StackSet,
    membership: Arc<Membership>,
    report: PartReport,
    replans: u32,
    lags: u32,
    /// Locations where this run's operations succeeded.
    done: BTreeSet<Location>,
}

impl<C: Cloud> Deployment<'_, C> {
    async fn repeat(&mut self) -> Result<StackSetPlan, Stop> {
        loop {
            match Box::pin(self.round()).await {
                Err(Stop::Replan) if self.replans < REPLANS => self.replans += 1,
                Err(Stop::Lagging) if self.lags < LAGS => {
                    self.lags += 1;
                    self.run.session.cloud.pause(LAG).await;
                }
                result => return result,
            }
        }
    }

    /// Reads the stack set and makes the changes that are due. Returns the present plan once only
    /// removals are left, or only differences that another round can't fix.
    async fn round(&mut self) -> Result<StackSetPlan, Stop> {
        let (existing, plan) = self.look().await?;
        if let Change::Blocked { reason } = plan.change {
            return Err(Stop::Failed(reason));
        }
        if plan.is_deployed() || !self.report.failures.is_empty() {
            return Ok(plan);
        }
        if let Some(existing) = &existing {
            self.check_lists(existing, &plan).await?;
        }
        if self.replans >= REPLANS {
            return Err(Stop::Failed(format!(
                "another process keeps changing {}",
                self.set.name
            )));
        }
        self.act(existing.as_ref(), plan).await
    }

    async fn look(&mut self) -> Result<(Option<ObservedStackSet>, StackSetPlan), Stop> {
        let Run {
            session, bundle, ..
        } = self.run;
        let existing = settled(session, &self.set.name, &self.report.operations).await?;
        let mut plan = self.plan(existing.as_ref());
        if self.replans > 0 && !plan.is_deployed() {
            // Accounts can move between units while operations run.
            let membership = Membership::read(session.cloud, &bundle.organization).await?;
            self.membership = Arc::new(membership);
            plan = self.plan(existing.as_ref());
        }
        self.report.blocked.clone_from(&plan.blocked);
        Ok((existing, plan))
    }

    fn plan(&self, existing: Option<&ObservedStackSet>) -> StackSetPlan {
        let bundle = self.run.bundle;
        let existing = existing.map(|found| {
            let owner = owner(&bundle.organization, &self.set.name, &found.details.tags);
            (found, owner)
        });
        plan_stack_set(bundle, self.set, existing, &self.membership)
    }

    /// Stops if the lists still show completed changes as due.
    async fn check_lists(
        &self,
        existing: &ObservedStackSet,
        plan: &StackSetPlan,
    ) -> Result<(), Stop> {
        let mut due = plan.add.iter().chain(&plan.update);
        let done_but_due = plan.change == Change::Unchanged && due.any(|it| self.done.contains(it));
        if !done_but_due && !is_old(&self.run.session, existing, plan).await? {
            return Ok(());
        }
        if self.lags < LAGS {
            return Err(Stop::Lagging);
        }
        if self.report.changed {
            // Repeating the operations would not help.
            return Err(Stop::Failed(format!(
                "the operations on {} succeeded, but not all of its instances are current",
                self.set.name
            )));
        }
        Ok(())
    }

    async fn act(
        &mut self,
        existing: Option<&ObservedStackSet>,
        mut plan: StackSetPlan,
    ) -> Result<StackSetPlan, Stop> {
        let Some(members) = &self.set.targets.members else {
            return Ok(plan);
        };
        let latest = existing.map(|found| found.operations.as_slice());
        let now = self.run.session.cloud.now();
        let mut sequence = Sequence::after(&self.set.name, latest.unwrap_or_default(), now);
        let (run, set, report) = (self.run, self.set, &mut self.report);
        let reasons = match &plan.change {
            Change::Update { reasons } => reasons.as_slice(),
            _ => &[],
        };
        let redefined = reasons.iter().any(|it| *it != Reason::AutoDeployment);
        if plan.change == Change::Create {
            create(run, set, report).await?;
        } else if let Some(existing) = existing {
            if reasons.contains(&Reason::AutoDeployment) {
                switch_auto_deployment(run, set, existing, &mut sequence, report).await?;
            }
            if !plan.repair.is_empty() {
                let repairs = &plan.repair;
                let repaired =
                    repair::repair(run, existing, repairs, &mut sequence, report).await?;
                plan.add.extend(repaired);
                plan.add.sort();
            }
        }
        let mut roll_out = RollOut {
            run,
            set,
            members,
            membership: &self.membership,
            previous: existing.filter(|_| redefined),
            existing,
            instances: existing.map_or(0, |found| found.instances.len()),
            sequence,
            report,
        };
        roll_out.run(&plan).await?;
        if self.report.failures.is_empty() && self.report.changed {
            self.done = plan.add.into_iter().chain(plan.update).collect();
            // The next round checks the result.
            return Err(Stop::Replan);
        }
        Ok(plan)
    }

    /// Leaves instances that became unwanted only after the plan was made, such as when an account
    /// moved: their removal was never confirmed.
    fn leave_unplanned(&mut self, plan: &StackSetPlan, planned: &StackSetPlan) {
        let known: BTreeSet<&Location> = planned.remove.iter().collect();
        let unplanned = plan.remove.iter().filter(|it| !known.contains(it));
        self.report.leave(
            "no longer wanted, but not in the plan; run the same command again".to_owned(),
            unplanned.cloned().collect(),
        );
    }

    /// Lists every location that doesn't match the bundle, after the part failed.
    async fn account_for(&mut self) {
        let why = self.report.outcome.reason().to_owned();
        let name = &self.set.name;
        // Without an answer, the report keeps the failures known so far.
        let Ok(existing) = observe_stack_set(self.run.session.cloud, name, Patience::None).await
        else {
            return;
        };
        let plan = self.plan(existing.as_ref());
        let reasons: BTreeMap<Location, &str> = existing
            .iter()
            .flat_map(|found| &found.instances)
            .filter_map(|instance| Some((instance.location(), instance.reason.as_deref()?)))
            .collect();
        let failures = self.report.failures.iter();
        let failed: BTreeSet<Location> = failures.map(|it| it.location.clone()).collect();
        let repair = plan.repair.into_iter().map(|repair| repair.location);
        let open = plan.add.into_iter().chain(plan.update).chain(repair);
        let mut quiet = Vec::new();
        for location in open.filter(|location| !failed.contains(location)) {
            match reasons.get(&location) {
                Some(reason) => self.report.failures.push(InstanceFailure {
                    status: "not current".to_owned(),
                    reason: (*reason).to_owned(),
                    events: Vec::new(),
                    location,
                }),
                None => quiet.push(location),
            }
        }
        self.report.leave(why, quiet);
    }
}
