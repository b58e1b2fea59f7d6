//! Rule files: detections in YAML, each with its message, exceptions and tests.
//!
//! [`load`] reads a folder of rule files and returns a [`Library`]: the valid rules, and a diagnostic
//! with file, line and column for every problem. `rules/README.md` describes the format for rule
//! authors.
//!
//! # Layout
//!
//! - `library`: loads a folder of rules;
//! - `read`: parses a file into fields; compiles messages to input transformers that no value can
//!   break, and exceptions into the event pattern;
//! - [`lint`]: all diagnostic codes, the checks of a rule that has been read, and the comments that
//!   allow a diagnostic;
//! - `test`: runs a rule's own tests; [`mutation`]: whether they detect changes to the pattern;
//! - `catalogue`: generates pages about a library; `attack`: tactics and techniques for tags;
//! - `draft`: starts a rule file from an event;
//! - [`stand_in`]: what stands in patterns for values of the organization file;
//! - `event_origin`: whether a pattern's events are CloudTrail's, and the Regions in which they appear.
//!
//! Reading ends before linting begins: `lint` uses the fields of a file, and `read` doesn't use
//! lints.
//!
//! # Invariants
//!
//! - Loading depends only on the folder and the given date.
//! - An error in a user's file is a [`syntax::Diagnostic`], never an `Err` and never a panic.
//! - Every rule in a library pins `source`, and its message, if any, renders to valid JSON for
//!   every event.
//!
//! # Example
//!
//! ```no_run
//! let options = rules::Options { today: jiff::civil::date(2026, 11, 23) };
//! let library = rules::load("rules".as_ref(), &options);
//! for diagnostic in &library.diagnostics {
//!     eprintln!("{diagnostic}");
//! }
//! for rule in &library.rules {
//!     assert!(rules::run_tests(rule).iter().all(|test| test.passed));
//! }
//! ```

mod attack;
mod catalogue;
mod draft;
mod event_origin;
mod library;
pub mod lint;
mod model;
mod read;
mod source_pin;
pub mod stand_in;
mod test;

pub use catalogue::{alerts, catalogue};
pub use draft::{Draft, Replaced, draft};
pub use event_origin::{FixedRegions, GLOBAL_REGION, SIGN_IN_REGIONS, are_records, fixed_regions};
pub use library::{Library, Options, check_file, load};
pub use lint::names::REGIONS;
pub use model::{
    Budget, Exception, ImportedFrom, Message, Origin, Response, Rule, RuleTest, Severity, Status,
    UNFINISHED, UnknownSeverity,
};
pub use read::folder::{MAX_DIAGNOSTICS, SCHEMA_FILE, sources};
pub use read::rule::is_id;
pub use read::shape::{format, schema};
pub use source_pin::pins_source;
pub use test::{TestOutcome, mutation, run_tests};
