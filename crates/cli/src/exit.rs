//! Exit codes.

use std::process::ExitCode;

/// The exit codes of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Success, or nothing to do.
    Done,
    /// An error, or an alert chain that doesn't work.
    Failed,
    /// There are changes (`plan --detailed-exitcode`).
    Changes,
    /// Some accounts or Regions failed; the others are deployed.
    Partial,
    /// An operation failed or was stopped.
    OperationFailed,
    /// The organization differs from the bundle.
    Drift,
    /// Blocked before anything was changed.
    Blocked,
    /// The time limit was reached while an operation was still running.
    TimedOut,
    /// Wrong arguments, rules or configuration; nothing was changed.
    Configuration,
    /// Interrupted by Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The process's exit code.
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
