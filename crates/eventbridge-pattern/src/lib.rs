//! `EventBridge` event patterns: parse, check, match.
//!
//! The crate answers what AWS would answer: whether a pattern is accepted, and if it isn't, in
//! AWS's own words and with the place; whether an event matches; what an input transformer
//! delivers. It does no I/O and depends on no other member of the workspace.
//!
//! ```
//! use eventbridge_pattern::{Event, Pattern};
//!
//! let pattern = Pattern::parse(r#"{"source": ["aws.signin"], "detail": {"eventName": [{"prefix": "Console"}]}}"#)?;
//! let event = Event::parse(r#"{"source": "aws.signin", "detail": {"eventName": "ConsoleLogin"}}"#)?;
//! assert!(pattern.matches(&event));
//!
//! let error = Pattern::parse(r#"{"source": [{"prefx": "aws."}]}"#).unwrap_err();
//! assert_eq!(error.message, "Unrecognized match type prefx");
//! assert_eq!((error.pointer.as_str(), error.column), ("/source/0/prefx", 14));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Layout
//!
//! * [`Pattern`]: one pattern. Text becomes alternatives (`$or` multiplied out), each a conjunction
//!   of fields with a list of terms.
//! * [`Event`]: one event, flattened to leaves with joined paths and their places in arrays.
//! * [`RuleSet`]: many patterns at once, an event's bytes in, ids out.
//! * [`Pattern::implies`] and [`Pattern::idle_clauses`]: what can be told of patterns without events.
//! * [`Pattern::explain`]: which clause fails, and what value it saw.
//! * [`union`]: the exact union of patterns in as few patterns as fit a quota.
//! * [`transformer`]: what a target receives: `Input`, `InputPath`, `InputTransformer`.
//! * [`vectors`]: recorded verdicts, run through the engine.
//!
//! # What is bounded
//!
//! Nesting (patterns 500 levels, events 1,000), `$or` combinations, the search for wildcard
//! complexity, and the work of array consistency. No input makes it overflow the stack or run away.

mod address;
mod algebra;
mod complexity;
mod document;
mod error;
mod event;
mod explain;
mod fold;
mod implication;
mod json_path;
mod keys;
mod language;
mod leaves;
mod matching;
mod number;
mod parse;
mod paths;
mod pattern;
mod reader;
mod ruleset;
mod samples;
mod scan;
mod structure;
mod table;
mod term;
mod term_parse;
pub mod transformer;
mod trie;
pub mod union;
pub mod vectors;
mod wildcard;

pub use error::{EventError, PatternError, PatternErrorKind};
pub use event::Event;
pub use explain::{Alternative, Clause, Explanation};
pub use implication::{IdleClause, IdleReason, Implication};
pub use pattern::{Limits, Pattern};
pub use ruleset::{Matches, RuleSet, RuleSetBuilder, Scratch};
