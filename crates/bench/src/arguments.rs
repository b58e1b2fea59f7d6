//! Command line arguments.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures how fast events are matched against many patterns, next to how fast parsers parse them.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask bench",
    after_help = "Without files, events and patterns are generated; the same seed gives the same data.\n\n\
        Examples:\n  cargo xtask bench\n  cargo xtask bench --generate-patterns 5000 --broad\n  \
        cargo xtask bench --events events.jsonl.gz --patterns rules.jsonl.gz --format json\n  \
        cargo xtask bench --write target/bench   # the generated events and rule sets as files"
)]
pub(crate) struct Arguments {
    /// Events, one JSON document per line, plain or .gz
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<PathBuf>,
    /// Patterns, one `{"id": …, "pattern": {…}}` per line, plain or .gz
    #[arg(long, value_name = "FILE")]
    pub(crate) patterns: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Number of rounds; the fastest time of each batch of events counts
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Number of events to generate if no file is given
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub(crate) count: usize,
    /// Number of patterns to generate if no file is given
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) generate_patterns: usize,
    /// Generate broad patterns, which often leave out the service, rather than detections
    #[arg(long)]
    pub(crate) broad: bool,
    /// Seed for the generated data
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write generated events and rule sets of 10 to 5,000 patterns to a folder instead of
    /// measuring
    #[arg(long, value_name = "DIR")]
    pub(crate) write: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// Human-readable text
    Text,
    /// One JSON document
    Json,
}
