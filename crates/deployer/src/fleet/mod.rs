//! The observed fleet: accounts and Regions, stack sets with their instances, and stacks.

pub(crate) mod document;
mod observe;
mod ownership;
pub(crate) mod resolve;
mod scope;
pub(crate) mod template;

use std::collections::{BTreeMap, BTreeSet};

use compiler::{Bundle, Placement};
use serde::Serialize;

use crate::ports::{
    Account, Identity, Instance, Location, OperationSummary, OrganizationDetails, Stack,
    StackSetDetails, TrustedAccess,
};

pub(crate) use observe::{Patience, observe_stack, observe_stack_set};
pub use observe::{observe, observe_settled};
pub(crate) use ownership::{Owner, format, may_change, owner, tagged_part};
pub use scope::Scope;

/// The observed fleet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Observed {
    /// The identity behind the credentials.
    pub caller: Identity,
    /// The organization of the caller's account.
    pub organization: OrganizationDetails,
    /// Whether StackSets has trusted access to the organization.
    pub trusted_access: TrustedAccess,
    /// Accounts and enabled Regions.
    #[serde(flatten)]
    pub membership: Membership,
    /// Why the management account's stacks can't be read; `None` if they can.
    pub stacks_unreadable: Option<String>,
    /// Stack sets with a Gizmos name, by name.
    pub stack_sets: BTreeMap<String, ObservedStackSet>,
    /// Stacks in the management account with a Gizmos name.
    pub stacks: Vec<ObservedStack>,
}

impl Observed {
    /// Which stack sets carry which rules now, for [`compiler::compile_onto`].
    pub fn placement(&self, bundle: &Bundle) -> Placement {
        let mut placement = Placement::default();
        for found in self.owned_stack_sets(bundle) {
            placement.add(&found.details.name, &found.details.template);
        }
        placement
    }

    /// The stack sets that a deployment changes or removes.
    pub(crate) fn owned_stack_sets(
        &self,
        bundle: &Bundle,
    ) -> impl Iterator<Item = &ObservedStackSet> {
        let all = self.stack_sets.values();
        all.filter(|it| self.is_owned(bundle, &it.details.name, &it.details.tags))
    }

    /// The stacks of the management account that a deployment changes or removes.
    pub(crate) fn owned_stacks(&self, bundle: &Bundle) -> impl Iterator<Item = &ObservedStack> {
        let all = self.stacks.iter();
        all.filter(|it| self.is_owned(bundle, &it.stack.name, &it.stack.tags))
    }

    /// Finds a stack by location and name.
    pub(crate) fn stack(&self, location: &Location, name: &str) -> Option<&ObservedStack> {
        self.stacks
            .iter()
            .find(|found| found.location == *location && found.stack.name == name)
    }
}

/// Accounts and Regions that determine where stack instances belong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Membership {
    /// All accounts, sorted by id.
    pub accounts: Vec<Account>,
    /// Regions enabled in the management account; `None` if unknown.
    pub enabled_regions: Option<BTreeSet<String>>,
    /// Watched Regions that a member account hasn't enabled, by account id. Members that can't be
    /// asked are left out.
    pub not_enabled: BTreeMap<String, BTreeSet<String>>,
}

impl Membership {
    /// Finds an account by id.
    pub fn account(&self, id: &str) -> Option<&Account> {
        let found = self.accounts.binary_search_by(|it| it.id.as_str().cmp(id));
        found.ok().and_then(|index| self.accounts.get(index))
    }

    /// Whether a member account is known not to have enabled the Region.
    pub fn is_not_enabled(&self, location: &Location) -> bool {
        self.not_enabled
            .get(&location.account)
            .is_some_and(|regions| regions.contains(&location.region))
    }

    /// Whether no operation works in the location: the Region is disabled there, or in the
    /// management account.
    pub fn is_closed(&self, location: &Location) -> bool {
        self.is_off(&location.region) || self.is_not_enabled(location)
    }

    /// Whether a Region is known to be disabled in the management account.
    pub fn is_off(&self, region: &str) -> bool {
        self.enabled_regions
            .as_ref()
            .is_some_and(|enabled| !enabled.contains(region))
    }
}

/// An observed stack set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObservedStackSet {
    /// As described by CloudFormation.
    pub details: StackSetDetails,
    /// Sorted by location.
    pub instances: Vec<Instance>,
    /// Operations that can still change something.
    pub pending: Vec<OperationSummary>,
    /// The latest operations, newest first: all that Gizmos started, and others if the list already
    /// shows them.
    pub operations: Vec<OperationSummary>,
}

/// An observed stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObservedStack {
    /// Account and Region.
    pub location: Location,
    /// As described by CloudFormation.
    pub stack: Stack,
    /// `None` until the first change set is executed.
    pub template: Option<String>,
}
