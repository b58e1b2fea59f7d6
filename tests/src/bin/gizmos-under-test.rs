//! The program `gizmos`, built for this package's tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os(), &cli::Environment::of_process()).into()
}
