//! Snapshots of the simulated world, for tests that check a client's reports.
//!
//! A client sees the organization through API calls that can fail, lag and be denied. A checker in
//! the same process reads the state directly, without a request.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::cloudformation::stack::Deployment;
use crate::cloudformation::{self, LiveResource, StackOf};
use crate::journal::Request;
use crate::server::Simulator;
use crate::wire::api::Caller;
use crate::world::World;

/// The state that a deployment can change, at one moment.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// All accounts by id, the management account included.
    pub accounts: BTreeMap<String, FleetAccount>,
    /// The existing stack sets by name.
    pub stack_sets: BTreeMap<String, FleetStackSet>,
    /// The existing stacks by id.
    pub stacks: BTreeMap<String, FleetStack>,
    /// All stack set operations, those of deleted stack sets included, by stack set name and
    /// operation id.
    pub operations: BTreeMap<(String, String), FleetOperation>,
}

/// An account in a [`Fleet`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetAccount {
    /// `ACTIVE`, `SUSPENDED`, …
    pub state: String,
    /// Ids from the root down to the account's unit.
    pub path: Vec<String>,
    /// Regions disabled in the account.
    pub disabled_regions: BTreeSet<String>,
}

/// A stack set in a [`Fleet`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetStackSet {
    /// `NAME:UUID`.
    pub id: String,
    /// Template, parameters and tags.
    pub source: Source,
    /// As in the request.
    pub description: Option<String>,
    /// Whether accounts that join a targeted unit get stacks.
    pub auto_deployment: bool,
    /// By account and Region.
    pub instances: BTreeMap<(String, String), FleetInstance>,
}

/// A stack instance in a [`Fleet`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetInstance {
    /// The stack's id, if it exists.
    pub stack: Option<String>,
    /// `CURRENT`, `OUTDATED` or `INOPERABLE`.
    pub status: &'static str,
    /// `SUCCEEDED`, `FAILED`, `SKIPPED_SUSPENDED_ACCOUNT`, …
    pub detailed_status: &'static str,
}

/// A stack set operation in a [`Fleet`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetOperation {
    /// `CREATE`, `UPDATE`, `DELETE` or `DETECT_DRIFT`.
    pub action: &'static str,
    /// `RUNNING`, `SUCCEEDED`, …
    pub status: &'static str,
    /// The time of the request, virtual.
    pub created: Timestamp,
    /// The time of completion, virtual.
    pub ended: Option<Timestamp>,
    /// Number of accounts and Regions without success.
    pub unsuccessful: usize,
}

/// A stack in a [`Fleet`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetStack {
    /// Unique in the account and Region.
    pub name: String,
    /// Twelve digits.
    pub account: String,
    /// For example `eu-central-1`.
    pub region: String,
    /// `CREATE_COMPLETE`, …
    pub status: &'static str,
    /// Template, parameters and tags.
    pub source: Source,
}

/// Template, parameters and tags of a stack or stack set. Cheap to clone; compares by content.
#[derive(Clone)]
pub struct Source(Arc<Deployment>);

impl Source {
    /// The template as sent.
    pub fn template(&self) -> &str {
        self.0.template()
    }

    /// Values by name.
    pub fn parameters(&self) -> &BTreeMap<String, String> {
        &self.0.parameters
    }

    /// By key.
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

/// The whole simulated world at one moment.
#[derive(Debug)]
pub struct Checkpoint(World);

/// Direct access to the world: these calls are not counted, journaled or subject to faults.
impl Simulator {
    /// The virtual time.
    pub fn now(&self) -> Timestamp {
        self.world().clock.now()
    }

    /// Advances the clock, performing the work that becomes due.
    pub fn advance(&self, duration: Duration) {
        self.world().advance(duration.as_secs_f64());
    }

    /// The number of requests performed; the response to the last may still be in flight.
    pub fn answered(&self) -> u64 {
        self.world().requests()
    }

    /// The journal's entries from a number onward.
    pub fn journal(&self, since: u64) -> Vec<Request> {
        self.world().journal.since(since)
    }

    /// The number of journal entries so far, which is the next entry's number.
    pub fn journal_length(&self) -> u64 {
        self.world().journal.written()
    }

    /// Call counts, keyed `service:Action`.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.world().calls.by_action.clone()
    }

    /// Performs an action as the administrator of an account. The error is code and message.
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
            session_policy: None,
        };
        self.world()
            .call(&caller, service, action, input)
            .map_err(|error| format!("{}: {}", error.code, error.message))
    }

    /// Remembers everything, for [`Simulator::rewind`].
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint(self.world().clone())
    }

    /// Makes everything as it was at the checkpoint, the clock included.
    pub fn rewind(&self, checkpoint: &Checkpoint) {
        *self.world() = checkpoint.0.clone();
    }

    /// The resources of a stack: a stack set's instance, or a stack by its own name.
    pub fn resources(&self, stack: &StackOf) -> Result<Vec<LiveResource>, String> {
        let mut world = self.world();
        let id = world.cloudformation.stack_of(stack)?;
        let resources = cloudformation::live_resources(&mut world.stage(), &id);
        world.settle();
        Ok(resources)
    }

    /// Changes properties of a stack's resource outside of CloudFormation, or deletes it without
    /// any. The error is the service's refusal.
    pub fn tamper(
        &self,
        stack: &StackOf,
        logical_id: &str,
        properties: Option<&Map<String, Value>>,
    ) -> Result<(), String> {
        let mut world = self.world();
        let id = world.cloudformation.stack_of(stack)?;
        let stage = &mut world.stage();
        cloudformation::edit_resource(stage, &id, Some(logical_id), properties)?;
        world.settle();
        Ok(())
    }

    /// The current state.
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

fn stack_set(set: &cloudformation::set::StackSet) -> FleetStackSet {
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

fn fleet_operation(operation: &cloudformation::set::Operation) -> FleetOperation {
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
