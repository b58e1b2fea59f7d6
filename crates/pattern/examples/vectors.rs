//! Runs files of vectors (`.jsonl` or `.jsonl.gz`) and prints every disagreement.
//!
//! `cargo run --release -p pattern --example vectors -- FILE…`

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::ExitCode;

fn main() -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let mut failed = false;
    for path in std::env::args().skip(1) {
        let file = File::open(&path)?;
        let reader: Box<dyn Read> = if Path::new(&path)
            .extension()
            .is_some_and(|extension| extension == "gz")
        {
            Box::new(flate2::read::MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        let (mut agree, mut disagree) = (0, 0);
        for line in BufReader::new(reader).lines() {
            match pattern::vectors::check_line(&line?) {
                Ok(None) => agree += 1,
                Ok(Some(disagreement)) => {
                    disagree += 1;
                    writeln!(out, "{disagreement}")?;
                }
                Err(error) => {
                    disagree += 1;
                    writeln!(out, "{error}")?;
                }
            }
        }
        writeln!(out, "{path}: {agree} agree, {disagree} disagree")?;
        failed |= disagree > 0;
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
