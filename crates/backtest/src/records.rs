//! The records of one log file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Largest unpacked file. CloudTrail packs at most 50 MB into one; a file beyond this is no log,
/// or one made to exhaust memory.
pub const MAX_UNPACKED: u64 = 2 << 30;

/// Largest record of a JSON lines file, in bytes.
const MAX_LINE: u64 = 16 << 20;

/// Why a file could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// Not readable, or not what its name says: truncated or corrupt packing.
    #[error("could not be read: {0}")]
    Read(#[from] io::Error),
    /// Not CloudTrail's JSON.
    #[error("is not a CloudTrail log: {0}")]
    Format(#[from] serde_json::Error),
    /// A packing bomb, or a text without end.
    #[error("holds more than {MAX_UNPACKED} bytes")]
    TooLarge,
}

#[derive(Deserialize)]
struct LogFile<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<&'a RawValue>,
}

/// Calls `each` with every record's JSON text.
///
/// Knows `{"Records": […]}` as a trail writes it, and JSON lines with one record each; both plain
/// or packed by gzip. Records before a fault have been passed on when an error is returned.
pub fn each(path: &Path, mut each: impl FnMut(&str)) -> Result<(), RecordsError> {
    let file = BufReader::new(File::open(path)?);
    let name = path.to_string_lossy();
    let unpacked: Box<dyn Read> = if name.ends_with(".gz") {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut unpacked = BufReader::new(unpacked.take(MAX_UNPACKED));
    if name.ends_with(".jsonl") || name.ends_with(".jsonl.gz") {
        return lines(&mut unpacked, each);
    }
    let mut text = String::new();
    unpacked.read_to_string(&mut text)?;
    if unpacked.get_ref().limit() == 0 {
        return Err(RecordsError::TooLarge);
    }
    let log: LogFile<'_> = serde_json::from_str(&text)?;
    for record in log.records {
        each(record.get());
    }
    Ok(())
}

fn lines(input: &mut impl BufRead, mut each: impl FnMut(&str)) -> Result<(), RecordsError> {
    let mut line = String::new();
    loop {
        line.clear();
        if input.by_ref().take(MAX_LINE).read_line(&mut line)? == 0 {
            return Ok(());
        }
        let record = line.trim();
        if !record.is_empty() {
            let _: &RawValue = serde_json::from_str(record)?;
            each(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn read(name: &str, content: &[u8]) -> (Vec<String>, Result<(), RecordsError>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let mut records = Vec::new();
        let result = each(&path, |record| records.push(record.to_owned()));
        (records, result)
    }

    fn pack(text: &str) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn reads_a_trails_file_plain_and_packed() {
        let text = r#"{"Records":[{"a":1},{"a":2}]}"#;
        for (name, content) in [("a.json", text.into()), ("a.json.gz", pack(text))] {
            let (records, result) = read(name, &content);
            result.unwrap();
            assert_eq!(records, [r#"{"a":1}"#, r#"{"a":2}"#], "{name}");
        }
    }

    #[test]
    fn reads_a_file_of_several_gzip_members() {
        let mut content = pack("{\"a\":1}\n");
        content.extend(pack("{\"a\":2}\n"));
        let (records, result) = read("a.jsonl.gz", &content);
        result.unwrap();
        assert_eq!(records.len(), 2);
    }

    #[test]
    fn a_truncated_file_is_an_error() {
        let mut content = pack(&format!("{{\"Records\":[{}]}}", "1,".repeat(1000) + "1"));
        content.truncate(content.len() / 2);
        let (_, result) = read("a.json.gz", &content);
        assert!(matches!(result, Err(RecordsError::Read(_))));
    }

    #[test]
    fn foreign_json_is_an_error() {
        let (_, result) = read("a.json", b"[1,2]");
        assert!(matches!(result, Err(RecordsError::Format(_))));
    }
}
