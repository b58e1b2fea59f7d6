//! Reads the rules of another git revision.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use report::plural;
use rules::Rule;
use syntax::Diagnostic;

use crate::project::Files;

/// Limits for the number and size of a revision's files: those of a rules folder, with room for
/// fixtures.
const MAX_FILES: usize = 20_000;
const MAX_FILE: usize = 4 << 20;

/// The value of `--compare`: `BEFORE`, or `BEFORE..AFTER`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Range {
    before: String,
    /// `None` uses the rules in the working tree.
    after: Option<String>,
}

/// The rules of one revision.
#[derive(Debug)]
pub(super) struct Revision {
    /// As the user wrote it.
    pub(super) name: String,
    pub(super) rules: Vec<Rule>,
}

impl Range {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (before, after) = match text.split_once("..") {
            Some((before, after)) => (before, Some(after)),
            None => (text, None),
        };
        for revision in [Some(before), after].into_iter().flatten() {
            // A revision never starts with a dash, which git would read as an option.
            if revision.is_empty() || revision.starts_with(['-', '.']) {
                bail!("`{text}` is not a revision or BEFORE..AFTER");
            }
        }
        Ok(Self {
            before: before.to_owned(),
            after: after.map(str::to_owned),
        })
    }

    /// Loads the rules of `before` and, if given, of `after`. Rules are only read; nothing in them
    /// is executed.
    pub(super) fn rules(&self, files: Files<'_>) -> Result<(Option<Revision>, Option<Revision>)> {
        let load = |revision: &String| load(revision, files);
        let before = load(&self.before)?;
        let after = self.after.as_ref().map(load).transpose()?;
        Ok((Some(before), after))
    }
}

fn load(revision: &str, files: Files<'_>) -> Result<Revision> {
    let environment = files.environment;
    let folder = files.rules();
    // Extract, read and remove in one go, so that nothing is left behind however the run ends.
    let extracted = extract(revision, &folder)
        .with_context(|| format!("could not read the rules of the revision `{revision}`"))?;
    let library = files.load_rules(extracted.path());
    let wrong = library
        .diagnostics
        .iter()
        .filter(|it| it.is_error())
        .count();
    if library.rules.is_empty() {
        bail!(
            "the revision `{revision}` has no rules in `{}`",
            environment.shown(&folder).display()
        );
    }
    if wrong > 0 {
        environment.note(format_args!(
            "warning: the rules of `{revision}` have {}; rules with errors are skipped",
            plural(wrong, "error")
        ));
        let errors: Vec<Diagnostic> = library
            .diagnostics
            .into_iter()
            .filter(Diagnostic::is_error)
            .collect();
        environment.note_diagnostics(&errors);
    }
    Ok(Revision {
        name: revision.to_owned(),
        rules: library.rules,
    })
}

/// Writes a folder of a revision into a temporary folder, as stored by git. No hook, filter or text
/// conversion runs.
fn extract(revision: &str, folder: &Path) -> Result<tempfile::TempDir> {
    let repository = fs::canonicalize(folder)
        .with_context(|| format!("there is no folder `{}`", folder.display()))?;
    let git = |arguments: &[&OsStr]| {
        let mut command = Command::new("git");
        command
            .arg("-C")
            .arg(&repository)
            .args(arguments)
            .stdin(Stdio::null());
        command
    };
    let commit = format!("{revision}^{{commit}}");
    let commit = answer(&mut git(&[
        "rev-parse".as_ref(),
        "--verify".as_ref(),
        "--end-of-options".as_ref(),
        commit.as_ref(),
    ]))?;
    let commit = String::from_utf8_lossy(&commit).trim().to_owned();
    // With `.`, names are relative to the current folder of the git process, which is this folder.
    let listing = answer(&mut git(&[
        "ls-tree".as_ref(),
        "-r".as_ref(),
        "-z".as_ref(),
        commit.as_ref(),
        ".".as_ref(),
    ]))?;
    let files = files(&listing)?;
    let target = tempfile::tempdir().context("could not create a temporary folder")?;
    let mut store = git(&["cat-file".as_ref(), "--batch".as_ref()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("could not start git")?;
    let (Some(mut ask), Some(told)) = (store.stdin.take(), store.stdout.take()) else {
        bail!("git started without pipes");
    };
    let mut told = BufReader::new(told);
    for (object, path) in &files {
        writeln!(ask, "{object}")?;
        let path = target.path().join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, blob(&mut told)?)?;
    }
    drop(ask);
    store.wait()?;
    Ok(target)
}

/// Object and path of every regular file in a listing. Symbolic links are ignored, like in a folder
/// of rules.
fn files(listing: &[u8]) -> Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    let text = std::str::from_utf8(listing).context("a file's name is not UTF-8")?;
    for entry in text.split('\0').filter(|entry| !entry.is_empty()) {
        let (about, path) = entry
            .split_once('\t')
            .context("git's listing can't be read")?;
        let mut about = about.split(' ');
        let (mode, kind, object) = (about.next(), about.next(), about.next());
        if kind != Some("blob") || !mode.is_some_and(|mode| mode.starts_with("100")) {
            continue;
        }
        let path = PathBuf::from(path);
        if !path
            .components()
            .all(|it| matches!(it, Component::Normal(_)))
        {
            bail!("`{}` is outside the folder", path.display());
        }
        files.push((object.unwrap_or_default().to_owned(), path));
        if files.len() > MAX_FILES {
            bail!("there are more than {MAX_FILES} files");
        }
    }
    Ok(files)
}

/// Reads one answer of `git cat-file --batch`: `<object> blob <size>`, the content, a newline.
fn blob(told: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut header = String::new();
    told.read_line(&mut header)?;
    let size: usize = header
        .trim()
        .rsplit(' ')
        .next()
        .and_then(|size| size.parse().ok())
        .with_context(|| format!("git said `{}`", header.trim()))?;
    if size > MAX_FILE {
        bail!("a file has {size} bytes, more than {MAX_FILE}");
    }
    let mut content = vec![0; size + 1];
    told.read_exact(&mut content)?;
    content.pop();
    Ok(content)
}

fn answer(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().context("could not start git")?;
    if !output.status.success() {
        bail!("git: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_never_an_option() {
        let range = |before: &str, after: Option<&str>| Range {
            before: before.to_owned(),
            after: after.map(str::to_owned),
        };
        assert_eq!(Range::parse("main").unwrap(), range("main", None));
        assert_eq!(
            Range::parse("v1..HEAD~2").unwrap(),
            range("v1", Some("HEAD~2"))
        );
        for wrong in ["", "--upload-pack=x", "..", "a..", "..b", "a..-b", "a...b"] {
            assert!(Range::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_regular_files_inside_the_folder_are_written() {
        let listing =
            b"100644 blob aa\tone/two.yaml\x00120000 blob bb\tlink.yaml\x00160000 commit cc\tmodule\0";
        assert_eq!(
            files(listing).unwrap(),
            [("aa".to_owned(), PathBuf::from("one/two.yaml"))]
        );
        assert!(files(b"100644 blob aa\t../out.yaml\0").is_err());
    }
}
