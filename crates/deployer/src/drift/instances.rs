//! Check 2: every expected account and Region has a current instance, and no other has one.

use std::collections::{BTreeMap, BTreeSet};

use compiler::{Bundle, Members, StackSet};

use super::DEPLOY;
use super::code::{DriftCheck, DriftCode, DriftOptions};
use super::report::Difference;
use crate::observe::{Observed, ObservedStackSet};
use crate::plan::{desired, is_owned};
use crate::ports::{AccountState, Instance, InstanceStatus, Location};

/// Instances that are missing, unexpected or not current.
pub(crate) fn instances(
    bundle: &Bundle,
    observed: &Observed,
    options: &DriftOptions,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    for set in &bundle.stack_sets {
        let Some(members) = &set.targets.members else {
            continue;
        };
        let found = observed.stack_sets.get(&set.name);
        let told_by_plan = match found {
            None => true,
            Some(found) => !is_owned(&found.details.tags),
        };
        if told_by_plan && options.makes(DriftCheck::Plan) {
            // That the whole stack set is missing, or somebody else's, says enough.
            continue;
        }
        of_stack_set(
            bundle,
            observed,
            options,
            set,
            members,
            found,
            &mut differences,
        );
    }
    differences
}

fn of_stack_set(
    bundle: &Bundle,
    observed: &Observed,
    options: &DriftOptions,
    set: &StackSet,
    members: &Members,
    found: Option<&ObservedStackSet>,
    differences: &mut Vec<Difference>,
) {
    let names: BTreeMap<&str, &str> = observed
        .accounts
        .iter()
        .map(|account| (account.id.as_str(), account.name.as_str()))
        .collect();
    let name_of = |location: &Location| match names.get(location.account.as_str()) {
        Some(name) => format!("account {name}"),
        None => "an unknown account".to_owned(),
    };
    let mut push =
        |code, location: &Location, message: String, values: (&str, String), fix: &str| {
            if options.covers(location) {
                let difference = Difference::new(code, message, fix)
                    .part(&set.name)
                    .location(location)
                    .values(values.0, values.1);
                differences.push(difference);
            }
        };
    let wanted = desired(members, &bundle.organization, &observed.world());
    let there: BTreeMap<Location, &Instance> = found
        .into_iter()
        .flat_map(|found| &found.instances)
        .map(|it| (Location::new(&it.account, &it.region), it))
        .collect();
    for location in &wanted.locations {
        match there.get(location) {
            None => push(
                DriftCode::InstanceMissing,
                location,
                format!("the stack instance of {} is missing", name_of(location)),
                ("a current stack instance", "none".to_owned()),
                DEPLOY,
            ),
            Some(instance) if instance.status != InstanceStatus::Current => {
                let reason = match instance.reason.as_deref() {
                    Some(reason) => format!(": {reason}"),
                    None => String::new(),
                };
                push(
                    DriftCode::InstanceNotCurrent,
                    location,
                    format!(
                        "the stack instance of {} is not current{reason}",
                        name_of(location)
                    ),
                    ("CURRENT", status(instance)),
                    DEPLOY,
                );
            }
            Some(_) => {}
        }
    }
    // An account that is out of use needs no watching, and what it has left is no drift.
    let idle: BTreeSet<&Location> = wanted
        .blocked
        .iter()
        .map(|blocked| &blocked.location)
        .collect();
    for (location, instance) in &there {
        if !wanted.locations.contains(location) && !idle.contains(location) {
            push(
                DriftCode::InstanceUnexpected,
                location,
                format!(
                    "{} has a stack instance, but none belongs there",
                    name_of(location)
                ),
                ("none", format!("a stack instance, {}", status(instance))),
                DEPLOY,
            );
        }
    }
    for blocked in &wanted.blocked {
        let account = observed
            .accounts
            .iter()
            .find(|account| account.id == blocked.location.account);
        if account.is_none_or(|account| account.state == AccountState::Active) {
            push(
                DriftCode::InstanceBlocked,
                &blocked.location,
                blocked.reason.clone(),
                ("a current stack instance", "none".to_owned()),
                "correct the organization file, or put the account where it belongs",
            );
        }
    }
}

fn status(instance: &Instance) -> String {
    let word = match &instance.status {
        InstanceStatus::Current => "CURRENT",
        InstanceStatus::Outdated => "OUTDATED",
        InstanceStatus::Inoperable => "INOPERABLE",
        InstanceStatus::Other(other) => other,
    };
    match &instance.detailed_status {
        Some(detail) if detail != word => format!("{word} ({detail})"),
        _ => word.to_owned(),
    }
}
