//! The data model of a plan.

use std::collections::BTreeMap;

use compiler::Part;
use remedy::Remedy;
use serde::{Deserialize, Serialize};

use super::moves::Move;
use crate::fleet::Membership;
use crate::ports::{AccountState, Instance, Location};
use crate::rollout::BlockedLocation;

/// The changes that make the fleet match the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Id of the organization, `o-…`.
    pub organization: String,
    /// Reasons that make any deployment impossible or unsafe. Unless this is empty, nothing is
    /// changed.
    pub problems: Vec<Problem>,
    /// Stack sets in deployment order, followed by those to be deleted.
    pub stack_sets: Vec<StackSetPlan>,
    /// Stacks of the management account in deployment order, followed by those to be deleted.
    pub stacks: Vec<StackPlan>,
    /// Rules and forwarders that move between stack sets, sorted.
    pub moves: Vec<Move>,
    /// Number of watched accounts in use, including the management account if it gets a stack.
    pub accounts: usize,
    /// Number of watched Regions.
    pub regions: usize,
    /// What whoever reads the plan should know, such as what automatic deployment does. Clauses
    /// without a full stop.
    pub notes: Vec<String>,
    /// The Regions to which `regions: enabled` was resolved; empty if the organization file lists
    /// them. A deployment of the saved plan watches these, whatever has been enabled since.
    pub pinned_regions: Vec<String>,
    /// Estimated effort of carrying out the plan.
    pub estimate: Estimate,
    /// Hashes of the plan's inputs.
    pub basis: Basis,
}

/// Hashes of a plan's inputs. If both are unchanged, so is the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// Hash of the rules and the organization file.
    pub bundle: String,
    /// Hash of accounts, stack sets, instances and stacks.
    pub fleet: String,
}

/// Estimated effort of carrying out a plan. Minutes assume a minute and a half per stack, and as
/// many stacks at once as the operation preferences and StackSets allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Number of stack set operations.
    pub operations: usize,
    /// Number of instances to process; repairing one counts twice.
    pub instances: usize,
    /// Number of stacks of the management account to process.
    pub stacks: usize,
    /// Total minutes, including soaking.
    pub minutes: u64,
    /// Minutes of soaking alone.
    pub soak_minutes: u64,
}

/// A reason not to start a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Decides how programs handle the problem.
    pub kind: ProblemKind,
    /// A clause without a full stop.
    pub message: String,
    /// How to resolve the problem.
    pub fix: Remedy,
}

/// Kinds of reasons not to start a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// The credentials belong to another organization than the bundle.
    WrongOrganization,
    /// A newer version deployed the fleet, in a format that this one doesn't know.
    NewerFormat,
    /// The organization has another management account than the organization file says.
    WrongManagementAccount,
    /// StackSets has no trusted access to the organization.
    TrustedAccessOff,
    /// The log archive or hub account is missing or not active.
    AccountMissing,
    /// A target organizational unit contains no account.
    EmptyTarget,
    /// On the way, a bus would have more rules with wildcards than its quota.
    TooManyWildcards,
    /// An own trail is to be removed for one that doesn't feed the rules.
    TrailBroken,
    /// More instances would be removed than allowed without `--allow-delete`.
    TooManyRemovals,
}

/// The planned changes of one stack set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StackSetPlan {
    /// Unique in the administering account.
    pub name: String,
    /// The part of the alert chain; `None` if it is no longer in the bundle and has no part tag.
    pub part: Option<Part>,
    /// The change of the stack set itself, apart from its instances.
    pub change: Change,
    /// Instances to create, sorted.
    pub add: Vec<Location>,
    /// Instances to update, sorted.
    pub update: Vec<Location>,
    /// Instances to remove, sorted.
    pub remove: Vec<Location>,
    /// Those of `remove` whose stack stays in its account.
    pub left_behind: Vec<LeftBehind>,
    /// Instances that no operation can reach. They and their leftover stacks are removed, then they
    /// are created again.
    pub repair: Vec<Repair>,
    /// Number of instances that match the bundle.
    pub unchanged: usize,
    /// `unchanged` by Region.
    pub unchanged_in: BTreeMap<String, usize>,
    /// Locations where nothing can be deployed or removed now.
    pub blocked: Vec<BlockedLocation>,
    /// The template change expressed as rule changes.
    pub rules: Vec<RuleChange>,
    /// Ids of operations that are running now.
    pub in_progress: Vec<String>,
}

impl StackSetPlan {
    /// A change of the stack set itself, with no instances yet.
    pub fn new(name: impl Into<String>, part: Option<Part>, change: Change) -> Self {
        Self {
            name: name.into(),
            part,
            change,
            add: Vec::new(),
            update: Vec::new(),
            remove: Vec::new(),
            left_behind: Vec::new(),
            repair: Vec::new(),
            unchanged: 0,
            unchanged_in: BTreeMap::new(),
            blocked: Vec::new(),
            rules: Vec::new(),
            in_progress: Vec::new(),
        }
    }

    /// Whether nothing needs to change.
    pub fn is_unchanged(&self) -> bool {
        self.is_deployed() && self.remove.is_empty()
    }

