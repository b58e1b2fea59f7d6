//! Stack set operations: numbering, starting, waiting, and results.

pub(crate) mod number;
mod pause;
mod report;
mod sequence;
mod task;
mod wait;

use std::fmt;
use std::time::Duration;

pub(crate) use pause::Backoff;
pub use report::{InstanceFailure, OperationReport};
pub(crate) use sequence::{Finished, Sequence};
pub(crate) use task::Task;
pub(crate) use wait::{await_others, wait};

use compiler::organization::Organization;

use crate::error::DeployError;
use crate::ports::CloudError;
use crate::progress::Progress;

/// Time limits, counted in time spent in pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For an operation that Gizmos started.
    pub operation: Duration,
    /// For an operation that another program or person started.
    pub others: Duration,
}

impl Default for Limits {
    /// Twelve hours for Gizmos' own operations, because an organization with thousands of accounts
    /// can take that long; half an hour for others.
    fn default() -> Limits {
        Limits {
            operation: Duration::from_hours(12),
            others: Duration::from_mins(30),
        }
    }
}

/// Shared by every step that calls the cloud.
pub(crate) struct Session<'a, C> {
    pub(crate) cloud: &'a C,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) limits: Limits,
    pub(crate) organization: &'a Organization,
}

/// Why a step can't continue.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It failed; a clause gives the reason.
    Failed(String),
    /// A person stopped the operation; the reason names it.
    Stopped(String),
    /// The time limit was reached; the reason says what is still running.
    TimedOut(String),
    /// The fleet changed after it was read: read and plan again.
    Replan,
    /// A list is outdated: read it again after a pause.
    Lagging,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stop::Failed(reason) | Stop::Stopped(reason) | Stop::TimedOut(reason) => reason,
            Stop::Replan => "another process changed it at the same time",
            Stop::Lagging => "CloudFormation keeps showing its previous state",
        })
    }
}

impl Stop {
    pub(crate) fn cloud(doing: &str, error: &CloudError) -> Stop {
        Stop::Failed(format!("{doing}: {error}"))
    }
}

impl From<DeployError> for Stop {
    fn from(error: DeployError) -> Stop {
        Stop::cloud(&error.doing, &error.source)
    }
}
