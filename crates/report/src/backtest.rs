//! The result of a backtest as text.

use backtest::{Backtest, Comparison, Difference, NotDelivered, RuleAlerts};
use syntax::untrusted::{code, fence, markdown as markdown_text};

use crate::{plural, push_line};

/// Maximum skipped files to list by name; the rest are counted.
const LISTED: usize = 20;

/// A rule id and its alerts.
type Row<'a> = (&'a String, &'a RuleAlerts);

/// The result for a terminal: the noisiest rule first, a sample alert of each rule that fired, then
/// what was skipped and why.
pub fn terminal(result: &Backtest) -> String {
    let mut text = String::new();
    let rules = ranked(result);
    let (fired, silent): (Vec<Row<'_>>, Vec<Row<'_>>) =
        rules.into_iter().partition(|(_, alerts)| alerts.alerts > 0);
    if !fired.is_empty() {
        let width = fired.iter().map(|(rule, _)| rule.len()).max().unwrap_or(4);
        push_line(
            &mut text,
            &format!(
                "{:>8} {:>9} {:>12}  {:width$}  where and when",
                "alerts", "a day", "busiest day", "rule"
            ),
        );
        for (rule, alerts) in &fired {
            push_line(&mut text, &row(rule, alerts, result.days, width));
        }
        for (rule, alerts) in &fired {
            text.push_str(&details(rule, alerts));
        }
    }
    let (outside, silent): (Vec<Row<'_>>, Vec<Row<'_>>) = silent
        .into_iter()
        .partition(|(_, alerts)| !alerts.is_about_cloudtrail);
    text.push_str(&named("Never fired", &silent));
    text.push_str(&named(
        "Not covered, because they don't match CloudTrail events",
        &outside,
    ));
    text.push('\n');
    for (rule, alerts) in over_budget(result) {
        push_line(&mut text, &format!("over budget: {}", budget(rule, alerts)));
    }
    for skipped in result.skipped.iter().take(LISTED) {
        let counted = match skipped.records {
            0 => "skipped".to_owned(),
            records => format!("only its first {} were read", plural_u64(records, "record")),
        };
        push_line(
            &mut text,
            &format!(
                "warning: {} {}; {counted}",
                skipped.path.display(),
                skipped.reason
            ),
        );
    }
    let more = result.skipped_files.saturating_sub(LISTED as u64);
    if more > 0 {
        push_line(
            &mut text,
            &format!("warning: and {} skipped", plural_u64(more, "more file")),
        );
    }
    for line in summary(result) {
        push_line(&mut text, &line);
    }
    text
}

fn ranked(result: &Backtest) -> Vec<Row<'_>> {
    let mut rules: Vec<_> = result.rules.iter().collect();
    rules.sort_by(|(a, x), (b, y)| y.alerts.cmp(&x.alerts).then(a.cmp(b)));
    rules
}

fn row(rule: &str, alerts: &RuleAlerts, days: u64, width: usize) -> String {
    let busiest = alerts.busiest_day().map_or(0, |(_, alerts)| alerts);
    format!(
        "{:>8} {:>9} {busiest:>12}  {rule:width$}  {}, {}{}",
        alerts.alerts,
        a_day(alerts.alerts, days),
        plural(alerts.places.len(), "place"),
        span(alerts),
        if alerts.is_over_budget() {
            "  OVER BUDGET"
        } else {
            ""
        }
    )
}

/// Alerts per day with one decimal place.
fn a_day(alerts: u64, days: u64) -> String {
    let tenths = (alerts * 10 + days / 2).checked_div(days).unwrap_or(0);
    match tenths {
        0 if alerts > 0 => "<0.1".to_owned(),
        _ => format!("{}.{}", tenths / 10, tenths % 10),
    }
}

fn span(alerts: &RuleAlerts) -> String {
    match (&alerts.first, &alerts.last) {
        (Some(first), Some(last)) if first == last => first.clone(),
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => "no time".to_owned(),
    }
}

fn details(rule: &str, alerts: &RuleAlerts) -> String {
    let mut text = "\n".to_owned();
    push_line(&mut text, rule);
    let mut places: Vec<_> = alerts.places.iter().collect();
    places.sort_by(|(a, x), (b, y)| y.cmp(x).then(a.cmp(b)));
    push_line(&mut text, &format!("  places      {}", top(&places)));
    let principals: Vec<_> = alerts
        .principals
        .iter()
        .map(|it| (&it.principal, &it.alerts))
        .collect();
    push_line(&mut text, &format!("  principals  {}", top(&principals)));
    if alerts.undecided > 0 {
        push_line(
            &mut text,
            &format!(
                "  {} of the alerts are undecided: their records take too much work to match, so they count as matches",
                alerts.undecided
            ),
        );
    }
    if alerts.copies > 0 {
        push_line(
            &mut text,
            &format!(
                "  {} of the alerts repeat another account's alert about the same call",
                alerts.copies
            ),
        );
    }
    if let Some(message) = alerts.samples.iter().find_map(|it| it.message.as_deref()) {
        push_line(&mut text, "  the first alert:");
        for line in message.lines() {
            push_line(&mut text, &format!("    {line}"));
        }
    }
    text
}

