//! Removes instances and stack sets.

use std::collections::BTreeSet;

use super::removal_requests::requests;
use super::repair::repair;
use super::report::PartReport;
use super::settle::{is_old, settled};
use super::{LAG, Run};
use crate::fleet::{ObservedStackSet, Patience, may_change, observe_stack_set};
use crate::operation::{Sequence, Stop, Task};
use crate::plan::{Change, LeftBehind, Repair, StackSetPlan};
use crate::ports::{Cloud, CloudError, Instance, InstanceStatus, Location};
use crate::progress::ProgressEvent;
use crate::rollout::{region_is_not_enabled, region_is_off};

/// Attempts to plan again after the stack set or its lists changed in the meantime.
const REPLANS: u32 = 8;

/// Removes instances, and the stack set itself if the plan has `Change::Delete`. The last round
/// only reads, because an operation that finds nothing to do also succeeds.
pub(super) async fn remove<C: Cloud>(run: &Run<'_, C>, plan: &StackSetPlan) -> PartReport {
    let mut removal = Removal {
        run,
        plan,
        whole: plan.change == Change::Delete,
        unwanted: plan.remove.iter().collect(),
        report: PartReport::begin(&plan.name, None),
        tries: 0,
        done: BTreeSet::new(),
    };
    if removal.whole {
        // If the stack set stays, the report of its deployment already lists these.
        removal.report.blocked.clone_from(&plan.blocked);
    }
    let result = loop {
        match removal.round().await {
            Err(Stop::Replan | Stop::Lagging) if removal.tries < REPLANS => {
                removal.tries += 1;
                run.session.cloud.pause(LAG).await;
            }
            result => break result,
        }
    };
    removal.report.conclude(result);
    if !removal.report.outcome.is_good() {
        removal.account_for().await;
    }
    removal.report
}

/// Removes instances of one stack set, round by round.
struct Removal<'a, C> {
    run: &'a Run<'a, C>,
    plan: &'a StackSetPlan,
    /// Whether the stack set itself is deleted too.
    whole: bool,
    unwanted: BTreeSet<&'a Location>,
    report: PartReport,
    tries: u32,
    /// Locations where this run's operations succeeded.
    done: BTreeSet<Location>,
}

