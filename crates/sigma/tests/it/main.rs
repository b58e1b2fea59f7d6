//! Sigma rules from the outside: read, imported, judged, exported.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic, also in its own functions"
)]

mod agreement;
mod exported;
mod hostile;
mod imported;
mod support;
