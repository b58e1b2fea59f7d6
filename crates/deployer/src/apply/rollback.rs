//! Rolling a failed wave back to the definition that the stack set had before.

use super::definition::{previous, request};
use super::roll_out::RollOut;
use crate::fleet::{ObservedStackSet, is_owned};
use crate::operation::{Stop, Task};
use crate::ports::{Cloud, Location};
use crate::rollout;

/// Name of the wave in which it happens.
const WAVE: &str = "rollback";

impl<C: Cloud> RollOut<'_, C> {
    /// Gives the stack set its previous definition, and brings all instances that this run has
    /// updated back to it. Other instances still have it, and those that this run has created stay as
    /// they are. Returns the result in words.
    pub(super) async fn roll_back(
        &mut self,
        before: &ObservedStackSet,
        updated: &[Location],
    ) -> Result<String, Stop> {
        let details = &before.details;
        if !is_owned(&details.tags) {
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
                        "somebody else changed the stack set before it could be rolled \
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
