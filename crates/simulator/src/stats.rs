//! What was called and what went wrong, in numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::world::World;

/// How often each API was called and each fault happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Calls that change something, refused ones included.
    pub mutating: u64,
    /// Calls that only read, refused ones included.
    pub reading: u64,
    /// Calls by `service:Action`.
    pub calls: BTreeMap<String, u64>,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<String, u64>,
    /// What scheduled events did, oldest first, each with its virtual time.
    pub happened: Vec<String>,
    /// Virtual time, RFC 3339.
    pub now: String,
}

pub(crate) fn stats(world: &World) -> Stats {
    Stats {
        mutating: world.calls.mutating,
        reading: world.calls.reading,
        calls: world.calls.by_action.clone(),
        faults: world.faults.counts.clone(),
        happened: world
            .faults
            .happened
            .iter()
            .map(|(at, what)| format!("{at} {what}"))
            .collect(),
        now: world.clock.now().to_string(),
    }
}
