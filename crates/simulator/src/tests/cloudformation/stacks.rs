//! Stacks: creation, update, rollback, deletion, drift.

use serde_json::{Value, json};

use super::Lab;
use crate::services::organizations::MANAGEMENT;
use crate::wire::api::Caller;

const ONE: &str = "Resources: {Q: {Type: 'AWS::SQS::Queue', Properties: {QueueName: one}}}";

impl Lab {
    fn stack(&mut self, name: &str) -> Value {
        self.ok("DescribeStacks", &json!({"StackName": name}))["Stacks"][0].clone()
    }

    fn status(&mut self, name: &str) -> String {
        self.stack(name)["StackStatus"].as_str().unwrap().to_owned()
    }

    /// Creates a stack and waits for completion.
    fn create(&mut self, name: &str, template: &str) -> String {
        let answer = self.ok(
            "CreateStack",
            &json!({"StackName": name, "TemplateBody": template}),
        );
        assert_eq!(self.status(name), "CREATE_IN_PROGRESS");
        self.wait(30.0);
        answer["StackId"].as_str().unwrap().to_owned()
    }

    fn update(&mut self, name: &str, template: &str) {
        self.ok(
            "UpdateStack",
            &json!({"StackName": name, "TemplateBody": template}),
        );
        self.wait(30.0);
    }

    fn physical_id(&mut self, stack: &str, logical_id: &str) -> Option<String> {
        let answer = self.ok("DescribeStackResources", &json!({"StackName": stack}));
        answer["StackResources"]
            .as_array()?
            .iter()
            .find(|resource| resource["LogicalResourceId"] == logical_id)
            .map(|resource| resource["PhysicalResourceId"].as_str().unwrap().to_owned())
    }

