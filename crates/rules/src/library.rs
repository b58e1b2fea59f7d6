//! A folder of rules, read as a whole.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use syntax::{Diagnostic, SourceFile, SourceLocation, Span};

use crate::lint;
use crate::model::Rule;
use crate::read::fixtures::Fixtures;
use crate::read::{self, folder};
use crate::test::run_tests;

/// All rules of a folder and everything that is wrong with them.
#[derive(Clone, Debug, Default)]
pub struct Library {
    /// The rules without error diagnostics in their text, sorted by id, deprecated ones left out.
    /// Their tests are left to the caller, see [`run_tests`](crate::run_tests).
    pub rules: Vec<Rule>,
    /// All diagnostics, sorted by file and line. Any error among them forbids deploying.
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
    let paths = folder::rule_files(directory, &mut library.diagnostics);
    library.files = paths.len();
    if paths.len() > folder::MAX_FILES {
        return library;
    }
    let mut fixtures = Fixtures::new(directory);
    let mut unreadable = Vec::new();
    let files = paths
        .iter()
        .filter_map(|path| folder::read(path, &mut unreadable));
    gather(&mut library, files, &mut fixtures, *options);
    library.diagnostics.append(&mut unreadable);
    sort(&mut library.diagnostics);
    library
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
    let mut ids: BTreeMap<String, SourceLocation> = BTreeMap::new();
    let mut allowances = Vec::new();
    for file in files {
        let linted = lint::check(read::file(&file, fixtures), options.today);
        library.diagnostics.extend(linted.diagnostics);
        if linted.rule.is_some() {
            // The checks look into rules only, so elsewhere no allowance is unused.
            allowances.push(linted.allowances);
        }
        let duplicate = linted
            .id
            .and_then(|(id, location)| taken(&mut ids, id, location));
        let is_unique = duplicate.is_none();
        library.diagnostics.extend(duplicate);
        match linted.rule {
            Some(rule) if linted.sound && is_unique => library.rules.push(rule),
            // The caller doesn't get this rule, and one run must show all problems.
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

/// Takes an id, or says who has it.
fn taken(
    ids: &mut BTreeMap<String, SourceLocation>,
    id: String,
    location: SourceLocation,
) -> Option<Diagnostic> {
    if let Some(first) = ids.get(&id) {
        let diagnostic = Diagnostic::error("rule::duplicate-id", format!("the id `{id}` is taken"))
            .at(location)
            .note(format!("it is also the id of {first}"));
        return Some(diagnostic);
    }
    ids.insert(id, location);
    None
}

fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|a, b| position(a).cmp(&position(b)));
}

fn position(diagnostic: &Diagnostic) -> Option<(&Path, Span, &str)> {
    diagnostic
        .location
        .as_ref()
        .map(|location| (location.file.path.as_path(), location.span, diagnostic.code))
}
