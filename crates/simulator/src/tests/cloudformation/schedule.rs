//! Scheduled drift detection and the events of StackSets.

use serde_json::{Value, json};

use super::Lab;
use super::sets::fast;
use crate::services::organizations::MANAGEMENT;

const PRODUCTION: &str = "ou-exmp-production";

/// A schedule that detects drift of the stack set `s` daily at six, and a queue for all events of
/// StackSets.
const CHECK: &str = r#"
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: scheduler.amazonaws.com}
            Action: sts:AssumeRole
            Condition: {StringEquals: {"aws:SourceAccount": !Ref AWS::AccountId}}
      Policies:
        - PolicyName: detect
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Effect: Allow
                Action: cloudformation:DetectStackSetDrift
                Resource: !Sub "arn:${AWS::Partition}:cloudformation:*:*:stackset/s:*"
  Schedule:
    Type: AWS::Scheduler::Schedule
    Properties:
      ScheduleExpression: cron(0 6 * * ? *)
      FlexibleTimeWindow: {Mode: FLEXIBLE, MaximumWindowInMinutes: 30}
      Target:
        Arn: !Sub "arn:${AWS::Partition}:scheduler:::aws-sdk:cloudformation:detectStackSetDrift"
        RoleArn: !GetAtt Role.Arn
        Input: '{"StackSetName":"s","CallAs":"SELF"}'
        RetryPolicy: {MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 3600}
  Queue:
    Type: AWS::SQS::Queue
    Properties: {}
  Policy:
    Type: AWS::SQS::QueueInlinePolicy
    Properties:
      Queue: !Ref Queue
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sqs:SendMessage
            Resource: !GetAtt Queue.Arn
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern:
        source: [aws.cloudformation]
        detail-type:
          - CloudFormation StackSet Operation Status Change
          - CloudFormation StackSet StackInstance Status Change
          - CloudFormation StackSet Status Change
          - CloudFormation Drift Detection Status Change
      Targets: [{Id: queue, Arn: !GetAtt Queue.Arn}]
"#;

const DAY: f64 = 86_400.0;

impl Lab {
    fn with_check(template: &str) -> Lab {
        let mut lab = Lab::with_set(false);
        lab.deploy(&[PRODUCTION], &fast());
        lab.wait(60.0);
        let check = json!({"StackName": "check", "TemplateBody": template,
            "Capabilities": ["CAPABILITY_IAM"]});
        lab.ok("CreateStack", &check);
        lab.wait(60.0);
        lab
    }

    fn check_status(&mut self) -> Value {
        let stack = self.ok("DescribeStacks", &json!({"StackName": "check"}));
        stack["Stacks"][0]["StackStatus"].clone()
    }

    /// The events in the queue.
    fn heard(&self) -> Vec<Value> {
        let queues = &self.world.services.sqs.queues;
        let of_check = queues
            .values()
            .filter(|queue| queue.name.starts_with("check-"));
        of_check
            .flat_map(|queue| &queue.messages)
            .map(|message| serde_json::from_str(&message.body).unwrap())
            .collect()
    }

    fn detections(&self) -> usize {
        let mut sets = self.world.cloudformation.sets.all();
        let operations = sets.next().unwrap().operations.values();
        operations
            .filter(|operation| operation.action() == "DETECT_DRIFT")
            .count()
    }

    fn scheduled(&self) -> Vec<Result<(), String>> {
        let schedules = self.world.services.scheduler.schedules.values();
        schedules
            .flat_map(|schedule| schedule.outcomes.clone())
            .collect()
    }
}

#[test]
fn a_schedule_detects_drift_every_day() {
    let mut lab = Lab::with_check(CHECK);
    assert_eq!(lab.check_status(), "CREATE_COMPLETE");
    lab.wait(DAY);
    assert_eq!(lab.scheduled(), [Ok(())]);
    lab.wait(2.0 * DAY);
    assert_eq!((lab.scheduled().len(), lab.detections()), (3, 3));
    lab.ok("DeleteStack", &json!({"StackName": "check"}));
    lab.wait(3.0 * DAY);
    assert_eq!(lab.detections(), 3);
}

#[test]
fn a_schedule_may_do_what_its_role_may_do() {
    let other = CHECK.replace("stackset/s:*", "stackset/another:*");
    let mut lab = Lab::with_check(&other);
    lab.wait(DAY);
    assert_eq!(lab.detections(), 0);
    let outcomes = lab.scheduled();
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    assert!(
        outcomes[0]
            .as_ref()
            .unwrap_err()
            .starts_with("AccessDenied")
    );
    // A role that doesn't trust the service is refused at the schedule's creation.
    let mut lab = Lab::with_check(&CHECK.replace("scheduler.amazonaws.com", "ec2.amazonaws.com"));
    assert_eq!(lab.check_status(), "ROLLBACK_COMPLETE");
}

#[test]
fn schedule_retries_while_an_operation_runs() {
    let mut lab = Lab::with_check(CHECK);
    // An operation hangs from a quarter to six onward.
    lab.wait(17.0 * 3_600.0);
    let targets = json!({"OrganizationalUnitIds": [PRODUCTION]});
    lab.begin(
        "UpdateStackInstances",
        &json!({"DeploymentTargets": targets, "Regions": super::sets::REGIONS}),
    );
    crate::cloudformation::stick_running(&mut lab.world.stage(), None).unwrap();
    lab.wait(3_600.0 * 2.0);
    let outcomes = lab.scheduled();
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
    let failed = |outcome: &Result<(), String>| {
        outcome
            .as_ref()
            .is_err_and(|why| why.starts_with("OperationInProgressException"))
    };
    assert!(outcomes.iter().all(failed), "{outcomes:?}");
}

#[test]
fn stack_sets_send_status_events() {
    let mut lab = Lab::with_check(CHECK);
    assert_eq!(lab.heard().len(), 0);
    let id = lab.begin(
        "DetectStackSetDrift",
        &json!({"OperationPreferences": fast()}),
    );
    lab.wait(60.0);
    let heard = lab.heard();
    let of = |kind: &str| -> Vec<&Value> {
        heard
            .iter()
            .filter(|event| event["detail-type"] == kind)
            .collect()
    };
    let operations = of("CloudFormation StackSet Operation Status Change");
    let statuses: Vec<&Value> = operations
        .iter()
        .map(|event| &event["detail"]["status-details"]["status"])
        .collect();
    assert_eq!(statuses, ["RUNNING", "SUCCEEDED"]);
    assert_eq!(operations[0]["detail"]["stack-set-operation-id"], json!(id));
    assert_eq!(operations[0]["account"], MANAGEMENT);
    let instances = of("CloudFormation StackSet StackInstance Status Change");
    assert_eq!(instances.len(), 10);
    assert_eq!(instances[0]["detail"]["action"], "DETECT_DRIFT");
    assert_eq!(
        instances[0]["detail"]["status-details"]["status"],
        "CURRENT"
    );
    // A stack outside a stack set.
    lab.ok("DetectStackDrift", &json!({"StackName": "check"}));
    lab.wait(60.0);
    let heard = lab.heard();
    let drift = &heard.last().unwrap()["detail"];
    assert_eq!(drift["status-details"]["stack-drift-status"], "IN_SYNC");
}
