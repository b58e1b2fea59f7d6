//! Whether the links of the alert chain work.

use std::future::Future;

use serde::Serialize;
use serde_json::Value;

use super::{CloudError, Location};

/// A subscription of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Subscription {
    /// `email`, `https`, `sqs`, …
    pub protocol: String,
    /// Address, URL or ARN.
    pub endpoint: String,
    /// Whether messages are delivered to it.
    pub confirmed: bool,
}

/// A trail's settings and state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrailStatus {
    /// Whether it records at all.
    pub logging: bool,
    /// Whether it records every Region.
    pub multi_region: bool,
    /// Whether it records every account of the organization.
    pub organization: bool,
    /// Whether tampering with log files can be proven.
    pub log_file_validation: bool,
    /// What went wrong at the latest delivery to the bucket, if anything.
    pub delivery_error: Option<String>,
}

/// A trail in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrailSummary {
    /// Its name.
    pub name: String,
    /// Whether it records every account of the organization.
    pub organization: bool,
    /// The Region in which it was made.
    pub home_region: String,
}

/// Reading the state of topics, trails, queues, buses and roles.
///
/// AWS: [SNS](https://docs.aws.amazon.com/sns/latest/api/welcome.html),
/// [CloudTrail](https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/Welcome.html),
/// [SQS](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html),
/// [EventBridge](https://docs.aws.amazon.com/eventbridge/latest/APIReference/Welcome.html),
/// [IAM](https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html)
pub trait Health {
    /// Every subscription of a topic; `None` if there is no such topic.
    fn subscriptions(
        &self,
        location: &Location,
        topic: &str,
    ) -> impl Future<Output = Result<Option<Vec<Subscription>>, CloudError>> + Send;

    /// A trail by name; `None` if there is none.
    fn trail_status(
        &self,
        location: &Location,
        trail: &str,
    ) -> impl Future<Output = Result<Option<TrailStatus>, CloudError>> + Send;

    /// Every trail that records in this location, wherever it was made.
    fn trails(
        &self,
        location: &Location,
    ) -> impl Future<Output = Result<Vec<TrailSummary>, CloudError>> + Send;

    /// How many messages a queue holds, by its name or URL; `None` if there is no such queue.
    fn queue_depth(
        &self,
        location: &Location,
        queue: &str,
    ) -> impl Future<Output = Result<Option<u64>, CloudError>> + Send;

    /// The resource policy of an event bus; `None` if there is no such bus, `Null` if it has no
    /// policy.
    fn bus_policy(
        &self,
        location: &Location,
        bus: &str,
    ) -> impl Future<Output = Result<Option<Value>, CloudError>> + Send;

    /// Names of an account's roles under a path, `/gizmos/`. IAM has no Regions: any will do.
    fn role_names(
        &self,
        location: &Location,
        path: &str,
    ) -> impl Future<Output = Result<Vec<String>, CloudError>> + Send;
}
