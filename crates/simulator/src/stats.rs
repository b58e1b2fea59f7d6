//! Call and fault statistics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::world::World;

/// Call and fault counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Mutating calls, refused ones included.
    pub mutating: u64,
    /// Read-only calls, refused ones included.
    pub reading: u64,
    /// Keyed by `service:Action`.
    pub calls: BTreeMap<String, u64>,
    /// Occurrences of faults by kind.
    pub faults: BTreeMap<String, u64>,
    /// Outcomes of scheduled events with virtual time, oldest first.
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
