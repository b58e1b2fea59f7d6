//! CloudFormation StackSets, service-managed.
//!
//! AWS: <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackSet.html>

use std::collections::BTreeMap;
use std::future::Future;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value;

use super::{CloudError, Location};

/// A stack set in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StackSetSummary {
    /// Its name.
    pub name: String,
    /// Its id, `name:uuid`.
    pub id: String,
}

/// Automatic deployment to accounts that join a target organizational unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AutoDeployment {
    /// Whether new accounts get the stack.
    pub enabled: bool,
    /// Whether an account that leaves keeps its stacks.
    pub retain_stacks: bool,
}

/// A stack set as CloudFormation describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StackSetDetails {
    /// Its name.
    pub name: String,
    /// Its id, `name:uuid`.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Free text.
    pub description: String,
    /// The template's text, as it was given.
    pub template: String,
    /// Parameter values by name.
    pub parameters: BTreeMap<String, String>,
    /// Tags by key.
    pub tags: BTreeMap<String, String>,
    /// `CAPABILITY_IAM` and the like.
    pub capabilities: Vec<String>,
    /// Automatic deployment, if the endpoint reports it.
    pub auto_deployment: Option<AutoDeployment>,
    /// Whether conflicting operations are queued instead of refused, if the endpoint reports it.
    pub managed_execution: Option<bool>,
    /// The organizational units it was deployed to.
    pub organizational_units: Vec<String>,
}

/// What `CreateStackSet` needs. The permission model is always `SERVICE_MANAGED`, managed
/// execution always active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewStackSet {
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// More than 51,200 bytes only with an artifact bucket.
    pub template: String,
    /// Parameter values by name.
    pub parameters: BTreeMap<String, String>,
    /// Tags by key.
    pub tags: BTreeMap<String, String>,
    /// `CAPABILITY_IAM` and the like.
    pub capabilities: Vec<String>,
    /// Automatic deployment.
    pub auto_deployment: AutoDeployment,
    /// Makes a repeated call harmless.
    pub token: String,
}

/// How the accounts of [`DeploymentTargets`] relate to its organizational units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "filter", content = "accounts")]
pub enum AccountSelection {
    /// All accounts of the units.
    All,
    /// Those accounts of the units that are listed.
    Intersection(Vec<String>),
    /// Those accounts of the units that are not listed.
    Difference(Vec<String>),
}

/// Which accounts an operation is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeploymentTargets {
    /// Organizational units or the root, at most 50 per call.
    pub organizational_units: Vec<String>,
    /// Which of their accounts.
    pub accounts: AccountSelection,
}

/// A number of accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tolerance {
    /// This many.
    Count(u32),
    /// A percentage, rounded down.
    Percentage(u32),
}

/// Whether Regions are worked through one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionConcurrency {
    /// One after the other; a failed one stops the rest.
    Sequential,
    /// At the same time.
    Parallel,
}

/// What failures do to the number of accounts worked on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConcurrencyMode {
    /// Never more at once than failures are still tolerated, plus one.
    StrictFailureTolerance,
    /// Always as many as allowed.
    SoftFailureTolerance,
}

/// How an operation works through its instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Preferences {
    /// Regions one by one or together.
    pub region_concurrency: RegionConcurrency,
    /// Failed accounts per Region that do not stop the operation.
    pub failure_tolerance: Tolerance,
    /// Accounts at once per Region.
    pub max_concurrent: Tolerance,
    /// What a failure does to the concurrency.
    pub mode: ConcurrencyMode,
}

/// What `UpdateStackSet` needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StackSetUpdate {
    /// Which stack set.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The new template; `None` keeps the previous one.
    pub template: Option<String>,
    /// All parameter values, changed or not.
    pub parameters: BTreeMap<String, String>,
    /// All tags, changed or not.
    pub tags: BTreeMap<String, String>,
    /// `CAPABILITY_IAM` and the like.
    pub capabilities: Vec<String>,
    /// Automatic deployment, if it changes. Not together with targets (the API refuses it).
    pub auto_deployment: Option<AutoDeployment>,
    /// Which accounts; `None` means every instance.
    pub targets: Option<DeploymentTargets>,
    /// Which Regions; empty means every instance.
    pub regions: Vec<String>,
    /// How to work through them.
    pub preferences: Preferences,
    /// Also the idempotency token.
    pub operation_id: String,
}

