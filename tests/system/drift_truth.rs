//! Drift on a simulator that reports everything falsely that CloudFormation is known to report
//! falsely, and hides what it is known to hide. Each planted change is found; the remedy that is
//! printed for it is run as printed; and the change is gone.

use serde_json::{Value, json};
use tests::{HOME, HUB, MANAGEMENT, Project, Run, Served};

use crate::project;

const ORGANIZATION: &str = "stacksets/organization.yaml";
pub(crate) const SPOKE: &str = "012345678901";
const TRAIL: &str = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/gizmos";

/// A deployed organization with an artifact bucket, without drift.
pub(crate) struct Fleet {
    pub(crate) organization: Served,
    pub(crate) project: Project,
}

impl Fleet {
    pub(crate) fn deployed() -> Fleet {
        let organization = Served::start();
        let project = project();
        project.replace(ORGANIZATION, "# artifacts: {}", "artifacts: {}");
        project.remove_waves();
        // One Region is enough: what is checked is checked for each account and Region alone.
        project.replace(ORGANIZATION, "  - us-east-1\n  - us-west-2\n", "");
        project.deploy(&organization).expect(0);
        Fleet {
            organization,
            project,
        }
    }

    pub(crate) fn drift(&self, more: &[&str]) -> Run {
        let target = self.organization.argument();
        self.project
            .run(&[&["drift", "--org", &target], more].concat())
    }

    pub(crate) fn act(&self, account: &str, service: &str, action: &str, input: &Value) -> Value {
        self.organization.act(account, HOME, service, action, input)
    }

    /// Drift reports the code and all texts; then its remedies are followed until nothing is left.
    #[track_caller]
    pub(crate) fn names_and_restores(&self, code: &str, texts: &[&str]) {
        let mut run = self.drift(&[]).expect(5).says(&format!("drift[{code}]"));
        for text in texts {
            run = run.says(text);
        }
        let mut restored = false;
        for remedy in run.remedies() {
            self.organization.follow(&self.project, &remedy);
            restored = self.drift(&[]).code == 0;
            if restored {
                break;
            }
        }
        assert!(restored, "{}\n{}", run.all(), self.drift(&[]).all());
    }

    /// Name and resources of the account's stack whose name contains this.
    pub(crate) fn stack(&self, account: &str, stack: &str) -> (String, Vec<Value>) {
        let list = self.act(account, "cloudformation", "ListStacks", &json!({}));
        let name = list["StackSummaries"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|it| it["StackName"].as_str())
            .find(|it| it.contains(stack))
            .unwrap_or_else(|| panic!("no stack {stack}: {list:#}"));
        let input = json!({"StackName": name});
        let list = self.act(account, "cloudformation", "ListStackResources", &input);
        let resources = list["StackResourceSummaries"].as_array();
        (name.to_owned(), resources.cloned().unwrap_or_default())
    }

    /// The physical name of the first resource of a type in an account's spoke.
    pub(crate) fn in_spoke(&self, account: &str, kind: &str, logical_id: &str) -> String {
        let (_, resources) = self.stack(account, "gizmos-rules-spoke");
        let has = |it: &&Value, field: &str, start: &str| {
            it[field]
                .as_str()
                .is_some_and(|text| text.starts_with(start))
        };
        resources
            .iter()
            .filter(|it| has(it, "ResourceType", kind))
            .find(|it| has(it, "LogicalResourceId", logical_id))
            .and_then(|it| it["PhysicalResourceId"].as_str())
            .unwrap_or_else(|| panic!("no {kind}: {resources:#?}"))
            .to_owned()
    }

    pub(crate) fn forwarder(&self) -> String {
        self.in_spoke(SPOKE, "AWS::Events::Rule", "Forward")
    }

    pub(crate) fn forwarder_role(&self) -> String {
        self.in_spoke(SPOKE, "AWS::IAM::Role", "ForwarderRole")
    }

    pub(crate) fn dead_letters(&self) -> String {
        self.in_spoke(SPOKE, "AWS::SQS::Queue", "DeadLetters")
    }
}

