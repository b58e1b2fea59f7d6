//! Where fleet and bundle differ, and which links of the alert chain don't work.
//!
//! Everything is read-only, except that CloudFormation is asked to look for drift.

mod health;
mod report;
mod resolve;
mod resources;

pub use report::{Checked, DriftCheck, DriftFinding, DriftOutcome, DriftReport, HealthFinding};

use std::sync::Arc;

use compiler::Bundle;
use futures::future::join_all;

use crate::apply::{Limits, Run};
use crate::error::DeployError;
use crate::observe::{Observed, observe};
use crate::plan::{Change, Plan, Reason, RuleChange, plan};
use crate::ports::{AccountState, Cloud, InstanceStatus, Place};
use crate::progress::{Progress, ProgressEvent};

const DEPLOY: &str = "run `cargo xtask deploy --org`";

/// Compares fleet and bundle in every respect: the plan, the instances, every resource, and the
/// health of the alert chain.
pub async fn drift(
    cloud: &impl Cloud,
    bundle: &Bundle,
    progress: &dyn Progress,
) -> Result<DriftReport, DeployError> {
    let checking = |what: &str| {
        progress.report(&ProgressEvent::Checking {
            what: what.to_owned(),
        });
    };
    checking("stack sets, stacks and instances");
    let observed = observe(cloud, bundle).await?;
    let plan = plan(bundle, &observed);
    let mut report = DriftReport {
        findings: Vec::new(),
        unchecked: Vec::new(),
        checked: Checked::default(),
        plan,
    };
    if !report.plan.problems.is_empty() {
        return Ok(report);
    }
    report.findings = definition(&report.plan);
    report.findings.extend(instances(&report.plan, &observed));

    checking("resources");
    let run = Run {
        cloud,
        bundle,
        progress,
        limits: Limits::default(),
        gate: false,
        world: Arc::new(observed.world()),
    };
    let sets: Vec<_> = bundle
        .stack_sets
        .iter()
        .filter(|set| exists_as_stack_set(&report.plan, &set.name))
        .collect();
    let stacks: Vec<_> = bundle
        .stack_sets
        .iter()
        .flat_map(|set| {
            report
                .plan
                .stacks
                .iter()
                .filter(move |planned| planned.name == set.name)
                .filter(|planned| {
                    matches!(planned.change, Change::Unchanged | Change::Update { .. })
                })
                .map(move |planned| (set, planned.place.clone()))
        })
        .collect();
    report.checked = Checked {
        stack_sets: sets.len(),
        instances: sets
            .iter()
            .filter_map(|set| observed.stack_sets.get(&set.name))
            .map(|found| found.instances.len())
            .sum(),
        stacks: stacks.len(),
    };
    let in_sets = join_all(sets.iter().map(|set| resources::of_stack_set(&run, set))).await;
    let in_stacks = join_all(
        stacks
            .iter()
            .map(|(set, place)| resources::of_stack(&run, set, place)),
    )
    .await;
    for detected in in_sets.into_iter().chain(in_stacks) {
        report.findings.extend(detected.findings);
        report.unchecked.extend(detected.unchecked);
    }

    checking("the alert chain's health");
    let inspection = health::inspect(cloud, bundle).await?;
    report
        .findings
        .extend(inspection.findings.into_iter().map(|found| DriftFinding {
            check: DriftCheck::Health,
            part: None,
            place: Some(found.place),
            message: format!("{}: {}", found.link, found.message),
            rules: Vec::new(),
            resource: None,
            fix: Some(found.fix),
        }));
    report.unchecked.extend(
        inspection
            .unreadable
            .into_iter()
            .map(|found| format!("{} in {}: {}", found.link, found.place, found.message)),
    );
    Ok(report)
}

fn exists_as_stack_set(plan: &Plan, name: &str) -> bool {
    plan.stack_sets.iter().any(|planned| {
        planned.name == name && matches!(planned.change, Change::Unchanged | Change::Update { .. })
    })
}

