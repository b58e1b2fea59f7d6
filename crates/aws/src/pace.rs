//! One rate limit per API action, shared by all tasks.
//!
//! AWS doesn't publish the request rates of StackSets and Organizations. Therefore an action has no
//! limit until AWS first throttles it. From then on its calls are spread out: each refusal lowers
//! the rate, each success raises it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_cloudformation::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_cloudformation::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::Metadata;

/// Calls per second after the first refusal. AWS measured a limit of two for StackSets:
/// <https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-cloudformation/pull/37>
const FIRST: f64 = 4.0;
/// Lowest rate, in calls per second.
const SLOWEST: f64 = 0.5;
/// Rate in calls per second at which the limit is dropped.
const FREE: f64 = 40.0;
/// Increase of the rate with each success, in calls per second.
const FASTER: f64 = 0.1;

/// The learned rates.
#[derive(Debug)]
pub(crate) struct Pace {
    /// `None` in a simulation, where only pauses count as time, so that a busy machine doesn't
    /// change the result.
    start: Option<Instant>,
    rates: Mutex<Rates>,
}

#[derive(Debug, Default)]
struct Rates {
    /// Sum of all pauses in a simulation.
    skipped: Duration,
    actions: BTreeMap<String, Rate>,
}

#[derive(Debug)]
struct Rate {
    per_second: f64,
    /// Earliest time of the next call, on the clock of [`Pace`].
    next: Duration,
}

impl Pace {
    pub(crate) fn new(simulated: bool) -> Pace {
        Pace {
            start: (!simulated).then(Instant::now),
            rates: Mutex::default(),
        }
    }

    fn rates(&self) -> std::sync::MutexGuard<'_, Rates> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves the action's next call; returns how long to wait for it.
    pub(crate) fn turn(&self, action: &str) -> Duration {
        let elapsed = self.start.map_or(Duration::ZERO, |start| start.elapsed());
        self.turn_at(action, elapsed)
    }

    fn turn_at(&self, action: &str, elapsed: Duration) -> Duration {
        let mut rates = self.rates();
        let now = elapsed + rates.skipped;
        let Some(rate) = rates.actions.get_mut(action) else {
            return Duration::ZERO;
        };
        let turn = rate.next.max(now);
        rate.next = turn + Duration::from_secs_f64(1.0 / rate.per_second);
        turn.saturating_sub(now)
    }

    /// Advances the clock of a simulation.
    pub(crate) fn skip(&self, duration: Duration) {
        self.rates().skipped += duration;
    }

    /// Records that AWS throttled a call.
    pub(crate) fn refused(&self, action: &str) {
        let mut rates = self.rates();
        let rate = rates
            .actions
            .entry(action.to_owned())
            .or_insert_with(|| Rate {
                per_second: 2.0 * FIRST,
                next: Duration::ZERO,
            });
        rate.per_second = (rate.per_second / 2.0).max(SLOWEST);
    }

    /// Records that AWS accepted a call.
    pub(crate) fn passed(&self, action: &str) {
        let mut rates = self.rates();
        if let Some(rate) = rates.actions.get_mut(action) {
            rate.per_second += FASTER;
            if rate.per_second > FREE {
                rates.actions.remove(action);
            }
        }
    }
}

/// Reports every attempt to [`Pace`], including the SDK's own retries.
#[derive(Clone, Debug)]
pub(crate) struct Watch(pub(crate) Arc<Pace>);

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "learns the request rate"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(action) = bag.load::<Metadata>().map(Metadata::name) else {
            return Ok(());
        };
        let Some(response) = context.response() else {
            return Ok(());
        };
        if response.status().is_success() {
            self.0.passed(action);
        } else if response.body().bytes().is_some_and(names_throttling) {
            self.0.refused(action);
        }
        Ok(())
    }
}

/// Whether an error response contains one of the throttling codes.
fn names_throttling(body: &[u8]) -> bool {
    ["Throttl", "Rate exceeded", "TooManyRequests", "SlowDown"]
        .iter()
        .any(|code| body.windows(code.len()).any(|part| part == code.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_limit_before_the_first_refusal_and_none_after_many_successes() {
        let pace = Pace::new(true);
        for _ in 0..100 {
            assert_eq!(
                pace.turn_at("ListStackInstances", Duration::ZERO),
                Duration::ZERO
            );
        }
        pace.refused("ListStackInstances");
        pace.turn_at("ListStackInstances", Duration::ZERO);
        let wait = pace.turn_at("ListStackInstances", Duration::ZERO);
        assert_eq!(wait, Duration::from_millis(250));
        assert_eq!(
            pace.turn_at("DescribeStackSet", Duration::ZERO),
            Duration::ZERO
        );
        for _ in 0..400 {
            pace.passed("ListStackInstances");
        }
        assert_eq!(
            pace.turn_at("ListStackInstances", Duration::ZERO),
            Duration::ZERO
        );
    }

    #[test]
    fn every_refusal_halves_the_rate_down_to_a_floor() {
        let pace = Pace::new(true);
        for _ in 0..20 {
            pace.refused("ListAccounts");
        }
        pace.turn_at("ListAccounts", Duration::ZERO);
        assert_eq!(
            pace.turn_at("ListAccounts", Duration::ZERO),
            Duration::from_secs(2)
        );
        // In a simulation, a pause counts as elapsed time.
        pace.skip(Duration::from_mins(1));
        assert_eq!(pace.turn_at("ListAccounts", Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn throttling_is_recognized_by_all_its_names() {
        assert!(names_throttling(b"<Code>Throttling</Code>"));
        assert!(names_throttling(
            br#"{"__type":"TooManyRequestsException"}"#
        ));
        assert!(!names_throttling(b"<Code>LimitExceededException</Code>"));
    }
}
