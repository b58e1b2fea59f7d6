//! Backtests: which rules would have fired for existing CloudTrail logs?
//!
//! Patterns are evaluated as by EventBridge: each record is wrapped into the event that EventBridge
//! would have delivered. What it would not have delivered is counted separately (read-only calls
//! for rules without `read_only: true`, data events, records over 256 KB). A record that occurs
//! twice, as with two trails, counts once.
//!
//! # Layout
//!
//! - [`Source`]: the trait for places with log files; [`LocalLogs`]: a local folder;
//! - [`Scope`]: selects days, accounts and Regions, by file paths and by records;
//! - `judge`: whether and to which rules a record is delivered; `seen`: whether it is a duplicate;
//! - [`run`] and [`compare`]: process all files on all cores; `tally`, `counts`: counting;
//! - [`Backtest`] and [`Comparison`]: the results.
//!
//! # Invariants
//!
//! - Memory doesn't grow with the logs, except for 18 MB per million records beyond the first 3.6
//!   million, to detect duplicates. Files are streamed, and the data kept per rule is bounded.
//! - A file that can't be read is never skipped silently: it is in [`Backtest::skipped`].
//! - The result depends on the logs and rules only, not on the order in which files are read.
//!
//! # Example
//!
//! ```
//! use backtest::{LocalLogs, Options, Source, Watch};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! std::fs::write(
//!     folder.path().join("trail.json"),
//!     r#"{"Records": [{"eventSource": "iam.amazonaws.com", "eventName": "CreateUser",
//!         "awsRegion": "us-east-1", "recipientAccountId": "012345678901", "eventID": "1"}]}"#,
//! )?;
//! let rules = []; // from `rules::load`
//! let logs: Vec<Box<dyn Source>> = vec![Box::new(LocalLogs::new(folder.path()))];
//! let result = backtest::run(&rules, &logs, &Options::default(), &Watch::default())?;
//! assert_eq!((result.files, result.records, result.delivered), (1, 1, 1));
//! assert!(result.skipped.is_empty());
//! # Ok(())
//! # }
//! ```

mod counts;
mod folder;
mod judge;
mod layout;
mod result;
mod run;
mod seen;
mod source;
mod tally;
mod watch;

pub use folder::LocalLogs;
pub use layout::{Folder, Scope, is_log, is_not_records};
pub use result::{
    Backtest, BudgetUse, Comparison, Difference, MAX_SKIPPED, NotDelivered, Principal, RuleAlerts,
    SAMPLES, Sample, Skipped, TOP_PRINCIPALS,
};
pub use run::{BacktestError, Options, compare, run};
pub use source::{Found, ListError, LogFile, Source};
pub use watch::{Glance, Watch};
