//! A snapshot of the simulated world, for tests that check what a client reports about it.
//!
//! A client sees the organization through API calls that can fail, lag and be denied. A checker in
//! the same process must not: it looks at the world itself, without a request.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::cloudformation::stack::Deployment;
use crate::journal::Request;
use crate::server::Simulator;
use crate::wire::api::Caller;
use crate::world::World;

/// Everything that a deployment could have changed, at one moment.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// All accounts by id, the management account included.
    pub accounts: BTreeMap<String, FleetAccount>,
    /// The living stack sets by name.
    pub stack_sets: BTreeMap<String, FleetStackSet>,
    /// The living stacks by id.
    pub stacks: BTreeMap<String, FleetStack>,
    /// All operations on stack sets, those that are deleted included, by the stack set's name and
    /// the operation's id.
    pub operations: BTreeMap<(String, String), FleetOperation>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetAccount {
    /// `ACTIVE`, `SUSPENDED`, …
    pub state: String,
    /// From the root down to the unit that the account is in.
    pub path: Vec<String>,
    /// Regions that are not enabled in it.
    pub disabled_regions: BTreeSet<String>,
}

/// A stack set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetStackSet {
    /// `NAME:UUID`.
    pub id: String,
    /// What it is made from.
    pub source: Source,
    /// Free text.
    pub description: Option<String>,
    /// Whether accounts that join get their stacks by themselves.
    pub auto_deployment: bool,
    /// By account and Region.
    pub instances: BTreeMap<(String, String), FleetInstance>,
}

/// A stack instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetInstance {
    /// The stack's id, if there is one.
    pub stack: Option<String>,
    /// `CURRENT`, `OUTDATED` or `INOPERABLE`.
    pub status: &'static str,
    /// `SUCCEEDED`, `FAILED`, `SKIPPED_SUSPENDED_ACCOUNT`, …
    pub detailed_status: &'static str,
}

/// An operation on a stack set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetOperation {
    /// `CREATE`, `UPDATE`, `DELETE` or `DETECT_DRIFT`.
    pub action: &'static str,
    /// `RUNNING`, `SUCCEEDED`, …
    pub status: &'static str,
    /// When it was asked for, in virtual time.
    pub created: Timestamp,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// Accounts and Regions in which it did not succeed.
    pub unsuccessful: usize,
}

/// A stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetStack {
    /// Its name.
    pub name: String,
    /// Its account.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// `CREATE_COMPLETE`, …
    pub status: &'static str,
    /// What it is made from.
    pub source: Source,
}

/// What a stack or stack set is made from. Cheap to copy; equal if all of it is equal.
#[derive(Clone)]
pub struct Source(Arc<Deployment>);

impl Source {
    /// The template's text.
    pub fn template(&self) -> &str {
        self.0.template()
    }

    /// Parameter values by name.
    pub fn parameters(&self) -> &BTreeMap<String, String> {
        &self.0.parameters
    }

    /// Tags by key.
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.0.tags
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Source) -> bool {
        self.template() == other.template()
            && self.parameters() == other.parameters()
            && self.tags() == other.tags()
    }
}

impl Eq for Source {}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("bytes", &self.template().len())
            .field("parameters", self.parameters())
            .field("tags", self.tags())
            .finish()
    }
}

/// Reads and changes the world without a request: no call here is counted, written to the journal
/// or hit by a fault.
impl Simulator {
    /// Virtual time.
    pub fn now(&self) -> Timestamp {
        self.world().clock.now()
    }

    /// Moves the clock forward, doing what becomes due on the way.
    pub fn advance(&self, duration: Duration) {
        self.world().advance(duration.as_secs_f64());
    }

    /// How many requests have had their effect; the answer may still be on its way.
    pub fn answered(&self) -> u64 {
        self.world().requests()
    }

    /// The journal's entries from a number on.
    pub fn journal(&self, since: u64) -> Vec<Request> {
        self.world().journal.since(since)
    }

    /// How many entries the journal has had: the number of the next one.
    pub fn journal_length(&self) -> u64 {
        self.world().journal.written()
    }

    /// How often each action was called, keyed `service:Action`.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.world().calls.by_action.clone()
    }

    /// Calls an action as the administrator of an account. The error is the code and the message.
    pub fn act(
        &self,
        account: &str,
        region: &str,
        service: &str,
        action: &str,
        input: &Value,
    ) -> Result<Value, String> {
        let caller = Caller {
            account: account.to_owned(),
            region: region.to_owned(),
            arn: format!("arn:aws:iam::{account}:root"),
            role: None,
        };
        self.world()
            .call(&caller, service, action, input)
            .map_err(|error| format!("{}: {}", error.code, error.message))
    }

    /// The fleet as it is now.
    pub fn fleet(&self) -> Fleet {
        let world = self.world();
        let organization = &world.services.organization;
        Fleet {
            accounts: organization
                .accounts()
                .map(|account| {
                    let fleet_account = FleetAccount {
                        state: account.state.clone(),
                        path: organization.lineage(&account.parent),
                        disabled_regions: world
                            .config
                            .regions
                            .iter()
                            .filter(|region| {
                                !world.services.environment.region_is_on(region, &account.id)
                            })
                            .cloned()
                            .collect(),
                    };
                    (account.id.clone(), fleet_account)
                })
                .collect(),
            stack_sets: world
                .cloudformation
                .sets
                .all()
                .filter(|set| !set.deleted)
                .map(|set| (set.name.clone(), stack_set(set)))
                .collect(),
            stacks: world
                .cloudformation
                .stacks
                .living()
                .map(|stack| {
                    let fleet_stack = FleetStack {
                        name: stack.name.as_ref().to_owned(),
                        account: stack.account.as_ref().to_owned(),
                        region: stack.region.as_ref().to_owned(),
                        status: stack.status,
                        source: Source(stack.deployment.clone()),
                    };
                    (stack.id.as_ref().to_owned(), fleet_stack)
                })
                .collect(),
            operations: world
                .cloudformation
                .sets
                .all()
                .flat_map(|set| {
                    let operations = set.operations.values();
                    operations
                        .map(|it| ((set.name.clone(), it.id.to_string()), fleet_operation(it)))
                })
                .collect(),
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared().lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stack_set(set: &crate::cloudformation::set::StackSet) -> FleetStackSet {
    FleetStackSet {
        id: set.id.clone(),
        source: Source(set.deployment.clone()),
        description: set.description.clone(),
        auto_deployment: set.auto.enabled,
        instances: set
            .instances
            .iter()
            .map(|(location, instance)| {
                let fleet_instance = FleetInstance {
                    stack: instance.stack.as_deref().map(str::to_owned),
                    status: instance.status,
                    detailed_status: instance.detailed,
                };
                let (account, region) = location;
                let location = (account.as_ref().to_owned(), region.as_ref().to_owned());
                (location, fleet_instance)
            })
            .collect(),
    }
}

fn fleet_operation(operation: &crate::cloudformation::set::Operation) -> FleetOperation {
    FleetOperation {
        action: operation.action(),
        status: operation.status,
        created: operation.created,
        ended: operation.ended,
        unsuccessful: operation
            .results
            .values()
            .filter(|result| result.status != "SUCCEEDED")
            .count(),
    }
}
