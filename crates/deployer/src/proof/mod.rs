//! Proves that the deployed chain works, on any endpoint: a canary from every account and Region,
//! and the rules and topics that no canary passes, by reading.
//!
//! A canary enters by `events:PutEvents` on a default bus and takes an alert's way up to a topic and
//! a queue of its own; with [`ProofOptions::cloudtrail`], another one enters by an API call that
//! CloudTrail records. Nothing is published to the topics that people subscribe to.
//!
//! Everybody with `events:PutEvents` in a spoke can forge a canary, so only the nonces that this run
//! chose count, each for its own account and Region. An interrupted run leaves at most messages that
//! expire after an hour; and, if the chain is broken, dead letters that say so.

mod collect;
mod counts;
mod diagnose;
mod hub;
mod nonce;
mod report;
mod rules;
mod spoke;

pub use hub::hub_rules;
pub use report::{Arrival, Link, LinkState, LocationProof, ProofOutcome, ProofReport};

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use compiler::canary::{self, CanaryKind};
use compiler::{Bundle, Part};
use futures::{StreamExt, stream};
use remedy::{Command, Remedy};

use crate::error::{DeployError, Doing};
use crate::fleet::{Membership, Scope};
use crate::health::BrokenLink;
use crate::ports::{Cloud, Location};
use crate::progress::{Progress, ProgressEvent};
use crate::rollout::desired;
use hub::Hub;
use nonce::{Nonces, Secret};
use rules::ExpectedRule;
use spoke::Visit;

/// Accounts visited concurrently. Rates are limited per account and Region, each of which gets only
/// a handful of calls.
const ACCOUNTS_AT_ONCE: usize = 32;

/// How long a canary may take from the default bus to the queue.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// How long a recorded API call may take. CloudTrail documents no limit for EventBridge; for log
/// files it says "about 5 minutes on average, not guaranteed".
pub const CLOUDTRAIL_PATIENCE: Duration = Duration::from_mins(15);

/// What to prove.
#[derive(Clone, Debug)]
pub struct ProofOptions {
    /// The accounts and Regions from which canaries are sent.
    pub scope: Scope,
    /// Only so many of them, chosen at random.
    pub sample: Option<usize>,
    /// Whether to make an API call that CloudTrail records.
    pub cloudtrail: bool,
    /// Random bytes from which all nonces are made. Never stored or sent.
    pub secret: [u8; 32],
}

/// What all visits share.
struct Plan<'a> {
    nonces: Nonces,
    hub_bus: String,
    expected: Vec<ExpectedRule>,
    /// Whether canaries are sent, of which kinds.
    kinds: &'a [CanaryKind],
}

/// Sends canaries, waits for them and says for every location which links work.
pub async fn prove(
    cloud: &impl Cloud,
    bundle: &Bundle,
    options: &ProofOptions,
    progress: &dyn Progress,
) -> Result<ProofReport, DeployError> {
    let checking = |what: String| progress.report(&ProgressEvent::Checking { what });
    let caller = cloud
        .caller_identity()
        .await
        .doing(|| "cannot tell who is calling".to_owned())?;
    let nonces = Nonces::new(Secret(options.secret));
    let (locations, unmatched) = chosen(cloud, bundle, options, &nonces).await?;
    checking("the rules and topics of the hub".to_owned());
    let hub = Hub::read(cloud, bundle).await?;
    let kinds: &[CanaryKind] = match (&hub.queue, options.cloudtrail) {
        (None, _) => &[],
        (Some(_), false) => &[CanaryKind::Event],
        (Some(_), true) => &CanaryKind::ALL,
    };
    let plan = Plan {
        nonces,
        hub_bus: bundle.organization.hub_bus_arn(),
        expected: spoke::expected(bundle),
        kinds,
    };
    checking(format!("{} accounts and Regions", locations.len()));
    let mut visits = visit(cloud, &plan, &locations).await;
    let sent = visits.iter().filter(|visit| visit.sent).count();
    let (mut missing, mut arrivals) = (Vec::new(), Vec::new());
    if let Some(url) = &hub.queue {
        checking(format!("the arrival of {sent} canaries"));
        (missing, arrivals) =
            collect::collect(cloud, &plan, &hub.location, url, &mut visits).await?;
    }
    if !missing.is_empty() {
        checking(format!("why {} canaries did not arrive", missing.len()));
        diagnose::diagnose(cloud, &plan, &hub, &mut visits, &missing).await;
    }
    let reads = locations
        .first()
        .map_or(0, |it| rules::reads(&plan.expected, it));
    Ok(ProofReport {
        least_calls: least_calls(&locations, &caller.account, reads, kinds.len()),
        arrivals,
        locations: visits.into_iter().map(|visit| visit.proof).collect(),
        hub: hub.broken,
        topics_read: hub.topics_read,
        unmatched,
        sent,
        cloudtrail: options.cloudtrail,
        topology: bundle.organization.topology,
    })
}

