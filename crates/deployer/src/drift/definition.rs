//! Check 1: the plan is empty.

use std::collections::BTreeMap;

use compiler::{Bundle, StackSet};
use remedy::{Command, Remedy};

use super::options::DriftOptions;
use super::report::{Difference, Found};
use super::template::template_changes;
use crate::code::{DriftCheck, DriftCode};
use crate::fleet::Observed;
use crate::plan::{Change, Deployed, Plan, Reason, RuleChange, StackSetPlan};

/// A stack set or stack to compare.
struct Compared<'a> {
    /// `stack set` or `stack`.
    what: &'static str,
    name: &'a str,
    change: &'a Change,
    rules: &'a [RuleChange],
    deployed: Option<Deployed<'a>>,
}

/// Reports stack sets and stacks that differ from the bundle.
pub(super) fn definition(
    bundle: &Bundle,
    plan: &Plan,
    observed: &Observed,
    options: &DriftOptions,
) -> Found {
    let mut found = Found::default();
    for set in &plan.stack_sets {
        found.differences.extend(compare(
            bundle,
            &Compared {
                what: "stack set",
                name: &set.name,
                change: &set.change,
                rules: &set.rules,
                deployed: observed.stack_sets.get(&set.name).map(Into::into),
            },
        ));
        // The instances check lists each of them.
        if set.change == Change::Unchanged && !options.makes(DriftCheck::Instances) {
            found.differences.extend(due_instances(set, options));
        }
    }
    if observed.stacks_unreadable.is_some() {
        // A part that can't be read has not necessarily drifted; the caller lists it as unchecked.
        return found;
    }
    for stack in &plan.stacks {
        if !options.covers(&stack.location) {
            continue;
        }
        let difference = compare(
            bundle,
            &Compared {
                what: "stack",
                name: &stack.name,
                change: &stack.change,
                rules: &stack.rules,
                deployed: observed.stack(&stack.location, &stack.name).map(Into::into),
            },
        );
        found
            .differences
            .extend(difference.map(|it| it.at(&stack.location)));
    }
    found
}

/// A stack set that matches the bundle but has instances that don't.
fn due_instances(set: &StackSetPlan, options: &DriftOptions) -> Option<Difference> {
    let locations = [&set.add, &set.update, &set.remove];
    let [add, update, remove] = locations.map(|all| {
        let covered = all.iter().filter(|location| options.covers(location));
        covered.count()
    });
    if add + update + remove == 0 {
        return None;
    }
    let message = format!(
        "stack set {}: a deployment would create {add}, update {update} and remove {remove} stack \
         instances",
        set.name
    );
    let difference = Difference::new(DriftCode::PlanInstances, message, Remedy::DEPLOY);
    Some(difference.part(&set.name))
}

fn compare(bundle: &Bundle, it: &Compared<'_>) -> Option<Difference> {
    let Compared { what, name, .. } = it;
    let difference = |code, message| Difference::new(code, message, Remedy::DEPLOY);
    let mut difference = match it.change {
        Change::Unchanged => return None,
        Change::Create => difference(DriftCode::PlanMissing, format!("{what} {name} is missing")),
        Change::Update { reasons } => {
            let words: Vec<String> = reasons.iter().map(Reason::describe).collect();
            let message = format!(
                "{what} {name} differs from the bundle: {}{}",
                words.join("; "),
                in_rules(it.rules)
            );
            let difference = difference(DriftCode::PlanDiffers, message);
            let wanted = bundle.stack_sets.iter().find(|set| set.name == *name);
            match (wanted, it.deployed) {
                (Some(wanted), Some(deployed)) => {
                    let (expected, actual) = values(reasons, wanted, deployed);
                    difference.values(expected, actual)
                }
                _ => difference,
            }
        }
        Change::Replace { status } => difference(
            DriftCode::PlanNeverCreated,
            format!("{what} {name} is in {status}: it was never created"),
        ),
        Change::Delete => difference(
            DriftCode::PlanUnwanted,
            format!("{what} {name} has this installation's tags but is not in the bundle"),
        ),
        Change::Blocked { reason } => Difference::new(
            DriftCode::PlanBlocked,
            reason.clone(),
            Remedy::from("resolve what blocks the deployment, then run ").command(
                Command::Deploy {
                    allow_delete: false,
                },
            ),
        ),
    };
    difference.rules = it.rules.iter().map(|rule| rule.rule.clone()).collect();
    Some(difference.part(name))
}

fn in_rules(rules: &[RuleChange]) -> String {
    if rules.is_empty() {
        return String::new();
    }
    let words: Vec<String> = rules
        .iter()
        .map(|rule| format!("rule {} {}", rule.rule, rule.change.word()))
        .collect();
    format!(" ({})", words.join(", "))
}

/// Expected and actual values of everything that differs.
fn values(reasons: &[Reason], wanted: &StackSet, deployed: Deployed<'_>) -> (String, String) {
    let mut expected = Vec::new();
    let mut actual = Vec::new();
    for reason in reasons {
        match reason {
            Reason::Parameters(names) => {
                expected.extend(named(names, &wanted.parameters));
                actual.extend(named(names, deployed.parameters));
            }
            Reason::Tags(names) | Reason::Adoption(names) => {
                expected.extend(named(names, &wanted.tags));
                actual.extend(named(names, deployed.tags));
            }
            Reason::Template => {
                expected.push("the compiled template".to_owned());
                actual.push(template_changes(&wanted.template, deployed.template));
            }
            // The template says it.
            Reason::WithdrawsPublishing => {}
            other => {
                expected.push(format!("{} as compiled", other.describe()));
                actual.push(format!("another {}", other.describe()));
            }
        }
    }
    (expected.join("; "), actual.join("; "))
}

/// `name=value` for each name.
pub(super) fn named<'a>(
    names: &'a [String],
    values: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = String> + 'a {
    names.iter().map(|name| match values.get(name) {
        Some(value) => format!("{name}={value}"),
        None => format!("no {name}"),
    })
}
