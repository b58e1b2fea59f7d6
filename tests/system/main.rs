//! Tests of the whole system, from rules to alerts in an inbox.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test's own setup may fail the test at once"
)]

mod artifacts;
mod authoring;
mod backtest;
mod bad_input;
mod broken_chain;
mod chain;
mod check;
mod complaints;
mod deployment;
mod docs;
mod drift;
mod drift_schedule;
mod drift_truth;
mod existing_trail;
mod exit_codes;
mod findings;
mod fleet;
mod format;
mod hostile;
mod hub_tampering;
mod in_process;
mod membership;
mod new_rule;
mod permissions;
mod policies;
mod preflight;
mod probe;
mod proof;
mod regions;
mod remedies;
mod rerun;
mod rule_edits;
mod self_protection;
mod session_policies;
mod sigma;
mod single_fault;
mod upgrade;
mod workflow_rules;
mod workflows;

/// A project with the tests' library.
fn project() -> tests::Project {
    tests::Project::new(env!("CARGO_BIN_EXE_gizmos-under-test"))
}

/// A copy of the committed library and organization file, only for the test of the first command.
fn committed_project() -> tests::Project {
    tests::Project::committed(env!("CARGO_BIN_EXE_gizmos-under-test"))
}
