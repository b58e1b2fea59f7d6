//! Every exit code, once.

use serde_json::json;
use simulator::Config;
use tests::Served;

use crate::project;

/// A production account, and the only workload account whose id starts with a zero.
const WORKLOAD: &str = "012345678901";
const DEVELOPMENT: &str = "ou-exmp-development";

/// Makes every operation in these accounts fail or never end.
fn faulty(organization: &Served, accounts: &[String], effect: &serde_json::Value) {
    let instances = json!([{
        "accounts": accounts, "regions": ["us-east-1"],
        "stack_sets": ["gizmos-rules-spoke"], "share": 1.0, "effect": effect,
    }]);
    organization.post("faults", &json!({ "instances": instances }));
}

fn accounts_of(organization: &Served, unit: &str) -> Vec<String> {
    let state = organization.get("state");
    let accounts = state["accounts"].as_array().into_iter().flatten();
    accounts
        .filter(|it| it["ou"] == unit)
        .filter_map(|it| it["id"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn exit_codes_0_2_5_and_64_of_one_organization() {
    let organization = Served::start();
    let project = project();
    let target = organization.argument();
    let plan = ["plan", "--org", "--detailed-exitcode", &target];
    project.run(&plan).expect(2);
    project.deploy(&organization).expect(0).says("Deployed: ");
    project
        .deploy(&organization)
        .expect(0)
        .says("Nothing to do");
    project.run(&plan).expect(0);
    organization.call(
        "111122223333",
        "eu-central-1",
        "CloudTrail_20131101.StopLogging",
        &json!({ "Name": "gizmos" }),
    );
    project.run(&["drift", "--org", &target]).expect(5);
    project.run(&["plan"]).expect(64);
    project.replace(
        "stacksets/organization.yaml",
        "topology: hub",
        "topology: star",
    );
    project.run(&plan).expect(64);
}

#[test]
fn exit_code_1_when_the_simulator_does_not_answer() {
    // Nothing listens on port 1.
    project()
        .run(&["plan", "--org", "--simulator=http://127.0.0.1:1"])
        .expect(1);
}

#[test]
fn exit_code_6_when_blocked_before_anything_was_changed() {
    let organization = Served::start();
    let project = project();
    project.replace(
        "stacksets/organization.yaml",
        "organization: o-exampleorg1",
        "organization: o-anotherorg2",
    );
    organization.post("calls/reset", &json!({}));
    project
        .deploy(&organization)
        .expect(6)
        .says("o-anotherorg2");
    assert_eq!(organization.get("calls")["mutating"], 0);
}

#[test]
fn exit_code_3_when_an_operation_succeeds_although_an_account_failed() {
    // With twenty accounts or more, one may fail and StackSets still calls the operation SUCCEEDED.
    // There is only one wave, because a later one would not start.
    let organization = Served::start_with(Config {
        workload_accounts: 40,
        ..Config::default()
    });
    let project = project();
    project.remove_waves();
    faulty(
        &organization,
        &[WORKLOAD.to_owned()],
        &json!({ "fail": "the account is full" }),
    );
    project
        .deploy(&organization)
        .expect(3)
        .says(WORKLOAD)
        .says("the account is full");
}

#[test]
fn exit_code_4_when_an_operation_failed() {
    let organization = Served::start();
    let project = project();
    let canaries = accounts_of(&organization, DEVELOPMENT);
    faulty(&organization, &canaries, &json!({ "fail": "no" }));
    project.deploy(&organization).expect(4);
}

#[test]
fn exit_code_7_while_an_operation_still_runs() {
    let organization = Served::start();
    let project = project();
    let canaries = accounts_of(&organization, DEVELOPMENT);
    faulty(&organization, &canaries, &json!("stuck"));
    project.deploy(&organization).expect(7).says("still runs");
}

#[test]
fn exit_code_130_when_interrupted() {
    // Nothing advances this clock, so the deployment waits for its first operation forever.
    let organization = Served::start();
    let project = project();
    let running = project.start_with(
        &["deploy", "--org", "--no-verify"],
        &organization.environment("111122223333", "eu-central-1"),
    );
    organization.wait_for_call("cloudformation:CreateStackInstances");
    running.interrupt();
    running.finish().expect(130).says("again");
}
