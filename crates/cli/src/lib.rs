//! The product's commands, such as `gizmos check` and `gizmos deploy --org`.
//!
//! This is the only crate that prints, reads the environment and looks at the clock, and it does so
//! in a single module: [`run`] takes an [`Environment`]. The crates below do everything else:
//! `rules` loads and tests, `compiler` compiles, `deployer` plans and applies through the ports
//! that `aws` implements, and `report` renders results.
//!
//! - Results go to standard output in the format selected with `--format`.
//! - Progress and errors go to standard error.
//! - Every command ends with one of the codes in [`Exit`].
//!
//! # Example
//!
//! A command runs in the calling process, possibly next to others, and its output is captured:
//!
//! ```
//! use cli::{Environment, Exit};
//!
//! let (environment, captured) = Environment::captured("/home/alice/detections");
//! let exit = cli::run(["gizmos", "plan", "--orgg"], &environment);
//! assert_eq!(exit, Exit::Configuration);
//! assert_eq!(exit.code(), 64);
//! assert!(captured.errors().contains("unexpected argument '--orgg'"));
//! assert_eq!(captured.output(), "");
//! ```

mod arguments;
mod commands;
mod connection;
mod deployment;
mod detach;
mod environment;
mod events;
mod exit;
mod files;
mod interrupts;
mod invocation;
mod progress;
mod project;
mod resolved;
mod saved_plan;
mod simulator_client;
mod spelling;
mod verification;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches};

use arguments::Arguments;

pub use environment::{Captured, Environment};
pub use exit::Exit;
pub use interrupts::{Interrupter, Interrupts};

/// Runs a command to completion. The first argument is the program's name.
pub fn run<I>(arguments: I, environment: &Environment) -> Exit
where
    I: IntoIterator,
    I::Item: Into<OsString> + Clone,
{
    spelling::install(environment);
    let mut command = spelling::help(Arguments::command());
    let parsed = command
        .try_get_matches_from_mut(arguments)
        .and_then(|matches| Arguments::from_arg_matches(&matches))
        .map_err(|error| error.format(&mut command));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are results. Everything else is wrong usage, which exits with 64
            // instead of clap's 2, because 2 means that a plan has changes.
            let exit = if error.use_stderr() {
                Exit::Configuration
            } else {
                Exit::Done
            };
            return match environment.print_usage(&error) {
                Ok(()) => exit,
                Err(_) => Exit::Failed,
            };
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            environment.note(format_args!("error: could not start: {error}"));
            return Exit::Failed;
        }
    };
    let result = runtime.block_on(async {
        tokio::select! {
            result = commands::run(arguments, environment) => result,
            () = environment.interrupts().unclaimed() => {
                environment.note("\ninterrupted; run the same command again to continue");
                Ok(Exit::Interrupted)
            }
        }
    });
    // Don't wait for a blocking call that is still running.
    runtime.shutdown_background();
    match result {
        Ok(exit) => exit,
        Err(error) if environment::is_closed_pipe(&error) => Exit::Done,
        Err(error) => {
            environment.note_error(&error);
            Exit::Failed
        }
    }
}
