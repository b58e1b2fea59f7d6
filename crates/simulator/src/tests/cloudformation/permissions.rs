//! What a role needs to work with CloudFormation.

use serde_json::{Value, json};

use super::Lab;
use crate::services::organizations::MANAGEMENT;
use crate::wire::api::Caller;

const QUEUE: &str = "Resources: {Q: {Type: 'AWS::SQS::Queue', Properties: {QueueName: one}}}";
const SET: &str = "arn:aws:cloudformation:eu-central-1:111122223333:stackset/queues:*";
const TARGET: &str = "arn:aws:cloudformation:*:111122223333:stackset-target/queues:*/ou-exmp-*";
const TYPE: &str = "arn:aws:cloudformation:*::type/resource/AWS-SQS-Queue";
const STACK: &str = "arn:aws:cloudformation:*:111122223333:stack/queues/*";

impl Lab {
    /// Creates the role `deployer` with one statement per pair of actions and resources.
    fn give(&mut self, statements: &[(&str, &str)]) {
        let statements: Vec<Value> = statements
            .iter()
            .map(|(actions, resources)| {
                let actions: Vec<&str> = actions.split(' ').collect();
                let resources: Vec<&str> = resources.split(' ').collect();
                json!({"Effect": "Allow", "Action": actions, "Resource": resources})
            })
            .collect();
        let administrator = Caller {
            account: MANAGEMENT.to_owned(),
            region: "eu-central-1".to_owned(),
            arn: format!("arn:aws:iam::{MANAGEMENT}:root"),
            role: None,
            session_policy: None,
        };
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": MANAGEMENT}, "Action": "sts:AssumeRole",
        }]});
        let policy = json!({"Version": "2012-10-17", "Statement": statements});
        let create = json!({
            "RoleName": "deployer", "AssumeRolePolicyDocument": trust.to_string(),
        });
        let put = json!({
            "RoleName": "deployer", "PolicyName": "all", "PolicyDocument": policy.to_string(),
        });
        self.world.with_services(|cloud| {
            let mut call = |action: &str, input: &Value| {
                crate::services::call(cloud, &administrator, "iam", action, input)
            };
            if call("GetRole", &json!({"RoleName": "deployer"})).is_err() {
                call("CreateRole", &create).unwrap();
            }
            call("PutRolePolicy", &put).unwrap();
        });
    }

    /// Calls as that role; the error is what isn't allowed, on which resource.
    fn as_role(&mut self, action: &str, input: &Value) -> Result<Value, String> {
        let role = format!("arn:aws:iam::{MANAGEMENT}:role/deployer");
        let caller = Caller {
            account: MANAGEMENT.to_owned(),
            region: "eu-central-1".to_owned(),
            arn: format!("arn:aws:sts::{MANAGEMENT}:assumed-role/deployer/run"),
            role: Some(role),
            session_policy: None,
        };
        let answer = crate::cloudformation::call(&mut self.world.stage(), &caller, action, input);
        self.world.settle();
        answer.map_err(|error| match error.message.split_once("perform: ") {
            Some((_, missing)) => missing.to_owned(),
            None => error.message,
        })
    }
}

#[test]
fn permissions_of_actions_without_a_resource_type_are_given_by_a_star_only() {
    let mut lab = Lab::new();
    let create = json!({
        "StackSetName": "queues", "TemplateBody": QUEUE, "PermissionModel": "SERVICE_MANAGED",
        "AutoDeployment": {"Enabled": false},
    });
    lab.ok("ActivateOrganizationsAccess", &json!({}));
    lab.give(&[("cloudformation:*", SET), ("cloudformation:*", STACK)]);
    for (action, input) in [
        ("CreateStackSet", &create),
        ("ListStackSets", &json!({})),
        ("ListStacks", &json!({})),
        ("DescribeAccountLimits", &json!({})),
        ("DescribeOrganizationsAccess", &json!({})),
    ] {
        let missing = lab.as_role(action, input).unwrap_err();
        assert_eq!(missing, format!("cloudformation:{action} on resource: *"));
    }
    lab.give(&[("cloudformation:CreateStackSet", "*")]);
    lab.as_role("CreateStackSet", &create).unwrap();
}

