//! The rule file: one detection in YAML, with its message, exceptions and tests.
//!
//! [`load`] reads a folder of rule files and returns a [`Library`]: the sound rules, and a diagnostic
//! with file, line and column for everything else. `rules/README.md`
//! describes the format for those who write rules.
//!
//! # Layout
//!
//! - `library`: a folder of rules, from its files to sound rules;
//! - `read`: a file's text to fields; messages become input transformers that no value can break,
//!   exceptions become part of the event pattern;
//! - [`lint`]: every code that a diagnostic can have, the checks of a rule that has been read, and the
//!   comments that allow a diagnostic;
//! - `test`: a rule's own tests; [`mutation`]: whether they notice a change of the pattern;
//! - `catalogue`: pages about all rules of a library; `attack`: the tactics and techniques of tags;
//! - `draft`: a rule file begun from an event.
//!
//! Reading ends before linting begins: `lint` sees the fields of a file, `read` knows no lint.
//!
//! # Invariants
//!
//! - Loading depends on the folder and the date it is given, on nothing else.
//! - What is wrong in a user's file is a [`syntax::Diagnostic`], never an `Err`, never a panic.
//! - Every rule of a library pins `source` and, if it has a message, carries a template that
//!   renders to valid JSON whatever the event says.
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
mod library;
pub mod lint;
mod model;
mod read;
mod source_pin;
mod test;

pub use catalogue::{alerts, catalogue};
pub use draft::{Draft, Replaced, draft};
pub use library::{Library, Options, check_file, load};
pub use model::{
    Budget, Exception, ImportedFrom, Message, Origin, Response, Rule, RuleTest, Severity, Status,
    UNFINISHED, UnknownSeverity,
};
pub use read::folder::{SCHEMA_FILE, sources};
pub use read::rule::is_id;
pub use read::shape::{format, schema};
pub use source_pin::pins_source;
pub use test::{TestOutcome, mutation, run_tests};
