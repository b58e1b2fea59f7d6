//! The command `check`: lints and tests the rules and the organization file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use anyhow::Result;
use report::plural;
use rules::Rule;
use rules::mutation::Fate;
use serde::Serialize;
use serde_json::json;
use syntax::{Diagnostic, Fix};

use crate::arguments::{CheckArguments, Format};
use crate::environment::Environment;
use crate::exit::Exit;
use crate::files;
use crate::invocation::Invocation;
use crate::project::Project;

/// Fixing one diagnostic can reveal another. If that takes more rounds than this, fixes undo each
/// other.
const ROUNDS: usize = 10;

pub(crate) fn run(invocation: &Invocation<'_>, check: CheckArguments) -> Result<Exit> {
    let environment = invocation.environment;
    let mut project = Project::load(invocation.files());
    let mut fixed = 0;
    if check.fix {
        for _ in 0..ROUNDS {
            let applied = fix(environment, &project.diagnostics)?;
            if applied == 0 {
                break;
            }
            fixed += applied;
            project = Project::load(invocation.files());
        }
    }
    let (passed, tests) = project.tests();
    let lints = rules::lint::registry().len();
    let rules = project.rule_library.rules.len();
    let mutations = check
        .mutations
        .then(|| Mutations::of(&project.rule_library.rules));
    match invocation.format {
        Format::Json => environment.print_json(&json!({
            "rules": rules,
            "tests": { "passed": passed, "failed": tests - passed },
            "lints": lints,
            "allowed": project.rule_library.allowed,
            "fixed": fixed,
            "mutations": mutations,
            "diagnostics": project.diagnostics,
            "outcomes": project.outcomes,
        }))?,
        Format::Sarif => environment.print_json(&report::sarif::diagnostics(
            &project.diagnostics,
            &lint_pages(),
        ))?,
        Format::Github => {
            environment.print_document(&report::github::diagnostics(&project.diagnostics))?;
        }
        Format::Text | Format::Markdown | Format::Junit => {
            invocation.print_diagnostics(&project)?;
            let mut line = format!(
                "{}, {}, {}: {passed} passed, {} failed; {}",
                plural(rules, "rule"),
                plural(lints, "lint"),
                plural(tests, "test"),
                tests - passed,
                report::diagnostics::count(&project.diagnostics)
            );
            if project.rule_library.allowed > 0 {
                line.push_str(&format!(", {} allowed", project.rule_library.allowed));
            }
            if fixed > 0 {
                line.push_str(&format!(", {fixed} fixed"));
            }
            environment.print(&line)?;
            if let Some(mutations) = &mutations {
                environment.print(&mutations.to_string())?;
            }
        }
    }
    let fails = |diagnostic: &Diagnostic| diagnostic.is_error() || check.deny_warnings;
    Ok(if project.diagnostics.iter().any(fails) {
        Exit::Configuration
    } else {
        Exit::Done
    })
}

/// How many changes of the rules' patterns a test or check would notice.
#[derive(Debug, Default, Serialize)]
struct Mutations {
    tested: usize,
    refused: usize,
    /// Rule id and a description of the change.
    survived: Vec<(String, String)>,
    /// Ids of rules that would have taken too much work.
    untried: Vec<String>,
}

impl Mutations {
    fn of(rules: &[Rule]) -> Self {
        let mut found = Self::default();
        let mut work = rules::mutation::MAX_WORK;
        for rule in rules {
            let Some(mutants) = rules::mutation::mutants(rule, &mut work) else {
                found.untried.push(rule.id.clone());
                continue;
            };
            for mutant in mutants {
                match mutant.fate {
                    Fate::Tested => found.tested += 1,
                    Fate::Refused => found.refused += 1,
                    Fate::Survived => found.survived.push((rule.id.clone(), mutant.change)),
                }
            }
        }
        found
    }
}

impl fmt::Display for Mutations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noticed = self.tested + self.refused;
        let all = noticed + self.survived.len();
        write!(
            f,
            "{} of patterns: {} break a test, {} are refused, {} go unnoticed ({:.1} % noticed)",
            plural(all, "change"),
            self.tested,
            self.refused,
            self.survived.len(),
            share(noticed, all)
        )?;
        for (rule, change) in &self.survived {
            write!(f, "\n  {rule}: {change}")?;
        }
        if !self.untried.is_empty() {
            write!(
                f,
                "\nnot tried, because it would take too much work: {}",
                self.untried.join(", ")
            )?;
        }
        Ok(())
    }
}

/// Percentage; 100 if there is nothing to count.
#[expect(clippy::cast_precision_loss, reason = "counts of a few thousand")]
fn share(part: usize, all: usize) -> f64 {
    if all == 0 {
        return 100.0;
    }
    100.0 * part as f64 / all as f64
}

/// Documentation of the lints, for formats that include it.
fn lint_pages() -> Vec<report::sarif::Page> {
    rules::lint::registry()
        .iter()
        .map(|lint| report::sarif::Page {
            code: lint.code,
            name: lint.name,
            about: lint.about,
        })
        .collect()
}

/// Applies all fixes to their files and returns the number of fixes.
fn fix(environment: &Environment, diagnostics: &[Diagnostic]) -> Result<usize> {
    let mut files: BTreeMap<PathBuf, (&str, Vec<Fix>)> = BTreeMap::new();
    for diagnostic in diagnostics {
        if let (Some(location), Some(fix)) = (&diagnostic.location, &diagnostic.fix) {
            files
                .entry(location.file.path.clone())
                .or_insert_with(|| (location.file.text.as_str(), Vec::new()))
                .1
                .push(fix.clone());
        }
    }
    let mut applied = 0;
    for (path, (text, fixes)) in files {
        let (text, count) = syntax::apply(text, &fixes);
        if count > 0 {
            files::replace(environment, &path, &text)?;
            applied += count;
        }
    }
    Ok(applied)
}
