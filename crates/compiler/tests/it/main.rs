//! Tests of the public interface: organization file and rules in, bundle out.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test helpers may panic"
)]

mod bundle;
mod deployed;
mod forwarding;
mod hostile;
mod limits;
mod organization;
mod placement;
mod protection;
mod regions;
mod support;
