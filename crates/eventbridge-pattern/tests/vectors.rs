//! The engine against verdicts: those of AWS's own open-source engine, and recorded answers of the
//! service.

#![cfg(feature = "vectors")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "in a test, a panic is the report"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;

use eventbridge_pattern::vectors::check_line;

fn run(file: &str, lines: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(file);
    let file = std::fs::File::open(path).expect("the vectors are committed");
    let mut seen = 0;
    let mut disagreements = Vec::new();
    for line in BufReader::new(flate2::read::GzDecoder::new(file)).lines() {
        seen += 1;
        disagreements.extend(check_line(&line.expect("readable")).expect("a vector"));
    }
    assert_eq!(seen, lines);
    assert!(
        disagreements.is_empty(),
        "{} disagree, first: {}",
        disagreements.len(),
        disagreements[0]
    );
}

#[test]
fn verdicts_of_the_open_source_engine() {
    run("pattern-vectors.jsonl.gz", 15_016);
}

#[test]
fn verdicts_and_messages_of_the_service() {
    run("service-verdicts.jsonl.gz", 306);
}

#[test]
fn wildcard_complexities() {
    run("wildcard-complexity.jsonl.gz", 1_250);
}

#[test]
fn deliveries_of_the_service() {
    run("input-transformers.jsonl.gz", 98);
}