impl<C: Cloud> Removal<'_, C> {
    async fn round(&mut self) -> Result<(), Stop> {
        let Run { session, .. } = self.run;
        let name = &self.plan.name;
        let Some(existing) = settled(session, name, &self.report.operations).await? else {
            return Ok(());
        };
        if !may_change(session.organization, name, &existing.details.tags) {
            return Err(Stop::Failed(format!(
                "{name} no longer has this installation's tags and is left unchanged"
            )));
        }
        let (out_of_reach, instances): (Vec<&Instance>, Vec<&Instance>) = existing
            .instances
            .iter()
            .filter(|instance| self.is_unwanted(&instance.location()))
            .partition(|instance| self.run.membership.is_closed(&instance.location()));
        let left: Vec<Location> = instances.iter().map(|it| it.location()).collect();
        self.check_lists(&existing, &left).await?;
        if !self.remove_instances(&existing, instances).await? {
            return Ok(());
        }
        if !left.is_empty() {
            // The next round checks that the instances are gone.
            self.done.extend(left);
            return Err(Stop::Replan);
        }
        if let Some(instance) = out_of_reach.first() {
            let location = instance.location();
            return Err(Stop::Failed(
                if self.run.membership.is_off(&location.region) {
                    region_is_off(&location.region)
                } else {
                    format!("{location}: {}", region_is_not_enabled(&location.region))
                },
            ));
        }
        if self.whole {
            self.delete_stack_set().await?;
        }
        Ok(())
    }

    fn is_unwanted(&self, location: &Location) -> bool {
        self.whole || self.unwanted.contains(location)
    }

    /// Stops if the lists still show instances that were removed.
    async fn check_lists(
        &mut self,
        existing: &ObservedStackSet,
        left: &[Location],
    ) -> Result<(), Stop> {
        let still: Vec<Location> = left
            .iter()
            .filter(|location| self.done.contains(location))
            .cloned()
            .collect();
        if self.tries < REPLANS {
            let plan = StackSetPlan {
                remove: left.to_vec(),
                ..self.plan.clone()
            };
            if !still.is_empty() || is_old(&self.run.session, existing, &plan).await? {
                return Err(Stop::Lagging);
            }
        }
        if still.is_empty() {
            return Ok(());
        }
        let reason = format!(
            "the operations on {} succeeded, but {} of its instances still exist",
            self.plan.name,
            still.len()
        );
        self.report.leave(reason.clone(), still);
        Err(Stop::Failed(reason))
    }

    /// Returns `false` if an operation failed in any location.
    async fn remove_instances(
        &mut self,
        existing: &ObservedStackSet,
        instances: Vec<&Instance>,
    ) -> Result<bool, Stop> {
        let run = self.run;
        let now = run.session.cloud.now();
        let mut sequence = Sequence::after(&self.plan.name, &existing.operations, now);
        // Deleting again can't succeed where an earlier deletion failed. Where the account is out of
        // use, only the instance is removed, whatever its status.
        let (stuck, sound): (Vec<&Instance>, Vec<&Instance>) =
            instances.into_iter().partition(|instance| {
                instance.status == InstanceStatus::Inoperable && run.is_active(&instance.account)
            });
        let mut good = true;
        if !stuck.is_empty() {
            let repairs: Vec<Repair> = stuck.into_iter().map(Repair::of).collect();
            let before = self.report.failures.len();
            repair(run, existing, &repairs, &mut sequence, &mut self.report).await?;
            good &= self.report.failures.len() == before;
        }
        let locations: Vec<Location> = sound.into_iter().map(Instance::location).collect();
        for (request, total) in requests(run, existing, &locations) {
            let task = Task::Delete(request);
            let finished = sequence.perform(&run.session, task, None, total).await?;
            good &= self.report.take(finished)?;
        }
        if good {
            self.leave_behind(existing, &locations);
        }
        Ok(good)
    }

    /// Records the stacks that stay in accounts out of reach.
    fn leave_behind(&mut self, existing: &ObservedStackSet, removed: &[Location]) {
        let removed: BTreeSet<&Location> = removed.iter().collect();
        let instances = existing.instances.iter();
        let left = instances
            .filter(|instance| removed.contains(&instance.location()))
            .filter_map(|instance| LeftBehind::of(instance, &self.run.membership));
        self.report.left_behind.extend(left);
    }

    async fn delete_stack_set(&mut self) -> Result<(), Stop> {
        let name = &self.plan.name;
        let session = &self.run.session;
        match session.cloud.delete_stack_set(name).await {
            Ok(()) | Err(CloudError::NotFound { .. }) => {
                self.report.changed = true;
                session.progress.report(&ProgressEvent::StackSetDeleted {
                    stack_set: name.clone(),
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

    /// Lists every instance that should have been removed, after the removal failed.
    async fn account_for(&mut self) {
        let reason = self.report.outcome.reason().to_owned();
        let cloud = self.run.session.cloud;
        // Without an answer, the report keeps the failures known so far.
        let Ok(existing) = observe_stack_set(cloud, &self.plan.name, Patience::None).await else {
            return;
        };
        let unfinished = self.report.unfinished.iter().flat_map(|it| &it.locations);
        let named: BTreeSet<&Location> = (self.report.failures.iter().map(|it| &it.location))
            .chain(self.report.blocked.iter().map(|it| &it.location))
            .chain(unfinished)
            .collect();
        let locations: Vec<Location> = (existing.iter().flat_map(|found| &found.instances))
            .map(Instance::location)
            .filter(|location| self.is_unwanted(location) && !named.contains(location))
            .collect();
        self.report.leave(reason, locations);
    }
}
