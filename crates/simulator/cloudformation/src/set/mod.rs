//! A stack set: its template, its targets, its instances and operations.

mod announce;
pub(crate) mod api;
pub(crate) mod auto;
pub(crate) mod instances;
pub(crate) mod listing;
pub(crate) mod operation;
pub(crate) mod target;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Stage;
use crate::services::organizations::MANAGEMENT;
use crate::stack::{Deployment, tags};
use crate::template::parameter::Given;
use crate::wire::time::iso;

/// An account and a Region.
pub(crate) type Location = (Arc<str>, Arc<str>);

/// A service-managed stack set.
#[derive(Debug)]
pub struct StackSet {
    /// `NAME:UUID`.
    pub id: String,
    /// The name, unique among the stack sets that are not deleted.
    pub name: String,
    /// The Region it is administered from.
    pub(crate) region: String,
    /// As given.
    pub description: Option<String>,
    /// What its stacks are made from.
    pub deployment: Arc<Deployment>,
    /// What happens when accounts come and go.
    pub auto: AutoDeployment,
    /// Whether operations that do not conflict run at the same time, and others queue.
    pub(crate) managed: bool,
    /// Whether only its operations are still there.
    pub deleted: bool,
    /// The token of the request that made it.
    pub(crate) token: Option<String>,
    /// Targeted units and their Regions, for automatic deployment.
    pub(crate) targets: BTreeMap<String, BTreeSet<String>>,
    /// The stack instances.
    pub instances: BTreeMap<Location, Instance>,
    /// In the order they were asked for.
    pub operations: IndexMap<Arc<str>, Operation>,
    /// The last finished drift detection.
    pub(crate) drift: Option<DriftDetails>,
    /// Deleted instances, and since when they are deleted, for listings that lag.
    pub(crate) removed: Vec<(Location, Instance, Timestamp)>,
}

/// What happens when accounts come and go.
#[derive(Debug, Clone, Default)]
pub struct AutoDeployment {
    /// Whether it deploys to accounts that join a targeted unit.
    pub enabled: bool,
    pub(crate) retain: bool,
    pub(crate) depends_on: Vec<String>,
}

/// The stack set's stack in one account and Region.
#[derive(Debug, Clone)]
pub struct Instance {
    /// The id of its stack, once there is one.
    pub stack: Option<Arc<str>>,
    /// The unit through which the account was targeted.
    pub(crate) unit: Arc<str>,
    /// `CURRENT`, `OUTDATED` or `INOPERABLE`.
    pub status: &'static str,
    /// `SUCCEEDED`, `FAILED`, `SKIPPED_SUSPENDED_ACCOUNT`, …
    pub detailed: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) overrides: BTreeMap<String, Given>,
    pub(crate) operation: Option<Arc<str>>,
    pub(crate) drift: &'static str,
    pub(crate) drift_checked: Option<Timestamp>,
    /// What a listing that lags still shows, and until when it was true; nothing for a new instance.
    pub(crate) before: Option<Seen>,
    pub(crate) changed: Timestamp,
}

/// What a listing shows of an instance that changes.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) status: &'static str,
    pub(crate) detailed: &'static str,
    pub(crate) operation: Option<Arc<str>>,
}

/// What an operation does at each of its locations.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    Create {
        overrides: BTreeMap<String, Given>,
    },
    /// With the new template and parameters of `UpdateStackSet`, or the new overrides of
    /// `UpdateStackInstances`.
    Update {
        overrides: Option<BTreeMap<String, Given>>,
    },
    Delete {
        retain: bool,
    },
    DetectDrift,
}

impl Work {
    fn action(&self) -> &'static str {
        match self {
            Work::Create { .. } => "CREATE",
            Work::Update { .. } => "UPDATE",
            Work::Delete { .. } => "DELETE",
            Work::DetectDrift => "DETECT_DRIFT",
        }
    }
}

