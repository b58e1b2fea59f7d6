//! The settings of CloudFormation in a simulation: quotas, lag and failures.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

/// CloudFormation's quotas; the default is AWS's.
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Stack sets of the organization.
    pub stack_sets: usize,
    /// Stack instances of a stack set.
    pub instances_per_stack_set: usize,
    /// Queued operations of a stack set with managed execution.
    pub queued_operations: usize,
    /// Accounts of a Region in which an operation works at the same time.
    pub concurrent_instances_per_region: usize,
    /// Stacks of an account in a Region.
    pub stacks_per_region: usize,
}

impl Default for Quotas {
    fn default() -> Quotas {
        Quotas {
            stack_sets: 1_000,
            instances_per_stack_set: 100_000,
            queued_operations: 10_000,
            concurrent_instances_per_region: 10_000,
            stacks_per_region: 2_000,
        }
    }
}

/// By how many virtual seconds the eventually consistent listings lag; 0 means not at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lag {
    /// `ListStackSetOperations`.
    pub operations: u32,
    /// `ListStackSetOperationResults`.
    pub results: u32,
    /// `ListStackInstances`.
    pub instances: u32,
}

/// How the work in one account and Region goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum InstanceEffect {
    /// The first resource fails with this reason, and the stack rolls back.
    Fail(String),
    /// It takes this many virtual seconds longer.
    Delay(u32),
    /// It never ends.
    Stuck,
}

impl InstanceEffect {
    /// The name it is counted by.
    pub fn name(&self) -> &'static str {
        match self {
            InstanceEffect::Fail(_) => "instance_failed",
            InstanceEffect::Delay(_) => "instance_delayed",
            InstanceEffect::Stuck => "instance_stuck",
        }
    }
}

/// Decides which work of stack set operations goes wrong.
pub trait InstanceFaults: Debug {
    /// What goes wrong with an operation's work in an account and Region, if anything; counts it.
    fn instance_fault(
        &mut self,
        stack_set: &str,
        location: (&str, &str),
        action: &str,
    ) -> Option<InstanceEffect>;
}

/// A stack, named by what a test knows about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackOf {
    /// The account.
    pub account: String,
    /// The Region.
    pub region: String,
    /// The stack set whose instance it is, or the stack's own name.
    pub name: String,
}
