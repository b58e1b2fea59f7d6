//! Pauses between two polls.

use std::time::Duration;

/// Pauses from 5 to 30 seconds, each half again as long as the one before.
#[derive(Debug)]
pub(crate) struct Backoff {
    step: Duration,
    /// The sum of all pauses so far.
    pub(crate) waited: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Backoff {
        Backoff {
            step: Duration::from_secs(5),
            waited: Duration::ZERO,
        }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let step = self.step;
        self.step = (step * 3 / 2).min(Duration::from_secs(30));
        self.waited += step;
        step
    }
}
