//! Computes where the fleet differs from the bundle, from the simulator's own state.
//!
//! Nothing here uses the deployer, because the campaign looks for the deployer's own mistakes in
//! computing targets and comparing templates.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use compiler::{
    AccountFilter, Bundle, INSTALLATION_TAG, Members, ORGANIZATION_TAG, OWNERSHIP_TAG, Part,
    StackSet,
};
use serde_json::Value;
use simulator::{Fleet, FleetStackSet, Source};

/// A difference between fleet and bundle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    /// Name of the stack set, or of stacks in the management account.
    pub(crate) name: String,
    /// Account and Region; `None` for the stack set itself.
    pub(crate) location: Option<(String, String)>,
    /// A clause such as `the template differs`.
    pub(crate) what: &'static str,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some((account, region)) => {
                write!(f, "{} in {account} {region}: {}", self.name, self.what)
            }
            None => write!(f, "{}: {}", self.name, self.what),
        }
    }
}

/// All differences between fleet and bundle. Accounts that are not in use and disabled Regions
/// don't count, because nothing can be deployed there.
pub(crate) fn differences(bundle: &Bundle, fleet: &Fleet) -> Vec<Difference> {
    let mut all = Differences {
        bundle,
        fleet,
        found: Vec::new(),
    };
    for set in &bundle.stack_sets {
        if let Some(members) = &set.targets.members {
            all.stack_set(set, members);
        }
        for region in &set.targets.management_regions {
            all.management(set, region);
        }
    }
    all.unwanted();
    all.found.sort();
    all.found
}

struct Differences<'a> {
    bundle: &'a Bundle,
    fleet: &'a Fleet,
    found: Vec<Difference>,
}

impl Differences<'_> {
    fn note(&mut self, name: &str, location: Option<(&str, &str)>, what: &'static str) {
        self.found.push(Difference {
            name: name.to_owned(),
            location: location.map(|(account, region)| (account.to_owned(), region.to_owned())),
            what,
        });
    }

    fn is_ours(&self, source: &Source) -> bool {
        let wanted = compiler::stack_set_tags(&self.bundle.organization, Part::Trail);
        let found = source.tags();
        let mut keys = [OWNERSHIP_TAG.0, ORGANIZATION_TAG, INSTALLATION_TAG].into_iter();
        keys.all(|key| found.get(key) == wanted.get(key))
    }

    /// Whether anything can be deployed there.
    fn is_reachable(&self, account: &str, region: &str) -> bool {
        is_reachable(self.fleet, account, region)
    }

    fn stack_set(&mut self, set: &StackSet, members: &Members) {
        let name = set.name.as_str();
        let fleet = self.fleet;
        let wanted = wanted(self.bundle, members, fleet);
        let Some(found) = fleet.stack_sets.get(name) else {
            self.note(name, None, "the stack set is missing");
            for (account, region) in wanted {
                self.note(name, Some((account, region)), "the instance is missing");
            }
            return;
        };
        if !self.is_ours(&found.source) {
            self.note(name, None, "the stack set belongs to another owner");
            return;
        }
        if let Some(what) = source_difference(set, &found.source) {
            self.note(name, None, what);
        }
        if found.description.as_deref().unwrap_or_default() != set.description {
            self.note(name, None, "the description differs");
        }
        if found.auto_deployment != set.auto_deployment {
            self.note(name, None, "the automatic deployment differs");
        }
        for (account, region) in &wanted {
            if let Some(what) = self.instance(set, found, account, region) {
                self.note(name, Some((account, region)), what);
            }
        }
        for (account, region) in found.instances.keys() {
            if self.is_reachable(account, region) && !wanted.contains(&(account, region)) {
                self.note(name, Some((account, region)), "the instance is not wanted");
            }
        }
    }

    fn instance(
        &self,
        set: &StackSet,
        found: &FleetStackSet,
        account: &str,
        region: &str,
    ) -> Option<&'static str> {
        let Some(instance) = found
            .instances
            .get(&(account.to_owned(), region.to_owned()))
        else {
            return Some("the instance is missing");
        };
        match instance.status {
            "CURRENT" => {}
            "INOPERABLE" => return Some("the instance is inoperable"),
            _ => return Some("the instance is outdated"),
        }
        let stack = instance
            .stack
            .as_ref()
            .and_then(|id| self.fleet.stacks.get(id));
        let Some(stack) = stack else {
            return Some("the stack is missing");
        };
        if !is_complete(stack.status) {
            return Some("the stack is not complete");
        }
        source_difference(set, &stack.source)
    }

    fn management(&mut self, set: &StackSet, region: &str) {
        let management = self.bundle.organization.accounts.management.as_str();
        if !self.is_reachable(management, region) {
            return;
        }
        let stack = self.fleet.stacks.values().find(|stack| {
            stack.account == management && stack.region == region && stack.name == set.name
        });
        let what = match stack {
            None => Some("the stack is missing"),
            Some(stack) if !self.is_ours(&stack.source) => {
                Some("the stack belongs to another owner")
            }
            Some(stack) if !is_complete(stack.status) => Some("the stack is not complete"),
            Some(stack) => source_difference(set, &stack.source),
        };
        if let Some(what) = what {
            self.note(&set.name, Some((management, region)), what);
        }
    }

    /// Reports what Gizmos deployed but the bundle no longer contains.
    fn unwanted(&mut self) {
        let fleet = self.fleet;
        for (name, found) in &fleet.stack_sets {
            let set = self.bundle.stack_sets.iter().find(|set| set.name == *name);
            if self.is_ours(&found.source) && set.is_none_or(|set| set.targets.members.is_none()) {
                self.note(name, None, "the stack set is not wanted");
                for (account, region) in found.instances.keys() {
                    if self.is_reachable(account, region) {
                        self.note(name, Some((account, region)), "the instance is not wanted");
                    }
                }
            }
        }
        let management = self.bundle.organization.accounts.management.as_str();
        for stack in fleet.stacks.values() {
            let wanted = self.bundle.stack_sets.iter().any(|set| {
                set.name == stack.name && set.targets.management_regions.contains(&stack.region)
            });
            let reachable = self.is_reachable(management, &stack.region);
            if stack.account == management && self.is_ours(&stack.source) && !wanted && reachable {
                self.note(
                    &stack.name,
                    Some((management, &stack.region)),
                    "the stack is not wanted",
                );
            }
        }
    }
}

