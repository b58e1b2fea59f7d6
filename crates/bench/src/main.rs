//! `cargo xtask bench`: measures how fast events are matched against many patterns at once and, in
//! the same run on the same bytes, how fast JSON parsers parse alone.
//!
//! A machine is never idle, so events are timed in batches: every contender processes every batch
//! in turn, for several rounds, and the fastest round of each batch counts. A round's ratio
//! compares times taken right after each other; the median of these ratios is reported as well.
//! Every contender gets freshly copied bytes, because simd-json overwrites its input.
#![expect(
    clippy::print_stderr,
    reason = "progress and errors of a command line program"
)]

mod arguments;
mod generate;
mod input;
mod measure;
mod memory;
mod result;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::arguments::{Arguments, Format};

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if let Some(folder) = &arguments.write {
        return generate::write(folder, arguments.seed, arguments.count);
    }
    let result = measure::run(arguments)?;
    let text = match arguments.format {
        Format::Json => serde_json::to_string_pretty(&result)? + "\n",
        Format::Text => result.to_string(),
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}
