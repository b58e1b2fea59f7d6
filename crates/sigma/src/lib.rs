//! Sigma rules for AWS CloudTrail: read them, judge them directly, import and export them.
//!
//! [Sigma](https://sigmahq.io/sigma-specification/) is the common format of detection rules. It
//! compares without case, has regular expressions and comparisons of fields, and is judged over
//! stored logs; EventBridge has none of that. So an import is one of three things:
//!
//! - **exact**: the event pattern matches the same records as the Sigma rule;
//! - **with losses**: each difference is stated with its direction ([`Effect`]); a clause that
//!   can't be said is left out only if the rule still names the calls that it is about;
//! - **refused**, with the reason and its location in the file.
//!
//! What a Sigma rule means over a CloudTrail record is decided in one place, [`Rule::matches`],
//! which doesn't know event patterns; property tests hold the imported patterns against it.
//!
//! # Layout
//!
//! - `rule`, `modifiers`, `condition`, `text`: the file becomes an `expression`;
//! - `evaluate`: the expression against a record;
//! - `lower`, `terms`, `glob`, `regex_globs`: one test as terms of an event pattern; `fields` is
//!   the shapes of a record's fields;
//! - `alternatives`: negations pushed to the tests, and the rest multiplied out;
//! - `event_pattern`: alternatives within EventBridge's limits; `witness`: events for tests;
//!   `write`: the file;
//! - `export`: the way back.
//!
//! # Known differences that are not stated as losses
//!
//! EventBridge compares the digits of addresses, so that a range of IPv4 also contains the few
//! IPv6 addresses that begin with the same digits.
//!
//! # Bounds
//!
//! Files are bounded by [`syntax::parse`]; conditions by length and depth; tests, values, forms
//! of a value, combinations and common parts of texts by number. Each bound ends in a diagnostic.
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
//! // EventBridge excludes endings with their case only.
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
