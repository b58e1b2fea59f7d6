//! `backtest`: what would the rules have said about the past?

use std::path::PathBuf;

use anyhow::Result;
use syntax::Finding;

use crate::arguments::{Format, ProjectArguments};
use crate::commands::print_findings;
use crate::exit::Exit;
use crate::output;
use crate::project::Project;

pub(crate) fn run(arguments: &ProjectArguments, format: Format, paths: &[PathBuf]) -> Result<Exit> {
    let project = Project::load(arguments);
    if project.findings.iter().any(Finding::is_error) {
        print_findings(&project, format)?;
        return Ok(Exit::Configuration);
    }
    let result = backtest::run(&project.library.rules, paths)?;
    if format == Format::Json {
        output::json(&result)?;
    } else {
        output::text(&report::backtest::terminal(&result))?;
    }
    Ok(Exit::Done)
}
