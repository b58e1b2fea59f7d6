//! What an imported or exported rule doesn't say as the original does.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

/// In which direction the new rule differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It may match events that the original doesn't.
    Wider,
    /// It may miss events that the original matches.
    Narrower,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Loss {
    /// The direction.
    pub effect: Effect,
    /// What differs, in one sentence.
    pub text: String,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = match self.effect {
            Effect::Wider => "may match more",
            Effect::Narrower => "may match less",
        };
        write!(f, "{effect}: {}", self.text)
    }
}

/// The losses so far, each once, and the work that it took to find them.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    found: BTreeSet<Loss>,
    work: usize,
}

/// Work that one rule may take; real rules take a thousandth of it.
const MAX_WORK: usize = 20_000_000;

impl Losses {
    pub(crate) fn wider(&mut self, text: impl Into<String>) {
        self.add(Effect::Wider, text.into());
    }

    pub(crate) fn narrower(&mut self, text: impl Into<String>) {
        self.add(Effect::Narrower, text.into());
    }

    fn add(&mut self, effect: Effect, text: String) {
        self.found.insert(Loss { effect, text });
    }

    pub(crate) fn into_vec(self) -> Vec<Loss> {
        self.found.into_iter().collect()
    }

    /// Notes work; `false` if it is more than any rule is worth.
    pub(crate) fn spend(&mut self, work: usize) -> bool {
        self.work = self.work.saturating_add(work);
        self.work <= MAX_WORK
    }
}
