//! Which rules would have fired over CloudTrail logs that are there already?
//!
//! A rule's pattern runs here just as EventBridge would run it: each record is wrapped in the
//! envelope EventBridge would have delivered, and what EventBridge would not have delivered is left
//! out and counted (read-only calls for rules that don't ask for them, data events, records over
//! 256 KB). A record that stands in the logs twice, as in two trails, counts once.
//!
//! # Layout
//!
//! - [`Source`]: where log files come from, a port; [`LocalLogs`] are those in a folder;
//! - [`Scope`]: days, accounts and Regions, and what a file's path says of them;
//! - `judge`: whether a record is delivered, and to which rules; `seen`: whether it is a duplicate;
//! - [`run`] and [`compare`]: all files, on all cores; `tally`, `counts`: counting;
//! - [`Backtest`] and [`Comparison`]: the results.
//!
//! # Invariants
//!
//! - Memory doesn't grow with the logs, except for 18 MB per million records beyond the first 3.6
//!   million, by which duplicates are known. Files stream; what is kept of a rule is bounded.
//! - A file that can't be read is never silently left out: it is in [`Backtest::skipped`].
//! - The result depends on the logs and the rules, not on the order in which files are read.
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
//! let rules = []; // `rules::load` gives them
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
