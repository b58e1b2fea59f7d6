//! Measures how fast logs can be read at all, as a baseline for backtests.
//!
//! `cargo run --release -p backtest --example read -- STEP PATH…` reads all files at the paths on
//! all cores and prints the speed. STEP is
//!
//! - `unpack`: unpack only;
//! - `split`: find every record and the fields that decide whether it is delivered;
//! - `parse`: parse every record into a `serde_json::Value`;
//! - `backtest`: a complete backtest with the rules in the folder given by `--rules`.
#![expect(clippy::print_stdout, reason = "a program to measure with")]

use std::error::Error;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use backtest::{Found, LocalLogs, Options, Scope, Source, Watch};
use cloudtrail::records::Records;
use flate2::read::MultiGzDecoder;
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let step = arguments
        .next()
        .ok_or("unpack, split, parse or backtest?")?;
    let (mut paths, mut folder) = (Vec::new(), PathBuf::from("rules"));
    while let Some(argument) = arguments.next() {
        if argument == "--rules" {
            folder = arguments.next().ok_or("which rules?")?.into();
        } else {
            paths.push(PathBuf::from(argument));
        }
    }
    let start = Instant::now();
    let (bytes, records) = match step.as_str() {
        "backtest" => whole(&folder, &paths)?,
        _ => part(&step, &paths)?,
    };
    let seconds = start.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let megabytes = bytes as f64 / 1e6;
    println!(
        "{step}: {megabytes:.0} MB unpacked, {records} records, {seconds:.2} s, {:.0} MB/s",
        megabytes / seconds
    );
    Ok(())
}

fn whole(folder: &Path, paths: &[PathBuf]) -> Result<(u64, u64), Box<dyn Error>> {
    let options = rules::Options {
        today: jiff::civil::date(2026, 1, 1),
    };
    let library = rules::load(folder, &options);
    let sources: Vec<Box<dyn Source>> = LocalLogs::all(paths)
        .into_iter()
        .map(|logs| Box::new(logs) as Box<dyn Source>)
        .collect();
    let result = backtest::run(
        &library.rules,
        &sources,
        &Options::default(),
        &Watch::default(),
    )?;
    println!("{} rules, {} alerts", library.rules.len(), result.alerts());
    Ok((result.bytes_unpacked, result.records))
}

fn part(step: &str, paths: &[PathBuf]) -> Result<(u64, u64), Box<dyn Error>> {
    let mut files = Vec::new();
    for logs in LocalLogs::all(paths) {
        logs.list(&Scope::default(), &mut |found| {
            if let Found::File(file) = found {
                files.push(file.path);
            }
            ControlFlow::Continue(())
        })?;
    }
    let (next, bytes, records) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let work = || -> io::Result<()> {
        let mut reader = Records::default();
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let file = File::open(path)?;
            if step == "unpack" {
                let length = io::copy(&mut MultiGzDecoder::new(file), &mut io::sink())?;
                bytes.fetch_add(length, Ordering::Relaxed);
                continue;
            }
            let unpacked = |length: usize| {
                bytes.fetch_add(length as u64, Ordering::Relaxed);
            };
            let read = reader.each(file, unpacked, |_, text| {
                records.fetch_add(1, Ordering::Relaxed);
                if step == "parse" {
                    let value: Result<Value, _> = serde_json::from_slice(text);
                    std::hint::black_box(&value);
                }
                ControlFlow::Continue(())
            });
            if let Err(error) = read {
                println!("{}: {error}", path.display());
            }
        }
        Ok(())
    };
    let workers = std::thread::available_parallelism()?.get();
    std::thread::scope(|threads| -> io::Result<()> {
        let workers: Vec<_> = (0..workers).map(|_| threads.spawn(work)).collect();
        for worker in workers {
            worker
                .join()
                .map_err(|_| io::Error::other("a worker panicked"))??;
        }
        Ok(())
    })?;
    Ok((bytes.into_inner(), records.into_inner()))
}
