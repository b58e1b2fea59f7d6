//! Reads and replaces the user's files.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;

use crate::environment::Environment;

/// One byte more than the YAML reader accepts, so that it can report the excess.
pub(crate) const YAML_LIMIT: u64 = syntax::MAX_BYTES as u64 + 1;

/// Reads a YAML file, but no more of it than is needed to detect that it is too large.
pub(crate) fn read_yaml(environment: &Environment, path: &Path) -> Result<Vec<u8>> {
    let shown = || format!("could not read {}", environment.shown(path).display());
    let mut bytes = Vec::new();
    File::open(environment.resolve(path))
        .with_context(shown)?
        .take(YAML_LIMIT)
        .read_to_end(&mut bytes)
        .with_context(shown)?;
    Ok(bytes)
}

/// Opens a file, and unpacks it if its name ends in `.gz`.
pub(crate) fn open_unpacked(environment: &Environment, path: &Path) -> Result<Box<dyn BufRead>> {
    let file = File::open(environment.resolve(path))
        .with_context(|| format!("could not read {}", path.display()))?;
    Ok(
        if path.extension().is_some_and(|extension| extension == "gz") {
            Box::new(BufReader::new(MultiGzDecoder::new(file)))
        } else {
            Box::new(BufReader::new(file))
        },
    )
}

/// The folder that a path of a command must not leave through a link: the project, for a path inside
/// it. A user who names another folder means that folder, wherever it is.
pub(crate) fn boundary(environment: &Environment, path: &Path) -> Option<PathBuf> {
    let root = environment.root();
    let is_inside = path.strip_prefix(&root).is_ok_and(|rest| {
        let mut parts = rest.components();
        parts.all(|it| it != Component::ParentDir)
    });
    is_inside.then_some(root)
}

/// Writes a file of the project, or of another folder that the user named.
pub(crate) fn write(environment: &Environment, path: &Path, text: &str) -> Result<()> {
    let resolved = environment.resolve(path);
    let boundary = boundary(environment, &resolved);
    let boundary = boundary.as_deref().or(resolved.parent());
    syntax::files::write(boundary.unwrap_or(&resolved), &resolved, text)
        .with_context(|| format!("could not write {}", environment.shown(&resolved).display()))
}

/// Replaces a user's file.
pub(crate) fn replace(environment: &Environment, path: &Path, text: &str) -> Result<()> {
    let resolved = environment.resolve(path);
    // Write a sibling file first: an interrupted write must not leave half a rule.
    let beside = resolved.with_extension("yaml.new");
    let leftover = std::fs::remove_file(&beside).or_else(|error| match error.kind() {
        ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    });
    leftover
        .and_then(|()| match boundary(environment, &resolved) {
            Some(boundary) => syntax::files::stay_inside(&boundary, &resolved),
            None => Ok(()),
        })
        .and_then(|()| File::create_new(&beside)?.write_all(text.as_bytes()))
        .and_then(|()| std::fs::rename(&beside, &resolved))
        .with_context(|| format!("could not write {}", environment.shown(path).display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let (environment, _) = Environment::captured(folder.path());
        std::fs::write(folder.path().join("a.yaml"), "old").unwrap();
        replace(&environment, Path::new("a.yaml"), "new").unwrap();
        let found: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(found.len(), 1);
        assert_eq!(
            read_yaml(&environment, Path::new("a.yaml")).unwrap(),
            b"new"
        );
        let error = replace(&environment, Path::new("no/a.yaml"), "new").unwrap_err();
        assert_eq!(error.to_string(), "could not write no/a.yaml");
    }
}
