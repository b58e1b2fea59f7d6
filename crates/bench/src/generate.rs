//! Generates events and rule sets, and writes them to files.

/// Shared with the engine's own benchmarks. It lives there because the engine's package must be
/// complete without this crate.
#[path = "../../eventbridge-pattern/benches/generate/mod.rs"]
mod generator;

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

/// Generates events, one JSON document each.
pub(crate) fn events(seed: u64, count: usize) -> Vec<Vec<u8>> {
    generator::events(seed, count)
        .into_iter()
        .map(String::into_bytes)
        .collect()
}

/// Generates patterns as lines `{"id": …, "pattern": {…}}`.
pub(crate) fn patterns(seed: u64, count: usize, is_broad: bool) -> Vec<Vec<u8>> {
    generator::patterns(seed, count, is_broad)
        .into_iter()
        .enumerate()
        .map(|(number, pattern)| {
            json!({"id": format!("rule-{number:04}"), "pattern": pattern})
                .to_string()
                .into_bytes()
        })
        .collect()
}

/// Sizes of the rule sets that [`write()`] writes.
const SIZES: [usize; 4] = [10, 100, 1000, 5000];

/// Writes events, and detection and broad rule sets of all sizes, as `.jsonl.gz` to a folder.
pub(crate) fn write(folder: &Path, seed: u64, count: usize) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
    save(&folder.join("events.jsonl.gz"), &events(seed, count))?;
    for size in SIZES {
        for (name, is_broad) in [("rules_det", false), ("rules", true)] {
            let path = folder.join(format!("{name}_{size}.jsonl.gz"));
            save(&path, &patterns(seed, size, is_broad))?;
        }
    }
    Ok(())
}

fn save(path: &Path, lines: &[Vec<u8>]) -> Result<()> {
    let context = || format!("could not write {}", path.display());
    let file = fs::File::create(path).with_context(context)?;
    let mut packer = GzEncoder::new(file, Compression::default());
    for line in lines {
        packer.write_all(line).with_context(context)?;
        packer.write_all(b"\n").with_context(context)?;
    }
    packer.finish().with_context(context)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventbridge_pattern::{RuleSet, Scratch};

    #[test]
    fn generated_data_depends_only_on_the_seed_and_has_matches() {
        let lines = patterns(7, 200, false);
        assert_eq!(lines, patterns(7, 200, false));
        assert_ne!(lines, patterns(8, 200, false));
        let broad = patterns(7, 200, true);
        let events = events(7, 300);
        let matches = |lines: &[Vec<u8>]| {
            let set = lines
                .iter()
                .map(|line| crate::input::pattern(line).unwrap())
                .enumerate()
                .fold(RuleSet::builder(), |set, (id, pattern)| {
                    set.add(id, &pattern)
                })
                .build();
            let mut scratch = Scratch::default();
            events
                .iter()
                .map(|event| set.matches(event, &mut scratch).unwrap().matched().len())
                .sum::<usize>()
        };
        let (few, many) = (matches(&lines), matches(&broad));
        assert!(few > 0 && many > 0 && few < 300 * 20, "{few} {many}");
    }
}
