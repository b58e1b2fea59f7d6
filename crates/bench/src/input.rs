//! Reads files of JSON lines.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use eventbridge_pattern::Pattern;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    pattern: &'a RawValue,
}

/// The non-empty lines of a file, unpacked if its name ends in `.gz`.
pub(crate) fn lines(path: &Path) -> Result<Vec<Vec<u8>>> {
    let context = || format!("could not read {}", path.display());
    let mut file = File::open(path).with_context(context)?;
    let mut bytes = Vec::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        MultiGzDecoder::new(file).read_to_end(&mut bytes)
    } else {
        file.read_to_end(&mut bytes)
    }
    .with_context(context)?;
    let lines = bytes.split(|byte| *byte == b'\n');
    Ok(lines
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .map(<[u8]>::to_vec)
        .collect())
}

/// Parses the pattern in a line.
pub(crate) fn pattern(line: &[u8]) -> Result<Pattern> {
    let line: Line<'_> = serde_json::from_slice(line)?;
    Ok(Pattern::parse(line.pattern.get())?)
}