/// An operation on a stack set.
#[derive(Debug)]
pub struct Operation {
    /// The id that the request gave or CloudFormation made up.
    pub id: Arc<str>,
    pub(crate) work: Work,
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `STOPPING`, `STOPPED` or `QUEUED`.
    pub status: &'static str,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it was over.
    pub ended: Option<Timestamp>,
    pub(crate) preferences: Preferences,
    /// `DeploymentTargets` as given.
    pub(crate) targets: Value,
    /// How it went, as far as it got.
    pub results: BTreeMap<Location, Outcome>,
    /// In the order they are to be done.
    pub(crate) regions: Vec<RegionWork>,
    /// What becomes the stack set's when the operation begins.
    pub(crate) change: Option<Change>,
    pub(crate) drift: Option<DriftDetails>,
    /// Whether it hangs.
    pub(crate) stuck: bool,
    /// Work that does not end before the operation is stopped.
    pub(crate) held: Vec<operation::Job>,
}

/// What `UpdateStackSet` changes of the stack set itself.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) description: Option<String>,
    pub(crate) auto: Option<AutoDeployment>,
    pub(crate) managed: Option<bool>,
    /// Whether a template or parameters were given, which outdates every instance.
    pub(crate) outdates: bool,
}

/// How an operation went in one account and Region.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// `PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED` or `CANCELLED`.
    pub status: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) unit: Arc<str>,
    /// The status until `changed`; empty if there was none.
    pub(crate) before: &'static str,
    pub(crate) changed: Timestamp,
}

impl Outcome {
    pub(crate) fn enter(&mut self, status: &'static str, now: Timestamp) {
        self.before = self.status;
        self.changed = now;
        self.status = status;
    }
}

/// What is left to do in one Region.
#[derive(Debug)]
pub(crate) struct RegionWork {
    pub(crate) region: Arc<str>,
    pub(crate) waiting: VecDeque<Arc<str>>,
    pub(crate) running: usize,
    pub(crate) failed: usize,
    pub(crate) tolerance: usize,
    pub(crate) limit: usize,
}

impl RegionWork {
    /// Whether more accounts failed than are tolerated.
    pub(crate) fn broken(&self) -> bool {
        self.failed > self.tolerance
    }

    pub(crate) fn done(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }
}

/// How fast an operation proceeds and how many failures it tolerates.
#[derive(Debug, Clone, Default)]
pub(crate) struct Preferences {
    pub(crate) parallel: bool,
    pub(crate) order: Vec<Arc<str>>,
    pub(crate) tolerance: Amount,
    pub(crate) concurrency: Amount,
    /// `SOFT_FAILURE_TOLERANCE`.
    pub(crate) soft: bool,
    /// As given.
    pub(crate) raw: Value,
}

/// A number of accounts per Region.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Amount {
    #[default]
    Unset,
    Count(usize),
    Percent(usize),
}

impl Amount {
    /// The number out of all `accounts`; percentages are rounded down.
    pub(crate) fn of(self, accounts: usize, unset: usize) -> usize {
        match self {
            Amount::Unset => unset,
            Amount::Count(count) => count,
            Amount::Percent(percent) => accounts * percent / 100,
        }
    }
}

/// A drift detection over a stack set.
#[derive(Debug, Clone)]
pub(crate) struct DriftDetails {
    /// `IN_PROGRESS`, `COMPLETED`, `PARTIAL_SUCCESS`, `FAILED` or `STOPPED`.
    pub(crate) detection: &'static str,
    pub(crate) at: Timestamp,
    pub(crate) total: usize,
    pub(crate) drifted: usize,
    pub(crate) in_sync: usize,
    pub(crate) failed: usize,
}

impl DriftDetails {
    fn status(&self) -> &'static str {
        match (self.drifted, self.in_sync) {
            (0, 0) => "NOT_CHECKED",
            (0, _) => "IN_SYNC",
            _ => "DRIFTED",
        }
    }

    pub(crate) fn describe(&self) -> Value {
        json!({
            "DriftStatus": self.status(),
            "DriftDetectionStatus": self.detection,
            "LastDriftCheckTimestamp": iso(self.at),
            "TotalStackInstancesCount": self.total,
            "DriftedStackInstancesCount": self.drifted,
            "InSyncStackInstancesCount": self.in_sync,
            "InProgressStackInstancesCount": self.total.saturating_sub(self.drifted + self.in_sync + self.failed),
            "FailedStackInstancesCount": self.failed,
        })
    }
}

