//! Reads and deletes one stack of the management account, or the leftover stack of an instance.

use compiler::Part;
use compiler::organization::ARTIFACT_PREFIX;

use super::report::PartReport;
use crate::fleet::{ObservedStack, may_change, observe_stack, tagged_part};
use crate::operation::{Backoff, InstanceFailure, Session, Stop};
use crate::plan::StackPlan;
use crate::ports::{Action, Cloud, CloudError, Location, Stack};
use crate::progress::ProgressEvent;

/// Reads that may still show the old status: it lags behind the call that changes the stack.
pub(super) const STALE_READS: u32 = 6;

/// Consecutive reads that may fail.
pub(super) const LOST_READS: u32 = 10;

/// Removes a stack.
pub(super) async fn remove<C: Cloud>(session: &Session<'_, C>, plan: &StackPlan) -> PartReport {
    let mut stack = StackRun::new(session, &plan.location, &plan.name);
    let result = stack.remove().await;
    stack.report.conclude(result);
    stack.report
}

/// Work on one stack.
pub(super) struct StackRun<'a, C> {
    pub(super) session: &'a Session<'a, C>,
    pub(super) location: &'a Location,
    /// The stack's name, or its id, which also finds deleted stacks.
    pub(super) name: &'a str,
    pub(super) report: PartReport,
}

impl<'a, C: Cloud> StackRun<'a, C> {
    pub(super) fn new(session: &'a Session<'a, C>, location: &'a Location, name: &'a str) -> Self {
        StackRun {
            session,
            location,
            name,
            report: PartReport::begin(name, Some(location.clone())),
        }
    }

    async fn remove(&mut self) -> Result<(), Stop> {
        let Some(found) = self.settled().await? else {
            return Ok(());
        };
        if !self.may_change(&found.stack) {
            return Err(Stop::Failed(format!(
                "stack {} in {} no longer has this installation's tags and is left unchanged",
                self.name, self.location
            )));
        }
        self.empty_bucket(&found.stack).await?;
        self.delete().await
    }

    fn may_change(&self, stack: &Stack) -> bool {
        may_change(self.session.organization, &stack.name, &stack.tags)
    }

    /// Deletes the leftover stack of an instance.
    pub(super) async fn delete_remains(&mut self, found: &Stack) -> Result<(), Stop> {
        // StackSets copies the stack set's tags to each stack.
        if !self.may_change(found) {
            return Err(Stop::Failed(format!(
                "its stack {} does not have this installation's tags and is left unchanged",
                found.name
            )));
        }
        self.delete().await
    }

    /// Reads the stack, with retries if there is no response.
    pub(super) async fn look(&self) -> Result<Option<ObservedStack>, Stop> {
        let cloud = self.session.cloud;
        let mut pause = Backoff::new();
        let mut lost = 0;
        loop {
            match observe_stack(cloud, self.location, self.name).await {
                Err(error) if error.source.is_passing() && lost < LOST_READS => {
                    lost += 1;
                    cloud.pause(pause.next()).await;
                }
                // The stack was deleted between the two calls of one read.
                Err(error) if error.source.is_not_found() && lost < LOST_READS => lost += 1,
                result => return Ok(result?),
            }
        }
    }

    /// Reads the stack once it is no longer changing.
    pub(super) async fn settled(&self) -> Result<Option<ObservedStack>, Stop> {
        let mut pause = Backoff::new();
        loop {
            let found = self.look().await?;
            match found {
                Some(found) if found.stack.is_in_progress() => {
                    if pause.waited >= self.session.limits.operation {
                        return Err(self.stays_in(&found.stack.status));
                    }
                    self.session.cloud.pause(pause.next()).await;
                }
                found => return Ok(found),
            }
        }
    }

    fn stays_in(&self, status: &str) -> Stop {
        Stop::TimedOut(format!(
            "stack {} in {} stays in {status}",
            self.name, self.location
        ))
    }

