//! `cargo xtask ci`: the checks for every change, with their setup.
//!
//! They take less than 11 minutes on two idle cores, builds included. A check that costs more than
//! 45 s or 150 MB is a [second opinion](crate::second_opinions).

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use crate::{cycles, graph, language, product, shell, steps, third_parties};

/// Installs the tools that the checks need.
pub(crate) fn set_up() -> Result<()> {
    third_parties::CI.install()
}

/// Runs every check, cheap ones first. Tools are installed while cargo compiles.
pub(crate) fn run() -> ExitCode {
    let mut tools = Some(thread::spawn(set_up));
    let mut join_tools = || match tools.take().map(thread::JoinHandle::join) {
        Some(Ok(installed)) => installed,
        _ => Err(anyhow!("the installation thread panicked")),
    };
    steps::run(&mut [
        ("format", &mut format),
        ("crate graph", &mut graph::check),
        ("import cycles", &mut cycles::check),
        ("language", &mut language::check),
        ("clippy", &mut clippy),
        ("docs", &mut docs),
        ("tests and doctests", &mut tests),
        ("rules: check, tests, layout", &mut rules),
        ("third parties: setup", &mut join_tools),
        ("workflows: actionlint", &mut workflows),
        ("templates: cfn-lint", &mut templates),
    ])
}

fn format() -> Result<()> {
    shell::run(shell::cargo().args(["fmt", "--all", "--check"])).context(
        "`cargo fmt --all` formats the code; rustfmt missing? `rustup component add rustfmt`",
    )
}

/// Checks every workflow with actionlint, and the scripts in them with shellcheck.
fn workflows() -> Result<()> {
    let programs = third_parties::CI.programs();
    let shellcheck = programs.join("shellcheck");
    // If actionlint can't start shellcheck, it silently skips the scripts.
    shell::output(shell::program(&shellcheck).arg("--version"))?;
    let folder = shell::root().join(".github/workflows");
    let files = files_ending(&folder, ".yml")?;
    if files.is_empty() {
        bail!("there is no workflow in {}", folder.display());
    }
    shell::run(
        shell::program(programs.join("actionlint"))
            .arg("-shellcheck")
            .arg(&shellcheck)
            .args(&files),
    )?;
    println!("actionlint: {} workflows, 0 diagnostics", files.len());
    Ok(())
}

fn clippy() -> Result<()> {
    shell::run(
        shell::cargo()
            .args(["clippy", "--workspace", "--all-targets", "--locked"])
            .args(["--", "-D", "warnings"]),
    )
    .context("clippy missing? `rustup component add clippy`")
}

fn docs() -> Result<()> {
    shell::run(
        shell::cargo()
            .args(["doc", "--workspace", "--no-deps", "--locked"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

fn tests() -> Result<()> {
    // The conformance tests are ignored here, because they are second opinions.
    shell::run(shell::cargo().args(["test", "--workspace", "--locked", "--no-fail-fast"]))
}

fn rules() -> Result<()> {
    let gizmos = product::build()?;
    shell::run(shell::program(&gizmos).args(["check", "--deny-warnings"]))?;
    shell::run(shell::program(&gizmos).args(["fmt", "--check"]))?;
    shell::run(shell::program(&gizmos).args(["generate", "--mode", "check"]))
}

/// Compiles both topologies with every option on, and runs cfn-lint over the templates.
fn templates() -> Result<()> {
    let gizmos = product::build()?;
    let folder = shell::target().join("ci").join("stacksets");
    std::fs::create_dir_all(&folder)?;
    let committed = shell::root().join("stacksets").join("organization.yaml");
    let mut organization = std::fs::read_to_string(&committed)
        .with_context(|| format!("could not read {}", committed.display()))?;
    organization.push_str("drift_schedule: cron(0 6 * * ? *)\n");
    organization.push_str("artifacts: {administrators: [\"333344445555\"]}\n");
    let file = folder.join("organization.yaml");
    std::fs::write(&file, organization)
        .with_context(|| format!("could not write {}", file.display()))?;
    let mut templates = Vec::new();
    for topology in ["hub", "local"] {
        let folder = folder.join(topology);
        shell::run(
            shell::program(&gizmos)
                .args(["compile", "--topology", topology, "--organization"])
                .arg(&file)
                .arg("--out")
                .arg(&folder),
        )?;
        templates.extend(files_ending(&folder, ".template.json")?);
    }
    if templates.is_empty() {
        bail!("no template was compiled");
    }
    shell::run(
        shell::program(third_parties::CI.programs().join("cfn-lint"))
            .args(["--non-zero-exit-code", "informational"])
            .arg("--")
            .args(&templates),
    )?;
    println!("cfn-lint: {} templates, 0 diagnostics", templates.len());
    Ok(())
}

fn files_ending(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("could not read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(ending) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
