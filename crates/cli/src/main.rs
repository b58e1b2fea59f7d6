//! The `gizmos` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os(), &cli::Environment::of_process()).into()
}
