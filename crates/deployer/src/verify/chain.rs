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
    /// What went wrong.
    pub message: String,
}

/// How a hop of an event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HopOutcome {
    /// It passed.
    Ok,
    /// It ended here, rightly or not: no rule matched, no subscription.
    Dropped,
    /// A policy refused it.
    Denied,
    /// It couldn't be delivered.
    Failed,
}

/// One link of the chain that an event reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// The link in words: `rule root-user-activity on bus gizmos`.
    pub link: String,
    /// How it ended.
    pub outcome: HopOutcome,
    /// More about it.
    #[serde(default)]
    pub detail: Option<String>,
}

/// An alert as it arrived.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Delivery {
    /// Which topic sent it.
    pub topic_arn: String,
    /// `email`, `https`, `sqs`.
    pub protocol: String,
    /// Address, URL or ARN.
    pub endpoint: String,
    /// The text.
    pub body: String,
}

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The id it was given.
    pub event_id: String,
    /// The event as the service emitted it, with the account, Region, time and id it was given.
    /// Missing if the chain doesn't report it; then only account, Region and id are known.
    #[serde(default)]
    pub event: Option<Value>,
    /// Every link it reached.
    pub hops: Vec<Hop>,
    /// Every alert it led to.
    pub deliveries: Vec<Delivery>,
}

/// A virtual machine that a response rule acts on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestInstance {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// `i-…`
    pub instance_id: String,
    /// `stopped`, `running`, …
    pub state: String,
    /// Tags by key.
    pub tags: BTreeMap<String, String>,
}

/// Sends events through the deployed chain and looks at what comes out. The simulator has it; AWS
/// can't, since only AWS itself may emit events of `aws.*` sources.
pub trait Chain {
    /// Has the service emit an event in that location and follows it to its end.
    fn send(
        &self,
        location: &Location,
        event: &Value,
    ) -> impl Future<Output = Result<Trace, ChainError>> + Send;

    /// Creates or replaces a virtual machine.
    fn put_instance(
        &self,
        instance: &TestInstance,
    ) -> impl Future<Output = Result<(), ChainError>> + Send;

    /// The virtual machines of a location.
    fn instances(
        &self,
        location: &Location,
    ) -> impl Future<Output = Result<Vec<TestInstance>, ChainError>> + Send;

    /// Takes what these events have left in dead-letter queues out of them.
    fn discard_dead_letters(
        &self,
        events: &[String],
    ) -> impl Future<Output = Result<(), ChainError>> + Send;

    /// Lets time pass, so that responses come to their end.
    fn pause(&self, duration: Duration) -> impl Future<Output = Result<(), ChainError>> + Send;
}
