//! Selects the checks of a drift run and their scope.

use std::collections::BTreeSet;

use crate::code::DriftCheck;
use crate::fleet::Scope;
use crate::ports::Location;

/// Selects the checks of a drift run and their scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftOptions {
    /// Checks to run.
    pub checks: BTreeSet<DriftCheck>,
    /// Accounts and Regions to check.
    pub scope: Scope,
    /// Whether CloudFormation runs drift detection now. If not, the report shows its latest
    /// detection and no call changes anything.
    pub detect: bool,
    /// Whether to read the targets of every rule in every account and Region, which takes a call
    /// for each. If not, only the hub's are read, and CloudFormation's drift detection decides
    /// about the others.
    pub deep: bool,
}

impl Default for DriftOptions {
    /// All checks, in every account and Region, with new drift detection.
    fn default() -> Self {
        DriftOptions {
            checks: DriftCheck::ALL.into(),
            scope: Scope::default(),
            detect: true,
            deep: false,
        }
    }
}

impl DriftOptions {
    /// Whether the check is selected.
    pub fn makes(&self, check: DriftCheck) -> bool {
        self.checks.contains(&check)
    }

    /// Whether the location is in scope.
    pub fn covers(&self, location: &Location) -> bool {
        self.scope.covers(location)
    }
}
