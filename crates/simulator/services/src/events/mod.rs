//! Amazon EventBridge: buses, rules, targets and event routing.

mod actions;
mod bus;
pub mod dead_letters;
mod delivery;
mod destinations;
mod put_events;
pub(crate) mod resources;
mod rule;
mod rule_actions;
mod rules;
mod targets;

use std::collections::BTreeMap;

use eventbridge_pattern::{Pattern, Scratch};

pub(crate) use actions::ACTIONS;
pub(crate) use bus::Bus;
pub(crate) use delivery::{Origin, arrive};
pub(crate) use rule::Rule;

use super::arn::Arn;
use crate::wire::api::ApiError;

/// The service principal in policies.
pub(super) const SERVICE: &str = "events.amazonaws.com";

/// All buses except untouched default buses.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// By ARN. A default bus is added on first use.
    pub buses: BTreeMap<String, Bus>,
    /// Parsed patterns by their text, and whether each uses a wildcard. Stack sets deploy the same
    /// patterns thousands of times, and clones of a parsed pattern share memory.
    parsed: BTreeMap<String, (Pattern, bool)>,
    /// Queue and message id of every dead letter, by the id of its event.
    dead_letters: BTreeMap<String, Vec<(String, String)>>,
    /// The matcher's working memory, reused from event to event.
    scratch: Scratch,
}

pub(crate) fn bus_arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:aws:events:{region}:{account}:event-bus/{name}")
}

/// Rule ARNs omit the default bus.
fn rule_arn(account: &str, region: &str, bus: &str, name: &str) -> String {
    match bus {
        "default" => format!("arn:aws:events:{region}:{account}:rule/{name}"),
        bus => format!("arn:aws:events:{region}:{account}:rule/{bus}/{name}"),
    }
}

fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationException", message)
}

fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::new("ResourceNotFoundException", message)
}

fn limit_exceeded(limit: usize, what: &str) -> ApiError {
    ApiError::new(
        "LimitExceededException",
        format!("The requested resource exceeds the maximum number allowed: {limit} {what}."),
    )
}

/// Whether a name is valid, with at most `limit` characters.
fn is_name(text: &str, limit: usize) -> bool {
    !text.is_empty()
        && text.len() <= limit
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
}

impl Events {
    /// Finds a bus by name or ARN, relative to an account and Region. Default buses always exist.
    pub(crate) fn bus_mut(
        &mut self,
        account: &str,
        region: &str,
        reference: &str,
    ) -> Result<&mut Bus, ApiError> {
        let arn = resolve(account, region, reference);
        let missing = || not_found(format!("Event bus {reference} does not exist."));
        if arn.ends_with("/default") && !self.buses.contains_key(&arn) {
            let parsed = Arn::parse(&arn).ok_or_else(missing)?;
            let bus = Bus::new(parsed.account, parsed.region, "default");
            self.buses.insert(arn.clone(), bus);
        }
        self.buses.get_mut(&arn).ok_or_else(missing)
    }

    /// A bus for reading; `None` for a default bus that was never changed.
    pub fn bus(&self, account: &str, region: &str, reference: &str) -> Option<&Bus> {
        self.buses.get(&resolve(account, region, reference))
    }

    /// Drops an untouched default bus to save memory.
    pub fn forget_default(&mut self, account: &str, region: &str) {
        let arn = bus_arn(account, region, "default");
        if self.buses.get(&arn).is_some_and(Bus::is_untouched) {
            self.buses.remove(&arn);
        }
    }
}

fn resolve(account: &str, region: &str, reference: &str) -> String {
    if reference.starts_with("arn:") {
        reference.to_owned()
    } else {
        bus_arn(account, region, reference)
    }
}

#[cfg(test)]
pub(super) mod tests;
