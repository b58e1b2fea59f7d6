//! Without CI: EventBridge Scheduler starts CloudFormation's drift detection, and alerts arrive.

use serde_json::{Value, json};
use tests::{HOME, HUB, MANAGEMENT, Served};

use crate::project;

/// More than a day, so that the schedule has fired, even with its hour of flexibility.
const NEXT_DAY: u64 = 26 * 3600;

/// The ids of Gizmos' two rules about drift whose alerts have arrived; clears the inbox.
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

    // A detection that finds nothing raises no alert.
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

    // A check without new detection reports what the schedule found.
    run(&["drift", "--org", "--no-detect"])
        .expect(5)
        .says("found DISABLED")
        .says("as CloudFormation saw them at");

    // CloudFormation's event about a drifted stack. The simulator emits it only if the stack's own
    // drift detection finds it. Whether AWS emits it during a stack set's detection is untested.
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

    // A person stops an operation.
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
fn scheduled_drift_detection_alerts_in_the_hub() {
    scheduled("hub");
}

#[test]
fn scheduled_drift_detection_alerts_without_a_hub() {
    scheduled("local");
}
