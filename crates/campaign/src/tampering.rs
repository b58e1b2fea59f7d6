//! Changes that somebody makes past the stack sets. The drift check must report exactly these.

mod kinds;
mod stack;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use compiler::{Part, stack_set_part};
use deployer::DriftReport;
use deployer::drift::{Difference, DriftCode};
use fastrand::Rng;
use serde_json::{Map, Value};
use simulator::{Fleet, LiveResource, StackOf};

use crate::differences::is_reachable;
use crate::lab::{Lab, MANAGEMENT};
use kinds::KINDS;

/// Long enough for a stack update or deletion.
const A_WHILE: Duration = Duration::from_mins(10);

/// Most changes in a run, each in another account.
const MOST: usize = 4;

/// What somebody can do to a resource of the fleet, or to a stack.
struct Kind {
    /// For the log of a run.
    what: &'static str,
    parts: &'static [Part],
    deed: Deed,
    /// The drift check must report one of these in that account and Region.
    codes: &'static [DriftCode],
}

/// How it is done.
enum Deed {
    /// By calls to the service of a resource of this type.
    Call(&'static str, fn(&Victim<'_>) -> Vec<Call>),
    /// By setting other properties of a resource of this type.
    Edit(&'static str, fn(&Victim<'_>) -> Map<String, Value>),
    /// By deleting a resource of this type.
    Delete(&'static str),
    /// By CloudFormation's own calls, of a stack set's instance.
    Stack(fn(&mut Rng, &Lab, &StackOf) -> Option<()>),
}

/// Service, action and input.
type Call = (&'static str, &'static str, Value);

/// A resource, and where it is.
struct Victim<'a> {
    account: &'a str,
    region: &'a str,
    resource: &'a LiveResource,
}

/// A change that was made.
#[derive(Clone, Debug)]
pub(crate) struct Tampering {
    /// In words, unique to its kind.
    pub(crate) what: &'static str,
    /// The differences, one of which the drift check must report.
    codes: &'static [DriftCode],
    stack: StackOf,
    /// The resource's logical id; empty for the stack itself.
    resource: String,
}

impl fmt::Display for Tampering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StackOf {
            account,
            region,
            name,
        } = &self.stack;
        write!(
            f,
            "{} ({name} {} in {account} {region})",
            self.what, self.resource
        )
    }
}

/// Makes some changes, each in a different account, so that none hides another.
pub(crate) fn random(rng: &mut Rng, lab: &Lab) -> Vec<Tampering> {
    let mut done: Vec<Tampering> = Vec::new();
    for _ in 0..rng.usize(1..=MOST) {
        let touched: BTreeSet<String> = done.iter().map(|it| it.stack.account.clone()).collect();
        let fleet = lab.simulator.fleet();
        // Not everything that a kind needs is in every fleet.
        let mut kinds: Vec<&Kind> = KINDS.iter().collect();
        rng.shuffle(&mut kinds);
        let mut kinds = kinds.into_iter();
        done.extend(kinds.find_map(|kind| kind.somewhere(rng, lab, &fleet, &touched)));
    }
    lab.simulator.advance(A_WHILE);
    done
}

impl Kind {
    /// Does it somewhere, unless nothing of the kind exists outside of the touched accounts.
    fn somewhere(
        &self,
        rng: &mut Rng,
        lab: &Lab,
        fleet: &Fleet,
        touched: &BTreeSet<String>,
    ) -> Option<Tampering> {
        let mut stacks = self.stacks(lab, fleet);
        stacks.retain(|stack| !touched.contains(&stack.account));
        let stack = rng.choice(stacks)?;
        let resource = match self.deed {
            Deed::Stack(deed) => {
                deed(rng, lab, &stack)?;
                String::new()
            }
            Deed::Call(of_type, calls) => {
                let resource = a_resource(rng, lab, &stack, of_type)?;
                call(lab, &stack, calls(&victim(&stack, &resource)))?;
                resource.logical_id
            }
            Deed::Edit(of_type, edit) => {
                let resource = a_resource(rng, lab, &stack, of_type)?;
                let properties = edit(&victim(&stack, &resource));
                let edited = lab
                    .simulator
                    .tamper(&stack, &resource.logical_id, Some(&properties));
                edited.ok()?;
                resource.logical_id
            }
            Deed::Delete(of_type) => {
                let resource = a_resource(rng, lab, &stack, of_type)?;
                lab.simulator
                    .tamper(&stack, &resource.logical_id, None)
                    .ok()?;
                resource.logical_id
            }
        };
        Some(Tampering {
            what: self.what,
            codes: self.codes,
            stack,
            resource,
        })
    }

