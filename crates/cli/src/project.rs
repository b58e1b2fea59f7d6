//! The user's files, loaded and compiled: rules, organization file and templates.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use compiler::organization::{self, Organization};
use compiler::{Bundle, Placement, Templates};
use rules::{Library, Rule, TestOutcome};
use syntax::{Diagnostic, SourceFile};

use crate::arguments::ProjectArguments;
use crate::environment::Environment;
use crate::files;

/// Subfolder of the stack sets with rules about scheduled drift detection.
const DRIFT_RULES: &str = "drift-rules";

/// Locations of the user's files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Files<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) arguments: &'a ProjectArguments,
}

/// The loaded and compiled project.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) rule_library: Library,
    pub(crate) outcomes: Vec<TestOutcome>,
    pub(crate) organization: Option<Organization>,
    /// Path of the organization file.
    pub(crate) organization_file: PathBuf,
    /// `None` if there are errors.
    pub(crate) bundle: Option<Bundle>,
    /// `None` if the template sources can't be read.
    templates: Option<Templates>,
    /// All diagnostics of all files, including failed tests.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Folder for compiled templates, unless the user names another.
    pub(crate) default_output: PathBuf,
}

impl Project {
    /// Loads, tests and compiles. Never fails: errors are in `diagnostics`.
    pub(crate) fn load(files: Files<'_>) -> Self {
        let mut rule_library = files.load_rules(&files.rules());
        let mut diagnostics = std::mem::take(&mut rule_library.diagnostics);

        let stacksets = files.stacksets();
        let file = files.organization();
        let (mut organization, problems) = files.load_organization();
        diagnostics.extend(problems);
        if let (Some(organization), Some(topology)) = (&mut organization, files.arguments.topology)
        {
            organization.topology = topology.into();
        }
        let mut more = files.drift_rules(organization.as_ref());
        diagnostics.append(&mut more.diagnostics);
        rule_library.rules.append(&mut more.rules);
        let mut outcomes: Vec<TestOutcome> = Vec::new();
        for (index, rule) in rule_library.rules.iter().enumerate() {
            if diagnostics.len() >= rules::MAX_DIAGNOSTICS {
                diagnostics.push(untested(rule_library.rules.len() - index));
                break;
            }
            outcomes.extend(rules::run_tests(rule));
            let found = outcomes.iter_mut().rev().take(rule.tests.len()).rev();
            for diagnostic in found.filter_map(|it| it.diagnostic.as_mut()) {
                files.environment.relate(std::slice::from_mut(diagnostic));
                diagnostics.push(diagnostic.clone());
            }
        }

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
        files.environment.relate(&mut diagnostics);
        Self {
            rule_library,
            outcomes,
            organization,
            organization_file: files.environment.shown(&file),
            bundle,
            templates,
            diagnostics,
            default_output: files.resolve(Path::new("target/stacksets")),
        }
    }

    /// The bundle for a fleet on which rules may already be deployed: they stay in their stack sets.
    pub(crate) fn bundle_onto(&self, placement: &Placement) -> Result<Bundle> {
        let (Some(organization), Some(templates)) = (&self.organization, &self.templates) else {
            bail!("the project has errors");
        };
        let rules = &self.rule_library.rules;
        let (bundle, diagnostics) =
            compiler::compile_onto(rules, organization, templates, placement);
        let errors = diagnostics.iter().filter(|it| it.is_error());
        let messages: Vec<&str> = errors.map(|it| it.message.as_str()).collect();
        bundle.with_context(|| {
            format!(
                "the rules don't fit the deployed stack sets: {}",
                messages.join("; ")
            )
        })
    }

    /// Compiles again for an organization whose Regions are resolved; the rules and tests stay. Adds
    /// only diagnostics that aren't there yet.
    pub(crate) fn compile_for(&mut self, files: Files<'_>, organization: &Organization) {
        self.organization = Some(organization.clone());
        let Some(templates) = &self.templates else {
            return;
        };
        let rules = &self.rule_library.rules;
        let (bundle, mut problems) = compiler::compile(rules, organization, templates);
        files.environment.relate(&mut problems);
        problems.retain(|problem| !self.diagnostics.contains(problem));
        self.diagnostics.extend(problems);
        self.bundle = bundle;
    }

    /// The number of passed tests, and of all tests.
    pub(crate) fn tests(&self) -> (usize, usize) {
        let passed = self.outcomes.iter().filter(|it| it.passed).count();
        (passed, self.outcomes.len())
    }
}