#[test]
fn an_untouched_fleet_has_no_drift_although_cloudformation_reports_it() {
    let fleet = Fleet::deployed();
    fleet
        .drift(&[])
        .expect(0)
        .says("settled: /Policy of AWS::Events::EventBus, 1 time")
        .says("settled: /Targets/*/DeadLetterConfig of AWS::Events::Rule")
        .says("settled: /Targets/*/RetryPolicy of AWS::Events::Rule")
        .says("settled: /LifecycleConfiguration/Rules/*/ExpiredObjectDeleteMarker")
        .says("cloudformation-coverage-roadmap/issues/2188")
        .says("No drift");
    fleet.drift(&["--deep"]).expect(0).says("No drift");
    fleet.drift(&["--no-detect"]).expect(0).says("No drift");
    // Once the handler of rules is fixed, nothing is left to settle there.
    fleet
        .organization
        .post("drift", &json!({"target_details": true}));
    let run = fleet.drift(&[]).expect(0);
    assert!(!run.all().contains("/Targets/*/"), "{}", run.all());
}

#[test]
fn drift_reports_what_cloudformation_could_not_check() {
    let fleet = Fleet::deployed();
    let unreadable = json!({"unreadable": [
        {"account": SPOKE, "region": HOME, "resource_type": "AWS::SQS::Queue"},
        {"account": MANAGEMENT, "region": HOME, "resource_type": "AWS::CloudTrail::Trail"},
    ]});
    fleet.organization.post("drift", &unreadable);
    fleet
        .drift(&[])
        .expect(1)
        .says("AWS::SQS::Queue DeadLetters of gizmos-rules-spoke in 012345678901 eu-central-1: ")
        .says("AWS::CloudTrail::Trail Trail of gizmos-trail in 111122223333 eu-central-1: ")
        .says("drift status is UNKNOWN");
}

#[test]
fn a_disabled_forwarder_is_found_and_restored() {
    let fleet = Fleet::deployed();
    let name = fleet.forwarder();
    fleet.act(SPOKE, "events", "DisableRule", &json!({"Name": name}));
    fleet.names_and_restores("resource::modified", &["/State", "found DISABLED"]);
}

#[test]
fn a_forwarder_is_found_disabled_without_drift_detection() {
    let fleet = Fleet::deployed();
    let name = fleet.forwarder();
    fleet.act(SPOKE, "events", "DisableRule", &json!({"Name": name}));
    fleet
        .drift(&["--only", "chain"])
        .expect(5)
        .says("drift[chain::rule-disabled]")
        .says("found DISABLED");
}

#[test]
fn a_forwarder_with_another_pattern_is_found_and_restored() {
    let fleet = Fleet::deployed();
    let name = fleet.forwarder();
    let pattern = json!({"source": ["aws.nothing"]}).to_string();
    let input = json!({"Name": name, "EventPattern": pattern});
    fleet.act(SPOKE, "events", "PutRule", &input);
    fleet
        .drift(&["--only", "chain"])
        .expect(5)
        .says("drift[chain::rule-changed]")
        .says("aws.nothing");
    fleet.names_and_restores("resource::modified", &["aws.nothing"]);
}

#[test]
fn a_deleted_forwarder_is_found_and_restored() {
    let fleet = Fleet::deployed();
    let name = fleet.forwarder();
    let targets = json!({"Rule": name, "Ids": ["hub"]});
    fleet.act(SPOKE, "events", "RemoveTargets", &targets);
    fleet.act(SPOKE, "events", "DeleteRule", &json!({"Name": name}));
    fleet
        .drift(&["--only", "chain"])
        .expect(5)
        .says("drift[chain::rule-missing]");
    fleet.names_and_restores("resource::deleted", &["was deleted"]);
}

