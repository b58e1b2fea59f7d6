//! Log files in local folders.

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::layout::{self, Folder, Scope};
use crate::source::{Found, ListError, LogFile, Source};

/// A folder with everything below it, or a single file of any name.
///
/// Symbolic links below the folder aren't followed, so a log folder can't lead elsewhere.
#[derive(Clone, Debug)]
pub struct LocalLogs {
    root: PathBuf,
}

impl LocalLogs {
    /// The logs at or below a path.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The logs at or below several paths, without duplicates: a path below another one is left
    /// out.
    pub fn all(paths: &[PathBuf]) -> Vec<Self> {
        let real = |path: &PathBuf| fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        let mut kept: Vec<(PathBuf, &PathBuf)> = Vec::new();
        for path in paths {
            let canonical = real(path);
            if kept.iter().any(|(other, _)| canonical.starts_with(other)) {
                continue;
            }
            kept.retain(|(other, _)| !other.starts_with(&canonical));
            kept.push((canonical, path));
        }
        kept.into_iter().map(|(_, path)| Self::new(path)).collect()
    }

    fn folder(
        scope: &Scope,
        folder: &Path,
        folders: &mut Vec<PathBuf>,
        each: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut below = Vec::new();
        for entry in entries {
            let path = entry.path();
            let kind = entry.file_type()?;
            let found = if kind.is_dir() {
                match scope.folder(&slashes(&path)) {
                    Folder::Open => {
                        below.push(path);
                        continue;
                    }
                    Folder::Outside => continue,
                    Folder::NotRecords(kind) => Found::NotRecords(kind.to_owned()),
                }
            } else {
                file(path, kind.is_file(), &entry)
            };
            if each(found).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        folders.extend(below.into_iter().rev());
        Ok(ControlFlow::Continue(()))
    }
}

fn file(path: PathBuf, is_file: bool, entry: &fs::DirEntry) -> Found {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    if let Some(kind) = layout::is_not_records(&name) {
        return Found::NotRecords(kind.to_owned());
    }
    let reason = if !is_file {
        "is not a file".to_owned()
    } else if layout::is_log(&name) {
        match entry.metadata() {
            Ok(metadata) => {
                let size = metadata.len();
                return Found::File(LogFile { path, size });
            }
            Err(error) => format!("can't be read: {error}"),
        }
    } else {
        "is not named like a log (.json, .jsonl, .gz)".to_owned()
    };
    Found::Skipped { path, reason }
}

/// The path with `/` as separator, as [`Scope::folder`] expects.
fn slashes(path: &Path) -> String {
    let steps: Vec<_> = path.iter().map(|step| step.to_string_lossy()).collect();
    steps.join("/")
}

impl Source for LocalLogs {
    fn list(
        &self,
        scope: &Scope,
        each: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> Result<(), ListError> {
        let failed = |error: io::Error| ListError {
            place: self.root.display().to_string(),
            source: Box::new(error),
        };
        let metadata = fs::metadata(&self.root).map_err(failed)?;
        let mut folders = Vec::new();
        if metadata.is_dir() {
            folders.push(self.root.clone());
        } else {
            let file = LogFile {
                path: self.root.clone(),
                size: metadata.len(),
            };
            if each(Found::File(file)).is_break() {
                return Ok(());
            }
        }
        while let Some(folder) = folders.pop() {
            let more = match Self::folder(scope, &folder, &mut folders, each) {
                Ok(more) => more,
                Err(error) if folder == self.root => return Err(failed(error)),
                Err(error) => each(Found::Skipped {
                    path: folder,
                    reason: format!("can't be listed: {error}"),
                }),
            };
            if more.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn open(&self, file: &LogFile) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(&file.path)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(folder: &Path, scope: &Scope) -> Vec<Found> {
        let mut all = Vec::new();
        LocalLogs::new(folder)
            .list(scope, &mut |found| {
                all.push(found);
                ControlFlow::Continue(())
            })
            .unwrap();
        all
    }

    fn files(found: &[Found]) -> Vec<String> {
        let name = |it: &Found| match it {
            Found::File(file) => file.path.file_name().map(|it| it.to_string_lossy().into()),
            _ => None,
        };
        found.iter().filter_map(name).collect()
    }

    #[test]
    fn lists_the_layout_of_a_trail_in_order_and_says_what_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            "CloudTrail/us-east-1/2026/11/24/b.json.gz",
            "CloudTrail/us-east-1/2026/11/23/a.json.gz",
            "CloudTrail/us-east-1/2026/11/23/readme.txt",
            "CloudTrail/us-west-2/2026/11/23/c.json.gz",
            "CloudTrail-Digest/us-east-1/2026/11/23/d.json.gz",
            "CloudTrail-Insight/us-east-1/2026/11/23/e.json.gz",
        ] {
            let path = folder
                .path()
                .join("AWSLogs/o-exampleorg1/012345678901")
                .join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let all = listed(folder.path(), &Scope::default());
        assert_eq!(files(&all), ["a.json.gz", "b.json.gz", "c.json.gz"]);
        let others = all.iter().filter(|it| !matches!(it, Found::File(_)));
        let mut others: Vec<String> = others.map(|it| format!("{it:?}")).collect();
        others.sort();
        assert_eq!(others.len(), 3, "{others:?}");
        assert!(
            others[0].contains("CloudTrail-Digest") && others[1].contains("CloudTrail-Insight")
        );
        assert!(others[2].contains("readme.txt"));

        let scope = Scope {
            to: "2026-11-22".parse().ok(),
            regions: ["us-east-1".to_owned()].into(),
            ..Scope::default()
        };
        assert_eq!(files(&listed(folder.path(), &scope)), ["a.json.gz"]);
    }

    #[test]
    fn a_path_below_another_one_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("below");
        fs::create_dir(&below).unwrap();
        let roots = LocalLogs::all(&[
            below.clone(),
            folder.path().into(),
            below,
            folder.path().into(),
        ]);
        assert_eq!(roots.len(), 1);
        assert_eq!(roots[0].root, folder.path());
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let missing = LocalLogs::new("/nonexistent/logs");
        let result = missing.list(&Scope::default(), &mut |_| ControlFlow::Continue(()));
        assert_eq!(
            result.unwrap_err().to_string(),
            "could not list /nonexistent/logs"
        );
    }
}
