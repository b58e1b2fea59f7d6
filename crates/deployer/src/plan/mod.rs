//! What must change for the fleet to equal the bundle.

mod model;

pub use model::{
    BlockedPlace, Change, Plan, PlanSummary, Problem, ProblemKind, Reason, RuleChange,
    RuleChangeKind, StackPlan, StackSetPlan,
};

use compiler::Bundle;

use crate::observe::Observed;

/// Compares bundle and fleet. Pure.
pub fn plan(bundle: &Bundle, _observed: &Observed) -> Plan {
    Plan {
        organization: bundle.organization.id.clone(),
        problems: Vec::new(),
        stack_sets: Vec::new(),
        stacks: Vec::new(),
        accounts: 0,
        regions: bundle.organization.regions.len(),
    }
}