#[test]
fn permissions_to_describe_all_stacks_take_list_stacks_too() {
    let mut lab = Lab::new();
    lab.give(&[("cloudformation:DescribeStacks", "*")]);
    let missing = lab.as_role("DescribeStacks", &json!({})).unwrap_err();
    assert_eq!(missing, "cloudformation:ListStacks on resource: *");
    lab.give(&[(
        "cloudformation:DescribeStacks cloudformation:ListStacks",
        "*",
    )]);
    lab.as_role("DescribeStacks", &json!({})).unwrap();
}

#[test]
fn permissions_for_an_operation_name_stack_set_targets_and_resource_types() {
    let mut lab = Lab::new();
    lab.ok("ActivateOrganizationsAccess", &json!({}));
    lab.ok(
        "CreateStackSet",
        &json!({
            "StackSetName": "queues", "TemplateBody": QUEUE, "PermissionModel": "SERVICE_MANAGED",
            "AutoDeployment": {"Enabled": false},
        }),
    );
    let instances = json!({
        "StackSetName": "queues", "Regions": ["eu-central-1"],
        "DeploymentTargets": {"OrganizationalUnitIds": ["ou-exmp-development"]},
    });
    let action = "cloudformation:CreateStackInstances";
    let mut granted = Vec::new();
    for (grant, next) in [
        (SET, "stackset-target/queues:"),
        (TARGET, "type/resource/AWS-SQS-Queue"),
    ] {
        granted.push(grant);
        lab.give(&[(action, &granted.join(" "))]);
        let missing = lab.as_role("CreateStackInstances", &instances).unwrap_err();
        assert!(
            missing.starts_with(action) && missing.contains(next),
            "{missing}"
        );
    }
    granted.push(TYPE);
    lab.give(&[(action, &granted.join(" "))]);
    lab.as_role("CreateStackInstances", &instances).unwrap();
}

#[test]
fn permissions_to_tag_are_separate() {
    let mut lab = Lab::new();
    let create = json!({
        "StackName": "queues", "TemplateBody": QUEUE, "Tags": [{"Key": "owner", "Value": "a"}],
    });
    lab.give(&[("cloudformation:CreateStack", STACK)]);
    let missing = lab.as_role("CreateStack", &create).unwrap_err();
    assert!(
        missing.starts_with("cloudformation:TagResource"),
        "{missing}"
    );
}

#[test]
fn permissions_of_the_caller_limit_what_its_stacks_do() {
    let mut lab = Lab::new();
    let create = json!({"StackName": "queues", "TemplateBody": QUEUE});
    let read = "sqs:GetQueueAttributes sqs:GetQueueUrl sqs:ListQueueTags";
    lab.give(&[("cloudformation:*", STACK), (read, "arn:aws:sqs:*:*:one")]);
    lab.as_role("CreateStack", &create).unwrap();
    lab.wait(30.0);
    let stack = &lab.ok("DescribeStacks", &json!({"StackName": "queues"}))["Stacks"][0];
    assert_eq!(stack["StackStatus"], "ROLLBACK_COMPLETE");
    let events = lab.ok("DescribeStackEvents", &json!({"StackName": "queues"}));
    assert!(
        events.to_string().contains(
            "is not authorized to perform: sqs:CreateQueue on resource: \
             arn:aws:sqs:eu-central-1:111122223333:one"
        ),
        "{events:#}"
    );
    lab.ok("DeleteStack", &json!({"StackName": "queues"}));
    lab.wait(30.0);

    // An administrator's stack needs nothing.
    lab.ok("CreateStack", &create);
    lab.wait(30.0);
    // Neither drift detection nor deletion goes without the permissions of its caller.
    lab.give(&[
        ("cloudformation:*", STACK),
        ("cloudformation:DescribeStackDriftDetectionStatus", "*"),
    ]);
    let detection = lab
        .as_role("DetectStackDrift", &json!({"StackName": "queues"}))
        .unwrap();
    lab.wait(30.0);
    let id = json!({"StackDriftDetectionId": detection["StackDriftDetectionId"]});
    let status = lab
        .as_role("DescribeStackDriftDetectionStatus", &id)
        .unwrap();
    assert_eq!(status["DetectionStatus"], "DETECTION_FAILED");
    let reason = status["DetectionStatusReason"].as_str().unwrap();
    assert!(reason.contains("sqs:GetQueueAttributes"), "{reason}");
    lab.as_role("DeleteStack", &json!({"StackName": "queues"}))
        .unwrap();
    lab.wait(30.0);
    let stack = &lab.ok("DescribeStacks", &json!({"StackName": "queues"}))["Stacks"][0];
    assert_eq!(stack["StackStatus"], "DELETE_FAILED");
}
