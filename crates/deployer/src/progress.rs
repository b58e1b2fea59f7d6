//! Live progress of a command.

use serde::Serialize;

use crate::ports::{Action, Location, OperationStatus};

/// Something that happened while a command runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum ProgressEvent {
    /// A stack set was created, still without instances.
    StackSetCreated {
        /// Its name.
        stack_set: String,
    },
    /// A stack set was removed.
    StackSetDeleted {
        /// Its name.
        stack_set: String,
    },
    /// An operation of a stack set was started, or the run waits for one that was running already.
    OperationStarted {
        /// The stack set's name.
        stack_set: String,
        /// The operation's id.
        operation: String,
        /// What it does.
        action: Action,
        /// The wave it belongs to, if there are several.
        wave: Option<String>,
        /// Instances it is for.
        total: usize,
    },
    /// Some instances of an operation are done.
    Instances {
        /// The stack set's name.
        stack_set: String,
        /// The operation's id.
        operation: String,
        /// Instances that succeeded.
        done: usize,
        /// Instances that failed.
        failed: usize,
        /// Instances it is for.
        total: usize,
    },
    /// An operation ended.
    OperationFinished {
        /// The stack set's name.
        stack_set: String,
        /// The operation's id.
        operation: String,
        /// How it ended.
        status: OperationStatus,
        /// Instances that succeeded.
        done: usize,
        /// Instances that failed or were canceled.
        failed: usize,
    },
    /// The run waits for an operation that is in the way.
    Waiting {
        /// The stack set's name.
        stack_set: String,
        /// The operation's id.
        operation: String,
        /// Whether an earlier run of Gizmos started it.
        ours: bool,
    },
    /// A wave is deployed and the next one waits.
    Soaking {
        /// The stack set's name.
        stack_set: String,
        /// The wave that was deployed.
        wave: String,
        /// How long the next one waits.
        minutes: u32,
    },
    /// An ordinary stack is being worked on.
    StackStarted {
        /// The stack's name.
        stack: String,
        /// Where.
        location: Location,
        /// What is done.
        action: Action,
    },
    /// Work on an ordinary stack ended.
    StackFinished {
        /// The stack's name.
        stack: String,
        /// Where.
        location: Location,
        /// `CREATE_COMPLETE`, …
        status: String,
        /// Whether the operation succeeded.
        succeeded: bool,
    },
    /// A check begins.
    Checking {
        /// What is checked, in words.
        what: String,
    },
}

/// Receives progress, from any task.
pub trait Progress: Sync {
    /// Something happened.
    fn report(&self, event: &ProgressEvent);
}

/// Ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _event: &ProgressEvent) {}
}
