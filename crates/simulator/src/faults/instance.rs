//! Faults of stack set operations in single accounts and Regions.

use super::{State, covers};
use crate::cloudformation::{InstanceEffect, InstanceFaults};

/// The default actions of an instance fault.
const ACTIONS: [&str; 3] = ["CREATE", "UPDATE", "DELETE"];

impl InstanceFaults for State {
    fn instance_fault(
        &mut self,
        stack_set: &str,
        (account, region): (&str, &str),
        action: &str,
    ) -> Option<InstanceEffect> {
        for (index, fault) in self.faults.instances.iter().enumerate() {
            let meant = (fault.accounts.is_empty()
                || fault.accounts.iter().any(|it| it == account))
                && (fault.regions.is_empty() || fault.regions.iter().any(|it| it == region))
                && covers(&fault.stack_sets, stack_set)
                && if fault.actions.is_empty() {
                    ACTIONS.contains(&action)
                } else {
                    fault.actions.iter().any(|it| it == action)
                };
            if !meant {
                continue;
            }
            let drawn = self
                .chance
                .of(&["instance", &index.to_string(), account, region]);
            if drawn >= fault.share {
                continue;
            }
            let key = (index, account.to_owned(), region.to_owned());
            let met = self.met.entry(key).or_default();
            if fault.times.is_some_and(|times| *met >= times) {
                continue;
            }
            *met += 1;
            let effect = fault.effect.clone();
            self.count(effect.name());
            return Some(effect);
        }
        None
    }
}
