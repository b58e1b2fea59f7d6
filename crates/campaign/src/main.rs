//! `cargo xtask campaign`: runs the simulation campaign from the command line.
#![expect(
    clippy::print_stderr,
    reason = "progress and errors of a command line program"
)]

mod arguments;

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Result;
use campaign::{Failure, Product, campaign};
use clap::Parser;
use serde::Serialize;

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
    if let Some(accounts) = arguments.accounts {
        return measure(accounts, arguments);
    }
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
    let result = campaign(from, seeds, threads, &Product, &progress);
    print(arguments.format, &result)?;
    Ok(code(result.failures.is_empty()))
}

fn measure(accounts: usize, arguments: &Arguments) -> Result<ExitCode> {
    let scale = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(campaign::scale(accounts, arguments.regions, &mut |step| {
            print_line(arguments.format, step)
        }))?;
    print_line(arguments.format, &scale)?;
    Ok(code(scale.missed.is_empty()))
}

fn print(format: Format, result: &(impl Serialize + Display)) -> Result<()> {
    write(&match format {
        Format::Json => serde_json::to_string_pretty(result)? + "\n",
        Format::Text => result.to_string(),
    })
}

/// Prints one of several results; as JSON, on a line of its own.
fn print_line(format: Format, result: &(impl Serialize + Display)) -> Result<()> {
    write(&match format {
        Format::Json => serde_json::to_string(result)? + "\n",
        Format::Text => result.to_string(),
    })
}

fn write(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes())?;
    Ok(output.flush()?)
}

fn code(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
