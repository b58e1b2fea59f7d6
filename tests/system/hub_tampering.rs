//! Changes in the hub that CloudFormation doesn't see, or not all of: one call each, by somebody with
//! rights there. `drift` and `verify` name every one; the remedy is run as printed, and it is gone.

use serde_json::{Value, json};
use tests::{HOME, HUB};

use crate::drift_truth::{Fleet, SPOKE};

fn topic(name: &str) -> String {
    format!("arn:aws:sns:{HOME}:{HUB}:{name}")
}

impl Fleet {
    fn in_hub(&self, service: &str, action: &str, input: &Value) -> Value {
        self.act(HUB, service, action, input)
    }

    /// The key that encrypts a topic or queue.
    fn key_of(&self, name: &str) -> String {
        let list = self.in_hub("kms", "ListKeys", &json!({}));
        let keys = list["Keys"].as_array().cloned().unwrap_or_default();
        let arns = keys.iter().filter_map(|key| key["KeyArn"].as_str());
        let mut arns = arns.filter(|arn| {
            let input = json!({ "KeyId": arn });
            let key = self.in_hub("kms", "DescribeKey", &input);
            key["KeyMetadata"]["Description"] == format!("{name} of Gizmos")
        });
        arns.next().expect("a key").to_owned()
    }

    /// The ARN of the first subscription to a topic.
    fn subscription(&self, name: &str) -> String {
        let input = json!({"TopicArn": topic(name)});
        let list = self.in_hub("sns", "ListSubscriptionsByTopic", &input);
        let arn = list["Subscriptions"][0]["SubscriptionArn"].as_str();
        arn.expect("a subscription").to_owned()
    }

    /// Both name it; what `drift` prints restores it.
    #[track_caller]
    fn is_noticed(&self, code: &str, texts: &[&str]) {
        let target = self.organization.argument();
        let mut run = self.project.run(&["verify", "--org", &target]).expect(1);
        for text in texts {
            run = run.says(text);
        }
        self.names_and_restores(code, texts);
    }
}

#[test]
fn a_disabled_key_is_noticed_and_enabled() {
    let fleet = Fleet::deployed();
    for name in ["Alerts", "Dead letters", "Alarms"] {
        let key = fleet.key_of(name);
        fleet.in_hub("kms", "DisableKey", &json!({ "KeyId": key }));
        fleet.is_noticed("chain::key-state", &[&key, "the key is Disabled"]);
    }
}

#[test]
fn a_key_that_will_be_deleted_is_noticed_and_kept() {
    let fleet = Fleet::deployed();
    let key = fleet.key_of("Alerts");
    let input = json!({"KeyId": key, "PendingWindowInDays": 7});
    fleet.in_hub("kms", "ScheduleKeyDeletion", &input);
    fleet.is_noticed("chain::key-state", &[&key, "the key is PendingDeletion"]);
}

#[test]
fn a_key_policy_that_denies_is_noticed_and_restored() {
    let fleet = Fleet::deployed();
    for name in ["Alerts", "Dead letters", "Alarms"] {
        let key = fleet.key_of(name);
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Sid": "Root", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
             "Principal": {"AWS": format!("arn:aws:iam::{HUB}:root")}},
            {"Sid": "NobodyEncrypts", "Effect": "Deny", "Action": "kms:GenerateDataKey*",
             "Resource": "*", "Principal": {"AWS": "*"}}]});
        let input = json!({"KeyId": key, "PolicyName": "default", "Policy": policy.to_string()});
        fleet.in_hub("kms", "PutKeyPolicy", &input);
        fleet.is_noticed("chain::key-policy", &["NobodyEncrypts"]);
    }
}

