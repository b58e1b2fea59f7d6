//! A stack set's definition: requests that create it, update it, and switch automatic deployment.

use compiler::StackSet;

use super::Run;
use super::report::PartReport;
use crate::fingerprint::fingerprint;
use crate::fleet::ObservedStackSet;
use crate::operation::{Sequence, Stop, Task};
use crate::ports::{
    AutoDeployment, Cloud, CloudError, DeploymentTargets, InstanceRequest, NewStackSet,
    Preferences, StackSetDetails, StackSetUpdate,
};
use crate::progress::ProgressEvent;
use crate::rollout;

/// Creates a stack set without instances.
pub(super) async fn create<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    report: &mut PartReport,
) -> Result<(), Stop> {
    let mut new = NewStackSet {
        name: set.name.clone(),
        description: set.description.clone(),
        template: set.template.clone(),
        parameters: set.parameters.clone(),
        tags: set.tags.clone(),
        capabilities: set.capabilities.clone(),
        auto_deployment: auto_deployment(set),
        token: String::new(),
    };
    new.token = format!("gizmos-{}", fingerprint(&new));
    let session = &run.session;
    match session.cloud.create_stack_set(&new).await {
        Ok(()) => {
            report.changed = true;
            session.progress.report(&ProgressEvent::StackSetCreated {
                stack_set: set.name.clone(),
            });
            Ok(())
        }
        Err(CloudError::AlreadyExists { .. } | CloudError::Stale { .. }) => Err(Stop::Replan),
        // The call may have taken effect; the next round reads the stack set again.
        Err(CloudError::Unavailable { .. } | CloudError::Throttled) => {
            session.cloud.pause(super::LAG).await;
            Err(Stop::Replan)
        }
        Err(error) => Err(Stop::cloud(&format!("cannot create {}", set.name), &error)),
    }
}

fn auto_deployment(set: &StackSet) -> AutoDeployment {
    AutoDeployment {
        enabled: set.auto_deployment,
        // Keeping a spoke's stack has no use once the account has left.
        retain_stacks: false,
    }
}

/// Switches automatic deployment in a separate call, because the API rejects it together with
/// deployment targets. Everything else keeps its present value.
pub(super) async fn switch_auto_deployment<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    existing: &ObservedStackSet,
    sequence: &mut Sequence,
    report: &mut PartReport,
) -> Result<(), Stop> {
    let update = StackSetUpdate {
        template: None,
        auto_deployment: Some(auto_deployment(set)),
        ..previous(&existing.details, None, Vec::new())
    };
    let total = existing.instances.len();
    let task = Task::Update(Box::new(update));
    let finished = sequence.perform(&run.session, task, None, total).await?;
    if report.take(finished)? {
        Ok(())
    } else {
        Err(Stop::Failed(format!(
            "the auto-deployment of {} could not be switched everywhere",
            set.name
        )))
    }
}

/// An update back to the definition the stack set had before this run.
pub(super) fn previous(
    details: &StackSetDetails,
    targets: Option<DeploymentTargets>,
    regions: Vec<String>,
) -> StackSetUpdate {
    StackSetUpdate {
        name: details.name.clone(),
        description: details.description.clone(),
        template: Some(details.template.clone()),
        parameters: details.parameters.clone(),
        tags: details.tags.clone(),
        capabilities: details.capabilities.clone(),
        auto_deployment: None,
        targets,
        regions,
        preferences: rollout::main(),
        operation_id: String::new(),
    }
}

/// An update to the bundle's definition.
pub(super) fn update(
    set: &StackSet,
    targets: Option<DeploymentTargets>,
    regions: Vec<String>,
    preferences: Preferences,
) -> StackSetUpdate {
    StackSetUpdate {
        name: set.name.clone(),
        description: set.description.clone(),
        template: Some(set.template.clone()),
        parameters: set.parameters.clone(),
        tags: set.tags.clone(),
        capabilities: set.capabilities.clone(),
        auto_deployment: None,
        targets,
        regions,
        preferences,
        operation_id: String::new(),
    }
}

/// A request for instances that doesn't change the stack set's definition.
pub(super) fn request(
    stack_set: &str,
    targets: DeploymentTargets,
    regions: Vec<String>,
    preferences: Preferences,
) -> InstanceRequest {
    InstanceRequest {
        stack_set: stack_set.to_owned(),
        targets,
        regions,
        preferences,
        operation_id: String::new(),
        retain_stacks: false,
    }
}
