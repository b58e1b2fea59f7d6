//! The command `destroy`: removes everything that was deployed.

use anyhow::Result;
use compiler::organization::Trail;
use compiler::{Bundle, Part};
use deployer::permissions::Command as Permissions;
use serde_json::json;

use crate::arguments::{Format, Target};
use crate::deployment;
use crate::exit::Exit;
use crate::invocation::Invocation;
use crate::progress::Display;
use crate::resolved;

pub(crate) async fn run(
    invocation: &Invocation<'_>,
    target: &Target,
    confirm: Option<String>,
) -> Result<Exit> {
    let environment = invocation.environment;
    let Some(compiled) = invocation.compiled("Nothing was removed.")? else {
        return Ok(Exit::Configuration);
    };
    let id = compiled.organization.id.clone();
    let trail = match compiled.organization.trail {
        Trail::Own(_) => "the trail, ",
        Trail::Existing(_) => "",
    };
    let answer = match confirm {
        Some(answer) => Some(answer),
        None => environment.ask(&format!(
            "This removes {trail}the topics and all detections from every account of {id}.\n\
             Type the organization's id to continue: "
        ))?,
    };
    if answer.as_deref().map(str::trim) != Some(id.as_str()) {
        environment.note(format_args!(
            "error: not confirmed, nothing was removed\n\
             hint: `--confirm {id}` confirms that all detections of the organization are removed"
        ));
        return Ok(Exit::Configuration);
    }
    let why = "Nothing was removed.";
    resolved::with_regions(
        invocation,
        target,
        Permissions::Deploy,
        compiled,
        &[],
        why,
        async |connection, compiled| {
            let progress = Display::new(environment);
            let removal = deployer::destroy(&connection.cloud, &compiled.bundle, &progress).await?;
            let bucket = log_bucket(&compiled.bundle);
            if invocation.format == Format::Json {
                let document = json!({ "removal": removal, "kept": { "log_bucket": bucket } });
                environment.print_json(&document)?;
            } else {
                environment.print(&text(&removal, &compiled.bundle))?;
                environment.print(&connection.calls_line().await?)?;
            }
            Ok(deployment::exit_of(removal.outcome()))
        },
    )
    .await
}

fn text(removal: &deployer::ApplyReport, bundle: &Bundle) -> String {
    let mut text = report::apply::terminal(removal);
    let trail = match bundle.organization.trail {
        Trail::Own(_) => "",
        Trail::Existing(_) => "; the existing trail is not touched",
    };
    text.push_str(&format!(
        "{}{trail}. Log buckets, their logs, keys and trusted access remain.\n",
        report::apply::summary(removal, "Removed")
    ));
    if let Some(bucket) = log_bucket(bundle) {
        text.push_str(&format!(
            "To deploy again, give `trail.bucket` in the organization file another name than \
             {bucket}, or import that bucket.\n"
        ));
    }
    text
}

/// The log bucket, which remains, so that its name can't be used again.
fn log_bucket(bundle: &Bundle) -> Option<&str> {
    let set = bundle
        .stack_sets
        .iter()
        .find(|set| set.part == Part::Bucket)?;
    set.parameters.get("BucketName").map(String::as_str)
}
