//! Live news of what is being done.

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
    /// An operation of a stack set was started, or one that was running already is waited for.
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
        /// Instances done well.
        done: usize,
        /// Instances failed.
        failed: usize,
        /// Instances it is for.
        total: usize,
    },
    /// An operation came to its end.
    OperationFinished {
        /// The stack set's name.
        stack_set: String,
        /// The operation's id.
        operation: String,
        /// How it ended.
        status: OperationStatus,
        /// Instances done well.
        done: usize,
        /// Instances failed or cancelled.
        failed: usize,
    },
    /// Somebody else's operation is in the way.
    Waiting {
        /// The stack set's name.
        stack_set: String,
        /// The operation's id.
        operation: String,
        /// Whether an earlier run of ours started it.
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
    /// An ordinary stack came to the end of its operation.
    StackFinished {
        /// The stack's name.
        stack: String,
        /// Where.
        location: Location,
        /// `CREATE_COMPLETE`, …
        status: String,
        /// Whether that is what was wanted.
        succeeded: bool,
    },
    /// A check begins.
    Checking {
        /// What is looked at, in words.
        what: String,
    },
}

/// Gets told of progress. Called from whichever task the news comes from.
pub trait Progress: Sync {
    /// Something happened.
    fn report(&self, event: &ProgressEvent);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _event: &ProgressEvent) {}
}
