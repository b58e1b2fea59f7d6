//! Lists the rules folder and reads its files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use syntax::{Diagnostic, SourceFile, SourceLocation, Span};

/// File name of the JSON Schema at the top of the rules folder.
pub const SCHEMA_FILE: &str = "rule.schema.json";
/// Most rule files in a library.
pub(crate) const MAX_FILES: usize = 10_000;
/// Total size limit of the rule files of a library, in bytes.
pub(crate) const MAX_TOTAL_BYTES: usize = 8 * 1024 * 1024;
/// Diagnostics of a library after which no more of its files are checked.
pub const MAX_DIAGNOSTICS: usize = 1_000;
/// Deepest nesting of subfolders.
const MAX_FOLDERS: usize = 8;

/// The paths of a folder's rule files. Adds diagnostics for a folder that is missing, empty or too
/// large.
pub(crate) fn rule_files(directory: &Path, diagnostics: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    if !directory.is_dir() {
        diagnostics.push(
            Diagnostic::error(
                "library::missing",
                format!("there is no rules folder `{}`", directory.display()),
            )
            .help("run the command from the repository's root, or name the folder"),
        );
        return paths;
    }
    walk(directory, 0, &mut paths, diagnostics);
    if paths.is_empty() {
        diagnostics.push(
            Diagnostic::error(
                "library::empty",
                format!(
                    "the rules folder `{}` contains no rule files (`*.yaml`)",
                    directory.display()
                ),
            )
            .help("deploying it would remove every deployed rule"),
        );
    }
    if paths.len() > MAX_FILES {
        diagnostics.push(Diagnostic::error(
            "library::too-many",
            format!("{} rule files are more than {MAX_FILES}", paths.len()),
        ));
    }
    paths
}

/// The unparsed rule files of a folder, and a diagnostic for each unreadable one.
pub fn sources(directory: &Path) -> (Vec<Arc<SourceFile>>, Vec<Diagnostic>) {
    let (mut paths, mut diagnostics) = (Vec::new(), Vec::new());
    walk(directory, 0, &mut paths, &mut diagnostics);
    paths.truncate(MAX_FILES);
    let files = read(&paths, &mut diagnostics);
    (files, diagnostics)
}

fn walk(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>, diagnostics: &mut Vec<Diagnostic>) {
    if depth > MAX_FOLDERS {
        diagnostics.push(Diagnostic::error(
            "library::unreadable",
            format!(
                "`{}` is more than {MAX_FOLDERS} folders deep",
                folder.display()
            ),
        ));
        return;
    }
    let entries = std::fs::read_dir(folder).and_then(|entries| {
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            found.push((entry.path(), entry.file_type()?));
        }
        Ok(found)
    });
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => {
            diagnostics.push(unreadable(folder, &error));
            return;
        }
    };
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    for (path, kind) in entries {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with('.') || (depth == 0 && name == "fixtures") {
            continue;
        }
        if kind.is_symlink() {
            diagnostics.push(at_file(
                Diagnostic::error(
                    "library::symlink",
                    format!("`{}` is a link", path.display()),
                )
                .help("rules are plain files; links are not followed"),
                &path,
            ));
        } else if kind.is_dir() {
            walk(&path, depth + 1, paths, diagnostics);
        } else {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("yaml") => paths.push(path),
                // Generated for editors.
                _ if depth == 0 && name == SCHEMA_FILE => {}
                Some("yml" | "json") => diagnostics.push(at_file(
                    Diagnostic::error("library::extension", format!("`{name}` is not read"))
                        .help("rule files end in `.yaml`"),
                    &path,
                )),
                _ => {}
            }
        }
    }
}

/// Reads rule files, up to their total limit. All at once: together they are small, and whoever checks
/// them stops after many diagnostics.
pub(crate) fn read(paths: &[PathBuf], diagnostics: &mut Vec<Diagnostic>) -> Vec<Arc<SourceFile>> {
    let (mut files, mut total) = (Vec::new(), 0);
    for (index, path) in paths.iter().enumerate() {
        if diagnostics.len() >= MAX_DIAGNOSTICS {
            diagnostics.push(unchecked(paths.len() - index));
            break;
        }
        match syntax::files::read(path, syntax::MAX_BYTES) {
            Ok(text) => {
                total += text.len();
                if total > MAX_TOTAL_BYTES {
                    diagnostics.push(Diagnostic::error(
                        "library::too-many",
                        format!("the rule files have more than {MAX_TOTAL_BYTES} bytes together"),
                    ));
                    break;
                }
                files.push(Arc::new(SourceFile::new(path, text)));
            }
            Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
                diagnostics.push(at_file(
                    Diagnostic::error(
                        "yaml::too-large",
                        format!("the file has more than {} bytes", syntax::MAX_BYTES),
                    ),
                    path,
                ));
            }
            Err(error) => diagnostics.push(unreadable(path, &error)),
        }
    }
    files
}

/// Says that files were left out, because there are enough diagnostics.
pub(crate) fn unchecked(files: usize) -> Diagnostic {
    Diagnostic::error(
        "library::too-many",
        format!(
            "{files} rule files were not checked, because there are {MAX_DIAGNOSTICS} diagnostics"
        ),
    )
    .help("correct these first")
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    at_file(
        Diagnostic::error(
            "library::unreadable",
            format!("can't read `{}`: {error}", path.display()),
        ),
        path,
    )
}

/// Sets the location to a file whose text isn't available.
fn at_file(diagnostic: Diagnostic, path: &Path) -> Diagnostic {
    let file = Arc::new(SourceFile::new(path, ""));
    diagnostic.at(SourceLocation::new(&file, Span::default()))
}
