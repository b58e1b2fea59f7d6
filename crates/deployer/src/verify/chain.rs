//! The port through which test events enter the deployed chain.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ports::Location;

/// The chain could not be reached.
#[derive(Clone, Debug, thiserror::Error, Serialize)]
#[error("{message}")]
pub struct ChainError {
    /// A clause without a full stop.
    pub message: String,
}

/// How the chain handled an event at one hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HopOutcome {
    /// The event passed.
    Ok,
    /// The event ended here, correctly or not: no rule matched, or there was no subscription.
    Dropped,
    /// A policy denied it.
    Denied,
    /// It could not be delivered.
    Failed,
}

/// A link of the chain that an event reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// The link in words: `rule root-user-activity on bus gizmos`.
    pub link: String,
    /// Whether the event passed this link.
    pub outcome: HopOutcome,
    /// Additional information, such as the denying policy.
    #[serde(default)]
    pub detail: Option<String>,
}

/// A delivered alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Delivery {
    /// ARN of the topic that sent it.
    pub topic_arn: String,
    /// Such as `email`, `https` or `sqs`.
    pub protocol: String,
    /// The e-mail address, URL or ARN that received it.
    pub endpoint: String,
    /// The message as delivered.
    pub body: String,
}

/// The path of one event through the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Id assigned to the event.
    pub event_id: String,
    /// The event as emitted, with the account, Region, time and id it was assigned. `None` if the
    /// chain doesn't report it; then only account, Region and id are known.
    #[serde(default)]
    pub event: Option<Value>,
    /// Every link the event reached, in order.
    pub hops: Vec<Hop>,
    /// Every alert the event caused.
    pub deliveries: Vec<Delivery>,
}

/// An EC2 instance for testing response rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestInstance {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// Unique in the Region, `i-…`.
    pub instance_id: String,
    /// Such as `stopped` or `running`.
    pub state: String,
    /// Tags by key.
    pub tags: BTreeMap<String, String>,
}

/// Sends events through the deployed chain and observes the results. Only the simulator implements
/// it, because only AWS itself can emit events of `aws.*` sources.
pub trait Chain {
    /// Has the service emit an event in the location, and follows it to its end.
    fn send(
        &self,
        location: &Location,
        event: &Value,
    ) -> impl Future<Output = Result<Trace, ChainError>> + Send;

    /// Creates or replaces an EC2 instance.
    fn put_instance(
        &self,
        instance: &TestInstance,
    ) -> impl Future<Output = Result<(), ChainError>> + Send;

    /// The EC2 instances in a location.
    fn instances(
        &self,
        location: &Location,
    ) -> impl Future<Output = Result<Vec<TestInstance>, ChainError>> + Send;

    /// Removes the messages that these events left in dead-letter queues.
    fn discard_dead_letters(
        &self,
        events: &[String],
    ) -> impl Future<Output = Result<(), ChainError>> + Send;

    /// Lets time pass, so that responses can finish.
    fn pause(&self, duration: Duration) -> impl Future<Output = Result<(), ChainError>> + Send;
}