/// Looks at every link of the alert chain. A link that can't be looked at counts as broken.
pub async fn health(
    cloud: &impl Cloud,
    bundle: &Bundle,
) -> Result<Vec<HealthFinding>, DeployError> {
    let inspection = health::inspect(cloud, bundle).await?;
    let mut findings = inspection.findings;
    findings.extend(inspection.unreadable);
    Ok(findings)
}

/// Stack sets and stacks that aren't what the bundle says.
fn definition(plan: &Plan) -> Vec<DriftFinding> {
    let sets = plan
        .stack_sets
        .iter()
        .map(|set| ("stack set", &set.name, None, &set.change, &set.rules));
    let stacks = plan
        .stacks
        .iter()
        .map(|s| ("stack", &s.name, Some(&s.place), &s.change, &s.rules));
    sets.chain(stacks)
        .filter_map(|(what, name, place, change, rules)| {
            let (message, fix) = match change {
                Change::Unchanged => return None,
                Change::Create => (format!("{what} {name} is missing"), Some(DEPLOY)),
                Change::Update { reasons } => {
                    let reasons: Vec<String> = reasons.iter().map(Reason::describe).collect();
                    let message = format!(
                        "{what} {name} differs from the bundle: {}{}",
                        reasons.join("; "),
                        in_rules(rules)
                    );
                    (message, Some(DEPLOY))
                }
                Change::Replace { status } => (
                    format!("{what} {name} is in {status}: it was never created"),
                    Some(DEPLOY),
                ),
                Change::Delete => (
                    format!("{what} {name} carries our tag but is not in the bundle"),
                    Some(DEPLOY),
                ),
                Change::Blocked { reason } => (reason.clone(), None),
            };
            Some(DriftFinding {
                check: DriftCheck::Definition,
                part: Some(name.clone()),
                place: place.cloned(),
                message,
                rules: rules.iter().map(|rule| rule.rule.clone()).collect(),
                resource: None,
                fix: fix.map(str::to_owned),
            })
        })
        .collect()
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

/// Instances that are missing, unexpected or not current.
fn instances(plan: &Plan, observed: &Observed) -> Vec<DriftFinding> {
    let mut findings = Vec::new();
    for set in &plan.stack_sets {
        let Some(found) = observed.stack_sets.get(&set.name) else {
            // The missing stack set is finding enough.
            continue;
        };
        if matches!(set.change, Change::Delete | Change::Blocked { .. }) {
            continue;
        }
        let mut push = |place: &Place, message: String, fix: Option<&str>| {
            findings.push(DriftFinding {
                check: DriftCheck::Instances,
                part: Some(set.name.clone()),
                place: Some(place.clone()),
                message,
                rules: Vec::new(),
                resource: None,
                fix: fix.map(str::to_owned),
            });
        };
        let name_of = |place: &Place| {
            observed
                .accounts
                .iter()
                .find(|account| account.id == place.account)
                .map_or_else(
                    || "an unknown account".to_owned(),
                    |account| format!("account {}", account.name),
                )
        };
        for place in &set.add {
            let message = format!("the stack instance of {} is missing", name_of(place));
            push(place, message, Some(DEPLOY));
        }
        for place in &set.remove {
            let message = format!(
                "{} has a stack instance, but none belongs there",
                name_of(place)
            );
            push(place, message, Some(DEPLOY));
        }
        for instance in &found.instances {
            let place = Place::new(&instance.account, &instance.region);
            if instance.status != InstanceStatus::Current && set.update.contains(&place) {
                let message = format!(
                    "the stack instance of {} is not current{}",
                    name_of(&place),
                    instance
                        .reason
                        .as_deref()
                        .map(|reason| format!(": {reason}"))
                        .unwrap_or_default()
                );
                push(&place, message, Some(DEPLOY));
            }
        }
        for blocked in &set.blocked {
            let account = observed
                .accounts
                .iter()
                .find(|account| account.id == blocked.place.account);
            // An account that is out of use needs no watching; that is no drift.
            if account.is_none_or(|account| account.state == AccountState::Active) {
                push(&blocked.place, blocked.reason.clone(), None);
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests;