/// The target of a forwarder, edited.
fn retarget(fleet: &Fleet, edit: impl Fn(&mut Value)) {
    let name = fleet.forwarder();
    let list = fleet.act(SPOKE, "events", "ListTargetsByRule", &json!({"Rule": name}));
    let mut targets = list["Targets"].clone();
    edit(&mut targets[0]);
    let input = json!({"Rule": name, "Targets": targets});
    fleet.act(SPOKE, "events", "PutTargets", &input);
}

#[test]
fn a_forwarder_to_another_bus_is_found_and_restored() {
    let fleet = Fleet::deployed();
    retarget(&fleet, |target| {
        target["Arn"] = json!("arn:aws:events:eu-central-1:999999999999:event-bus/theirs");
    });
    fleet
        .drift(&["--only", "chain", "--deep"])
        .expect(5)
        .says("drift[chain::rule-changed]")
        .says("999999999999");
    fleet.names_and_restores("resource::modified", &["/Targets/0/Arn", "999999999999"]);
}

#[test]
fn a_forwarder_without_its_dead_letter_queue_is_found_and_restored() {
    let fleet = Fleet::deployed();
    retarget(&fleet, |target| {
        target
            .as_object_mut()
            .expect("a target")
            .remove("DeadLetterConfig");
    });
    fleet.names_and_restores("resource::modified", &["/Targets/0/DeadLetterConfig"]);
}

#[test]
fn a_detection_with_another_target_is_found_and_restored() {
    let fleet = Fleet::deployed();
    let rules = fleet.act(
        HUB,
        "events",
        "ListRules",
        &json!({"EventBusName": "gizmos"}),
    );
    let name = rules["Rules"][0]["Name"].clone();
    let input = json!({"Rule": name, "EventBusName": "gizmos"});
    let mut targets = fleet.act(HUB, "events", "ListTargetsByRule", &input)["Targets"].clone();
    targets[0]["InputTransformer"]["InputTemplate"] = json!("\"nothing\"");
    let input = json!({"Rule": name, "EventBusName": "gizmos", "Targets": targets});
    fleet.act(HUB, "events", "PutTargets", &input);
    fleet
        .drift(&["--only", "chain"])
        .expect(5)
        .says("drift[chain::rule-changed]")
        .says("/Targets");
    fleet.names_and_restores("resource::modified", &["InputTemplate"]);
}

const ALL_ACTIONS: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;

#[test]
fn a_policy_added_to_a_role_is_found_and_removed() {
    let fleet = Fleet::deployed();
    let role = fleet.forwarder_role();
    let input = json!({"RoleName": role, "PolicyName": "more", "PolicyDocument": ALL_ACTIONS});
    fleet.act(SPOKE, "iam", "PutRolePolicy", &input);
    fleet.names_and_restores("chain::role-policies", &["inline policy more"]);
    let arn = "arn:aws:iam::aws:policy/AdministratorAccess";
    let input = json!({"RoleName": role, "PolicyArn": arn});
    fleet.act(SPOKE, "iam", "AttachRolePolicy", &input);
    fleet.names_and_restores("chain::role-policies", &[arn]);
}

#[test]
fn a_policy_added_to_the_hubs_role_is_found_and_removed() {
    let fleet = Fleet::deployed();
    let input = json!({
        "RoleName": "gizmos-publisher", "PolicyName": "more", "PolicyDocument": ALL_ACTIONS,
    });
    fleet.act(HUB, "iam", "PutRolePolicy", &input);
    fleet.names_and_restores("chain::role-policies", &["gizmos-publisher", "more"]);
}

#[test]
fn a_changed_policy_of_a_role_is_found_and_restored() {
    let fleet = Fleet::deployed();
    let role = fleet.forwarder_role();
    let policy = "put-events-on-the-hub";
    let input = json!({"RoleName": role, "PolicyName": policy, "PolicyDocument": ALL_ACTIONS});
    fleet.act(SPOKE, "iam", "PutRolePolicy", &input);
    fleet.names_and_restores("resource::modified", &["/Policies/0/PolicyDocument"]);
}

