//! The commands, one per module.

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
mod permissions;
mod plan;
mod simulator;
mod vectors;
mod verify;

use anyhow::Result;

use crate::arguments::{Arguments, Command, ExportCommand, ImportCommand};
use crate::environment::Environment;
use crate::exit::Exit;
use crate::invocation::Invocation;

/// Runs a command to completion.
pub(crate) async fn run(arguments: Arguments, environment: &Environment) -> Result<Exit> {
    let Arguments {
        project,
        format,
        command,
    } = arguments;
    if !command.writes(format) {
        environment.note(
            "error: this command doesn't write that format\n\
             hint: `--format sarif` is for `check` and `drift`, `github` for `check`, `junit` for `drift`",
        );
        return Ok(Exit::Configuration);
    }
    let invocation = &Invocation {
        environment,
        project: &project,
        format,
    };
    // Boxed, because these futures hold whole plans and reports, which are too large for each
    // caller's stack.
    match command {
        Command::Check(arguments) => check::run(invocation, arguments),
        Command::Generate { mode } => generate::run(invocation, mode),
        Command::Import {
            from: ImportCommand::Sigma(arguments),
        } => import::sigma(invocation, &arguments),
        Command::Export {
            to: ExportCommand::Sigma(arguments),
        } => export::sigma(invocation, &arguments),
        Command::Compile { out, regions } => compile::run(invocation, out.as_deref(), &regions),
        Command::Plan {
            target,
            detailed_exitcode,
            out,
        } => Box::pin(plan::run(invocation, &target, detailed_exitcode, out)).await,
        Command::Doctor { target } => Box::pin(doctor::run(invocation, &target)).await,
        Command::Permissions {
            command,
            account,
            out,
        } => permissions::run(invocation, command.into(), account, out.as_deref()),
        Command::Deploy {
            target,
            no_verify,
            fail_on_drift,
            deployment,
        } => {
            let afterward = deploy::Afterward {
                verify: !no_verify,
                fail_on_drift,
            };
            Box::pin(deploy::run(invocation, &target, afterward, &deployment)).await
        }
        Command::Verify { target, proof } => {
            Box::pin(verify::run(invocation, &target, &proof)).await
        }
        Command::Drift { target, scope } => {
            Box::pin(drift::run(invocation, &target, &(&scope).into())).await
        }
        Command::Destroy { target, confirm } => {
            Box::pin(destroy::run(invocation, &target, confirm)).await
        }
        Command::Backtest(arguments) => backtest::run(invocation, &arguments).await,
        Command::Explain { rule } => explain::run(invocation, &rule),
        Command::Match {
            why,
            all_regions,
            files,
        } => matching::run(invocation, why.as_deref(), all_regions, &files),
        Command::Fmt { check, files } => fmt::run(invocation, check, &files),
        Command::New(arguments) => new::run(invocation, &arguments),
        Command::Completions { shell } => completions::run(environment, shell),
        Command::Vectors { files } => vectors::run(invocation, &files),
        Command::Simulator { command } => simulator::run(invocation, command).await,
    }
}
