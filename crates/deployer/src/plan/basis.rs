//! Hashes of a plan's inputs.

use compiler::Bundle;
use serde::Serialize;

use super::model::Basis;
use crate::fingerprint::Hasher;
use crate::fleet::Observed;

/// Hashes bundle and fleet. Values that change on their own without affecting a plan, such as the
/// time of the latest operation, are left out.
pub(crate) fn basis(bundle: &Bundle, observed: &Observed) -> Basis {
    let membership = &observed.membership;
    let mut fleet = Lines::default();
    fleet.take(&(
        &observed.organization,
        &membership.enabled_regions,
        &membership.not_enabled,
        &observed.stacks_unreadable,
        &observed.stacks,
    ));
    for account in &membership.accounts {
        fleet.take(&(&account.id, &account.state, &account.path));
    }
    for set in observed.stack_sets.values() {
        fleet.take(&set.details);
        for instance in &set.instances {
            fleet.take(&(
                &instance.account,
                &instance.region,
                &instance.stack_id,
                &instance.status,
                &instance.detailed_status,
            ));
        }
    }
    let mut rules = Lines::default();
    rules.take(bundle);
    Basis {
        bundle: rules.0.hex(),
        fleet: fleet.0.hex(),
    }
}

/// Hashes values one per line, so that adjacent values can't be confused.
#[derive(Default)]
struct Lines(Hasher);

impl Lines {
    fn take(&mut self, value: &impl Serialize) {
        self.0.take(value);
        self.0.take(&"\n");
    }
}
