//! Builds the product and runs it with the arguments as they came.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::shell;

/// Builds `gizmos` and runs it in the caller's folder; its exit code is the result.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode> {
    let program = build()?;
    let status = std::process::Command::new(&program)
        .args(arguments)
        .env("GIZMOS_ROOT", shell::root())
        .status()
        .with_context(|| format!("could not start `{}`", program.display()))?;
    // A child ended by a signal has no code; shells report 128 + the signal, 130 for Ctrl-C.
    let code = status.code().unwrap_or(130);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Builds the product and returns the path of its program.
pub(crate) fn build() -> Result<PathBuf> {
    let program = shell::target()
        .join("debug")
        .join(format!("gizmos{}", std::env::consts::EXE_SUFFIX));
    let mut cargo = shell::cargo();
    cargo.args(["build", "--package", "cli", "--bin", "gizmos"]);
    if program.exists() {
        cargo.arg("--quiet");
    } else {
        eprintln!("Building gizmos; the first build takes a few minutes.");
    }
    shell::run(&mut cargo)?;
    Ok(program)
}
