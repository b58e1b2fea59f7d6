//! Runs many seeds on all cores.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, anyhow};

use crate::deployers::Deployer;
use crate::result::{CampaignResult, Counts, Failure};
use crate::run::{Run, run};

/// Runs seeds starting with `from`, each in a thread with its own runtime and simulator. `progress`
/// receives the number of finished seeds, and every failure.
pub fn campaign(
    from: u64,
    seeds: u64,
    threads: usize,
    deployer: &dyn Deployer,
    progress: &(dyn Fn(u64, Option<&Failure>) + Sync),
) -> CampaignResult {
    let start = Instant::now();
    let next = AtomicU64::new(0);
    let sums: Mutex<Sums> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= seeds {
                        break;
                    }
                    let seed = from + index;
                    // Treat a panic in the deployer or the simulator like any other failure.
                    let run = std::panic::AssertUnwindSafe(|| one(seed, deployer));
                    let result = std::panic::catch_unwind(run)
                        .unwrap_or_else(|_| Err(anyhow!("it panicked; the message is above")));
                    let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
                    let failure = sums.add(seed, result);
                    progress(sums.done, failure.as_ref());
                    sums.failures.extend(failure);
                }
            });
        }
    });
    let mut sums = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
    sums.failures.sort_by_key(|failure| failure.seed);
    CampaignResult {
        from,
        seeds,
        counts: sums.counts,
        elapsed_seconds: start.elapsed().as_secs_f64(),
        failures: sums.failures,
        story: if seeds == 1 { sums.story } else { Vec::new() },
    }
}

fn one(seed: u64, deployer: &dyn Deployer) -> Result<Run> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start a runtime")?
        .block_on(run(seed, deployer))
}

#[derive(Default)]
struct Sums {
    done: u64,
    counts: Counts,
    failures: Vec<Failure>,
    /// The latest run's log.
    story: Vec<String>,
}

impl Sums {
    fn add(&mut self, seed: u64, result: Result<Run>) -> Option<Failure> {
        self.done += 1;
        let (run, error) = match result {
            Ok(run) => (run, None),
            Err(error) => (Run::default(), Some(format!("{error:#}"))),
        };
        self.counts.add(&run.counts);
        self.story.clone_from(&run.story);
        (error.is_some() || !run.broken.is_empty()).then_some(Failure {
            seed,
            broken: run.broken,
            error,
            story: run.story,
        })
    }
}
