//! Folding and unfolding of stacks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Lab;
use super::sets::fast;
use crate::services::environment::Look;

const PRODUCTION: &str = "ou-exmp-production";
const ACCOUNT: &str = "100000000002";

/// A typical spoke: a role, a rule with a dead-letter queue, the queue's policy.
const SPOKE: &str = r#"
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sts:AssumeRole
            Condition: {StringEquals: {"aws:SourceAccount": !Ref AWS::AccountId}}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [aws.ec2]}
      Targets: [{Id: queue, Arn: !GetAtt Queue.Arn}]
  Queue:
    Type: AWS::SQS::Queue
    Properties: {MessageRetentionPeriod: 600}
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
"#;

impl Lab {
    /// Deploys the spokes to production.
    fn with_spokes(template: &str) -> Lab {
        let mut lab = Lab::new();
        let set = json!({
            "StackSetName": "s",
            "TemplateBody": template,
            "Capabilities": ["CAPABILITY_IAM"],
            "PermissionModel": "SERVICE_MANAGED",
            "AutoDeployment": {"Enabled": false},
        });
        lab.ok("CreateStackSet", &set);
        lab.deploy(&[PRODUCTION], &fast());
        lab.wait(60.0);
        assert_eq!(lab.count("CURRENT"), 10);
        lab
    }

    fn update_spokes(&mut self, template: &str) {
        let change = json!({"TemplateBody": template, "Capabilities": ["CAPABILITY_IAM"],
            "OperationPreferences": fast()});
        self.begin("UpdateStackSet", &change);
        self.wait(60.0);
        assert_eq!(self.count("CURRENT"), 10);
    }

    fn folded(&self) -> usize {
        let living = self.world.cloudformation.stacks.living();
        living.filter(|stack| stack.is_folded()).count()
    }

    fn stack_in(&self, account: &str) -> String {
        let living = self.world.cloudformation.stacks.living();
        let here = |stack: &&crate::cloudformation::stack::Stack| {
            &*stack.account == account && &*stack.region == "eu-central-1"
        };
        living
            .filter(here)
            .map(|stack| stack.id.to_string())
            .next()
            .unwrap()
    }

    /// Physical ids by logical id, as listed for the account's administrator.
    fn physical_ids(&mut self, account: &str) -> BTreeMap<String, String> {
        let stack = json!({"StackName": self.stack_in(account)});
        let answer = self
            .call(account, "DescribeStackResources", &stack)
            .unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let resources = answer["StackResources"].as_array().unwrap();
        let pair = |it: &Value| {
            (
                text(&it["LogicalResourceId"]),
                text(&it["PhysicalResourceId"]),
            )
        };
        resources.iter().map(pair).collect()
    }
}

#[test]
fn folded_stacks_use_no_memory_in_the_services() {
    let mut lab = Lab::with_spokes(SPOKE);
    assert_eq!(lab.folded(), 10);
    assert_eq!(lab.world.services.sqs.queues.len(), 0);
    assert_eq!(lab.world.services.events.buses.len(), 0);
    // One stack was actually created in each of two Regions; the others are proven equal.
    assert_eq!(lab.world.cloudformation.proofs(), 2);
    // A request finds all resources.
    let ids = lab.physical_ids(ACCOUNT);
    assert_eq!(ids.len(), 4);
    assert!(ids["Queue"].contains("-Queue-"), "{ids:?}");
    assert_eq!(lab.world.services.sqs.queues.len(), 2);
    assert_eq!(lab.folded(), 8);
    let stack = json!({"StackName": lab.stack_in(ACCOUNT)});
    let events = lab.call(ACCOUNT, "DescribeStackEvents", &stack).unwrap();
    let events = events["StackEvents"].as_array().unwrap();
    assert_eq!(events[0]["ResourceStatus"], "CREATE_COMPLETE");
    assert_eq!(events.len(), 2 + 2 * 4);
}

