//! CloudTrail's format: what a record looks like, and what EventBridge makes of it.
//!
//! Everything that reads records shares this crate: rule tests, backtests, lint checks, the import of
//! Sigma rules. So they agree on which event a record becomes and on who receives it.
//!
//! - [`fields`]: the fields of a record, one table;
//! - [`Head`]: the few fields that decide whether a record is delivered, read without building a tree;
//! - [`envelope`]: from a record to the event on the default bus;
//! - [`Withheld`], [`Category`]: which events EventBridge delivers to a rule before it looks at the
//!   rule's pattern;
//! - [`records`]: the records of a log file, one by one, in bounded memory;
//! - [`hostile`]: variants of an event as an attacker would write them.
//!
//! The crate doesn't know rules. The simulator must not depend on it: a mistake in here would
//! confirm itself.
//!
//! # Example
//!
//! ```
//! use cloudtrail::{Withheld, envelope};
//!
//! let record = serde_json::json!({
//!     "eventSource": "iam.amazonaws.com", "eventName": "ListUsers", "awsRegion": "us-east-1",
//!     "recipientAccountId": "012345678901", "readOnly": true,
//! });
//! let event = envelope::wrap(&record)?;
//! assert_eq!(event["source"], "aws.iam");
//! // Only a rule that asks for read-only calls receives this one.
//! assert_eq!(Withheld::of_event(&event, false), Some(Withheld::ReadOnly));
//! assert_eq!(Withheld::of_event(&event, true), None);
//! # Ok::<(), envelope::EnvelopeError>(())
//! ```

mod delivery;
pub mod envelope;
pub mod fields;
mod head;
pub mod hostile;
pub mod records;

pub use delivery::{Category, MAX_DELIVERED_BYTES, Withheld};
pub use head::Head;
