//! Log files below a folder.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders of a trail that hold no records of API calls.
///
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html>
const NOT_RECORDS: [&str; 2] = ["CloudTrail-Digest", "CloudTrail-Insight"];

/// Endings of files that are read.
const ENDINGS: [&str; 4] = [".json", ".json.gz", ".jsonl", ".jsonl.gz"];

/// Whether a file's name is one of a log file.
pub fn is_log(path: &Path) -> bool {
    let name = path.to_string_lossy();
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Every log file below `path`, sorted; a path of a file is that file, whatever its name.
///
/// Symbolic links below the folder aren't followed: a log folder can't lead elsewhere.
pub fn find(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let path = entry.path();
            if kind.is_dir() {
                let name = entry.file_name();
                if !NOT_RECORDS.iter().any(|it| name == *it) {
                    folders.push(path);
                }
            } else if kind.is_file() && is_log(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_layout_of_a_trail_and_leaves_digests_out() {
        let folder = tempfile::tempdir().unwrap();
        let trail = "AWSLogs/o-exampleorg1/012345678901";
        for path in [
            "CloudTrail/us-east-1/2026/11/23/a.json.gz",
            "CloudTrail/us-east-1/2026/11/23/readme.txt",
            "CloudTrail-Digest/us-east-1/2026/11/23/b.json.gz",
            "CloudTrail-Insight/us-east-1/2026/11/23/c.json.gz",
        ] {
            let path = folder.path().join(trail).join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = find(folder.path()).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].ends_with("2026/11/23/a.json.gz"));
    }
}
