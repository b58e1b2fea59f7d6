//! Repeats records as the files of a trail, to benchmark backtests.
//!
//! `cargo run --release -p backtest --example corpus -- RECORDS FOLDER MEGABYTES` reads CloudTrail
//! records, one per line, plain or gzipped, and repeats them with fresh event ids until the files
//! in the folder unpack to MEGABYTES. The same arguments give the same files.
#![expect(clippy::print_stdout, reason = "a program to measure with")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

/// Unpacked bytes of one file.
const FILE: usize = 4 << 20;
const ACCOUNTS: [&str; 4] = [
    "111122223333",
    "222233334444",
    "333344445555",
    "444455556666",
];
const REGIONS: [&str; 2] = ["us-east-1", "eu-central-1"];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [records, folder, megabytes] = arguments.as_slice() else {
        return Err("RECORDS FOLDER MEGABYTES".into());
    };
    let records = lines(Path::new(records))?;
    if records.is_empty() {
        return Err("no records".into());
    }
    let files = megabytes
        .parse::<usize>()?
        .saturating_mul(1_000_000)
        .div_ceil(FILE);
    // Every file has the same number of records, so a file's first record follows from its number.
    let average = records.iter().map(Vec::len).sum::<usize>() / records.len() + 1;
    let count = FILE / average + 1;
    let folder = PathBuf::from(folder);
    let next = AtomicUsize::new(0);
    let work = || -> io::Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= files {
                return Ok(());
            }
            write(&folder, number, count, &records)?;
        }
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
    println!("{files} files, {} records", files * count);
    Ok(())
}

fn lines(path: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut file = File::open(path)?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        MultiGzDecoder::new(file).read_to_end(&mut bytes)?;
    } else {
        file.read_to_end(&mut bytes)?;
    }
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    Ok(lines
        .filter(|line| !line.is_empty())
        .map(<[u8]>::to_vec)
        .collect())
}

fn write(folder: &Path, number: usize, count: usize, records: &[Vec<u8>]) -> io::Result<()> {
    let place = |list: &[&'static str], at: usize| list.get(at).copied().unwrap_or_default();
    let account = place(&ACCOUNTS, number % ACCOUNTS.len());
    let region = place(&REGIONS, number / ACCOUNTS.len() % REGIONS.len());
    let day = number % 28 + 1;
    let folder = folder.join(format!(
        "AWSLogs/{account}/CloudTrail/{region}/2026/02/{day:02}"
    ));
    fs::create_dir_all(&folder)?;
    let name = format!("{account}_CloudTrail_{region}_202602{day:02}T0000Z_{number:016}.json.gz");
    let mut packer = GzEncoder::new(File::create(folder.join(name))?, Compression::default());
    packer.write_all(br#"{"Records":["#)?;
    for at in 0..count {
        if at > 0 {
            packer.write_all(b",")?;
        }
        let fresh = number * count + at;
        let record = records.get(fresh % records.len());
        let record = record.map(Vec::as_slice).unwrap_or_default();
        let (front, back) = around_id(record);
        packer.write_all(front)?;
        if !back.is_empty() {
            write!(packer, "00000000-0000-4000-8000-{fresh:012x}")?;
        }
        packer.write_all(back)?;
    }
    packer.write_all(b"]}")?;
    packer.finish()?;
    Ok(())
}

/// The parts of a record before and after its event id; the second is empty if it has none.
fn around_id(record: &[u8]) -> (&[u8], &[u8]) {
    const KEY: &[u8] = br#""eventID":""#;
    let found = record.windows(KEY.len()).position(|window| window == KEY);
    let split = found.and_then(|at| {
        let start = at + KEY.len();
        let end = start + record.get(start..)?.iter().position(|byte| *byte == b'"')?;
        Some((record.get(..start)?, record.get(end..)?))
    });
    split.unwrap_or((record, &[]))
}
