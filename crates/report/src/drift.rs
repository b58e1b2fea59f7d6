//! What a drift check found, as people read it.

use deployer::DriftReport;
use deployer::drift::{DriftFinding, DriftOutcome, Unchecked};

use crate::plan::problems;
use crate::{plural, push_line};

/// The report for a terminal.
pub fn terminal(report: &DriftReport) -> String {
    let mut text = problems(&report.plan.problems);
    for finding in &report.findings {
        push_line(&mut text, &format!("drift: {}", headline(finding)));
        for line in details(finding) {
            push_line(&mut text, &format!("       {line}"));
        }
        push_line(&mut text, &format!("  help: {}", finding.fix));
    }
    for what in &report.unchecked {
        push_line(&mut text, &format!("unchecked: {}", unchecked(what)));
    }
    push_line(&mut text, &summary(report));
    text
}

/// The report for an issue or a job's summary.
pub fn markdown(report: &DriftReport) -> String {
    let mut text = String::from("### Drift\n\n");
    push_line(&mut text, &summary(report));
    text.push('\n');
    for problem in &report.plan.problems {
        push_line(
            &mut text,
            &format!("- **{}**: {}", problem.message, problem.fix),
        );
    }
    for finding in &report.findings {
        push_line(&mut text, &format!("- {}", headline(finding)));
        for line in details(finding) {
            push_line(&mut text, &format!("  - {line}"));
        }
        push_line(&mut text, &format!("  - what to do: {}", finding.fix));
    }
    for what in &report.unchecked {
        push_line(&mut text, &format!("- unchecked: {}", unchecked(what)));
    }
    text
}

/// The report in one line.
pub fn summary(report: &DriftReport) -> String {
    let checked = format!(
        "{}, {}, {}",
        plural(report.checked.stack_sets, "stack set"),
        plural(report.checked.instances, "stack instance"),
        plural(report.checked.stacks, "stack")
    );
    match report.outcome() {
        DriftOutcome::InSync => format!("No drift: {checked} and the alert chain checked."),
        DriftOutcome::Drifted => format!(
            "Drift: {}; {checked} checked.",
            plural(report.findings.len(), "difference")
        ),
        DriftOutcome::Incomplete => format!(
            "No drift found, but {} could not be checked.",
            plural(report.unchecked.len(), "thing")
        ),
        DriftOutcome::Blocked => "Blocked: nothing was compared.".to_owned(),
    }
}

fn headline(finding: &DriftFinding) -> String {
    let part = finding
        .part
        .as_ref()
        .map(|part| format!("{part}: "))
        .unwrap_or_default();
    let place = finding
        .place
        .as_ref()
        .map(|place| format!(" ({place})"))
        .unwrap_or_default();
    let rules = if finding.rules.is_empty() {
        String::new()
    } else {
        format!(" [rules: {}]", finding.rules.join(", "))
    };
    format!("{part}{}{place}{rules}", finding.message)
}

fn unchecked(it: &Unchecked) -> String {
    let part = it
        .part
        .as_ref()
        .map(|part| format!(" of {part}"))
        .unwrap_or_default();
    let place = it
        .place
        .as_ref()
        .map(|place| format!(" in {place}"))
        .unwrap_or_default();
    format!("{}{part}{place}: {}", it.what, it.reason)
}

fn details(finding: &DriftFinding) -> Vec<String> {
    let Some(resource) = &finding.resource else {
        return Vec::new();
    };
    resource
        .differences
        .iter()
        .map(|it| {
            format!(
                "{} {}: expected {}, found {}",
                resource.logical_id,
                it.path,
                short(&it.expected),
                short(&it.actual)
            )
        })
        .collect()
}

/// A value that fits a line.
fn short(value: &str) -> String {
    const LONGEST: usize = 200;
    if value.chars().count() <= LONGEST {
        return value.to_owned();
    }
    let start: String = value.chars().take(LONGEST).collect();
    format!("{start}…")
}