/// Locations where the stack set must have an instance.
fn wanted<'a>(
    bundle: &'a Bundle,
    members: &'a Members,
    fleet: &'a Fleet,
) -> BTreeSet<(&'a String, &'a String)> {
    fleet
        .accounts
        .iter()
        .filter(|(id, account)| {
            **id != bundle.organization.accounts.management
                && account
                    .path
                    .iter()
                    .any(|unit| members.organizational_units.contains(unit))
                && match &members.accounts {
                    AccountFilter::All => true,
                    AccountFilter::Only(only) => only.contains(id),
                    AccountFilter::Except(except) => !except.contains(id),
                }
        })
        .flat_map(|(id, _)| members.regions.iter().map(move |region| (id, region)))
        .filter(|(id, region)| is_reachable(fleet, id, region))
        .collect()
}

/// Whether the account is in use and the Region is enabled in it.
pub(crate) fn is_reachable(fleet: &Fleet, account: &str, region: &str) -> bool {
    fleet.accounts.get(account).is_some_and(|account| {
        account.state == "ACTIVE" && !account.disabled_regions.contains(region)
    })
}

/// Whether no operation is running and the last one ended cleanly. A rollback also counts: the
/// restored template is compared separately.
fn is_complete(status: &str) -> bool {
    matches!(
        status,
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE"
    )
}

fn source_difference(set: &StackSet, found: &Source) -> Option<&'static str> {
    let has = |found: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>| {
        wanted
            .iter()
            .all(|(key, value)| found.get(key) == Some(value))
    };
    if !is_same_json(&set.template, found.template()) {
        Some("the template differs")
    } else if !has(found.parameters(), &set.parameters) {
        Some("the parameters differ")
    } else if !has(found.tags(), &set.tags) {
        Some("the tags differ")
    } else {
        None
    }
}

fn is_same_json(one: &str, other: &str) -> bool {
    one == other
        || match (
            serde_json::from_str::<Value>(one),
            serde_json::from_str::<Value>(other),
        ) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        }
}