/// What creating, updating and deleting instances needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstanceRequest {
    /// Which stack set.
    pub stack_set: String,
    /// Which accounts.
    pub targets: DeploymentTargets,
    /// Which Regions.
    pub regions: Vec<String>,
    /// How to work through them.
    pub preferences: Preferences,
    /// Also the idempotency token.
    pub operation_id: String,
    /// Only for deletion: forget the instance, leave its stack.
    pub retain_stacks: bool,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Instances are created.
    Create,
    /// Instances are updated.
    Update,
    /// Instances are deleted.
    Delete,
    /// Drift is looked for.
    DetectDrift,
}

/// The state of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationStatus {
    /// Waits for another operation of the stack set.
    Queued,
    /// Runs.
    Running,
    /// Is being stopped.
    Stopping,
    /// Was stopped.
    Stopped,
    /// Done, possibly with failures within the tolerance.
    Succeeded,
    /// Failures went over the tolerance.
    Failed,
    /// A status this version doesn't know; treated as pending.
    Other(String),
}

impl OperationStatus {
    /// Whether the operation can still change something.
    pub fn is_pending(&self) -> bool {
        matches!(
            self,
            OperationStatus::Queued
                | OperationStatus::Running
                | OperationStatus::Stopping
                | OperationStatus::Other(_)
        )
    }
}

/// An operation in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OperationSummary {
    /// Its id.
    pub id: String,
    /// What it does, if known to this version.
    pub action: Option<Action>,
    /// Its state.
    pub status: OperationStatus,
    /// When it ended, if it has.
    pub ended: Option<SystemTime>,
}

/// What a drift detection counted, in stack instances.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DriftCounts {
    /// All.
    pub total: u32,
    /// With drift.
    pub drifted: u32,
    /// Without.
    pub in_sync: u32,
    /// That could not be checked.
    pub failed: u32,
    /// When, in RFC 3339, if reported.
    pub checked: Option<String>,
}

/// An operation as CloudFormation describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// Its id.
    pub id: String,
    /// What it does, if known to this version.
    pub action: Option<Action>,
    /// Its state.
    pub status: OperationStatus,
    /// When it ended, if it has.
    pub ended: Option<SystemTime>,
    /// Why, if it says so.
    pub reason: Option<String>,
    /// How many instances failed, if it says so.
    pub failed_instances: Option<u32>,
    /// Only of a drift detection.
    pub drift: Option<DriftCounts>,
}

/// Outcome of an operation in one account and Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultStatus {
    /// Not begun.
    Pending,
    /// Begun.
    Running,
    /// Done.
    Succeeded,
    /// Failed.
    Failed,
    /// Never begun, since the operation stopped before.
    Cancelled,
    /// A status this version doesn't know.
    Other(String),
}

/// An operation's result in one account and Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OperationResult {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// Outcome.
    pub status: ResultStatus,
    /// Why, if it says so.
    pub reason: Option<String>,
}

/// Whether an instance matches its stack set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceStatus {
    /// Up to date.
    Current,
    /// Not up to date, or its last operation failed.
    Outdated,
    /// Its deletion failed; excluded from operations until repaired by hand.
    Inoperable,
    /// A status this version doesn't know; never taken for current.
    Other(String),
}

/// A stack instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// The organizational unit it was deployed through, if reported.
    pub organizational_unit: Option<String>,
    /// The stack; an instance may exist without one.
    pub stack_id: Option<String>,
    /// Whether it is up to date.
    pub status: InstanceStatus,
    /// `SUCCEEDED`, `FAILED`, `SKIPPED_SUSPENDED_ACCOUNT`, …, if reported.
    pub detailed_status: Option<String>,
    /// Why, if it says so.
    pub reason: Option<String>,
    /// `DRIFTED`, `IN_SYNC`, `NOT_CHECKED`, …, if reported.
    pub drift_status: Option<String>,
    /// The operation that worked on it last, if reported.
    pub last_operation: Option<String>,
}

impl Instance {
    /// Where it is.
    pub fn location(&self) -> Location {
        Location::new(&self.account, &self.region)
    }
}

