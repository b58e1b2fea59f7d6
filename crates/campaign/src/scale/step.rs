//! The cost of one step of the scale case, compared with the minimum.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::Instant;

use anyhow::{Result, bail};
use serde::Serialize;
use tokio::runtime::Handle;

use crate::lab::Lab;
use crate::process;
use crate::time::{Ended, drive_apart};

/// Items per page of `ListAccounts`.
const ACCOUNTS_PAGE: usize = 20;
const PAGE: usize = 100;

/// The cost of one step.
#[derive(Debug, Serialize)]
pub struct Step {
    /// Short name, such as `plan again`.
    #[serde(rename = "step")]
    pub name: &'static str,
    /// Result in words.
    pub outcome: String,
    /// Calls by `service:Action`.
    pub calls: BTreeMap<String, Calls>,
    /// Elapsed virtual seconds.
    pub virtual_seconds: u64,
    /// Elapsed real seconds.
    pub real_seconds: f64,
    /// Processor seconds over all cores, which doesn't depend on other load; `None` if the system
    /// doesn't report it.
    pub processor_seconds: Option<f64>,
    /// Peak memory of client and simulator up to the end of the step, in megabytes; `None` if the
    /// system doesn't report it.
    pub peak_mb: Option<f64>,
}

/// Calls of one action in one step.
#[derive(Debug, Serialize)]
pub struct Calls {
    /// Number of calls made.
    pub made: u64,
    /// Number of calls needed if nothing is read twice; `None` for actions that poll and for those
    /// that depend on how work is split.
    pub least: Option<u64>,
}

/// The size of a deployment, which determines the minimum number of calls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    /// Accounts in the organization.
    pub(super) accounts: usize,
    /// Stack sets created by Gizmos.
    pub(super) stack_sets: usize,
    /// Pages of instances, summed over all stack sets.
    pub(super) instance_pages: usize,
    /// Stack instances, summed over all stack sets.
    pub(super) instances: usize,
    /// Ordinary stacks in the management account.
    pub(super) managed: usize,
    /// Regions with ordinary stacks.
    pub(super) managed_regions: usize,
    /// Stacks with a dead-letter queue, including the hub's.
    pub(super) queues: usize,
    /// Stacks with rules on the default bus.
    pub(super) rule_lists: usize,
    /// Rules on the hub's bus.
    pub(super) hub_rules: usize,
}

/// Number of pages in a list.
pub(super) fn pages(entries: usize, page: usize) -> usize {
    entries.div_ceil(page).max(1)
}

impl Extent {
    /// Adds a stack set with this many instances.
    pub(super) fn add_stack_set(&mut self, instances: usize) {
        self.stack_sets += 1;
        self.instances += instances;
        self.instance_pages += pages(instances, PAGE);
    }

    fn least(&self, step: &str, action: &str) -> Option<u64> {
        let first = step == "plan";
        let drift = step == "drift";
        let least = match action {
            "organizations:ListAccounts" => pages(self.accounts, ACCOUNTS_PAGE),
            "account:ListRegions"
            | "cloudformation:DescribeOrganizationsAccess"
            | "cloudformation:ListStackSets"
            | "organizations:DescribeOrganization"
            | "sts:GetCallerIdentity" => 1,
            "cloudformation:ListStackInstances" if !first => self.instance_pages,
            "cloudformation:DescribeStackSet" | "cloudformation:ListStackSetOperations"
                if !first =>
            {
                self.stack_sets
            }
            "cloudformation:CreateStackSet" | "cloudformation:DetectStackSetDrift" => {
                self.stack_sets
            }
            "cloudformation:CreateChangeSet"
            | "cloudformation:ExecuteChangeSet"
            | "cloudformation:DetectStackDrift" => self.managed,
            // Each instance's stack is described; the management account's stacks are listed by
            // Region.
            "cloudformation:DescribeStacks" if drift => self.instances + self.managed_regions,
            "cloudformation:GetTemplate" if drift => self.instances + self.managed,
            "sqs:GetQueueAttributes" if drift => self.queues,
            // Roles and their policies, a page of a thousand.
            "iam:GetAccountAuthorizationDetails" if drift => self.accounts,
            // State and pattern of all forwarders; the hub's detections in pages of their own.
            "events:ListRules" if drift => self.rule_lists + pages(self.hub_rules, PAGE),
            "events:ListTargetsByRule" if drift => self.hub_rules,
            // No role is needed in the caller's own account.
            "sts:AssumeRole" if drift => self.accounts - 1,
            _ => return None,
        };
        Some(least as u64)
    }
}

