//! Loads a folder of rules.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use syntax::{Diagnostic, SourceFile, SourceLocation, Span};

use crate::lint::allow::Allowances;
use crate::lint::{self, Linted};
use crate::model::Rule;
use crate::read::fixtures::Fixtures;
use crate::read::{self, folder};
use crate::test::run_tests;

/// The rules of a folder and their diagnostics.
#[derive(Clone, Debug, Default)]
pub struct Library {
    /// The rules without errors, sorted by id, without deprecated ones. Their tests haven't run;
    /// see [`run_tests`](crate::run_tests).
    pub rules: Vec<Rule>,
    /// All diagnostics, sorted by file and line. Any error blocks deployment.
    pub diagnostics: Vec<Diagnostic>,
    /// Number of rule files, invalid ones included.
    pub files: usize,
    /// Number of `# allow: …` comments that silence a diagnostic.
    pub allowed: usize,
}

impl Library {
    /// Whether any diagnostic is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Adds a checked file; `ids` are those of the files before it. Returns the file's allowances if it
    /// is a rule: the checks run only on rules, so only there can an allowance be unused.
    fn add(
        &mut self,
        linted: Linted,
        ids: &mut BTreeMap<String, SourceLocation>,
    ) -> Option<Allowances> {
        self.diagnostics.extend(linted.diagnostics);
        let duplicate = linted
            .id
            .and_then(|(id, location)| taken(ids, id, location));
        let is_unique = duplicate.is_none();
        self.diagnostics.extend(duplicate);
        match linted.rule {
            Some(rule) if linted.sound && is_unique => self.rules.push(rule),
            // The caller can't run the tests of a rule it doesn't get, and one run must show all
            // problems.
            Some(rule) => self.diagnostics.extend(
                run_tests(&rule)
                    .into_iter()
                    .filter_map(|outcome| outcome.diagnostic),
            ),
            None => return None,
        }
        Some(linted.allowances)
    }

    /// Counts what is allowed and reports what needn't be.
    fn finish(mut self, allowances: Vec<Allowances>) -> Self {
        for allowance in allowances {
            self.allowed += allowance.finish(&mut self.diagnostics);
        }
        sort(&mut self.diagnostics);
        self
    }
}

/// The inputs of loading besides the folder.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The current date; decides whether exceptions have expired.
    pub today: Date,
}

/// Loads and checks every rule (`*.yaml`) in a folder and its subfolders.
///
/// The top-level `fixtures/` contains test events and is skipped, as are hidden files. Links are
/// rejected, so nothing outside the folder is read. Loading continues after errors and reports all
/// of them in one run. The tests of a rule with errors run here, since the rule isn't returned;
/// [`run_tests`](crate::run_tests) runs those of the returned rules.
///
/// Codes, besides those of [`syntax::parse`] and [`run_tests`](crate::run_tests):
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
    let files = folder::read(&paths, &mut library.diagnostics);
    let mut allowances = gather(&mut library, &files, &mut fixtures, *options);
    let mut among_rules = lint::shadow::check(&library.rules);
    among_rules.extend(lint::omitted::check(&library.rules));
    for allowance in &mut allowances {
        allowance.filter(&mut among_rules);
    }
    library.diagnostics.extend(among_rules);
    library.finish(allowances)
}

/// Checks the text of a rule that isn't in the folder yet; its fixtures are read from `directory`.
/// Like [`load`], it doesn't run the tests of a valid rule.
pub fn check_file(file: &Arc<SourceFile>, directory: &Path, options: &Options) -> Library {
    let mut library = Library::default();
    let mut fixtures = Fixtures::new(directory);
    let files = std::slice::from_ref(file);
    // A rule alone says nothing about the rules beside it.
    let allowances = gather(&mut library, files, &mut fixtures, *options);
    library.files = 1;
    library.finish(allowances)
}

/// Checks files. Returns the allowances of those that are rules.
fn gather(
    library: &mut Library,
    files: &[Arc<SourceFile>],
    fixtures: &mut Fixtures,
    options: Options,
) -> Vec<Allowances> {
    let mut ids: BTreeMap<String, SourceLocation> = BTreeMap::new();
    let mut allowances = Vec::new();
    for (index, file) in files.iter().enumerate() {
        if library.diagnostics.len() >= folder::MAX_DIAGNOSTICS {
            library
                .diagnostics
                .push(folder::unchecked(files.len() - index));
            break;
        }
        let linted = lint::check(read::file(file, fixtures), options.today);
        allowances.extend(library.add(linted, &mut ids));
    }
    library.rules.sort_by(|a, b| a.id.cmp(&b.id));
    allowances
}

/// Registers an id, or reports that another rule has it.
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
