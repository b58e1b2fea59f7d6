//! Hashes of what a plan is made from.

use std::io;

use compiler::Bundle;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::model::Basis;
use crate::observe::Observed;

/// The hashes of a bundle and of a fleet. What changes by itself and means nothing to a plan, such
/// as the time of the latest operation, isn't part of them.
pub(crate) fn basis(bundle: &Bundle, observed: &Observed) -> Basis {
    let mut fleet = Hasher::default();
    fleet.take(&(
        &observed.organization,
        &observed.enabled_regions,
        &observed.stacks_unreadable,
        &observed.stacks,
    ));
    for account in &observed.accounts {
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
    let mut rules = Hasher::default();
    rules.take(bundle);
    Basis {
        bundle: rules.hex(),
        fleet: fleet.hex(),
    }
}

/// Hashes values without holding their text.
#[derive(Default)]
struct Hasher(Sha256);

impl Hasher {
    fn take(&mut self, value: &impl Serialize) {
        // Writing to a hash can't fail, and none of these values has a map with odd keys.
        drop(serde_json::to_writer(&mut *self, value));
        self.0.update(b"\n");
    }

    fn hex(self) -> String {
        let mut hex = String::new();
        for byte in self.0.finalize() {
            hex.push_str(&format!("{byte:02x}"));
        }
        hex
    }
}

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