#[test]
fn unfolded_stacks_are_identical_and_stay_updatable() {
    let mut lab = Lab::with_spokes(SPOKE);
    let changed = SPOKE.replace("600", "700")
        + "  Second:\n    Type: AWS::SQS::Queue\n    Properties: {VisibilityTimeout: 7}\n";
    lab.update_spokes(&changed);
    assert_eq!(lab.folded(), 10);
    let id = lab.stack_in(ACCOUNT);
    // Reads one stack twice: unfolded, refolded, unfolded.
    let ids = |lab: &mut Lab| {
        crate::cloudformation::unfold(&mut lab.world.stage(), &id);
        let stack = lab.world.cloudformation.stacks.get(&id).unwrap();
        let ids = stack
            .resources
            .iter()
            .map(|(name, it)| (name.clone(), it.physical_id.clone()));
        ids.collect::<BTreeMap<_, _>>()
    };
    let first = ids(&mut lab);
    assert_eq!(first.len(), 5);
    lab.update_spokes(&changed.replace("700", "800"));
    assert_eq!(lab.folded(), 10);
    assert_eq!(ids(&mut lab), first, "an update in place keeps the names");
    lab.update_spokes(SPOKE);
    let last = ids(&mut lab);
    assert_eq!(last.get("Second"), None);
    assert_eq!(last["Queue"], first["Queue"]);
}

#[test]
fn events_in_a_folded_account_are_delivered() {
    let mut lab = Lab::with_spokes(SPOKE);
    let event = json!({"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification", "detail": {}});
    let trace = lab
        .world
        .with_services(|cloud| crate::services::emit(cloud, ACCOUNT, "eu-central-1", event));
    let outcomes: Vec<String> = trace
        .hops
        .iter()
        .map(|hop| format!("{:?}", hop.outcome))
        .collect();
    assert!(
        outcomes.iter().all(|outcome| outcome == "Ok"),
        "{:?}",
        trace.hops
    );
    let waiting: usize = lab
        .world
        .services
        .sqs
        .queues
        .values()
        .map(|queue| queue.messages.len())
        .sum();
    assert_eq!(waiting, 1);
    // The account may have been changed: it isn't refolded, and keeps its message.
    lab.update_spokes(&SPOKE.replace("600", "700"));
    assert_eq!(lab.folded(), 8);
    let waiting: usize = lab
        .world
        .services
        .sqs
        .queues
        .values()
        .map(|queue| queue.messages.len())
        .sum();
    assert_eq!(waiting, 1);
}

#[test]
fn drift_detection_finds_the_changed_stack() {
    let mut lab = Lab::with_spokes(SPOKE);
    let id = lab.stack_in(ACCOUNT);
    let change = json!({"MessageRetentionPeriod": 777});
    crate::cloudformation::edit_resource(
        &mut lab.world.stage(),
        &id,
        Some("Queue"),
        change.as_object(),
    )
    .unwrap();
    let operation = lab.begin(
        "DetectStackSetDrift",
        &json!({"OperationPreferences": fast()}),
    );
    lab.wait(60.0);
    let details = lab.operation(&operation)["StackSetDriftDetectionDetails"].clone();
    assert_eq!(details["DriftedStackInstancesCount"], 1);
    assert_eq!(details["InSyncStackInstancesCount"], 9);
    let input = |account: &str| {
        json!({"StackSetName": "s", "OperationId": operation,
            "StackInstanceAccount": account, "StackInstanceRegion": "eu-central-1"})
    };
    let drifts = lab.ok("ListStackInstanceResourceDrifts", &input(ACCOUNT));
    let drifts = drifts["Summaries"].as_array().unwrap();
    assert_eq!(drifts.len(), 4);
    let modified: Vec<&Value> = drifts
        .iter()
        .filter(|drift| drift["StackResourceDriftStatus"] == "MODIFIED")
        .collect();
    assert_eq!(modified[0]["LogicalResourceId"], "Queue");
    assert_eq!(modified.len(), 1);
    // A folded one is listed, too, with everything in sync.
    let drifts = lab.ok("ListStackInstanceResourceDrifts", &input("100000000003"));
    let drifts = drifts["Summaries"].as_array().unwrap();
    assert_eq!(drifts.len(), 4);
    assert!(
        drifts
            .iter()
            .all(|drift| drift["StackResourceDriftStatus"] == "IN_SYNC")
    );
}

