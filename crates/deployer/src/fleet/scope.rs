//! Which part of the fleet a check looks at.

use std::collections::BTreeSet;

use crate::ports::Location;

/// Which part of the fleet a check looks at; by default all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only these accounts; empty: all.
    pub accounts: BTreeSet<String>,
    /// Only these Regions; empty: all.
    pub regions: BTreeSet<String>,
}

impl Scope {
    /// Whether this account and Region is part of it.
    pub fn covers(&self, location: &Location) -> bool {
        (self.accounts.is_empty() || self.accounts.contains(&location.account))
            && (self.regions.is_empty() || self.regions.contains(&location.region))
    }
}
