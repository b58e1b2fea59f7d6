//! Rolls a failed wave back to the stack set's previous definition.

use super::definition::{previous, request};
use super::roll_out::RollOut;
use crate::fleet::{ObservedStackSet, may_change};
use crate::operation::{Stop, Task};
use crate::ports::{Cloud, Location};
use crate::rollout;

/// Wave name in the rollback's operation reports.
const WAVE: &str = "rollback";

impl<C: Cloud> RollOut<'_, C> {
    /// Restores the stack set's previous definition and rolls back all instances that this run
    /// updated. Other instances still have that definition, and instances created by this run stay
    /// as they are. Returns a clause that describes the result.
    pub(super) async fn roll_back(
        &mut self,
        before: &ObservedStackSet,
        updated: &[Location],
    ) -> Result<String, Stop> {
        let details = &before.details;
        let organization = self.run.session.organization;
        if !may_change(organization, &details.name, &details.tags) {
            return Ok("there is no previous template to roll back to".to_owned());
        }
        let mut failed = 0;
        let mut done = 0;
        for (index, group) in self.groups(updated).into_iter().enumerate() {
            let total = group.locations.len();
            let task = if index == 0 {
                let update = previous(details, Some(group.targets), group.regions);
                Task::Update(Box::new(update))
            } else {
                let (targets, regions) = (group.targets, group.regions);
                Task::Refresh(request(&details.name, targets, regions, rollout::main()))
            };
            let session = &self.run.session;
            let finished = self.sequence.perform(session, task, Some(WAVE), total);
            match finished.await {
                Ok(finished) => {
                    failed += finished.report.failed;
                    done += finished.report.succeeded;
                    self.report.operations.push(finished.report);
                    self.report.failures.extend(finished.failures);
                }
                Err(Stop::Failed(reason)) => {
                    return Ok(format!(
                        "the rollback to the previous template failed: {reason}"
                    ));
                }
                Err(Stop::Replan | Stop::Lagging) => {
                    return Ok(
                        "the stack set was changed by another process before it could be rolled \
                               back to the previous template"
                            .to_owned(),
                    );
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(if failed == 0 {
            format!("its {done} instances were rolled back to the previous template")
        } else {
            format!(
                "{done} of its instances were rolled back to the previous template, {failed} not"
            )
        })
    }
}
