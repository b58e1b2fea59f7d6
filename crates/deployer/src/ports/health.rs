//! Reads the state of the alert chain's links.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::{CloudError, Location};

/// A subscription to a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Subscription {
    /// `email`, `https`, `sqs`, …
    pub protocol: String,
    /// The e-mail address, URL or ARN that receives messages.
    pub endpoint: String,
    /// Whether the owner has confirmed it; until then SNS delivers nothing.
    pub confirmed: bool,
    /// `None` until it is confirmed.
    pub arn: Option<String>,
}

/// What decides which messages a topic takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TopicSettings {
    /// The topic's policy; `Null` if SNS lists none.
    pub policy: Value,
    /// The key that encrypts its messages, as SNS lists it.
    pub key: Option<String>,
    /// How HTTPS endpoints are retried and throttled, as JSON text.
    pub delivery_policy: Option<String>,
}

/// A KMS key's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyState {
    /// The key's ARN, also if the call named an alias.
    pub arn: String,
    /// Only an `Enabled` key encrypts.
    pub state: String,
    /// As its creator wrote it.
    pub description: String,
}

/// What decides which events a bus takes, and where refused ones go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BusSettings {
    /// The resource policy; `Null` if it has none.
    pub policy: Value,
    /// ARN of the queue for events that the bus can't take.
    pub dead_letters: Option<String>,
    /// The key that encrypts its events, if not AWS's own.
    pub key: Option<String>,
}

/// What decides which messages a subscription passes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubscriptionSettings {
    /// As JSON text.
    pub filter_policy: Option<String>,
    /// Whether a queue gets the message alone, without SNS's envelope.
    pub raw: bool,
    /// ARN of the queue for messages that could not be delivered.
    pub dead_letters: Option<String>,
    /// How an HTTPS endpoint is retried and throttled, as JSON text.
    pub delivery_policy: Option<String>,
}

/// A trail's settings and state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrailStatus {
    /// The trail's ARN.
    pub arn: String,
    /// ARN of the key that encrypts the log files; `None` if they have S3's encryption only.
    pub key: Option<String>,
    /// The bucket with its log files.
    pub bucket: Option<String>,
    /// Which events it records.
    pub selectors: EventSelectors,
    /// Whether logging is on.
    pub logging: bool,
    /// Whether it is a multi-Region trail.
    pub multi_region: bool,
    /// Whether it records the events of global services.
    pub global_services: bool,
    /// Whether it is an organization trail.
    pub organization: bool,
    /// Whether log file validation is on, so that changes to log files can be detected.
    pub log_file_validation: bool,
    /// CloudTrail's error code of the latest delivery, if that failed.
    pub delivery_error: Option<String>,
}

/// A trail's event selectors; both lists are empty if it has none, so that it records all management
/// events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EventSelectors {
    /// Basic selectors; an event is recorded if one of them includes it.
    pub basic: Vec<BasicSelector>,
    /// Advanced selectors; an event is recorded if it satisfies all fields of one of them.
    pub advanced: Vec<Vec<FieldSelector>>,
}

/// A basic event selector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BasicSelector {
    /// `All`, `ReadOnly` or `WriteOnly`.
    pub read_write_type: String,
    /// Whether it includes management events.
    pub management_events: bool,
    /// Services whose management events it leaves out, such as `kms.amazonaws.com`.
    pub excluded_sources: Vec<String>,
}

/// A field of an advanced event selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FieldSelector {
    /// Such as `eventCategory` or `readOnly`.
    pub field: String,
    /// The values of the operator `Equals`.
    pub equals: Vec<String>,
    /// The values of the operator `NotEquals`.
    pub not_equals: Vec<String>,
    /// Whether it has any other operator.
    pub others: bool,
}

/// A queue's state and the settings that decide whether it accepts dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QueueState {
    /// Messages, including those that are being read.
    pub messages: u64,
    /// The queue's resource policy, if it has one.
    pub policy: Option<Value>,
    /// The other attributes that decide what it takes and keeps, as SQS lists them, such as
    /// `MessageRetentionPeriod`.
    pub attributes: BTreeMap<String, String>,
}

/// A rule of an event bus, as EventBridge lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventRule {
    /// Unique on the bus.
    pub name: String,
    /// `ENABLED`, `DISABLED` or `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`.
    pub state: String,
    /// `None` for a scheduled rule. Rules with the same pattern may share it.
    pub pattern: Option<Arc<Value>>,
}

/// A role with its policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoleDetails {
    /// Unique in the account.
    pub name: String,
    /// Such as `/gizmos/`.
    pub path: String,
    /// Inline policies by name.
    pub inline: BTreeMap<String, Value>,
    /// ARNs of the attached managed policies.
    pub attached: Vec<String>,
    /// Who may assume it.
    pub trust: Value,
    /// ARN of the policy that limits its permissions.
    pub boundary: Option<String>,
}

