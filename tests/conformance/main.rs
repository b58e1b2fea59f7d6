//! Compares the project with third parties: the AWS CLI drives the simulator; moto and `LocalStack`
//! deploy every compiled template, and `LocalStack` delivers alerts; ministack judges event patterns;
//! checkov and parliament look for weaknesses; jsonschema validates the editor schemas.
//!
//! Where a third party differs or finds something, a file in `tests/data` gives the reason, and a
//! reason that isn't needed is an error.
//!
//! These tests need the pinned Python environment, so they are ignored unless requested, as `cargo
//! xtask ci --second-opinions` does.
#![expect(
    clippy::print_stdout,
    reason = "`cargo xtask ci --second-opinions` shows what each third party looked at"
)]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test's own setup may fail the test at once"
)]

mod aws_cli;
mod checkov;
mod localstack;
mod ministack;
mod moto;
mod parliament;
mod reasons;
mod schemas;
mod server;
mod stacks;

use std::process::Command;

use serde_json::Value;
use tests::Run;

/// A project with the tests' library.
fn project() -> tests::Project {
    tests::Project::new(env!("CARGO_BIN_EXE_gizmos-under-test"))
}

/// The committed library and organization file: what adopters start from is what third parties
/// should see.
fn committed() -> tests::Project {
    tests::Project::committed(env!("CARGO_BIN_EXE_gizmos-under-test"))
}

/// The rules of a project.
fn rules(project: &tests::Project) -> Vec<rules::Rule> {
    // Whether exceptions have expired doesn't matter here.
    let today = jiff::civil::date(2026, 11, 23);
    rules::load(&project.path("rules"), &rules::Options { today }).rules
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
    let mut command: Command = tests::python_program("second-opinions", "aws");
    command
        .args(arguments)
        .args(["--output", "json"])
        .envs(environment.iter().copied());
    Run::of(&command.output().expect("the AWS CLI starts"))
}
