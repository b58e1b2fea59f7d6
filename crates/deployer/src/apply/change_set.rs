//! Deploys one stack of the management account through a change set.

use std::time::Duration;

use compiler::StackSet;

use super::LAG;
use super::report::PartReport;
use super::stack::{LOST_READS, STALE_READS, StackRun};
use crate::fingerprint::fingerprint;
use crate::fleet::{ObservedStack, owner};
use crate::operation::{Backoff, Session, Stop};
use crate::plan::{Change, plan_stack};
use crate::ports::{
    Action, ChangeSet, ChangeSetKind, ChangeSetRequest, ChangeSetStatus, Cloud, CloudError,
    Location, Stack,
};

/// Attempts to plan again after the stack changed in the meantime.
const REPLANS: u32 = 4;

/// Pause after a call that failed or got no response.
const RETRY: Duration = Duration::from_secs(5);

/// Creates or updates the stack until it matches the bundle.
pub(super) async fn deploy<C: Cloud>(
    session: &Session<'_, C>,
    set: &StackSet,
    location: &Location,
) -> PartReport {
    let mut deployment = Deployment {
        stack: StackRun::new(session, location, &set.name),
        set,
    };
    let mut tries = 0;
    let result = loop {
        match deployment.round().await {
            Err(Stop::Replan) if tries < REPLANS => {
                tries += 1;
                session.cloud.pause(LAG).await;
            }
            result => break result,
        }
    };
    let mut report = deployment.stack.report;
    report.conclude(result);
    report
}

struct Deployment<'a, C> {
    stack: StackRun<'a, C>,
    set: &'a StackSet,
}

