//! `cargo xtask ci`: every check of the project, with its own set-up and a summary line per step.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{circles, graph, language, product, shell, third_parties};

type Step = (&'static str, fn() -> Result<()>);

/// In this order: cheap checks first, and what later steps need before them.
const STEPS: &[Step] = &[
    ("format", format),
    ("crate graph", graph::check),
    ("import circles", circles::check),
    ("language", language::check),
    ("third parties: set-up", third_parties::set_up),
    ("dependency policy", dependency_policy),
    ("workflows: actionlint", workflows),
    ("clippy", clippy),
    ("docs", docs),
    ("tests and doctests", tests),
    ("rules: check, tests, layout", rules),
    ("templates: cfn-lint", templates),
    ("third parties: conformance", conformance),
];

/// Runs every step, even after a failed one, and prints a line for each at the end.
pub(crate) fn run() -> ExitCode {
    let mut results = Vec::new();
    for (name, step) in STEPS {
        println!("\n── {name}");
        let start = Instant::now();
        let result = step();
        if let Err(error) = &result {
            eprintln!("error: {name}: {error:#}");
        }
        results.push((*name, start.elapsed(), result));
    }
    println!("\n── summary");
    let failed = results.iter().filter(|(_, _, it)| it.is_err()).count();
    for (name, time, result) in &results {
        let word = if result.is_ok() { "ok    " } else { "FAILED" };
        println!("{word}  {name:<28} {:>7}", seconds(*time));
    }
    let total = results.iter().map(|(_, time, _)| *time).sum();
    println!("        {:<28} {:>7}", "all steps", seconds(total));
    println!("steps: {} passed, {failed} failed", results.len() - failed);
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn format() -> Result<()> {
    shell::run(shell::cargo().args(["fmt", "--all", "--check"]))
        .context("`cargo fmt --all` mends it; rustfmt missing? `rustup component add rustfmt`")
}

fn dependency_policy() -> Result<()> {
    shell::run(
        shell::program(third_parties::cargo_deny_program())
            .args(["--locked", "check", "bans", "licenses", "sources"]),
    )
}

/// Every workflow, and with shellcheck every script in one.
fn workflows() -> Result<()> {
    let programs = third_parties::python_programs();
    let shellcheck = programs.join("shellcheck");
    // actionlint leaves the scripts out, silently, if it can't start shellcheck.
    shell::output(shell::program(&shellcheck).arg("--version"))?;
    let folder = shell::root().join(".github").join("workflows");
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
    // The conformance tests are ignored here: they need the Python environment and run as a step
    // of their own.
    shell::run(shell::cargo().args(["test", "--workspace", "--locked", "--no-fail-fast"]))
}

fn rules() -> Result<()> {
    let gizmos = product::build()?;
    shell::run(shell::program(&gizmos).args(["check", "--deny-warnings"]))?;
    shell::run(shell::program(&gizmos).args(["fmt", "--check"]))?;
    shell::run(shell::program(&gizmos).args(["generate", "--mode", "check"]))
}

/// Compiles both topologies, with everything that can be switched on, and has cfn-lint read every
/// template.
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
        shell::program(third_parties::python_programs().join("cfn-lint"))
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

fn conformance() -> Result<()> {
    shell::run(
        shell::cargo()
            .args(["test", "--package", "tests", "--test", "conformance"])
            .args(["--locked", "--", "--ignored"])
            .env("GIZMOS_PYTHON", third_parties::python_programs()),
    )
}
