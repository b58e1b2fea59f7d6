//! Third-party programs that keep the project honest, in pinned versions under `target/`.
//!
//! Python: moto, the AWS CLI, boto3, cfn-lint, actionlint and shellcheck, in a virtual environment
//! of exactly the packages in `tests/requirements.txt`. Cargo: cargo-deny for the dependency policy.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

const CARGO_DENY: &str = "0.20.2";

/// Creates or refreshes everything; a second call on unchanged pins does nothing.
pub(crate) fn set_up() -> Result<()> {
    python()?;
    cargo_deny()?;
    Ok(())
}

/// The folder of the Python environment's programs.
pub(crate) fn python_programs() -> PathBuf {
    shell::target().join("python").join("bin")
}

/// The cargo-deny program of the pinned version.
pub(crate) fn cargo_deny_program() -> PathBuf {
    shell::target().join("tools").join("bin").join("cargo-deny")
}

/// Creates the Python environment unless the one there was made from the same requirements.
pub(crate) fn python() -> Result<()> {
    let requirements = shell::root().join("tests").join("requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .with_context(|| format!("could not read {}", requirements.display()))?;
    let folder = shell::target().join("python");
    // Written last, so that an interrupted installation is done again.
    let stamp = folder.join("installed-requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("could not remove {}", folder.display()))?;
    }
    let interpreter = interpreter()?;
    shell::run(
        shell::program(interpreter)
            .args(["-m", "venv"])
            .arg(&folder),
    )
    .context(
        "could not create a Python virtual environment; on Debian or Ubuntu: apt-get install python3-venv",
    )?;
    shell::run(
        shell::program(python_programs().join("python"))
            .args(["-m", "pip", "install", "--quiet", "--no-deps"])
            .args(["--disable-pip-version-check", "--requirement"])
            .arg(&requirements),
    )
    .context("could not install the Python packages; `pip` needs access to its package index")?;
    fs::write(&stamp, wanted).with_context(|| format!("could not write {}", stamp.display()))?;
    Ok(())
}

fn interpreter() -> Result<&'static str> {
    for name in ["python3", "python"] {
        let found = Command::new(name)
            .args([
                "-c",
                "import sys; sys.exit(0 if sys.version_info >= (3, 10) else 1)",
            ])
            .status();
        if found.is_ok_and(|status| status.success()) {
            return Ok(name);
        }
    }
    bail!(
        "Python 3.10 or newer is needed for moto, the AWS CLI and cfn-lint, and was not found.\n\
         Install it, for example: apt-get install python3 python3-venv, or brew install python"
    )
}

/// Installs cargo-deny unless the pinned version is there.
pub(crate) fn cargo_deny() -> Result<()> {
    let installed = shell::output(shell::program(cargo_deny_program()).arg("--version"));
    if installed.is_ok_and(|version| version.trim() == format!("cargo-deny {CARGO_DENY}")) {
        return Ok(());
    }
    shell::run(
        shell::cargo()
            .args(["install", "cargo-deny", "--locked", "--quiet", "--version"])
            .arg(CARGO_DENY)
            // Unoptimized: it builds in half the time and runs for a second.
            .arg("--debug")
            .arg("--root")
            .arg(shell::target().join("tools")),
    )
    .context("could not install cargo-deny; `cargo install` needs access to its registry")
}
