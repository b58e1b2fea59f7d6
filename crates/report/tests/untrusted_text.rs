//! Text of strangers in every field of every report and format.
//!
//! The reports are written out in full, without `..`, so that a new field doesn't compile until it is
//! here, too.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use backtest::{
    Backtest, BudgetUse, Comparison, NotDelivered, Principal, RuleAlerts, Sample, Skipped,
};
use compiler::organization::{Protocol, Subscription, Topic, Topology};
use compiler::{AccountFilter, Carrier, Item, Members, Part, Targets};
use deployer::apply::{InstanceFailure, OperationReport, PartOutcome, PartReport, Unfinished};
use deployer::drift::{
    Checked, Difference, DriftCheck, DriftCode, DriftReport, SETTLED_PROPERTIES, Settled, Unchecked,
};
use deployer::permissions::{Command, Policy};
use deployer::plan::{
    Basis, BlockedLocation, Change, Estimate, LeftBehind, Move, Plan, Problem, ProblemKind, Reason,
    Repair, RuleChange, RuleChangeKind, StackPlan, StackSetPlan,
};
use deployer::ports::{
    Action, FailureEvent, Location, OperationStatus, PropertyDifference, ResourceDrift,
    ResourceDriftStatus,
};
use deployer::preflight::{Check, CheckState, Preflight};
use deployer::proof::{Link, LinkState, LocationProof, ProofReport};
use deployer::verify::{Case, CaseKind, Delivery, Hop, HopOutcome, VerifyReport};
use deployer::{ApplyReport, BrokenLink};
use eventbridge_pattern::{Event, Pattern};
use remedy::Remedy;
use report::explain::{Alert, Explained, NamedTopic};
use report::matching::{Fired, Matched, Why};
use serde::Serialize;
use serde_json::json;
use syntax::{Diagnostic, SourceFile, SourceLocation, Span};

const HOSTILE: [&str; 16] = [
    "a\n::error::forged",
    "::stop-commands::x",
    " \t::add-mask::e",
    "\u{3000}::error::wide space",
    "a ##[error]forged",
    "a\n```\n# Escaped",
    "```",
    "~~~~",
    "a`` ` b",
    "\u{1b}[2J\u{1b}]0;title\u{7}",
    "\u{9b}31m\u{85}::error::next line",
    "\u{202e}reversed\u{2066}\u{2028}::error::x",
    "zero\u{200b}width\u{feff}\u{e0041}",
    "a\r\n\rNo drift.",
    "| a | b |\n|---|---|",
    "<img src=x> @everyone [x](javascript:y) </details>",
];

/// How a reader takes the text.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A terminal, or the log of a workflow.
    Text,
    /// Text with a value of several lines.
    Lines,
    Markdown,
    /// GitHub's workflow commands: one on each line.
    Commands,
    Json,
    Xml,
}

fn location(h: &str) -> Location {
    Location::new(h, h)
}

fn remedy(h: &str) -> Remedy {
    Remedy::from(h.to_owned())
}

fn problem(h: &str) -> Problem {
    Problem {
        kind: ProblemKind::WrongOrganization,
        message: h.into(),
        fix: remedy(h),
    }
}

fn blocked(h: &str) -> BlockedLocation {
    BlockedLocation {
        location: location(h),
        account_name: Some(h.into()),
        reason: h.into(),
    }
}

fn left_behind(h: &str) -> LeftBehind {
    LeftBehind {
        location: location(h),
        stack_id: Some(h.into()),
        reason: h.into(),
    }
}

fn rule_change(h: &str) -> RuleChange {
    RuleChange {
        rule: h.into(),
        change: RuleChangeKind::Changed,
        details: vec![h.into()],
    }
}

fn stack_set(h: &str, change: Change) -> StackSetPlan {
    StackSetPlan {
        name: h.into(),
        part: Some(Part::Topic),
        change,
        add: vec![location(h); 14],
        update: vec![location(h)],
        remove: vec![location(h)],
        left_behind: vec![left_behind(h)],
        repair: vec![Repair {
            location: location(h),
            reason: h.into(),
            stack_id: Some(h.into()),
        }],
        unchanged: 1,
        unchanged_in: [(h.into(), 1)].into(),
        blocked: vec![blocked(h); 14],
        rules: vec![rule_change(h)],
        in_progress: vec![h.into()],
    }
}

