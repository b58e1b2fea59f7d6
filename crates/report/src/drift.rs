//! The report of a drift run in several formats.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deployer::DriftReport;
use deployer::drift::{Difference, DriftCheck, DriftCode, DriftOutcome, Unchecked};
use deployer::ports::ResourceDriftStatus;
use remedy::Command;
use serde_json::{Value, json};
use syntax::Severity;

use crate::plan::problems;
use crate::{junit, plural, push_line, sarif};

/// Maximum differences to list per kind and stack set; the rest are counted. A removed rule would
/// otherwise list every account.
const LISTED: usize = 10;

/// Longest Markdown in bytes. GitHub limits the body of an issue to 65,536 characters.
const LONGEST_PAGE: usize = 60_000;

/// The report for a terminal.
pub fn terminal(report: &DriftReport) -> String {
    let mut text = problems(&report.plan.problems);
    let (differences, more) = listed(&report.differences);
    for difference in differences {
        push_line(
            &mut text,
            &format!("drift[{}]: {}", difference.code.id(), headline(difference)),
        );
        for line in details(difference) {
            push_line(&mut text, &format!("       {line}"));
        }
        push_line(&mut text, &format!("  help: {}", difference.fix));
    }
    for line in more {
        push_line(
            &mut text,
            &format!("drift: {line}; `--format json` lists all"),
        );
    }
    for line in unchecked(&report.unchecked) {
        push_line(&mut text, &format!("unchecked: {line}"));
    }
    for note in &report.notes {
        push_line(&mut text, &format!("note: {note}"));
    }
    push_line(&mut text, &summary(report));
    text
}

/// The report for an issue or a job summary, short enough for either.
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
    let (differences, more) = listed(&report.differences);
    let entries = differences
        .into_iter()
        .map(|difference| {
            let mut entry = format!(
                "- `{}` {}\n",
                difference.code.id(),
                inline(&headline(difference))
            );
            for line in details(difference) {
                push_line(&mut entry, &format!("  - {}", inline(&line)));
            }
            push_line(&mut entry, &format!("  - help: {}", difference.fix));
            entry
        })
        .chain(more.into_iter().map(|line| format!("- {line}\n")))
        .chain(
            unchecked(&report.unchecked)
                .into_iter()
                .map(|line| format!("- unchecked: {}\n", inline(&line))),
        )
        .chain(report.notes.iter().map(|note| format!("- note: {note}\n")));
    let mut left_out = 0;
    for entry in entries {
        if left_out > 0 || text.len() + entry.len() > LONGEST_PAGE {
            left_out += 1;
        } else {
            text.push_str(&entry);
        }
    }
    if left_out > 0 {
        push_line(
            &mut text,
            &format!(
                "- {left_out} more; {} lists all",
                Command::Drift { json: true }
            ),
        );
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
    let all = report.checked.checks.len() == DriftCheck::ALL.len();
    let made: Vec<&str> = report.checked.checks.iter().map(|it| it.name()).collect();
    match report.outcome() {
        DriftOutcome::InSync if all => format!("No drift: {checked} and the alert chain checked."),
        DriftOutcome::InSync => format!("No drift: {checked}; checked: {}.", made.join(", ")),
        DriftOutcome::Drifted => {
            let counts: Vec<String> = DriftCheck::ALL
                .iter()
                .filter_map(|check| {
                    let found = report.differences.iter().filter(|it| it.check == *check);
                    let count = found.count();
                    (count > 0).then(|| format!("{count} {}", check.name()))
                })
                .collect();
            let unproven = if report.unchecked.is_empty() {
                String::new()
            } else {
                format!("; {} could not be checked", report.unchecked.len())
            };
            format!(
                "Drift: {} ({}); {checked} checked{unproven}.",
                plural(report.differences.len(), "difference"),
                counts.join(", ")
            )
        }
        DriftOutcome::Incomplete => format!(
            "No drift found, but {} could not be checked.",
            plural(report.unchecked.len(), "thing")
        ),
        DriftOutcome::Blocked => "Blocked: nothing was compared.".to_owned(),
    }
}

/// The report as a SARIF log. A difference about a rule points to the rule's file, which `files`
/// maps by rule id; any other points to the organization file.
pub fn sarif(
    report: &DriftReport,
    files: &BTreeMap<String, PathBuf>,
    organization: &Path,
) -> Value {
    let pages: Vec<sarif::Page> = DriftCode::ALL
        .iter()
        .map(|code| sarif::Page {
            code: code.id(),
            name: code.describe(),
            about: code.describe(),
        })
        .collect();
    let entries: Vec<sarif::Entry> = report
        .differences
        .iter()
        .map(|difference| {
            let file = difference.rules.iter().find_map(|rule| files.get(rule));
            let file = file.map_or(organization, PathBuf::as_path);
            sarif::Entry {
                code: difference.code.id().to_owned(),
                severity: Severity::Error,
                message: whole(difference),
                locations: vec![location(difference, file)],
                fixes: Vec::new(),
            }
        })
        .collect();
    sarif::log(&entries, &pages)
}

fn location(difference: &Difference, file: &Path) -> Value {
    let mut names: Vec<&str> = Vec::new();
    if let Some(location) = &difference.location {
        names.extend([location.account.as_str(), location.region.as_str()]);
    }
    names.extend(difference.part.as_deref());
    if let Some(resource) = &difference.resource {
        names.push(&resource.logical_id);
    }
    let mut location = sarif::start_of(file);
    if let (false, Some(fields)) = (names.is_empty(), location.as_object_mut()) {
        fields.insert(
            "logicalLocations".to_owned(),
            json!([{ "fullyQualifiedName": names.join("/"), "kind": "resource" }]),
        );
    }
    location
}

