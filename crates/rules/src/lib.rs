//! The rule file: reading, checking, messages and rule tests.

pub mod envelope;
pub mod hostile;
mod library;
mod message;
mod model;
mod outcome;

pub use library::{Library, Options, load};
pub use model::{
    Exception, Message, Response, Rule, RuleTest, Severity, Status, UnknownSeverity,
};
pub use outcome::{TestOutcome, run_tests};
