//! Which rules would have fired over CloudTrail logs that are there already?
//!
//! A rule's pattern runs here just as EventBridge would run it: each record is wrapped in the
//! envelope EventBridge would have delivered, and what EventBridge would not have delivered is left
//! out (read-only calls for rules that don't ask for them, records over 256 KB). A record that
//! stands in the logs twice, as in two trails, counts once.
//!
//! # Layout
//!
//! - [`files`]: finds log files below a folder;
//! - [`records`]: reads the records of one file, bounded in memory;
//! - [`run`]: puts all records through all rules, on all cores, and counts.
//!
//! A file that can't be read is never silently left out: it is in [`Backtest::skipped`].
//!
//! # Example
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! std::fs::write(
//!     folder.path().join("trail.json"),
//!     r#"{"Records": [{"eventID": "1", "eventName": "StopLogging"}]}"#,
//! )?;
//! let rules = []; // `rules::load` gives them
//! let result = backtest::run(&rules, &[folder.path().to_path_buf()])?;
//! assert_eq!((result.files, result.records), (1, 1));
//! assert!(result.skipped.is_empty());
//! # Ok(())
//! # }
//! ```

pub mod files;
pub mod records;
mod run;

pub use run::{Backtest, BacktestError, RuleAlerts, Skipped, run};
