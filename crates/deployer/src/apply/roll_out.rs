//! One pass through the waves of a stack set.

use std::collections::BTreeSet;
use std::time::Duration;

use compiler::{Members, StackSet};

use super::Run;
use super::definition::{request, update};
use super::gate::Gate;
use super::report::PartReport;
use crate::fleet::{Membership, ObservedStackSet};
use crate::operation::{Sequence, Stop, Task};
use crate::plan::StackSetPlan;
use crate::ports::{Cloud, Location, OperationStatus};
use crate::progress::ProgressEvent;
use crate::rollout::{self, Group, Wave, group};

/// One pass through the waves of a stack set.
pub(super) struct RollOut<'a, C> {
    pub(super) run: &'a Run<'a, C>,
    pub(super) set: &'a StackSet,
    pub(super) members: &'a Members,
    pub(super) membership: &'a Membership,
    /// The stack set before this pass, if the pass changes its definition.
    pub(super) previous: Option<&'a ObservedStackSet>,
    /// The stack set as it is; `None` if it was just created.
    pub(super) existing: Option<&'a ObservedStackSet>,
    /// Total number of the stack set's instances.
    pub(super) instances: usize,
    pub(super) sequence: Sequence,
    pub(super) report: &'a mut PartReport,
}

/// The result of one wave.
#[derive(Clone, Copy, Default)]
struct Passed {
    /// Whether any instance failed.
    failed: bool,
    /// Whether an operation failed as a whole.
    broken: bool,
}

/// How the new definition reaches the instances.
struct Definition {
    /// Whether the next update must carry it.
    due: bool,
    /// Whether one call without targets updates all instances.
    everywhere: bool,
}

