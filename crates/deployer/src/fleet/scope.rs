//! Limits a check to accounts and Regions.

use std::collections::BTreeSet;

use crate::ports::Location;

/// The accounts and Regions of a check; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Account ids; empty means all accounts.
    pub accounts: BTreeSet<String>,
    /// Region names; empty means all Regions.
    pub regions: BTreeSet<String>,
}

impl Scope {
    /// Whether the location is in scope.
    pub fn covers(&self, location: &Location) -> bool {
        (self.accounts.is_empty() || self.accounts.contains(&location.account))
            && (self.regions.is_empty() || self.regions.contains(&location.region))
    }
}
