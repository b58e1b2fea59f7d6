//! `cargo xtask ci --second-opinions`: slower checks, most by third parties, with their setup. They
//! take less than 20 minutes on two idle cores.

use std::process::ExitCode;

use anyhow::Result;

use crate::{ci, shell, steps, third_parties};

/// Installs the tools that these checks need.
pub(crate) fn set_up() -> Result<()> {
    third_parties::install_second_opinions()?;
    third_parties::install_cargo_deny()
}

pub(crate) fn run() -> ExitCode {
    steps::run(&mut [
        ("third parties: setup", &mut set_up),
        ("dependency policy", &mut dependency_policy),
        ("docs", &mut docs),
        ("third parties: conformance", &mut conformance),
        ("single faults", &mut single_faults),
    ])
}

fn dependency_policy() -> Result<()> {
    shell::run(
        shell::program(third_parties::cargo_deny_program())
            .args(["--locked", "check", "bans", "licenses", "sources"]),
    )
}

/// Checks the links of the documentation; its examples run in `cargo xtask ci`.
fn docs() -> Result<()> {
    shell::run(
        shell::cargo()
            .args(["doc", "--workspace", "--no-deps", "--locked"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

/// Runs the AWS CLI, moto, `LocalStack`, ministack, checkov, parliament and jsonschema. Each prints a
/// line about what it has looked at.
fn conformance() -> Result<()> {
    shell::run(
        ci::test()?
            .args(["--test", "conformance", "--", "--ignored", "--show-output"])
            .env("GIZMOS_THIRD_PARTIES", shell::target()),
    )
}

/// Plants every single fault in a deployed chain; `cargo xtask ci` plants some of them.
fn single_faults() -> Result<()> {
    const TEST: &str = "single_fault::every_single_fault_is_noticed";
    let arguments = [
        "--test",
        "system",
        "--",
        "--ignored",
        "--show-output",
        "--exact",
        TEST,
    ];
    shell::run(ci::test()?.args(arguments))
}
