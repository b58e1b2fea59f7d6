//! The result of an operation.

use serde::Serialize;

use crate::ports::{Action, FailureEvent, Location, OperationStatus};

/// An operation that a run waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OperationReport {
    /// The operation's id, which the AWS console and CLI accept.
    pub id: String,
    /// Whether it created, updated or deleted instances.
    pub action: Action,
    /// The wave it belonged to, if the rollout has several.
    pub wave: Option<String>,
    /// Final status.
    pub status: OperationStatus,
    /// Instances that succeeded.
    pub succeeded: usize,
    /// Instances that failed or were canceled.
    pub failed: usize,
}

/// A location in which a stack or instance failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstanceFailure {
    /// Account and Region.
    pub location: Location,
    /// `failed` or `cancelled`.
    pub status: String,
    /// CloudFormation's reason.
    pub reason: String,
    /// The stack's own failure events, first failure first; empty if they could not be read.
    pub events: Vec<FailureEvent>,
}
