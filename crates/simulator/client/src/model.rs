//! What the API's JSON says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How often the simulator's AWS API was called.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Calls {
    /// Calls that change something.
    pub mutating: u64,
    /// Calls that only read.
    pub reading: u64,
    /// By service and action: `sns:CreateTopic`.
    pub by_action: BTreeMap<String, u64>,
}

/// An account of the simulated organization.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// Its name in the organization.
    pub name: String,
}

/// The accounts of a simulated organization that have a part of their own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Organization {
    /// The management account's id.
    pub management: String,
    /// The log archive account's id.
    pub log_archive: String,
    /// The security account's id.
    pub security: String,
}

/// What the simulated organization is made of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct State {
    /// Accounts that have a part of their own.
    pub organization: Organization,
    /// All accounts.
    pub accounts: Vec<Account>,
    /// The Regions that exist; the first is the home Region.
    pub regions: Vec<String>,
}

impl State {
    /// An account that has no part of its own, if there is one.
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

/// How one link of the alert chain treated an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HopOutcome {
    /// The link passed the event on.
    Ok,
    /// The link works as configured and let the event go: no rule matched, no subscription.
    Dropped,
    /// A policy refused the event.
    Denied,
    /// The link is broken.
    Failed,
}

/// One step of an event through the alert chain.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Hop {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// The link in words: `bus policy of gizmos`.
    pub link: String,
    /// What became of the event here.
    pub outcome: HopOutcome,
    /// Why, in one sentence.
    pub detail: String,
}

/// One message that reached a subscribed endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Delivery {
    /// Virtual time of the delivery, RFC 3339.
    pub at: String,
    /// The topic that sent it.
    pub topic_arn: String,
    /// `email`, `https` or `sqs`.
    pub protocol: String,
    /// The address, URL or queue ARN.
    pub endpoint: String,
    /// The body as the endpoint received it.
    pub body: String,
}

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Trace {
    /// The id it was given.
    pub event_id: String,
    /// Every step, in the order they happened.
    pub hops: Vec<Hop>,
    /// Every message that reached somebody.
    pub deliveries: Vec<Delivery>,
}

/// An EC2 instance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Instance {
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
