//! Check 1: the plan is empty.

use std::collections::BTreeMap;

use compiler::{Bundle, StackSet};

use super::DEPLOY;
use super::code::{DriftCheck, DriftCode, DriftOptions};
use super::report::Difference;
use super::template::template_changes;
use crate::observe::Observed;
use crate::plan::{Change, Plan, Reason, RuleChange};
use crate::ports::Location;

/// What is deployed under a name.
struct Deployed<'a> {
    template: &'a str,
    parameters: &'a BTreeMap<String, String>,
    tags: &'a BTreeMap<String, String>,
}

/// Stack sets and stacks that aren't what the bundle says.
pub(crate) fn definition(
    bundle: &Bundle,
    plan: &Plan,
    observed: &Observed,
    options: &DriftOptions,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    for set in &plan.stack_sets {
        let deployed = observed.stack_sets.get(&set.name).map(|found| Deployed {
            template: &found.details.template,
            parameters: &found.details.parameters,
            tags: &found.details.tags,
        });
        differences.extend(compare(
            ("stack set", &set.name, None),
            &set.change,
            &set.rules,
            in_bundle(bundle, &set.name),
            deployed.as_ref(),
        ));
        // With the instances' own check, each is named there.
        if set.change == Change::Unchanged && !options.makes(DriftCheck::Instances) {
            let locations = [&set.add, &set.update, &set.remove];
            let [add, update, remove] = locations.map(|locations| {
                locations
                    .iter()
                    .filter(|location| options.covers(location))
                    .count()
            });
            if add + update + remove > 0 {
                let message = format!(
                    "stack set {}: a deployment would create {add}, update {update} and remove \
                     {remove} stack instances",
                    set.name
                );
                differences.push(
                    Difference::new(DriftCode::PlanInstances, message, DEPLOY).part(&set.name),
                );
            }
        }
    }
    // What can't be read has not drifted: the caller lists it as unchecked.
    let readable = observed.stacks_unreadable.is_none();
    let stacks = plan.stacks.iter().filter(|_| readable);
    for stack in stacks.filter(|it| options.covers(&it.location)) {
        let found = observed
            .stacks
            .iter()
            .find(|found| found.location == stack.location && found.stack.name == stack.name);
        let deployed = found.map(|found| Deployed {
            template: found.template.as_deref().unwrap_or_default(),
            parameters: &found.stack.parameters,
            tags: &found.stack.tags,
        });
        differences.extend(compare(
            ("stack", &stack.name, Some(&stack.location)),
            &stack.change,
            &stack.rules,
            in_bundle(bundle, &stack.name),
            deployed.as_ref(),
        ));
    }
    differences
}

fn in_bundle<'a>(bundle: &'a Bundle, name: &str) -> Option<&'a StackSet> {
    bundle.stack_sets.iter().find(|set| set.name == name)
}

fn compare(
    (what, name, location): (&str, &str, Option<&Location>),
    change: &Change,
    rules: &[RuleChange],
    wanted: Option<&StackSet>,
    deployed: Option<&Deployed<'_>>,
) -> Option<Difference> {
    let difference = match change {
        Change::Unchanged => return None,
        Change::Create => Difference::new(
            DriftCode::PlanMissing,
            format!("{what} {name} is missing"),
            DEPLOY,
        ),
        Change::Update { reasons } => {
            let words: Vec<String> = reasons.iter().map(Reason::describe).collect();
            let message = format!(
                "{what} {name} differs from the bundle: {}{}",
                words.join("; "),
                in_rules(rules)
            );
            let difference = Difference::new(DriftCode::PlanDiffers, message, DEPLOY);
            match (wanted, deployed) {
                (Some(wanted), Some(deployed)) => {
                    let (expected, actual) = values(reasons, wanted, deployed);
                    difference.values(expected, actual)
                }
                _ => difference,
            }
        }
        Change::Replace { status } => Difference::new(
            DriftCode::PlanNeverCreated,
            format!("{what} {name} is in {status}: it was never created"),
            DEPLOY,
        ),
        Change::Delete => Difference::new(
            DriftCode::PlanUnwanted,
            format!("{what} {name} carries our tag but is not in the bundle"),
            DEPLOY,
        ),
        Change::Blocked { reason } => Difference::new(
            DriftCode::PlanBlocked,
            reason.clone(),
            "remove what stands in the way, then run `cargo xtask deploy --org`",
        ),
    };
    let mut difference = difference.part(name);
    difference.location = location.cloned();
    difference.rules = rules.iter().map(|rule| rule.rule.clone()).collect();
    Some(difference)
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

/// Expected and actual values of whatever differs.
fn values(reasons: &[Reason], wanted: &StackSet, deployed: &Deployed<'_>) -> (String, String) {
    let mut expected = Vec::new();
    let mut actual = Vec::new();
    for reason in reasons {
        match reason {
            Reason::Parameters(names) => {
                expected.extend(named(names, &wanted.parameters));
                actual.extend(named(names, deployed.parameters));
            }
            Reason::Tags(names) => {
                expected.extend(named(names, &wanted.tags));
                actual.extend(named(names, deployed.tags));
            }
            Reason::Template => {
                expected.push("the compiled template".to_owned());
                actual.push(template_changes(&wanted.template, deployed.template));
            }
            other => {
                expected.push(format!("{} as compiled", other.describe()));
                actual.push(format!("another {}", other.describe()));
            }
        }
    }
    (expected.join("; "), actual.join("; "))
}

/// `name=value` of each.
pub(super) fn named<'a>(
    names: &'a [String],
    values: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = String> + 'a {
    names.iter().map(|name| match values.get(name) {
        Some(value) => format!("{name}={value}"),
        None => format!("no {name}"),
    })
}
