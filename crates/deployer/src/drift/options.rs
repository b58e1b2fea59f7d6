//! Which checks to make, and where.

use std::collections::BTreeSet;

use crate::code::DriftCheck;
use crate::fleet::Scope;
use crate::ports::Location;

/// Which checks to make, where and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftOptions {
    /// The checks to make.
    pub checks: BTreeSet<DriftCheck>,
    /// Where.
    pub scope: Scope,
    /// Whether CloudFormation is asked to look for drift now. Otherwise the report has what its
    /// latest detection found, and no call changes anything.
    pub detect: bool,
}

impl Default for DriftOptions {
    /// Everything, everywhere, as it is now.
    fn default() -> Self {
        DriftOptions {
            checks: DriftCheck::ALL.into(),
            scope: Scope::default(),
            detect: true,
        }
    }
}

impl DriftOptions {
    /// Whether this check is to be made.
    pub fn makes(&self, check: DriftCheck) -> bool {
        self.checks.contains(&check)
    }

    /// Whether this account and Region is to be checked.
    pub fn covers(&self, location: &Location) -> bool {
        self.scope.covers(location)
    }
}
