//! Hashes of what a plan is made from.

use compiler::Bundle;
use serde::Serialize;

use super::model::Basis;
use crate::fingerprint::Hasher;
use crate::fleet::Observed;

/// The hashes of a bundle and of a fleet. Left out is what changes by itself and means nothing to a
/// plan, such as the time of the latest operation.
pub(crate) fn basis(bundle: &Bundle, observed: &Observed) -> Basis {
    let membership = &observed.membership;
    let mut fleet = Lines::default();
    fleet.take(&(
        &observed.organization,
        &membership.enabled_regions,
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

/// Values hashed one per line, so that none can run into the next.
#[derive(Default)]
struct Lines(Hasher);

impl Lines {
    fn take(&mut self, value: &impl Serialize) {
        self.0.take(value);
        self.0.take(&"\n");
    }
}
