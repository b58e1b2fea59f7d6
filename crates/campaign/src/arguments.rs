//! Command line arguments.

use clap::{Parser, ValueEnum};

/// Runs the real deployer in random organizations, with faults, and kills and restarts it
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask campaign",
    after_help = "Examples:\n  cargo xtask campaign --seeds 1000\n  \
        cargo xtask campaign --seed 4711   # replays one run and prints its log\n  \
        cargo xtask campaign --seeds 200 --from 5000 --format json\n  \
        cargo xtask campaign --accounts 10000 --regions 4   # the scale case\n\n\
        Exit code 1 if any invariant broke, or the scale case missed a bar."
)]
pub(crate) struct Arguments {
    /// Number of runs
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) seeds: u64,
    /// First seed
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) from: u64,
    /// Replay only this seed
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "from"])]
    pub(crate) seed: Option<u64>,
    /// Number of concurrent runs [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Instead, measure one organization of this size, without faults
    #[arg(long, value_name = "N", conflicts_with_all = ["seeds", "from", "seed", "threads"])]
    pub(crate) accounts: Option<usize>,
    /// Number of Regions to measure with
    #[arg(long, value_name = "N", default_value_t = 4, requires = "accounts")]
    pub(crate) regions: usize,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// Text for people
    Text,
    /// One JSON document; with `--accounts`, one line per step and one for the total
    Json,
}
