//! Settings of simulated CloudFormation: quotas, lag and failures.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

/// CloudFormation's quotas; the defaults are AWS's.
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Maximum stack sets in the organization.
    pub stack_sets: usize,
    /// Maximum stack instances per stack set.
    pub instances_per_stack_set: usize,
    /// Maximum queued operations per stack set with managed execution.
    pub queued_operations: usize,
    /// Maximum accounts in a Region in which an operation works concurrently.
    pub concurrent_instances_per_region: usize,
    /// Maximum stacks per account and Region.
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

/// Lag of eventually consistent listings, in virtual seconds; 0 is none.
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

/// How an operation's work in one account and Region fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum InstanceEffect {
    /// The first resource fails with this reason, and the stack rolls back.
    Fail(String),
    /// The work takes this many virtual seconds longer.
    Delay(u32),
    /// The work never ends.
    Stuck,
}

impl InstanceEffect {
    /// The name in configuration and statistics.
    pub fn name(&self) -> &'static str {
        match self {
            InstanceEffect::Fail(_) => "instance_failed",
            InstanceEffect::Delay(_) => "instance_delayed",
            InstanceEffect::Stuck => "instance_stuck",
        }
    }
}

/// Decides which work of stack set operations fails.
pub trait InstanceFaults: Debug {
    /// Draws and counts the fault for an operation's work in an account and Region, if any.
    fn instance_fault(
        &mut self,
        stack_set: &str,
        location: (&str, &str),
        action: &str,
    ) -> Option<InstanceEffect>;
}

/// A stack, identified by what a test knows about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackOf {
    /// Twelve digits.
    pub account: String,
    /// For example `eu-central-1`.
    pub region: String,
    /// The name of its stack set, or its own.
    pub name: String,
}