/// A trail in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrailSummary {
    /// Unique in the trail's home Region.
    pub name: String,
    /// The trail's ARN, with the account that owns it and the home Region.
    pub arn: String,
    /// The bucket with its log files.
    pub bucket: Option<String>,
    /// Whether it is a multi-Region trail.
    pub multi_region: bool,
    /// Whether it is an organization trail.
    pub organization: bool,
    /// The Region in which the trail was created.
    pub home_region: String,
}

/// Reads topics, trails, queues, event buses and roles.
///
/// AWS: [SNS](https://docs.aws.amazon.com/sns/latest/api/welcome.html),
/// [CloudTrail](https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/Welcome.html),
/// [SQS](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html),
/// [EventBridge](https://docs.aws.amazon.com/eventbridge/latest/APIReference/Welcome.html),
/// [IAM](https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html)
pub trait Health {
    /// Every subscription of a topic; `None` if the topic doesn't exist.
    fn subscriptions(
        &self,
        location: &Location,
        topic: &str,
    ) -> impl Future<Output = Result<Option<Vec<Subscription>>, CloudError>> + Send;

    /// A topic's settings; `None` if it doesn't exist.
    fn topic_settings(
        &self,
        location: &Location,
        topic: &str,
    ) -> impl Future<Output = Result<Option<TopicSettings>, CloudError>> + Send;

    /// A topic's data protection policy; `None` if it has none. A topic that doesn't exist has none
    /// either.
    fn data_protection(
        &self,
        location: &Location,
        topic: &str,
    ) -> impl Future<Output = Result<Option<Value>, CloudError>> + Send;

    /// The state of a KMS key given by id or ARN; `None` if the key doesn't exist.
    fn key_state(
        &self,
        location: &Location,
        key: &str,
    ) -> impl Future<Output = Result<Option<KeyState>, CloudError>> + Send;

    /// An alarm's properties with the names of a template; `None` if the alarm doesn't exist.
    fn alarm(
        &self,
        location: &Location,
        name: &str,
    ) -> impl Future<Output = Result<Option<Value>, CloudError>> + Send;

    /// The policy of a KMS key given by id or ARN; `None` if the key doesn't exist.
    fn key_policy(
        &self,
        location: &Location,
        key: &str,
    ) -> impl Future<Output = Result<Option<Value>, CloudError>> + Send;

    /// A subscription's settings.
    fn subscription_settings(
        &self,
        location: &Location,
        subscription: &str,
    ) -> impl Future<Output = Result<SubscriptionSettings, CloudError>> + Send;

    /// A trail by name or ARN, in its home Region; `None` if it doesn't exist.
    fn trail_status(
        &self,
        location: &Location,
        trail: &str,
    ) -> impl Future<Output = Result<Option<TrailStatus>, CloudError>> + Send;

    /// Whether a trail, by its ARN, logs in this location; `None` if there is no such trail.
    fn trail_logs(
        &self,
        location: &Location,
        arn: &str,
    ) -> impl Future<Output = Result<Option<bool>, CloudError>> + Send;

    /// Every trail that records in this location, including trails created in other Regions.
    fn trails(
        &self,
        location: &Location,
    ) -> impl Future<Output = Result<Vec<TrailSummary>, CloudError>> + Send;

    /// A queue given by name or URL; `None` if it doesn't exist.
    fn queue(
        &self,
        location: &Location,
        queue: &str,
    ) -> impl Future<Output = Result<Option<QueueState>, CloudError>> + Send;

    /// The rules of a bus whose names begin with `prefix`; `None` if the bus doesn't exist.
    fn event_rules(
        &self,
        location: &Location,
        bus: &str,
        prefix: &str,
    ) -> impl Future<Output = Result<Option<Vec<EventRule>>, CloudError>> + Send;

    /// The targets of a rule with the property names of a template; `None` if the rule doesn't
    /// exist.
    fn rule_targets(
        &self,
        location: &Location,
        bus: &str,
        rule: &str,
    ) -> impl Future<Output = Result<Option<Vec<Value>>, CloudError>> + Send;

    /// The settings of an event bus; `None` if it doesn't exist.
    fn bus(
        &self,
        location: &Location,
        bus: &str,
    ) -> impl Future<Output = Result<Option<BusSettings>, CloudError>> + Send;

    /// An account's roles whose path begins with `path`, with their policies. IAM is global, so any
    /// Region will do.
    fn roles(
        &self,
        location: &Location,
        path: &str,
    ) -> impl Future<Output = Result<Vec<RoleDetails>, CloudError>> + Send;
}
