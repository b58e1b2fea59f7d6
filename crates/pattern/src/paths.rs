//! What can be told about a pattern's fields without an event.

use crate::Pattern;

impl Pattern {
    /// The joined paths (`detail.eventName`) that the pattern names, sorted, each once.
    pub fn field_paths(&self) -> Vec<String> {
        Vec::new()
    }

    /// The exact strings that `path` is pinned to in every `$or` branch, sorted; `None` if some
    /// branch leaves the path free or pins it by anything but exact strings.
    pub fn exact_values(&self, _path: &str) -> Option<Vec<String>> {
        None
    }

    /// How many combinations the pattern's `$or`s multiply to (1 without `$or`).
    pub fn combinations(&self) -> usize {
        1
    }

    /// The wildcard complexity as the service counts it (limit 10).
    pub fn complexity(&self) -> usize {
        0
    }

    /// Paths that are given more than once where the last one silently wins.
    pub fn overridden_paths(&self) -> Vec<String> {
        Vec::new()
    }
}
