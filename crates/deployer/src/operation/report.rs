//! What an operation did.

use serde::Serialize;

use crate::ports::{Action, FailureEvent, Location, OperationStatus};

/// An operation that a run waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OperationReport {
    /// Its id.
    pub id: String,
    /// What it did.
    pub action: Action,
    /// The wave it belonged to, if there are several.
    pub wave: Option<String>,
    /// How it ended.
    pub status: OperationStatus,
    /// Instances that succeeded.
    pub succeeded: usize,
    /// Instances that failed or were canceled.
    pub failed: usize,
}

/// A location where something failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstanceFailure {
    /// Where.
    pub location: Location,
    /// `failed` or `cancelled`.
    pub status: String,
    /// CloudFormation's reason.
    pub reason: String,
    /// The stack's own failure events, first failure first; empty if they could not be read.
    pub events: Vec<FailureEvent>,
}
