//! The virtual clock and its queue of scheduled work.
//!
//! The simulator never shows the machine's time: time advances on a client's request, or at `speed`
//! virtual seconds per real second. Work that takes time on AWS is queued and performed in order of
//! its due time, so that runs are reproducible.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// The start of virtual time: 2026-11-23T12:00:00Z.
const START: i64 = 1_795_435_200;

/// Scheduled work.
#[derive(Debug, Clone)]
pub(crate) enum Due {
    CloudFormation(crate::cloudformation::Task),
    Services(crate::services::Task),
    Fault(crate::faults::Planned),
}

/// Virtual time and its queue.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    now: Timestamp,
    /// Keyed by due time, then scheduling order.
    queue: BTreeMap<(Timestamp, u64), Due>,
    scheduled: u64,
    speed: f64,
    synced: Instant,
}

impl Clock {
    pub(crate) fn new(speed: f64) -> Clock {
        Clock {
            now: Timestamp::from_second(START).unwrap_or(Timestamp::UNIX_EPOCH),
            queue: BTreeMap::new(),
            scheduled: 0,
            speed: if speed.is_finite() && speed > 0.0 {
                speed
            } else {
                0.0
            },
            synced: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Queues work for `seconds` from now.
    pub(crate) fn after(&mut self, seconds: i64, due: Due) {
        let at = self
            .now
            .saturating_add(SignedDuration::from_secs(seconds))
            .unwrap_or(self.now);
        self.scheduled += 1;
        self.queue.insert((at, self.scheduled), due);
    }

    /// Queues work for a fractional number of seconds from now.
    pub(crate) fn after_seconds(&mut self, seconds: f64, due: Due) {
        let step =
            SignedDuration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(SignedDuration::MAX);
        let at = self.now.saturating_add(step).unwrap_or(self.now);
        self.scheduled += 1;
        self.queue.insert((at, self.scheduled), due);
    }

    /// The time a self-running clock should have reached by now.
    pub(crate) fn target(&mut self) -> Timestamp {
        let elapsed = self.synced.elapsed().as_secs_f64() * self.speed;
        self.synced = Instant::now();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "milliseconds of a session fit"
        )]
        let elapsed = SignedDuration::from_millis((elapsed * 1000.0) as i64);
        self.now.saturating_add(elapsed).unwrap_or(self.now)
    }

    /// Takes the next work due up to `target` and advances the clock to its time. If none is left,
    /// advances to `target` and returns `None`.
    pub(crate) fn next(&mut self, target: Timestamp) -> Option<Due> {
        match self.queue.first_key_value() {
            Some((&(at, _), _)) if at <= target => {
                let ((at, _), due) = self.queue.pop_first()?;
                self.now = self.now.max(at);
                Some(due)
            }
            _ => {
                self.now = self.now.max(target);
                None
            }
        }
    }
}
