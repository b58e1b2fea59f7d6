//! Limits how many instances a plan may remove, so that an error in the organization file can't
//! remove most detections.

use remedy::{Command, Remedy};

use crate::plan::{Change, Plan, Problem, ProblemKind, StackSetPlan};

/// A problem if the plan removes more than `percent` percent of any stack set's instances.
pub fn removals_problem(plan: &Plan, percent: u8) -> Option<Problem> {
    let too_many: Vec<String> = plan
        .stack_sets
        .iter()
        .filter(|set| exceeds(set, percent))
        .map(|set| {
            format!(
                "{} of the {} instances of {}",
                set.remove.len(),
                existing(set),
                set.name
            )
        })
        .collect();
    if too_many.is_empty() {
        return None;
    }
    Some(Problem {
        kind: ProblemKind::TooManyRemovals,
        message: format!("the plan removes {}", too_many.join(", ")),
        fix: Remedy::from("if this is intended, run ")
            .command(Command::Deploy { allow_delete: true })
            .words(format!(
                "; without that option, at most {percent} % of a stack set's instances are removed"
            )),
    })
}

fn existing(set: &StackSetPlan) -> usize {
    set.remove.len() + set.update.len() + set.repair.len() + set.unchanged
}

fn exceeds(set: &StackSetPlan, percent: u8) -> bool {
    let empty = set.change == Change::Delete && set.remove.is_empty();
    !empty && set.remove.len() * 100 > existing(set) * usize::from(percent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Location;

    fn plan(remove: usize, unchanged: usize) -> Plan {
        let location = |n: usize| Location::new(format!("{n:012}"), "eu-central-1");
        Plan {
            organization: "o-exampleorg1".into(),
            problems: Vec::new(),
            stack_sets: vec![StackSetPlan {
                remove: (0..remove).map(location).collect(),
                unchanged,
                ..StackSetPlan::new("gizmos-rules-spoke", None, Change::Unchanged)
            }],
            stacks: Vec::new(),
            moves: Vec::new(),
            accounts: 0,
            regions: 0,
            notes: Vec::new(),
            pinned_regions: Vec::new(),
            estimate: crate::plan::Estimate::default(),
            basis: crate::plan::Basis::default(),
        }
    }

    #[test]
    fn a_few_removals_pass_and_many_are_a_problem() {
        assert_eq!(removals_problem(&plan(0, 0), 20), None);
        assert_eq!(removals_problem(&plan(2, 8), 20), None);
        let problem = removals_problem(&plan(3, 8), 20).unwrap();
        assert_eq!(
            problem.message,
            "the plan removes 3 of the 11 instances of gizmos-rules-spoke"
        );
        assert_eq!(
            removals_problem(&plan(1, 100), 0).unwrap().kind,
            ProblemKind::TooManyRemovals
        );
    }
}
