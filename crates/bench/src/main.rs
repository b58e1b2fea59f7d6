//! `cargo xtask bench`: how fast many patterns are matched at once, and next to it, in the same run
//! on the same bytes, how fast JSON parsers only parse.
//!
//! A machine is never idle, so events are timed in batches, every batch with every contender in
//! turn, for several rounds; of each batch the fastest round counts. The ratio of a round is that of
//! times taken right next to each other, and their median is reported as well. All contenders find a batch's
//! bytes in the same state: just copied, because simd-json writes over what it parses.
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
