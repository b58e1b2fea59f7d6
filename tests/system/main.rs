//! The whole system, through the program: from rules to alerts in an inbox.

mod backtest;
mod bad_input;
mod broken_chain;
mod chain;
mod check;
mod deployment;
mod docs;
mod drift;
mod rerun;

/// A fresh copy of the project with the program under test.
fn project() -> tests::Project {
    tests::Project::new(env!("CARGO_BIN_EXE_gizmos-under-test"))
}