#[test]
fn a_stack_in_sync_shows_its_own_properties() {
    let mut lab = Lab::with_spokes(SPOKE);
    lab.begin(
        "DetectStackSetDrift",
        &json!({"OperationPreferences": fast()}),
    );
    lab.wait(60.0);
    let stack = json!({"StackName": lab.stack_in(ACCOUNT)});
    let drifts = lab
        .call(ACCOUNT, "DescribeStackResourceDrifts", &stack)
        .unwrap();
    let drifts = drifts["StackResourceDrifts"].as_array().unwrap();
    let queue = drifts
        .iter()
        .find(|it| it["LogicalResourceId"] == "Queue")
        .unwrap();
    assert_eq!(
        queue["ExpectedProperties"],
        r#"{"MessageRetentionPeriod":600}"#
    );
    assert_eq!(queue["ActualProperties"], queue["ExpectedProperties"]);
}

#[test]
fn read_stack_that_becomes_unfoldable_is_not_refolded() {
    let mut lab = Lab::with_spokes(SPOKE);
    lab.physical_ids(ACCOUNT);
    lab.update_spokes(&SPOKE.replace("{MessageRetentionPeriod: 600}", "{QueueName: fixed}"));
    for number in 0..100 {
        lab.world
            .stage()
            .look(&format!("9{number:011}"), Look::Anywhere);
    }
    lab.world.stage().fold_again();
    assert_eq!(lab.folded(), 0);
    assert_eq!(lab.world.services.sqs.queues.len(), 10);
}

#[test]
fn stacks_that_can_conflict_are_never_folded() {
    let named = SPOKE.replace("{MessageRetentionPeriod: 600}", "{QueueName: fixed}");
    assert_eq!(Lab::with_spokes(&named).folded(), 0);
    let retained = SPOKE.replace(
        "    Properties: {MessageRetentionPeriod: 600}",
        "    DeletionPolicy: Retain",
    );
    assert_eq!(Lab::with_spokes(&retained).folded(), 0);
}

#[test]
fn read_only_access_refolds_stacks() {
    let mut lab = Lab::with_spokes(SPOKE);
    let before = lab.world.cloudformation.proofs();
    let ids = lab.physical_ids(ACCOUNT);
    assert_eq!(lab.folded(), 8);
    // Other accounts are read in between.
    for number in 0..100 {
        lab.world
            .stage()
            .look(&format!("9{number:011}"), Look::Anywhere);
    }
    lab.world.stage().fold_again();
    assert_eq!(lab.folded(), 10);
    assert_eq!(lab.world.services.sqs.queues.len(), 0);
    assert_eq!(lab.physical_ids(ACCOUNT), ids);
    for number in 100..200 {
        lab.world
            .stage()
            .look(&format!("9{number:011}"), Look::Anywhere);
    }
    lab.world.stage().fold_again();
    // It continues like the others: one proof per Region.
    lab.update_spokes(&SPOKE.replace("600", "700"));
    assert_eq!(lab.folded(), 10);
    assert_eq!(lab.world.cloudformation.proofs(), before + 2);
}

