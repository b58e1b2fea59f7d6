//! What goes wrong, and when: throttling, lost answers, failing accounts, a second administrator.
//!
//! [`Faults`] says it all. What is left to chance is drawn from the seed together with what the
//! request is about and how often that was asked before, never from the order of arrival: clients
//! that send the same requests meet the same faults, whatever the threads of the machine did.

mod chance;
mod event;
mod instance;
mod request;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cloudformation::{InstanceEffect, Lag, StackOf};
pub(crate) use chance::Chance;
pub(crate) use event::{Planned, due, happen, start};
pub(crate) use request::{After, Asked, Before, Decision, State, after, before, called};

/// Everything that goes wrong. The default is a world without faults.
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
    /// Draws what is left to chance; the simulator's own seed if there is none.
    pub seed: Option<u64>,
    /// Virtual milliseconds that every call takes. Buckets fill up again while time passes, so a
    /// client that never waits on the virtual clock needs more than 0 here.
    pub call_milliseconds: u32,
    /// Token buckets, one for each account and API that they cover.
    pub buckets: Vec<Bucket>,
    /// What happens to requests by chance.
    pub rates: Vec<Rate>,
    /// Real milliseconds for which a request that is to time out is left without an answer, after
    /// which its connection is closed.
    pub time_out_milliseconds: u32,
    /// By how much listings lag.
    pub lag: Lag,
    /// Virtual seconds after which a pagination token is refused; never if there is none.
    pub token_lifetime_seconds: Option<u32>,
    /// Accounts and Regions in which stack set operations fail or take long.
    pub instances: Vec<InstanceFault>,
    /// What happens at a time or after some calls.
    pub schedule: Vec<Scheduled>,
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
        }
    }
}

impl Faults {
    /// Refuses numbers that make no sense, and names them all.
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
                wrong.push("a bucket with a burst of 0 lets nothing through".to_owned());
            }
            if !(0.0..=1e9).contains(&bucket.per_second) {
                wrong.push(format!("{} per second is no rate", bucket.per_second));
            }
        }
        for scheduled in &self.schedule {
            match scheduled.when {
                When::AtSecond(second) if !(0.0..=1e12).contains(&second) => {
                    wrong.push(format!("second {second} never comes"));
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

/// A token bucket: a request beyond it is refused as throttled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// The APIs that have such a bucket each, such as `cloudformation:List*`; empty means all.
    #[serde(default)]
    pub apis: Vec<String>,
    /// Requests that may come at once.
    pub burst: u32,
    /// Requests per virtual second in the long run.
    pub per_second: f64,
}

/// A fault that meets a share of the requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// What happens.
    pub fault: RequestFault,
    /// How many of the requests it meets, from 0 to 1.
    pub share: f64,
    /// The APIs it meets, such as `cloudformation:List*`; empty means all.
    #[serde(default)]
    pub apis: Vec<String>,
    /// The maximum number of times; no limit if there is none.
    #[serde(default)]
    pub most: Option<u64>,
}

/// What can happen to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RequestFault {
    /// Refused with the service's throttling error; nothing was done.
    Throttled,
    /// HTTP 500; nothing was done.
    InternalFailure,
    /// HTTP 503; nothing was done.
    ServiceUnavailable,
    /// Refused with `StaleRequestException`, as if the stack set had changed in between; nothing was
    /// done. For actions on stack instances and `UpdateStackSet`.
    StaleRequest,
    /// The connection breaks; nothing was done.
    ResetBefore,
    /// No answer comes; nothing was done.
    TimeOutBefore,
    /// It was done, and HTTP 500 is the answer.
    InternalFailureAfter,
    /// It was done, and the connection breaks before the answer.
    ResetAfter,
    /// It was done, and no answer comes.
    TimeOutAfter,
}

impl RequestFault {
    /// The name it is counted and configured by.
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

    /// Whether the request has had its effect by then.
    pub fn is_after(self) -> bool {
        matches!(
            self,
            RequestFault::InternalFailureAfter
                | RequestFault::ResetAfter
                | RequestFault::TimeOutAfter
        )
    }
}

/// Accounts and Regions in which the work of stack set operations goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceFault {
    /// What goes wrong.
    pub effect: InstanceEffect,
    /// The accounts; empty means all.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// The Regions; empty means all.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Names of the stack sets, such as `gizmos-*`; empty means all.
    #[serde(default)]
    pub stack_sets: Vec<String>,
    /// `CREATE`, `UPDATE`, `DELETE` and `DETECT_DRIFT`; empty means the first three.
    #[serde(default)]
    pub actions: Vec<String>,
    /// Which part of these accounts and Regions it meets, from 0 to 1. The same ones every time.
    #[serde(default = "whole")]
    pub share: f64,
    /// How often in each account and Region; no limit if there is none.
    #[serde(default)]
    pub times: Option<u32>,
}