/// The report as `JUnit` XML: a suite per check, a failed case per difference, an error per
/// unchecked item, and a passed case for each check without either.
pub fn junit(report: &DriftReport) -> String {
    let suites = report.checked.checks.iter().map(|check| {
        let mut cases = Vec::new();
        for difference in report.differences.iter().filter(|it| it.check == *check) {
            cases.push(junit::Case {
                name: headline(difference),
                class: difference.code.id().to_owned(),
                outcome: junit::CaseOutcome::Failure(whole(difference)),
            });
        }
        for it in report.unchecked.iter().filter(|it| it.check == *check) {
            cases.push(junit::Case {
                name: it.what.clone(),
                class: "unchecked".to_owned(),
                outcome: junit::CaseOutcome::Error(unchecked_line(it)),
            });
        }
        if cases.is_empty() {
            cases.push(junit::Case {
                name: "no drift".to_owned(),
                class: check.name().to_owned(),
                outcome: junit::CaseOutcome::Passed,
            });
        }
        junit::Suite {
            name: check.name().to_owned(),
            cases,
        }
    });
    let mut suites: Vec<junit::Suite> = suites.collect();
    if !report.plan.problems.is_empty() {
        let cases = report.plan.problems.iter().map(|problem| junit::Case {
            name: problem.message.clone(),
            class: "problem".to_owned(),
            outcome: junit::CaseOutcome::Error(problem.fix.to_string()),
        });
        suites = vec![junit::Suite {
            name: "preflight".to_owned(),
            cases: cases.collect(),
        }];
    }
    junit::document("gizmos drift", &suites)
}

/// A difference with all its details, on several lines.
fn whole(difference: &Difference) -> String {
    let mut text = headline(difference);
    for line in details(difference) {
        text.push('\n');
        text.push_str(&line);
    }
    text.push_str("\nhelp: ");
    text.push_str(&difference.fix.to_string());
    text
}

/// The first differences of each kind and part, and a line that counts each rest.
fn listed(differences: &[Difference]) -> (Vec<&Difference>, Vec<String>) {
    let mut counts: BTreeMap<(DriftCode, Option<&str>), usize> = BTreeMap::new();
    let mut shown = Vec::new();
    for difference in differences {
        let count = counts
            .entry((difference.code, difference.part.as_deref()))
            .or_default();
        *count += 1;
        if *count <= LISTED {
            shown.push(difference);
        }
    }
    let more = counts
        .into_iter()
        .filter(|(_, count)| *count > LISTED)
        .map(|((code, part), count)| {
            let part = part.map(|part| format!("{part}: ")).unwrap_or_default();
            format!("{part}{} more of {}", count - LISTED, code.id())
        })
        .collect();
    (shown, more)
}

fn unchecked(all: &[Unchecked]) -> Vec<String> {
    let mut counts: BTreeMap<(DriftCheck, Option<&str>), usize> = BTreeMap::new();
    let mut lines = Vec::new();
    for it in all {
        let count = counts.entry((it.check, it.part.as_deref())).or_default();
        *count += 1;
        if *count <= LISTED {
            lines.push(unchecked_line(it));
        }
    }
    for ((check, part), count) in counts {
        if count > LISTED {
            let part = part.map(|part| format!("{part}: ")).unwrap_or_default();
            lines.push(format!("{part}{} more of {}", count - LISTED, check.name()));
        }
    }
    lines
}

fn unchecked_line(it: &Unchecked) -> String {
    let part = it.part.as_ref();
    let part = part.map(|part| format!(" of {part}")).unwrap_or_default();
    let location = it.location.as_ref();
    let location = location
        .map(|location| format!(" in {location}"))
        .unwrap_or_default();
    format!("{}{part}{location}: {}", it.what, it.reason)
}

fn headline(difference: &Difference) -> String {
    let part = difference
        .part
        .as_ref()
        .map(|part| format!("{part}: "))
        .unwrap_or_default();
    let location = difference
        .location
        .as_ref()
        .map(|location| format!(" ({location})"))
        .unwrap_or_default();
    let rules = if difference.rules.is_empty() {
        String::new()
    } else {
        format!(" [rules: {}]", difference.rules.join(", "))
    };
    format!("{part}{}{location}{rules}", difference.message)
}

/// Expected and actual values, one line for each property of a changed resource.
fn details(difference: &Difference) -> Vec<String> {
    if let Some(resource) = &difference.resource
        && resource.status == ResourceDriftStatus::Modified
    {
        let differences = resource.differences.iter();
        return differences
            .map(|it| {
                format!(
                    "{} {}: expected {}, found {}",
                    resource.logical_id,
                    it.path,
                    short(&it.expected),
                    short(&it.actual)
                )
            })
            .collect();
    }
    match (&difference.expected, &difference.actual) {
        (Some(expected), Some(actual)) => {
            vec![format!(
                "expected {}, found {}",
                short(expected),
                short(actual)
            )]
        }
        _ => Vec::new(),
    }
}

/// Shortens a value to fit on a line.
fn short(value: &str) -> String {
    const LONGEST: usize = 200;
    if value.chars().count() <= LONGEST {
        return value.to_owned();
    }
    let start: String = value.chars().take(LONGEST).collect();
    format!("{start}…")
}

/// Escapes text for one line of Markdown. Account names and property values come from other people
/// and may contain anything.
fn inline(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => safe.push(' '),
            // Escape HTML, links, mentions and tables; other Markdown only changes the typeface.
            '<' => safe.push_str("&lt;"),
            '@' => safe.push_str("&#64;"),
            '[' | ']' | '`' | '*' | '|' | '\\' => {
                safe.push('\\');
                safe.push(letter);
            }
            other => safe.push(other),
        }
    }
    safe
}
