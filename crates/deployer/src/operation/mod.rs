//! Operations of stack sets: their numbers, their start, the wait for their end, their results.

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

use crate::error::DeployError;
use crate::ports::CloudError;
use crate::progress::Progress;

/// How long a run waits, counted in pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the end of an operation that Gizmos started.
    pub operation: Duration,
    /// For the end of anybody else's operation.
    pub others: Duration,
}

impl Default for Limits {
    /// Twelve hours, because an organization of thousands of accounts takes that long; half an hour
    /// for others.
    fn default() -> Limits {
        Limits {
            operation: Duration::from_hours(12),
            others: Duration::from_mins(30),
        }
    }
}

/// What every step of a run needs to work with the cloud.
pub(crate) struct Session<'a, C> {
    pub(crate) cloud: &'a C,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) limits: Limits,
}

/// Why a step can't continue.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It failed, for this reason.
    Failed(String),
    /// Somebody stopped the operation; the reason says which.
    Stopped(String),
    /// It still runs; the reason says what.
    TimedOut(String),
    /// The fleet has changed: look again.
    Replan,
    /// A list shows the fleet as it was: look again a little later.
    Lagging,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stop::Failed(reason) | Stop::Stopped(reason) | Stop::TimedOut(reason) => reason,
            Stop::Replan => "somebody else changed it at the same time",
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