impl Operation {
    /// `CREATE`, `UPDATE`, `DELETE` or `DETECT_DRIFT`.
    pub fn action(&self) -> &'static str {
        self.work.action()
    }

    /// Whether it is not over yet.
    pub(crate) fn active(&self) -> bool {
        matches!(self.status, "RUNNING" | "STOPPING" | "QUEUED")
    }

    pub(crate) fn failures(&self) -> usize {
        self.results
            .values()
            .filter(|result| result.status == "FAILED")
            .count()
    }

    pub(crate) fn describe(&self, set: &StackSet) -> Value {
        let retain = match self.work {
            Work::Delete { retain } => Value::Bool(retain),
            _ => Value::Null,
        };
        json!({
            "OperationId": &*self.id,
            "StackSetId": set.id,
            "Action": self.work.action(),
            "Status": self.status,
            "OperationPreferences": self.preferences.raw,
            "RetainStacks": retain,
            "CreationTimestamp": iso(self.created),
            "EndTimestamp": self.ended.map(iso),
            "DeploymentTargets": self.targets,
            "StackSetDriftDetectionDetails": self.drift.as_ref().map(DriftDetails::describe),
            "StatusDetails": {"FailedStackInstancesCount": self.failures()},
        })
    }

    /// As a listing shows it that knows what was true at `then`.
    pub(crate) fn summary(&self, then: Timestamp) -> Value {
        let ended = self.ended.filter(|ended| *ended <= then);
        let status = match (self.ended, ended) {
            (Some(_), None) => "RUNNING",
            _ => self.status,
        };
        json!({
            "OperationId": &*self.id,
            "Action": self.work.action(),
            "Status": status,
            "CreationTimestamp": iso(self.created),
            "EndTimestamp": ended.map(iso),
            "OperationPreferences": self.preferences.raw,
            "StatusDetails": {"FailedStackInstancesCount": self.failures()},
        })
    }
}

impl Instance {
    /// An instance that has no stack yet.
    pub(crate) fn new(unit: &Arc<str>, now: Timestamp) -> Instance {
        Instance {
            stack: None,
            unit: Arc::clone(unit),
            status: "OUTDATED",
            detailed: "PENDING",
            reason: None,
            overrides: BTreeMap::new(),
            operation: None,
            drift: "NOT_CHECKED",
            drift_checked: None,
            before: None,
            changed: now,
        }
    }

    /// Keeps the current state for listings that lag; called before a change.
    pub(crate) fn remember(&mut self, now: Timestamp) {
        // A new instance that changes in the moment of its creation was never seen.
        if self.changed == now {
            return;
        }
        self.before = Some(Seen {
            status: self.status,
            detailed: self.detailed,
            operation: self.operation.clone(),
        });
        self.changed = now;
    }

    /// The instance as a listing shows it that knows what was true at `then`; `None` if it shows
    /// none.
    pub(crate) fn seen(&self, then: Timestamp) -> Option<std::borrow::Cow<'_, Instance>> {
        use std::borrow::Cow;
        if self.changed <= then {
            return Some(Cow::Borrowed(self));
        }
        let seen = self.before.as_ref()?;
        let mut old = self.clone();
        old.status = seen.status;
        old.detailed = seen.detailed;
        old.operation.clone_from(&seen.operation);
        Some(Cow::Owned(old))
    }

    pub(crate) fn describe(&self, set: &StackSet, location: &Location) -> Value {
        json!({
            "StackSetId": set.id,
            "Region": &*location.1,
            "Account": &*location.0,
            "StackId": self.stack.as_deref(),
            "Status": self.status,
            "StatusReason": self.reason,
            "StackInstanceStatus": {"DetailedStatus": self.detailed},
            "OrganizationalUnitId": &*self.unit,
            "DriftStatus": self.drift,
            "LastDriftCheckTimestamp": self.drift_checked.map(iso),
            "LastOperationId": self.operation.as_deref(),
        })
    }
}

impl StackSet {
    pub(crate) fn arn(&self) -> String {
        format!(
            "arn:aws:cloudformation:{}:{MANAGEMENT}:stackset/{}",
            self.region, self.id
        )
    }

