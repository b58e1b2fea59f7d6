//! The response to a stopped instance: restarts it only if it opted in.

use serde_json::json;

use super::*;

const INSTANCE: &str = "i-0123456789abcdef0";

fn with_response(edits: &[(&'static str, &'static str, Value)], tags: &Value) -> Fleet {
    let mut fleet = Fleet::empty();
    fleet.edits = edits.to_vec();
    let trust = |service: &str, condition: Value| {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole",
            "Condition": condition,
        }]})
    };
    let automation = fleet.make(
        MEMBER,
        HOME,
        "Automation",
        "AWS::IAM::Role",
        json!({
            "AssumeRolePolicyDocument": trust("ssm.amazonaws.com", json!({
                "StringEquals": {"aws:SourceAccount": MEMBER},
                "ArnLike": {"aws:SourceArn": format!("arn:aws:ssm:*:{MEMBER}:automation-execution/*")},
            })),
            "Policies": [{"PolicyName": "start-tagged", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "ec2:StartInstances",
                 "Resource": format!("arn:aws:ec2:{HOME}:{MEMBER}:instance/*"),
                 "Condition": {"StringEquals": {"aws:ResourceTag/auto-start": "true"}}},
                {"Effect": "Allow", "Action": ["ec2:DescribeInstances", "ec2:DescribeInstanceStatus"], "Resource": "*"},
            ]}}],
        }),
    );
    let start = fleet.make(
        MEMBER,
        HOME,
        "Start",
        "AWS::IAM::Role",
        json!({
            "AssumeRolePolicyDocument": trust("events.amazonaws.com", json!({"StringEquals": {"aws:SourceAccount": MEMBER}})),
            "Policies": [{"PolicyName": "start", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "ssm:StartAutomationExecution",
                 "Resource": [
                    format!("arn:aws:ssm:{HOME}::document/AWS-StartEC2Instance"),
                    format!("arn:aws:ssm:{HOME}:{MEMBER}:automation-execution/*"),
                 ]},
                {"Effect": "Allow", "Action": "iam:PassRole", "Resource": automation.attributes["Arn"],
                 "Condition": {"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}}},
            ]}}],
        }),
    );
    let role = automation.attributes["Arn"].as_str().unwrap().to_owned();
    fleet.make(
        MEMBER,
        HOME,
        "Restart",
        "AWS::Events::Rule",
        json!({
            "EventPattern": {
                "source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"],
                "detail": {"state": ["stopped"]},
            },
            "Targets": [{
                "Id": "start", "RoleArn": start.attributes["Arn"],
                "Arn": format!("arn:aws:ssm:{HOME}::automation-definition/AWS-StartEC2Instance:$DEFAULT"),
                "InputTransformer": {
                    "InputPathsMap": {"instance": "$.detail.instance-id"},
                    "InputTemplate": format!("{{\"InstanceId\":[\"<instance>\"],\"AutomationAssumeRole\":[\"{role}\"]}}"),
                },
            }],
        }),
    );
    crate::services::ec2::put(
        &mut fleet.world.services,
        &json!({"account": MEMBER, "region": HOME, "instance_id": INSTANCE, "state": "running", "tags": tags}),
    )
    .unwrap();
    fleet
}

fn state(fleet: &Fleet) -> String {
    crate::services::ec2::shown(&fleet.world.services, Some(MEMBER), Some(HOME))[0]["state"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn stop_it(fleet: &mut Fleet) {
    fleet
        .call(
            MEMBER,
            "ec2",
            "StopInstances",
            json!({"InstanceId": [INSTANCE]}),
        )
        .unwrap();
    assert_eq!(state(fleet), "stopping");
}

fn stopped_event() -> Value {
    json!({
        "source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification",
        "detail": {"instance-id": INSTANCE, "state": "stopped"},
    })
}

#[test]
fn a_stopped_tagged_instance_is_restarted() {
    let mut fleet = with_response(&[], &json!({"auto-start": "true"}));
    stop_it(&mut fleet);
    fleet.world.advance(10.0);
    assert_eq!(state(&fleet), "pending");
    fleet.world.advance(10.0);
    assert_eq!(state(&fleet), "running");
    let answer = fleet
        .call(MEMBER, "ssm", "DescribeAutomationExecutions", json!({}))
        .unwrap();
    let executions = answer["AutomationExecutionMetadataList"]
        .as_array()
        .unwrap();
    assert_eq!(executions.len(), 1);
    assert_eq!(executions[0]["AutomationExecutionStatus"], "Success");
}

#[test]
fn an_untagged_instance_is_not_restarted() {
    let mut fleet = with_response(&[], &json!({"auto-start": "false"}));
    stop_it(&mut fleet);
    fleet.world.advance(60.0);
    assert_eq!(state(&fleet), "stopped");
    let trace = emit(&mut fleet.world, MEMBER, HOME, stopped_event());
    let hop = stop(&trace);
    assert_eq!(hop.link, "automation AWS-StartEC2Instance");
    assert_eq!(hop.outcome, Outcome::Denied);
    assert!(hop.detail.contains("AccessDenied"), "{hop:?}");
    assert!(
        hop.detail.contains("aws:ResourceTag/auto-start is false"),
        "{hop:?}"
    );
}

#[test]
fn failed_automation_sends_an_event_to_the_default_bus() {
    let mut fleet = with_response(&[], &json!({}));
    let url = fleet.make(
        MEMBER,
        HOME,
        "Seen",
        "AWS::SQS::Queue",
        json!({"QueueName": "seen"}),
    );
    let arn = url.attributes["Arn"].clone();
    fleet.make(
        MEMBER,
        HOME,
        "SeenPolicy",
        "AWS::SQS::QueueInlinePolicy",
        json!({"Queue": url.physical_id, "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": arn,
        }]}}),
    );
    fleet.make(
        MEMBER,
        HOME,
        "Failures",
        "AWS::Events::Rule",
        json!({
            "EventPattern": {"source": ["aws.ssm"], "detail": {"Status": ["Failed"]}},
            "Targets": [{"Id": "seen", "Arn": arn}],
        }),
    );
    emit(&mut fleet.world, MEMBER, HOME, stopped_event());
    fleet.world.advance(2.0);
    let queue = &fleet.world.services.sqs.queues[arn.as_str().unwrap()];
    let event: Value = serde_json::from_str(&queue.messages[0].body).unwrap();
    assert_eq!(
        event["detail-type"],
        "EC2 Automation Execution Status-change Notification"
    );
    assert_eq!(event["detail"]["Definition"], "AWS-StartEC2Instance");
}

