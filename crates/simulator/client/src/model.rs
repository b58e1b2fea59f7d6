//! The types of the API's JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Call counts of the simulated AWS APIs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Calls {
    /// Mutating calls, refused ones included.
    pub mutating: u64,
    /// Read-only calls, refused ones included.
    pub reading: u64,
    /// Keyed by `service:Action`: `sns:CreateTopic`.
    pub by_action: BTreeMap<String, u64>,
}

/// An account of the simulated organization.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// The account name in AWS Organizations.
    pub name: String,
}

/// The accounts with a dedicated role in the organization.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Organization {
    /// The management account, twelve digits.
    pub management: String,
    /// The log archive account, twelve digits.
    pub log_archive: String,
    /// The security account, twelve digits.
    pub security: String,
}

/// The accounts and Regions of the simulated organization.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct State {
    /// Accounts with a dedicated role.
    pub organization: Organization,
    /// All accounts, including those with a dedicated role.
    pub accounts: Vec<Account>,
    /// The Regions that exist; the first is the home Region.
    pub regions: Vec<String>,
}

impl State {
    /// The first account without a dedicated role, if any.
    pub fn workload(&self) -> Option<&str> {
        let parts = [
            &self.organization.management,
            &self.organization.log_archive,
            &self.organization.security,
        ];
        self.accounts
            .iter()
            .map(|account| &account.id)
            .find(|id| !parts.contains(id))
            .map(String::as_str)
    }
}

/// The outcome of an event at one link of the alert chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HopOutcome {
    /// The link passed the event on.
    Ok,
    /// The link works as configured and discarded the event: no rule matched, or no subscription.
    Dropped,
    /// A policy denied the event.
    Denied,
    /// The link is misconfigured or missing.
    Failed,
}

/// One step of an event through the alert chain.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Hop {
    /// Twelve digits.
    pub account: String,
    /// For example `eu-central-1`.
    pub region: String,
    /// The link's name: `bus policy of gizmos`.
    pub link: String,
    /// The outcome at this link.
    pub outcome: HopOutcome,
    /// The reason, in one sentence.
    pub detail: String,
}

/// One message that reached a subscribed endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Delivery {
    /// Virtual time of the delivery, RFC 3339.
    pub at: String,
    /// The sending topic.
    pub topic_arn: String,
    /// `email`, `https` or `sqs`.
    pub protocol: String,
    /// The address, URL or queue ARN.
    pub endpoint: String,
    /// The body as the endpoint received it.
    pub body: String,
}

/// The path of one event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Trace {
    /// The event's `id`, assigned by the simulator.
    pub event_id: String,
    /// All steps, in order.
    pub hops: Vec<Hop>,
    /// All messages that reached an endpoint.
    pub deliveries: Vec<Delivery>,
}

/// An EC2 instance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Instance {
    /// Twelve digits.
    pub account: String,
    /// For example `eu-central-1`.
    pub region: String,
    /// `i-…`
    pub instance_id: String,
    /// `stopped`, `running`, …
    pub state: String,
    /// By key.
    pub tags: BTreeMap<String, String>,
}
