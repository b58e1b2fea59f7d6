//! How commands are spelled in what this program prints: `cargo xtask deploy --org` in a checkout of
//! the project, `gizmos deploy --org` elsewhere.

use remedy::Command;

/// Set by whatever starts the program under another name, as `cargo xtask` does.
const PROGRAM: &str = "GIZMOS_COMMAND";

/// The spelling that the texts in `arguments.rs` have.
const IN_HELP: &str = "cargo xtask";

/// How users start the program.
fn program() -> String {
    std::env::var(PROGRAM)
        .ok()
        .filter(|program| !program.is_empty())
        .unwrap_or_else(|| "gizmos".to_owned())
}

/// A command as users type it, between backticks.
pub(crate) fn command(arguments: &str) -> String {
    format!("`{} {arguments}`", program())
}

/// Makes the commands that libraries recommend readable.
pub(crate) fn install() {
    remedy::spell_with(|command| format!("{} {}", program(), arguments(command)));
}

fn arguments(command: Command) -> &'static str {
    match command {
        Command::Check => "check",
        Command::Deploy {
            allow_delete: false,
        } => "deploy --org",
        Command::Deploy { allow_delete: true } => "deploy --org --allow-delete",
        Command::Destroy => "destroy --org",
        Command::Drift { json: false } => "drift --org",
        Command::Drift { json: true } => "drift --org --format json",
    }
}

/// Spells the commands in a command's help, and in that of its subcommands.
pub(crate) fn help(command: clap::Command) -> clap::Command {
    let text = command.get_after_help().map(ToString::to_string);
    let command = match text {
        Some(text) => command.after_help(text.replace(IN_HELP, &program())),
        None => command,
    };
    command.mut_subcommands(help)
}
