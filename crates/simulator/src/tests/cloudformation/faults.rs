//! Faults of stack set operations and listings.

use serde_json::{Value, json};

use super::Lab;
use super::sets::fast;
use crate::faults::Faults;

const PRODUCTION: &str = "ou-exmp-production";
const ACCOUNT: &str = "100000000002";

impl Lab {
    fn faults(&mut self, faults: Value) {
        let faults: Faults = serde_json::from_value(faults).unwrap();
        crate::faults::start(&mut self.world, faults);
    }

    fn fault_count(&self, kind: &str) -> u64 {
        self.world
            .faults
            .counts
            .get(kind)
            .copied()
            .unwrap_or_default()
    }

    fn happened(&self) -> Vec<&str> {
        let happened = &self.world.faults.happened;
        happened.iter().map(|(_, what)| what.as_str()).collect()
    }
}

#[test]
fn instance_fault_occurs_at_most_the_configured_times() {
    let mut lab = Lab::with_set(false);
    lab.faults(json!({"instances": [{
        "effect": {"fail": "the role is not allowed to do this"},
        "accounts": [ACCOUNT], "regions": ["us-east-1"], "times": 1,
    }]}));
    let id = lab.deploy(&[PRODUCTION], &fast());
    lab.wait(60.0);
    let operation = lab.operation(&id);
    assert_eq!(operation["Status"], "SUCCEEDED");
    assert_eq!(
        operation["StatusDetails"]["FailedStackInstancesCount"],
        json!(1)
    );
    let instance = json!({"StackSetName": "s", "StackInstanceAccount": ACCOUNT, "StackInstanceRegion": "us-east-1"});
    let shown = lab.ok("DescribeStackInstance", &instance)["StackInstance"].clone();
    assert_eq!(shown["Status"], "OUTDATED");
    let reason = shown["StatusReason"].as_str().unwrap();
    assert!(reason.contains("the role is not allowed"), "{reason}");
    assert_eq!(lab.fault_count("instance_failed"), 1);
    // The next attempt succeeds.
    let targets = json!({"OrganizationalUnitIds": [PRODUCTION]});
    lab.begin(
        "UpdateStackInstances",
        &json!({"DeploymentTargets": targets, "Regions": super::sets::REGIONS, "OperationPreferences": fast()}),
    );
    lab.wait(60.0);
    assert_eq!(lab.count("CURRENT"), 10);
}

#[test]
fn a_deletion_that_fails_makes_the_instance_inoperable() {
    let mut lab = Lab::with_set(false);
    lab.deploy(&[PRODUCTION], &fast());
    lab.wait(60.0);
    lab.faults(json!({"instances": [{
        "effect": {"fail": "not now"}, "accounts": [ACCOUNT], "actions": ["DELETE"],
    }]}));
    let targets = json!({"OrganizationalUnitIds": [PRODUCTION]});
    let delete = |retain: bool| {
        json!({"DeploymentTargets": targets, "Regions": super::sets::REGIONS,
            "RetainStacks": retain, "OperationPreferences": fast()})
    };
    lab.begin("DeleteStackInstances", &delete(false));
    lab.wait(60.0);
    assert_eq!(lab.count("INOPERABLE"), 2);
    lab.begin("DeleteStackInstances", &delete(true));
    lab.wait(60.0);
    assert_eq!(lab.instances().len(), 0);
    let living = lab.world.cloudformation.stacks.living();
    let left: Vec<&str> = living.map(|stack| stack.status).collect();
    assert_eq!(left, ["DELETE_FAILED", "DELETE_FAILED"]);
}

#[test]
fn hanging_operation_ends_when_stopped() {
    for event in ["stick_operation", "stuck"] {
        let mut lab = Lab::with_set(false);
        if event == "stuck" {
            lab.faults(json!({"instances": [{"effect": "stuck", "accounts": [ACCOUNT]}]}));
        } else {
            lab.faults(json!({"schedule": [{"when": {"at_second": 5.0}, "event": {"do": event}}]}));
        }
        let id = lab.deploy(&[PRODUCTION], &fast());
        lab.wait(36_000.0);
        assert_eq!(lab.operation(&id)["Status"], "RUNNING", "{event}");
        lab.ok(
            "StopStackSetOperation",
            &json!({"StackSetName": "s", "OperationId": id}),
        );
        lab.wait(60.0);
        assert_eq!(lab.operation(&id)["Status"], "STOPPED", "{event}");
    }
}

#[test]
fn scheduled_event_stops_an_operation() {
    let mut lab = Lab::with_set(false);
    lab.faults(json!({"schedule": [
        {"when": {"at_second": 20.0}, "event": {"do": "stop_operation", "stack_set": "s"}},
        {"when": {"at_second": 500.0}, "event": {"do": "stop_operation"}},
    ]}));
    let id = lab.deploy(&[PRODUCTION], &json!({}));
    lab.wait(600.0);
    assert_eq!(lab.operation(&id)["Status"], "STOPPED");
    assert_eq!(lab.fault_count("stop_operation"), 1);
    assert_eq!(
        lab.happened()[1],
        "stop_operation: nothing to do: no operation is running"
    );
}

