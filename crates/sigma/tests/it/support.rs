//! The Sigma rules in `tests/data`, one per modifier and form of condition.

use std::path::Path;
use std::sync::Arc;

use sigma::{Case, Imported, Options, Rule};
use syntax::{Diagnostic, SourceFile};

pub(crate) fn options() -> Options {
    Options {
        case: Case::Ignore,
        license: None,
        today: jiff::civil::date(2026, 11, 23),
    }
}

/// Every file, sorted by name.
pub(crate) fn files() -> Vec<Arc<SourceFile>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            Arc::new(SourceFile::new(path.file_name().unwrap(), text))
        })
        .collect()
}

pub(crate) fn name(file: &SourceFile) -> String {
    file.path
        .file_stem()
        .unwrap()
        .to_string_lossy()
        .into_owned()
}

pub(crate) fn import(file: &Arc<SourceFile>) -> Result<(Rule, Imported), Vec<Diagnostic>> {
    let rule = sigma::read(file)?;
    let imported = sigma::import(&rule, &options())?;
    Ok((rule, imported))
}

/// Every rule that can be imported.
pub(crate) fn all_imported() -> Vec<(String, Rule, Imported)> {
    files()
        .iter()
        .filter_map(|file| {
            let (rule, imported) = import(file).ok()?;
            Some((name(file), rule, imported))
        })
        .collect()
}
