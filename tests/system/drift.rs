//! `drift --org` names every difference between organization and rules, with exit code 5.

use serde_json::json;
use tests::{HOME, HUB, MANAGEMENT, Project, Served};

use crate::project;

/// A deployed organization without drift.
fn deployed() -> (Served, Project) {
    let organization = Served::start();
    let project = project();
    project.deploy(&organization).expect(0);
    (organization, project)
}

#[track_caller]
fn drifted(organization: &Served, project: &Project, names: &[&str]) {
    let mut run = project
        .run(&["drift", "--org", &organization.argument()])
        .expect(5);
    for name in names {
        run = run.says(name);
    }
}

#[test]
fn an_untouched_fleet_has_no_drift() {
    let (organization, project) = deployed();
    project
        .run(&["drift", "--org", &organization.argument()])
        .expect(0)
        .says("No drift");
}

#[test]
fn drift_names_a_removed_rule() {
    let (organization, project) = deployed();
    project.remove("rules/iam/iam-access-key-created.yaml");
    drifted(&organization, &project, &["iam-access-key-created"]);
}

#[test]
fn drift_names_a_new_account() {
    let (organization, project) = deployed();
    organization.post(
        "accounts",
        &json!({ "name": "new-workload", "organizational_unit": "ou-exmp-production", "id": "123456789012" }),
    );
    drifted(&organization, &project, &["123456789012"]);
}

#[test]
fn drift_names_a_removed_subscription() {
    let (organization, project) = deployed();
    let topic = format!("arn:aws:sns:{HOME}:{HUB}:gizmos-alerts");
    let list = organization.query(
        HUB,
        HOME,
        "sns",
        &[("Action", "ListSubscriptionsByTopic"), ("TopicArn", &topic)],
    );
    let subscription = list
        .split_once("<SubscriptionArn>")
        .and_then(|(_, rest)| rest.split_once('<'))
        .map_or("", |(arn, _)| arn);
    assert!(subscription.starts_with("arn:aws:sns:"), "{list}");
    organization.query(
        HUB,
        HOME,
        "sns",
        &[("Action", "Unsubscribe"), ("SubscriptionArn", subscription)],
    );
    drifted(&organization, &project, &["security@example.com"]);
}

#[test]
fn drift_names_a_stopped_trail() {
    let (organization, project) = deployed();
    organization.call(
        MANAGEMENT,
        HOME,
        "CloudTrail_20131101.StopLogging",
        &json!({ "Name": "gizmos" }),
    );
    drifted(&organization, &project, &["trail", "gizmos"]);
}

#[test]
fn drift_names_a_rule_changed_by_hand() {
    let (organization, project) = deployed();
    let rule = json!({ "EventBusName": "gizmos" });
    let rules = organization.call(HUB, HOME, "AWSEvents.ListRules", &rule);
    let rule = rules["Rules"]
        .as_array()
        .and_then(|rules| {
            rules.iter().find(|it| {
                it["EventPattern"]
                    .as_str()
                    .is_some_and(|it| it.contains("CreateAccessKey"))
            })
        })
        .unwrap_or_else(|| panic!("no such rule: {rules:#}"));
    organization.call(
        HUB,
        HOME,
        "AWSEvents.PutRule",
        &json!({
            "Name": rule["Name"],
            "EventBusName": "gizmos",
            "EventPattern": "{\"source\":[\"aws.nothing\"]}",
        }),
    );
    drifted(
        &organization,
        &project,
        &["iam-access-key-created", "aws.nothing"],
    );
}

#[test]
fn drift_names_a_disabled_rule() {
    let (organization, project) = deployed();
    let rules = organization.call(
        HUB,
        HOME,
        "AWSEvents.ListRules",
        &json!({ "EventBusName": "gizmos" }),
    );
    let name = rules["Rules"][0]["Name"].clone();
    organization.call(
        HUB,
        HOME,
        "AWSEvents.DisableRule",
        &json!({ "Name": name, "EventBusName": "gizmos" }),
    );
    drifted(&organization, &project, &["DISABLED"]);

    // Check the formats for programs. With `--no-detect`, no call changes anything.
    organization.post("calls/reset", &json!({}));
    let target = organization.argument();
    let format = |format: &str| {
        let arguments = ["drift", "--org", "--no-detect", &target, "--format", format];
        project.run(&arguments).expect(5)
    };
    let log = format("sarif").json();
    let result = &log["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "resource::modified", "{log:#}");
    let location = &result["locations"][0];
    let file = &location["physicalLocation"]["artifactLocation"]["uri"];
    assert!(file.as_str().is_some_and(|it| it.starts_with("rules/")));
    let name = &location["logicalLocations"][0]["fullyQualifiedName"];
    let part = format!("{HUB}/{HOME}/gizmos-rules-hub/");
    assert!(name.as_str().is_some_and(|it| it.starts_with(&part)));
    format("junit")
        .says("<testsuite name=\"resources\" tests=\"1\" failures=\"1\" errors=\"0\">")
        .says("<testsuite name=\"chain\" tests=\"1\" failures=\"0\" errors=\"0\">");
    format("markdown").says("expected ENABLED, found DISABLED");
    project
        .run(&["drift", "--org", &target, "--format", "github"])
        .expect(64);
    assert_eq!(organization.get("calls")["mutating"], 0);
    let actions = organization.get("calls")["by_action"].to_string();
    assert!(!actions.contains("DetectStack"), "{actions}");
}
