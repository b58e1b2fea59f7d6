//! The compiler from the outside: organization file and rules in, bundle out.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, also in its own functions"
)]

mod bundle;
mod forwarding;
mod hostile;
mod limits;
mod organization;
mod protection;
mod support;
