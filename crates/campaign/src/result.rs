//! The result of a campaign.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::invariants::{Broken, Invariant};

/// Totals over runs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counts {
    /// Finished deployments, however many processes each took.
    pub deployments: u64,
    /// Processes of the deployer that were started.
    pub processes: u64,
    /// Processes that were killed.
    pub kills: u64,
    /// Processes that ended with an error instead of a report.
    pub errors: u64,
    /// API calls, as counted by the simulator.
    pub calls: u64,
    /// Mutating API calls of the deployer, including rejected ones.
    pub mutating: u64,
    /// Number of occurrences by fault.
    pub faults: BTreeMap<String, u64>,
    /// Number of changes past the stack sets by kind.
    pub tampering: BTreeMap<String, u64>,
    /// Virtual seconds of all runs.
    pub virtual_seconds: u64,
    /// Real seconds of all runs, summed over threads.
    pub real_seconds: f64,
}

impl Counts {
    /// Adds the totals of another run.
    pub fn add(&mut self, other: &Counts) {
        self.deployments += other.deployments;
        self.processes += other.processes;
        self.kills += other.kills;
        self.errors += other.errors;
        self.calls += other.calls;
        self.mutating += other.mutating;
        for (ours, theirs) in [
            (&mut self.faults, &other.faults),
            (&mut self.tampering, &other.tampering),
        ] {
            for (name, count) in theirs {
                *ours.entry(name.clone()).or_default() += count;
            }
        }
        self.virtual_seconds += other.virtual_seconds;
        self.real_seconds += other.real_seconds;
    }
}

/// A seed whose run violated an invariant or could not be carried out.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// Replays the run with `--seed`.
    pub seed: u64,
    /// The violated invariants.
    pub broken: Vec<Broken>,
    /// The campaign's own error, if that is why it failed.
    pub error: Option<String>,
    /// Log of the run, one entry per line.
    pub story: Vec<String>,
}

/// The result of a campaign.
#[derive(Clone, Debug, Serialize)]
pub struct CampaignResult {
    /// First seed.
    pub from: u64,
    /// Number of runs.
    pub seeds: u64,
    /// Totals over all runs.
    pub counts: Counts,
    /// Real seconds from start to end.
    pub elapsed_seconds: f64,
    /// Failed seeds, in ascending order.
    pub failures: Vec<Failure>,
    /// Log of the run, if there was only one.
    pub story: Vec<String>,
}

impl CampaignResult {
    /// Number of runs in which an invariant was violated.
    pub fn broken(&self, invariant: Invariant) -> usize {
        self.failures
            .iter()
            .filter(|failure| failure.broken.iter().any(|it| it.invariant == invariant))
            .count()
    }
}

impl fmt::Display for CampaignResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "seed {} FAILED", failure.seed)?;
            for line in &failure.story {
                writeln!(f, "  {line}")?;
            }
            for broken in &failure.broken {
                writeln!(f, "  broken: {broken}")?;
            }
            if let Some(error) = &failure.error {
                writeln!(f, "  error: {error}")?;
            }
            writeln!(
                f,
                "  replay: cargo xtask campaign --seed {}\n",
                failure.seed
            )?;
        }
        if self.failures.is_empty() {
            for line in &self.story {
                writeln!(f, "{line}")?;
            }
        }
        let counts = &self.counts;
        writeln!(
            f,
            "seeds        {} ({} to {})",
            self.seeds,
            self.from,
            self.from + self.seeds.saturating_sub(1)
        )?;
        writeln!(
            f,
            "deployments  {} in {} processes, {} of them killed, {} ended with an error",
            counts.deployments, counts.processes, counts.kills, counts.errors
        )?;
        writeln!(
            f,
            "calls        {}, {} of them mutating",
            counts.calls, counts.mutating
        )?;
        for (what, all) in [("faults", &counts.faults), ("tampering", &counts.tampering)] {
            writeln!(f, "{what:<12} {}", all.values().sum::<u64>())?;
            for (name, count) in all {
                writeln!(f, "  {name:<38} {count:>9}")?;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "hours of virtual time fit")]
        let hours = counts.virtual_seconds as f64 / 3600.0;
        writeln!(
            f,
            "time         {hours:.1} h virtual, {:.1} s real",
            self.elapsed_seconds
        )?;
        writeln!(f, "invariants, and the number of runs that violated them")?;
        for invariant in Invariant::ALL {
            writeln!(
                f,
                "  {:<82} {:>3}",
                invariant.describe(),
                self.broken(invariant)
            )?;
        }
        writeln!(f, "failures     {}", self.failures.len())
    }
}
