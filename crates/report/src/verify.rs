//! The report of a verification as text.

use std::collections::BTreeMap;

use deployer::verify::{Case, CaseKind, Hop, HopOutcome, VerifyReport};
use syntax::untrusted::line;

use crate::{plural, push_line};

/// The report for a terminal: a line per rule, one delivered alert per rule, and for every failed
/// case the event's path up to the link that dropped it.
pub fn terminal(report: &VerifyReport) -> String {
    let mut rules: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in &report.cases {
        rules.entry(&case.rule).or_default().push(case);
    }
    let mut text = String::new();
    for (rule, cases) in &rules {
        push_line(&mut text, &rule_line(rule, cases));
    }
    for (rule, cases) in &rules {
        let alert = cases
            .iter()
            .filter(|case| case.kind == CaseKind::Positive)
            .find_map(|case| case.alerts.first());
        if let Some(alert) = alert {
            text.push('\n');
            push_line(
                &mut text,
                &format!("{rule} -> {} to {}:", alert.protocol, alert.endpoint),
            );
            for line in alert.body.lines() {
                push_line(&mut text, &format!("  {line}"));
            }
        }
    }
    for case in report.failed() {
        text.push('\n');
        for line in failure(case) {
            push_line(&mut text, &line);
        }
    }
    text
}

/// The report in one line.
pub fn summary(report: &VerifyReport) -> String {
    let count = |kind| report.cases.iter().filter(|it| it.kind == kind).count();
    let failed = report.failed().count();
    let verdict = if report.cases.is_empty() {
        "nothing was sent".to_owned()
    } else if failed == 0 {
        "all as expected".to_owned()
    } else {
        format!("{failed} FAILED")
    };
    format!(
        "Verified: {} sent ({} positive, {} negative, {} hostile, {} to respond to), {} arrived; {verdict}.",
        plural(report.cases.len(), "event"),
        count(CaseKind::Positive),
        count(CaseKind::Negative),
        count(CaseKind::Hostile),
        count(CaseKind::Response),
        plural(report.alerts(), "alert"),
    )
}

fn rule_line(rule: &str, cases: &[&Case]) -> String {
    let failed = cases.iter().filter(|case| !case.passed()).count();
    let alerts: usize = cases.iter().map(|case| case.alerts.len()).sum();
    let word = if failed == 0 { "ok" } else { "FAILED" };
    format!(
        "  {word:<6} {rule}: {}, {}",
        plural(cases.len(), "event"),
        plural(alerts, "alert")
    )
}

fn failure(case: &Case) -> Vec<String> {
    let mut lines = vec![format!(
        "FAILED {} / {} (sent in {})",
        case.rule, case.test, case.location
    )];
    lines.extend(case.failures.iter().map(|it| format!("  {it}")));
    if let Some(hop) = &case.broken_link {
        lines.push(format!(
            "  broken link: {} in {} {}: {}",
            hop.link,
            hop.account,
            hop.region,
            hop.detail.as_deref().unwrap_or("no reason given")
        ));
    }
    lines.extend(
        case.hops
            .iter()
            .map(|hop| format!("    {}", self::hop(hop))),
    );
    lines
}

/// One link on an event's path: the outcome, its location, and the reason.
pub fn hop(hop: &Hop) -> String {
    let word = match hop.outcome {
        HopOutcome::Ok => "ok",
        HopOutcome::Dropped => "dropped",
        HopOutcome::Denied => "DENIED",
        HopOutcome::Failed => "FAILED",
    };
    let detail = match &hop.detail {
        Some(detail) if !detail.is_empty() => format!(": {detail}"),
        _ => String::new(),
    };
    line(&format!(
        "{word:<8} {} {}  {}{detail}",
        hop.account, hop.region, hop.link
    ))
}