/// The service authorization reference requires document and execution; the target's own ARN, an
/// automation definition, is optional there.
#[test]
fn an_automation_needs_permission_for_document_and_execution_not_for_the_definition() {
    let mut fleet = with_response(
        &[(
            "Start",
            "/Policies/0/PolicyDocument/Statement/0/Resource",
            json!("arn:aws:ssm:eu-central-1::automation-definition/AWS-StartEC2Instance:*"),
        )],
        &json!({"auto-start": "true"}),
    );
    let trace = emit(&mut fleet.world, MEMBER, HOME, stopped_event());
    let hop = stop(&trace);
    assert!(hop.link.starts_with("role "), "{hop:?}");
    assert_eq!(hop.outcome, Outcome::Denied);
    assert!(
        hop.detail
            .contains("arn:aws:ssm:eu-central-1::document/AWS-StartEC2Instance"),
        "{hop:?}"
    );
}

/// A caller with a role is authorized as EventBridge's role is.
#[test]
fn starting_an_automation_by_its_api_needs_the_same_permissions() {
    let start = |resources: Value| {
        let mut fleet = with_response(
            &[(
                "Start",
                "/Policies/0/PolicyDocument/Statement/0/Resource",
                resources,
            )],
            &json!({"auto-start": "true"}),
        );
        let rule = &fleet.world.services.events.buses
            [&format!("arn:aws:events:{HOME}:{MEMBER}:event-bus/default")]
            .rules
            .values()
            .next()
            .unwrap()
            .targets()[0];
        let caller = Caller {
            role: Some(rule["RoleArn"].as_str().unwrap().to_owned()),
            ..administrator(MEMBER, HOME)
        };
        let input = json!({
            "DocumentName": "AWS-StartEC2Instance", "Parameters": {"InstanceId": [INSTANCE]},
        });
        call(
            &mut fleet.world,
            &caller,
            "ssm",
            "StartAutomationExecution",
            &input,
        )
    };
    let definition = "arn:aws:ssm:eu-central-1::automation-definition/AWS-StartEC2Instance:*";
    let refused = start(json!(definition)).unwrap_err();
    assert_eq!(refused.code, "AccessDeniedException");
    assert!(refused.message.contains("document/AWS-StartEC2Instance"));
    let granted = json!([
        "arn:aws:ssm:eu-central-1::document/AWS-StartEC2Instance",
        "arn:aws:ssm:eu-central-1:012345678901:automation-execution/*",
    ]);
    assert!(start(granted).unwrap()["AutomationExecutionId"].is_string());
}

#[test]
fn every_permission_of_the_response_is_required() {
    let tags = json!({"auto-start": "true"});
    let stops_at = |edit: (&'static str, &'static str, Value)| {
        let mut fleet = with_response(&[edit], &tags);
        let trace = emit(&mut fleet.world, MEMBER, HOME, stopped_event());
        let hop = stop(&trace).clone();
        assert_eq!(state(&fleet), "running", "nothing was done to it");
        hop
    };
    let document = "arn:aws:ssm:eu-central-1::document/AWS-StartEC2Instance";
    let execution = "arn:aws:ssm:eu-central-1:012345678901:automation-execution/*";
    let definition = "arn:aws:ssm:eu-central-1::automation-definition/AWS-StartEC2Instance:*";
    for (granted, missing) in [
        (json!([definition, document]), "automation-execution/"),
        (
            json!([definition, execution]),
            "::document/AWS-StartEC2Instance",
        ),
        (
            json!([
                "arn:aws:ssm:eu-central-1::document/AWS-StopEC2Instance",
                execution
            ]),
            "::document/AWS-StartEC2Instance",
        ),
    ] {
        let hop = stops_at((
            "Start",
            "/Policies/0/PolicyDocument/Statement/0/Resource",
            granted,
        ));
        assert!(hop.link.starts_with("role "), "{hop:?}");
        assert!(hop.detail.contains(missing), "{hop:?}");
    }
    let hop = stops_at((
        "Start",
        "/Policies/0/PolicyDocument/Statement/1/Condition/StringEquals/iam:PassedToService",
        json!("ec2.amazonaws.com"),
    ));
    assert!(hop.detail.contains("iam:PassedToService"), "{hop:?}");
    let hop = stops_at((
        "Automation",
        "/AssumeRolePolicyDocument/Statement/0/Principal/Service",
        json!("events.amazonaws.com"),
    ));
    assert!(hop.detail.contains("unable to be assumed"), "{hop:?}");
    let hop = stops_at((
        "Restart",
        "/Targets/0/InputTransformer/InputTemplate",
        json!("{\"InstanceId\":\"<instance>\"}"),
    ));
    assert!(hop.detail.contains("list of strings"), "{hop:?}");
}