impl<C: Cloud> RollOut<'_, C> {
    pub(super) async fn run(&mut self, plan: &StackSetPlan) -> Result<(), Stop> {
        let mut definition = Definition {
            due: self.previous.is_some(),
            everywhere: false,
        };
        if definition.due && plan.update.is_empty() {
            // There are no instances to update; only those created later need it.
            let update = update(self.set, None, Vec::new(), rollout::main());
            let task = Task::Update(Box::new(update));
            self.perform(task, None, self.instances).await?;
            definition.due = false;
        }
        let waves = rollout::split(
            &self.run.bundle.organization.waves,
            &self.membership.accounts,
            &plan.update,
            &plan.add,
            definition.due,
        );
        definition.everywhere = plan.update.len() == self.instances && waves.len() == 1;
        let gate = Gate::before(self.run, waves.len() > 1 && !plan.update.is_empty()).await;
        // Instances that this run creates never had the previous definition and might fail with it.
        let mut updated: Vec<Location> = Vec::new();
        let last = waves.len().saturating_sub(1);
        for (index, wave) in waves.iter().enumerate() {
            let is_last = index == last;
            updated.extend(wave.update.iter().cloned());
            let passed = self.deploy(wave, &mut definition).await?;
            if let Some(reason) = self.failure(wave, &passed, is_last, &gate).await {
                return Err(self.give_up(reason, is_last, &updated).await?);
            }
        }
        Ok(())
    }

    /// Groups the locations so that each group takes one call.
    pub(super) fn groups(&self, locations: &[Location]) -> Vec<Group> {
        let units = &self.members.organizational_units;
        let management = &self.run.bundle.organization.accounts.management;
        // All accounts that a call for these units would reach without an account filter. Accounts
        // that left the organization are among them as long as they have instances.
        let departed = self
            .existing
            .into_iter()
            .flat_map(|found| &found.instances)
            .map(|instance| instance.account.as_str())
            .filter(|account| self.membership.account(account).is_none());
        let pool: BTreeSet<&str> = self
            .membership
            .accounts
            .iter()
            .filter(|account| account.id != *management)
            .filter(|account| units.iter().any(|unit| account.is_under(unit)))
            .map(|account| account.id.as_str())
            .chain(departed)
            .collect();
        group(locations, units, &pool, &self.members.regions)
    }

    async fn perform(
        &mut self,
        task: Task,
        wave: Option<&str>,
        total: usize,
    ) -> Result<Passed, Stop> {
        let session = &self.run.session;
        let finished = self.sequence.perform(session, task, wave, total).await?;
        Ok(Passed {
            broken: finished.report.status != OperationStatus::Succeeded,
            failed: !self.report.take(finished)?,
        })
    }

    async fn deploy(&mut self, wave: &Wave, definition: &mut Definition) -> Result<Passed, Stop> {
        let mut passed = Passed::default();
        let one_call = definition.due && definition.everywhere;
        for group in self.groups(&wave.update) {
            let (task, total) = self.update_task(group, wave, definition);
            passed.add(self.perform(task, wave.name.as_deref(), total).await?);
            if one_call {
                break;
            }
        }
        for group in self.groups(&wave.add) {
            let total = group.locations.len();
            let name = &self.set.name;
            let task = Task::Create(request(
                name,
                group.targets,
                group.regions,
                wave.preferences,
            ));
            passed.add(self.perform(task, wave.name.as_deref(), total).await?);
        }
        Ok(passed)
    }

    /// The task that updates a group, and its number of instances.
    fn update_task(&self, group: Group, wave: &Wave, definition: &mut Definition) -> (Task, usize) {
        let total = group.locations.len();
        if !std::mem::take(&mut definition.due) {
            let name = &self.set.name;
            let request = request(name, group.targets, group.regions, wave.preferences);
            return (Task::Refresh(request), total);
        }
        let (targets, regions, total) = if definition.everywhere {
            (None, Vec::new(), self.instances)
        } else {
            (Some(group.targets), group.regions, total)
        };
        let update = update(self.set, targets, regions, wave.preferences);
        (Task::Update(Box::new(update)), total)
    }

    /// Why the rollout must stop after a wave; `None` if it may continue.
    async fn failure(
        &self,
        wave: &Wave,
        passed: &Passed,
        is_last: bool,
        gate: &Gate,
    ) -> Option<String> {
        if passed.failed && (passed.broken || !is_last) {
            return Some(match &wave.name {
                Some(name) => format!("wave {name} failed"),
                None => "the operation failed".to_owned(),
            });
        }
        if is_last {
            return None;
        }
        let name = wave.name.as_deref().unwrap_or_default();
        // Soaking protects instances that already work from a bad template. If every instance is
        // new, waiting would only leave the rest without detections for longer.
        if !wave.update.is_empty() {
            self.soak(name, wave.soak_minutes).await;
        }
        let link = gate.worse(self.run).await?;
        Some(format!(
            "after wave {name} the alert chain is worse than before: {link}"
        ))
    }

    async fn soak(&self, wave: &str, minutes: u32) {
        if minutes > 0 {
            let session = &self.run.session;
            session.progress.report(&ProgressEvent::Soaking {
                stack_set: self.set.name.clone(),
                wave: wave.to_owned(),
                minutes,
            });
            let soak = Duration::from_secs(u64::from(minutes) * 60);
            session.cloud.pause(soak).await;
        }
    }

    /// Rolls back if possible, and describes the state in which the stack set is left.
    async fn give_up(
        &mut self,
        mut reason: String,
        is_last: bool,
        updated: &[Location],
    ) -> Result<Stop, Stop> {
        if let Some(previous) = self.previous
            && !updated.is_empty()
        {
            reason.push_str("; ");
            reason.push_str(&self.roll_back(previous, updated).await?);
        }
        if !is_last {
            reason.push_str("; the later waves were not started");
            if self.previous.is_none() && !updated.is_empty() {
                reason.push_str(
                    " and keep the previous template, which this run doesn't know since an earlier \
                     run began the change: to roll back, deploy the previous commit",
                );
            }
        }
        Ok(Stop::Failed(reason))
    }
}

impl Passed {
    fn add(&mut self, other: Passed) {
        self.failed |= other.failed;
        self.broken |= other.broken;
    }
}
