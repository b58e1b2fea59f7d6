//! The fleet as it is: accounts and Regions, stack sets with their instances, stacks.

mod observe;
mod ownership;
mod scope;
pub(crate) mod template;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::ports::{
    Account, Identity, Instance, Location, OperationSummary, OrganizationDetails, Stack,
    StackSetDetails, TrustedAccess,
};

pub(crate) use observe::{Patience, observe_stack, observe_stack_set};
pub use observe::{observe, observe_settled};
pub(crate) use ownership::{is_owned, tagged_part};
pub use scope::Scope;

/// The fleet as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Observed {
    /// Whose credentials are in use.
    pub caller: Identity,
    /// The organization they belong to.
    pub organization: OrganizationDetails,
    /// Whether StackSets may act in the accounts.
    pub trusted_access: TrustedAccess,
    /// Accounts and enabled Regions.
    #[serde(flatten)]
    pub membership: Membership,
    /// Why the stacks of the management account can't be read; `None` if they can.
    pub stacks_unreadable: Option<String>,
    /// Stack sets with a name of Gizmos, by name.
    pub stack_sets: BTreeMap<String, ObservedStackSet>,
    /// Stacks with a name of Gizmos in the management account.
    pub stacks: Vec<ObservedStack>,
}

impl Observed {
    /// The stack with this name in a location.
    pub(crate) fn stack(&self, location: &Location, name: &str) -> Option<&ObservedStack> {
        self.stacks
            .iter()
            .find(|found| found.location == *location && found.stack.name == name)
    }
}

/// The organization, as far as it decides where stack instances belong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Membership {
    /// All accounts, sorted by id.
    pub accounts: Vec<Account>,
    /// Regions that the administering account may use; `None` if unknown.
    pub enabled_regions: Option<BTreeSet<String>>,
}

impl Membership {
    /// The account with this id.
    pub fn account(&self, id: &str) -> Option<&Account> {
        let found = self.accounts.binary_search_by(|it| it.id.as_str().cmp(id));
        found.ok().and_then(|index| self.accounts.get(index))
    }

    /// Whether a Region is known to be off.
    pub fn is_off(&self, region: &str) -> bool {
        self.enabled_regions
            .as_ref()
            .is_some_and(|enabled| !enabled.contains(region))
    }
}

/// A stack set as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObservedStackSet {
    /// CloudFormation's description of it.
    pub details: StackSetDetails,
    /// All its instances, sorted by location.
    pub instances: Vec<Instance>,
    /// Operations that can still change something.
    pub pending: Vec<OperationSummary>,
    /// The latest operations, newest first: all that Gizmos started, and others as far as the list
    /// shows them already.
    pub operations: Vec<OperationSummary>,
}

/// A stack as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObservedStack {
    /// Where it is.
    pub location: Location,
    /// CloudFormation's description of it.
    pub stack: Stack,
    /// Its template; `None` while it has none.
    pub template: Option<String>,
}
