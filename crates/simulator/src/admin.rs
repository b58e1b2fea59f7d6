//! The `/_simulator/` API: what a test needs and no AWS API offers.
