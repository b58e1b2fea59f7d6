//! Reads, evaluates, imports and exports Sigma rules for AWS CloudTrail.
//!
//! [Sigma](https://sigmahq.io/sigma-specification/) is the common format for detection rules. It
//! ignores case, supports regular expressions and comparisons between fields, and searches stored
//! logs; EventBridge does none of that. So an import has one of three outcomes:
//!
//! - **exact**: the event pattern matches the same records as the Sigma rule;
//! - **with losses**: each difference is stated with its direction ([`Effect`]); a clause that
//!   can't be expressed is left out only if the rule still names its calls;
//! - **refused**, with the reason and its location in the file.
//!
//! [`Rule::matches`] alone defines what a Sigma rule means for a CloudTrail record. It doesn't use
//! event patterns; property tests compare the imported patterns with it.
//!
//! # Layout
//!
//! - `rule`, `modifiers`, `condition`, `text`: parse the file into an `expression`;
//! - `evaluate`: evaluates the expression against a record;
//! - `lower`, `terms`, `glob`, `regex_globs`: one test as terms of an event pattern; `fields`: the
//!   types of a record's fields;
//! - `alternatives`: pushes negations down to the tests and multiplies out the rest;
//! - `event_pattern`: alternatives within EventBridge's limits; `witness`: events for tests;
//!   `write`: the rule file;
//! - `export`: from a rule file to Sigma.
//!
//! # Known differences that are not stated as losses
//!
//! EventBridge compares the digits of addresses, so an IPv4 range also contains the few IPv6
//! addresses that begin with the same digits.
//!
//! # Bounds
//!
//! [`syntax::parse`] bounds files; conditions are bounded by length and depth; tests, values, forms
//! of a value, combinations and glob intersections by number. Exceeding a bound is a diagnostic.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! let text = "
//! title: Trail stopped or deleted
//! logsource: {product: aws, service: cloudtrail}
//! detection:
//!   selection:
//!     eventSource: cloudtrail.amazonaws.com
//!     eventName: [StopLogging, DeleteTrail]
//!   filter:
//!     userIdentity.arn|endswith: ':role/break-glass'
//!   condition: selection and not filter
//! ";
//! let file = Arc::new(syntax::SourceFile::new("trail_stopped.yml", text));
//! let rule = sigma::read(&file).map_err(|diagnostics| diagnostics[0].message.clone())?;
//! let options = sigma::Options { case: sigma::Case::Ignore, license: None, today: jiff::civil::date(2026, 11, 23) };
//! let imported = sigma::import(&rule, &options).map_err(|diagnostics| diagnostics[0].message.clone())?;
//! assert_eq!(imported.rules[0].id, "trail-stopped");
//! // EventBridge can exclude suffixes only case-sensitively.
//! assert_eq!(imported.losses[0].effect, sigma::Effect::Wider);
//! # Ok::<(), String>(())
//! ```

mod alternatives;
mod condition;
mod evaluate;
mod event_pattern;
mod export;
mod expression;
mod fields;
mod glob;
mod import;
mod loss;
mod lower;
mod modifiers;
mod regex_globs;
mod rule;
mod terms;
mod text;
mod witness;
mod write;

pub use evaluate::Record;
pub use export::{Exported, export};
pub use import::{Imported, Options, RuleFile, import};
pub use loss::{Effect, Loss};
pub use lower::Case;
pub use rule::{Rule, read};
