//! A folder of rules, read as a whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use syntax::{Diagnostic, Place, SourceFile, Span};

use crate::fixtures::Fixtures;
use crate::lint;
use crate::lower;
use crate::model::Rule;
use crate::outcome::run_tests;

/// The name of the schema of rule files, at the top of the rules folder.
pub const SCHEMA_FILE: &str = "rule.schema.json";
/// Most rule files in a library.
const MAX_FILES: usize = 10_000;
/// Deepest sub-folder.
const MAX_FOLDERS: usize = 8;

/// All rules of a folder and everything that is wrong with them.
#[derive(Clone, Debug, Default)]
pub struct Library {
    /// The rules without error diagnostics in their text, sorted by id, deprecated ones left out.
    /// Their tests are left to the caller, see [`run_tests`](crate::run_tests).
    pub rules: Vec<Rule>,
    /// Everything found, sorted by file and place. Any error among them forbids deploying.
    pub diagnostics: Vec<Diagnostic>,
    /// How many rule files there are.
    pub files: usize,
    /// How many comments `# allow: …` silence something.
    pub allowed: usize,
}

impl Library {
    /// Whether any diagnostic is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// What loading depends on besides the folder.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Today; exceptions expire against it.
    pub today: Date,
}

/// Loads and checks every rule (`*.yaml`) in a folder and its sub-folders.
///
/// `fixtures/` directly in the folder holds test events and is skipped, as are hidden files.
/// Links are refused, so nothing outside of the folder is read. Problems never stop the reading:
/// all of them are found in one run. The tests of a rule that has errors run here, since it is
/// not handed out; those of the library's rules are run by [`run_tests`](crate::run_tests).
///
/// Codes, beside those of [`syntax::parse`] and [`run_tests`](crate::run_tests):
/// `library::missing`, `library::empty`, `library::unreadable`, `library::symlink`,
/// `library::extension`, `library::too-many`, `rule::…`, `pattern::…`, `message::…`,
/// `exception::…`, `respond::…`, `test::…`.
pub fn load(directory: &Path, options: &Options) -> Library {
    let mut library = Library::default();
    if !directory.is_dir() {
        library.diagnostics.push(
            Diagnostic::error(
                "library::missing",
                format!("there is no rules folder `{}`", directory.display()),
            )
            .help("run the command from the repository's root, or name the folder"),
        );
        return library;
    }
    let mut paths = Vec::new();
    walk(directory, 0, &mut paths, &mut library.diagnostics);
    library.files = paths.len();
    if paths.is_empty() {
        library.diagnostics.push(
            Diagnostic::error(
                "library::empty",
                format!(
                    "the rules folder `{}` holds no rule (`*.yaml`)",
                    directory.display()
                ),
            )
            .help("deploying it would remove every deployed rule"),
        );
    }
    if paths.len() > MAX_FILES {
        library.diagnostics.push(Diagnostic::error(
            "library::too-many",
            format!("{} rule files are more than {MAX_FILES}", paths.len()),
        ));
        return library;
    }
    let mut fixtures = Fixtures::new(directory);
    let mut unreadable = Vec::new();
    let files = paths.iter().filter_map(|path| read(path, &mut unreadable));
    gather(&mut library, files, &mut fixtures, *options);
    library.diagnostics.append(&mut unreadable);
    sort(&mut library.diagnostics);
    library
}

/// The rule files of a folder as they are, and what stood in the way of reading others.
pub fn sources(directory: &Path) -> (Vec<Arc<SourceFile>>, Vec<Diagnostic>) {
    let (mut paths, mut diagnostics) = (Vec::new(), Vec::new());
    walk(directory, 0, &mut paths, &mut diagnostics);
    paths.truncate(MAX_FILES);
    let mut unreadable = Vec::new();
    let files = paths
        .iter()
        .filter_map(|path| read(path, &mut unreadable))
        .collect();
    diagnostics.append(&mut unreadable);
    (files, diagnostics)
}

