//! Complete backtests: folders of logs and rules in, results out.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test helpers may panic"
)]

mod corpus;
mod counting;
mod delivery;
mod faults;
mod revisions;
