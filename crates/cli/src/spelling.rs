//! Spells commands for display: `cargo xtask deploy --org` in a checkout of the project, otherwise
//! `gizmos deploy --org`.

use std::sync::OnceLock;

use remedy::Command;

use crate::environment::Environment;

/// Set by programs that start this one under another name, such as `cargo xtask`.
const PROGRAM: &str = "GIZMOS_COMMAND";

/// The spelling used in `arguments.rs`.
const IN_HELP: &str = "cargo xtask";

/// How users start the program. Set once, because it is the same for all commands of a process.
static STARTED_AS: OnceLock<String> = OnceLock::new();

fn program() -> &'static str {
    STARTED_AS.get().map_or("gizmos", String::as_str)
}

/// A command as users type it, in backticks.
pub(crate) fn command(arguments: &str) -> String {
    format!("`{} {arguments}`", program())
}

/// Makes libraries use this spelling in their recommendations.
pub(crate) fn install(environment: &Environment) {
    if let Some(name) = environment.variable(PROGRAM).filter(|it| !it.is_empty()) {
        STARTED_AS.get_or_init(|| name.to_string_lossy().into_owned());
    }
    remedy::spell_with(|command| format!("{} {}", program(), arguments(command)));
}

fn arguments(command: Command) -> &'static str {
    match command {
        Command::Check => "check",
        Command::Deploy {
            allow_delete: false,
        } => "deploy --org",
        Command::Deploy { allow_delete: true } => "deploy --org --allow-delete",
        Command::Doctor => "doctor --org",
        Command::Destroy => "destroy --org",
        Command::Drift {
            json: false,
            deep: false,
        } => "drift --org",
        Command::Drift {
            json: true,
            deep: false,
        } => "drift --org --format json",
        Command::Drift {
            json: false,
            deep: true,
        } => "drift --org --deep",
        Command::Drift {
            json: true,
            deep: true,
        } => "drift --org --deep --format json",
        Command::Permissions => "permissions deploy",
    }
}

/// Spells the commands in the help of a command and its subcommands.
pub(crate) fn help(command: clap::Command) -> clap::Command {
    let text = command.get_after_help().map(ToString::to_string);
    let command = match text {
        Some(text) => command.after_help(text.replace(IN_HELP, program())),
        None => command,
    };
    command.mut_subcommands(help)
}
