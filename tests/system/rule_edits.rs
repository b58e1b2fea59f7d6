//! A rule edit never leaves another rule undeployed: events are sent all through it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tests::{HOME, Project, Run, Served};

use crate::project;

/// A watched account.
const MEMBER: &str = "012345678901";
/// Virtual seconds between two events.
const EVERY: u32 = 3;
/// Number of events that are sent while a command runs.
const EVENTS: u32 = 200;

/// Words of a runbook that make nine rules fill a template.
const WORDS: usize = 400;

/// A rule about an application's events, with a runbook of this many words.
fn rule(id: &str, words: usize) -> String {
    let runbook = "carefully ".repeat(words);
    format!(
        "version: 1
id: {id}
title: A probe was sent
description: An application says that it works.
status: stable
severity: high
references: [https://example.com/probes]
false_positives: [None.]
runbook: Look {runbook}
event_pattern:
  source: [com.example.probes]
  detail-type: [Probe]
  detail: {{state: [sent]}}
message: |
  probe: {{{{ detail.name }}}}
tests:
  - name: sent
    expect: match
    fixture: probe.json
  - name: lost
    expect: no_match
    fixture: probe.json
    override: {{detail: {{state: lost}}}}
"
    )
}

const PROBE: &str = r#"{
  "version": "0", "id": "11111111-2222-4333-8444-555555555555", "source": "com.example.probes",
  "detail-type": "Probe", "account": "012345678901", "region": "eu-central-1",
  "time": "2026-11-23T10:00:00Z", "resources": [], "detail": {"name": "event-0", "state": "sent"}
}"#;

fn write(project: &Project, id: &str, words: usize) {
    project.write(&format!("rules/probes/{id}.yaml"), &rule(id, words));
}

/// A project whose rules need several stack sets, and its deployment.
fn deployed(topology: &str) -> (Served, Project) {
    let organization = Served::start();
    let project = project();
    if topology == "local" {
        project.replace(
            "stacksets/organization.yaml",
            "topology: hub",
            "topology: local",
        );
    }
    project.remove_waves();
    project.write("rules/fixtures/probe.json", PROBE);
    for number in 10..22 {
        write(&project, &format!("probe-{number}"), WORDS);
    }
    project.deploy(&organization).expect(0);
    (organization, project)
}

/// Has a member send events named `event-0`, `event-1` and so on, all through what follows.
fn send_all_through(organization: &Served) {
    send_with(organization, &json!([]));
}

/// Like [`send_all_through`], and some stack sets fail.
fn send_with(organization: &Served, instances: &Value) {
    organization.post("inbox/clear", &json!({}));
    let schedule: Vec<Value> = (0..EVENTS)
        .map(|number| {
            let name = format!("event-{number}");
            let detail = json!({"name": name, "state": "sent"}).to_string();
            json!({
                "when": {"at_second": f64::from(number * EVERY)},
                "event": {
                    "do": "call", "account": MEMBER, "region": HOME,
                    "service": "events", "action": "PutEvents",
                    "input": {"Entries": [{
                        "Source": "com.example.probes", "DetailType": "Probe", "Detail": detail,
                    }]},
                },
            })
        })
        .collect();
    organization.post(
        "faults",
        &json!({ "schedule": schedule, "instances": instances }),
    );
}

/// Every delivery; the alerts are long.
fn inbox(organization: &Served) -> Value {
    let address = format!("{}/_simulator/inbox", organization.endpoint());
    let mut answer = ureq::get(address).call().expect("an answer");
    let body = answer.body_mut().with_config().limit(1 << 30);
    body.read_json().expect("JSON")
}

/// How many alerts each rule sent about each event.
struct Alerts(BTreeMap<String, BTreeMap<u32, usize>>);

impl Alerts {
    fn of(organization: &Served) -> Alerts {
        organization.advance(u64::from(EVENTS * EVERY) + 1800);
        let inbox = inbox(organization);
        let mut alerts: BTreeMap<String, BTreeMap<u32, usize>> = BTreeMap::new();
        for delivery in inbox.as_array().expect("a list") {
            let text = delivery["body"].as_str().expect("a text");
            let message: Value = serde_json::from_str(text).expect("JSON");
            let text = message.to_string();
            let rule = text.split("probe-").nth(1);
            let rule = rule.map(|it| it.chars().take(2).collect::<String>());
            let event = text.split("event-").nth(1);
            let event = event.and_then(|it| it.split(['"', '\\']).next()?.parse().ok());
            if let (Some(rule), Some(event)) = (rule, event) {
                let rule = alerts.entry(format!("probe-{rule}")).or_default();
                *rule.entry(event).or_default() += 1;
            }
        }
        Alerts(alerts)
    }

    /// Events that the rule missed, and events that came more than once.
    fn wrong(&self, rule: &str) -> (Vec<u32>, Vec<u32>) {
        let none = BTreeMap::new();
        let counts = self.0.get(rule).unwrap_or(&none);
        let count = |event: &u32| counts.get(event).copied().unwrap_or(0);
        (
            (0..EVENTS).filter(|event| count(event) == 0).collect(),
            (0..EVENTS).filter(|event| count(event) > 1).collect(),
        )
    }

