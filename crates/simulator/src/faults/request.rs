//! Applies faults to requests, before and after the action is performed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{Bucket, Chance, Event, Faults, RequestFault, covers};
use crate::wire::api::{ApiError, Caller};
use crate::world::World;

/// The configured faults and their state.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) faults: Faults,
    pub(crate) chance: Chance,
    /// Distinguishes scheduled events of these faults from those of replaced ones.
    pub(crate) generation: u64,
    /// Occurrences by kind.
    pub(crate) counts: BTreeMap<String, u64>,
    /// Outcomes of scheduled events, with virtual time.
    pub(crate) happened: Vec<(Timestamp, String)>,
    /// Occurrences of each rate, by position.
    hits: Vec<u64>,
    /// Tokens left and the time of that count, by bucket, API and account.
    levels: BTreeMap<(usize, String, String), (f64, Timestamp)>,
    /// Events that wait for calls: position in the schedule, calls remaining.
    waiting: Vec<(usize, u64)>,
    /// Occurrences of instance faults, by position, account and Region.
    pub(crate) met: BTreeMap<(usize, String, String), u32>,
}

impl State {
    pub(crate) fn new(faults: Faults, seed: u64, generation: u64) -> State {
        let waiting = faults
            .schedule
            .iter()
            .enumerate()
            .filter_map(|(index, scheduled)| match &scheduled.when {
                super::When::AfterCalls { calls, .. } => Some((index, *calls)),
                super::When::AtSecond(_) => None,
            })
            .collect();
        State {
            chance: Chance::new(faults.seed.unwrap_or(seed)),
            generation,
            hits: vec![0; faults.rates.len()],
            waiting,
            faults,
            ..State::default()
        }
    }

    /// Counts an occurrence.
    pub(crate) fn count(&mut self, kind: &str) {
        match self.counts.get_mut(kind) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(kind.to_owned(), 1);
            }
        }
    }
}

/// A request as the faults see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) service: &'a str,
    pub(crate) action: &'a str,
    /// The parameters; for S3 the method, path and query.
    pub(crate) input: &'a Value,
}

impl Asked<'_> {
    fn api(&self) -> String {
        format!("{}:{}", self.service, self.action)
    }

    /// Identifies the request's content, without tokens that clients generate for each call.
    fn question(&self) -> String {
        let mut input = self.input.clone();
        if let Some(fields) = input.as_object_mut() {
            for token in ["ClientRequestToken", "ClientToken"] {
                fields.remove(token);
            }
            if let Some(token) = fields.get_mut("NextToken") {
                let position = token.as_str().map(|text| super::untimed(text).0.to_owned());
                *token = position.into();
            }
        }
        let (account, region) = (&self.caller.account, &self.caller.region);
        format!("{}|{account}|{region}|{input}", self.api())
    }
}

/// The fault before the action, which then isn't performed.
#[derive(Debug)]
pub(crate) enum Before {
    Nothing,
    Refuse(ApiError),
    Reset,
    TimeOut,
}

/// The fault after the action, instead of its response.
#[derive(Debug)]
pub(crate) enum After {
    Nothing,
    Replace(ApiError),
    Reset,
    TimeOut,
}

/// The faults drawn for a request.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) before: Before,
    pub(crate) after: After,
    /// The fault's name in statistics.
    pub(crate) kind: Option<&'static str>,
}

impl Decision {
    fn refuse(kind: &'static str, error: ApiError) -> Decision {
        Decision::before(kind, Before::Refuse(error))
    }

    fn before(kind: &'static str, before: Before) -> Decision {
        Decision {
            before,
            after: After::Nothing,
            kind: Some(kind),
        }
    }

    fn after(kind: &'static str, after: After) -> Decision {
        Decision {
            before: Before::Nothing,
            after,
            kind: Some(kind),
        }
    }

    const NOTHING: Decision = Decision {
        before: Before::Nothing,
        after: After::Nothing,
        kind: None,
    };
}

