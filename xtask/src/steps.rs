//! Runs a list of checks, with a summary line for each.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

/// The name of a check, and the check.
pub(crate) type Step<'a> = (&'static str, &'a mut dyn FnMut() -> Result<()>);

/// Runs every step, even after a failure, and prints a line for each at the end.
pub(crate) fn run(steps: &mut [Step<'_>]) -> ExitCode {
    let mut results = Vec::new();
    for (name, step) in steps {
        println!("\n── {name}");
        let start = Instant::now();
        let result = step();
        if let Err(error) = &result {
            eprintln!("error: {name}: {error:#}");
        }
        results.push((*name, start.elapsed(), result.is_ok()));
    }
    println!("\n── summary");
    for (name, time, succeeded) in &results {
        let word = if *succeeded { "ok    " } else { "FAILED" };
        println!("{word}  {name:<28} {:>7}", seconds(*time));
    }
    let total = results.iter().map(|(_, time, _)| *time).sum();
    println!("        {:<28} {:>7}", "all steps", seconds(total));
    let failed = results
        .iter()
        .filter(|(_, _, succeeded)| !succeeded)
        .count();
    println!("steps: {} passed, {failed} failed", results.len() - failed);
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