#[test]
fn a_deleted_forwarder_role_is_found_and_restored() {
    for account in [SPOKE, MANAGEMENT] {
        let fleet = Fleet::deployed();
        let role = fleet.in_spoke(account, "AWS::IAM::Role", "ForwarderRole");
        let policy = json!({"RoleName": role, "PolicyName": "put-events-on-the-hub"});
        fleet.act(account, "iam", "DeleteRolePolicy", &policy);
        fleet.act(account, "iam", "DeleteRole", &json!({"RoleName": role}));
        fleet.names_and_restores("chain::role-missing", &[account, &role]);
    }
}

#[test]
fn a_changed_bus_policy_is_found_and_restored_although_cloudformation_cannot_read_it() {
    let fleet = Fleet::deployed();
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "Everybody", "Effect": "Allow", "Principal": "*", "Action": "events:PutEvents",
        "Resource": "arn:aws:events:eu-central-1:333344445555:event-bus/gizmos"}]});
    let input = json!({"EventBusName": "gizmos", "Policy": policy.to_string()});
    fleet.act(HUB, "events", "PutPermission", &input);
    fleet.names_and_restores("chain::bus-policy", &["Everybody"]);
}

#[test]
fn a_queue_that_refuses_dead_letters_is_found_and_restored() {
    let fleet = Fleet::deployed();
    let url = fleet.dead_letters();
    let input = json!({"QueueUrl": url, "Attributes": {"Policy": ""}});
    fleet.act(SPOKE, "sqs", "SetQueueAttributes", &input);
    fleet.names_and_restores("chain::queue-policy", &["may refuse dead letters"]);
}

#[test]
fn a_deleted_queue_is_found_and_restored() {
    let fleet = Fleet::deployed();
    let url = fleet.dead_letters();
    fleet.act(SPOKE, "sqs", "DeleteQueue", &json!({"QueueUrl": url}));
    fleet.names_and_restores("chain::queue-missing", &["the queue does not exist"]);
}

#[test]
fn dead_letters_are_found_and_read() {
    let fleet = Fleet::deployed();
    let url = fleet.dead_letters();
    let input = json!({"QueueUrl": url, "MessageBody": "lost"});
    fleet.act(SPOKE, "sqs", "SendMessage", &input);
    fleet.names_and_restores("chain::dead-letters", &["1 events could not be delivered"]);
}

#[test]
fn a_stopped_trail_is_found_and_started() {
    let fleet = Fleet::deployed();
    fleet.act(
        MANAGEMENT,
        "cloudtrail",
        "StopLogging",
        &json!({"Name": TRAIL}),
    );
    fleet.names_and_restores("chain::trail-stopped", &["cloudtrail start-logging"]);
}

#[test]
fn a_deleted_trail_is_found_and_restored() {
    let fleet = Fleet::deployed();
    fleet.act(
        MANAGEMENT,
        "cloudtrail",
        "DeleteTrail",
        &json!({"Name": TRAIL}),
    );
    // A deployment finds nothing to do: CloudFormation compares templates only.
    fleet
        .project
        .deploy(&fleet.organization)
        .expect(0)
        .says("Nothing to do");
    fleet.names_and_restores("chain::trail-missing", &["the trail does not exist"]);
}

#[test]
fn a_trail_that_records_less_is_found_and_restored() {
    let advanced = |field: &str, values: Value| {
        json!({"TrailName": TRAIL, "AdvancedEventSelectors": [{"FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Management"]},
            {"Field": field, "Equals": values}]}]})
    };
    let basic = |selector: Value| json!({"TrailName": TRAIL, "EventSelectors": [selector]});
    for (selectors, missing) in [
        (
            basic(json!({"ReadWriteType": "ReadOnly", "IncludeManagementEvents": true})),
            "all management events that change something",
        ),
        (
            basic(json!({"ReadWriteType": "All", "IncludeManagementEvents": false})),
            "all management events",
        ),
        (
            basic(json!({"ExcludeManagementEventSources": ["kms.amazonaws.com"]})),
            "events of kms.amazonaws.com",
        ),
        (
            advanced("readOnly", json!(["true"])),
            "all management events that change something",
        ),
    ] {
        let fleet = Fleet::deployed();
        fleet.act(MANAGEMENT, "cloudtrail", "PutEventSelectors", &selectors);
        let target = fleet.organization.argument();
        fleet
            .project
            .run(&["verify", "--org", &target])
            .says("event selectors leave out");
        fleet.names_and_restores("chain::trail-events", &[missing]);
    }
}

