//! The product's commands: what `gizmos check`, `deploy --org` and all the others do.
//!
//! This is the one crate that prints, reads the environment and looks at the clock, and it does so
//! in one module: [`run`] gets an [`Environment`]. Everything else is done by the crates below it:
//! `rules` loads and tests, `compiler` compiles, `deployer` plans and applies through the ports that
//! `aws` implements, `report` renders the results.
//!
//! - results go to standard output, in the format that `--format` names;
//! - progress and errors go to standard error;
//! - every command ends with one of the codes of [`Exit`].
//!
//! # Example
//!
//! A command runs in the process that calls it, beside others, and what it prints is captured:
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

/// Runs a command to its end. The first argument is the program's name.
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
            // Help and version are answers; everything else is a wrong use, which is 64 here and
            // not clap's 2, because 2 says that a plan has changes.
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
    // Doesn't wait for a blocking call that is still running.
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
