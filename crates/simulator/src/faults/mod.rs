//! Fault injection: throttling, lost responses, failing accounts, a second administrator.
//!
//! [`Faults`] is the configuration. Random faults are drawn from the seed, the content of the
//! request and how often it was sent before, never from the order of arrival: clients that send the
//! same requests meet the same faults, regardless of thread scheduling.

mod chance;
mod event;
mod instance;
mod request;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Surprise;
use crate::cloudformation::{InstanceEffect, Lag, StackOf};
pub(crate) use chance::Chance;
pub(crate) use event::{Planned, due, happen, start};
pub(crate) use request::{After, Asked, Before, Decision, State, after, before, called};

/// The configured faults. The default has none.
///
/// ```
/// let faults: simulator::Faults = serde_json::from_str(r#"{
///     "rates": [{"fault": "reset_after", "share": 0.05, "apis": ["cloudformation:Create*"]}],
///     "buckets": [{"apis": ["cloudformation:*"], "burst": 20, "per_second": 2.0}],
///     "schedule": [
///         {"when": {"at_second": 90.0}, "event": {"do": "stop_operation"}},
///         {"when": {"after_calls": {"calls": 40}},
///          "event": {"do": "set_account_state", "account": "100000000002", "state": "SUSPENDED"}}
///     ]
/// }"#)?;
/// assert_eq!(faults.schedule.len(), 2);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Seed of random faults; defaults to the simulator's seed.
    pub seed: Option<u64>,
    /// Virtual milliseconds per call. Token buckets refill as time passes, so a client that never
    /// waits on the virtual clock needs more than 0 here.
    pub call_milliseconds: u32,
    /// Token buckets for throttling, one per covered account and API.
    pub buckets: Vec<Bucket>,
    /// Random faults of requests.
    pub rates: Vec<Rate>,
    /// Real milliseconds until the connection of a timed-out request is closed without a response.
    pub time_out_milliseconds: u32,
    /// Lag of listings.
    pub lag: Lag,
    /// Virtual seconds until a pagination token expires; never if `None`.
    pub token_lifetime_seconds: Option<u32>,
    /// Faults of stack set operations by account and Region.
    pub instances: Vec<InstanceFault>,
    /// Events at a time or after a number of calls.
    pub schedule: Vec<Scheduled>,
    /// Where AWS behaves otherwise than its documents suggest.
    pub surprises: BTreeSet<Surprise>,
    /// Regions in which no trail records anything, although nobody stopped it: `GetTrailStatus` says so
    /// there and nowhere else.
    pub trails_off: BTreeSet<String>,
}

impl Default for Faults {
    fn default() -> Faults {
        Faults {
            seed: None,
            call_milliseconds: 0,
            buckets: Vec::new(),
            rates: Vec::new(),
            time_out_milliseconds: 1_000,
            lag: Lag::default(),
            token_lifetime_seconds: None,
            instances: Vec::new(),
            schedule: Vec::new(),
            surprises: BTreeSet::new(),
            trails_off: BTreeSet::new(),
        }
    }
}

impl Faults {
    /// Checks all numbers; the error names every invalid one.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut wrong = Vec::new();
        let shares = self
            .rates
            .iter()
            .map(|rate| (rate.fault.name(), rate.share))
            .chain(self.instances.iter().map(|it| ("instances", it.share)));
        for (what, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                wrong.push(format!(
                    "the share {share} of {what} is not between 0 and 1"
                ));
            }
        }
        for bucket in &self.buckets {
            if bucket.burst == 0 {
                wrong.push("a bucket with a burst of 0 refuses every request".to_owned());
            }
            if !(0.0..=1e9).contains(&bucket.per_second) {
                wrong.push(format!(
                    "per_second {} is not between 0 and 1e9",
                    bucket.per_second
                ));
            }
        }
        for scheduled in &self.schedule {
            match scheduled.when {
                When::AtSecond(second) if !(0.0..=1e12).contains(&second) => {
                    wrong.push(format!("at_second {second} is not between 0 and 1e12"));
                }
                When::AfterCalls { calls: 0, .. } => {
                    wrong.push("calls are counted from 1".to_owned());
                }
                _ => {}
            }
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("; "))
        }
    }
}