fn whole() -> f64 {
    1.0
}

/// Something that happens once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheduled {
    /// When.
    pub when: When,
    /// What.
    pub event: Event,
}

/// When something happens, counted from the moment the faults were set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum When {
    /// After this many virtual seconds.
    AtSecond(f64),
    /// Right after a call was answered.
    AfterCalls {
        /// The number of the call, from 1.
        calls: u64,
        /// The APIs that count, such as `cloudformation:Create*`; empty means all.
        #[serde(default)]
        apis: Vec<String>,
    },
}

/// Something that the organization, other people or AWS do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Event {
    /// An account is suspended, closed, or active again.
    SetAccountState {
        /// The account.
        account: String,
        /// `ACTIVE`, `SUSPENDED`, `PENDING_CLOSURE` or `CLOSED`.
        state: String,
    },
    /// An account moves to another organizational unit.
    MoveAccount {
        /// The account.
        account: String,
        /// The unit's or the root's id.
        to: String,
    },
    /// A new account.
    CreateAccount {
        /// Its name.
        name: String,
        /// The unit's or the root's id.
        organizational_unit: String,
    },
    /// An opt-in Region is switched on or off.
    SetRegion {
        /// The Region.
        region: String,
        /// On or off.
        enabled: bool,
        /// In this account only; everywhere if there is none.
        #[serde(default)]
        account: Option<String>,
    },
    /// Another person stops the running operation.
    StopOperation {
        /// The stack set's name; any that has a running operation if there is none.
        #[serde(default)]
        stack_set: Option<String>,
    },
    /// The running operation hangs: no work of it ends until it is stopped.
    StickOperation {
        /// The stack set's name; any that has a running operation if there is none.
        #[serde(default)]
        stack_set: Option<String>,
    },
    /// Another person makes a call, such as a second administrator.
    Call {
        /// Whose administrator calls.
        account: String,
        /// Where.
        region: String,
        /// The signing name: `cloudformation`, `events`, ...
        service: String,
        /// The action, such as `UpdateStackSet`.
        action: String,
        /// The parameters as the service's API names them.
        input: Value,
    },
    /// Another person changes a stack instance's stack directly.
    UpdateStack {
        /// Which stack.
        stack: StackOf,
        /// The new template.
        template_body: String,
    },
    /// Another person deletes a stack instance's stack directly.
    DeleteStack {
        /// Which stack.
        stack: StackOf,
    },
    /// A resource is changed outside CloudFormation.
    EditResource {
        /// Of which stack.
        stack: StackOf,
        /// The resource; the first one in the order of names if there is none.
        #[serde(default)]
        logical_id: Option<String>,
        /// The properties that get another value, in template shape; `null` removes one.
        properties: Map<String, Value>,
    },
    /// A resource is deleted outside CloudFormation.
    DeleteResource {
        /// Of which stack.
        stack: StackOf,
        /// The resource; the first one in the order of names if there is none.
        #[serde(default)]
        logical_id: Option<String>,
    },
}

impl Event {
    /// The name it is counted and configured by.
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

/// Whether one of the patterns fits, in which `*` stands for anything; no patterns fit all.
pub(crate) fn covers(patterns: &[String], name: &str) -> bool {
    patterns.is_empty()
        || patterns
            .iter()
            .any(|pattern| crate::policy::glob(pattern, name))
}

/// A pagination token that says when it was issued.
fn timed(token: &str, now: jiff::Timestamp) -> String {
    format!("{token}~{}", now.as_millisecond())
}

/// A pagination token without the time, and the time in milliseconds since 1970 if it has one.
fn untimed(token: &str) -> (&str, Option<i64>) {
    match token.rsplit_once('~') {
        Some((position, issued)) => match issued.parse() {
            Ok(issued) => (position, Some(issued)),
            Err(_) => (token, None),
        },
        None => (token, None),
    }
}

/// Takes the time out of a request's pagination token, for the action to read.
pub(crate) fn strip_time(input: &mut Value) {
    if let Some(Value::String(token)) = input.get_mut("NextToken") {
        let position = untimed(token).0.to_owned();
        *token = position;
    }
}
