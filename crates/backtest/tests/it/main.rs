//! Whole backtests: folders of logs and rules in, results out.

mod corpus;
mod counting;
mod delivery;
mod faults;
mod revisions;
