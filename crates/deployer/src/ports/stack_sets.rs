//! Service-managed CloudFormation stack sets.
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
    /// Unique among the active stack sets of the administrator account and Region.
    pub name: String,
    /// `name:uuid`
    pub id: String,
}

/// Automatic deployment to accounts that join a target organizational unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AutoDeployment {
    /// Whether accounts that join get the stack.
    pub enabled: bool,
    /// Whether an account that leaves keeps its stack.
    pub retain_stacks: bool,
}

/// A stack set as CloudFormation describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StackSetDetails {
    /// Unique among the active stack sets of the administrator account and Region.
    pub name: String,
    /// `name:uuid`
    pub id: String,
    /// Ends in the id.
    pub arn: String,
    /// Free text, at most 1,024 characters.
    pub description: String,
    /// The template as it was submitted.
    pub template: String,
    /// Parameter values by name.
    pub parameters: BTreeMap<String, String>,
    /// Tags by key; StackSets copies them to every stack.
    pub tags: BTreeMap<String, String>,
    /// Such as `CAPABILITY_IAM`.
    pub capabilities: Vec<String>,
    /// `None` if the endpoint doesn't report it.
    pub auto_deployment: Option<AutoDeployment>,
    /// Whether conflicting operations are queued instead of refused; `None` if the endpoint doesn't
    /// report it.
    pub managed_execution: Option<bool>,
    /// Ids of the organizational units it was deployed to.
    pub organizational_units: Vec<String>,
}

/// The input of `CreateStackSet`. The permission model is always `SERVICE_MANAGED`, and managed
/// execution is always on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewStackSet {
    /// Must not be in use by another active stack set.
    pub name: String,
    /// Free text, at most 1,024 characters.
    pub description: String,
    /// More than 51,200 bytes require an artifact bucket.
    pub template: String,
    /// Parameter values by name.
    pub parameters: BTreeMap<String, String>,
    /// Tags by key; StackSets copies them to every stack.
    pub tags: BTreeMap<String, String>,
    /// Such as `CAPABILITY_IAM`.
    pub capabilities: Vec<String>,
    /// Applies to accounts that join later.
    pub auto_deployment: AutoDeployment,
    /// Idempotency token: repeating the call with it has no further effect.
    pub token: String,
}

/// Selects accounts within the organizational units of [`DeploymentTargets`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "filter", content = "accounts")]
pub enum AccountSelection {
    /// All accounts of the units.
    All,
    /// Only the listed accounts of the units.
    Intersection(Vec<String>),
    /// All accounts of the units except the listed ones.
    Difference(Vec<String>),
}

/// The accounts that an operation targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeploymentTargets {
    /// Ids of organizational units or the root, at most 50 per call.
    pub organizational_units: Vec<String>,
    /// Narrows the units to some of their accounts.
    pub accounts: AccountSelection,
}

/// A number of accounts per Region, absolute or relative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tolerance {
    /// An absolute number.
    Count(u32),
    /// A percentage of the targeted accounts, rounded down.
    Percentage(u32),
}

/// Whether an operation processes Regions sequentially.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionConcurrency {
    /// One Region at a time; the operation stops before the next one if too many accounts fail.
    Sequential,
    /// All Regions at the same time.
    Parallel,
}

/// How failures affect the number of accounts processed concurrently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConcurrencyMode {
    /// At most the remaining failure tolerance plus one.
    StrictFailureTolerance,
    /// Always up to the configured maximum.
    SoftFailureTolerance,
}

/// How an operation processes its instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Preferences {
    /// Sequential or parallel Regions.
    pub region_concurrency: RegionConcurrency,
    /// Failed accounts per Region that don't stop the operation.
    pub failure_tolerance: Tolerance,
    /// Accounts processed concurrently per Region.
    pub max_concurrent: Tolerance,
    /// How failures reduce concurrency.
    pub mode: ConcurrencyMode,
}

/// The input of `UpdateStackSet`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StackSetUpdate {
    /// Name of an existing stack set.
    pub name: String,
    /// Free text, at most 1,024 characters.
    pub description: String,
    /// The new template; `None` keeps the previous one.
    pub template: Option<String>,
    /// All parameter values, including unchanged ones.
    pub parameters: BTreeMap<String, String>,
    /// All tags, including unchanged ones.
    pub tags: BTreeMap<String, String>,
    /// Such as `CAPABILITY_IAM`.
    pub capabilities: Vec<String>,
    /// `None` keeps the present setting. The API rejects it together with targets.
    pub auto_deployment: Option<AutoDeployment>,
    /// The accounts to update; `None` updates every instance.
    pub targets: Option<DeploymentTargets>,
    /// The Regions to update; empty updates every instance.
    pub regions: Vec<String>,
    /// How to process the instances.
    pub preferences: Preferences,
    /// Also serves as idempotency token.
    pub operation_id: String,
}