/// The five most frequent items of a ranking.
fn top(ranking: &[(&String, &u64)]) -> String {
    let mut words: Vec<String> = ranking
        .iter()
        .take(5)
        .map(|(name, alerts)| format!("{name} ({alerts})"))
        .collect();
    if ranking.len() > 5 {
        words.push("…".to_owned());
    }
    words.join(", ")
}

fn named(title: &str, rules: &[Row<'_>]) -> String {
    if rules.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = rules.iter().map(|(rule, _)| rule.as_str()).collect();
    let mut text = "\n".to_owned();
    push_line(&mut text, &format!("{title}: {}", names.join(", ")));
    text
}

fn over_budget(result: &Backtest) -> Vec<Row<'_>> {
    let mut over = ranked(result);
    over.retain(|(_, alerts)| alerts.is_over_budget());
    over
}

fn budget(rule: &str, alerts: &RuleAlerts) -> String {
    let (day, most) = alerts.busiest_day().unwrap_or(("unknown", 0));
    let (allowed, days) = alerts
        .budget
        .as_ref()
        .map_or((0, 0), |it| (it.max_alerts_per_day, it.days_over));
    format!(
        "{rule} may alert {allowed} times a day, but alerted {most} times on {day}; {} over",
        plural_u64(days, "day")
    )
}

fn summary(result: &Backtest) -> Vec<String> {
    let mut lines = Vec::new();
    let not_delivered: Vec<String> = reasons(&result.not_delivered)
        .into_iter()
        .map(|(count, reason)| format!("  {count:>10} {reason}"))
        .collect();
    if !not_delivered.is_empty() {
        lines.push("not delivered by EventBridge:".to_owned());
        lines.extend(not_delivered);
        lines.extend(unwatched(result));
    }
    let others: Vec<String> = result
        .not_records
        .iter()
        .map(|(kind, count)| format!("{kind} ({count})"))
        .collect();
    if !others.is_empty() {
        lines.push(format!(
            "files without records, not read: {}",
            others.join(", ")
        ));
    }
    lines.push(format!(
        "{} read, {} skipped, {} unpacked",
        plural_u64(result.files, "file"),
        result.skipped_files,
        megabytes(result.bytes_unpacked)
    ));
    let scope = match result.out_of_scope {
        0 => String::new(),
        count => format!("{count} outside the selected days, accounts or Regions, "),
    };
    lines.push(format!(
        "{}: {scope}{} duplicates, {} not delivered, {} matched against {}",
        plural_u64(result.records, "record"),
        result.duplicates,
        result.not_delivered.total(),
        result.delivered,
        plural(result.rules.len(), "rule")
    ));
    let fired = result.rules.values().filter(|it| it.alerts > 0).count();
    lines.push(format!(
        "{} from {} over {}",
        plural_u64(result.alerts(), "alert"),
        plural(fired, "rule"),
        plural_u64(result.days, "day")
    ));
    lines
}

/// The Regions without a forwarder, and the alerts that were missed there.
fn unwatched(result: &Backtest) -> Vec<String> {
    if result.unwatched_regions.is_empty() {
        return Vec::new();
    }
    let regions: Vec<String> = result
        .unwatched_regions
        .iter()
        .map(|(region, count)| format!("{region} ({count})"))
        .collect();
    let mut lines = vec![format!("no forwarder in: {}", regions.join(", "))];
    let missed: Vec<String> = result
        .rules
        .iter()
        .filter(|(_, rule)| rule.missed > 0)
        .map(|(id, rule)| format!("{id} ({})", rule.missed))
        .collect();
    if !missed.is_empty() {
        lines.push(format!(
            "alerts missed there, for want of a forwarder: {}",
            missed.join(", ")
        ));
    }
    lines
}

