//! Differences between an imported or exported rule and the original.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

/// The direction in which the new rule differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It may match events that the original doesn't.
    Wider,
    /// It may miss events that the original matches.
    Narrower,
}

/// A stated difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Loss {
    /// Whether the new rule matches more or less.
    pub effect: Effect,
    /// One sentence without a period.
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

/// The losses so far, without duplicates, and the work spent finding them.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    found: BTreeSet<Loss>,
    work: usize,
}

/// Work budget for one rule; real rules take a thousandth of it.
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

    /// Adds to the work spent; `false` once it exceeds the budget.
    pub(crate) fn spend(&mut self, work: usize) -> bool {
        self.work = self.work.saturating_add(work);
        self.work <= MAX_WORK
    }
}
