//! How a command ended, as an exit code.

use std::process::ExitCode;

/// The exit codes of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Failed: an error, or an alert chain that doesn't work.
    Failed,
    /// There are changes (`plan --detailed-exitcode`).
    Changes,
    /// Some accounts or Regions failed, the others are deployed.
    Partial,
    /// An operation failed or was stopped.
    OperationFailed,
    /// Reality differs from the bundle.
    Drift,
    /// Blocked before anything was touched.
    Blocked,
    /// The time limit passed while an operation still runs.
    TimedOut,
    /// Wrong arguments, rules or configuration; nothing was touched.
    Configuration,
    /// Interrupted by Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number a shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Changes => 2,
            Self::Partial => 3,
            Self::OperationFailed => 4,
            Self::Drift => 5,
            Self::Blocked => 6,
            Self::TimedOut => 7,
            Self::Configuration => 64,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
