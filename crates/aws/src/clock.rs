//! AWS's clock, from the `Date` header of responses.
//!
//! Whether an operation has just ended is decided by its end time, which AWS sets. The local clock
//! may be minutes off.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use aws_sdk_cloudformation::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_cloudformation::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_cloudformation::primitives::{DateTime, DateTimeFormat};
use aws_smithy_runtime_api::box_error::BoxError;

/// The time of the latest response.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    latest: Arc<Mutex<Option<Answered>>>,
    /// Whether the clock stands still between responses, as in a simulation.
    simulated: bool,
}

#[derive(Clone, Copy, Debug)]
struct Answered {
    /// AWS's clock, in whole seconds.
    at: SystemTime,
    /// The local clock.
    received: Instant,
}

impl Clock {
    pub(crate) fn new(simulated: bool) -> Clock {
        Clock {
            latest: Arc::default(),
            simulated,
        }
    }

    fn latest(&self) -> MutexGuard<'_, Option<Answered>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// AWS's clock; the local clock before the first response.
    pub(crate) fn now(&self) -> SystemTime {
        match *self.latest() {
            Some(answered) if self.simulated => answered.at,
            Some(answered) => answered.at + answered.received.elapsed(),
            None => SystemTime::now(),
        }
    }

    fn answered(&self, date: &str) {
        let date = DateTime::from_str(date, DateTimeFormat::HttpDate);
        // Ignore responses without a readable date.
        if let Some(at) = date.ok().and_then(|date| date.try_into().ok()) {
            *self.latest() = Some(Answered {
                at,
                received: Instant::now(),
            });
        }
    }
}

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "learns the time"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if let Some(date) = response.and_then(|response| response.headers().get("date")) {
            self.answered(date);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_latest_answer_tells_the_time() {
        let clock = Clock::new(true);
        clock.answered("Tue, 15 Nov 1994 08:12:31 GMT");
        clock.answered("yesterday");
        let told = SystemTime::UNIX_EPOCH + Duration::from_secs(784_887_151);
        assert_eq!(clock.now(), told);
    }
}