    fn status(&self) -> &'static str {
        if self.deleted { "DELETED" } else { "ACTIVE" }
    }

    fn auto_deployment(&self) -> Value {
        let mut value = json!({"Enabled": self.auto.enabled});
        if let (true, Some(fields)) = (self.auto.enabled, value.as_object_mut()) {
            fields.insert(
                "RetainStacksOnAccountRemoval".to_owned(),
                self.auto.retain.into(),
            );
            if !self.auto.depends_on.is_empty() {
                fields.insert("DependsOn".to_owned(), json!(self.auto.depends_on));
            }
        }
        value
    }

    /// The operation that is running, if any.
    pub(crate) fn running(&self) -> Option<&Operation> {
        self.operations
            .values()
            .find(|operation| operation.active())
    }

    pub(crate) fn describe(&self) -> Value {
        let regions: BTreeSet<&str> = self.instances.keys().map(|(_, region)| &**region).collect();
        let drift = match &self.drift {
            Some(drift) => drift.describe(),
            None => json!({
                "DriftStatus": "NOT_CHECKED",
                "TotalStackInstancesCount": 0,
                "DriftedStackInstancesCount": 0,
                "InSyncStackInstancesCount": 0,
                "InProgressStackInstancesCount": 0,
                "FailedStackInstancesCount": 0,
            }),
        };
        json!({
            "StackSetName": self.name,
            "StackSetId": self.id,
            "StackSetARN": self.arn(),
            "Description": self.description,
            "Status": self.status(),
            "TemplateBody": self.deployment.template.body,
            "Parameters": self.deployment.shown_parameters(),
            "Capabilities": self.deployment.capabilities,
            "Tags": tags(&self.deployment.tags),
            "StackSetDriftDetectionDetails": drift,
            "AutoDeployment": self.auto_deployment(),
            "PermissionModel": "SERVICE_MANAGED",
            "OrganizationalUnitIds": self.targets.keys().collect::<Vec<_>>(),
            "ManagedExecution": {"Active": self.managed},
            "Regions": regions,
        })
    }

    pub(crate) fn summary(&self) -> Value {
        json!({
            "StackSetName": self.name,
            "StackSetId": self.id,
            "Description": self.description,
            "Status": self.status(),
            "AutoDeployment": self.auto_deployment(),
            "PermissionModel": "SERVICE_MANAGED",
            "DriftStatus": self.drift.as_ref().map_or("NOT_CHECKED", DriftDetails::status),
            "LastDriftCheckTimestamp": self.drift.as_ref().map(|drift| iso(drift.at)),
            "ManagedExecution": {"Active": self.managed},
        })
    }
}

/// All stack sets, deleted ones included.
#[derive(Debug, Default)]
pub struct StackSets {
    by_id: BTreeMap<String, StackSet>,
}

impl StackSets {
    pub(crate) fn insert(&mut self, set: StackSet) {
        self.by_id.insert(set.id.clone(), set);
    }

    pub(crate) fn get(&self, id: &str) -> Option<&StackSet> {
        self.by_id.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut StackSet> {
        self.by_id.get_mut(id)
    }

    /// All stack sets, deleted ones included.
    pub fn all(&self) -> impl Iterator<Item = &StackSet> {
        self.by_id.values()
    }

    /// A living stack set by name, or any by id or ARN.
    pub(crate) fn find(&self, region: &str, name: &str) -> Option<&StackSet> {
        let id = name.rsplit_once(":stackset/").map_or(name, |(_, id)| id);
        if id.contains(':') {
            return self.by_id.get(id).filter(|set| set.region == region);
        }
        // Ids start with the name and a colon, so that this is a short range.
        let prefix = format!("{id}:");
        self.by_id
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
            .map(|(_, set)| set)
            .find(|set| !set.deleted && set.region == region)
    }
}

impl Stage<'_> {
    pub(crate) fn set(&self, id: &str) -> Option<&StackSet> {
        self.cloudformation.sets.get(id)
    }

    pub(crate) fn set_mut(&mut self, id: &str) -> Option<&mut StackSet> {
        self.cloudformation.sets.get_mut(id)
    }
}
