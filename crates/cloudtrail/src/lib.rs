//! CloudTrail's record format, and how EventBridge turns records into events.
//!
//! Everything that reads records shares this crate: rule tests, backtests, lint checks and the
//! import of Sigma rules. So they agree on which event a record becomes and which rules receive it.
//!
//! - [`fields`]: a table of the fields of a record;
//! - [`Head`]: the few fields that decide whether a record is delivered, read without building a
//!   tree;
//! - [`envelope`]: from a record to the event on the default bus;
//! - [`Withheld`], [`Category`]: which events EventBridge delivers to a rule before it evaluates
//!   the pattern;
//! - [`records`]: the records of a log file, one by one, in bounded memory;
//! - [`documents`]: the events of a whole text;
//! - [`hostile`]: variants of an event with text that an attacker could choose.
//!
//! The crate doesn't depend on rules. The simulator must not depend on this crate: a mistake in
//! here would confirm itself.
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
//! // Only a rule with `read_only: true` receives this call.
//! assert_eq!(Withheld::of_event(&event, false), Some(Withheld::ReadOnly));
//! assert_eq!(Withheld::of_event(&event, true), None);
//! # Ok::<(), envelope::EnvelopeError>(())
//! ```

mod delivery;
pub mod documents;
pub mod envelope;
pub mod fields;
mod head;
pub mod hostile;
pub mod records;

pub use delivery::{
    Category, MAX_DELIVERED_BYTES, Withheld, is_reading_name, may_begin_reading_name,
};
pub use head::Head;
