//! The command `vectors`: compares the pattern engine with recorded verdicts.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use eventbridge_pattern::vectors::check_line;
use serde::Serialize;

use crate::arguments::Format;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::files;
use crate::invocation::Invocation;

/// The result for one file or for all files.
#[derive(Debug, Default, Serialize)]
struct Count {
    agree: usize,
    disagree: usize,
    disagreements: Vec<String>,
}

pub(crate) fn run(invocation: &Invocation<'_>, files: &[PathBuf]) -> Result<Exit> {
    let environment = invocation.environment;
    let mut all = Count::default();
    for path in files {
        let count = check(environment, path)?;
        if invocation.format != Format::Json {
            for disagreement in &count.disagreements {
                environment.print(disagreement)?;
            }
            if files.len() > 1 {
                let Count {
                    agree, disagree, ..
                } = count;
                let path = path.display();
                environment.print(&format!("{path}: {agree} agree, {disagree} disagree"))?;
            }
        }
        all.agree += count.agree;
        all.disagree += count.disagree;
        all.disagreements.extend(count.disagreements);
    }
    if invocation.format == Format::Json {
        environment.print_json(&all)?;
    } else {
        environment.print(&format!("{} agree, {} disagree", all.agree, all.disagree))?;
    }
    Ok(if all.disagree == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// Checks every line of a file. An unreadable line counts as a disagreement, so that no recorded
/// verdict is skipped silently.
fn check(environment: &Environment, path: &Path) -> Result<Count> {
    let reader = files::open_unpacked(environment, path)?;
    let mut count = Count::default();
    for (line, number) in reader.lines().zip(1..) {
        let line = line.with_context(|| format!("could not read {}", path.display()))?;
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
    use std::fs::File;
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
        let (environment, _) = Environment::captured(folder.path());
        for path in [plain, packed] {
            let count = check(&environment, &path).unwrap();
            assert_eq!((count.agree, count.disagree), (2, 2));
            assert!(count.disagreements[0].ends_with(":3: wrong: expected match, got no_match"));
            assert!(count.disagreements[1].contains("not a vector"));
        }
        assert!(check(&environment, Path::new("missing")).is_err());
    }
}
