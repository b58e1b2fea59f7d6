//! Check 1: the plan is empty.

use std::collections::BTreeMap;

use compiler::{Bundle, StackSet};

use super::DEPLOY;
use super::code::{DriftCheck, DriftCode, DriftOptions};
use super::report::DriftFinding;
use super::template::template_changes;
use crate::observe::Observed;
use crate::plan::{Change, Plan, Reason, RuleChange};
use crate::ports::Place;

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
) -> Vec<DriftFinding> {
    let mut findings = Vec::new();
    for set in &plan.stack_sets {
        let deployed = observed.stack_sets.get(&set.name).map(|found| Deployed {
            template: &found.details.template,
            parameters: &found.details.parameters,
            tags: &found.details.tags,
        });
        findings.extend(compare(
            ("stack set", &set.name, None),
            &set.change,
            &set.rules,
            in_bundle(bundle, &set.name),
            deployed.as_ref(),
        ));
        // With the instances' own check, each is named there.
        if set.change == Change::Unchanged && !options.makes(DriftCheck::Instances) {
            let places = [&set.add, &set.update, &set.remove];
            let [add, update, remove] =
                places.map(|places| places.iter().filter(|place| options.covers(place)).count());
            if add + update + remove > 0 {
                let message = format!(
                    "stack set {}: a deployment would create {add}, update {update} and remove \
                     {remove} stack instances",
                    set.name
                );
                findings.push(
                    DriftFinding::new(DriftCode::PlanInstances, message, DEPLOY).part(&set.name),
                );
            }
        }
    }
    // What can't be read has not drifted: the caller lists it as unchecked.
    let readable = observed.stacks_unreadable.is_none();
    let stacks = plan.stacks.iter().filter(|_| readable);
    for stack in stacks.filter(|it| options.covers(&it.place)) {
        let found = observed
            .stacks
            .iter()
            .find(|found| found.place == stack.place && found.stack.name == stack.name);
        let deployed = found.map(|found| Deployed {
            template: found.template.as_deref().unwrap_or_default(),
            parameters: &found.stack.parameters,
            tags: &found.stack.tags,
        });
        findings.extend(compare(
            ("stack", &stack.name, Some(&stack.place)),
            &stack.change,
            &stack.rules,
            in_bundle(bundle, &stack.name),
            deployed.as_ref(),
        ));
    }
    findings
}

fn in_bundle<'a>(bundle: &'a Bundle, name: &str) -> Option<&'a StackSet> {
    bundle.stack_sets.iter().find(|set| set.name == name)
}

fn compare(
    (what, name, place): (&str, &str, Option<&Place>),
    change: &Change,
    rules: &[RuleChange],
    wanted: Option<&StackSet>,
    deployed: Option<&Deployed<'_>>,
) -> Option<DriftFinding> {
    let finding = match change {
        Change::Unchanged => return None,
        Change::Create => DriftFinding::new(
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
            let finding = DriftFinding::new(DriftCode::PlanDiffers, message, DEPLOY);
            match (wanted, deployed) {
                (Some(wanted), Some(deployed)) => {
                    let (expected, actual) = values(reasons, wanted, deployed);
                    finding.values(expected, actual)
                }
                _ => finding,
            }
        }
        Change::Replace { status } => DriftFinding::new(
            DriftCode::PlanNeverCreated,
            format!("{what} {name} is in {status}: it was never created"),
            DEPLOY,
        ),
        Change::Delete => DriftFinding::new(
            DriftCode::PlanUnwanted,
            format!("{what} {name} carries our tag but is not in the bundle"),
            DEPLOY,
        ),
        Change::Blocked { reason } => DriftFinding::new(
            DriftCode::PlanBlocked,
            reason.clone(),
            "remove what stands in the way, then run `cargo xtask deploy --org`",
        ),
    };
    let mut finding = finding.part(name);
    finding.place = place.cloned();
    finding.rules = rules.iter().map(|rule| rule.rule.clone()).collect();
    Some(finding)
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
