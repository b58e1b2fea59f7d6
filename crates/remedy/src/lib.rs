//! What a user can do about a problem, as data: text and commands of this program.
//!
//! Libraries refer to a command as a [`Command`]. How the user types it depends on how the program
//! was started, which only the program knows, so the program calls [`spell_with`] once. Until then,
//! a command shows its bare name.
//!
//! The spelling is global to the process rather than part of each report, because it affects only
//! text: reports stay plain values that compare equal, and every output format spells commands the
//! same way.
//!
//! # Example
//!
//! ```
//! use remedy::{Command, Remedy};
//!
//! let remedy = Remedy::from("free the name, then run ").command(Command::Deploy { allow_delete: false });
//! assert_eq!(remedy.to_string(), "free the name, then run `deploy`");
//!
//! remedy::spell_with(|command| format!("gizmos {}", match command {
//!     Command::Deploy { .. } => "deploy --org",
//!     _ => "help",
//! }));
//! assert_eq!(remedy.to_string(), "free the name, then run `gizmos deploy --org`");
//! ```

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use serde::{Serialize, Serializer};

static SPELLING: OnceLock<fn(Command) -> String> = OnceLock::new();

/// Sets how this process spells commands. Only the first call has an effect.
pub fn spell_with(spelling: fn(Command) -> String) {
    SPELLING.get_or_init(|| spelling);
}

/// A command of this program that a library can recommend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Reports errors in the project's files.
    Check,
    /// Makes the fleet match the rules.
    Deploy {
        /// Allows removing many stack instances.
        allow_delete: bool,
    },
    /// Removes the whole fleet.
    Destroy,
    /// Checks whether a deployment can start.
    Doctor,
    /// Compares the fleet with the rules.
    Drift {
        /// Requests the report as JSON, which is complete.
        json: bool,
        /// Reads the targets of every rule.
        deep: bool,
    },
    /// Prints the IAM policies of a deployment.
    Permissions,
}

/// The command in backticks, as the user types it.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(spell) = SPELLING.get() {
            return write!(f, "`{}`", spell(*self));
        }
        f.write_str(match self {
            Command::Check => "`check`",
            Command::Deploy { .. } => "`deploy`",
            Command::Destroy => "`destroy`",
            Command::Doctor => "`doctor`",
            Command::Drift { .. } => "`drift`",
            Command::Permissions => "`permissions deploy`",
        })
    }
}

/// What to do about a problem. Serializes as its display text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Run this command.
    Run(Command),
    /// Follow this text.
    Text(Vec<Part>),
}

/// A fragment of a remedy's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text, shown verbatim.
    Words(Cow<'static, str>),
    /// A command, shown as the user types it.
    Command(Command),
}

impl Remedy {
    /// Run `deploy` without options.
    pub const DEPLOY: Remedy = Remedy::Run(Command::Deploy {
        allow_delete: false,
    });

    /// Appends a command.
    #[must_use]
    pub fn command(self, command: Command) -> Remedy {
        self.and(Remedy::Text(vec![Part::Command(command)]))
    }

    /// Appends text.
    #[must_use]
    pub fn words(self, words: impl Into<Cow<'static, str>>) -> Remedy {
        self.and(Remedy::Text(vec![Part::Words(words.into())]))
    }

    /// Appends another remedy.
    #[must_use]
    pub fn and(self, other: Remedy) -> Remedy {
        let mut parts = self.into_parts();
        parts.extend(other.into_parts());
        Remedy::Text(parts)
    }

    fn into_parts(self) -> Vec<Part> {
        match self {
            Remedy::Run(command) => vec![Part::Words("run ".into()), Part::Command(command)],
            Remedy::Text(parts) => parts,
        }
    }
}

impl From<&'static str> for Remedy {
    fn from(words: &'static str) -> Remedy {
        Remedy::Text(vec![Part::Words(words.into())])
    }
}

impl From<String> for Remedy {
    fn from(words: String) -> Remedy {
        Remedy::Text(vec![Part::Words(words.into())])
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remedy::Run(command) => write!(f, "run {command}"),
            Remedy::Text(parts) => parts.iter().try_for_each(|part| match part {
                Part::Words(words) => f.write_str(words),
                Part::Command(command) => write!(f, "{command}"),
            }),
        }
    }
}

impl Serialize for Remedy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_is_the_same_text_on_screen_and_in_json() {
        let remedy = Remedy::Run(Command::Check).words("; then deploy again");
        assert_eq!(remedy.to_string(), "run `check`; then deploy again");
        assert_eq!(
            serde_json::to_value(&remedy).unwrap(),
            "run `check`; then deploy again"
        );
    }
}