/// The update of one instance fails in its first resource, even if the account is read in between.
#[test]
fn planned_failure_hits_the_operation_and_not_the_unfolding() {
    for looked_at in [false, true] {
        let mut lab = Lab::with_spokes(SPOKE);
        let ids = Lab::with_spokes(SPOKE).physical_ids(ACCOUNT);
        let fault = json!({"instances": [{"effect": {"fail": "example"}, "accounts": [ACCOUNT],
            "regions": ["eu-central-1"], "actions": ["UPDATE"]}]});
        crate::faults::start(&mut lab.world, serde_json::from_value(fault).unwrap());
        let changed = SPOKE.replace("600", "700");
        let change = json!({"TemplateBody": changed, "Capabilities": ["CAPABILITY_IAM"],
            "OperationPreferences": fast()});
        lab.begin("UpdateStackSet", &change);
        lab.wait(1.0);
        if looked_at {
            lab.physical_ids(ACCOUNT);
        }
        lab.wait(60.0);
        assert_eq!(lab.count("CURRENT"), 9);
        let failed = lab.instances()[&(ACCOUNT.to_owned(), "eu-central-1".to_owned())].clone();
        assert_eq!(failed.1, "FAILED");
        let stack = json!({"StackName": lab.stack_in(ACCOUNT)});
        let answer = lab.call(ACCOUNT, "DescribeStacks", &stack).unwrap();
        assert_eq!(
            answer["Stacks"][0]["StackStatus"],
            "UPDATE_ROLLBACK_COMPLETE"
        );
        // Rolled back to the previous state.
        assert_eq!(lab.physical_ids(ACCOUNT), ids);
    }
}

#[test]
fn reading_queues_or_roles_does_not_unfold_rules() {
    let mut lab = Lab::with_spokes(SPOKE);
    let ids = Lab::with_spokes(SPOKE).physical_ids(ACCOUNT);
    let caller = crate::wire::api::Caller {
        account: ACCOUNT.to_owned(),
        region: "eu-central-1".to_owned(),
        arn: format!("arn:aws:iam::{ACCOUNT}:root"),
        role: None,
        session_policy: None,
    };
    let look = |lab: &mut Lab| {
        let mut ask = |service: &str, action: &str, input: Value| {
            lab.world.call(&caller, service, action, &input).unwrap()
        };
        let all = json!({"QueueUrl": ids["Queue"], "AttributeNames": ["All"]});
        let queue = ask("sqs", "GetQueueAttributes", all)["Attributes"].clone();
        assert_eq!(queue["MessageRetentionPeriod"], "600");
        assert!(
            queue["Policy"]
                .as_str()
                .unwrap()
                .contains("events.amazonaws.com")
        );
        let roles = ask("iam", "ListRoles", json!({})).to_string();
        assert!(roles.contains(&ids["Role"]), "{roles}");
    };
    look(&mut lab);
    assert_eq!(lab.folded(), 10);
    assert_eq!(lab.world.services.events.buses.len(), 0);
    // It is updated like the others, and its temporary resources are gone.
    lab.update_spokes(&SPOKE.replace("600", "700"));
    assert_eq!(lab.folded(), 10);
    assert_eq!(lab.world.services.sqs.queues.len(), 0);
    lab.update_spokes(SPOKE);
    look(&mut lab);
    // Later reads find the rest.
    assert_eq!(lab.physical_ids(ACCOUNT), ids);
    assert_eq!(lab.folded(), 8);
}

#[test]
fn a_list_of_rules_leaves_stacks_folded_and_is_what_unfolding_shows() {
    let mut lab = Lab::with_spokes(SPOKE);
    let caller = crate::wire::api::Caller {
        account: ACCOUNT.to_owned(),
        region: "eu-central-1".to_owned(),
        arn: format!("arn:aws:iam::{ACCOUNT}:root"),
        role: None,
        session_policy: None,
    };
    let ask = |lab: &mut Lab, action: &str, input: Value| {
        lab.world.call(&caller, "events", action, &input).unwrap()
    };
    let listed = ask(&mut lab, "ListRules", json!({}));
    assert_eq!(lab.folded(), 10);
    assert_eq!(ask(&mut lab, "ListRules", json!({})), listed);
    let name = listed["Rules"][0]["Name"].clone();
    assert_eq!(
        listed["Rules"][0]["EventPattern"],
        r#"{"source":["aws.ec2"]}"#
    );
    // Only the Region of the request is unfolded, and the rule has its targets.
    let targets = ask(&mut lab, "ListTargetsByRule", json!({"Rule": name}));
    assert_eq!(targets["Targets"].as_array().unwrap().len(), 1);
    assert_eq!(lab.folded(), 9);
    assert_eq!(ask(&mut lab, "ListRules", json!({})), listed);
    // Nothing is left of it in a stack that is updated meanwhile.
    let mut lab = Lab::with_spokes(SPOKE);
    ask(&mut lab, "ListRules", json!({}));
    lab.update_spokes(&SPOKE.replace("600", "700"));
    assert_eq!(lab.folded(), 10);
    assert_eq!(lab.world.services.events.buses.len(), 0);
    assert_eq!(ask(&mut lab, "ListRules", json!({})), listed);
}

