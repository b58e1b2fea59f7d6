//! Reads events from standard input, one a line, and prints the patterns that each one matches.
//!
//! `cargo run --example route -- PATTERN.json… < events.jsonl`
#![expect(clippy::print_stdout, reason = "an example of a command line program")]

use std::error::Error;
use std::io::BufRead;

use eventbridge_pattern::{Pattern, RuleSet, Scratch};

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let mut builder = RuleSet::builder();
    for (id, file) in files.iter().enumerate() {
        let pattern = Pattern::parse(&std::fs::read_to_string(file)?)?;
        builder = builder.add(id, &pattern);
    }
    let set = builder.build();
    let mut scratch = Scratch::default();
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line?;
        let matches = set.matches(line.as_bytes(), &mut scratch)?;
        // In doubt, route the event: a pattern that is left undecided may match.
        let names: Vec<&str> = matches
            .possible()
            .filter_map(|id| files.get(id).map(String::as_str))
            .collect();
        println!("{}: {}", number + 1, names.join(" "));
    }
    Ok(())
}
