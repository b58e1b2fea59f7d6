//! The user's files: rules, organization file and templates, loaded and compiled.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use compiler::organization::{self, Organization};
use compiler::{Bundle, Templates};
use rules::{Library, Rule, TestOutcome};
use syntax::{Diagnostic, SourceFile};

use crate::arguments::ProjectArguments;

/// Rules about the scheduled look for drift, in the stack sets' folder.
const DRIFT_RULES: &str = "drift-rules";

/// Everything that a command needs to know of the user's files.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) rule_library: Library,
    pub(crate) outcomes: Vec<TestOutcome>,
    pub(crate) organization: Option<Organization>,
    /// The file that describes the organization.
    pub(crate) organization_file: PathBuf,
    /// `None` if a diagnostic stands in the way.
    pub(crate) bundle: Option<Bundle>,
    /// What is wrong, in all files at once; the tests' diagnostics included.
    pub(crate) diagnostics: Vec<Diagnostic>,
    root: PathBuf,
}

impl Project {
    /// Loads, tests and compiles. Never fails: what is wrong is in `diagnostics`.
    pub(crate) fn load(arguments: &ProjectArguments) -> Self {
        let root = root();
        let mut rule_library = library(arguments);
        let mut diagnostics = std::mem::take(&mut rule_library.diagnostics);

        let stacksets = stacksets_folder(arguments);
        let file = organization_file(arguments);
        let (mut organization, problems) = organization::load(&file);
        diagnostics.extend(problems);
        if let (Some(organization), Some(topology)) = (&mut organization, arguments.topology) {
            organization.topology = topology.into();
        }
        let mut more = drift_rules(organization.as_ref(), &stacksets);
        diagnostics.append(&mut more.diagnostics);
        rule_library.rules.append(&mut more.rules);
        let outcomes: Vec<TestOutcome> = rule_library
            .rules
            .iter()
            .flat_map(rules::run_tests)
            .collect();
        diagnostics.extend(outcomes.iter().filter_map(|it| it.diagnostic.clone()));

        let templates = Templates::load(&stacksets)
            .map_err(|problems| diagnostics.extend(problems))
            .ok();

        let mut bundle = None;
        if let (Some(organization), Some(templates)) = (&organization, &templates) {
            let (compiled, problems) =
                compiler::compile(&rule_library.rules, organization, templates);
            diagnostics.extend(problems);
            bundle = compiled;
        }
        if diagnostics.iter().any(Diagnostic::is_error) {
            bundle = None;
        }
        Self {
            rule_library,
            outcomes,
            organization,
            organization_file: file,
            bundle,
            diagnostics,
            root,
        }
    }

    /// The folder for the compiled templates, unless the user names another.
    pub(crate) fn default_output(&self) -> PathBuf {
        shown(&self.root, Path::new("target/stacksets"))
    }

    /// How many of the rules' tests passed, and how many there are.
    pub(crate) fn tests(&self) -> (usize, usize) {
        let passed = self.outcomes.iter().filter(|it| it.passed).count();
        (passed, self.outcomes.len())
    }
}

/// The rules alone, without their tests and without compiling.
pub(crate) fn library(arguments: &ProjectArguments) -> Library {
    rules::load(&rules_folder(arguments), &options())
}

/// The rules that would be deployed: those about drift are if there is a schedule for it.
pub(crate) fn deployed_library(arguments: &ProjectArguments) -> Library {
    let mut library = library(arguments);
    let (organization, _) = organization::load(&organization_file(arguments));
    let mut more = drift_rules(organization.as_ref(), &stacksets_folder(arguments));
    library.diagnostics.append(&mut more.diagnostics);
    library.rules.append(&mut more.rules);
    library
}

/// Rules about the scheduled look for drift; without a schedule there is nothing to be told about.
fn drift_rules(organization: Option<&Organization>, stacksets: &Path) -> Library {
    if organization.is_some_and(|it| it.drift_schedule.is_some()) {
        rules::load(&stacksets.join(DRIFT_RULES), &options())
    } else {
        Library::default()
    }
}

fn organization_file(arguments: &ProjectArguments) -> PathBuf {
    arguments.organization.as_ref().map_or_else(
        || stacksets_folder(arguments).join("organization.yaml"),
        |file| shown(&root(), file),
    )
}

/// The rule files of the project as they are, those about drift included.
pub(crate) fn rule_sources(
    arguments: &ProjectArguments,
) -> (Vec<Arc<SourceFile>>, Vec<Diagnostic>) {
    let (mut files, mut diagnostics) = rules::sources(&rules_folder(arguments));
    let drift = stacksets_folder(arguments).join(DRIFT_RULES);
    if drift.is_dir() {
        let (more, problems) = rules::sources(&drift);
        files.extend(more);
        diagnostics.extend(problems);
    }
    (files, diagnostics)
}

fn options() -> rules::Options {
    rules::Options {
        today: jiff::ZonedDateTime::now().date(),
    }
}

/// The rule of an id; else what to tell the user.
pub(crate) fn rule<'l>(library: &'l Library, id: &str) -> Result<&'l Rule, String> {
    if let Some(rule) = library.rules.iter().find(|rule| rule.id == id) {
        return Ok(rule);
    }
    let ids: Vec<&str> = library.rules.iter().map(|rule| rule.id.as_str()).collect();
    let hint = syntax::nearest(id, &ids).map_or_else(
        || {
            "a rule's id is its file's name without `.yaml`; rules with errors are left out, and \
             `cargo xtask check` shows those"
                .to_owned()
        },
        |near| format!("did you mean `{near}`?"),
    );
    Err(format!("error: there is no rule `{id}`\nhint: {hint}"))
}

/// The folder of the rules.
pub(crate) fn rules_folder(arguments: &ProjectArguments) -> PathBuf {
    shown(&root(), &arguments.rules)
}

/// The folder of the organization file and the stack sets' templates.
pub(crate) fn stacksets_folder(arguments: &ProjectArguments) -> PathBuf {
    shown(&root(), &arguments.stacksets)
}

/// The project's folder: where `cargo xtask` says it is, or the current one.
fn root() -> PathBuf {
    std::env::var_os("GIZMOS_ROOT").map_or_else(PathBuf::new, PathBuf::from)
}

/// A path of the project as people like to read it: relative to the current folder if it is below.
fn shown(root: &Path, path: &Path) -> PathBuf {
    let path = root.join(path);
    std::env::current_dir()
        .ok()
        .and_then(|current| path.strip_prefix(current).map(Path::to_path_buf).ok())
        // The current folder itself would be an empty path, which no system call takes.
        .filter(|shown| !shown.as_os_str().is_empty())
        .unwrap_or(path)
}
