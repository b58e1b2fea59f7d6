//! Compares the project with third parties: the AWS CLI drives the simulator, moto deploys every
//! compiled template, and jsonschema validates the editor schemas.
//!
//! These tests need the pinned Python environment, so they are ignored unless requested, as `cargo
//! xtask ci --second-opinions` does.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test's own setup may fail the test at once"
)]

mod aws_cli;
mod moto;
mod schemas;

use std::process::Command;

use serde_json::Value;
use tests::Run;

/// A project with the tests' library.
fn project() -> tests::Project {
    tests::Project::new(env!("CARGO_BIN_EXE_gizmos-under-test"))
}

/// Runs the AWS CLI and returns its JSON.
#[track_caller]
fn aws(environment: &[(&str, &str)], arguments: &[&str]) -> Value {
    let run = aws_run(environment, arguments).expect(0);
    if run.stdout.trim().is_empty() {
        return Value::Null;
    }
    run.json()
}

fn aws_run(environment: &[(&str, &str)], arguments: &[&str]) -> Run {
    let mut command: Command = tests::python_program("aws");
    command
        .args(arguments)
        .args(["--output", "json"])
        .envs(environment.iter().copied());
    Run::of(&command.output().expect("the AWS CLI starts"))
}
