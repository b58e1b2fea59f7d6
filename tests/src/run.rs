//! The result of running a command.

use std::process::Output;

use cli::{Captured, Exit};
use serde_json::Value;

/// The result of running a command.
#[derive(Debug)]
pub struct Run {
    /// Exit code.
    pub code: i32,
    /// Standard output: results.
    pub stdout: String,
    /// Standard error: progress, diagnostics and errors.
    pub stderr: String,
}

impl Run {
    /// The result of a finished program.
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The result of a command that ran in this process.
    pub(crate) fn captured(exit: Exit, captured: &Captured) -> Self {
        Self {
            code: exit.code().into(),
            stdout: captured.output(),
            stderr: captured.errors(),
        }
    }

    /// Both streams, standard output first.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Fails the test, and shows all output, unless the exit code is `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            code,
            "wrong exit code; it printed\n{}",
            self.all()
        );
        self
    }

    /// Fails the test unless either stream contains this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.all().contains(text),
            "{text:?} is missing in\n{}",
            self.all()
        );
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON ({error}):\n{}", self.all()))
    }
}
