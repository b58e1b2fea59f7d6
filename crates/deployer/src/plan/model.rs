//! What a plan says.

use std::collections::BTreeMap;

use compiler::Part;
use remedy::Remedy;
use serde::{Deserialize, Serialize};

use crate::ports::{Instance, Location};
use crate::rollout::BlockedLocation;

/// All that must change for the fleet to equal the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Id of the organization, `o-…`.
    pub organization: String,
    /// What makes any deployment impossible or unsafe. While there are any, nothing is touched.
    pub problems: Vec<Problem>,
    /// Stack sets in the order of deployment, those to be deleted last.
    pub stack_sets: Vec<StackSetPlan>,
    /// The management account's stacks in the order of deployment, those to be deleted last.
    pub stacks: Vec<StackPlan>,
    /// Accounts that the bundle is meant for and that are in use, the management account included.
    pub accounts: usize,
    /// Watched Regions.
    pub regions: usize,
    /// What it will take.
    pub estimate: Estimate,
    /// What the plan was made from.
    pub basis: Basis,
}

/// Hashes of what a plan was made from. As long as both stay the same, so does the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// Of the rules and the organization file.
    pub bundle: String,
    /// Of accounts, stack sets, instances and stacks.
    pub fleet: String,
}

/// What carrying a plan out will take. Minutes are a guess: a minute and a half for each stack, and
/// as many at once as the operations' preferences and StackSets allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Stack set operations.
    pub operations: usize,
    /// Stack instances that are worked on; one that is repaired counts twice.
    pub instances: usize,
    /// Stacks of the management account that are worked on.
    pub stacks: usize,
    /// Minutes, soaking included.
    pub minutes: u64,
    /// Minutes of soaking.
    pub soak_minutes: u64,
}

/// A reason not to begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What kind of reason.
    pub kind: ProblemKind,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub fix: Remedy,
}

/// Kinds of reasons not to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// The credentials belong to another organization than the bundle.
    WrongOrganization,
    /// The organization file names another management account than the organization has.
    WrongManagementAccount,
    /// StackSets has no trusted access to the organization.
    TrustedAccessOff,
    /// An account that plays a part is missing or not active.
    AccountMissing,
    /// A target organizational unit holds no account.
    EmptyTarget,
    /// More instances would be removed than may be without saying so.
    TooManyRemovals,
}

/// What happens to a stack set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StackSetPlan {
    /// Its name.
    pub name: String,
    /// Its part of the chain; `None` if it is no longer in the bundle and untagged.
    pub part: Option<Part>,
    /// What happens to the stack set itself.
    pub change: Change,
    /// Instances to be created, sorted.
    pub add: Vec<Location>,
    /// Instances to be updated, sorted.
    pub update: Vec<Location>,
    /// Instances to be removed, sorted.
    pub remove: Vec<Location>,
    /// Instances that no operation can reach: removed with the remains of their stacks, and created
    /// again.
    pub repair: Vec<Repair>,
    /// Instances that are as they should be.
    pub unchanged: usize,
    /// The same by Region.
    pub unchanged_in: BTreeMap<String, usize>,
    /// Places that can't be brought into line now.
    pub blocked: Vec<BlockedLocation>,
    /// The change in terms of rules.
    pub rules: Vec<RuleChange>,
    /// Operations that run right now.
    pub in_progress: Vec<String>,
}

impl StackSetPlan {
    /// A change of the stack set itself that as yet concerns no instance.
    pub fn new(name: impl Into<String>, part: Option<Part>, change: Change) -> Self {
        Self {
            name: name.into(),
            part,
            change,
            add: Vec::new(),
            update: Vec::new(),
            remove: Vec::new(),
            repair: Vec::new(),
            unchanged: 0,
            unchanged_in: BTreeMap::new(),
            blocked: Vec::new(),
            rules: Vec::new(),
            in_progress: Vec::new(),
        }
    }

    /// Whether there is nothing to do.
    pub fn is_unchanged(&self) -> bool {
        self.is_deployed() && self.remove.is_empty()
    }

    /// Whether there is nothing to do except removals.
    pub(crate) fn is_deployed(&self) -> bool {
        self.change == Change::Unchanged
            && self.add.is_empty()
            && self.update.is_empty()
            && self.repair.is_empty()
    }
}

