//! Ordinary CloudFormation stacks, in any account of the organization.
//!
//! AWS: <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Stack.html>

use std::collections::BTreeMap;
use std::future::Future;

use serde::Serialize;

use super::{CloudError, DriftStatus, ResourceDrift};

/// An account and a Region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Location {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-central-1`.
    pub region: String,
}

impl Location {
    /// The Region of the account.
    pub fn new(account: impl Into<String>, region: impl Into<String>) -> Location {
        Location {
            account: account.into(),
            region: region.into(),
        }
    }

    /// The partition of the Region, the second part of every ARN.
    pub fn partition(&self) -> &'static str {
        compiler::organization::partition(&self.region)
    }

    /// The last part of the host names in the Region's partition.
    pub fn url_suffix(&self) -> &'static str {
        match self.partition() {
            "aws-cn" => "amazonaws.com.cn",
            "aws-eusc" => "amazonaws.eu",
            _ => "amazonaws.com",
        }
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.account, self.region)
    }
}

/// A stack as described by CloudFormation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stack {
    /// Unique among the location's stacks that aren't deleted.
    pub name: String,
    /// The stack's ARN.
    pub id: String,
    /// Such as `CREATE_COMPLETE` or `UPDATE_IN_PROGRESS`.
    pub status: String,
    /// CloudFormation's reason for the status, if reported.
    pub reason: Option<String>,
    /// The template's description.
    pub description: String,
    /// Parameter values by name.
    pub parameters: BTreeMap<String, String>,
    /// Tags by key.
    pub tags: BTreeMap<String, String>,
    /// Such as `CAPABILITY_IAM`.
    pub capabilities: Vec<String>,
    /// Output values by name.
    pub outputs: BTreeMap<String, String>,
}

impl Stack {
    /// Whether CloudFormation is changing it now.
    pub fn is_in_progress(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && self.status != "REVIEW_IN_PROGRESS"
    }

    /// Whether its creation never succeeded, so that it can only be deleted.
    pub fn must_be_replaced(&self) -> bool {
        matches!(
            self.status.as_str(),
            "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" | "DELETE_FAILED"
        )
    }
}

/// Whether a change set creates or updates a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeSetKind {
    /// The stack is new, or waits for its first change set.
    Create,
    /// The stack exists.
    Update,
}

/// The input of `CreateChangeSet`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangeSetRequest {
    /// Name of the stack to create or update.
    pub stack: String,
    /// Unique among the stack's change sets.
    pub name: String,
    /// Must match whether the stack exists.
    pub kind: ChangeSetKind,
    /// More than 51,200 bytes require an artifact bucket in the same Region.
    pub template: String,
    /// Parameter values by name.
    pub parameters: BTreeMap<String, String>,
    /// Tags by key.
    pub tags: BTreeMap<String, String>,
    /// Such as `CAPABILITY_IAM`.
    pub capabilities: Vec<String>,
    /// Free text, at most 1,024 characters.
    pub description: String,
}

/// The status of a change set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeSetStatus {
    /// Being computed.
    Pending,
    /// Ready to be executed.
    Ready,
    /// It contains no changes.
    Empty,
    /// It could not be computed.
    Failed,
}

/// A change set as described by CloudFormation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangeSet {
    /// Only a ready change set can be executed.
    pub status: ChangeSetStatus,
    /// CloudFormation's reason for the status, if reported.
    pub reason: Option<String>,
}

/// A stack event that reports a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailureEvent {
    /// Name of the resource in the template, or of the stack itself.
    pub logical_id: String,
    /// Such as `AWS::Events::Rule`.
    pub resource_type: String,
    /// Such as `CREATE_FAILED`.
    pub status: String,
    /// CloudFormation's message.
    pub reason: String,
}

/// The status of a stack's drift detection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum DriftDetection {
    /// Still running.
    InProgress,
    /// Finished.
    Complete {
        /// The stack's drift.
        drift: DriftStatus,
    },
    /// It ended without a result.
    Failed {
        /// CloudFormation's message.
        reason: String,
    },
}

/// Ordinary stacks by location. In accounts other than the caller's, the adapter assumes the access
/// role.
pub trait Stacks {
    /// The quota of stacks in a location; `None` if CloudFormation doesn't report it.
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

    /// One stack by name or id; `None` if it doesn't exist.
    fn describe_stack(
        &self,
        location: &Location,
        stack: &str,
    ) -> impl Future<Output = Result<Option<Stack>, CloudError>> + Send;

    /// The template as it was submitted.
    fn stack_template(
        &self,
        location: &Location,
        stack: &str,
    ) -> impl Future<Output = Result<String, CloudError>> + Send;

    /// Starts computing the changes that a template would make.
    fn create_change_set(
        &self,
        location: &Location,
        request: &ChangeSetRequest,
    ) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// A change set; `None` if it doesn't exist.
    fn describe_change_set(
        &self,
        location: &Location,
        stack: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<ChangeSet>, CloudError>> + Send;

    /// Starts executing a change set.
    fn execute_change_set(
        &self,
        location: &Location,
        stack: &str,
        name: &str,
    ) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// Deletes a change set without executing it.
    fn delete_change_set(
        &self,
        location: &Location,
        stack: &str,
        name: &str,
    ) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// Starts deleting a stack.
    fn delete_stack(
        &self,
        location: &Location,
        stack: &str,
    ) -> impl Future<Output = Result<(), CloudError>> + Send;

    /// Failure events since the stack's latest operation began, oldest first.
    fn failure_events(
        &self,
        location: &Location,
        stack: &str,
    ) -> impl Future<Output = Result<Vec<FailureEvent>, CloudError>> + Send;

    /// Starts drift detection; returns the detection's id.
    fn detect_stack_drift(
        &self,
        location: &Location,
        stack: &str,
    ) -> impl Future<Output = Result<String, CloudError>> + Send;

    /// The status of a drift detection.
    fn describe_drift_detection(
        &self,
        location: &Location,
        detection: &str,
    ) -> impl Future<Output = Result<DriftDetection, CloudError>> + Send;

    /// The result of the latest drift detection, without resources in sync.
    fn list_resource_drifts(
        &self,
        location: &Location,
        stack: &str,
    ) -> impl Future<Output = Result<Vec<ResourceDrift>, CloudError>> + Send;
}

#[cfg(test)]
mod tests {
    use super::Location;

    #[test]
    fn partition_and_host_names_follow_the_region() {
        for (region, partition, suffix) in [
            ("eu-central-1", "aws", "amazonaws.com"),
            ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
            ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
            ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
        ] {
            let location = Location::new("111122223333", region);
            assert_eq!(location.partition(), partition);
            assert_eq!(location.url_suffix(), suffix);
        }
    }
}
