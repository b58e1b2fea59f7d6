//! `vectors`: does the pattern engine say what was recorded?

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use eventbridge_pattern::vectors::check_line;
use flate2::read::MultiGzDecoder;
use serde::Serialize;

use crate::arguments::Format;
use crate::exit::Exit;
use crate::output;

/// What came of one file, or of all.
#[derive(Debug, Default, Serialize)]
struct Count {
    agree: usize,
    disagree: usize,
    disagreements: Vec<String>,
}

pub(crate) fn run(format: Format, files: &[PathBuf]) -> Result<Exit> {
    let mut all = Count::default();
    for path in files {
        let count = check(path).with_context(|| format!("could not read {}", path.display()))?;
        if format != Format::Json {
            for disagreement in &count.disagreements {
                output::text(disagreement)?;
            }
            if files.len() > 1 {
                let Count {
                    agree, disagree, ..
                } = count;
                let path = path.display();
                output::text(&format!("{path}: {agree} agree, {disagree} disagree"))?;
            }
        }
        all.agree += count.agree;
        all.disagree += count.disagree;
        all.disagreements.extend(count.disagreements);
    }
    if format == Format::Json {
        output::json(&all)?;
    } else {
        output::text(&format!("{} agree, {} disagree", all.agree, all.disagree))?;
    }
    Ok(if all.disagree == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// Checks every line of a file. A line that is no vector counts as a disagreement: nothing that was
/// recorded may be passed over in silence.
fn check(path: &Path) -> Result<Count> {
    let file = File::open(path)?;
    let reader: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut count = Count::default();
    for (line, number) in BufReader::new(reader).lines().zip(1..) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let disagreement = match check_line(&line) {
            Ok(None) => {
                count.agree += 1;
                continue;
            }
            Ok(Some(disagreement)) => disagreement.to_string(),
            Err(error) => error.to_string(),
        };
        count.disagree += 1;
        let place = format!("{}:{number}", path.display());
        count.disagreements.push(format!("{place}: {disagreement}"));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const LINES: &str = r#"
{"id":"right","pattern":"{\"a\":[1]}","event":"{\"a\":1}","verdict":"match"}
{"id":"wrong","pattern":"{\"a\":[1]}","event":"{\"a\":2}","verdict":"match"}
{"id":"refused","pattern":"{}","event":"{}","aws_verdict":"invalid","aws_message":"Empty objects are not allowed"}
{"pattern":"no vector"}
"#;

    #[test]
    fn counts_and_names_what_disagrees() {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("a.jsonl");
        std::fs::write(&plain, LINES).unwrap();
        let packed = folder.path().join("a.jsonl.gz");
        let mut packer = GzEncoder::new(File::create(&packed).unwrap(), Compression::fast());
        packer.write_all(LINES.as_bytes()).unwrap();
        packer.finish().unwrap();
        for path in [plain, packed] {
            let count = check(&path).unwrap();
            assert_eq!((count.agree, count.disagree), (2, 2));
            assert!(count.disagreements[0].ends_with(":3: wrong: expected match, got no_match"));
            assert!(count.disagreements[1].contains("not a vector"));
        }
        assert!(check(&folder.path().join("missing")).is_err());
    }
}
