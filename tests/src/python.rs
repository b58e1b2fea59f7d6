//! Third-party programs.

use std::path::PathBuf;
use std::process::Command;

use crate::{process, repository};

/// A program of the pinned Python environment for second opinions, such as `aws`.
///
/// `cargo xtask ci --second-opinions` creates the environment and names its folder in
/// `GIZMOS_PYTHON`.
pub fn python_program(name: &str) -> Command {
    let folder = std::env::var_os("GIZMOS_PYTHON").map_or_else(
        || repository().join("target/second-opinions/bin"),
        PathBuf::from,
    );
    let program = folder.join(name);
    assert!(
        program.exists(),
        "{} is missing; `cargo xtask setup --second-opinions` installs it",
        program.display()
    );
    let mut command = Command::new(program);
    process::clean(&mut command);
    command
}