/// The input of the calls that create, update and delete instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstanceRequest {
    /// Name of an existing stack set.
    pub stack_set: String,
    /// The accounts of the instances.
    pub targets: DeploymentTargets,
    /// The Regions of the instances.
    pub regions: Vec<String>,
    /// How to process the instances.
    pub preferences: Preferences,
    /// Also serves as idempotency token.
    pub operation_id: String,
    /// Only for deletion: removes the instance but keeps its stack.
    pub retain_stacks: bool,
}

/// The kind of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Creates stack instances.
    Create,
    /// Updates stack instances.
    Update,
    /// Deletes stack instances.
    Delete,
    /// Detects drift and changes nothing.
    DetectDrift,
}

/// The status of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationStatus {
    /// Waiting for another operation of the stack set.
    Queued,
    /// In progress.
    Running,
    /// Being stopped.
    Stopping,
    /// Stopped before it was finished.
    Stopped,
    /// Finished, possibly with failures within the tolerance.
    Succeeded,
    /// More failures than tolerated.
    Failed,
    /// A status unknown to this version, verbatim; treated as pending.
    Other(String),
}

impl OperationStatus {
    /// Whether the operation may still change something.
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
    /// Unique in the stack set.
    pub id: String,
    /// `None` if this version doesn't know the action.
    pub action: Option<Action>,
    /// Status at the time of the list, which may lag.
    pub status: OperationStatus,
    /// `None` while it is pending.
    pub ended: Option<SystemTime>,
}

/// Counts of a drift detection, in stack instances.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DriftCounts {
    /// All instances checked.
    pub total: u32,
    /// Instances with drift.
    pub drifted: u32,
    /// Instances without drift.
    pub in_sync: u32,
    /// Instances that could not be checked.
    pub failed: u32,
    /// RFC 3339 time of the check, if reported.
    pub checked: Option<String>,
}

/// An operation as described by CloudFormation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// Unique in the stack set.
    pub id: String,
    /// `None` if this version doesn't know the action.
    pub action: Option<Action>,
    /// Strongly consistent.
    pub status: OperationStatus,
    /// `None` while it is pending.
    pub ended: Option<SystemTime>,
    /// CloudFormation's reason for the status, if reported.
    pub reason: Option<String>,
    /// Number of failed instances, if reported.
    pub failed_instances: Option<u32>,
    /// Only for drift detection.
    pub drift: Option<DriftCounts>,
}

/// The outcome of an operation in one account and Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultStatus {
    /// Not started.
    Pending,
    /// In progress.
    Running,
    /// The stack is up to date.
    Succeeded,
    /// The stack could not be changed.
    Failed,
    /// Never started, because the operation stopped before.
    Cancelled,
    /// A status unknown to this version, verbatim.
    Other(String),
}

/// An operation's result in one account and Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OperationResult {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// The outcome there.
    pub status: ResultStatus,
    /// CloudFormation's reason for the status, if reported.
    pub reason: Option<String>,
}

/// Whether an instance is up to date with its stack set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceStatus {
    /// Up to date with the stack set.
    Current,
    /// Not up to date, or its latest operation failed.
    Outdated,
    /// Its deletion failed; operations skip it until it is repaired by hand.
    Inoperable,
    /// A status unknown to this version, verbatim; never treated as current.
    Other(String),
}

/// A stack instance: a stack set's stack in one account and Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// The organizational unit it was deployed through, if reported.
    pub organizational_unit: Option<String>,
    /// ARN of the stack; an instance may exist without one.
    pub stack_id: Option<String>,
    /// Whether it is up to date with its stack set.
    pub status: InstanceStatus,
    /// Such as `SUCCEEDED`, `FAILED` or `SKIPPED_SUSPENDED_ACCOUNT`, if reported.
    pub detailed_status: Option<String>,
    /// CloudFormation's reason for the status, if reported.
    pub reason: Option<String>,
    /// Such as `DRIFTED`, `IN_SYNC` or `NOT_CHECKED`, if reported.
    pub drift_status: Option<String>,
    /// Id of the latest operation that included it, if reported.
    pub last_operation: Option<String>,
}

