//! The report of a deployment or removal as text.

use deployer::ApplyReport;
use deployer::apply::{PartOutcome, PartReport};

use crate::plan::{blocked, left_behind, list, problems};
use crate::{plural, push_line};

/// Maximum failures to list; the rest are counted.
const LISTED: usize = 100;

/// The report for a terminal: every part, and every failed account and Region with its reason.
pub fn terminal(report: &ApplyReport) -> String {
    let mut text = problems(&report.problems);
    for part in &report.parts {
        push_line(&mut text, &headline(part));
        for failure in part.failures.iter().take(LISTED) {
            push_line(
                &mut text,
                &format!(
                    "      {}  {}: {}",
                    failure.status, failure.location, failure.reason
                ),
            );
            for event in &failure.events {
                push_line(
                    &mut text,
                    &format!(
                        "          {} {} ({}): {}",
                        event.status, event.logical_id, event.resource_type, event.reason
                    ),
                );
            }
        }
        if part.failures.len() > LISTED {
            push_line(
                &mut text,
                &format!(
                    "      and {} more failures; `--format json` lists them all",
                    part.failures.len() - LISTED
                ),
            );
        }
        for left in &part.unfinished {
            push_line(
                &mut text,
                &format!(
                    "      left unchanged  {}: {}",
                    plural(left.locations.len(), "instance"),
                    list(&left.locations)
                ),
            );
        }
        for line in left_behind(&part.left_behind) {
            push_line(&mut text, &line);
        }
        for line in blocked(&part.blocked) {
            push_line(&mut text, &line);
        }
    }
    text
}

/// The report in one line that starts with `verb`, such as `Deployed`.
pub fn summary(report: &ApplyReport, verb: &str) -> String {
    let sum = report.summary();
    let mut line = format!(
        "{verb}: {} changed, {} unchanged; {}",
        plural(sum.changed, "part"),
        sum.unchanged,
        plural(sum.instances_succeeded, "stack instance"),
    );
    if sum.failed + sum.skipped + sum.instances_failed > 0 {
        line.push_str(&format_failures(
            sum.failed,
            sum.skipped,
            sum.instances_failed,
        ));
    }
    line
}

fn format_failures(failed: usize, skipped: usize, instances: usize) -> String {
    format!(
        "; FAILED: {}, {}; {skipped} not started",
        plural(failed, "part"),
        plural(instances, "stack instance")
    )
}

fn headline(part: &PartReport) -> String {
    let name = match &part.location {
        Some(location) => format!("stack {} in {location}", part.name),
        None => format!("stack set {}", part.name),
    };
    let done: usize = part.operations.iter().map(|it| it.succeeded).sum();
    let (word, detail) = match &part.outcome {
        PartOutcome::Unchanged => ("unchanged", String::new()),
        PartOutcome::Done if part.location.is_some() => ("done", String::new()),
        PartOutcome::Done => ("done", format!(": {}", plural(done, "instance"))),
        PartOutcome::Partial => (
            "partial",
            format!(
                ": {} done, {} failed",
                plural(done, "instance"),
                part.failures.len()
            ),
        ),
        PartOutcome::Failed { reason } => ("FAILED", format!(": {reason}")),
        PartOutcome::Skipped { reason } => ("skipped", format!(": {reason}")),
        PartOutcome::TimedOut { reason } => ("timed out", format!(": {reason}")),
    };
    format!("  {word:<10} {name}{detail}")
}