#[test]
fn accounts_and_regions_change_while_an_operation_runs() {
    let mut lab = Lab::with_set(false);
    lab.faults(json!({"schedule": [
        {"when": {"at_second": 0.5}, "event":
            {"do": "set_account_state", "account": ACCOUNT, "state": "SUSPENDED"}},
        {"when": {"at_second": 0.5}, "event":
            {"do": "set_region", "region": "us-east-1", "enabled": false, "account": "100000000003"}},
        {"when": {"at_second": 5.0}, "event":
            {"do": "move_account", "account": "100000000004", "to": "ou-exmp-development"}},
    ]}));
    let id = lab.deploy(&[PRODUCTION], &fast());
    lab.wait(60.0);
    assert_eq!(lab.count("SKIPPED_SUSPENDED_ACCOUNT"), 2);
    assert_eq!(lab.count("FAILED"), 1);
    let failed = json!({"StackSetName": "s", "OperationId": id, "Filters":
        [{"Name": "OPERATION_RESULT_STATUS", "Values": "FAILED"}]});
    let failed = lab.ok("ListStackSetOperationResults", &failed)["Summaries"][0].clone();
    assert_eq!(failed["Account"], "100000000003");
    assert!(
        failed["StatusReason"]
            .as_str()
            .unwrap()
            .contains("us-east-1 is not enabled")
    );
    // Automatic deployment removes the account that left.
    lab.wait(900.0);
    assert!(
        lab.instances()
            .keys()
            .all(|(account, _)| account != "100000000004")
    );
}

#[test]
fn a_second_administrator_acts_after_a_call() {
    let mut lab = Lab::with_set(false);
    lab.faults(json!({"schedule": [{
        "when": {"after_calls": {"calls": 2, "apis": ["cloudformation:Create*"]}},
        "event": {"do": "call", "account": "111122223333", "region": "eu-central-1",
            "service": "cloudformation", "action": "DetectStackSetDrift",
            "input": {"StackSetName": "s", "OperationId": "theirs"}},
    }]}));
    lab.deploy(&[PRODUCTION], &fast());
    lab.wait(60.0);
    for api in ["CreateStackInstances", "ListStackSets", "CreateStackSet"] {
        crate::faults::called(&mut lab.world, "cloudformation", api);
    }
    assert_eq!(lab.operation("theirs")["Action"], "DETECT_DRIFT");
    assert_eq!(lab.fault_count("call"), 1);
}

#[test]
fn resources_and_stacks_change_out_of_band() {
    let mut lab = Lab::with_set(false);
    lab.deploy(&[PRODUCTION], &fast());
    lab.wait(60.0);
    let stack = |account: &str| json!({"account": account, "region": "us-east-1", "name": "s"});
    let now = json!({"at_second": 1.0});
    let other = super::sets::TEMPLATE.replace("fixed", "other");
    lab.faults(json!({"schedule": [
        {"when": now, "event": {"do": "edit_resource", "stack": stack("100000000002"),
            "logical_id": "Q", "properties": {"QueueName": "fixed", "VisibilityTimeout": 77}}},
        {"when": now, "event": {"do": "delete_resource", "stack": stack("100000000003")}},
        {"when": now, "event": {"do": "update_stack", "stack": stack("100000000004"), "template_body": other}},
        {"when": now, "event": {"do": "delete_stack", "stack": stack("100000000005")}},
    ]}));
    lab.wait(60.0);
    for kind in [
        "edit_resource",
        "delete_resource",
        "update_stack",
        "delete_stack",
    ] {
        assert_eq!(lab.fault_count(kind), 1, "{kind}: {:?}", lab.happened());
    }
    let stacks = lab.world.cloudformation.stacks.living();
    let shown: Vec<(&str, &str, bool)> = stacks
        .filter(|stack| &*stack.region == "us-east-1")
        .map(|stack| {
            let changed = stack.deployment.template() == other;
            (&*stack.account, stack.status, changed)
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("012345678901", "CREATE_COMPLETE", false),
            ("100000000002", "CREATE_COMPLETE", false),
            ("100000000003", "CREATE_COMPLETE", false),
            ("100000000004", "UPDATE_COMPLETE", true),
        ]
    );
}

#[test]
fn listings_lag_and_descriptions_do_not() {
    let mut lab = Lab::with_set(false);
    lab.faults(json!({"lag": {"operations": 30, "results": 30, "instances": 30}}));
    let id = lab.deploy(&[PRODUCTION], &fast());
    let operations = |lab: &mut Lab| -> Vec<Value> {
        let listed = lab.ok("ListStackSetOperations", &json!({"StackSetName": "s"}));
        let listed = listed["Summaries"].as_array().unwrap();
        listed.iter().map(|item| item["Status"].clone()).collect()
    };
    assert_eq!(lab.operation(&id)["Status"], "RUNNING");
    assert_eq!(operations(&mut lab), [json!(null); 0]);
    assert_eq!((lab.results(&id).len(), lab.instances().len()), (0, 0));
    lab.wait(31.0);
    assert_eq!(lab.operation(&id)["Status"], "SUCCEEDED");
    assert_eq!(operations(&mut lab), ["RUNNING"]);
    assert_eq!(lab.results(&id).get("SUCCEEDED"), None);
    lab.wait(30.0);
    assert_eq!(operations(&mut lab), ["SUCCEEDED"]);
    assert_eq!(lab.results(&id)["SUCCEEDED"], 10);
    assert_eq!(lab.count("CURRENT"), 10);
    // Deleted instances remain in lagging listings.
    let targets = json!({"OrganizationalUnitIds": [PRODUCTION]});
    lab.begin(
        "DeleteStackInstances",
        &json!({"DeploymentTargets": targets, "Regions": super::sets::REGIONS,
            "RetainStacks": false, "OperationPreferences": fast()}),
    );
    lab.wait(25.0);
    assert_eq!(lab.instances().len(), 10);
    lab.wait(31.0);
    assert_eq!(lab.instances().len(), 0);
}