/// A step that is being measured.
pub(super) struct Measured<'l> {
    lab: &'l Lab,
    /// The simulator's runtime.
    server: &'l Handle,
    start: Instant,
    processor_start: Option<f64>,
    virtual_start: jiff::Timestamp,
    calls: BTreeMap<String, u64>,
}

impl<'l> Measured<'l> {
    pub(super) fn start(lab: &'l Lab, server: &'l Handle) -> Measured<'l> {
        Measured {
            lab,
            server,
            start: Instant::now(),
            processor_start: process::processor_time(),
            virtual_start: lab.simulator.now(),
            calls: lab.simulator.calls(),
        }
    }

    /// Runs the step's work.
    pub(super) async fn run<T, E: std::error::Error + Send + Sync + 'static>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T> {
        let lab = self.lab;
        match drive_apart(&lab.simulator, self.server, &lab.time, Box::pin(work)).await {
            Ended::Finished(result) => Ok(result?),
            Ended::Killed | Ended::Hung => bail!("the deployer hangs"),
        }
    }

    /// Ends the measurement.
    pub(super) fn end(self, name: &'static str) -> Step {
        let simulator = &self.lab.simulator;
        let calls = simulator
            .calls()
            .into_iter()
            .map(|(action, count)| {
                let before = self.calls.get(&action).copied().unwrap_or_default();
                let calls = Calls {
                    made: count - before,
                    least: None,
                };
                (action, calls)
            })
            .filter(|(_, calls)| calls.made > 0)
            .collect();
        let elapsed = simulator.now().duration_since(self.virtual_start);
        let processor = process::processor_time().zip(self.processor_start);
        Step {
            name,
            outcome: String::new(),
            calls,
            virtual_seconds: u64::try_from(elapsed.as_secs()).unwrap_or_default(),
            real_seconds: self.start.elapsed().as_secs_f64(),
            processor_seconds: processor.map(|(end, start)| end - start),
            peak_mb: process::peak_memory(),
        }
    }
}

impl Step {
    /// Sets the result in words.
    pub(super) fn ended(mut self, outcome: String) -> Step {
        self.outcome = outcome;
        self
    }

    /// Adds the minimum number of calls.
    pub(super) fn compared(mut self, extent: &Extent) -> Step {
        for (action, calls) in &mut self.calls {
            calls.least = extent.least(self.name, action);
        }
        self
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "minutes for people")]
        let minutes = self.virtual_seconds as f64 / 60.0;
        let (name, outcome, real) = (self.name, &self.outcome, self.real_seconds);
        write!(
            f,
            "{name}: {outcome}; {minutes:.1} min virtual, {real:.2} s real"
        )?;
        if let Some(seconds) = self.processor_seconds {
            write!(f, " ({seconds:.2} s processor time)")?;
        }
        if let Some(peak) = self.peak_mb {
            write!(f, ", {peak:.0} MB at the peak")?;
        }
        let made: u64 = self.calls.values().map(|calls| calls.made).sum();
        writeln!(f, ", {made} calls")?;
        for (action, calls) in &self.calls {
            write!(f, "  {action:<48} {:>7}", calls.made)?;
            match calls.least {
                Some(least) => writeln!(f, "   least {least}")?,
                None => writeln!(f)?,
            }
        }
        writeln!(f)
    }
}
