//! Templates that are too large for a request are passed through the artifact bucket.

use serde_json::{Value, json};
use tests::{HOME, HUB, MANAGEMENT, Project, Served, authorization};

use crate::project;

const BUCKET: &str = "gizmos-artifacts-111122223333-eu-central-1";
const ORGANIZATION: &str = "stacksets/organization.yaml";

/// A library that doesn't fit into one request, with an artifact bucket.
fn with_a_bucket() -> Project {
    let project = project();
    project.add_large_rules();
    project.replace(ORGANIZATION, "# artifacts: {}", "artifacts: {}");
    project
}

/// Names of the deployed stack sets that contain detections on the hub's bus.
fn detections(organization: &Served) -> Vec<String> {
    let list = [("Action", "ListStackSets"), ("Status", "ACTIVE")];
    let list = organization.query(MANAGEMENT, HOME, "cloudformation", &list);
    list.split("<StackSetName>")
        .filter_map(|part| part.split('<').next())
        .filter(|name| name.starts_with("gizmos-rules-hub"))
        .map(str::to_owned)
        .collect()
}

fn calls(organization: &Served, action: &str) -> u64 {
    organization.get("calls")["by_action"][action]
        .as_u64()
        .unwrap_or(0)
}

/// The status of a request for something in the bucket, without its body.
fn ask(organization: &Served, account: &str, path: &str) -> u16 {
    let url = format!("{}/{BUCKET}{path}", organization.endpoint());
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .new_agent();
    agent
        .get(url)
        .header("Authorization", authorization(account, HOME, "s3"))
        .call()
        .expect("an answer")
        .status()
        .as_u16()
}

#[test]
fn a_rule_set_that_is_too_large_for_a_request_is_one_stack_set() {
    let organization = Served::start();
    let project = with_a_bucket();
    let target = organization.argument();
    let deploy = ["deploy", "--org", "--no-verify", &target];
    project.run(&deploy).expect(0).says("Deployed: ");
    assert_eq!(detections(&organization), ["gizmos-rules-hub"]);
    let set = organization.query(
        MANAGEMENT,
        HOME,
        "cloudformation",
        &[
            ("Action", "DescribeStackSet"),
            ("StackSetName", "gizmos-rules-hub"),
        ],
    );
    assert!(set.len() > 51_200, "{}", set.len());

    // Templates are compared by content, not by where they came from.
    project
        .run(&deploy)
        .expect(0)
        .says("Nothing to do")
        .says("The simulator counted 0 mutating and");
    project
        .run(&["drift", "--org", &target])
        .expect(0)
        .says("No drift");

    // The deployed template is as large, so a change also uses the bucket, once.
    organization.post("calls/reset", &json!({}));
    project.replace(
        "rules/sign-in/console-sign-in-without-mfa.yaml",
        "severity: high",
        "severity: critical",
    );
    project.run(&deploy).expect(0).says("Deployed: ");
    assert_eq!(calls(&organization, "s3:PutObject"), 1);

    // Only the management account can access the bucket.
    assert_eq!(ask(&organization, MANAGEMENT, "?versions"), 200);
    assert_eq!(ask(&organization, HUB, "?versions"), 403);

    project
        .run(&["destroy", "--org", &target, "--confirm", "o-exampleorg1"])
        .expect(0)
        .says("done       stack gizmos-artifacts");
    assert_eq!(ask(&organization, MANAGEMENT, "?versions"), 404);
    // The bucket name is free again.
    project.replace(
        ORGANIZATION,
        "  # bucket: example-trail-logs",
        "  bucket: example-trail-logs",
    );
    project.run(&deploy).expect(0);
}

#[test]
fn the_artifact_bucket_can_be_added_and_removed() {
    let organization = Served::start();
    let project = project();
    project.add_large_rules();
    let target = organization.argument();
    let deploy = ["deploy", "--org", "--no-verify", "--allow-delete", &target];
    project.replace(ORGANIZATION, "# artifacts: {}", "artifacts: {}");
    project.run(&deploy).expect(0);
    assert_eq!(detections(&organization), ["gizmos-rules-hub"]);
    // Without the bucket, rules must move to other stack sets.
    project.replace(ORGANIZATION, "artifacts: {}", "# artifacts: {}");
    project
        .run(&deploy)
        .expect(0)
        .says("moves from gizmos-rules-hub to gizmos-rules-hub-2, which receives it first");
    let split = detections(&organization);
    assert!(split.len() > 1, "{split:?}");
    assert_eq!(ask(&organization, MANAGEMENT, "?versions"), 404);
    // With it, they need not move back.
    project.replace(ORGANIZATION, "# artifacts: {}", "artifacts: {}");
    project.run(&deploy).expect(0);
    assert_eq!(detections(&organization), split);
}

#[test]
fn foreign_objects_in_the_artifact_bucket_are_not_deleted() {
    let organization = Served::start();
    let project = with_a_bucket();
    let target = organization.argument();
    project.deploy(&organization).expect(0);
    let url = format!("{}/{BUCKET}/notes.txt", organization.endpoint());
    ureq::put(url)
        .header("Authorization", authorization(MANAGEMENT, HOME, "s3"))
        .send("mine")
        .expect("an answer");
    project
        .run(&["destroy", "--org", &target, "--confirm", "o-exampleorg1"])
        .expect(4)
        .says("1 objects or versions outside of `templates/`");
    assert_eq!(ask(&organization, MANAGEMENT, "/notes.txt"), 200);
}

#[test]
fn the_artifact_bucket_admits_only_listed_delegated_administrators() {
    let organization = Served::start();
    organization.delegate_stack_sets(HUB);
    let project = with_a_bucket();
    project.deploy(&organization).expect(0);
    let target = organization.argument_as(HUB);
    let edit = |from: &str, to: &str| {
        let rule = "rules/sign-in/console-sign-in-without-mfa.yaml";
        project.replace(
            rule,
            &format!("severity: {from}"),
            &format!("severity: {to}"),
        );
    };
    edit("high", "critical");
    let delegated = || project.run(&["deploy", "--org", "--no-verify", &target]);
    delegated().expect(4).says("s3:PutObject");
    project.replace(
        ORGANIZATION,
        "artifacts: {}",
        "artifacts: {administrators: [\"333344445555\"]}",
    );
    project.deploy(&organization).expect(0);
    edit("critical", "high");
    // It can't access the management account, but the bucket already exists.
    delegated()
        .expect(3)
        .says("done       stack set gizmos-rules-hub");
}

#[test]
fn an_artifact_bucket_of_another_account_receives_no_template() {
    let organization = Served::start();
    let project = with_a_bucket();
    let url = format!("{}/{BUCKET}", organization.endpoint());
    ureq::put(url)
        .header("Authorization", authorization("012345678901", HOME, "s3"))
        .send_empty()
        .expect("an answer");
    project
        .deploy(&organization)
        .expect(4)
        .says("The requested bucket name is not available");
    assert_eq!(detections(&organization), Vec::<String>::new());
    let state: Value = organization.get("calls");
    assert!(state["by_action"].get("s3:PutObject").is_none(), "{state}");
}