    /// Whether nothing needs to change except removals.
    pub(crate) fn is_deployed(&self) -> bool {
        self.change == Change::Unchanged
            && self.add.is_empty()
            && self.update.is_empty()
            && self.repair.is_empty()
    }
}

/// Counts of instances by planned action, for one Region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cells {
    /// Instances to create.
    pub create: usize,
    /// Instances to update.
    pub update: usize,
    /// Instances to remove.
    pub delete: usize,
    /// Instances to remove and create again.
    pub repair: usize,
    /// Locations where nothing can be deployed or removed now.
    pub blocked: usize,
    /// Instances that match the bundle.
    pub unchanged: usize,
}

impl StackSetPlan {
    /// Counts the planned actions by Region.
    pub fn matrix(&self) -> BTreeMap<&str, Cells> {
        let mut cells: BTreeMap<&str, Cells> = BTreeMap::new();
        for location in &self.add {
            cells.entry(&location.region).or_default().create += 1;
        }
        for location in &self.update {
            cells.entry(&location.region).or_default().update += 1;
        }
        for location in &self.remove {
            cells.entry(&location.region).or_default().delete += 1;
        }
        for repair in &self.repair {
            cells.entry(&repair.location.region).or_default().repair += 1;
        }
        for blocked in &self.blocked {
            cells.entry(&blocked.location.region).or_default().blocked += 1;
        }
        for (region, count) in &self.unchanged_in {
            cells.entry(region).or_default().unchanged += count;
        }
        cells
    }
}

/// An instance that no operation can reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Repair {
    /// Account and Region.
    pub location: Location,
    /// Status and reason, such as `INOPERABLE: the deletion of its stack failed`.
    pub reason: String,
    /// Id of its stack, if it still exists.
    pub stack_id: Option<String>,
}

impl Repair {
    /// The repair of an instance.
    pub(crate) fn of(instance: &Instance) -> Repair {
        let state = match (&instance.status, instance.detailed_status.as_deref()) {
            (_, Some(detailed @ ("FAILED_IMPORT" | "SKIPPED_SUSPENDED_ACCOUNT"))) => detailed,
            _ => "INOPERABLE",
        };
        let why = instance.reason.as_deref().unwrap_or("no reason given");
        Repair {
            location: instance.location(),
            reason: format!("{state}: {why}"),
            stack_id: instance.stack_id.clone(),
        }
    }
}

/// An instance whose stack stays when the instance is removed, because StackSets can't reach the
/// account. AWS keeps it until somebody deletes it in the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftBehind {
    /// Account and Region.
    pub location: Location,
    /// Id of the stack, if CloudFormation still knows it.
    pub stack_id: Option<String>,
    /// A clause without a full stop, such as `the account has left the organization`.
    pub reason: String,
}

impl LeftBehind {
    /// What stays of an instance; `None` if its account is in use.
    pub(crate) fn of(instance: &Instance, membership: &Membership) -> Option<LeftBehind> {
        let reason = match membership.account(&instance.account) {
            None => "the account has left the organization".to_owned(),
            Some(account) if account.state != AccountState::Active => {
                format!("the account is {}", account.state.describe())
            }
            Some(_) => return None,
        };
        Some(LeftBehind {
            location: instance.location(),
            stack_id: instance.stack_id.clone(),
            reason,
        })
    }
}

/// The planned change of a stack in the management account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StackPlan {
    /// Unique in the location.
    pub name: String,
    /// The part of the alert chain; `None` if it is no longer in the bundle and has no part tag.
    pub part: Option<Part>,
    /// The management account and a Region.
    pub location: Location,
    /// The change of the stack.
    pub change: Change,
    /// The template change expressed as rule changes.
    pub rules: Vec<RuleChange>,
}

/// The planned change of a stack set or stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Change {
    /// It doesn't exist and is created.
    Create,
    /// It exists and is updated.
    Update {
        /// How it differs from the bundle.
        reasons: Vec<Reason>,
    },
    /// Its first creation failed; it is deleted and created again.
    Replace {
        /// Present status, such as `ROLLBACK_COMPLETE`.
        status: String,
    },
    /// It is no longer in the bundle and is deleted.
    Delete,
    /// It matches the bundle.
    Unchanged,
    /// It differs from the bundle but must not be changed.
    Blocked {
        /// A clause without a full stop.
        reason: String,
    },
}

impl Change {
    /// The change as one lowercase word for reports.
    pub fn word(&self) -> &'static str {
        match self {
            Change::Create => "create",
            Change::Update { .. } => "update",
            Change::Replace { .. } => "replace",
            Change::Delete => "delete",
            Change::Unchanged => "unchanged",
            Change::Blocked { .. } => "blocked",
        }
    }
}