impl<C: Cloud> Deployment<'_, C> {
    async fn round(&mut self) -> Result<(), Stop> {
        let existing = self.stack.settled().await?;
        let kind = match self.change(existing.as_ref()) {
            Change::Unchanged | Change::Delete => return Ok(()),
            Change::Blocked { reason } => return Err(Stop::Failed(reason)),
            Change::Create => ChangeSetKind::Create,
            Change::Update { .. } => ChangeSetKind::Update,
            Change::Replace { .. } => {
                if let Some(found) = &existing {
                    self.stack.empty_bucket(&found.stack).await?;
                }
                self.stack.delete().await?;
                return self.execute(ChangeSetKind::Create, None).await;
            }
        };
        self.execute(kind, existing.map(|found| found.stack.status))
            .await
    }

    fn change(&self, existing: Option<&ObservedStack>) -> Change {
        let organization = self.stack.session.organization;
        let existing = existing.map(|it| (it, owner(organization, &self.set.name, &it.stack.tags)));
        plan_stack(self.set, self.stack.location.clone(), existing).change
    }

    /// Creates a change set, executes it, and waits for the end.
    async fn execute(&mut self, kind: ChangeSetKind, before: Option<String>) -> Result<(), Stop> {
        self.stack.started(match kind {
            ChangeSetKind::Create => Action::Create,
            ChangeSetKind::Update => Action::Update,
        });
        let set = self.set;
        let mut request = ChangeSetRequest {
            stack: set.name.clone(),
            name: String::new(),
            kind,
            template: set.template.clone(),
            parameters: set.parameters.clone(),
            tags: set.tags.clone(),
            capabilities: set.capabilities.clone(),
            description: set.description.clone(),
        };
        request.name = format!("gizmos-{}", fingerprint(&request));
        if !self.prepare(&request).await? {
            return Ok(());
        }
        self.start(&request.name).await?;
        self.stack.report.changed = true;
        let stack = self.ended(before.as_deref()).await?;
        let succeeded = matches!(stack.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE");
        self.stack.finished(&stack.status, succeeded);
        if succeeded {
            return Ok(());
        }
        Err(self.stack.failed(&stack).await)
    }

    fn cannot_prepare(&self, error: &CloudError) -> Stop {
        let stack = self.stack.name;
        Stop::cloud(
            &format!("cannot prepare the change of stack {stack}"),
            error,
        )
    }

    /// Waits until the change set is computed; `false` if there is nothing to change.
    async fn prepare(&self, request: &ChangeSetRequest) -> Result<bool, Stop> {
        let (location, stack) = (self.stack.location, self.stack.name);
        let cloud = self.stack.session.cloud;
        let mut fresh = false;
        match cloud.create_change_set(location, request).await {
            Ok(()) => fresh = true,
            // An earlier run created it and was interrupted before executing it.
            Err(CloudError::AlreadyExists { .. }) => {}
            Err(error) if error.is_passing() => {
                cloud.pause(RETRY).await;
                return Err(Stop::Replan);
            }
            Err(CloudError::OperationInProgress { .. }) => return Err(Stop::Replan),
            Err(error) => return Err(self.cannot_prepare(&error)),
        }
        loop {
            let computed = self.computed(&request.name).await?;
            if computed.status == ChangeSetStatus::Ready {
                return Ok(true);
            }
            cloud
                .delete_change_set(location, stack, &request.name)
                .await
                .map_err(|error| self.cannot_prepare(&error))?;
            if computed.status == ChangeSetStatus::Empty {
                return Ok(false);
            }
            if fresh {
                return Err(Stop::Failed(format!(
                    "CloudFormation rejects the change of stack {stack}: {}",
                    computed.reason.as_deref().unwrap_or("no reason given")
                )));
            }
            // The failed change set was an earlier run's and its reason may be outdated: compute it
            // again.
            cloud
                .create_change_set(location, request)
                .await
                .map_err(|error| self.cannot_prepare(&error))?;
            fresh = true;
        }
    }

    /// Waits until a change set is computed.
    async fn computed(&self, name: &str) -> Result<ChangeSet, Stop> {
        let (location, stack) = (self.stack.location, self.stack.name);
        let Session { cloud, limits, .. } = self.stack.session;
        let mut pause = Backoff::new();
        let mut lost = 0;
        loop {
            match cloud.describe_change_set(location, stack, name).await {
                Ok(Some(found)) if found.status != ChangeSetStatus::Pending => return Ok(found),
                Err(error) if error.is_passing() && lost < LOST_READS => lost += 1,
                Err(error) => return Err(self.cannot_prepare(&error)),
                Ok(_) => {}
            }
            if pause.waited >= limits.others {
                return Err(Stop::TimedOut(format!(
                    "change set {name} of stack {stack} is still being computed"
                )));
            }
            cloud.pause(pause.next()).await;
        }
    }

    /// Executes a change set. If the call fails without saying whether it took effect, the stack's
    /// status tells.
    async fn start(&self, change_set: &str) -> Result<(), Stop> {
        let (location, stack) = (self.stack.location, self.stack.name);
        let cloud = self.stack.session.cloud;
        let executed = cloud.execute_change_set(location, stack, change_set);
        match executed.await {
            Ok(()) => return Ok(()),
            Err(
                CloudError::Invalid { .. }
                | CloudError::NotFound { .. }
                | CloudError::OperationInProgress { .. }
                | CloudError::Unavailable { .. }
                | CloudError::Throttled,
            ) => {}
            Err(error) => {
                let doing = format!("cannot change stack {stack}");
                return Err(Stop::cloud(&doing, &error));
            }
        }
        cloud.pause(RETRY).await;
        let Some(found) = self.stack.look().await? else {
            return Err(Stop::Replan);
        };
        if found.stack.is_in_progress() || self.change(Some(&found)) == Change::Unchanged {
            return Ok(());
        }
        // It was computed against a state that is gone. A leftover change set does no harm.
        let deleted = cloud.delete_change_set(location, stack, change_set);
        drop(deleted.await);
        Err(Stop::Replan)
    }

    /// Waits until the stack leaves its `_IN_PROGRESS` status.
    async fn ended(&self, before: Option<&str>) -> Result<Stack, Stop> {
        let Session { cloud, limits, .. } = self.stack.session;
        let mut pause = Backoff::new();
        for looked in 0_u32.. {
            cloud.pause(pause.next()).await;
            let found = self.stack.look().await?;
            if let Some(found) = found
                && !found.stack.is_in_progress()
                && found.stack.status != "REVIEW_IN_PROGRESS"
            {
                let old = before == Some(found.stack.status.as_str())
                    && self.change(Some(&found)) != Change::Unchanged;
                if !old || looked >= STALE_READS {
                    return Ok(found.stack);
                }
            }
            if pause.waited >= limits.operation {
                break;
            }
        }
        Err(Stop::TimedOut(format!(
            "stack {} in {} is still being changed; run the same command again to continue",
            self.stack.name, self.stack.location
        )))
    }
}
