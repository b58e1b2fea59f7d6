//! `EventBridge` event patterns: parse, check, match.
//!
//! The crate answers what AWS would answer: whether a pattern is accepted, and if it isn't, in
//! AWS's own words and with the place; whether an event matches; what an input transformer
//! delivers. It does no I/O and depends on no other member of the workspace.
//!
//! ```
//! use pattern::{Event, Pattern};
//!
//! let pattern = Pattern::parse(r#"{"source": ["aws.signin"], "detail": {"eventName": ["ConsoleLogin"]}}"#)?;
//! let event = Event::parse(r#"{"source": "aws.signin", "detail": {"eventName": "ConsoleLogin"}}"#)?;
//! assert!(pattern.matches(&event));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod algebra;
mod complexity;
mod document;
mod error;
mod event;
mod fold;
mod json_path;
mod matching;
mod number;
mod parse;
mod paths;
mod pattern;
mod ruleset;
mod scan;
mod term;
mod term_parse;
pub mod transformer;
pub mod union;
pub mod vectors;
mod wildcard;

pub use error::{EventError, PatternError, PatternErrorKind};
pub use event::Event;
pub use pattern::{Limits, Pattern};
pub use ruleset::{Matches, RuleSet, RuleSetBuilder, Scratch};
