//! Third-party programs.

use std::path::PathBuf;
use std::process::Command;

use crate::{process, repository};

/// A program of a pinned Python environment for second opinions, such as `aws` of
/// `second-opinions`.
///
/// `cargo xtask ci --second-opinions` creates the environments and names the folder with all of
/// them in `GIZMOS_THIRD_PARTIES`.
pub fn python_program(environment: &str, name: &str) -> Command {
    let folder = std::env::var_os("GIZMOS_THIRD_PARTIES")
        .map_or_else(|| repository().join("target"), PathBuf::from);
    let program = folder.join(environment).join("bin").join(name);
    assert!(
        program.exists(),
        "{} is missing; `cargo xtask setup --second-opinions` installs it",
        program.display()
    );
    let mut command = Command::new(program);
    process::clean(&mut command);
    command
}