fn plan(h: &str, problems: Vec<Problem>) -> Plan {
    let reasons = vec![
        Reason::Parameters(vec![h.into()]),
        Reason::Tags(vec![h.into()]),
        Reason::InProgress(h.into()),
    ];
    let changes = [
        Change::Update { reasons },
        Change::Replace { status: h.into() },
        Change::Blocked { reason: h.into() },
    ];
    let stack = |change| StackPlan {
        name: h.into(),
        part: None,
        location: location(h),
        change,
        rules: vec![rule_change(h)],
    };
    let moved = |item| Move {
        item,
        from: h.into(),
        to: format!("{h}2"),
        minutes: 1,
    };
    Plan {
        organization: h.into(),
        problems,
        stack_sets: changes.iter().map(|it| stack_set(h, it.clone())).collect(),
        stacks: changes.iter().map(|it| stack(it.clone())).collect(),
        moves: vec![
            moved(Item::Rule(h.into())),
            moved(Item::Forwarder(h.into())),
        ],
        accounts: 1,
        regions: 1,
        notes: vec![h.into()],
        pinned_regions: vec![h.into()],
        estimate: Estimate::default(),
        basis: Basis {
            bundle: h.into(),
            fleet: h.into(),
        },
    }
}

fn applied(h: &str) -> ApplyReport {
    let outcomes = [
        PartOutcome::Partial,
        PartOutcome::Failed { reason: h.into() },
        PartOutcome::Skipped { reason: h.into() },
        PartOutcome::TimedOut { reason: h.into() },
    ];
    let part = |outcome: &PartOutcome| PartReport {
        name: h.into(),
        location: Some(location(h)),
        outcome: outcome.clone(),
        changed: true,
        operations: vec![OperationReport {
            id: h.into(),
            action: Action::Create,
            wave: Some(h.into()),
            status: OperationStatus::Failed,
            succeeded: 1,
            failed: 1,
        }],
        failures: vec![InstanceFailure {
            location: location(h),
            status: h.into(),
            reason: h.into(),
            events: vec![FailureEvent {
                logical_id: h.into(),
                resource_type: h.into(),
                status: h.into(),
                reason: h.into(),
            }],
        }],
        blocked: vec![blocked(h)],
        unfinished: vec![Unfinished {
            reason: h.into(),
            locations: vec![location(h)],
        }],
        left_behind: vec![left_behind(h)],
    };
    ApplyReport {
        problems: vec![problem(h)],
        parts: outcomes.iter().map(part).collect(),
    }
}

fn difference(h: &str, status: ResourceDriftStatus) -> Difference {
    Difference {
        code: DriftCode::ALL[0],
        check: DriftCheck::Plan,
        part: Some(h.into()),
        location: Some(location(h)),
        message: h.into(),
        rules: vec![h.into()],
        resource: Some(ResourceDrift {
            logical_id: h.into(),
            physical_id: Some(h.into()),
            resource_type: h.into(),
            status,
            reason: Some(h.into()),
            differences: vec![PropertyDifference {
                path: h.into(),
                expected: h.into(),
                actual: h.into(),
                kind: h.into(),
            }],
            expected: Some(json!({ h: h })),
            actual: Some(json!({ h: h })),
        }),
        expected: Some(h.into()),
        actual: Some(h.into()),
        fix: remedy(h),
    }
}

fn drift(h: &str, problems: Vec<Problem>) -> DriftReport {
    let mut differences = vec![difference(h, ResourceDriftStatus::Deleted)];
    differences.extend(vec![difference(h, ResourceDriftStatus::Modified); 14]);
    let unchecked = Unchecked {
        check: DriftCheck::Plan,
        part: Some(h.into()),
        what: h.into(),
        location: Some(location(h)),
        reason: h.into(),
    };
    DriftReport {
        plan: plan(h, problems),
        differences,
        unchecked: vec![unchecked; 14],
        notes: vec![h.into()],
        settled: vec![Settled {
            property: SETTLED_PROPERTIES[0],
            settled: 1,
            open: 1,
        }],
        checked: Checked {
            checks: DriftCheck::ALL.to_vec(),
            stack_sets: 1,
            instances: 1,
            stacks: 1,
        },
    }
}

fn broken(h: &str) -> BrokenLink {
    BrokenLink {
        link: h.into(),
        location: location(h),
        message: h.into(),
        fix: remedy(h),
    }
}

fn proof(h: &str) -> ProofReport {
    ProofReport {
        locations: vec![LocationProof {
            location: location(h),
            links: [(Link::Rules, LinkState::Broken)].into(),
            broken: vec![broken(h)],
        }],
        hub: vec![broken(h)],
        topics_read: vec![h.into()],
        unmatched: vec![h.into()],
        sent: 1,
        cloudtrail: false,
        topology: Topology::Hub,
        least_calls: 1,
        arrivals: Vec::new(),
    }
}

