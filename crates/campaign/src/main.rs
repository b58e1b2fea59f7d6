//! `cargo xtask campaign`: the simulation campaign by hand.
#![expect(
    clippy::print_stderr,
    reason = "progress and errors of a command line program"
)]

mod arguments;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Result;
use campaign::{Failure, Product, campaign};
use clap::Parser;

use crate::arguments::{Arguments, Format};

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (from, seeds) = match arguments.seed {
        Some(seed) => (seed, 1),
        None => (arguments.from, arguments.seeds),
    };
    let threads = arguments
        .threads
        .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
        .unwrap_or(1);
    let terminal = std::io::stderr().is_terminal();
    let progress = |done: u64, failure: Option<&Failure>| {
        if let Some(failure) = failure {
            eprintln!("seed {} FAILED", failure.seed);
        }
        if done.is_multiple_of(if terminal { 10 } else { 100 }) {
            eprintln!("{done} of {seeds}");
        }
    };
    let outcome = campaign(from, seeds, threads, &Product, &progress);
    let text = match arguments.format {
        Format::Json => serde_json::to_string_pretty(&outcome)? + "\n",
        Format::Text => outcome.to_string(),
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(if outcome.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
