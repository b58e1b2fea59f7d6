//! `check`: are the rules and the organization file right?

use anyhow::Result;
use report::plural;
use serde_json::json;
use syntax::Finding;

use crate::arguments::{Format, ProjectArguments};
use crate::commands::print_findings;
use crate::exit::Exit;
use crate::output;
use crate::project::Project;

pub(crate) fn run(arguments: &ProjectArguments, format: Format) -> Result<Exit> {
    let project = Project::load(arguments);
    let (passed, tests) = project.tests();
    if format == Format::Json {
        output::json(&json!({
            "rules": project.library.rules.len(),
            "tests": { "passed": passed, "failed": tests - passed },
            "findings": project.findings,
            "outcomes": project.outcomes,
        }))?;
    } else {
        print_findings(&project, format)?;
        output::text(&format!(
            "{}, {}: {passed} passed, {} failed; {}",
            plural(project.library.rules.len(), "rule"),
            plural(tests, "test"),
            tests - passed,
            report::findings::count(&project.findings)
        ))?;
    }
    Ok(if project.findings.iter().any(Finding::is_error) {
        Exit::Configuration
    } else {
        Exit::Done
    })
}