fn reasons(not: &NotDelivered) -> Vec<(u64, &'static str)> {
    let mut all = vec![
        (
            not.read_only,
            "read-only management calls (no rule has `read_only: true`)",
        ),
        (
            not.data_events,
            "data events (the organization's trail selects management events only)",
        ),
        (
            not.network_activity,
            "network activity events (the trail doesn't select them)",
        ),
        (not.insights, "Insights"),
        (not.too_large, "events over 256 KB"),
        (
            not.unwatched,
            "events of Regions without a forwarder (`regions` doesn't list them)",
        ),
        (not.unknown, "records of an unknown kind"),
    ];
    all.retain(|(count, _)| *count > 0);
    all
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

fn plural_u64(count: u64, noun: &str) -> String {
    plural(usize::try_from(count).unwrap_or(usize::MAX), noun)
}

/// The result for a pull request comment.
pub fn markdown(result: &Backtest) -> String {
    let mut text = format!(
        "### Backtest: {} over {}\n\n",
        plural_u64(result.alerts(), "alert"),
        plural_u64(result.days, "day")
    );
    for (rule, alerts) in over_budget(result) {
        push_line(
            &mut text,
            &format!(
                "> **Over budget:** {}",
                markdown_text(&budget(rule, alerts))
            ),
        );
        text.push('\n');
    }
    let (fired, silent): (Vec<Row<'_>>, Vec<Row<'_>>) = ranked(result)
        .into_iter()
        .partition(|(_, alerts)| alerts.alerts > 0);
    if !fired.is_empty() {
        text.push_str("| rule | severity | alerts | a day | busiest day | places | top principal |\n|---|---|---:|---:|---:|---:|---|\n");
    }
    for (rule, alerts) in &fired {
        let busiest = alerts
            .busiest_day()
            .map_or_else(String::new, |(day, alerts)| {
                format!("{alerts} ({})", markdown_text(day))
            });
        let principal = alerts.principals.first().map_or_else(String::new, |it| {
            format!("{} ({})", code(&it.principal), it.alerts)
        });
        push_line(
            &mut text,
            &format!(
                "| {} | {} | {} | {} | {busiest} | {} | {principal} |",
                code(rule),
                markdown_text(&alerts.severity),
                alerts.alerts,
                a_day(alerts.alerts, result.days),
                alerts.places.len()
            ),
        );
    }
    let silent: Vec<String> = silent
        .iter()
        .filter(|(_, alerts)| alerts.is_about_cloudtrail)
        .map(|(rule, _)| code(rule))
        .collect();
    if !silent.is_empty() {
        text.push('\n');
        push_line(&mut text, &format!("Never fired: {}", silent.join(", ")));
    }
    text.push_str(&markdown_summary(result));
    text
}

fn markdown_summary(result: &Backtest) -> String {
    let mut read = String::new();
    for skipped in result.skipped.iter().take(LISTED) {
        push_line(
            &mut read,
            &format!("{} {}", skipped.path.display(), skipped.reason),
        );
    }
    for line in summary(result) {
        push_line(&mut read, &line);
    }
    format!(
        "\n<details><summary>What was read</summary>\n\n{}\n</details>\n",
        fence("text", &read)
    )
}

/// The difference between two revisions, in one sentence.
pub fn verdict(comparison: &Comparison, before: &str) -> String {
    let (added, removed) = (comparison.added(), comparison.removed());
    let alerts = |count| plural_u64(count, "alert");
    match (comparison.rules.is_empty(), added, removed) {
        (true, ..) => format!("No rule differs from {before} in what it matches."),
        (_, 0, 0) => format!(
            "Compared with {before}, this change would not have changed any alert in this sample."
        ),
        (_, _, 0) => format!(
            "Compared with {before}, this change would have added {} in this sample.",
            alerts(added)
        ),
        (_, 0, _) => format!(
            "Compared with {before}, this change would have removed {} in this sample.",
            alerts(removed)
        ),
        _ => format!(
            "Compared with {before}, this change would have added {} and removed {} in this sample.",
            alerts(added),
            alerts(removed)
        ),
    }
}

/// The difference for a terminal.
pub fn comparison_terminal(comparison: &Comparison, before: &str) -> String {
    let mut text = String::new();
    let width = comparison.rules.keys().map(String::len).max().unwrap_or(4);
    if !comparison.rules.is_empty() {
        push_line(
            &mut text,
            &format!(
                "{:>8} {:>8} {:>8} {:>8}  {:width$}",
                "before", "after", "added", "removed", "rule"
            ),
        );
    }
    for (rule, difference) in differences(comparison) {
        push_line(
            &mut text,
            &format!(
                "{:>8} {:>8} {:>8} {:>8}  {rule:width$}  {}",
                number(difference.before),
                number(difference.after),
                difference.added,
                difference.removed,
                word(difference)
            ),
        );
    }
    push_line(&mut text, &verdict(comparison, before));
    text
}

/// The difference for a pull request comment.
pub fn comparison_markdown(comparison: &Comparison, before: &str) -> String {
    let mut text = format!(
        "### Backtest of this change\n\n{}\n",
        verdict(comparison, &code(before))
    );
    if !comparison.rules.is_empty() {
        text.push_str(
            "\n| rule | | before | after | added | removed |\n|---|---|---:|---:|---:|---:|\n",
        );
    }
    for (rule, difference) in differences(comparison) {
        push_line(
            &mut text,
            &format!(
                "| {} | {} | {} | {} | {} | {} |",
                code(rule),
                word(difference),
                number(difference.before),
                number(difference.after),
                difference.added,
                difference.removed
            ),
        );
    }
    text.push('\n');
    text
}

/// Rules by size of the difference, largest first.
fn differences(comparison: &Comparison) -> Vec<(&String, &Difference)> {
    let mut all: Vec<_> = comparison.rules.iter().collect();
    all.sort_by_key(|(rule, it)| (u64::MAX - it.added - it.removed, *rule));
    all
}

fn number(alerts: Option<u64>) -> String {
    alerts.map_or_else(|| "-".to_owned(), |alerts| alerts.to_string())
}

fn word(difference: &Difference) -> &'static str {
    match (difference.before, difference.after) {
        (None, _) => "new",
        (_, None) => "gone",
        _ => "changed",
    }
}

