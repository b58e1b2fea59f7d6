//! Loads a folder of rules.

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
    let among_rules = |rules: &[Rule]| {
        let mut diagnostics = lint::shadow::check(rules);
        diagnostics.extend(lint::omitted::check(rules));
        diagnostics
    };
    gather(
        &mut library,
        files.into_iter(),
        &mut fixtures,
        *options,
        among_rules,
    );
    sort(&mut library.diagnostics);
    library
}

/// Checks the text of a rule that isn't in the folder yet; its fixtures are read from `directory`.
/// Like [`load`], it doesn't run the tests of a valid rule.
pub fn check_file(file: &Arc<SourceFile>, directory: &Path, options: &Options) -> Library {
    let mut library = Library::default();
    let mut fixtures = Fixtures::new(directory);
    let files = std::iter::once(Arc::clone(file));
    // A rule alone says nothing about the rules beside it.
    gather(&mut library, files, &mut fixtures, *options, |_| Vec::new());
    library.files = 1;
    sort(&mut library.diagnostics);
    library
}

fn gather(
    library: &mut Library,
    mut files: impl ExactSizeIterator<Item = Arc<SourceFile>>,
    fixtures: &mut Fixtures,
    options: Options,
    among_rules: impl Fn(&[Rule]) -> Vec<Diagnostic>,
) {
    let mut ids: BTreeMap<String, SourceLocation> = BTreeMap::new();
    let mut allowances = Vec::new();
    while let Some(file) = files.next() {
        if library.diagnostics.len() >= folder::MAX_DIAGNOSTICS {
            let unchecked = folder::unchecked(files.len() + 1);
            library.diagnostics.push(unchecked);
            break;
        }
        let linted = lint::check(read::file(&file, fixtures), options.today);
        library.diagnostics.extend(linted.diagnostics);
        if linted.rule.is_some() {
            // Checks run only on files that are rules, so only their allowances can be unused.
            allowances.push(linted.allowances);
        }
        let duplicate = linted
            .id
            .and_then(|(id, location)| taken(&mut ids, id, location));
        let is_unique = duplicate.is_none();
        library.diagnostics.extend(duplicate);
        match linted.rule {
            Some(rule) if linted.sound && is_unique => library.rules.push(rule),
            // The caller can't run the tests of a rule it doesn't get, and one run must show all
            // problems.
            Some(rule) => library.diagnostics.extend(
                run_tests(&rule)
                    .into_iter()
                    .filter_map(|outcome| outcome.diagnostic),
            ),
            None => {}
        }
    }
    library.rules.sort_by(|a, b| a.id.cmp(&b.id));
    let mut among_rules = among_rules(&library.rules);
    for allowance in &mut allowances {
        allowance.filter(&mut among_rules);
    }
    library.diagnostics.extend(among_rules);
    for allowance in allowances {
        library.allowed += allowance.finish(&mut library.diagnostics);
    }
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