/// A token bucket. Requests without a token are throttled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// The covered APIs, such as `cloudformation:List*`, each with its own bucket; empty is all.
    #[serde(default)]
    pub apis: Vec<String>,
    /// Bucket size: the maximum burst of requests.
    pub burst: u32,
    /// Refill rate, in requests per virtual second.
    pub per_second: f64,
}

/// A fault that affects a share of requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// The fault.
    pub fault: RequestFault,
    /// The share of affected requests, from 0 to 1.
    pub share: f64,
    /// The affected APIs, such as `cloudformation:List*`; empty is all.
    #[serde(default)]
    pub apis: Vec<String>,
    /// Maximum number of occurrences; unlimited if `None`.
    #[serde(default)]
    pub most: Option<u64>,
}

/// A fault of a single request. Variants named `…After` take effect after the action was performed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RequestFault {
    /// The service's throttling error; not performed.
    Throttled,
    /// HTTP 500; not performed.
    InternalFailure,
    /// HTTP 503; not performed.
    ServiceUnavailable,
    /// `StaleRequestException`, as if the stack set had changed concurrently; not performed. Only
    /// for actions on stack instances and `UpdateStackSet`.
    StaleRequest,
    /// The connection is reset; not performed.
    ResetBefore,
    /// No response; not performed.
    TimeOutBefore,
    /// HTTP 500, but performed.
    InternalFailureAfter,
    /// The connection is reset before the response, but performed.
    ResetAfter,
    /// No response, but performed.
    TimeOutAfter,
}

impl RequestFault {
    /// The name in configuration and statistics.
    pub fn name(self) -> &'static str {
        match self {
            RequestFault::Throttled => "throttled",
            RequestFault::InternalFailure => "internal_failure",
            RequestFault::ServiceUnavailable => "service_unavailable",
            RequestFault::StaleRequest => "stale_request",
            RequestFault::ResetBefore => "reset_before",
            RequestFault::TimeOutBefore => "time_out_before",
            RequestFault::InternalFailureAfter => "internal_failure_after",
            RequestFault::ResetAfter => "reset_after",
            RequestFault::TimeOutAfter => "time_out_after",
        }
    }

    /// Whether the action is performed despite the fault.
    pub fn is_after(self) -> bool {
        matches!(
            self,
            RequestFault::InternalFailureAfter
                | RequestFault::ResetAfter
                | RequestFault::TimeOutAfter
        )
    }
}

/// A fault of stack set operations in some accounts and Regions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceFault {
    /// The fault.
    pub effect: InstanceEffect,
    /// Affected accounts; empty is all.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Affected Regions; empty is all.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Affected stack sets, such as `gizmos-*`; empty is all.
    #[serde(default)]
    pub stack_sets: Vec<String>,
    /// Of `CREATE`, `UPDATE`, `DELETE` and `DETECT_DRIFT`; empty is the first three.
    #[serde(default)]
    pub actions: Vec<String>,
    /// The share of affected accounts and Regions, from 0 to 1; the same ones every time.
    #[serde(default = "whole")]
    pub share: f64,
    /// Maximum occurrences per account and Region; unlimited if `None`.
    #[serde(default)]
    pub times: Option<u32>,
}

fn whole() -> f64 {
    1.0
}

/// An event that happens once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheduled {
    /// The trigger.
    pub when: When,
    /// The event to trigger.
    pub event: Event,
}

/// The trigger of an event, counted from when the faults were set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum When {
    /// Virtual seconds after the faults were set.
    AtSecond(f64),
    /// Immediately after a call was performed.
    AfterCalls {
        /// The number of the call, counted from 1.
        calls: u64,
        /// The APIs that count, such as `cloudformation:Create*`; empty is all.
        #[serde(default)]
        apis: Vec<String>,
    },
}

