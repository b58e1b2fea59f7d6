//! The product's commands: what `gizmos check`, `deploy --org` and all the others do.
//!
//! This is the one crate that prints, reads the environment and looks at the clock. Everything
//! else is done by the crates below it: `rules` loads and tests, `compiler` compiles, `deployer`
//! plans and applies through the ports that `aws` implements, `report` renders the results.
//!
//! - results go to standard output, in the format that `--format` names;
//! - progress and errors go to standard error;
//! - every command ends with one of the codes of [`Exit`].
//!
//! # Example
//!
//! ```
//! use cli::Exit;
//!
//! assert_eq!(Exit::Drift.code(), 5);
//! assert_eq!(Exit::Configuration.code(), 64);
//! ```
#![expect(
    clippy::print_stderr,
    reason = "progress and errors of a command line program"
)]

mod arguments;
mod commands;
mod connection;
mod events;
mod exit;
mod interrupt;
mod output;
mod progress;
mod project;
mod simulator_client;
mod spelling;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

pub use exit::Exit;

/// Runs the command that the process' arguments ask for.
pub fn main() -> ExitCode {
    spelling::install();
    let mut command = spelling::help(arguments::Arguments::command());
    let parsed = command
        .try_get_matches_from_mut(std::env::args_os())
        .and_then(|matches| arguments::Arguments::from_arg_matches(&matches))
        .map_err(|error| error.format(&mut command));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers; everything else is a wrong use, which is 64 here and
            // not clap's 2, because 2 says that a plan has changes.
            let exit = if error.use_stderr() {
                Exit::Configuration
            } else {
                Exit::Done
            };
            return match error.print() {
                Ok(()) => exit.into(),
                Err(_) => Exit::Failed.into(),
            };
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: could not start: {error}");
            return Exit::Failed.into();
        }
    };
    let result = runtime.block_on(async {
        tokio::select! {
            result = commands::run(arguments) => result,
            () = unclaimed_interrupt() => {
                eprintln!("\ninterrupted; run the same command again to go on");
                Ok(Exit::Interrupted)
            }
        }
    });
    // A simulator served by a task, or a blocking call under way, is not waited for.
    runtime.shutdown_background();
    match result {
        Ok(exit) => exit.into(),
        Err(error) if output::is_closed_pipe(&error) => Exit::Done.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            Exit::Failed.into()
        }
    }
}

/// Returns at a Ctrl-C that no command deals with itself.
async fn unclaimed_interrupt() {
    loop {
        // Without a handler for signals, the program can't be interrupted in an orderly way.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        if !interrupt::is_claimed() {
            return;
        }
    }
}
