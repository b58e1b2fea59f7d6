//! The command `new`.

use std::fs;

use serde_json::{Value, json};

use crate::project;

fn record() -> Value {
    json!({
        "eventVersion": "1.10", "eventID": "e51d8a60-52c7-4ab0-8c4a-000000000001",
        "eventName": "CreateLoginProfile", "readOnly": false, "eventSource": "iam.amazonaws.com",
        "eventType": "AwsApiCall", "eventTime": "2026-11-23T03:00:00Z", "awsRegion": "us-east-1",
        "recipientAccountId": "700080009000", "managementEvent": true, "eventCategory": "Management",
        "userIdentity": {
            "type": "IAMUser", "arn": "arn:aws:iam::700080009000:user/alice", "accessKeyId": "AKIAZ5DLKEIWJ2TSTBBB",
        },
        "sourceIPAddress": "198.51.100.23", "requestParameters": {"userName": "deploy-bot"},
    })
}

const RULE: &str = "rules/iam/password-created.yaml";
const FIXTURE: &str = "rules/fixtures/password-created.json";

#[test]
fn new_creates_a_rule_that_check_rejects_until_it_is_completed() {
    let project = project();
    project.watch_enabled_regions();
    project.write("event.json", &record().to_string());
    let new = ["new", "password-created", "--from-event", "event.json"];
    project
        .run(&new)
        .expect(0)
        .says(&format!("{RULE}: the rule, its message and two tests"))
        .says("with 1 access key or principal id, 1 account id replaced")
        .says(&format!("{RULE}:4:9: what happened"));
    let fixture = fs::read_to_string(project.path(FIXTURE)).expect("a fixture");
    assert!(!fixture.contains("700080009000") && !fixture.contains("AKIAZ5DLKEIWJ2TSTBBB"));
    // The rule is rejected for its missing parts, and for nothing else.
    let found = project
        .run(&["check", "--format", "json"])
        .expect(64)
        .json();
    let diagnostics = found["diagnostics"].as_array().expect("diagnostics");
    assert_eq!(diagnostics.len(), 5);
    for diagnostic in diagnostics {
        assert_eq!(diagnostic["code"], "rule::unfinished", "{diagnostic}");
        assert_eq!(diagnostic["file"], RULE);
    }
    // It never overwrites anything.
    let before = fs::read_to_string(project.path(RULE)).expect("a rule");
    project.run(&new).expect(64).says("is not overwritten");
    project.remove(RULE);
    project
        .run(&new)
        .expect(64)
        .says(&format!("{FIXTURE} already exists"));
    assert!(!project.path(RULE).exists());
    project.remove(FIXTURE);
    project.run(&new).expect(0);
    assert_eq!(
        fs::read_to_string(project.path(RULE)).expect("a rule"),
        before
    );
}

#[test]
fn new_selects_an_event_of_a_log_file_by_its_number() {
    let project = project();
    let log = json!({"Records": [record(), {"eventName": "x"}, record()]});
    project.write("log.json", &log.to_string());
    let new = |more: &[&str]| {
        let arguments = ["new", "password-created", "--from-event", "log.json"];
        project.run(&[&arguments[..], more].concat())
    };
    new(&[])
        .expect(64)
        .says("log.json contains 3 events")
        .says("  3  CreateLoginProfile (iam.amazonaws.com)");
    new(&["--record", "4"]).expect(64).says("numbered from 1");
    new(&["--record", "2"])
        .expect(1)
        .says("log.json is not an event");
    new(&["--record", "3", "--theme", "../outside"])
        .expect(64)
        .says("can't be a rule's folder");
    let begun = new(&["--record", "3", "--theme", "people", "--format", "json"]);
    let begun = begun.expect(0).json();
    assert_eq!(begun["rule"], "rules/people/password-created.yaml");
    assert_eq!(begun["diagnostics"].as_array().map(Vec::len), Some(5));
    for taken in ["cloudtrail-tampering", "No", "../x"] {
        project
            .run(&["new", taken, "--from-event", "log.json", "--record", "1"])
            .expect(64);
    }
}

#[test]
fn new_warns_about_events_that_eventbridge_does_not_deliver() {
    let project = project();
    let mut data = record();
    data["eventCategory"] = json!("Data");
    data["managementEvent"] = json!(false);
    project.write("event.json", &data.to_string());
    project
        .run(&["new", "data-event", "--from-event", "event.json"])
        .expect(0)
        .says("the rule will not fire: this is a data event");
    let mut reading = record();
    reading["eventName"] = json!("ListUsers");
    reading["readOnly"] = json!(true);
    project.write("event.json", &reading.to_string());
    project
        .run(&["new", "users-listed", "--from-event", "event.json"])
        .expect(0);
    let rule = fs::read_to_string(project.path("rules/iam/users-listed.yaml")).expect("a rule");
    assert!(rule.contains("read_only: true\n"), "{rule}");
}