    fn reasons(&mut self, stack: &str) -> Vec<String> {
        let answer = self.ok("DescribeStackEvents", &json!({"StackName": stack}));
        answer["StackEvents"]
            .as_array()
            .unwrap()
            .iter()
            .rev()
            .filter(|event| {
                event["ResourceStatus"]
                    .as_str()
                    .unwrap()
                    .ends_with("_FAILED")
            })
            .map(|event| {
                event["ResourceStatusReason"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect()
    }
}

#[test]
fn stack_creation_is_asynchronous_and_deletion_frees_the_name() {
    let mut lab = Lab::new();
    let id = lab.create("a", ONE);
    assert_eq!(lab.status("a"), "CREATE_COMPLETE");
    let taken = lab.refused(
        "CreateStack",
        &json!({"StackName": "a", "TemplateBody": ONE}),
    );
    assert_eq!(taken, "AlreadyExistsException: Stack [a] already exists");
    lab.ok("DeleteStack", &json!({"StackName": "a"}));
    lab.wait(30.0);
    assert_eq!(lab.status(&id), "DELETE_COMPLETE");
    let gone = lab.refused("DescribeStacks", &json!({"StackName": "a"}));
    assert_eq!(gone, "ValidationError: Stack with id a does not exist");
    lab.create("a", ONE);
    assert_eq!(lab.status("a"), "CREATE_COMPLETE");
}

#[test]
fn a_failed_creation_leaves_nothing_behind() {
    let mut lab = Lab::new();
    lab.create("first", ONE);
    let both = "Resources:
      A: {Type: 'AWS::SQS::Queue', Properties: {QueueName: two}}
      B: {Type: 'AWS::SQS::Queue', DependsOn: A, Properties: {QueueName: one}}";
    lab.create("second", both);
    assert_eq!(lab.status("second"), "ROLLBACK_COMPLETE");
    assert!(lab.reasons("second")[0].contains("HandlerErrorCode: AlreadyExists"));
    // The name `two` is free again.
    lab.create("third", &ONE.replace("one", "two"));
    assert_eq!(lab.status("third"), "CREATE_COMPLETE");
    let refused = lab.refused(
        "UpdateStack",
        &json!({"StackName": "second", "TemplateBody": ONE}),
    );
    assert!(
        refused.contains("is in ROLLBACK_COMPLETE state and can not be updated"),
        "{refused}"
    );
}

#[test]
fn an_update_without_changes_is_refused() {
    let mut lab = Lab::new();
    lab.create("a", ONE);
    let same =
        json!({"StackName": "a", "TemplateBody": format!("Description: other words\n{ONE}")});
    assert_eq!(
        lab.refused("UpdateStack", &same),
        "ValidationError: No updates are to be performed."
    );
}

#[test]
fn failed_update_rolls_back() {
    let mut lab = Lab::new();
    lab.create("other", &ONE.replace("one", "taken"));
    let template = |seconds: u32, more: &str| {
        format!(
            "Resources:\n  A: {{Type: 'AWS::SQS::Queue', Properties: {{QueueName: q, VisibilityTimeout: {seconds}}}}}\n{more}"
        )
    };
    lab.create("a", &template(30, ""));
    let clash = "  Z: {Type: 'AWS::SQS::Queue', DependsOn: A, Properties: {QueueName: taken}}";
    lab.update("a", &template(60, clash));
    assert_eq!(lab.status("a"), "UPDATE_ROLLBACK_COMPLETE");
    assert!(lab.physical_id("a", "Z").is_none());
    // The queue has its old timeout again, so the old template changes nothing.
    let same = json!({"StackName": "a", "TemplateBody": template(30, "")});
    assert!(
        lab.refused("UpdateStack", &same)
            .ends_with("No updates are to be performed.")
    );
    lab.ok("DetectStackDrift", &json!({"StackName": "a"}));
    lab.wait(30.0);
    assert_eq!(
        lab.stack("a")["DriftInformation"]["StackDriftStatus"],
        "IN_SYNC"
    );
}

#[test]
fn removed_resources_are_deleted_unless_retained() {
    let mut lab = Lab::new();
    let template = "Resources:
      A: {Type: 'AWS::SQS::Queue', Properties: {QueueName: gone}}
      B: {Type: 'AWS::SQS::Queue', DeletionPolicy: Retain, Properties: {QueueName: kept}}
      C: {Type: 'AWS::SQS::Queue', Properties: {QueueName: stays}}";
    lab.create("a", template);
    lab.update(
        "a",
        "Resources: {C: {Type: 'AWS::SQS::Queue', Properties: {QueueName: stays}}}",
    );
    assert_eq!(lab.status("a"), "UPDATE_COMPLETE");
    lab.create("gone", &ONE.replace("one", "gone"));
    assert_eq!(lab.status("gone"), "CREATE_COMPLETE");
    lab.create("kept", &ONE.replace("one", "kept"));
    assert_eq!(lab.status("kept"), "ROLLBACK_COMPLETE");
}

#[test]
fn name_change_replaces_the_resource() {
    let mut lab = Lab::new();
    lab.create("a", ONE);
    let before = lab.physical_id("a", "Q");
    lab.update("a", &ONE.replace("one", "two"));
    assert_eq!(lab.status("a"), "UPDATE_COMPLETE");
    assert_ne!(lab.physical_id("a", "Q"), before);
    lab.create("b", ONE);
    assert_eq!(
        lab.status("b"),
        "CREATE_COMPLETE",
        "the old queue should be gone"
    );
}

#[test]
fn exports_in_use_keep_their_stack() {
    let mut lab = Lab::new();
    let exporting =
        format!("{ONE}\nOutputs: {{O: {{Value: !GetAtt Q.Arn, Export: {{Name: shared}}}}}}");
    lab.create("a", &exporting);
    assert_eq!(lab.stack("a")["Outputs"][0]["ExportName"], "shared");
    let importing =
        "Resources: {T: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: !ImportValue shared}}}";
    lab.create("b", importing);
    assert_eq!(lab.status("b"), "CREATE_COMPLETE");
    lab.ok("DeleteStack", &json!({"StackName": "a"}));
    lab.wait(30.0);
    assert_eq!(lab.status("a"), "DELETE_FAILED");
    assert!(
        lab.stack("a")["StackStatusReason"]
            .as_str()
            .unwrap()
            .contains("in use by b")
    );
}

#[test]
fn a_protected_stack_is_not_deleted() {
    let mut lab = Lab::new();
    lab.create("a", ONE);
    lab.ok(
        "UpdateTerminationProtection",
        &json!({"StackName": "a", "EnableTerminationProtection": true}),
    );
    let refused = lab.refused("DeleteStack", &json!({"StackName": "a"}));
    assert!(
        refused.contains("TerminationProtection is enabled"),
        "{refused}"
    );
}

#[test]
fn unknown_actions_and_parameters_are_errors() {
    let mut lab = Lab::new();
    assert!(
        lab.refused("CreateGeneratedTemplate", &json!({}))
            .starts_with("InvalidAction")
    );
    let odd = json!({"StackName": "a", "TemplateBody": ONE, "RoleARN": "arn:aws:iam::111122223333:role/r"});
    assert!(
        lab.refused("CreateStack", &odd)
            .contains("does not support the parameter RoleARN")
    );
    let huge = json!({"StackName": "a", "TemplateBody": format!("{ONE}{}", " ".repeat(51_200))});
    assert!(
        lab.refused("CreateStack", &huge)
            .contains("less than or equal to 51200")
    );
}

#[test]
fn change_set_previews_and_executes() {
    let mut lab = Lab::new();
    let create = json!({"StackName": "a", "ChangeSetName": "c1", "ChangeSetType": "CREATE", "TemplateBody": ONE});
    lab.ok("CreateChangeSet", &create);
    assert_eq!(lab.status("a"), "REVIEW_IN_PROGRESS");
    lab.wait(10.0);
    let name = json!({"StackName": "a", "ChangeSetName": "c1"});
    let shown = lab.ok("DescribeChangeSet", &name);
    assert_eq!(shown["Changes"][0]["ResourceChange"]["Action"], "Add");
    lab.ok("ExecuteChangeSet", &name);
    lab.wait(30.0);
    assert_eq!(lab.status("a"), "CREATE_COMPLETE");
    let update = json!({"StackName": "a", "ChangeSetName": "c2", "TemplateBody": ONE});
    lab.ok("CreateChangeSet", &update);
    lab.wait(10.0);
    let name = json!({"StackName": "a", "ChangeSetName": "c2"});
    let shown = lab.ok("DescribeChangeSet", &name);
    assert_eq!(shown["Status"], "FAILED");
    assert!(
        shown["StatusReason"]
            .as_str()
            .unwrap()
            .contains("didn't contain changes")
    );
    assert!(
        lab.refused("ExecuteChangeSet", &name)
            .starts_with("InvalidChangeSetStatus")
    );
}

const RULE: &str = r#"{"Resources": {
    "Q": {"Type": "AWS::SQS::Queue", "Properties": {}},
    "Rule": {"Type": "AWS::Events::Rule", "Properties": {
        "EventPattern": {"source": ["aws.iam"]},
        "Targets": [{"Id": "q", "Arn": {"Fn::GetAtt": ["Q", "Arn"]},
            "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Q", "Arn"]}}}]}}}}"#;

