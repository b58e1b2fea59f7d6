//! Compares a deployment with CloudFormation's quotas.
//!
//! The numbers come from
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>

use std::collections::{BTreeMap, BTreeSet};

use compiler::{AccountFilter, Bundle};

use super::{CheckState, Preflight};
use crate::fleet::Membership;
use crate::ports::{Cloud, CloudError, Identity, Location, Stack};
use crate::rollout::desired;

/// Stack sets per administrator account.
const STACK_SETS: usize = 1_000;

/// Instances per stack set.
const INSTANCES: usize = 100_000;

/// Checks the number of stack sets with one list call.
pub(super) async fn stack_sets(cloud: &impl Cloud, bundle: &Bundle, found: &mut Preflight) {
    const WHAT: &str = "quotas";
    match cloud.list_stack_sets().await {
        Ok(sets) => {
            let new = bundle
                .stack_sets
                .iter()
                .filter(|set| set.targets.members.is_some())
                .filter(|set| !sets.iter().any(|known| known.name == set.name))
                .count();
            let all = sets.len() + new;
            if all > STACK_SETS {
                found.fail(
                    WHAT,
                    format!("{all} stack sets would be more than the quota of {STACK_SETS}"),
                    format!(
                        "delete stack sets that are no longer needed, or have the quota raised: \
                         {}",
                        raise("L-EC62D81A", all, &bundle.organization.home_region)
                    ),
                );
            } else {
                found.pass(WHAT, format!("{all} of {STACK_SETS} stack sets"));
            }
        }
        Err(error @ CloudError::AccessDenied { .. }) => found.fail(
            WHAT,
            error.to_string(),
            "allow the caller cloudformation:ListStackSets".to_owned(),
        ),
        Err(error) => found.unknown(WHAT, &error),
    }
}

/// The command that requests a quota increase.
fn raise(code: &str, wanted: usize, region: &str) -> String {
    format!(
        "`aws service-quotas request-service-quota-increase --service-code cloudformation \
         --quota-code {code} --desired-value {wanted} --region {region}`"
    )
}

/// Checks the number of instances of each stack set. No CloudFormation API returns this quota, so
/// exceeding its default is only a warning: it may have been raised.
pub(super) fn instances(bundle: &Bundle, membership: &Membership, found: &mut Preflight) {
    const WHAT: &str = "instances of a stack set";
    let mut most = 0;
    for set in &bundle.stack_sets {
        let Some(members) = &set.targets.members else {
            continue;
        };
        let count = desired(members, &bundle.organization, membership)
            .locations
            .len();
        most = most.max(count);
        if count > INSTANCES {
            found.warn(
                WHAT,
                format!(
                    "{} would have {count}, the quota is {INSTANCES} unless it was raised",
                    set.name
                ),
                "have the quota \"Stack instances per stack set\" raised: `aws service-quotas \
                 list-service-quotas --service-code cloudformation` lists its code and value; or \
                 watch fewer Regions"
                    .to_owned(),
            );
        }
    }
    if most <= INSTANCES {
        found.pass(WHAT, format!("at most {most} of {INSTANCES}"));
    }
}

/// Checks the number of stacks in the locations where several of them meet: the management, hub and
/// log archive accounts. Every other account and Region has one or two.
pub(super) async fn stacks(
    cloud: &impl Cloud,
    bundle: &Bundle,
    caller: &Identity,
    found: &mut Preflight,
) {
    const WHAT: &str = "stacks of an account and Region";
    let mut failed = false;
    let mut seen = 0;
    for (location, wanted) in &planned(bundle) {
        let quota = match cloud.stack_quota(location).await {
            Ok(Some(quota)) => quota,
            Ok(None) => continue,
            // Access to the account is a separate check.
            Err(error) if error.is_denied() && location.account != caller.account => continue,
            Err(error) => {
                found.unknown(WHAT, &error);
                return;
            }
        };
        let stacks = match cloud.list_stacks(location).await {
            Ok(stacks) => stacks,
            Err(error) => {
                found.unknown(WHAT, &error);
                return;
            }
        };
        seen += 1;
        let missing = wanted.iter().filter(|name| !name.is_in(&stacks));
        let all = stacks.len() + missing.count();
        if all > quota {
            failed = true;
            found.fail(
                WHAT,
                format!("{location} would have {all} stacks, the quota is {quota}"),
                format!(
                    "delete stacks there that are no longer needed, or have the quota raised with \
                     credentials of {}: {}",
                    location.account,
                    raise("L-0485CB21", all, &location.region)
                ),
            );
        }
    }
    if seen == 0 {
        found.add(
            WHAT,
            CheckState::Unknown,
            "no account's quota could be read".to_owned(),
            None,
        );
    } else if !failed {
        found.pass(WHAT, format!("below the quota in {seen} locations"));
    }
}

/// The name of one of the bundle's stacks.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Whole(String),
    /// Prefix of the name that StackSets gives an instance's stack.
    Start(String),
}

impl Name {
    fn is_in(&self, stacks: &[Stack]) -> bool {
        stacks.iter().any(|stack| match self {
            Name::Whole(name) => stack.name == *name,
            Name::Start(start) => stack.name.starts_with(start),
        })
    }
}

/// The bundle's stacks by location, except where stack sets target whole units.
fn planned(bundle: &Bundle) -> BTreeMap<Location, BTreeSet<Name>> {
    let management = &bundle.organization.accounts.management;
    let mut planned: BTreeMap<Location, BTreeSet<Name>> = BTreeMap::new();
    for set in &bundle.stack_sets {
        for region in &set.targets.management_regions {
            let names = planned
                .entry(Location::new(management, region))
                .or_default();
            names.insert(Name::Whole(set.name.clone()));
        }
        let Some(members) = &set.targets.members else {
            continue;
        };
        let AccountFilter::Only(accounts) = &members.accounts else {
            continue;
        };
        for account in accounts {
            for region in &members.regions {
                let names = planned.entry(Location::new(account, region)).or_default();
                names.insert(Name::Start(format!("StackSet-{}-", set.name)));
            }
        }
    }
    planned
}
