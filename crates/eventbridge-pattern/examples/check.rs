//! Checks patterns and events as `PutRule` and `TestEventPattern` do.
//!
//! `cargo run --example check -- PATTERN.json [EVENT.json]`
#![expect(clippy::print_stdout, reason = "an example of a command line program")]

use std::error::Error;

use eventbridge_pattern::{Event, Pattern};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: check PATTERN [EVENT]")?;
    let pattern = match Pattern::parse(&std::fs::read_to_string(&path)?) {
        Ok(pattern) => pattern,
        Err(error) => {
            return Err(
                format!("{path}:{}:{}: {}", error.line, error.column, error.message).into(),
            );
        }
    };
    println!(
        "{path}: accepted; {} alternatives, wildcard complexity {}",
        pattern.combinations(),
        pattern.complexity()
    );
    for part in pattern.redundant_parts() {
        println!("  {} is redundant", part.part);
    }
    let Some(event) = arguments.next() else {
        return Ok(());
    };
    let explanation = pattern.explain(&Event::parse(&std::fs::read_to_string(&event)?)?)?;
    println!(
        "{event}: {}",
        if explanation.matches {
            "matches"
        } else {
            "does not match"
        }
    );
    for (number, alternative) in explanation.alternatives.iter().enumerate() {
        for field in alternative.failures() {
            println!(
                "  alternative {}: {} wants {}, found {}",
                number + 1,
                field.path,
                field.wanted.join(" or "),
                if field.found.is_empty() {
                    "nothing".to_owned()
                } else {
                    field.found.join(", ")
                }
            );
        }
    }
    Ok(())
}
