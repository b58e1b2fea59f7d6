//! Waiting, and the time.

use std::future::Future;
use std::time::{Duration, SystemTime};

/// Lets time pass between two polls.
///
/// On AWS this sleeps. On the simulator it advances the virtual clock, so that an operation of
/// forty minutes takes milliseconds. Time limits count the durations that are passed here.
pub trait Pause {
    /// Returns when `duration` has passed.
    fn pause(&self, duration: Duration) -> impl Future<Output = ()> + Send;

    /// The time by the clock that the pauses move: close enough to the cloud's own to distinguish an
    /// operation that has just ended from one that ended a minute ago.
    fn now(&self) -> SystemTime;
}
