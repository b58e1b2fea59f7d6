//! Check 2: every expected account and Region has a current instance, and no other has one.

use std::collections::{BTreeMap, BTreeSet};

use compiler::{Bundle, StackSet};
use remedy::Remedy;

use super::options::DriftOptions;
use super::report::{Difference, Found};
use crate::code::{DriftCheck, DriftCode};
use crate::fleet::{Membership, Observed};
use crate::ports::{AccountState, Instance, InstanceStatus, Location};
use crate::rollout::{Desired, desired};

/// Reports instances that are missing, unexpected or not current.
pub(super) fn instances(bundle: &Bundle, observed: &Observed, options: &DriftOptions) -> Found {
    let mut found = Found::default();
    for set in &bundle.stack_sets {
        let Some(members) = &set.targets.members else {
            continue;
        };
        let existing = observed.stack_sets.get(&set.name);
        let reported_whole =
            existing.is_none_or(|found| !observed.is_owned(bundle, &set.name, &found.details.tags));
        if reported_whole && options.makes(DriftCheck::Plan) {
            // The plan check reports that the stack set is missing or not owned.
            continue;
        }
        let check = StackSetCheck {
            set,
            membership: &observed.membership,
            wanted: desired(members, &bundle.organization, &observed.membership),
            there: existing
                .into_iter()
                .flat_map(|found| &found.instances)
                .map(|instance| (instance.location(), instance))
                .collect(),
        };
        let mut differences = check.missing_and_outdated();
        differences.extend(check.unexpected());
        differences.extend(check.blocked());
        differences.retain(|it| it.location.as_ref().is_none_or(|it| options.covers(it)));
        found.differences.extend(differences);
    }
    found
        .notes
        .extend(not_enabled(&observed.membership, options));
    found
}

/// One line per Region that some members haven't enabled.
fn not_enabled(membership: &Membership, options: &DriftOptions) -> Vec<String> {
    let mut accounts: BTreeMap<&str, usize> = BTreeMap::new();
    for (account, regions) in &membership.not_enabled {
        for region in regions {
            if options.covers(&Location::new(account, region)) {
                *accounts.entry(region).or_default() += 1;
            }
        }
    }
    let line = |(region, count): (&str, usize)| match count {
        1 => format!("1 account has not enabled {region}; nothing is watched or can happen there"),
        _ => format!(
            "{count} accounts have not enabled {region}; nothing is watched or can happen there"
        ),
    };
    accounts.into_iter().map(line).collect()
}

/// Compares the instances of one stack set with the bundle.
struct StackSetCheck<'a> {
    set: &'a StackSet,
    membership: &'a Membership,
    wanted: Desired,
    there: BTreeMap<Location, &'a Instance>,
}

impl StackSetCheck<'_> {
    fn difference(
        &self,
        code: DriftCode,
        location: &Location,
        message: String,
        (expected, actual): (&str, String),
    ) -> Difference {
        Difference::new(code, message, Remedy::DEPLOY)
            .part(&self.set.name)
            .at(location)
            .values(expected, actual)
    }

    fn account(&self, location: &Location) -> String {
        match self.membership.account(&location.account) {
            Some(account) => format!("account {}", account.name),
            None => "an unknown account".to_owned(),
        }
    }

    fn missing_and_outdated(&self) -> Vec<Difference> {
        let difference = |location: &Location| {
            let account = self.account(location);
            let Some(instance) = self.there.get(location) else {
                return Some(self.difference(
                    DriftCode::InstanceMissing,
                    location,
                    format!("the stack instance of {account} is missing"),
                    ("a current stack instance", "none".to_owned()),
                ));
            };
            if instance.status == InstanceStatus::Current {
                return None;
            }
            let reason = instance.reason.as_deref();
            let reason = reason.map(|it| format!(": {it}")).unwrap_or_default();
            Some(self.difference(
                DriftCode::InstanceNotCurrent,
                location,
                format!("the stack instance of {account} is not current{reason}"),
                ("CURRENT", status(instance)),
            ))
        };
        self.wanted
            .locations
            .iter()
            .filter_map(difference)
            .collect()
    }

    fn unexpected(&self) -> Vec<Difference> {
        // An account that is out of use needs no detections, so its leftover instances are not
        // drift.
        let blocked: BTreeSet<&Location> =
            self.wanted.blocked.iter().map(|it| &it.location).collect();
        self.there
            .iter()
            .filter(|(it, _)| !self.wanted.locations.contains(it) && !blocked.contains(it))
            .map(|(location, instance)| {
                let message = if self.membership.account(&location.account).is_some() {
                    format!(
                        "{} has an unexpected stack instance",
                        self.account(location)
                    )
                } else {
                    format!(
                        "account {} has left the organization, and the stack set still has its \
                         stack instance; the stack itself stays in that account until somebody \
                         deletes it there",
                        location.account
                    )
                };
                self.difference(
                    DriftCode::InstanceUnexpected,
                    location,
                    message,
                    ("none", format!("a stack instance, {}", status(instance))),
                )
            })
            .collect()
    }

    /// Accounts in use where the expected instance can't be deployed.
    fn blocked(&self) -> Vec<Difference> {
        // A member can't use a Region that it hasn't enabled, so nothing is missing there.
        let in_use = |location: &Location| {
            if self.membership.is_not_enabled(location) {
                return false;
            }
            let account = self.membership.account(&location.account);
            account.is_none_or(|account| account.state == AccountState::Active)
        };
        self.wanted
            .blocked
            .iter()
            .filter(|blocked| in_use(&blocked.location))
            .map(|blocked| {
                let mut difference = self.difference(
                    DriftCode::InstanceBlocked,
                    &blocked.location,
                    blocked.reason.clone(),
                    ("a current stack instance", "none".to_owned()),
                );
                difference.fix =
                    "correct the organization file, or move the account to the right unit".into();
                difference
            })
            .collect()
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
