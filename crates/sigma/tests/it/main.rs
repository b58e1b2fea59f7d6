//! Sigma rules from the outside: read, imported, judged, exported.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic, also in its own functions"
)]

mod agreement;
mod imported;
mod support;
