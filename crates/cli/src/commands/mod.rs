//! One module per command.

mod backtest;
mod check;
mod compile;
mod completions;
mod deploy;
mod destroy;
mod doctor;
mod drift;
mod explain;
mod export;
mod fmt;
mod generate;
mod import;
mod matching;
mod new;
mod plan;
mod saved;
mod simulator;
mod vectors;
mod verify;

use anyhow::Result;
use compiler::Bundle;
use compiler::organization::Organization;
use serde_json::json;

use crate::arguments::{
    Arguments, Command, ExportCommand, Format, ImportCommand, ProjectArguments,
};
use crate::exit::Exit;
use crate::output;
use crate::project::Project;

/// Runs a command to its end.
pub(crate) async fn run(arguments: Arguments) -> Result<Exit> {
    let Arguments {
        project,
        format,
        command,
    } = arguments;
    if !command.writes(format) {
        eprintln!(
            "error: this command doesn't write that format\n\
             hint: `--format sarif` is for `check` and `drift`, `github` for `check`, `junit` for `drift`"
        );
        return Ok(Exit::Configuration);
    }
    // Boxed: these futures hold whole plans and reports, too much for the stack of each caller.
    match command {
        Command::Check(arguments) => check::run(&project, format, arguments),
        Command::Generate { mode } => generate::run(&project, mode),
        Command::Import {
            from: ImportCommand::Sigma(arguments),
        } => import::sigma(&project, format, &arguments),
        Command::Export {
            to: ExportCommand::Sigma(arguments),
        } => export::sigma(&project, format, &arguments),
        Command::Compile { out } => compile::run(&project, format, out),
        Command::Plan {
            target,
            detailed_exitcode,
            out,
        } => Box::pin(plan::run(&project, format, &target, detailed_exitcode, out)).await,
        Command::Doctor { target } => Box::pin(doctor::run(&project, format, &target)).await,
        Command::Deploy {
            target,
            no_verify,
            deployment,
        } => {
            Box::pin(deploy::run(
                &project,
                format,
                &target,
                !no_verify,
                &deployment,
            ))
            .await
        }
        Command::Verify { target } => Box::pin(verify::run(&project, format, &target)).await,
        Command::Drift { target, scope } => {
            Box::pin(drift::run(&project, format, &target, &(&scope).into())).await
        }
        Command::Destroy { target, confirm } => {
            Box::pin(destroy::run(&project, format, &target, confirm)).await
        }
        Command::Backtest(arguments) => backtest::run(&project, format, &arguments).await,
        Command::Explain { rule } => explain::run(&project, format, &rule),
        Command::Match { why, files } => matching::run(&project, format, why.as_deref(), &files),
        Command::Fmt { check, files } => fmt::run(&project, format, check, &files),
        Command::New(arguments) => new::run(&project, format, &arguments),
        Command::Completions { shell } => completions::run(shell),
        Command::Vectors { files } => vectors::run(format, &files),
        Command::Simulator { command } => simulator::run(format, command).await,
    }
}

/// A project that compiles, with what a deployment needs of it.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) project: Project,
    pub(crate) bundle: Bundle,
    pub(crate) organization: Organization,
}

/// Loads and compiles; prints every diagnostic. `None` if one of them is an error: then nothing may
/// be deployed, and the exit code is [`Exit::Configuration`].
pub(crate) fn compiled(arguments: &ProjectArguments, format: Format) -> Result<Option<Compiled>> {
    let project = Project::load(arguments);
    let (Some(bundle), Some(organization)) = (&project.bundle, &project.organization) else {
        print_diagnostics(&project, format)?;
        eprintln!("Nothing was deployed.");
        return Ok(None);
    };
    if !project.diagnostics.is_empty() {
        eprint!(
            "{}",
            report::diagnostics::terminal(&project.diagnostics, output::people_watch())
        );
    }
    let (bundle, organization) = (bundle.clone(), organization.clone());
    Ok(Some(Compiled {
        project,
        bundle,
        organization,
    }))
}

/// The diagnostics as a command's result: JSON on standard output if that is asked for, else text on
/// standard error.
pub(crate) fn print_diagnostics(project: &Project, format: Format) -> Result<()> {
    if format == Format::Json {
        return output::json(&json!({ "diagnostics": project.diagnostics }));
    }
    eprint!(
        "{}",
        report::diagnostics::terminal(&project.diagnostics, output::people_watch())
    );
    Ok(())
}
