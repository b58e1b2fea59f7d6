//! Waiting, and the clock.

use std::future::Future;
use std::time::{Duration, SystemTime};

/// Lets time pass between two polls.
///
/// On AWS this sleeps. On the simulator it advances the virtual clock, so a forty-minute operation
/// takes milliseconds. Time limits count the durations passed to [`Pause::pause`].
pub trait Pause {
    /// Returns when `duration` has passed.
    fn pause(&self, duration: Duration) -> impl Future<Output = ()> + Send;

    /// The time of the clock that pauses advance. It must be close enough to the cloud's clock to
    /// tell an operation that just ended from one that ended a minute ago.
    fn now(&self) -> SystemTime;
}