fn hop(h: &str) -> Hop {
    Hop {
        account: h.into(),
        region: h.into(),
        link: h.into(),
        outcome: HopOutcome::Denied,
        detail: Some(h.into()),
    }
}

fn verified(h: &str) -> VerifyReport {
    let case = |kind, failures| Case {
        event_id: Some(h.into()),
        rule: h.into(),
        test: h.into(),
        kind,
        location: location(h),
        failures,
        alerts: vec![Delivery {
            topic_arn: h.into(),
            protocol: h.into(),
            endpoint: h.into(),
            body: h.into(),
        }],
        hops: vec![hop(h)],
        broken_link: Some(hop(h)),
    };
    VerifyReport {
        cases: vec![
            case(CaseKind::Positive, Vec::new()),
            case(CaseKind::Hostile, vec![h.into()]),
        ],
        locations: vec![location(h)],
    }
}

fn preflight(h: &str) -> Preflight {
    let check = |state| Check {
        what: h.into(),
        state,
        message: h.into(),
        fix: Some(remedy(h)),
    };
    Preflight {
        checks: vec![check(CheckState::Failed), check(CheckState::Warning)],
    }
}

fn policies(h: &str) -> Vec<Policy> {
    vec![Policy {
        name: h.into(),
        holder: h.into(),
        document: json!({ h: [h] }),
    }]
}

fn alerts(h: &str, count: u64, is_about_cloudtrail: bool) -> RuleAlerts {
    RuleAlerts {
        severity: h.into(),
        alerts: count,
        copies: count,
        undecided: count,
        missed: 1,
        first: Some(h.into()),
        last: Some(format!("{h}2")),
        days: [(h.into(), count)].into(),
        places: [(h.into(), count)].into(),
        principals: vec![Principal {
            principal: h.into(),
            alerts: count,
        }],
        other_principals: 0,
        samples: vec![Sample {
            time: h.into(),
            event_id: h.into(),
            place: h.into(),
            message: Some(h.into()),
        }],
        budget: Some(BudgetUse {
            max_alerts_per_day: 0,
            days_over: count,
        }),
        is_about_cloudtrail,
    }
}

fn backtested(h: &str) -> Backtest {
    Backtest {
        files: 1,
        bytes: 1,
        bytes_unpacked: 1,
        records: 1,
        out_of_scope: 1,
        duplicates: 1,
        not_delivered: NotDelivered {
            read_only: 1,
            data_events: 1,
            network_activity: 1,
            insights: 1,
            too_large: 1,
            unwatched: 1,
            unknown: 1,
        },
        unwatched_regions: [(h.into(), 1)].into(),
        delivered: 1,
        first: Some(h.into()),
        last: Some(h.into()),
        days: 1,
        skipped_files: 1,
        skipped: vec![Skipped {
            path: h.into(),
            reason: h.into(),
            records: 1,
        }],
        not_records: [(h.into(), 1)].into(),
        rules: [
            (h.into(), alerts(h, 1, true)),
            (format!("{h}2"), alerts(h, 0, true)),
            (format!("{h}3"), alerts(h, 0, false)),
        ]
        .into(),
    }
}

fn comparison(h: &str) -> Comparison {
    let difference = backtest::Difference {
        before: Some(1),
        after: Some(2),
        added: 1,
        removed: 0,
    };
    Comparison {
        alerts_before: 1,
        alerts_after: 2,
        rules: [(h.into(), difference)].into(),
    }
}

fn matched(h: &str) -> Matched {
    let fired = || Fired {
        rule: h.into(),
        severity: "high",
        is_deployed: false,
        is_undecided: true,
    };
    let pattern = json!({ "source": [h], h: { h: [{ "prefix": h }] } }).to_string();
    let event = json!({ "source": "y", h: { h: [format!("-{h}")] } }).to_string();
    let explanation = Pattern::parse(&pattern)
        .unwrap()
        .explain(&Event::parse(&event).unwrap())
        .unwrap();
    Matched {
        id: h.into(),
        source: h.into(),
        name: h.into(),
        account: h.into(),
        region: h.into(),
        time: h.into(),
        assumed: vec![h.into()],
        fires: vec![fired()],
        missed: vec![fired()],
        withheld: Some(h.into()),
        why: Some(Why {
            rule: h.into(),
            fires: false,
            is_deployed: false,
            withheld: Some(h.into()),
            exceptions: vec![h.into()],
            explanation,
        }),
    }
}

