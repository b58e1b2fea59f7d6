//! Builds the product and runs it with unchanged arguments.
//!
//! Programs are selected by `--bin` alone: with `--package`, cargo would choose the features of
//! shared dependencies for that package only, and build the AWS SDKs again for `ci`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::shell;

/// Builds `gizmos`, runs it in the caller's folder, and returns its exit code.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode> {
    pass_on(&build()?, arguments)
}

/// Builds the benchmark with optimizations and runs it in the caller's folder.
pub(crate) fn bench(arguments: &[OsString]) -> Result<ExitCode> {
    let mut cargo = shell::cargo();
    cargo.args(["build", "--release", "--quiet"]);
    shell::run(cargo.args(["--bin", "gizmos-bench"]))?;
    pass_on(&program("release", "gizmos-bench"), arguments)
}

/// Builds the simulation campaign and runs it in the caller's folder.
pub(crate) fn campaign(arguments: &[OsString]) -> Result<ExitCode> {
    let mut cargo = shell::cargo();
    cargo.args(["build", "--quiet"]);
    shell::run(cargo.args(["--bin", "gizmos-campaign"]))?;
    pass_on(&program("debug", "gizmos-campaign"), arguments)
}

fn pass_on(program: &Path, arguments: &[OsString]) -> Result<ExitCode> {
    let status = Command::new(program)
        .args(arguments)
        .env("GIZMOS_ROOT", shell::root())
        .env("GIZMOS_COMMAND", "cargo xtask")
        .status()
        .with_context(|| format!("could not start `{}`", program.display()))?;
    // A child killed by a signal has no exit code. Shells report 128 plus the signal, so 130 for
    // Ctrl-C.
    let code = status.code().unwrap_or(130);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

fn program(profile: &str, name: &str) -> PathBuf {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    shell::target().join(profile).join(file)
}

/// Builds the product and returns the path of its program.
pub(crate) fn build() -> Result<PathBuf> {
    build_with(shell::cargo())
}

/// [`build`] with a prepared cargo.
pub(crate) fn build_with(mut cargo: Command) -> Result<PathBuf> {
    let program = program("debug", "gizmos");
    cargo.args(["build", "--bin", "gizmos"]);
    if program.exists() {
        cargo.arg("--quiet");
    } else {
        eprintln!("Building gizmos; the first build takes a few minutes.");
    }
    shell::run(&mut cargo)?;
    Ok(program)
}