/// An event caused by the organization, other people or AWS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Event {
    /// Sets an account's state.
    SetAccountState {
        /// Twelve digits.
        account: String,
        /// `ACTIVE`, `SUSPENDED`, `PENDING_CLOSURE` or `CLOSED`.
        state: String,
    },
    /// Moves an account to another organizational unit.
    MoveAccount {
        /// Twelve digits.
        account: String,
        /// A unit's or the root's id.
        to: String,
    },
    /// Creates an account.
    CreateAccount {
        /// The account name in AWS Organizations.
        name: String,
        /// A unit's or the root's id.
        organizational_unit: String,
    },
    /// Enables or disables a Region.
    SetRegion {
        /// For example `eu-south-1`.
        region: String,
        /// Whether the Region is enabled afterward.
        enabled: bool,
        /// Only in this account; everywhere if `None`.
        #[serde(default)]
        account: Option<String>,
    },
    /// Stops the running operation, as another person would.
    StopOperation {
        /// The stack set's name; any with a running operation if `None`.
        #[serde(default)]
        stack_set: Option<String>,
    },
    /// Makes the running operation hang until it is stopped.
    StickOperation {
        /// The stack set's name; any with a running operation if `None`.
        #[serde(default)]
        stack_set: Option<String>,
    },
    /// Makes an API call, as a second administrator would.
    Call {
        /// The account whose administrator calls, twelve digits.
        account: String,
        /// The endpoint's Region.
        region: String,
        /// The signing name: `cloudformation`, `events`, ...
        service: String,
        /// For example `UpdateStackSet`.
        action: String,
        /// The parameters, named as in the service's API.
        input: Value,
    },
    /// Updates a stack instance's stack directly, as another person would.
    UpdateStack {
        /// The stack to change.
        stack: StackOf,
        /// The new template, JSON or YAML.
        template_body: String,
    },
    /// Deletes a stack instance's stack directly, as another person would.
    DeleteStack {
        /// The stack to change.
        stack: StackOf,
    },
    /// Changes a resource outside CloudFormation.
    EditResource {
        /// The resource's stack.
        stack: StackOf,
        /// The resource; the first by name if `None`.
        #[serde(default)]
        logical_id: Option<String>,
        /// New property values as in a template; `null` removes a property.
        properties: Map<String, Value>,
    },
    /// Deletes a resource outside CloudFormation.
    DeleteResource {
        /// The resource's stack.
        stack: StackOf,
        /// The resource; the first by name if `None`.
        #[serde(default)]
        logical_id: Option<String>,
    },
}

impl Event {
    /// The name in configuration and statistics.
    pub fn name(&self) -> &'static str {
        match self {
            Event::SetAccountState { .. } => "set_account_state",
            Event::MoveAccount { .. } => "move_account",
            Event::CreateAccount { .. } => "create_account",
            Event::SetRegion { .. } => "set_region",
            Event::StopOperation { .. } => "stop_operation",
            Event::StickOperation { .. } => "stick_operation",
            Event::Call { .. } => "call",
            Event::UpdateStack { .. } => "update_stack",
            Event::DeleteStack { .. } => "delete_stack",
            Event::EditResource { .. } => "edit_resource",
            Event::DeleteResource { .. } => "delete_resource",
        }
    }
}

/// Whether one of the patterns matches, with `*` as wildcard; an empty list matches everything.
pub(crate) fn covers(patterns: &[String], name: &str) -> bool {
    patterns.is_empty()
        || patterns
            .iter()
            .any(|pattern| crate::policy::glob(pattern, name))
}

/// Appends the time of issue to a pagination token.
fn timed(token: &str, now: jiff::Timestamp) -> String {
    format!("{token}~{}", now.as_millisecond())
}

/// Splits a pagination token into the service's token and the time of issue, in milliseconds since
/// 1970, if it has one.
fn untimed(token: &str) -> (&str, Option<i64>) {
    match token.rsplit_once('~') {
        Some((position, issued)) => match issued.parse() {
            Ok(issued) => (position, Some(issued)),
            Err(_) => (token, None),
        },
        None => (token, None),
    }
}

/// Removes the time of issue from a request's pagination token before the action reads it.
pub(crate) fn strip_time(input: &mut Value) {
    if let Some(Value::String(token)) = input.get_mut("NextToken") {
        let position = untimed(token).0.to_owned();
        *token = position;
    }
}
