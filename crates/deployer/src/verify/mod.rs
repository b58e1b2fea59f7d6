//! Sends the rules' test events through the deployed chain.
//!
//! Expected alerts are computed independently of the chain: the pattern engine decides which rules
//! match an event, their message templates give the text, and the organization file gives the
//! subscribers. Actual alerts come from the [`Chain`].

mod chain;
mod expect;
mod report;
mod respond;
mod send;

pub use chain::{Chain, ChainError, Delivery, Hop, HopOutcome, TestInstance, Trace};
pub use report::{Case, CaseKind, VerifyOutcome, VerifyReport};

use std::collections::BTreeSet;

use compiler::{Bundle, Part};
use eventbridge_pattern::Event;
use expect::Watch;
use respond::{Machine, respond};
use rules::{Rule, RuleTest};
use send::{Sent, send};
use serde_json::Value;

use crate::ports::{Account, AccountState, Location};
use crate::progress::{Progress, ProgressEvent};
use crate::rollout::selected;

/// The account from which [`verify`] sends: the first active, watched member account that is
/// neither hub nor log archive, or else any active, watched member account.
pub fn sender(bundle: &Bundle, accounts: &[Account]) -> Option<String> {
    let organization = &bundle.organization;
    let members = bundle
        .stack_sets
        .iter()
        .filter(|set| matches!(set.part, Part::RulesSpoke | Part::RulesLocal))
        .find_map(|set| set.targets.members.as_ref())?;
    let watched: Vec<&Account> = selected(members, organization, accounts)
        .filter(|account| account.state == AccountState::Active)
        .collect();
    watched
        .iter()
        .find(|account| {
            account.id != organization.accounts.hub
                && account.id != organization.accounts.log_archive
        })
        .or_else(|| watched.first())
        .map(|account| account.id.clone())
}

/// Sends every rule's test events from `account` and compares actual with expected alerts: positive
/// and negative tests, hostile variants of the first positive test, one event whose parameters
/// CloudTrail left out, and, for rules with a response, one EC2 instance with the response's tag and one without. (Hostile variants of all positive
/// tests would dominate the run time; the compiler's tests show that any message is safe.)
///
/// An event is sent in its own Region if that is watched, otherwise in the first watched Region
/// that isn't the hub's; findings are sent where the organization file takes them from. Dead letters of passed cases are removed from their queues.
pub async fn verify(
    chain: &impl Chain,
    bundle: &Bundle,
    rules: &[Rule],
    account: &str,
    progress: &dyn Progress,
) -> Result<VerifyReport, ChainError> {
    let deployed: Vec<Rule> = rules
        .iter()
        .map(|rule| compiler::as_deployed(rule, &bundle.organization).into_owned())
        .collect();
    let rules = deployed.as_slice();
    let watch = Watch::new(bundle, rules);
    let mut cases = Vec::new();
    for rule in rules.iter().filter(|rule| rule.is_deployed()) {
        progress.report(&ProgressEvent::Checking {
            what: format!("rule {}", rule.id),
        });
        let first = rule.tests.iter().position(|test| test.matches);
        for (index, test) in rule.tests.iter().enumerate() {
            let location = location(bundle, rule, account, &test.event);
            for sent in events(rule, test, &location, first == Some(index)) {
                cases.push(send(chain, &watch, sent).await?);
            }
            if let Some(response) = rule.respond.as_ref().filter(|_| test.matches) {
                for tagged in [true, false] {
                    let machine = Machine { response, tagged };
                    cases.push(respond(chain, rule, test, &machine, &location).await?);
                }
            }
        }
        let hidden = rule.tests.iter().filter(|test| test.matches);
        let mut hidden = hidden.filter_map(|test| hidden_from(rule, rules, test, bundle, account));
        if let Some(sent) = hidden.next() {
            cases.push(send(chain, &watch, sent).await?);
        }
    }
    discard_dead_letters(chain, &cases).await?;
    let locations: BTreeSet<Location> = cases.iter().map(|case| case.location.clone()).collect();
    Ok(VerifyReport {
        cases,
        locations: locations.into_iter().collect(),
    })
}

/// The events to send for one of a rule's tests.
fn events<'a>(
    rule: &'a Rule,
    test: &RuleTest,
    location: &Location,
    with_variants: bool,
) -> Vec<Sent<'a>> {
    let mut events = vec![Sent {
        rule,
        test: test.name.clone(),
        kind: if test.matches {
            CaseKind::Positive
        } else {
            CaseKind::Negative
        },
        location: location.clone(),
        event: test.event.clone(),
        planted: Vec::new(),
    }];
    if with_variants {
        let variants = cloudtrail::hostile::variants(&test.event, &rule.pattern);
        events.extend(variants.into_iter().map(|hostile| Sent {
            rule,
            test: format!("{} ({})", test.name, hostile.name),
            kind: CaseKind::Hostile,
            location: location.clone(),
            event: hostile.event,
            planted: hostile.planted,
        }));
    }
    events
}

/// The event of a test without its parameters, if the rule doesn't match it any more, and another
/// rule that must alert then. `check` warns of libraries without such a rule.
fn hidden_from<'a>(
    rule: &Rule,
    rules: &'a [Rule],
    test: &RuleTest,
    bundle: &Bundle,
    account: &str,
) -> Option<Sent<'a>> {
    let event = cloudtrail::hostile::without_parameters(&test.event)?;
    let parsed = Event::parse(&event.to_string()).ok()?;
    let matches = |rule: &Rule| rule.pattern.matches(&parsed) == Ok(true);
    if matches(rule) {
        return None;
    }
    let other = rules.iter().find(|it| it.is_deployed() && matches(it))?;
    Some(Sent {
        rule: other,
        test: format!("{} of {} (without parameters)", test.name, rule.id),
        kind: CaseKind::Hostile,
        location: location(bundle, other, account, &event),
        event,
        planted: Vec::new(),
    })
}

/// Removes dead letters of passed cases. For example, the EC2 instance named by a hostile event
/// can't be started; left in the queue, that event would raise an alarm and count as drift.
async fn discard_dead_letters(chain: &impl Chain, cases: &[Case]) -> Result<(), ChainError> {
    // Variants of an event share its id, and failed cases keep their evidence.
    let (passed, failed): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| case.passed());
    let ids = |cases: Vec<&Case>| -> BTreeSet<String> {
        let ids = cases.into_iter().filter_map(|case| case.event_id.clone());
        ids.collect()
    };
    let events: Vec<String> = (&ids(passed) - &ids(failed)).into_iter().collect();
    chain.discard_dead_letters(&events).await
}

fn location(bundle: &Bundle, rule: &Rule, account: &str, event: &Value) -> Location {
    let organization = &bundle.organization;
    let pinned = |field: &str| rule.pattern.exact_values(field)?.into_iter().next();
    let account = pinned("account").unwrap_or_else(|| account.to_owned());
    if let Some(region) = pinned("region").filter(|it| organization.regions.contains(it)) {
        return Location::new(&account, &region);
    }
    let own = event.get("region").and_then(Value::as_str);
    let region = organization
        .regions
        .iter()
        .find(|region| own == Some(region.as_str()))
        .or_else(|| {
            organization
                .regions
                .iter()
                .find(|region| **region != organization.home_region)
        })
        .unwrap_or(&organization.home_region);
    Location::new(&account, region)
}

#[cfg(test)]
mod tests;
