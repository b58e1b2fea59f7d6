//! Events of our own, and the rules that send to a target.

use std::future::Future;

use serde_json::Value;

use super::{CloudError, Location};

/// An event for a default bus. EventBridge adds account, Region, time and id.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomEvent {
    /// Must not begin with `aws.`.
    pub source: &'static str,
    /// At most 128 characters.
    pub detail_type: &'static str,
    /// A JSON object.
    pub detail: Value,
}

/// Finds rules by target, and puts events.
///
/// AWS: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/Welcome.html>
pub trait Events {
    /// The names of a bus's rules that have this target.
    fn rule_names_by_target(
        &self,
        location: &Location,
        bus: &str,
        target: &str,
    ) -> impl Future<Output = Result<Vec<String>, CloudError>> + Send;

    /// Puts one event on a default bus. An entry that the bus refused is an error, although the
    /// call itself succeeds then.
    fn put_event(
        &self,
        location: &Location,
        event: &CustomEvent,
    ) -> impl Future<Output = Result<(), CloudError>> + Send;
}
