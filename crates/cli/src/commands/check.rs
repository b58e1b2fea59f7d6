//! `check`: are the rules and the organization file right?

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use report::plural;
use serde_json::json;
use syntax::{Finding, Fix};

use crate::arguments::{CheckArguments, Format, ProjectArguments};
use crate::commands::print_findings;
use crate::exit::Exit;
use crate::output;
use crate::project::Project;

/// A fix may make room for another one; more rounds than this would be a fix that undoes another.
const ROUNDS: usize = 10;

pub(crate) fn run(
    arguments: &ProjectArguments,
    format: Format,
    check: CheckArguments,
) -> Result<Exit> {
    let mut project = Project::load(arguments);
    let mut fixed = 0;
    if check.fix {
        for _ in 0..ROUNDS {
            let applied = mend(&project.findings)?;
            if applied == 0 {
                break;
            }
            fixed += applied;
            project = Project::load(arguments);
        }
    }
    let (passed, tests) = project.tests();
    let lints = rules::lint::registry().len();
    let rules = project.rule_library.rules.len();
    match format {
        Format::Json => output::json(&json!({
            "rules": rules,
            "tests": { "passed": passed, "failed": tests - passed },
            "lints": lints,
            "allowed": project.rule_library.allowed,
            "fixed": fixed,
            "findings": project.findings,
            "outcomes": project.outcomes,
        }))?,
        Format::Sarif => output::json(&report::sarif::findings(&project.findings, &lint_pages()))?,
        Format::Github => output::text(&report::github::findings(&project.findings))?,
        Format::Text | Format::Markdown | Format::Junit => {
            print_findings(&project, format)?;
            let mut line = format!(
                "{}, {}, {}: {passed} passed, {} failed; {}",
                plural(rules, "rule"),
                plural(lints, "lint"),
                plural(tests, "test"),
                tests - passed,
                report::findings::count(&project.findings)
            );
            if project.rule_library.allowed > 0 {
                line.push_str(&format!(", {} allowed", project.rule_library.allowed));
            }
            if fixed > 0 {
                line.push_str(&format!(", {fixed} fixed"));
            }
            output::text(&line)?;
        }
    }
    let fails = |finding: &Finding| finding.is_error() || check.deny_warnings;
    Ok(if project.findings.iter().any(fails) {
        Exit::Configuration
    } else {
        Exit::Done
    })
}

/// What the lints are about, for formats that carry it along.
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

/// Applies the fixes of all findings to their files; gives how many.
fn mend(findings: &[Finding]) -> Result<usize> {
    let mut files: BTreeMap<PathBuf, (&str, Vec<Fix>)> = BTreeMap::new();
    for finding in findings {
        if let (Some(place), Some(fix)) = (&finding.place, &finding.fix) {
            files
                .entry(place.file.path.clone())
                .or_insert_with(|| (place.file.text.as_str(), Vec::new()))
                .1
                .push(fix.clone());
        }
    }
    let mut applied = 0;
    for (path, (text, fixes)) in files {
        let (text, count) = syntax::apply(text, &fixes);
        if count > 0 {
            // Beside the file first: an interrupted write must not leave half a rule.
            let beside = path.with_extension("yaml.new");
            std::fs::write(&beside, text)
                .and_then(|()| std::fs::rename(&beside, &path))
                .with_context(|| format!("could not write {}", path.display()))?;
            applied += count;
        }
    }
    Ok(applied)
}