/// The locations to prove; and the accounts and Regions of the scope that select none.
async fn chosen(
    cloud: &impl Cloud,
    bundle: &Bundle,
    options: &ProofOptions,
    nonces: &Nonces,
) -> Result<(Vec<Location>, Vec<String>), DeployError> {
    let set = bundle
        .stack_sets
        .iter()
        .find(|set| matches!(set.part, Part::RulesSpoke | Part::RulesLocal));
    let Some(set) = set else {
        return Ok((Vec::new(), Vec::new()));
    };
    let organization = &bundle.organization;
    let membership = Membership::read(cloud, organization).await?;
    let mut all = BTreeSet::new();
    if let Some(members) = &set.targets.members {
        all = desired(members, organization, &membership).locations;
    }
    let regions = set.targets.management_regions.iter();
    all.extend(regions.map(|region| Location::new(&organization.accounts.management, region)));
    all.retain(|location| !membership.is_off(&location.region));

    let Scope { accounts, regions } = &options.scope;
    let is_unknown = |id: &&String| !all.iter().any(|it| it.account == **id);
    let mut unmatched: Vec<String> = accounts.iter().filter(is_unknown).cloned().collect();
    let is_unwatched = |name: &&String| !all.iter().any(|it| it.region == **name);
    unmatched.extend(regions.iter().filter(is_unwatched).cloned());

    let mut chosen: Vec<Location> = all
        .into_iter()
        .filter(|it| options.scope.covers(it))
        .collect();
    if let Some(count) = options.sample {
        // The nonces are random, so their order is.
        chosen.sort_by_key(|location| nonces.of(CanaryKind::Event, location));
        chosen.truncate(count);
        chosen.sort();
    }
    Ok((chosen, unmatched))
}

/// Visits the locations, account by account, so that each account needs one session.
async fn visit(cloud: &impl Cloud, plan: &Plan<'_>, locations: &[Location]) -> Vec<Visit> {
    let mut accounts: BTreeMap<&str, Vec<&Location>> = BTreeMap::new();
    for location in locations {
        accounts
            .entry(&location.account)
            .or_default()
            .push(location);
    }
    stream::iter(accounts.into_values())
        .map(|locations| spoke::visit_account(cloud, plan, locations))
        .buffered(ACCOUNTS_AT_ONCE)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .flatten()
        .collect()
}

/// The fewest calls with which so many locations can be proven: a session per account other than
/// the caller's, the reads and the canaries per location, and ten messages per receipt and deletion.
fn least_calls(locations: &[Location], caller: &str, reads: usize, kinds: usize) -> usize {
    let accounts: BTreeSet<&str> = locations.iter().map(|it| it.account.as_str()).collect();
    let sessions = accounts.len() - usize::from(accounts.contains(caller));
    let messages = locations.len() * kinds;
    sessions + locations.len() * (reads + kinds) + 2 * messages.div_ceil(10)
}

/// A broken link, found by reading or by a canary.
fn broken(
    link: impl Into<String>,
    location: &Location,
    message: impl Into<String>,
    fix: impl Into<Remedy>,
) -> BrokenLink {
    BrokenLink {
        link: link.into(),
        location: location.clone(),
        message: message.into(),
        fix: fix.into(),
    }
}

/// The remedy for what changed outside of CloudFormation, which a deployment doesn't see.
fn restored_by_drift(deep: bool) -> Remedy {
    Remedy::from("find out who did it and why; then run ")
        .command(Command::Drift { json: false, deep })
        .words(", which prints the commands that restore it")
}

#[cfg(test)]
mod tests;

/// The name of the canaries' queue and topic in messages.
const CANARY: &str = canary::NAME;