#[test]
fn the_drift_of_a_folded_stack_is_what_unfolding_shows() {
    let template = SPOKE.replace(
        "Arn: !GetAtt Queue.Arn",
        "Arn: !GetAtt Queue.Arn, RetryPolicy: {MaximumRetryAttempts: 3}",
    );
    let mut lab = Lab::with_spokes(&template);
    let operation = lab.begin(
        "DetectStackSetDrift",
        &json!({"OperationPreferences": fast()}),
    );
    lab.wait(60.0);
    let ask = |lab: &mut Lab, statuses: Value| {
        let input = json!({
            "StackSetName": "s", "OperationId": operation,
            "StackInstanceAccount": ACCOUNT, "StackInstanceRegion": "eu-central-1",
            "StackInstanceResourceDriftStatuses": statuses,
        });
        lab.ok("ListStackInstanceResourceDrifts", &input)["Summaries"].clone()
    };
    let of_folded = ask(&mut lab, json!(["MODIFIED", "DELETED"]));
    assert_eq!(lab.folded(), 10);
    assert_eq!(of_folded.as_array().unwrap().len(), 1, "{of_folded}");
    let all = ask(&mut lab, json!([]));
    assert_eq!(lab.folded(), 9);
    assert_eq!(all.as_array().unwrap().len(), 4);
    assert_eq!(ask(&mut lab, json!(["MODIFIED", "DELETED"])), of_folded);
}

#[test]
fn outputs_of_folded_stacks_contain_their_own_names() {
    let queue = format!("{SPOKE}Outputs:\n  Name: {{Value: !Ref Queue}}\n");
    let rule = format!("{queue}  Rule: {{Value: !Ref Rule}}\n");
    for (template, proofs) in [(queue, 2), (rule, 10)] {
        let mut lab = Lab::with_spokes(&template);
        assert_eq!(lab.folded(), 10);
        // Stacks whose outputs depend on a rule are created in every account.
        assert_eq!(lab.world.cloudformation.proofs(), proofs);
        for template in [template.clone(), template.replace("600", "700")] {
            if template.contains("700") {
                lab.update_spokes(&template);
            }
            assert_eq!(lab.world.services.sqs.queues.len(), 0);
            let accounts: BTreeSet<String> = lab
                .world
                .cloudformation
                .stacks
                .living()
                .map(|stack| stack.account.to_string())
                .collect();
            assert_eq!(accounts.len(), 5);
            for account in accounts {
                let ids = lab.physical_ids(&account);
                let stack = json!({"StackName": lab.stack_in(&account)});
                let told = lab.call(&account, "DescribeStacks", &stack).unwrap();
                let outputs = told["Stacks"][0]["Outputs"].as_array().unwrap();
                for output in outputs {
                    let resource = if output["OutputKey"] == "Name" {
                        "Queue"
                    } else {
                        "Rule"
                    };
                    assert_eq!(output["OutputValue"], *ids[resource]);
                }
                let events = lab.call(&account, "DescribeStackEvents", &stack).unwrap();
                let events = events["StackEvents"].as_array().unwrap().len();
                assert_eq!(events, if template.contains("700") { 12 } else { 10 });
            }
            for number in 0..100 {
                lab.world
                    .stage()
                    .look(&format!("9{number:011}"), Look::Anywhere);
            }
            lab.world.stage().fold_again();
        }
    }
}
