//! Ordinary CloudFormation stacks, in any account of the organization.
//!
//! AWS: <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Stack.html>

use std::collections::BTreeMap;
use std::future::Future;

use serde::Serialize;

use super::{CloudError, ResourceDrift};

/// An account and a Region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Location {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-central-1`.
    pub region: String,
}

impl Location {
    /// That Region of that account.
    pub fn new(account: impl Into<String>, region: impl Into<String>) -> Location {
        Location {
            account: account.into(),
            region: region.into(),
        }
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.account, self.region)
    }
}

/// A stack as CloudFormation describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub id: String,
    /// `CREATE_COMPLETE`, `UPDATE_IN_PROGRESS`, …
    pub status: String,
    /// Why, if it says so.
    pub reason: Option<String>,
    /// Free text.
    pub description: String,
    /// Parameter values by name.
    pub parameters: BTreeMap<String, String>,
    /// Tags by key.
    pub tags: BTreeMap<String, String>,
    /// `CAPABILITY_IAM` and the like.
    pub capabilities: Vec<String>,
    /// Output values by name.
    pub outputs: BTreeMap<String, String>,
}

impl Stack {
    /// Whether CloudFormation is working on it right now.
    pub fn is_in_progress(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && self.status != "REVIEW_IN_PROGRESS"
    }

    /// Whether it was never created successfully and can only be deleted.
    pub fn must_be_replaced(&self) -> bool {
        matches!(
            self.status.as_str(),
            "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" | "DELETE_FAILED"
        )
    }
}

/// Whether a change set makes a stack or changes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeSetKind {
    /// The stack is new (or waits for its first change set).
    Create,
    /// The stack exists.
    Update,
}

/// What `CreateChangeSet` needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangeSetRequest {
    /// The stack's name.
    pub stack: String,
    /// The change set's name.
    pub name: String,
    /// New stack or change.
    pub kind: ChangeSetKind,
    /// More than 51,200 bytes only with an artifact bucket, and in its Region.
    pub template: String,
    /// Parameter values by name.
    pub parameters: BTreeMap<String, String>,
    /// Tags by key.
    pub tags: BTreeMap<String, String>,
    /// `CAPABILITY_IAM` and the like.
    pub capabilities: Vec<String>,
    /// Free text.
    pub description: String,
}

/// The state of a change set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeSetStatus {
    /// Being computed.
    Pending,
    /// Can be executed.
    Ready,
    /// There is nothing to change.
    Empty,
    /// Could not be computed.
    Failed,
}

/// A change set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangeSet {
    /// Its state.
    pub status: ChangeSetStatus,
    /// Why, if it says so.
    pub reason: Option<String>,
}

/// A stack event that reports a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailureEvent {
    /// The resource's name in the template, or the stack's name.
    pub logical_id: String,
    /// Such as `AWS::Events::Rule`.
    pub resource_type: String,
    /// `CREATE_FAILED`, …
    pub status: String,
    /// What CloudFormation said.
    pub reason: String,
}

/// The state of a stack's drift detection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum DriftDetection {
    /// Not finished.
    InProgress,
    /// Finished.
    Complete {
        /// Whether any resource has drifted.
        drifted: bool,
    },
    /// Could not be done.
    Failed {
        /// What CloudFormation said.
        reason: String,
    },
}

/// Ordinary stacks, by location. In accounts other than the caller's, the adapter uses the access role.
pub trait Stacks {
    /// The quota of stacks in a location; `None` if CloudFormation doesn't say.
    ///
    /// AWS: <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeAccountLimits.html>
    fn stack_quota(
        &self,
        location: &Location,
    ) -> impl Future<Output = Result<Option<usize>, CloudError>> + Send;

    /// Every stack of the location that is not deleted.
    fn list_stacks(
        &self,
        location: &Location,
    ) -> impl Future<Output = Result<Vec<Stack>, CloudError>> + Send;

    /// One stack by name or id; `None` if there is none.
    fn describe_stack(
        &self,
        location: &Location,
        stack: &str,
    ) -> impl Future<Output = Result<Option<Stack>, CloudError>> + Send;

    /// The template's text as it was given.
    fn stack_template(
        &self,
        location: &Location,
        stack: &str,
    ) -> impl Future<Output = Result<String, CloudError>> + Send;

    /// Has CloudFormation compute what a new template would change.
    fn create_change_set(
        &self,
        location: &Location,
        request: &ChangeSetRequest,
    ) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// A change set; `None` if there is none.
    fn describe_change_set(
        &self,
        location: &Location,
        stack: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<ChangeSet>, CloudError>> + Send;

    /// Executes a change set.
    fn execute_change_set(
        &self,
        location: &Location,
        stack: &str,
        name: &str,
    ) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// Deletes a change set.
    fn delete_change_set(
        &self,
        location: &Location,
        stack: &str,
        name: &str,
    ) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// Starts the deletion of a stack.
    fn delete_stack(
        &self,
        location: &Location,
        stack: &str,
    ) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// The failures among the events since the stack's latest operation began, first failure
    /// first.
    fn failure_events(
        &self,
        location: &Location,
        stack: &str,
    ) -> impl Future<Output = Result<Vec<FailureEvent>, CloudError>> + Send;

    /// Starts drift detection; returns its id.
    fn detect_stack_drift(
        &self,
        location: &Location,
        stack: &str,
    ) -> impl Future<Output = Result<String, CloudError>> + Send;

    /// The state of a drift detection.
    fn describe_drift_detection(
        &self,
        location: &Location,
        detection: &str,
    ) -> impl Future<Output = Result<DriftDetection, CloudError>> + Send;

    /// Every resource that the latest drift detection found modified or deleted.
    fn list_resource_drifts(
        &self,
        location: &Location,
        stack: &str,
    ) -> impl Future<Output = Result<Vec<ResourceDrift>, CloudError>> + Send;
}
