//! The events that StackSets send to the administrator's default bus.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/event-detail-stackset-operation-status-change.html>

use serde_json::{Value, json};

use super::{Location, StackSet};
use crate::Stage;
use crate::services::Task;
use crate::services::organizations::MANAGEMENT;

/// Whether any rule could match the events. Sending a hundred thousand that none matches is slow.
fn is_heard(stage: &Stage<'_>, region: &str) -> bool {
    stage
        .services
        .events
        .bus(MANAGEMENT, region, "default")
        .is_some_and(|bus| !bus.rules.is_empty())
}

/// Sends the event for a created or deleted stack set.
pub(super) fn stack_set(stage: &mut Stage<'_>, id: &str) {
    send(stage, id, "CloudFormation StackSet Status Change", |set| {
        Some(json!({
            "stack-set-arn": set.arn(),
            "status-details": {"status": set.status()},
        }))
    });
}

/// Sends the event for an operation's new status.
pub(super) fn operation(stage: &mut Stage<'_>, id: &str, operation: &str) {
    let kind = "CloudFormation StackSet Operation Status Change";
    send(stage, id, kind, |set| {
        let operation = set.operations.get(operation)?;
        Some(json!({
            "stack-set-arn": set.arn(),
            "stack-set-operation-id": &*operation.id,
            "status-details": {"status": operation.status},
        }))
    });
}

/// Sends the event for a stack instance's new status; a deleted instance has none.
pub(super) fn instance(stage: &mut Stage<'_>, id: &str, location: &Location, action: &str) {
    let kind = "CloudFormation StackSet StackInstance Status Change";
    send(stage, id, kind, |set| {
        let instance = set.instances.get(location)?;
        Some(json!({
            "stack-set-arn": set.arn(),
            "stack-id": instance.stack.as_deref().unwrap_or_default(),
            "action": action,
            "status-details": {
                "status": instance.status,
                "status-reason": instance.reason.as_deref().unwrap_or_default(),
                "detailed-status": instance.detailed,
            },
        }))
    });
}

fn send(stage: &mut Stage<'_>, id: &str, kind: &str, detail: impl Fn(&StackSet) -> Option<Value>) {
    let Some(set) = stage.set(id) else {
        return;
    };
    if !is_heard(stage, &set.region) {
        return;
    }
    let Some(detail) = detail(set) else {
        return;
    };
    let region = set.region.clone();
    let event = json!({
        "source": "aws.cloudformation",
        "detail-type": kind,
        "resources": [set.arn()],
        "detail": detail,
    });
    let task = Task::Emit {
        account: MANAGEMENT.to_owned(),
        region,
        event: event.to_string(),
    };
    stage.services.environment.schedule(1, task);
}
