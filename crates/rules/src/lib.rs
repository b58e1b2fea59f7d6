//! The rule file: one detection in YAML, with its message, exceptions and tests.
//!
//! [`load`] reads a folder of rule files and gives back a [`Library`]: the rules that are in
//! order, and a diagnostic with file, line and column for everything that is not. `rules/README.md`
//! describes the format for those who write rules.
//!
//! # Layout
//!
//! - `library`: the folder; `shape`: the fields; `lower`: one file, field by field; `fields`, `text`, `suggest`: what
//!   all fields share;
//! - `message`: a text with placeholders becomes an input transformer that no value can break;
//! - `exceptions`: known cases become part of the event pattern;
//! - [`lint`]: every code that a diagnostic can have, with its page; what comments allow;
//! - `attack`: the tactics and techniques that tags may name;
//! - `catalogue`: pages about all rules of a library;
//! - `draft`: a rule file begun from an event;
//! - `outcome`: a rule's own tests; `fixtures`: the events they share;
//! - [`envelope`]: what `EventBridge` makes of a CloudTrail record, from a value or from its bytes;
//! - [`mutation`]: whether tests notice a change of the pattern;
//! - [`hostile`]: events as an attacker would write them.
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
pub mod envelope;
mod exceptions;
mod fields;
mod fixtures;
pub mod hostile;
mod library;
pub mod lint;
mod lower;
mod message;
mod model;
pub mod mutation;
mod outcome;
mod path;
mod shape;
mod source_pin;
mod suggest;
mod text;

pub use catalogue::{alerts, catalogue};
pub use draft::{Draft, Replaced, UNFINISHED, draft};
pub use library::{Library, Options, SCHEMA_FILE, check_file, load, sources};
pub use lower::is_id;
pub use model::{
    Budget, Exception, ImportedFrom, Message, Origin, Response, Rule, RuleTest, Severity, Status,
    UnknownSeverity,
};
pub use outcome::{TestOutcome, run_tests};
pub use shape::{format, schema};
pub use source_pin::pins_source;
pub use suggest::nearest;