/// Cells of the matrix of accounts and Regions, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cells {
    /// Instances to be created.
    pub create: usize,
    /// Instances to be updated.
    pub update: usize,
    /// Instances to be removed.
    pub delete: usize,
    /// Instances to remove and create again.
    pub repair: usize,
    /// Places that can't be brought into line now.
    pub blocked: usize,
    /// Instances as they should be.
    pub unchanged: usize,
}

impl StackSetPlan {
    /// The matrix of accounts and Regions, counted by Region.
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
    /// Where.
    pub location: Location,
    /// Why, such as `INOPERABLE: the deletion of its stack failed`.
    pub reason: String,
    /// The id of its stack, if there still is one.
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

/// What happens to a stack in the management account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StackPlan {
    /// Its name.
    pub name: String,
    /// Its part of the chain; `None` if it is no longer in the bundle and untagged.
    pub part: Option<Part>,
    /// The management account and a Region.
    pub location: Location,
    /// What happens to it.
    pub change: Change,
    /// The change in terms of rules.
    pub rules: Vec<RuleChange>,
}

/// What happens to a stack set or stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Change {
    /// It is made.
    Create,
    /// It exists and becomes different.
    Update {
        /// In which respects.
        reasons: Vec<Reason>,
    },
    /// Its first creation failed; what is left of it is deleted, then it is made.
    Replace {
        /// Its present status, such as `ROLLBACK_COMPLETE`.
        status: String,
    },
    /// It goes.
    Delete,
    /// It stays.
    Unchanged,
    /// It would have to change but must not be touched.
    Blocked {
        /// Why.
        reason: String,
    },
}

impl Change {
    /// One word for it.
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

/// A respect in which a stack set or stack differs from the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reason", content = "names")]
pub enum Reason {
    /// The template says something else.
    Template,
    /// These parameters have other values.
    Parameters(Vec<String>),
    /// These tags have other values.
    Tags(Vec<String>),
    /// The description.
    Description,
    /// Automatic deployment is to be switched.
    AutoDeployment,
    /// CloudFormation is working on the stack right now; how that ends decides.
    InProgress(String),
}

impl Reason {
    /// In words: `template`, `parameters HubBusArn`.
    pub fn describe(&self) -> String {
        match self {
            Reason::Template => "template".to_owned(),
            Reason::Parameters(names) => format!("parameters {}", names.join(", ")),
            Reason::Tags(names) => format!("tags {}", names.join(", ")),
            Reason::Description => "description".to_owned(),
            Reason::AutoDeployment => "auto-deployment".to_owned(),
            Reason::InProgress(status) => format!("it is in {status}"),
        }
    }
}

/// What happens to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleChangeKind {
    /// It is new.
    Added,
    /// It becomes different.
    Changed,
    /// It goes.
    Removed,
}

impl RuleChangeKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            RuleChangeKind::Added => "added",
            RuleChangeKind::Changed => "changed",
            RuleChangeKind::Removed => "removed",
        }
    }
}

/// A rule that is added, changed or removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RuleChange {
    /// The rule's id.
    pub rule: String,
    /// What happens to it.
    pub change: RuleChangeKind,
    /// In which respects: `severity medium -> high`, `event pattern`.
    pub details: Vec<String>,
}

/// A plan in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlanSummary {
    /// Stack sets and stacks to be created or replaced.
    pub create: usize,
    /// Stack sets and stacks to be updated.
    pub update: usize,
    /// Stack sets and stacks to be deleted.
    pub delete: usize,
    /// Stack sets and stacks without a change of their own.
    pub unchanged: usize,
    /// Stack sets and stacks that must not be touched.
    pub blocked: usize,
    /// Stack instances to be created.
    pub instances_add: usize,
    /// Stack instances to be updated.
    pub instances_update: usize,
    /// Stack instances to be removed.
    pub instances_remove: usize,
    /// Stack instances to remove and create again.
    pub instances_repair: usize,
    /// Stack instances as they should be.
    pub instances_unchanged: usize,
    /// Stack instances that can't be deployed or removed now.
    pub instances_blocked: usize,
}

impl Plan {
    /// Whether the fleet equals the bundle already, as far as it can be changed at all.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
            && self.stack_sets.iter().all(StackSetPlan::is_unchanged)
            && self.stacks.iter().all(|s| s.change == Change::Unchanged)
    }

    /// The plan in numbers.
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

    /// Every rule that is added, changed or removed anywhere, each once, sorted by id.
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
                    // Added here and removed there is a move: users see a changed rule.
                    if known.change != change.change {
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
