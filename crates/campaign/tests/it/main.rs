//! A sample of the campaign, and deployers that it must see through.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod sample;