/// How a stack set or stack differs from the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reason", content = "names")]
pub enum Reason {
    /// The templates differ.
    Template,
    /// Names of parameters whose values differ.
    Parameters(Vec<String>),
    /// Keys of tags whose values differ.
    Tags(Vec<String>),
    /// An earlier version deployed it. These tags, which say whose it is, are added or differ.
    Adoption(Vec<String>),
    /// The descriptions differ.
    Description,
    /// Automatic deployment must be switched on or off.
    AutoDeployment,
    /// CloudFormation is changing the stack now, in this status; the outcome is still open.
    InProgress(String),
    /// The topics no longer let EventBridge publish without a role, so they are updated only after
    /// all detections that relied on it.
    WithdrawsPublishing,
}

impl Reason {
    /// Words for reports: `template`, `parameters HubBusArn`.
    pub fn describe(&self) -> String {
        match self {
            Reason::Template => "template".to_owned(),
            Reason::Parameters(names) => format!("parameters {}", names.join(", ")),
            Reason::Tags(names) => format!("tags {}", names.join(", ")),
            Reason::Adoption(names) => format!(
                "adopted from an earlier version by its tags {}",
                names.join(", ")
            ),
            Reason::Description => "description".to_owned(),
            Reason::AutoDeployment => "auto-deployment".to_owned(),
            Reason::InProgress(status) => format!("it is in {status}"),
            Reason::WithdrawsPublishing => {
                "EventBridge's permission to publish without a role, withdrawn after the detections \
                 have their role"
                    .to_owned()
            }
        }
    }
}

/// The planned change of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleChangeKind {
    /// The rule is new.
    Added,
    /// The rule changes.
    Changed,
    /// The rule is removed.
    Removed,
    /// The rule moves to another stack set.
    Moved,
}

impl RuleChangeKind {
    /// The change as one lowercase word for reports.
    pub fn word(self) -> &'static str {
        match self {
            RuleChangeKind::Added => "added",
            RuleChangeKind::Changed => "changed",
            RuleChangeKind::Removed => "removed",
            RuleChangeKind::Moved => "moved",
        }
    }
}

/// A rule that is added, changed or removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RuleChange {
    /// Unique in the rule library.
    pub rule: String,
    /// Whether it is added, changed or removed.
    pub change: RuleChangeKind,
    /// What changes: `severity medium -> high`, `event pattern`.
    pub details: Vec<String>,
}

/// Counts of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlanSummary {
    /// Stack sets and stacks to create or replace.
    pub create: usize,
    /// Stack sets and stacks to update.
    pub update: usize,
    /// Stack sets and stacks to delete.
    pub delete: usize,
    /// Stack sets and stacks that don't change themselves.
    pub unchanged: usize,
    /// Stack sets and stacks that must not be changed.
    pub blocked: usize,
    /// Stack instances to create.
    pub instances_add: usize,
    /// Stack instances to update.
    pub instances_update: usize,
    /// Stack instances to remove.
    pub instances_remove: usize,
    /// Stack instances to remove and create again.
    pub instances_repair: usize,
    /// Stack instances that match the bundle.
    pub instances_unchanged: usize,
    /// Stack instances that can't be deployed or removed now.
    pub instances_blocked: usize,
}

impl Plan {
    /// Whether the fleet matches the bundle, except where it can't be changed.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
            && self.stack_sets.iter().all(StackSetPlan::is_unchanged)
            && self.stacks.iter().all(|s| s.change == Change::Unchanged)
    }

    /// Counts stack sets, stacks and instances by change.
    pub fn summary(&self) -> PlanSummary {
        let mut sum = PlanSummary::default();
        let changes = self
            .stack_sets
            .iter()
            .map(|s| &s.change)
            .chain(self.stacks.iter().map(|s| &s.change));
        for change in changes {
            match change {
                Change::Create | Change::Replace { .. } => sum.create += 1,
                Change::Update { .. } => sum.update += 1,
                Change::Delete => sum.delete += 1,
                Change::Unchanged => sum.unchanged += 1,
                Change::Blocked { .. } => sum.blocked += 1,
            }
        }
        for set in &self.stack_sets {
            sum.instances_add += set.add.len();
            sum.instances_update += set.update.len();
            sum.instances_remove += set.remove.len();
            sum.instances_repair += set.repair.len();
            sum.instances_unchanged += set.unchanged;
            sum.instances_blocked += set.blocked.len();
        }
        sum
    }

    /// All rule changes, one per rule, sorted by id.
    pub fn rules(&self) -> Vec<RuleChange> {
        let all = self
            .stack_sets
            .iter()
            .flat_map(|s| &s.rules)
            .chain(self.stacks.iter().flat_map(|s| &s.rules));
        let mut merged: BTreeMap<&str, RuleChange> = BTreeMap::new();
        for change in all {
            merged
                .entry(&change.rule)
                .and_modify(|known| {
                    // A rule that is added in one stack set and removed in another part changes.
                    let kinds = [known.change, change.change];
                    if kinds.contains(&RuleChangeKind::Moved) {
                        known.change = RuleChangeKind::Moved;
                    } else if known.change != change.change {
                        known.change = RuleChangeKind::Changed;
                    }
                    known.details.extend(change.details.clone());
                    known.details.sort();
                    known.details.dedup();
                })
                .or_insert_with(|| change.clone());
        }
        merged.into_values().collect()
    }
}