impl Instance {
    /// The instance's account and Region.
    pub fn location(&self) -> Location {
        Location::new(&self.account, &self.region)
    }
}

/// The result of drift detection for a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftStatus {
    /// Every resource that was checked matches the template.
    InSync,
    /// At least one resource differs.
    Drifted,
    /// Drift detection could not be run for a resource, and no other differs.
    Unknown,
    /// Never checked.
    NotChecked,
}

impl DriftStatus {
    /// CloudFormation's word for it.
    pub fn name(self) -> &'static str {
        match self {
            DriftStatus::InSync => "IN_SYNC",
            DriftStatus::Drifted => "DRIFTED",
            DriftStatus::Unknown => "UNKNOWN",
            DriftStatus::NotChecked => "NOT_CHECKED",
        }
    }
}

/// The result of drift detection for a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceDriftStatus {
    /// Matches the template.
    InSync,
    /// At least one property differs from the template.
    Modified,
    /// The resource was deleted.
    Deleted,
    /// CloudFormation doesn't support drift detection for the type.
    NotChecked,
    /// Drift detection could not be run for the resource.
    Unknown,
}

/// A property that differs from the template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PropertyDifference {
    /// JSON pointer into the resource's properties.
    pub path: String,
    /// The template's value, as JSON or, for text, as it is.
    pub expected: String,
    /// The deployed value, likewise.
    pub actual: String,
    /// `ADD`, `REMOVE` or `NOT_EQUAL`.
    pub kind: String,
}

/// The result of drift detection for one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResourceDrift {
    /// Name in the template.
    pub logical_id: String,
    /// Name in the account, if reported.
    pub physical_id: Option<String>,
    /// Such as `AWS::Events::Rule`.
    pub resource_type: String,
    /// Whether it matches the template.
    pub status: ResourceDriftStatus,
    /// CloudFormation's reason for the status, if reported.
    pub reason: Option<String>,
    /// The properties that differ.
    pub differences: Vec<PropertyDifference>,
    /// All properties in the template, if reported.
    pub expected: Option<Value>,
    /// All deployed properties, if reported.
    pub actual: Option<Value>,
}

/// Service-managed stack sets.
pub trait StackSets {
    /// Every active stack set of the administrator account.
    fn list_stack_sets(
        &self,
    ) -> impl Future<Output = Result<Vec<StackSetSummary>, CloudError>> + Send;

    /// One stack set; `None` if it doesn't exist.
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

    /// Deletes a stack set, which must have no instances.
    fn delete_stack_set(&self, name: &str) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// Starts creating instances; returns the operation's id.
    fn create_instances(
        &self,
        request: &InstanceRequest,
    ) -> impl Future<Output = Result<String, CloudError>> + Send;

    /// Starts bringing instances to the stack set's present template and parameters without
    /// affecting other instances; returns the operation's id.
    fn update_instances(
        &self,
        request: &InstanceRequest,
    ) -> impl Future<Output = Result<String, CloudError>> + Send;

    /// Starts deleting instances; returns the operation's id.
    fn delete_instances(
        &self,
        request: &InstanceRequest,
    ) -> impl Future<Output = Result<String, CloudError>> + Send;

    /// Every instance of a stack set. Eventually consistent.
    fn list_instances(
        &self,
        stack_set: &str,
    ) -> impl Future<Output = Result<Vec<Instance>, CloudError>> + Send;

    /// One operation; `None` if the stack set has none with this id. Strongly consistent.
    fn describe_operation(
        &self,
        stack_set: &str,
        operation: &str,
    ) -> impl Future<Output = Result<Option<Operation>, CloudError>> + Send;

    /// The latest operations of a stack set, newest first, at most one page of 100. Eventually
    /// consistent.
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

    /// Asks AWS to stop an operation. Instances that have not started are canceled.
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

    /// Locations where the latest drift detection had this result.
    fn list_instances_by_drift(
        &self,
        stack_set: &str,
        status: DriftStatus,
    ) -> impl Future<Output = Result<Vec<Location>, CloudError>> + Send;

    /// The result of a finished drift detection for one instance, without resources in sync.
    fn list_instance_resource_drifts(
        &self,
        stack_set: &str,
        operation: &str,
        account: &str,
        region: &str,
    ) -> impl Future<Output = Result<Vec<ResourceDrift>, CloudError>> + Send;
}
