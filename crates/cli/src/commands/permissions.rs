//! The command `permissions`: prints the IAM policies that another command needs.

use std::path::Path;

use anyhow::Result;
use deployer::permissions::{Command, Policy, Setting, policies};
use serde_json::json;

use crate::arguments::Format;
use crate::exit::Exit;
use crate::files;
use crate::invocation::Invocation;

pub(crate) fn run(
    invocation: &Invocation<'_>,
    command: Command,
    account: Option<String>,
    out: Option<&Path>,
) -> Result<Exit> {
    let environment = invocation.environment;
    let Some(compiled) = invocation.compiled("No policy was made.")? else {
        return Ok(Exit::Configuration);
    };
    let management = &compiled.organization.accounts.management;
    let account = account.unwrap_or_else(|| management.clone());
    if account.len() != 12 || !account.bytes().all(|it| it.is_ascii_digit()) {
        environment.note(format_args!(
            "error: {account:?} is not an account id\nhint: an account id has 12 digits"
        ));
        return Ok(Exit::Configuration);
    }
    let setting = Setting {
        bundle: &compiled.bundle,
        account: &account,
    };
    let policies = policies(setting, command);
    if let Some(folder) = out {
        write(invocation, folder, &policies)?;
    }
    match invocation.format {
        Format::Json => environment.print_json(&json!({
            "command": command.name(),
            "policies": policies,
        }))?,
        Format::Markdown => {
            environment.print_document(&report::permissions::markdown(command, &policies))?;
        }
        _ => environment.print(&report::permissions::terminal(command, &policies))?,
    }
    Ok(Exit::Done)
}

/// Writes each document to `NAME.json`.
fn write(invocation: &Invocation<'_>, folder: &Path, policies: &[Policy]) -> Result<()> {
    let environment = invocation.environment;
    let folder = environment.resolve(folder);
    for policy in policies {
        let path = folder.join(format!("{}.json", policy.name));
        files::write(environment, &path, &format!("{:#}\n", policy.document))?;
        environment.note(format_args!(
            "Wrote {}.",
            environment.shown(&path).display()
        ));
    }
    Ok(())
}