    /// Empties the artifact bucket, because CloudFormation only deletes empty buckets. Deployed
    /// stacks no longer need its templates.
    pub(super) async fn empty_bucket(&self, stack: &Stack) -> Result<(), Stop> {
        if tagged_part(&stack.tags) != Some(Part::Artifacts) {
            return Ok(());
        }
        let Some(bucket) = stack.parameters.get("BucketName") else {
            return Ok(());
        };
        let cloud = self.session.cloud;
        let emptied = cloud.empty_bucket(self.location, bucket, ARTIFACT_PREFIX);
        match emptied.await {
            Err(CloudError::NotFound { .. }) => Ok(()),
            Err(error) => Err(Stop::cloud(
                &format!("cannot empty the artifact bucket {bucket}"),
                &error,
            )),
            Ok(emptied) if emptied.left > 0 => Err(Stop::Failed(format!(
                "the artifact bucket {bucket} also holds {} objects or versions outside of \
                 `{ARTIFACT_PREFIX}`, which Gizmos did not put there; move or delete them, and run \
                 the same command again",
                emptied.left
            ))),
            Ok(_) => Ok(()),
        }
    }

    pub(super) async fn delete(&mut self) -> Result<(), Stop> {
        let (location, name) = (self.location, self.name);
        let cloud = self.session.cloud;
        self.started(Action::Delete);
        let failed = |error: CloudError| {
            Stop::cloud(&format!("cannot delete stack {name} in {location}"), &error)
        };
        match cloud.delete_stack(location, name).await {
            // A call without a response may have taken effect; the reads below show whether it did.
            Err(error) if !error.is_passing() => return Err(failed(error)),
            _ => {}
        }
        self.report.changed = true;
        let mut pause = Backoff::new();
        let mut lost = 0;
        let mut looks = 0;
        loop {
            cloud.pause(pause.next()).await;
            let stack = match cloud.describe_stack(location, name).await {
                Err(error) if error.is_passing() && lost < LOST_READS => {
                    lost += 1;
                    continue;
                }
                result => result.map_err(failed)?,
            };
            looks += 1;
            match stack {
                None => {
                    self.finished("DELETE_COMPLETE", true);
                    return Ok(());
                }
                Some(stack) if stack.status == "DELETE_FAILED" => {
                    self.finished(&stack.status, false);
                    return Err(self.failed(&stack).await);
                }
                Some(stack) if pause.waited >= self.session.limits.operation => {
                    return Err(self.stays_in(&stack.status));
                }
                // The call got lost, or was refused because of an operation that has ended since.
                Some(stack) if !stack.is_in_progress() && looks % STALE_READS == 0 => {
                    cloud.delete_stack(location, name).await.map_err(failed)?;
                }
                Some(_) => {}
            }
        }
    }

    pub(super) fn started(&self, action: Action) {
        self.session.progress.report(&ProgressEvent::StackStarted {
            stack: self.name.to_owned(),
            location: self.location.clone(),
            action,
        });
    }

    pub(super) fn finished(&self, status: &str, succeeded: bool) {
        self.session.progress.report(&ProgressEvent::StackFinished {
            stack: self.name.to_owned(),
            location: self.location.clone(),
            status: status.to_owned(),
            succeeded,
        });
    }

    /// Records a failure with the stack's own failure events.
    pub(super) async fn failed(&mut self, stack: &Stack) -> Stop {
        let location = self.location;
        // Without permission to read events, report the status alone.
        let events = self.session.cloud.failure_events(location, &stack.id);
        let events = events.await.unwrap_or_default();
        let reason = events
            .first()
            .map(|event| {
                format!(
                    "{} ({}): {}",
                    event.logical_id, event.resource_type, event.reason
                )
            })
            .or_else(|| stack.reason.clone())
            .unwrap_or_else(|| "no reason given".to_owned());
        let stop = Stop::Failed(format!(
            "stack {} in {location} is in {}: {reason}",
            stack.name, stack.status
        ));
        self.report.failures.push(InstanceFailure {
            location: location.clone(),
            status: stack.status.clone(),
            reason,
            events,
        });
        stop
    }
}
