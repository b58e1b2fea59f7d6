//! Waiting.

use std::future::Future;
use std::time::Duration;

/// Lets time pass between two looks at something asynchronous.
///
/// On AWS this sleeps. On the simulator it advances the virtual clock, so that an operation of
/// forty minutes takes milliseconds. Limits on waiting are counted in the time asked for here.
pub trait Pause {
    /// Returns when `duration` has passed.
    fn pause(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}
