//! The program `gizmos`, built for the tests of this package.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os(), &cli::Environment::of_process()).into()
}
