//! What a campaign found, in numbers.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::invariants::{Broken, Invariant};

/// Sums over runs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counts {
    /// Deployments that ended, however many processes they took.
    pub deployments: u64,
    /// Processes of the deployer.
    pub processes: u64,
    /// Processes that were killed.
    pub kills: u64,
    /// Processes that ended with an error instead of a report.
    pub errors: u64,
    /// API calls.
    pub calls: u64,
    /// API calls of the deployer that change something, or would have.
    pub mutating: u64,
    /// How often each fault occurred.
    pub faults: BTreeMap<String, u64>,
    /// Virtual time of all runs together.
    pub virtual_seconds: u64,
    /// Real time of all runs together, on all threads.
    pub real_seconds: f64,
}

impl Counts {
    /// Adds another run's.
    pub fn add(&mut self, other: &Counts) {
        self.deployments += other.deployments;
        self.processes += other.processes;
        self.kills += other.kills;
        self.errors += other.errors;
        self.calls += other.calls;
        self.mutating += other.mutating;
        for (fault, count) in &other.faults {
            *self.faults.entry(fault.clone()).or_default() += count;
        }
        self.virtual_seconds += other.virtual_seconds;
        self.real_seconds += other.real_seconds;
    }
}

/// A seed whose run broke an invariant, or could not be carried out.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The seed that replays it.
    pub seed: u64,
    /// What broke.
    pub broken: Vec<Broken>,
    /// The campaign's own failure, if it is that.
    pub error: Option<String>,
    /// What happened, a line each.
    pub story: Vec<String>,
}

/// A campaign's result.
#[derive(Clone, Debug, Serialize)]
pub struct CampaignResult {
    /// The first seed.
    pub from: u64,
    /// How many runs there were.
    pub seeds: u64,
    /// Sums over all runs.
    pub counts: Counts,
    /// Real seconds from start to end.
    pub elapsed_seconds: f64,
    /// The seeds that failed, in order.
    pub failures: Vec<Failure>,
    /// What happened, if there was just one run.
    pub story: Vec<String>,
}

impl CampaignResult {
    /// In how many runs an invariant broke.
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
        writeln!(f, "faults       {}", counts.faults.values().sum::<u64>())?;
        for (fault, count) in &counts.faults {
            writeln!(f, "  {fault:<28} {count:>9}")?;
        }
        #[expect(clippy::cast_precision_loss, reason = "hours of virtual time fit")]
        let hours = counts.virtual_seconds as f64 / 3600.0;
        writeln!(
            f,
            "time         {hours:.1} h virtual, {:.1} s real",
            self.elapsed_seconds
        )?;
        writeln!(f, "invariants, and runs in which they broke")?;
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
