//! Locates the workspace and runs programs in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

static ROOT: OnceLock<PathBuf> = OnceLock::new();

/// Finds the workspace of the current folder. That may not be the one in which this program was
/// built, because checkouts with a shared build folder also share the program.
pub(crate) fn find_root() -> Result<()> {
    let current = std::env::current_dir().context("the current folder is gone")?;
    let root = workspace(&current).with_context(|| {
        format!(
            "there is no workspace in {} or above it; run this inside the repository",
            current.display()
        )
    })?;
    ROOT.get_or_init(|| root.to_path_buf());
    Ok(())
}

/// The nearest folder, upward from `folder`, whose `Cargo.toml` defines a workspace.
fn workspace(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| {
        fs::read_to_string(folder.join("Cargo.toml"))
            .is_ok_and(|manifest| manifest.lines().any(|line| line.trim() == "[workspace]"))
    })
}

/// Root of the workspace, in whichever folder `cargo xtask` was started.
pub(crate) fn root() -> &'static Path {
    ROOT.get().map_or(Path::new("."), PathBuf::as_path)
}

/// The build folder: `CARGO_TARGET_DIR`, interpreted like cargo does, or `target/`.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// The cargo that runs this program, so that both use the same toolchain.
pub(crate) fn cargo() -> Command {
    program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A program of cargo's toolchain, such as `clippy-driver`.
pub(crate) fn sibling_of_cargo(name: &str) -> PathBuf {
    let cargo = PathBuf::from(std::env::var_os("CARGO").unwrap_or_default());
    cargo.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// A program that will run in the workspace's root.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    command
}

/// Runs a program. A non-zero exit becomes an error that names the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("could not start `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", line(command));
    }
    Ok(())
}

/// Runs a program and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("could not start `{}`", line(command)))?;
    if !output.status.success() {
        bail!(
            "`{}` ended with {}\n{}",
            line(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn line(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_the_one_around_the_current_folder() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        // A member's manifest doesn't define a workspace.
        assert_eq!(workspace(&here.join("src")), here.parent());
        assert_eq!(workspace(Path::new("/")), None);
    }
}
