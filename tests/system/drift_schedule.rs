//! Without any CI: EventBridge Scheduler has CloudFormation look for drift, and alerts arrive.

use serde_json::{Value, json};
use tests::{HOME, HUB, MANAGEMENT, Served};

use crate::project;

/// More than a day, so that the schedule has come, with its hour of flexibility.
const NEXT_DAY: u64 = 26 * 3600;

/// The alerts of our own two rules that have arrived, and none is left.
fn alerts(organization: &Served) -> Vec<String> {
    let inbox = organization.get("inbox").to_string();
    organization.post("inbox/clear", &json!({}));
    let mut found: Vec<String> = ["gizmos-stack-drifted", "gizmos-stack-set-operation-failed"]
        .into_iter()
        .filter(|rule| inbox.contains(rule))
        .map(str::to_owned)
        .collect();
    found.sort();
    found
}

fn scheduled(topology: &str) {
    let organization = Served::start();
    let project = project();
    project.replace(
        "stacksets/organization.yaml",
        "# drift_schedule: cron",
        "drift_schedule: cron",
    );
    let target = organization.argument();
    let more = ["--topology", topology, target.as_str()];
    let run = |command: &[&str]| project.run(&[command, &more].concat());
    project.run(&["check", "--topology", topology]).expect(0);
    run(&["deploy", "--org", "--no-verify"]).expect(0);
    run(&["plan", "--org", "--detailed-exitcode"]).expect(0);
    run(&["drift", "--org"]).expect(0).says("No drift");
    alerts(&organization);

    // A look that finds nothing is no news.
    organization.advance(NEXT_DAY);
    assert_eq!(alerts(&organization), [""; 0]);

    let (account, bus) = match topology {
        "hub" => (HUB, "gizmos"),
        _ => ("012345678901", "default"),
    };
    let rules = organization.call(
        account,
        HOME,
        "AWSEvents.ListRules",
        &json!({ "EventBusName": bus }),
    );
    organization.call(
        account,
        HOME,
        "AWSEvents.DisableRule",
        &json!({ "EventBusName": bus, "Name": rules["Rules"][0]["Name"] }),
    );
    organization.advance(NEXT_DAY);

    // What the schedule found is there for a check that asks for nothing new.
    run(&["drift", "--org", "--no-detect"])
        .expect(5)
        .says("found DISABLED")
        .says("as CloudFormation saw them at");

    // What CloudFormation says of a drifted stack. The simulator says it only of a stack that is
    // looked at by itself: whether AWS does when a stack set looks has not been tried.
    let event = std::fs::read_to_string(
        project.path("stacksets/drift-rules/fixtures/drift-detection.json"),
    );
    let event: Value = serde_json::from_str(&event.expect("an event")).expect("JSON");
    organization.post(
        "events",
        &json!({ "account": "012345678901", "region": "us-east-1", "event": event }),
    );
    organization.advance(60);
    assert_eq!(alerts(&organization), ["gizmos-stack-drifted"]);

    // An operation that somebody stops.
    organization.query(
        MANAGEMENT,
        HOME,
        "cloudformation",
        &[
            ("Action", "DetectStackSetDrift"),
            ("StackSetName", "gizmos-bucket"),
        ],
    );
    organization.post("happen", &json!({ "do": "stop_operation" }));
    organization.advance(600);
    assert_eq!(alerts(&organization), ["gizmos-stack-set-operation-failed"]);
}

#[test]
fn drift_is_looked_for_and_alerted_in_the_hub() {
    scheduled("hub");
}

#[test]
fn drift_is_looked_for_and_alerted_without_a_hub() {
    scheduled("local");
}
