//! ministack's `TestEventPattern` is asked about every rule and event that the engine judges.

use std::collections::BTreeSet;

use eventbridge_pattern::Event;
use serde_json::{Value, json};

use crate::committed;
use crate::reasons::Reasons;
use crate::server::Server;
use crate::stacks::SPOKE;

#[test]
#[ignore = "needs ministack; `cargo xtask ci --second-opinions` runs it"]
fn ministack_agrees_with_the_engine_on_every_rule_and_fixture() {
    let project = committed();
    let rules = crate::rules(&project);
    let fixtures = fixtures();
    assert!(fixtures.len() > 15, "{} fixtures", fixtures.len());
    let ministack = Server::ministack();
    let mut findings = Vec::new();
    let (mut pairs, mut matches) = (0, 0);
    for rule in &rules {
        let pattern = rule.pattern.text();
        let own = rule.tests.iter().map(|test| test.event.to_string());
        let events: BTreeSet<String> = own.chain(fixtures.iter().cloned()).collect();
        for event in events {
            let ours = rule
                .pattern
                .matches(&Event::parse(&event).expect("an event"))
                .expect("a verdict");
            let input = json!({ "EventPattern": pattern, "Event": event });
            let answer = ministack.call(SPOKE, tests::HOME, "AWSEvents.TestEventPattern", &input);
            let theirs = answer["Result"].as_bool().expect("a verdict");
            pairs += 1;
            matches += usize::from(ours);
            if ours != theirs {
                findings.push(format!(
                    "{}: ministack says {theirs}, the engine {ours} for {event}",
                    rule.id
                ));
            }
        }
    }
    assert!(matches >= rules.len(), "{matches} matches");
    let known = Reasons::of("ministack-differences").settle(&findings);
    println!(
        "ministack: {} rules, {pairs} pairs of pattern and event, {matches} of them match, {known} known differences",
        rules.len()
    );
}

/// Every fixture of the library, as the event that EventBridge makes of it.
fn fixtures() -> BTreeSet<String> {
    let folder = tests::repository().join("rules/fixtures");
    let mut events = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a fixture");
        let content: Value = serde_json::from_str(&text).expect("JSON");
        let event = if content.get("detail-type").is_some() {
            content
        } else {
            cloudtrail::envelope::wrap(&content).expect("a record")
        };
        events.insert(event.to_string());
    }
    events
}
