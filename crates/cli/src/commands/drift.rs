//! `drift`: where does reality differ from the rules?

use anyhow::Result;
use deployer::DriftOptions;
use deployer::drift::DriftOutcome;

use crate::arguments::{Format, ProjectArguments, Target};
use crate::commands::compiled;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::output;
use crate::progress::Display;

pub(crate) async fn run(
    arguments: &ProjectArguments,
    format: Format,
    target: &Target,
    options: &DriftOptions,
) -> Result<Exit> {
    let Some(compiled) = compiled(arguments, format)? else {
        return Ok(Exit::Configuration);
    };
    let connection = Connection::open(target, &compiled.organization).await?;
    let drift = deployer::drift(
        &connection.cloud,
        &compiled.bundle,
        options,
        &Display::new(),
    )
    .await?;
    match format {
        Format::Text | Format::Github => {
            output::text(&report::drift::terminal(&drift))?;
            output::text(&connection.calls_line().await?)?;
        }
        Format::Sarif => {
            let rules = &compiled.project.rule_library.rules;
            let files = rules
                .iter()
                .map(|rule| (rule.id.clone(), rule.file.path.clone()))
                .collect();
            let organization = &compiled.project.organization_file;
            output::json(&report::drift::sarif(&drift, &files, organization))?;
        }
        Format::Junit => output::text(&report::drift::junit(&drift))?,
        Format::Markdown => output::text(&report::drift::markdown(&drift))?,
        Format::Json => output::json(&drift)?,
    }
    connection.close().await;
    Ok(match drift.outcome() {
        DriftOutcome::InSync => Exit::Done,
        DriftOutcome::Drifted => Exit::Drift,
        DriftOutcome::Incomplete => Exit::Failed,
        DriftOutcome::Blocked => Exit::Blocked,
    })
}
