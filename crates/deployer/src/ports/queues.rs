//! Messages in queues.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, SystemTime};

use super::{CloudError, Location};

/// A received message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueMessage {
    /// Deletes the message.
    pub receipt: String,
    /// As sent; anybody who may send to the queue wrote it.
    pub body: String,
    /// String attributes, such as a dead letter's `ERROR_CODE`.
    pub attributes: BTreeMap<String, String>,
    /// When it was sent, if the queue says so.
    pub sent: Option<SystemTime>,
}

/// Receives and deletes messages.
///
/// AWS: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html>
pub trait Queues {
    /// The URL of a queue; `None` if it doesn't exist.
    fn queue_url(
        &self,
        location: &Location,
        name: &str,
    ) -> impl Future<Output = Result<Option<String>, CloudError>> + Send;

    /// Receives up to ten messages, and waits up to `wait` for the first. No other receiver gets
    /// them for the time `hidden`; afterward they are back unless they were deleted.
    fn receive_messages(
        &self,
        location: &Location,
        url: &str,
        wait: Duration,
        hidden: Duration,
    ) -> impl Future<Output = Result<Vec<QueueMessage>, CloudError>> + Send;

    /// Deletes up to ten messages by their receipts.
    fn delete_messages(
        &self,
        location: &Location,
        url: &str,
        receipts: &[String],
    ) -> impl Future<Output = Result<(), CloudError>> + Send;
}