fn explained(h: &str) -> Explained {
    let carrier = |accounts| Carrier {
        stack_set: h.into(),
        part: Part::Topic,
        targets: Targets {
            members: Some(Members {
                organizational_units: vec![h.into()],
                accounts,
                regions: vec![h.into()],
            }),
            management_regions: vec![h.into()],
        },
        resource: h.into(),
        kind: h.into(),
        state: Some(h.into()),
        pattern: Some(h.into()),
        target_ids: vec![h.into()],
        rules: vec![h.into(), h.into()],
    };
    Explained {
        rule: h.into(),
        title: h.into(),
        severity: "high",
        status: "stable",
        is_deployed: true,
        read_only: false,
        event_pattern: json!({ h: [h] }),
        written_event_pattern: Some(json!({ h: [h] })),
        exceptions: vec![(h.into(), h.into())],
        response: Some(rules::Response::StartInstance {
            instance: h.into(),
            tag_key: h.into(),
            tag_value: h.into(),
        }),
        carriers: Some(vec![
            carrier(AccountFilter::All),
            carrier(AccountFilter::Only(vec![h.into()])),
            carrier(AccountFilter::Except(vec![h.into()])),
        ]),
        topics: vec![NamedTopic {
            topic_name: h.into(),
            topic: Topic {
                name: h.into(),
                severities: Vec::new(),
                subscriptions: vec![Subscription {
                    protocol: Protocol::Email,
                    endpoint: h.into(),
                }],
            },
        }],
        sizes: Vec::new(),
        alert: Some(Alert {
            test: h.into(),
            text: h.into(),
        }),
    }
}

fn diagnostics(h: &str) -> Vec<Diagnostic> {
    let text = format!("id: x\n{h}: [\n{h}]\nlast: y\n");
    let end = text.len() - "]\nlast: y\n".len();
    let file = Arc::new(SourceFile::new(format!("rules/{h}.yaml"), text));
    let of = |start, end| {
        let span = Span::new(start, end);
        Diagnostic::error("rule::character", h)
            .at(SourceLocation::new(&file, span))
            .label(h)
            .help(h)
            .note(h)
            .fix(syntax::Fix::replace(h.to_owned(), span, h))
    };
    vec![
        of(6, end),
        of(6, 6 + h.len()),
        of(end, end),
        of(0, 1),
        // Outside of the file, as after a change on disk.
        of(9_000, 9_001),
    ]
}

fn to_json(value: impl Serialize) -> String {
    let document = serde_json::to_string_pretty(&value).unwrap();
    syntax::untrusted::json(&document).into_owned()
}