    /// Fails unless each rule alerted about every event, and twice only if it is in `twice`.
    #[track_caller]
    fn expect(&self, rules: impl Iterator<Item = u32>, twice: &BTreeSet<String>) {
        let mut wrong = Vec::new();
        for number in rules {
            let rule = format!("probe-{number}");
            let (missed, doubled) = self.wrong(&rule);
            if !missed.is_empty() {
                wrong.push(format!("{rule} missed {} events", missed.len()));
            }
            if !doubled.is_empty() && !twice.contains(&rule) {
                wrong.push(format!(
                    "{rule} alerted twice about {} events",
                    doubled.len()
                ));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

fn plan(organization: &Served, project: &Project) -> Run {
    project
        .run(&["plan", "--org", &organization.argument()])
        .expect(0)
}

/// Rules that the plan moves, with the stack sets that give and receive them.
fn planned_moves(organization: &Served, project: &Project) -> Vec<(String, String, String)> {
    let target = organization.argument();
    let plan = project.run(&["plan", "--org", "--format", "json", &target]);
    let plan = plan.expect(0).json();
    let moves = plan["moves"].as_array().into_iter().flatten();
    moves
        .map(|it| {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            assert!(it["minutes"].as_u64() > Some(0), "{it}");
            (
                text(&it["item"]["rule"]),
                text(&it["from"]),
                text(&it["to"]),
            )
        })
        .collect()
}

#[test]
fn an_added_and_a_removed_rule_leave_all_others_where_they_are() {
    let (organization, project) = deployed("hub");
    // First and last in the order of ids.
    for (add, remove) in [("probe-01", "probe-10"), ("probe-99", "probe-15")] {
        write(&project, add, WORDS);
        project.remove(&format!("rules/probes/{remove}.yaml"));
        assert_eq!(planned_moves(&organization, &project), []);
        plan(&organization, &project)
            .says(&format!("rule     {add} added"))
            .says(&format!("rule     {remove} removed"))
            .says(&format!("Rule {add} is new"))
            .says(&format!("Rule {remove} goes"));
        send_all_through(&organization);
        project.deploy(&organization).expect(0);
        let alerts = Alerts::of(&organization);
        let kept = (11..22).filter(|number| *number != 15);
        alerts.expect(kept, &BTreeSet::new());
    }
    let target = organization.argument();
    project
        .run(&["plan", "--org", "--detailed-exitcode", &target])
        .expect(0);
    project
        .run(&["drift", "--org", &target])
        .expect(0)
        .says("No drift");
}

#[test]
fn in_the_local_topology_an_added_rule_leaves_all_others_where_they_are() {
    let (organization, project) = deployed("local");
    write(&project, "probe-01", WORDS);
    assert_eq!(planned_moves(&organization, &project), []);
    send_all_through(&organization);
    project.deploy(&organization).expect(0);
    Alerts::of(&organization).expect(10..22, &BTreeSet::new());
}

/// Nearly the longest message that EventBridge takes; a stack set with several of these overflows.
const LONG: usize = 740;

/// Makes rules of the first stack set grow until some must move: first the largest ones.
fn grow(organization: &Served, project: &Project) -> Vec<(String, String, String)> {
    for number in 10..15 {
        write(project, &format!("probe-{number}"), LONG);
    }
    let moves = planned_moves(organization, project);
    assert!(moves.iter().any(|(rule, ..)| rule.starts_with("probe-")));
    assert!(moves.len() < 5, "{moves:?}");
    moves
}

#[test]
fn a_rule_that_must_move_is_named_and_received_before_it_is_given() {
    let (organization, project) = deployed("hub");
    let moves = grow(&organization, &project);
    for (rule, from, to) in &moves {
        plan(&organization, &project)
            .says(&format!("rule     {rule} moved: from {from}"))
            .says(&format!("rule     {rule} moved: to {to}"))
            .says(&format!(
                "Rule {rule} moves from {from} to {to}, which receives it first: its alerts may \
                 come twice for about "
            ));
    }
    send_all_through(&organization);
    project.deploy(&organization).expect(0);
    let alerts = Alerts::of(&organization);
    let moved: BTreeSet<String> = moves.into_iter().map(|(rule, ..)| rule).collect();
    alerts.expect(10..22, &moved);
    for rule in moved.iter().filter(|rule| rule.starts_with("probe-")) {
        let (_, doubled) = alerts.wrong(rule);
        assert!(!doubled.is_empty(), "the plan warned of {rule} for nothing");
    }
    assert_eq!(planned_moves(&organization, &project), []);
}

#[test]
fn if_the_receiving_stack_set_fails_the_rule_stays_and_a_second_run_moves_it() {
    let (organization, project) = deployed("hub");
    let moves = grow(&organization, &project);
    let receivers: BTreeSet<&String> = moves.iter().map(|(_, _, to)| to).collect();
    let failing = json!([{
        "stack_sets": receivers, "effect": {"fail": "quota of rules exceeded"},
    }]);
    send_with(&organization, &failing);
    project.deploy(&organization).expect(4).says(&format!(
        "{} failed, and must have the rules that move there",
        moves[0].2
    ));
    Alerts::of(&organization).expect(10..22, &BTreeSet::new());

    send_all_through(&organization);
    project.deploy(&organization).expect(0);
    let moved: BTreeSet<String> = moves.into_iter().map(|(rule, ..)| rule).collect();
    Alerts::of(&organization).expect(10..22, &moved);
    assert_eq!(planned_moves(&organization, &project), []);
}