#[test]
fn a_filter_policy_is_noticed_and_removed() {
    let fleet = Fleet::deployed();
    for name in ["gizmos-alerts", "gizmos-dead-letter-alarms"] {
        let input = json!({
            "SubscriptionArn": fleet.subscription(name), "AttributeName": "FilterPolicy",
            "AttributeValue": r#"{"kind": ["never"]}"#});
        fleet.in_hub("sns", "SetSubscriptionAttributes", &input);
        fleet.is_noticed(
            "chain::subscription-filter",
            &[name, "a filter policy withholds"],
        );
    }
}

#[test]
fn other_settings_of_a_subscription_are_noticed_and_restored() {
    let fleet = Fleet::deployed();
    let redrive = json!({"deadLetterTargetArn": format!("arn:aws:sqs:{HOME}:{HUB}:other")});
    let throttle = json!({"throttlePolicy": {"maxReceivesPerSecond": 1}});
    for (name, value, text) in [
        (
            "RawMessageDelivery",
            "true".to_owned(),
            "raw message delivery",
        ),
        (
            "RedrivePolicy",
            redrive.to_string(),
            "its dead-letter queue",
        ),
        (
            "DeliveryPolicy",
            throttle.to_string(),
            "maxReceivesPerSecond",
        ),
    ] {
        let input = json!({
            "SubscriptionArn": fleet.subscription("gizmos-alerts"), "AttributeName": name,
            "AttributeValue": value});
        fleet.in_hub("sns", "SetSubscriptionAttributes", &input);
        fleet.is_noticed("chain::subscription-settings", &[text]);
    }
}

#[test]
fn a_data_protection_policy_is_noticed_and_removed() {
    let fleet = Fleet::deployed();
    let policy = json!({"Name": "silence", "Version": "2021-06-01", "Statement": [{
        "Sid": "NoAlerts", "DataDirection": "Inbound", "Principal": ["*"],
        "DataIdentifier": ["arn:aws:dataprotection::aws:data-identifier/IpAddress"],
        "Operation": {"Deny": {}}}]});
    let input =
        json!({"ResourceArn": topic("gizmos-alerts"), "DataProtectionPolicy": policy.to_string()});
    fleet.in_hub("sns", "PutDataProtectionPolicy", &input);
    fleet.is_noticed("chain::data-protection", &["gizmos-alerts", "NoAlerts"]);
}

#[test]
fn a_topics_policy_key_and_delivery_policy_are_noticed_and_restored() {
    let fleet = Fleet::deployed();
    let arn = topic("gizmos-alerts");
    let set = |name: &str, value: &str| {
        let input = json!({"TopicArn": arn, "AttributeName": name, "AttributeValue": value});
        fleet.in_hub("sns", "SetTopicAttributes", &input);
    };
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Sid": "Nobody",
        "Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": arn}]});
    set("Policy", &policy.to_string());
    fleet.is_noticed("chain::topic-policy", &["Nobody"]);
    set("KmsMasterKeyId", &fleet.key_of("Dead letters"));
    fleet.is_noticed("chain::topic-settings", &["another key"]);
    set(
        "DeliveryPolicy",
        r#"{"http": {"disableSubscriptionOverrides": true}}"#,
    );
    fleet.is_noticed("chain::topic-settings", &["disableSubscriptionOverrides"]);
}

#[test]
fn a_queue_that_refuses_or_forgets_dead_letters_is_noticed_and_restored() {
    let fleet = Fleet::deployed();
    let hub = format!("https://sqs.{HOME}.amazonaws.com/{HUB}/gizmos-dead-letters");
    for (account, url) in [(HUB, hub), (SPOKE, fleet.dead_letters())] {
        for (name, value) in [
            ("MaximumMessageSize", "1024"),
            ("MessageRetentionPeriod", "60"),
            ("DelaySeconds", "900"),
        ] {
            let mut attributes = serde_json::Map::new();
            attributes.insert(name.to_owned(), json!(value));
            let input = json!({"QueueUrl": url, "Attributes": attributes});
            fleet.act(account, "sqs", "SetQueueAttributes", &input);
            fleet.names_and_restores("chain::queue-settings", &[name, value]);
        }
    }
}

#[test]
fn a_boundary_or_managed_policy_that_denies_is_noticed_and_removed() {
    let fleet = Fleet::deployed();
    let deny = "arn:aws:iam::aws:policy/AWSDenyAll";
    for (account, role) in [
        (HUB, "gizmos-publisher".to_owned()),
        (SPOKE, fleet.forwarder_role()),
    ] {
        let input = json!({"RoleName": role, "PermissionsBoundary": deny});
        fleet.act(account, "iam", "PutRolePermissionsBoundary", &input);
        let texts: &[&str] = &["permissions boundary", deny];
        if account == HUB {
            fleet.is_noticed("chain::role-policies", texts);
        } else {
            fleet.names_and_restores("chain::role-policies", texts);
        }
        let input = json!({"RoleName": role, "PolicyArn": deny});
        fleet.act(account, "iam", "AttachRolePolicy", &input);
        fleet.names_and_restores("chain::role-policies", &["managed policy", deny]);
    }
}

