//! Whole backtests: folders of logs and rules in, results out.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that fails has to fail its test"
)]

mod corpus;
mod counting;
mod delivery;
mod faults;
mod revisions;
