//! Events as an attacker would write them.
use pattern::Pattern;
use serde_json::Value;

/// A variant of an event with hostile text in it.
#[derive(Clone, Debug)]
pub struct Hostile {
    /// What was planted.
    pub name: String,
    /// The whole event.
    pub event: Value,
    /// JSON path (`$.detail.…`) and value of every string that was replaced.
    pub planted: Vec<(String, String)>,
}

/// Variants of `event` that `pattern` still matches.
pub fn variants(_event: &Value, _pattern: &Pattern) -> Vec<Hostile> {
    Vec::new()
}