#[test]
fn a_role_that_others_may_assume_is_noticed_and_restored() {
    let fleet = Fleet::deployed();
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:root"},
        "Action": "sts:AssumeRole"}]});
    let input = json!({"RoleName": "gizmos-publisher", "PolicyDocument": trust.to_string()});
    fleet.in_hub("iam", "UpdateAssumeRolePolicy", &input);
    fleet
        .drift(&["--only", "chain"])
        .expect(5)
        .says("drift[chain::role-policies]")
        .says("another trust policy");
    fleet.names_and_restores("resource::modified", &["AssumeRolePolicyDocument"]);
}

#[test]
fn a_foreign_rule_on_the_hubs_bus_is_noticed_and_removed() {
    let fleet = Fleet::deployed();
    let input = json!({"Name": "forger", "EventBusName": "gizmos", "State": "ENABLED",
        "EventPattern": json!({"source": ["anything"]}).to_string()});
    fleet.in_hub("events", "PutRule", &input);
    let input = json!({"Rule": "forger", "EventBusName": "gizmos", "Targets": [{
        "Id": "alerts", "Arn": topic("gizmos-alerts"), "Input": "\"All is well\"",
        "RoleArn": format!("arn:aws:iam::{HUB}:role/gizmos-hub/gizmos-publisher")}]});
    fleet.in_hub("events", "PutTargets", &input);
    fleet.is_noticed(
        "chain::rule-unexpected",
        &["rule forger", "forged alerts", "gizmos-alerts"],
    );
}

#[test]
fn a_second_target_of_a_detection_is_noticed_and_removed() {
    let fleet = Fleet::deployed();
    let input = json!({"Rule": "root-user-activity", "EventBusName": "gizmos", "Targets": [{
        "Id": "copy", "Arn": format!("arn:aws:events:{HOME}:999999999999:event-bus/theirs"),
        "RoleArn": format!("arn:aws:iam::{HUB}:role/gizmos-hub/gizmos-publisher")}]});
    fleet.in_hub("events", "PutTargets", &input);
    let target = fleet.organization.argument();
    let run = fleet.project.run(&["verify", "--org", &target]);
    run.expect(1).says("999999999999");
    fleet.names_and_restores("resource::modified", &["/Targets/1", "999999999999"]);
}

#[test]
fn an_alarm_that_tells_nobody_is_noticed_and_restored() {
    let fleet = Fleet::deployed();
    let input = json!({"AlarmNames": ["gizmos-dead-letters"]});
    fleet.in_hub("monitoring", "DisableAlarmActions", &input);
    fleet.is_noticed("chain::alarm-changed", &["actions are disabled"]);
    fleet.in_hub("monitoring", "DeleteAlarms", &input);
    fleet.is_noticed("chain::alarm-missing", &["gizmos-dead-letters"]);
}

/// The topics of people take nothing from alarms any more, and the topic of the alarm takes nothing
/// from another one.
#[test]
fn only_the_alarm_on_dead_letters_may_publish() {
    let fleet = Fleet::deployed();
    for (name, publishers) in [("gizmos-alerts", 0), ("gizmos-dead-letter-alarms", 1)] {
        let input = json!({"TopicArn": topic(name)});
        let answer = fleet.in_hub("sns", "GetTopicAttributes", &input);
        let policy = answer["Attributes"]["Policy"].as_str().expect("a policy");
        let policy: Value = serde_json::from_str(policy).expect("JSON");
        let statements = policy["Statement"].as_array().expect("statements");
        let of_alarms = statements
            .iter()
            .filter(|it| it["Principal"]["Service"] == "cloudwatch.amazonaws.com");
        let arns: Vec<&Value> = of_alarms
            .map(|it| &it["Condition"]["ArnLike"]["aws:SourceArn"])
            .collect();
        assert_eq!(arns.len(), publishers, "{policy:#}");
        for arn in arns {
            let alarm = format!("arn:aws:cloudwatch:{HOME}:{HUB}:alarm:gizmos-dead-letters");
            assert_eq!(*arn, alarm);
        }
    }
}
