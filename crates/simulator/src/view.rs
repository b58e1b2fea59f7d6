//! What is true, for tests: what is deployed, what was called, what went wrong.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::world::World;

/// How often each API was called and each fault happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Calls that change something, refused ones included.
    pub mutating: u64,
    /// Calls that only read, refused ones included.
    pub reading: u64,
    /// Calls by `service:Action`.
    pub calls: BTreeMap<String, u64>,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<String, u64>,
    /// What scheduled events did, oldest first, each with its virtual time.
    pub happened: Vec<String>,
    /// Virtual time, RFC 3339.
    pub now: String,
}

/// One call of an AWS API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedCall {
    /// Virtual time, RFC 3339.
    pub at: String,
    /// The caller's account.
    pub account: String,
    /// The Region.
    pub region: String,
    /// `service:Action`.
    pub api: String,
    /// Whether the action changes something.
    pub mutating: bool,
    /// What it is about: `StackSetName`, `OperationId`, `StackName`, ...; the operation id that the
    /// answer gave included.
    pub about: BTreeMap<String, String>,
    /// The error's code, if it was refused.
    pub error: Option<String>,
    /// The fault that it met.
    pub fault: Option<String>,
    /// Whether it was carried out, whatever the client learned of that.
    pub done: bool,
}

/// What is deployed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fleet {
    /// Stack sets that are not deleted.
    pub stack_sets: Vec<FleetStackSet>,
    /// Living stacks that are no stack set's instances.
    pub stacks: Vec<FleetStack>,
    /// Living stacks that were a stack set's instances once, such as those of deletions that retain
    /// stacks.
    pub leftovers: Vec<FleetStack>,
}

/// A stack set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetStackSet {
    /// Its name.
    pub name: String,
    /// The Region it is administered from.
    pub region: String,
    /// The template as it was sent.
    pub template: String,
    /// Parameter values.
    pub parameters: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Whether accounts that come are deployed to.
    pub auto_deployment: bool,
    /// Whether operations queue.
    pub managed_execution: bool,
    /// Its instances, in the order of accounts and Regions.
    pub instances: Vec<FleetInstance>,
    /// Its operations, oldest first.
    pub operations: Vec<FleetOperation>,
}

/// A stack instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetInstance {
    /// The account.
    pub account: String,
    /// The Region.
    pub region: String,
    /// `CURRENT`, `OUTDATED` or `INOPERABLE`.
    pub status: String,
    /// Such as `SUCCEEDED`, `FAILED`, `SKIPPED_SUSPENDED_ACCOUNT`.
    pub detailed_status: String,
    /// The stack, if it has one.
    pub stack_id: Option<String>,
    /// The stack's status, if it has one.
    pub stack_status: Option<String>,
    /// Whether the stack was made from the stack set's template and parameters as they are now.
    pub equal: bool,
}

/// An operation on a stack set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetOperation {
    /// Its id.
    pub id: String,
    /// `CREATE`, `UPDATE`, `DELETE` or `DETECT_DRIFT`.
    pub action: String,
    /// `RUNNING`, `SUCCEEDED`, ...
    pub status: String,
    /// When it was asked for, RFC 3339.
    pub created: String,
    /// When it ended.
    pub ended: Option<String>,
    /// Accounts and Regions it is about.
    pub instances: usize,
    /// How many of them failed.
    pub failed: usize,
}

/// An ordinary stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetStack {
    /// Its ARN.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The account.
    pub account: String,
    /// The Region.
    pub region: String,
    /// `CREATE_COMPLETE`, ...
    pub status: String,
    /// The template as it was sent.
    pub template: String,
    /// Parameter values.
    pub parameters: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// The parameters that say what a call is about.
const ABOUT: &[&str] = &[
    "StackSetName",
    "OperationId",
    "StackName",
    "ChangeSetName",
    "RoleArn",
    "AccountId",
    "Name",
];

pub(crate) fn stats(world: &World) -> Stats {
    Stats {
        mutating: world.calls.mutating,
        reading: world.calls.reading,
        calls: world.calls.by_action.clone(),
        faults: world.faults.counts.clone(),
        happened: world
            .faults
            .happened
            .iter()
            .map(|(at, what)| format!("{at} {what}"))
            .collect(),
        now: world.clock.now().to_string(),
    }
}

pub(crate) fn fleet(world: &World) -> Fleet {
    crate::cloudformation::fleet(world)
}

/// What a call is about, as its parameters and its answer say.
pub(crate) fn about(input: &Value, answer: Option<&Value>) -> BTreeMap<String, String> {
    let text =
        |value: &Value, name: &str| Some((name.to_owned(), value.get(name)?.as_str()?.to_owned()));
    let mut about: BTreeMap<String, String> =
        ABOUT.iter().filter_map(|name| text(input, name)).collect();
    about.extend(answer.and_then(|answer| text(answer, "OperationId")));
    about
}