#[cfg(test)]
mod tests {
    use backtest::{BudgetUse, Principal, Sample, Skipped};

    use super::*;

    fn result() -> Backtest {
        let noisy = RuleAlerts {
            severity: "high".to_owned(),
            alerts: 12,
            copies: 2,
            first: Some("2026-11-01T10:00:00Z".to_owned()),
            last: Some("2026-11-02T10:00:00Z".to_owned()),
            days: [("2026-11-01".to_owned(), 11), ("2026-11-02".to_owned(), 1)].into(),
            places: [("012345678901/us-east-1".to_owned(), 12)].into(),
            principals: vec![Principal {
                principal: "a|b`c".to_owned(),
                alerts: 12,
            }],
            samples: vec![Sample {
                time: "2026-11-01T10:00:00Z".to_owned(),
                event_id: "1".to_owned(),
                place: "012345678901/us-east-1".to_owned(),
                message: Some("{\n  \"alert\": \"x\"\n}".to_owned()),
            }],
            budget: Some(BudgetUse {
                max_alerts_per_day: 5,
                days_over: 1,
            }),
            is_about_cloudtrail: true,
            ..RuleAlerts::default()
        };
        let silent = RuleAlerts {
            is_about_cloudtrail: true,
            ..RuleAlerts::default()
        };
        Backtest {
            files: 3,
            records: 100,
            duplicates: 7,
            delivered: 43,
            not_delivered: NotDelivered {
                data_events: 50,
                ..NotDelivered::default()
            },
            days: 30,
            skipped_files: 1,
            skipped: vec![Skipped {
                path: "logs/x.json.gz".into(),
                reason: "is empty".to_owned(),
                records: 0,
            }],
            rules: [
                ("noisy".to_owned(), noisy),
                ("silent".to_owned(), silent),
                ("stopped".to_owned(), RuleAlerts::default()),
            ]
            .into(),
            ..Backtest::default()
        }
    }

    #[test]
    fn terminal_shows_alerts_samples_and_skipped_files() {
        let text = terminal(&result());
        for line in [
            "      12       0.4           11  noisy  1 place, 2026-11-01T10:00:00Z to 2026-11-02T10:00:00Z  OVER BUDGET",
            "    {\n      \"alert\": \"x\"\n    }",
            "Never fired: silent",
            "Not covered, because they don't match CloudTrail events: stopped",
            "over budget: noisy may alert 5 times a day, but alerted 11 times on 2026-11-01; 1 day over",
            "warning: logs/x.json.gz is empty; skipped",
            "        50 data events (the organization's trail selects management events only)",
            "100 records: 7 duplicates, 50 not delivered, 43 matched against 3 rules",
            "12 alerts from 1 rule over 30 days",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn nothing_from_a_log_breaks_a_markdown_table() {
        let text = markdown(&result());
        assert!(
            text.contains("| `noisy` | high | 12 | 0.4 | 11 (2026-11-01) | 1 | `a_b_c` (12) |"),
            "{text}"
        );
    }

    #[test]
    fn a_comparison_is_one_sentence() {
        let with = |added, removed| Comparison {
            rules: [(
                "a".to_owned(),
                Difference {
                    before: Some(removed),
                    after: Some(added),
                    added,
                    removed,
                },
            )]
            .into(),
            ..Comparison::default()
        };
        assert_eq!(
            verdict(&with(312, 0), "main"),
            "Compared with main, this change would have added 312 alerts in this sample."
        );
        assert!(verdict(&with(1, 2), "main").contains("added 1 alert and removed 2 alerts"));
        assert!(verdict(&with(0, 0), "main").contains("would not have changed any alert"));
        assert!(verdict(&Comparison::default(), "main").contains("No rule differs"));
        let text = comparison_terminal(&with(312, 0), "main");
        assert!(
            text.contains("       0      312      312        0  a  changed"),
            "{text}"
        );
    }
}