#[test]
fn a_trail_without_the_buckets_key_is_found_and_restored() {
    let fleet = Fleet::deployed();
    let trail = fleet.act(
        MANAGEMENT,
        "cloudtrail",
        "GetTrail",
        &json!({"Name": "gizmos"}),
    );
    let key = trail["Trail"]["KmsKeyId"].as_str().expect("a key");
    assert!(
        key.starts_with("arn:aws:kms:eu-central-1:222233334444:key/"),
        "{key}"
    );
    let input = json!({"Name": TRAIL, "KmsKeyId": ""});
    fleet.act(MANAGEMENT, "cloudtrail", "UpdateTrail", &input);
    fleet.names_and_restores("chain::trail-key", &["not encrypted with the bucket's key"]);
}

#[test]
fn a_deleted_topic_is_found_and_restored() {
    let fleet = Fleet::deployed();
    let topic = format!("arn:aws:sns:{HOME}:{HUB}:gizmos-alerts");
    fleet.act(HUB, "sns", "DeleteTopic", &json!({"TopicArn": topic}));
    fleet.names_and_restores("chain::topic-missing", &["the topic does not exist"]);
}

/// The ARN of a topic's only subscription.
fn subscription(fleet: &Fleet, topic: &str) -> Value {
    let input = json!({"TopicArn": topic});
    let list = fleet.act(HUB, "sns", "ListSubscriptionsByTopic", &input);
    list["Subscriptions"][0]["SubscriptionArn"].clone()
}

#[test]
fn a_removed_subscription_is_found_and_restored() {
    let fleet = Fleet::deployed();
    let topic = format!("arn:aws:sns:{HOME}:{HUB}:gizmos-alerts");
    let input = json!({"SubscriptionArn": subscription(&fleet, &topic)});
    fleet.act(HUB, "sns", "Unsubscribe", &input);
    fleet.names_and_restores("chain::subscription-missing", &["security@example.com"]);
}

#[test]
fn an_unexpected_subscription_is_found_and_removed() {
    let fleet = Fleet::deployed();
    let topic = format!("arn:aws:sns:{HOME}:{HUB}:gizmos-alerts");
    let input = json!({"TopicArn": topic, "Protocol": "email", "Endpoint": "other@example.com"});
    fleet.act(HUB, "sns", "Subscribe", &input);
    fleet.organization.advance(600);
    fleet.names_and_restores("chain::subscription-unexpected", &["other@example.com"]);
}

#[test]
fn a_stack_that_was_updated_directly_is_found_and_restored() {
    let fleet = Fleet::deployed();
    let (name, _) = fleet.stack(SPOKE, "gizmos-rules-spoke");
    let input = json!({
        "StackName": name, "UsePreviousTemplate": true, "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Parameters": [{
            "ParameterKey": "HubBusArn",
            "ParameterValue": "arn:aws:events:eu-central-1:999999999999:event-bus/theirs"}]});
    fleet.act(SPOKE, "cloudformation", "UpdateStack", &input);
    fleet.organization.advance(600);
    fleet.names_and_restores("stack::parameters", &["999999999999"]);
}

#[test]
fn a_stack_that_was_deleted_directly_is_found_and_restored() {
    let fleet = Fleet::deployed();
    let (name, _) = fleet.stack(SPOKE, "gizmos-rules-spoke");
    fleet.act(
        SPOKE,
        "cloudformation",
        "DeleteStack",
        &json!({"StackName": name}),
    );
    fleet.organization.advance(600);
    fleet.names_and_restores("stack::gone", &[SPOKE]);
}
