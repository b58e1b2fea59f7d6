//! Tests of the public interface: read, evaluate, import, export.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers may panic"
)]

mod agreement;
mod exported;
mod hostile;
mod imported;
mod support;