impl Lab {
    /// The drift of each resource, as detected now.
    fn drift(&mut self, stack: &str) -> Vec<(String, String)> {
        self.ok("DetectStackDrift", &json!({"StackName": stack}));
        self.wait(60.0);
        let drifts = self.ok("DescribeStackResourceDrifts", &json!({"StackName": stack}));
        let drifts = drifts["StackResourceDrifts"].as_array().unwrap();
        let text = |it: &Value, field: &str| it[field].as_str().unwrap().to_owned();
        let pair = |it: &Value| {
            let logical_id = text(it, "LogicalResourceId");
            (logical_id, text(it, "StackResourceDriftStatus"))
        };
        drifts.iter().map(pair).collect()
    }
}

#[test]
fn drift_detection_reports_a_targets_dead_letter_queue_although_it_is_there() {
    let mut lab = Lab::new();
    lab.create("a", RULE);
    let both = |rule: &str| {
        let pair = |name: &str, status: &str| (name.to_owned(), status.to_owned());
        vec![pair("Q", "IN_SYNC"), pair("Rule", rule)]
    };
    assert_eq!(lab.drift("a"), both("MODIFIED"));
    lab.world.cloudformation.drift_reading.target_details = true;
    assert_eq!(lab.drift("a"), both("IN_SYNC"));
}

#[test]
fn a_drift_aware_change_set_restores_changed_and_deleted_resources() {
    let mut lab = Lab::new();
    lab.world.cloudformation.drift_reading.target_details = true;
    lab.create("a", RULE);
    let change_set = |lab: &mut Lab, mode: Option<&str>| {
        let name = json!({"StackName": "a", "ChangeSetName": "revert"});
        let mut create = name.clone();
        create["UsePreviousTemplate"] = json!(true);
        create["DeploymentMode"] = json!(mode);
        lab.ok("CreateChangeSet", &create);
        lab.wait(30.0);
        lab.ok("DescribeChangeSet", &name)
    };
    let empty = change_set(&mut lab, Some("REVERT_DRIFT"));
    assert_eq!(empty["Status"], "FAILED");
    lab.ok(
        "DeleteChangeSet",
        &json!({"StackName": "a", "ChangeSetName": "revert"}),
    );
    let rule = lab.physical_id("a", "Rule").unwrap();
    let queue = lab.physical_id("a", "Q").unwrap();
    let caller = Caller {
        account: MANAGEMENT.to_owned(),
        region: "eu-central-1".to_owned(),
        arn: format!("arn:aws:iam::{MANAGEMENT}:root"),
        role: None,
        session_policy: None,
    };
    for (service, action, input) in [
        ("events", "DisableRule", json!({"Name": rule})),
        ("sqs", "DeleteQueue", json!({"QueueUrl": queue})),
    ] {
        lab.world.call(&caller, service, action, &input).unwrap();
    }
    let ready = change_set(&mut lab, Some("REVERT_DRIFT"));
    assert_eq!(ready["Status"], "CREATE_COMPLETE", "{ready:#}");
    assert_eq!(ready["DeploymentMode"], "REVERT_DRIFT");
    lab.ok(
        "ExecuteChangeSet",
        &json!({"StackName": "a", "ChangeSetName": "revert"}),
    );
    lab.wait(60.0);
    assert_eq!(lab.status("a"), "UPDATE_COMPLETE");
    let statuses: Vec<String> = lab.drift("a").into_iter().map(|it| it.1).collect();
    assert_eq!(statuses, ["IN_SYNC", "IN_SYNC"]);
}