    /// The stacks of the kind's parts: current instances, and ordinary stacks of the management
    /// account unless the stack itself is changed, which the plan has to find there.
    fn stacks(&self, lab: &Lab, fleet: &Fleet) -> Vec<StackOf> {
        let is_meant = |name: &str| {
            let part = stack_set_part(name);
            !lab.is_foreign(name) && part.is_some_and(|part| self.parts.contains(&part))
        };
        let of = |account: &str, region: &str, name: &str| StackOf {
            account: account.to_owned(),
            region: region.to_owned(),
            name: name.to_owned(),
        };
        let sets = fleet.stack_sets.iter().filter(|(name, _)| is_meant(name));
        let instances = sets.flat_map(|(name, set)| {
            let current = set
                .instances
                .iter()
                .filter(|((account, region), instance)| {
                    instance.status == "CURRENT" && is_reachable(fleet, account, region)
                });
            current.map(move |((account, region), _)| of(account, region, name))
        });
        let stacks = fleet.stacks.values().filter(|stack| {
            stack.account == MANAGEMENT
                && is_meant(&stack.name)
                && !matches!(self.deed, Deed::Stack(_))
        });
        let stacks = stacks.map(|stack| of(&stack.account, &stack.region, &stack.name));
        instances.chain(stacks).collect()
    }
}

fn victim<'a>(stack: &'a StackOf, resource: &'a LiveResource) -> Victim<'a> {
    Victim {
        account: &stack.account,
        region: &stack.region,
        resource,
    }
}

fn a_resource(rng: &mut Rng, lab: &Lab, stack: &StackOf, of_type: &str) -> Option<LiveResource> {
    let mut resources = lab.simulator.resources(stack).ok()?;
    resources.retain(|resource| resource.kind == of_type);
    rng.choice(resources)
}

/// Makes the calls; `None` if the first one is refused, so that nothing changed.
fn call(lab: &Lab, stack: &StackOf, calls: Vec<Call>) -> Option<()> {
    let mut made = None;
    for (service, action, input) in calls {
        let (account, region) = (&stack.account, &stack.region);
        let answer = lab.simulator.act(account, region, service, action, &input);
        if answer.is_err() {
            break;
        }
        made = Some(());
    }
    made
}

/// Changes that the report misses, and differences where nothing was changed.
pub(crate) fn misjudged(report: &DriftReport, done: &[Tampering]) -> Vec<String> {
    let is_at = |difference: &Difference, tampering: &Tampering| {
        let location = difference.location.as_ref();
        location.is_some_and(|location| location.account == tampering.stack.account)
    };
    // A location reported as unchecked, such as an account that joined without the access role, is
    // not missed.
    let is_unchecked = |tampering: &Tampering| {
        let account = &tampering.stack.account;
        (report.unchecked.iter()).any(|unchecked| unchecked.what.contains(account))
    };
    let is_named = |tampering: &Tampering| {
        report.differences.iter().any(|difference| {
            let location = difference.location.as_ref();
            // IAM has no Regions, so a role doesn't say which stack it is of.
            let is_there = difference.code == DriftCode::RolePolicies
                || location.is_some_and(|location| location.region == tampering.stack.region);
            is_at(difference, tampering) && tampering.codes.contains(&difference.code) && is_there
        })
    };
    let overlooked = done.iter().filter(|it| !is_unchecked(it) && !is_named(it));
    let false_alarms = report.differences.iter().filter(|difference| {
        // What faults and changes kept from being delivered is wherever it was sent from.
        difference.code != DriftCode::DeadLetters && !done.iter().any(|it| is_at(difference, it))
    });
    overlooked
        .map(|tampering| format!("{tampering} was overlooked"))
        .chain(false_alarms.map(|difference| {
            let location = difference.location.as_ref();
            let location = location.map_or_else(String::new, |location| format!(" in {location}"));
            format!(
                "{}{location} is no drift: {}",
                difference.code.id(),
                difference.message
            )
        }))
        .collect()
}