/// Drift of one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceDriftStatus {
    /// As in the template.
    InSync,
    /// Some property differs.
    Modified,
    /// It is gone.
    Deleted,
    /// CloudFormation can't say.
    NotChecked,
}

/// A property that is not as in the template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PropertyDifference {
    /// JSON pointer into the resource's properties.
    pub path: String,
    /// As in the template.
    pub expected: String,
    /// As found.
    pub actual: String,
    /// `ADD`, `REMOVE` or `NOT_EQUAL`.
    pub kind: String,
}

/// The result of drift detection for one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResourceDrift {
    /// Its name in the template.
    pub logical_id: String,
    /// Its name in the account, if reported.
    pub physical_id: Option<String>,
    /// Such as `AWS::Events::Rule`.
    pub resource_type: String,
    /// What was found.
    pub status: ResourceDriftStatus,
    /// Every differing property.
    pub differences: Vec<PropertyDifference>,
    /// All properties as in the template, if reported.
    pub expected: Option<Value>,
    /// All properties as found, if reported.
    pub actual: Option<Value>,
}

/// Service-managed stack sets.
pub trait StackSets {
    /// Every active stack set.
    fn list_stack_sets(
        &self,
    ) -> impl Future<Output = Result<Vec<StackSetSummary>, CloudError>> + Send;

    /// One stack set; `None` if there is none by that name.
    fn describe_stack_set(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Option<StackSetDetails>, CloudError>> + Send;

    /// Creates a stack set without instances.
    fn create_stack_set(
        &self,
        new: &NewStackSet,
    ) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// Starts an update; returns the operation's id.
    fn update_stack_set(
        &self,
        update: &StackSetUpdate,
    ) -> impl Future<Output = Result<String, CloudError>> + Send;

    /// Removes a stack set that has no instances.
    fn delete_stack_set(&self, name: &str) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// Starts the creation of instances; returns the operation's id.
    fn create_instances(
        &self,
        request: &InstanceRequest,
    ) -> impl Future<Output = Result<String, CloudError>> + Send;

    /// Starts bringing instances to the stack set's present template and parameters, without
    /// touching any other instance; returns the operation's id.
    fn update_instances(
        &self,
        request: &InstanceRequest,
    ) -> impl Future<Output = Result<String, CloudError>> + Send;

    /// Starts the deletion of instances; returns the operation's id.
    fn delete_instances(
        &self,
        request: &InstanceRequest,
    ) -> impl Future<Output = Result<String, CloudError>> + Send;

    /// Every instance of a stack set.
    fn list_instances(
        &self,
        stack_set: &str,
    ) -> impl Future<Output = Result<Vec<Instance>, CloudError>> + Send;

    /// One operation; `None` if the stack set has none by that id.
    fn describe_operation(
        &self,
        stack_set: &str,
        operation: &str,
    ) -> impl Future<Output = Result<Option<Operation>, CloudError>> + Send;

    /// The stack set's latest operations, newest first, at most a page of 100.
    fn list_operations(
        &self,
        stack_set: &str,
    ) -> impl Future<Output = Result<Vec<OperationSummary>, CloudError>> + Send;

    /// Every result of an operation. Eventually consistent.
    fn list_operation_results(
        &self,
        stack_set: &str,
        operation: &str,
    ) -> impl Future<Output = Result<Vec<OperationResult>, CloudError>> + Send;

    /// Asks AWS to stop an operation: what has not begun is cancelled.
    fn stop_operation(
        &self,
        stack_set: &str,
        operation: &str,
    ) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// Starts drift detection on every instance; returns the operation's id.
    fn detect_stack_set_drift(
        &self,
        stack_set: &str,
        preferences: Preferences,
        operation_id: &str,
    ) -> impl Future<Output = Result<String, CloudError>> + Send;

    /// The instances in which the latest drift detection found drift.
    fn list_drifted_instances(
        &self,
        stack_set: &str,
    ) -> impl Future<Output = Result<Vec<Location>, CloudError>> + Send;

    /// What a finished drift detection found in one instance.
    fn list_instance_resource_drifts(
        &self,
        stack_set: &str,
        operation: &str,
        account: &str,
        region: &str,
    ) -> impl Future<Output = Result<Vec<ResourceDrift>, CloudError>> + Send;
}
