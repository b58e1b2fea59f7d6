//! Live progress of a command.

use serde::Serialize;

use crate::ports::{Action, Location, OperationStatus};

/// An event in the progress of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum ProgressEvent {
    /// A stack set was created and has no instances yet.
    StackSetCreated {
        /// Name of the stack set.
        stack_set: String,
    },
    /// A stack set was deleted.
    StackSetDeleted {
        /// Name of the stack set.
        stack_set: String,
    },
    /// A stack set operation started, or the run waits for one that was already running.
    OperationStarted {
        /// Name of the stack set.
        stack_set: String,
        /// Id of the operation.
        operation: String,
        /// Whether it creates, updates, deletes or detects drift.
        action: Action,
        /// The wave it belongs to, if there are several.
        wave: Option<String>,
        /// Number of instances it works on.
        total: usize,
    },
    /// More instances of an operation are done.
    Instances {
        /// Name of the stack set.
        stack_set: String,
        /// Id of the operation.
        operation: String,
        /// Instances that succeeded so far.
        done: usize,
        /// Instances that failed so far.
        failed: usize,
        /// Number of instances it works on.
        total: usize,
    },
    /// An operation ended.
    OperationFinished {
        /// Name of the stack set.
        stack_set: String,
        /// Id of the operation.
        operation: String,
        /// Final status.
        status: OperationStatus,
        /// Instances that succeeded.
        done: usize,
        /// Instances that failed or were canceled.
        failed: usize,
    },
    /// The run waits until another operation ends.
    Waiting {
        /// Name of the stack set.
        stack_set: String,
        /// Id of the other operation.
        operation: String,
        /// Whether an earlier Gizmos run started it.
        ours: bool,
    },
    /// A wave is deployed, and its soaking time begins.
    Soaking {
        /// Name of the stack set.
        stack_set: String,
        /// Name of the deployed wave.
        wave: String,
        /// Minutes until the next wave starts.
        minutes: u32,
    },
    /// Work on an ordinary stack started.
    StackStarted {
        /// Name of the stack.
        stack: String,
        /// Account and Region of the stack.
        location: Location,
        /// Whether it is created, updated or deleted.
        action: Action,
    },
    /// Work on an ordinary stack ended.
    StackFinished {
        /// Name of the stack.
        stack: String,
        /// Account and Region of the stack.
        location: Location,
        /// Final status, such as `CREATE_COMPLETE`.
        status: String,
        /// Whether the change succeeded.
        succeeded: bool,
    },
    /// A check starts.
    Checking {
        /// The subject in words, such as `the alert chain's health`.
        what: String,
    },
}

/// Receives progress events, possibly from several tasks at once.
pub trait Progress: Sync {
    /// Called for each event. Must return quickly, because it blocks the run.
    fn report(&self, event: &ProgressEvent);
}

/// Discards all events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _event: &ProgressEvent) {}
}
