//! `cargo xtask …`: builds and runs the product (`gizmos`, in `crates/cli`), and runs the checks.
//!
//! This crate stays thin: it links no AWS SDK, so that `cargo xtask` starts in a blink. Every
//! argument that is not one of its own commands goes to the product unchanged, and so does the
//! product's exit code come back.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a developer's command line program"
)]

mod ci;
mod circles;
mod event_names;
mod graph;
mod language;
mod product;
mod shell;
mod third_parties;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    about = "Builds and runs Gizmos, and runs its checks",
    after_help = "Every other command is Gizmos' own, for example:\n  \
        cargo xtask deploy --org --simulator   try the whole chain on an embedded organization\n  \
        cargo xtask check                      lint the rules and run their tests\n  \
        cargo xtask help                       all of them",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every check: format, lints, docs, tests, rules, templates, third parties, dependencies
    Ci,
    /// Create the pinned Python environment and tools that the checks use, under `target/`
    Setup,
    /// Renew the table of AWS services and their operations from the pinned botocore
    EventNames,
    /// Measure the pattern engine next to JSON parsers, in a release build
    #[command(disable_help_flag = true)]
    Bench {
        /// Its own arguments; `cargo xtask bench --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Deploy in thousands of random organizations with faults and kills, and check what must hold
    #[command(disable_help_flag = true)]
    Campaign {
        /// Its own arguments; `cargo xtask campaign --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// A command of Gizmos
    #[command(external_subcommand)]
    Product(Vec<OsString>),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Ci => Ok(ci::run()),
        Command::Setup => third_parties::set_up().map(|()| ExitCode::SUCCESS),
        Command::EventNames => event_names::write().map(|()| ExitCode::SUCCESS),
        Command::Bench { arguments } => product::bench(&arguments),
        Command::Campaign { arguments } => product::campaign(&arguments),
        Command::Product(arguments) => product::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
