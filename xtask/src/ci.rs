//! `cargo xtask ci`: the checks for every change, with their setup.
//!
//! They take less than 11 minutes on two idle cores, builds included. A check that costs more than
//! 45 s or 150 MB is a [second opinion](crate::second_opinions).

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use crate::{cycles, graph, language, product, shell, steps, third_parties};

/// Installs the tools that the checks need.
pub(crate) fn set_up() -> Result<()> {
    third_parties::CI.install().map(drop)
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
        ("build with clippy", &mut build),
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

/// Compiles everything once, for clippy and for the tests.
fn build() -> Result<()> {
    shell::run(linting_cargo()?.args(["build", "--workspace", "--all-targets", "--locked"]))
        .context("clippy found something, or the code doesn't compile")
}

/// Runs the doctests beside the other tests: either alone leaves half a core idle.
fn tests() -> Result<()> {
    let mut doctests = test()?;
    doctests.args(["--doc", "--quiet"]);
    let doctests = thread::spawn(move || doctests.output());
    // The conformance tests are ignored here, because they are second opinions.
    let tests = shell::run(test()?.args(["--lib", "--bins", "--tests", "--examples"]));
    let doctests = doctests
        .join()
        .map_err(|_| anyhow!("the thread of the doctests panicked"))??;
    println!("{}", String::from_utf8_lossy(&doctests.stdout));
    if !doctests.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&doctests.stderr));
        bail!("the doctests ended with {}", doctests.status);
    }
    tests
}

/// `cargo test` of the workspace, with what [`build`] has compiled.
pub(crate) fn test() -> Result<Command> {
    let mut cargo = linting_cargo()?;
    cargo.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    Ok(cargo)
}

/// Cargo with clippy in place of rustc for the members of the workspace. `cargo clippy` does the
/// same, but only checks: then every dependency would be compiled twice, a minute and a half of
/// work that the AWS SDK causes for the most part. Without what only helps whoever edits and debugs, a
/// fifth less is compiled.
fn linting_cargo() -> Result<Command> {
    let driver = shell::sibling_of_cargo("clippy-driver");
    shell::output(Command::new(&driver).arg("--version"))
        .context("clippy missing? `rustup component add clippy`")?;
    let mut cargo = shell::cargo();
    cargo
        .env("RUSTC_WORKSPACE_WRAPPER", driver)
        .env("CLIPPY_ARGS", "-Dwarnings__CLIPPY_HACKERY__")
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    Ok(cargo)
}

fn product() -> Result<PathBuf> {
    product::build_with(linting_cargo()?)
}

fn rules() -> Result<()> {
    let gizmos = product()?;
    shell::run(shell::program(&gizmos).args(["check", "--deny-warnings"]))?;
    shell::run(shell::program(&gizmos).args(["fmt", "--check"]))?;
    shell::run(shell::program(&gizmos).args(["generate", "--mode", "check"]))
}

/// Compiles both topologies with every option on, and runs cfn-lint over the templates.
fn templates() -> Result<()> {
    let gizmos = product()?;
    let folder = shell::target().join("ci").join("stacksets");
    std::fs::create_dir_all(&folder)?;
    let committed = shell::root().join("stacksets").join("organization.yaml");
    let mut organization = std::fs::read_to_string(&committed)
        .with_context(|| format!("could not read {}", committed.display()))?;
    organization.push_str("drift_schedule: cron(0 6 * * ? *)\n");
    organization.push_str("artifacts: {administrators: [\"333344445555\"]}\n");
    // The templates are the same for any Regions.
    let regions: &[&str] = if organization.contains("\nregions: enabled") {
        &["--regions", "eu-central-1,us-east-1"]
    } else {
        &[]
    };
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
                .args(regions)
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