/// Checks one rule that isn't in the folder yet, from its text; `directory` is where its fixtures
/// would be. Its own tests are left to the caller, as in [`load`].
pub fn check_file(file: &Arc<SourceFile>, directory: &Path, options: &Options) -> Library {
    let mut library = Library::default();
    let mut fixtures = Fixtures::new(directory);
    let files = std::iter::once(Arc::clone(file));
    gather(&mut library, files, &mut fixtures, *options);
    library.files = 1;
    sort(&mut library.diagnostics);
    library
}

fn gather(
    library: &mut Library,
    files: impl Iterator<Item = Arc<SourceFile>>,
    fixtures: &mut Fixtures,
    options: Options,
) {
    let mut ids: BTreeMap<String, Place> = BTreeMap::new();
    let mut allowances = Vec::new();
    for file in files {
        let lowered = lower::file(&file, fixtures, options.today);
        library.diagnostics.extend(lowered.diagnostics);
        if lowered.rule.is_some() {
            // Nothing was looked for in a file that is no rule, so nothing is unused there.
            allowances.push(lowered.allowances);
        }
        let mut duplicate = false;
        if let Some((id, place)) = lowered.id {
            if let Some(first) = ids.get(&id) {
                duplicate = true;
                library.diagnostics.push(
                    Diagnostic::error("rule::duplicate-id", format!("the id `{id}` is taken"))
                        .at(place)
                        .note(format!("it is also the id of {first}")),
                );
            } else {
                ids.insert(id, place);
            }
        }
        match lowered.rule {
            Some(rule) if lowered.sound && !duplicate => library.rules.push(rule),
            // Nobody else gets to see this rule, and one run shall show all problems.
            Some(rule) => library.diagnostics.extend(
                run_tests(&rule)
                    .into_iter()
                    .filter_map(|outcome| outcome.diagnostic),
            ),
            None => {}
        }
    }
    library.rules.sort_by(|a, b| a.id.cmp(&b.id));
    let mut shadowed = lint::shadow::check(&library.rules);
    for allowance in &mut allowances {
        allowance.filter(&mut shadowed);
    }
    library.diagnostics.extend(shadowed);
    for allowance in allowances {
        library.allowed += allowance.finish(&mut library.diagnostics);
    }
}

fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|a, b| position(a).cmp(&position(b)));
}

fn position(diagnostic: &Diagnostic) -> Option<(&Path, Span, &str)> {
    diagnostic
        .place
        .as_ref()
        .map(|place| (place.file.path.as_path(), place.span, diagnostic.code))
}

fn walk(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>, diagnostics: &mut Vec<Diagnostic>) {
    if depth > MAX_FOLDERS {
        diagnostics.push(Diagnostic::error(
            "library::unreadable",
            format!(
                "`{}` lies more than {MAX_FOLDERS} folders deep",
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
                // Generated, for editors.
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

fn read(path: &Path, diagnostics: &mut Vec<Diagnostic>) -> Option<Arc<SourceFile>> {
    let text = path.metadata().and_then(|metadata| {
        if metadata.len() > syntax::MAX_BYTES as u64 {
            return Ok(None);
        }
        std::fs::read_to_string(path).map(Some)
    });
    match text {
        Ok(Some(text)) => Some(Arc::new(SourceFile::new(path, text))),
        Ok(None) => {
            diagnostics.push(at_file(
                Diagnostic::error(
                    "yaml::too-large",
                    format!("the file has more than {} bytes", syntax::MAX_BYTES),
                ),
                path,
            ));
            None
        }
        Err(error) => {
            diagnostics.push(unreadable(path, &error));
            None
        }
    }
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

/// Points at a file whose text isn't at hand.
fn at_file(diagnostic: Diagnostic, path: &Path) -> Diagnostic {
    let file = Arc::new(SourceFile::new(path, ""));
    diagnostic.at(Place::new(&file, Span::default()))
}