impl Files<'_> {
    /// Resolves a path of the project, relative to `GIZMOS_ROOT` or the current folder.
    fn resolve(self, path: &Path) -> PathBuf {
        self.environment
            .resolve(&self.environment.root().join(path))
    }

    /// Folder of the rules.
    pub(crate) fn rules(self) -> PathBuf {
        self.resolve(&self.arguments.rules)
    }

    /// Folder of the organization file and the templates.
    pub(crate) fn stacksets(self) -> PathBuf {
        self.resolve(&self.arguments.stacksets)
    }

    fn organization(self) -> PathBuf {
        self.arguments.organization.as_ref().map_or_else(
            || self.stacksets().join("organization.yaml"),
            |file| self.resolve(file),
        )
    }

    /// The organization, if its file is valid.
    pub(crate) fn organization_alone(self) -> Option<Organization> {
        self.load_organization().0
    }

    /// The organization file, unless a link in the project leads to a file elsewhere.
    fn load_organization(self) -> (Option<Organization>, Vec<Diagnostic>) {
        let file = self.organization();
        match self.outside(&file) {
            Some(diagnostic) => (None, vec![diagnostic]),
            None => organization::load(&file),
        }
    }

    /// Reports a path of the project that a link leads elsewhere.
    fn outside(self, path: &Path) -> Option<Diagnostic> {
        let boundary = files::boundary(self.environment, path)?;
        let error = syntax::files::stay_inside(&boundary, path).err()?;
        (error.kind() == ErrorKind::PermissionDenied).then(|| {
            Diagnostic::error(
                "library::symlink",
                format!("`{}` is not read: {error}", path.display()),
            )
        })
    }

    /// The rules alone, without running tests or compiling.
    pub(crate) fn library(self) -> Library {
        self.load_rules(&self.rules())
    }

    /// The rules of a deployment, and the organization if its file is valid. Rules about drift are
    /// included only if a drift schedule is configured.
    pub(crate) fn deployed_library(self) -> (Library, Option<Organization>) {
        let mut library = self.library();
        let organization = self.organization_alone();
        let mut more = self.drift_rules(organization.as_ref());
        library.diagnostics.append(&mut more.diagnostics);
        library.rules.append(&mut more.rules);
        if let Some(organization) = &organization {
            for rule in &mut library.rules {
                let deployed = compiler::as_deployed(rule, organization);
                *rule = deployed.into_owned();
            }
        }
        (library, organization)
    }

    /// Loads the rules of any folder.
    pub(crate) fn load_rules(self, folder: &Path) -> Library {
        let options = rules::Options {
            today: self.environment.today(),
        };
        let mut library = match self.outside(folder) {
            None => rules::load(folder, &options),
            Some(diagnostic) => Library {
                diagnostics: vec![diagnostic],
                ..Library::default()
            },
        };
        self.environment.relate(&mut library.diagnostics);
        library
    }

    /// Rules about scheduled drift detection; without a schedule they could never fire.
    fn drift_rules(self, organization: Option<&Organization>) -> Library {
        if organization.is_some_and(|it| it.drift_schedule.is_some()) {
            self.load_rules(&self.stacksets().join(DRIFT_RULES))
        } else {
            Library::default()
        }
    }

    /// Sources of all rule files, including those about drift.
    pub(crate) fn rule_sources(self) -> (Vec<Arc<SourceFile>>, Vec<Diagnostic>) {
        let folder = self.rules();
        if let Some(diagnostic) = self.outside(&folder) {
            return (Vec::new(), vec![diagnostic]);
        }
        let (mut files, mut diagnostics) = rules::sources(&folder);
        let drift = self.stacksets().join(DRIFT_RULES);
        if drift.is_dir() {
            let (more, problems) = rules::sources(&drift);
            files.extend(more);
            diagnostics.extend(problems);
        }
        self.environment.relate(&mut diagnostics);
        (files, diagnostics)
    }
}

/// Says that tests were left out, because there are enough diagnostics.
fn untested(rules: usize) -> Diagnostic {
    let rules = report::plural(rules, "rule");
    let problem = format!(
        "the tests of {rules} were not run, because there are {} diagnostics",
        rules::MAX_DIAGNOSTICS
    );
    Diagnostic::error("library::too-many", problem).help("correct these first")
}

/// Finds a rule by id; otherwise returns an error message for the user.
pub(crate) fn rule<'l>(library: &'l Library, id: &str) -> std::result::Result<&'l Rule, String> {
    if let Some(rule) = library.rules.iter().find(|rule| rule.id == id) {
        return Ok(rule);
    }
    let ids: Vec<&str> = library.rules.iter().map(|rule| rule.id.as_str()).collect();
    let hint = syntax::nearest(id, &ids).map_or_else(
        || {
            format!(
                "a rule's id is its file's name without `.yaml`; rules with errors are skipped, and \
                 {} shows those",
                crate::spelling::command("check")
            )
        },
        |near| format!("did you mean `{near}`?"),
    );
    Err(format!("error: there is no rule `{id}`\nhint: {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_rule_comes_with_a_hint() {
        let error = rule(&Library::default(), "no-such-rule").unwrap_err();
        assert!(
            error.starts_with("error: there is no rule `no-such-rule`\nhint: "),
            "{error}"
        );
    }

    #[test]
    fn files_are_below_the_root_that_the_environment_names() {
        let arguments = ProjectArguments {
            rules: "rules".into(),
            stacksets: "stacksets".into(),
            organization: Some("/etc/organization.yaml".into()),
            topology: None,
        };
        let (here, _) = Environment::captured("/home/alice/project/crates");
        let (elsewhere, _) = Environment::captured("/home/alice/project/crates");
        let elsewhere = elsewhere.with_variable("GIZMOS_ROOT", "/home/alice/project");
        let (beside, _) = Environment::captured("/home/alice/project/crates");
        let beside = beside.with_variable("GIZMOS_ROOT", "../proposal");
        for (environment, root) in [
            (&here, "/home/alice/project/crates"),
            (&elsewhere, "/home/alice/project"),
            (&beside, "/home/alice/project/crates/../proposal"),
        ] {
            let files = Files {
                environment,
                arguments: &arguments,
            };
            assert_eq!(files.rules(), Path::new(root).join("rules"));
            // Links must not lead out of it.
            let boundary = files::boundary(environment, &files.rules());
            assert_eq!(boundary.as_deref(), Some(Path::new(root)));
            assert_eq!(files.organization(), Path::new("/etc/organization.yaml"));
        }
    }
}