/// Draws the faults of a request.
pub(crate) fn before(world: &mut World, asked: &Asked<'_>) -> Decision {
    if let Some(error) = expired(world, asked) {
        return Decision::refuse("token_expired", error);
    }
    let api = asked.api();
    if drained(world, asked, &api) {
        world.faults.count("throttled_by_bucket");
        return Decision::refuse("throttled_by_bucket", throttled(asked.service));
    }
    let state = &mut world.faults;
    if state.faults.rates.is_empty() {
        return Decision::NOTHING;
    }
    let question = asked.question();
    let attempt = state.chance.attempt(&question).to_string();
    let mut found = None;
    for (index, rate) in state.faults.rates.iter().enumerate() {
        let Some(hits) = state.hits.get_mut(index) else {
            continue;
        };
        let drawn = state
            .chance
            .of(&[&question, &attempt, &index.to_string(), rate.fault.name()]);
        if covers(&rate.apis, &api)
            && rate.most.is_none_or(|most| *hits < most)
            && drawn < rate.share
        {
            *hits += 1;
            found = Some(rate.fault);
            break;
        }
    }
    let Some(fault) = found else {
        return Decision::NOTHING;
    };
    let name = fault.name();
    state.count(name);
    let internal = || {
        let message = "We encountered an internal error. Please try again.";
        ApiError::new("InternalFailure", message).status(500)
    };
    match fault {
        RequestFault::Throttled => Decision::refuse(name, throttled(asked.service)),
        RequestFault::InternalFailure => Decision::refuse(name, internal()),
        RequestFault::ServiceUnavailable => {
            let message = "The service is temporarily unavailable. Please try again.";
            let error = ApiError::new("ServiceUnavailable", message).status(503);
            Decision::refuse(name, error)
        }
        RequestFault::StaleRequest => {
            let message = "Another operation has been performed on this StackSet since the specified operation was performed.";
            let error = ApiError::new("StaleRequestException", message).status(409);
            Decision::refuse(name, error)
        }
        RequestFault::ResetBefore => Decision::before(name, Before::Reset),
        RequestFault::TimeOutBefore => Decision::before(name, Before::TimeOut),
        RequestFault::InternalFailureAfter => Decision::after(name, After::Replace(internal())),
        RequestFault::ResetAfter => Decision::after(name, After::Reset),
        RequestFault::TimeOutAfter => Decision::after(name, After::TimeOut),
    }
}

/// The error for an expired pagination token.
fn expired(world: &mut World, asked: &Asked<'_>) -> Option<ApiError> {
    let lifetime = world.faults.faults.token_lifetime_seconds?;
    let token = asked.input.get("NextToken")?.as_str()?;
    let issued = super::untimed(token).1?;
    if world.clock.now().as_millisecond() - issued <= i64::from(lifetime) * 1_000 {
        return None;
    }
    world.faults.count("token_expired");
    Some(crate::wire::paging::bad_token(asked.service, token))
}

/// Takes a token from every bucket that covers the request. Returns whether one was empty.
fn drained(world: &mut World, asked: &Asked<'_>, api: &str) -> bool {
    let now = world.clock.now();
    let state = &mut world.faults;
    let mut empty = false;
    for (index, bucket) in state.faults.buckets.iter().enumerate() {
        if !covers(&bucket.apis, api) {
            continue;
        }
        let key = (index, api.to_owned(), asked.caller.account.clone());
        let full = f64::from(bucket.burst);
        let (level, at) = state.levels.entry(key).or_insert((full, now));
        *level = refilled(bucket, *level, now.duration_since(*at).as_secs_f64());
        *at = now;
        if *level < 1.0 {
            empty = true;
        } else {
            *level -= 1.0;
        }
    }
    empty
}

fn refilled(bucket: &Bucket, level: f64, seconds: f64) -> f64 {
    (level + bucket.per_second * seconds).min(f64::from(bucket.burst))
}

/// A service's throttling error.
fn throttled(service: &str) -> ApiError {
    match service {
        "organizations" => ApiError::new(
            "TooManyRequestsException",
            "AWS Organizations can't process this request because you have exceeded the rate limit.",
        ),
        "s3" => ApiError::new("SlowDown", "Please reduce your request rate.").status(503),
        "ec2" => ApiError::new("RequestLimitExceeded", "Request limit exceeded.").status(503),
        "events" | "scheduler" | "cloudtrail" | "kms" | "ssm" | "account" => {
            ApiError::new("ThrottlingException", "Rate exceeded")
        }
        _ => ApiError::new("Throttling", "Rate exceeded"),
    }
}

/// Applies the fault that [`before`] drew for the response.
pub(crate) fn after(world: &World, decided: After, answer: &mut Value) -> After {
    if world.faults.faults.token_lifetime_seconds.is_some()
        && let Some(Value::String(token)) = answer.get_mut("NextToken")
    {
        *token = super::timed(token, world.clock.now());
    }
    decided
}

/// Triggers the events scheduled after this call.
pub(crate) fn called(world: &mut World, service: &str, action: &str) {
    if world.faults.waiting.is_empty() {
        return;
    }
    let api = format!("{service}:{action}");
    let mut ready: Vec<Event> = Vec::new();
    let State {
        waiting, faults, ..
    } = &mut world.faults;
    waiting.retain_mut(|(index, left)| {
        let Some(scheduled) = faults.schedule.get(*index) else {
            return false;
        };
        if let super::When::AfterCalls { apis, .. } = &scheduled.when
            && covers(apis, &api)
        {
            *left = left.saturating_sub(1);
            if *left == 0 {
                ready.push(scheduled.event.clone());
                return false;
            }
        }
        true
    });
    for event in ready {
        // `happen` has recorded the outcome.
        super::event::happen(world, &event).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_fills_up_to_its_burst() {
        let bucket = Bucket {
            apis: Vec::new(),
            burst: 5,
            per_second: 2.0,
        };
        assert!((refilled(&bucket, 0.0, 1.0) - 2.0).abs() < 1e-9);
        assert!((refilled(&bucket, 4.0, 60.0) - 5.0).abs() < 1e-9);
    }
}
