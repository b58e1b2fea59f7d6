//! What a user can do about a problem, as data: words, and commands of this program.
//!
//! Libraries name a command by [`Command`]. How it is typed depends on how the program was started,
//! which only the program knows, so it calls [`spell_with`] once. Until then a command shows its bare
//! name.
//!
//! The spelling belongs to the process and not to each report, because it changes nothing but text:
//! reports stay plain values that compare equal, and every way to print one spells commands alike.
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

/// Sets how this process spells commands. The first call decides; later ones change nothing.
pub fn spell_with(spelling: fn(Command) -> String) {
    SPELLING.get_or_init(|| spelling);
}

/// A command of this program that a library can recommend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Shows what is wrong with the project's files.
    Check,
    /// Makes the fleet equal the rules.
    Deploy {
        /// Also if that removes many stack instances.
        allow_delete: bool,
    },
    /// Removes everything that was deployed.
    Destroy,
    /// Compares the fleet with the rules.
    Drift {
        /// Whether the report is JSON, which leaves nothing out.
        json: bool,
    },
}

/// The command between backticks, as the user types it.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(spell) = SPELLING.get() {
            return write!(f, "`{}`", spell(*self));
        }
        f.write_str(match self {
            Command::Check => "`check`",
            Command::Deploy { .. } => "`deploy`",
            Command::Destroy => "`destroy`",
            Command::Drift { .. } => "`drift`",
        })
    }
}

/// What to do about a problem. Serializes as the text that people read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Run this command.
    Run(Command),
    /// Follow these words.
    Text(Vec<Part>),
}

/// A part of a remedy's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Words, shown as they are.
    Words(Cow<'static, str>),
    /// A command, shown as the user types it.
    Command(Command),
}

impl Remedy {
    /// Deploy.
    pub const DEPLOY: Remedy = Remedy::Run(Command::Deploy {
        allow_delete: false,
    });

    /// Appends a command.
    #[must_use]
    pub fn command(self, command: Command) -> Remedy {
        self.and(Part::Command(command))
    }

    /// Appends words.
    #[must_use]
    pub fn words(self, words: impl Into<Cow<'static, str>>) -> Remedy {
        self.and(Part::Words(words.into()))
    }

    fn and(self, part: Part) -> Remedy {
        let mut parts = match self {
            Remedy::Run(command) => vec![Part::Words("run ".into()), Part::Command(command)],
            Remedy::Text(parts) => parts,
        };
        parts.push(part);
        Remedy::Text(parts)
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
