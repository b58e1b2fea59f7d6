//! Stack sets with their deployment, targets, instances and operations.

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
#[derive(Clone, Debug)]
pub struct StackSet {
    /// `NAME:UUID`.
    pub id: String,
    /// Unique among existing stack sets.
    pub name: String,
    /// The Region from which it is administered.
    pub(crate) region: String,
    /// As in the request.
    pub description: Option<String>,
    /// Template, parameters and tags of its stacks.
    pub deployment: Arc<Deployment>,
    /// The settings of automatic deployment.
    pub auto: AutoDeployment,
    /// Managed execution: conflicting operations queue, others run concurrently.
    pub(crate) managed: bool,
    /// A deleted stack set keeps only its operations.
    pub deleted: bool,
    /// `ClientRequestToken` of its creation, to recognize a repeated request.
    pub(crate) token: Option<String>,
    /// Targeted units and their Regions, for automatic deployment.
    pub(crate) targets: BTreeMap<String, BTreeSet<String>>,
    /// By account and Region.
    pub instances: BTreeMap<Location, Instance>,
    /// In request order.
    pub operations: IndexMap<Arc<str>, Operation>,
    /// The last completed drift detection.
    pub(crate) drift: Option<DriftDetails>,
    /// Deleted instances with their time of deletion, for lagging listings.
    pub(crate) removed: Vec<(Location, Instance, Timestamp)>,
}

/// The settings of automatic deployment.
#[derive(Debug, Clone, Default)]
pub struct AutoDeployment {
    /// Whether accounts that join a targeted unit get stacks.
    pub enabled: bool,
    pub(crate) retain: bool,
    pub(crate) depends_on: Vec<String>,
}

/// The stack set's stack in one account and Region.
#[derive(Debug, Clone)]
pub struct Instance {
    /// The stack's id, once it exists.
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
    /// The previous state and its end, for lagging listings; `None` for a new instance.
    pub(crate) before: Option<Seen>,
    pub(crate) changed: Timestamp,
}

/// The part of an instance that changes and that listings show.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) status: &'static str,
    pub(crate) detailed: &'static str,
    pub(crate) operation: Option<Arc<str>>,
}

/// The work of an operation at each location.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    Create {
        overrides: BTreeMap<String, Given>,
    },
    /// For `UpdateStackSet` with a new template and parameters, or `UpdateStackInstances` with new
    /// overrides.
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
#[derive(Clone, Debug)]
pub struct Operation {
    /// From the request, or generated.
    pub id: Arc<str>,
    pub(crate) work: Work,
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `STOPPING`, `STOPPED` or `QUEUED`.
    pub status: &'static str,
    /// The time of the request, virtual.
    pub created: Timestamp,
    /// The time of completion, virtual.
    pub ended: Option<Timestamp>,
    pub(crate) preferences: Preferences,
    /// `DeploymentTargets` as in the request.
    pub(crate) targets: Value,
    /// Results so far, by account and Region.
    pub results: BTreeMap<Location, Outcome>,
    /// Remaining work in Region order.
    pub(crate) regions: Vec<RegionWork>,
    /// Applied to the stack set when the operation starts.
    pub(crate) change: Option<Change>,
    pub(crate) drift: Option<DriftDetails>,
    /// An injected fault: the operation hangs until it is stopped.
    pub(crate) stuck: bool,
    /// Work held back until the operation is stopped.
    pub(crate) held: Vec<operation::Job>,
}

/// The changes of `UpdateStackSet` to the stack set itself.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) description: Option<String>,
    pub(crate) auto: Option<AutoDeployment>,
    pub(crate) managed: Option<bool>,
    /// Whether the request has a template or parameters, which outdates every instance.
    pub(crate) outdates: bool,
}

/// The result of an operation in one account and Region.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// `PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED` or `CANCELLED`.
    pub status: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) unit: Arc<str>,
    /// The status before `changed`; empty if there was none.
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

/// The remaining work in one Region.
#[derive(Clone, Debug)]
pub(crate) struct RegionWork {
    pub(crate) region: Arc<str>,
    pub(crate) waiting: VecDeque<Arc<str>>,
    pub(crate) running: usize,
    pub(crate) failed: usize,
    pub(crate) tolerance: usize,
    pub(crate) limit: usize,
}

impl RegionWork {
    /// Whether failures exceed the tolerance.
    pub(crate) fn broken(&self) -> bool {
        self.failed > self.tolerance
    }

    pub(crate) fn done(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }
}

/// `OperationPreferences`: concurrency, Region order and failure tolerance.
#[derive(Debug, Clone, Default)]
pub(crate) struct Preferences {
    pub(crate) parallel: bool,
    pub(crate) order: Vec<Arc<str>>,
    pub(crate) tolerance: Amount,
    pub(crate) concurrency: Amount,
    /// Whether `ConcurrencyMode` is `SOFT_FAILURE_TOLERANCE`.
    pub(crate) soft: bool,
    /// As in the request.
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
    /// The number for `accounts` in total; percentages are rounded down.
    pub(crate) fn of(self, accounts: usize, unset: usize) -> usize {
        match self {
            Amount::Unset => unset,
            Amount::Count(count) => count,
            Amount::Percent(percent) => accounts * percent / 100,
        }
    }
}

/// A drift detection of a stack set.
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
        let done = self.drifted + self.in_sync + self.failed;
        let pending = match self.detection {
            "IN_PROGRESS" => self.total.saturating_sub(done),
            _ => 0,
        };
        json!({
            "DriftStatus": self.status(),
            "DriftDetectionStatus": self.detection,
            "LastDriftCheckTimestamp": iso(self.at),
            "TotalStackInstancesCount": self.total,
            "DriftedStackInstancesCount": self.drifted,
            "InSyncStackInstancesCount": self.in_sync,
            "InProgressStackInstancesCount": pending,
            "FailedStackInstancesCount": self.failed,
        })
    }
}

impl Operation {
    /// `CREATE`, `UPDATE`, `DELETE` or `DETECT_DRIFT`.
    pub fn action(&self) -> &'static str {
        self.work.action()
    }

    /// Whether it is running, stopping or queued.
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

    /// The summary in a listing that shows the state at `then`.
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
    /// A new instance, without a stack.
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

    /// Saves the current state for lagging listings; must be called before a change.
    pub(crate) fn remember(&mut self, now: Timestamp) {
        // No listing has seen an instance that changes at the moment of its creation.
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

    /// The instance in a listing that shows the state at `then`; `None` if it is absent.
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

    /// The first active operation: running, stopping or queued.
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
#[derive(Clone, Debug, Default)]
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

    /// Finds an existing stack set by name, or any by id or ARN.
    pub(crate) fn find(&self, region: &str, name: &str) -> Option<&StackSet> {
        let id = name.rsplit_once(":stackset/").map_or(name, |(_, id)| id);
        if id.contains(':') {
            return self.by_id.get(id).filter(|set| set.region == region);
        }
        // Ids start with `NAME:`, so this is a short range.
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
