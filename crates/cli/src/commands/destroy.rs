//! `destroy`: remove what was deployed.

use std::io::{BufRead, IsTerminal};

use anyhow::Result;
use compiler::{Bundle, Part};
use serde_json::json;

use crate::arguments::{Format, ProjectArguments, Target};
use crate::commands::{compiled, deploy};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::output;
use crate::progress::Display;

pub(crate) async fn run(
    arguments: &ProjectArguments,
    format: Format,
    target: &Target,
    confirm: Option<String>,
) -> Result<Exit> {
    let Some(compiled) = compiled(arguments, format)? else {
        return Ok(Exit::Configuration);
    };
    let id = &compiled.organization.id;
    let answer = match confirm {
        Some(answer) => answer,
        None if std::io::stdin().is_terminal() => ask(id)?,
        None => String::new(),
    };
    if answer.trim() != id {
        eprintln!(
            "error: not confirmed, nothing was removed\n\
             hint: `--confirm {id}` says that all detections of the organization are to go"
        );
        return Ok(Exit::Configuration);
    }
    let connection = Connection::open(target, &compiled.organization).await?;
    let removal = deployer::destroy(&connection.cloud, &compiled.bundle, &Display::new()).await?;
    let bucket = log_bucket(&compiled.bundle);
    if format == Format::Json {
        output::json(&json!({ "removal": removal, "kept": { "log_bucket": bucket } }))?;
    } else {
        output::text(&report::apply::terminal(&removal))?;
        output::text(&format!(
            "{}. Log buckets and keys stay, with all logs, and so does trusted access.",
            report::apply::summary(&removal, "Removed")
        ))?;
        if let Some(bucket) = bucket {
            output::text(&format!(
                "To deploy again, give `trail.bucket` in the organization file another name than \
                 {bucket}, or import that bucket."
            ))?;
        }
        output::text(&connection.calls_line().await?)?;
    }
    connection.close().await;
    Ok(deploy::exit_of(removal.outcome()))
}

/// The bucket that stays behind, and whose name is taken from now on.
fn log_bucket(bundle: &Bundle) -> Option<&str> {
    let set = bundle
        .stack_sets
        .iter()
        .find(|set| set.part == Part::Bucket)?;
    set.parameters.get("BucketName").map(String::as_str)
}

fn ask(organization: &str) -> Result<String> {
    eprint!(
        "This removes trail, topics and all detections from every account of {organization}.\n\
         Type the organization's id to go on: "
    );
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer)
}