/// Every rendering of every report, with `h` in all its fields.
fn renderings(h: &str) -> Vec<(&'static str, Kind, String)> {
    use Kind::{Commands, Json, Lines, Markdown, Text, Xml};
    use report::{backtest, diagnostics as check, permissions, plan as plans, preflight as doctor};
    let (blocked_plan, plan) = (plan(h, vec![problem(h)]), plan(h, Vec::new()));
    let (blocked_drift, drift) = (drift(h, vec![problem(h)]), drift(h, Vec::new()));
    let files = BTreeMap::from([(h.to_owned(), h.into())]);
    let sarif = report::drift::sarif(&drift, &files, Path::new(h));
    let (proof, verified, tested) = (proof(h), verified(h), backtested(h));
    let (found, policies, compared) = (preflight(h), policies(h), comparison(h));
    let (diagnostics, command) = (diagnostics(h), Command::Deploy);
    vec![
        ("plan", Text, plans::terminal(&plan)),
        ("blocked plan", Text, plans::terminal(&blocked_plan)),
        ("plan", Markdown, plans::markdown(&plan)),
        ("blocked plan", Markdown, plans::markdown(&blocked_plan)),
        ("plan", Json, to_json(&plan)),
        ("apply", Text, report::apply::terminal(&applied(h))),
        ("apply", Json, to_json(applied(h))),
        ("drift", Text, report::drift::terminal(&drift)),
        ("drift", Markdown, report::drift::markdown(&drift)),
        (
            "blocked drift",
            Markdown,
            report::drift::markdown(&blocked_drift),
        ),
        ("drift", Xml, report::drift::junit(&drift)),
        ("blocked drift", Xml, report::drift::junit(&blocked_drift)),
        ("drift sarif", Json, to_json(sarif)),
        ("drift", Json, to_json(&drift)),
        ("proof", Text, report::proof::terminal(&proof)),
        ("proof summary", Text, report::proof::summary(&proof, 1)),
        ("proof drift", Text, report::proof::drift(&[broken(h)])),
        ("proof", Json, to_json(&proof)),
        ("verify", Lines, report::verify::terminal(&verified)),
        ("verify", Json, to_json(&verified)),
        ("hop", Text, report::verify::hop(&hop(h))),
        ("doctor", Text, doctor::terminal(&found)),
        ("doctor warnings", Text, doctor::warnings(&found)),
        ("doctor", Markdown, doctor::markdown(&found)),
        ("doctor", Json, to_json(&found)),
        (
            "permissions",
            Text,
            permissions::terminal(command, &policies),
        ),
        (
            "permissions",
            Markdown,
            permissions::markdown(command, &policies),
        ),
        ("backtest", Lines, backtest::terminal(&tested)),
        ("backtest", Markdown, backtest::markdown(&tested)),
        ("backtest", Json, to_json(&tested)),
        (
            "comparison",
            Text,
            backtest::comparison_terminal(&compared, h),
        ),
        (
            "comparison",
            Markdown,
            backtest::comparison_markdown(&compared, h),
        ),
        ("match", Text, report::matching::text(&[matched(h)])),
        ("match", Json, to_json(matched(h))),
        ("explain", Lines, report::explain::text(&explained(h))),
        ("explain", Json, to_json(explained(h))),
        ("check", Lines, check::terminal(&diagnostics, false)),
        ("check", Commands, report::github::diagnostics(&diagnostics)),
        (
            "check sarif",
            Json,
            to_json(report::sarif::diagnostics(&diagnostics, &[])),
        ),
        ("check", Json, to_json(&diagnostics)),
    ]
}

/// Written apart from the code under test.
fn is_raw_control(c: char) -> bool {
    let invisible = [
        '\u{200b}',
        '\u{200e}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{feff}',
        '\u{e0041}',
    ];
    (c.is_control() && c != '\n' && c != '\t')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
        || invisible.contains(&c)
}

fn fences(text: &str) -> Vec<&str> {
    text.lines()
        // A fence may stand in a list or a quotation.
        .map(|line| line.trim_start_matches([' ', '-', '>', '*', '+']))
        .filter(|line| line.starts_with("```") || line.starts_with("~~~"))
        .collect()
}

/// Markdown without code spans and code blocks, in which nothing has a meaning.
fn without_code(text: &str) -> String {
    let mut is_block = false;
    let prose = text.lines().filter(|line| {
        is_block ^= line.starts_with("```");
        !is_block
    });
    let parts = |line: &str| {
        let line = line.replace("\\`", "");
        let parts: Vec<&str> = line.split('`').step_by(2).collect();
        parts.join(" ")
    };
    prose.map(parts).collect()
}

/// What a rendering of hostile text does that one of harmless text doesn't.
fn faults(kind: Kind, text: &str, harmless: &str) -> Vec<&'static str> {
    let commands = text
        .lines()
        .filter(|line| line.trim_start().starts_with("::"))
        .count();
    let expected = if kind == Kind::Commands {
        harmless.lines().count()
    } else {
        0
    };
    let is_single = !matches!(kind, Kind::Lines | Kind::Xml);
    let prose = without_code(text);
    let markup = ["<img", "@everyone", "</details> "];
    [
        ("raw control", text.contains(is_raw_control)),
        ("command", commands != expected),
        ("old command", text.contains("##[")),
        ("broken fence", fences(text) != fences(harmless)),
        (
            "markup",
            kind == Kind::Markdown && markup.iter().any(|it| prose.contains(it)),
        ),
        (
            "forged line",
            is_single && text.lines().count() != harmless.lines().count(),
        ),
    ]
    .into_iter()
    .filter_map(|(fault, is_there)| is_there.then_some(fault))
    .collect()
}

#[test]
fn untrusted_text_in_every_field_of_every_report_and_format_does_nothing() {
    let harmless = renderings("x");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut examples = Vec::new();
    for h in HOSTILE {
        for ((name, kind, text), (.., harmless)) in renderings(h).iter().zip(&harmless) {
            for fault in faults(*kind, text, harmless) {
                *counts.entry(fault).or_default() += 1;
                examples.push(format!("{name}: {fault} by {h:?}"));
            }
        }
    }
    assert!(counts.is_empty(), "{counts:?}\n{}", examples.join("\n"));
}
