//! The cloud as the deployer sees it: traits with plain data in and out.
//!
//! Adapters live elsewhere: the `aws` crate implements [`Cloud`] with the AWS SDK, and tests
//! implement it in memory. Every method is one API call or one paginated list and makes no
//! decisions. If a template is too large for a call, the adapter first uploads it to the artifact
//! bucket.

mod buckets;
mod error;
mod events;
mod health;
mod history;
mod metrics;
mod organizations;
mod parameters;
mod pause;
mod queues;
mod stack_sets;
mod stacks;

pub use buckets::{Buckets, Emptied};
pub use error::CloudError;
pub use events::{CustomEvent, Events};
pub use health::{
    BasicSelector, BusSettings, EventRule, EventSelectors, FieldSelector, Health, KeyState,
    QueueState, RoleDetails, Subscription, SubscriptionSettings, TopicSettings, TrailStatus,
    TrailSummary,
};
pub use history::History;
pub use metrics::{Metric, Metrics};
pub use organizations::{
    Account, AccountState, Identity, OrganizationDetails, Organizations, Permission, TrustedAccess,
};
pub use parameters::Parameters;
pub use pause::Pause;
pub use queues::{QueueMessage, Queues};
pub use stack_sets::{
    AccountSelection, Action, AutoDeployment, ConcurrencyMode, DeploymentTargets, DriftCounts,
    DriftStatus, Instance, InstanceRequest, InstanceStatus, NewStackSet, Operation,
    OperationResult, OperationStatus, OperationSummary, Preferences, PropertyDifference,
    RegionConcurrency, ResourceDrift, ResourceDriftStatus, ResultStatus, StackSetDetails,
    StackSetSummary, StackSetUpdate, StackSets, Tolerance,
};
pub use stacks::{
    ChangeSet, ChangeSetKind, ChangeSetRequest, ChangeSetStatus, DriftDetection, FailureEvent,
    Location, Stack, Stacks,
};

/// Everything the deployer needs from a cloud.
///
/// Implemented for every type that implements all ports.
pub trait Cloud:
    Organizations
    + StackSets
    + Stacks
    + Buckets
    + Events
    + Health
    + History
    + Metrics
    + Parameters
    + Pause
    + Queues
    + Sync
{
}

impl<T> Cloud for T where
    T: Organizations
        + StackSets
        + Stacks
        + Buckets
        + Events
        + Health
        + History
        + Metrics
        + Parameters
        + Pause
        + Queues
        + Sync
{
}
