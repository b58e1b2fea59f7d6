//! Checks every link of the alert chain: the trail is logging, topics reach all their subscribers,
//! dead-letter queues are empty, and the hub's bus accepts events from the other accounts.

pub(crate) mod delivery;
pub(crate) mod trail;

use std::collections::BTreeSet;

use compiler::organization::{Topic, Trail};
use compiler::{Bundle, Part, StackSet};
use futures::{StreamExt, stream};
use remedy::Remedy;
use serde::Serialize;
use serde_json::Value;

use crate::code::DriftCode;
use crate::error::DeployError;
use crate::fleet::resolve::UNKNOWN;
use crate::fleet::{Membership, Observed, Scope};
use crate::ports::{Cloud, CloudError, Location, Subscription};
use crate::restore::{in_account, quoted, restore};
use crate::rollout::desired;

/// Locations read concurrently.
const AT_ONCE: usize = 32;

/// Fix for dead letters.
pub(crate) fn read_dead_letters(location: &Location, url: &str) -> Remedy {
    let Location { account, region } = location;
    let which = format!("--queue-url {url} --region {region}");
    Remedy::from(format!(
        "in account {account}, read the messages, whose attributes name the rule and the error: `aws \
         sqs receive-message {which} --message-attribute-names All`; when the cause is gone, delete \
         them: `aws sqs purge-queue {which}`"
    ))
}

/// Fix for a link that can't be read.
pub(crate) const PERMIT: &str =
    "give the caller (in other accounts: the access role) permission to read it";

/// A link of the alert chain that doesn't work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrokenLink {
    /// The link in words: `trail gizmos`, `subscription security@example.com of gizmos-alerts`.
    pub link: String,
    /// Account and Region of the link.
    pub location: Location,
    /// One sentence without a full stop.
    pub message: String,
    /// How to repair the link.
    pub fix: Remedy,
}

/// A broken link together with its drift code.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: DriftCode,
    pub(crate) link: BrokenLink,
    pub(crate) expected: String,
    pub(crate) actual: String,
}

/// A link that could not be read, which proves nothing about it.
#[derive(Debug)]
pub(crate) struct UnreadableLink {
    pub(crate) link: String,
    pub(crate) location: Location,
    pub(crate) reason: String,
}

/// The result of inspecting the chain.
#[derive(Debug, Default)]
pub(crate) struct Inspection {
    pub(crate) faults: Vec<Fault>,
    pub(crate) unreadable: Vec<UnreadableLink>,
    /// What doesn't keep alerts from arriving.
    pub(crate) warnings: Vec<BrokenLink>,
}

/// A link being inspected.
struct Link<'a> {
    name: String,
    location: &'a Location,
}

impl Link<'_> {
    fn fault(
        &self,
        code: DriftCode,
        message: impl Into<String>,
        (expected, actual): (impl Into<String>, impl Into<String>),
        fix: impl Into<Remedy>,
    ) -> Fault {
        Fault {
            code,
            link: BrokenLink {
                link: self.name.clone(),
                location: self.location.clone(),
                message: message.into(),
                fix: fix.into(),
            },
            expected: expected.into(),
            actual: actual.into(),
        }
    }

    fn unreadable(self, error: &CloudError) -> UnreadableLink {
        UnreadableLink {
            link: self.name,
            location: self.location.clone(),
            reason: format!("it can't be read: {error}"),
        }
    }
}

impl Inspection {
    /// All that is broken. Links that can't be read count.
    pub(crate) fn into_broken(self) -> Vec<BrokenLink> {
        let broken = self.faults.into_iter().map(|fault| fault.link);
        let unreadable = self.unreadable.into_iter().map(|it| BrokenLink {
            link: it.link,
            location: it.location,
            message: it.reason,
            fix: PERMIT.into(),
        });
        broken.chain(unreadable).collect()
    }

    pub(crate) fn merge(&mut self, other: Inspection) {
        self.faults.extend(other.faults);
        self.unreadable.extend(other.unreadable);
        self.warnings.extend(other.warnings);
    }
}

/// Inspects every link of the alert chain. Links that can't be read count as broken.
pub async fn health(cloud: &impl Cloud, bundle: &Bundle) -> Result<Vec<BrokenLink>, DeployError> {
    let inspection = inspect(cloud, bundle, &Scope::default(), None).await?;
    Ok(inspection.into_broken())
}

/// Inspects every link within a scope, except the links in individual spokes. With the observed
/// fleet, remedies are complete.
pub(crate) async fn inspect(
    cloud: &impl Cloud,
    bundle: &Bundle,
    scope: &Scope,
    observed: Option<&Observed>,
) -> Result<Inspection, DeployError> {
    let mut all = Inspection::default();
    let organization = &bundle.organization;
    let management = Location::new(&organization.accounts.management, &organization.home_region);
    let set_of = |part: Part| bundle.stack_sets.iter().find(|set| set.part == part);
    if scope.covers(&management)
        && let Some(set) = set_of(Part::Trail)
    {
        let fix = restore(observed, set, &management);
        all.merge(trail::trail(cloud, organization, set, &management, &fix).await);
    }
    if let Trail::Existing(_) = &organization.trail {
        let accounts = observed.map(|observed| observed.membership.accounts.as_slice());
        let sample = trail::sample(organization, accounts.unwrap_or_default());
        all.merge(trail::existing(cloud, bundle, &sample, scope).await.0);
    }
    let hub = Location::new(&organization.accounts.hub, &organization.home_region);
    let local = set_of(Part::TopicLocal);
    let mut locations: Vec<Location> = match local {
        None => Vec::new(),
        Some(set) => everywhere(cloud, bundle, set).await?,
    };
    locations.retain(|location| scope.covers(location));
    let checks = stream::iter(locations)
        .map(|location| async move {
            let fix = local.map_or(Remedy::DEPLOY, |set| restore(observed, set, &location));
            topics(cloud, bundle, &location, &fix).await
        })
        .buffered(AT_ONCE);
    let mut checks = std::pin::pin!(checks);
    while let Some(check) = checks.next().await {
        all.merge(check);
    }
    if scope.covers(&hub)
        && let Some(set) = set_of(Part::Topic)
    {
        let fix = restore(observed, set, &hub);
        // A difference between bundle and stack set is the plan's business.
        let deployed = observed.and_then(|observed| observed.stack_sets.get(&set.name));
        let source = deployed.map_or((set.template.as_str(), &set.parameters), |found| {
            (found.details.template.as_str(), &found.details.parameters)
        });
        all.merge(delivery::look(cloud, source, &hub, &fix).await);
    }
    Ok(all)
}

async fn everywhere(
    cloud: &impl Cloud,
    bundle: &Bundle,
    set: &StackSet,
) -> Result<Vec<Location>, DeployError> {
    let mut locations = BTreeSet::new();
    if let Some(members) = &set.targets.members {
        let membership = Membership::read(cloud, &bundle.organization).await?;
        locations = desired(members, &bundle.organization, &membership).locations;
    }
    let management = &bundle.organization.accounts.management;
    let regions = set.targets.management_regions.iter();
    locations.extend(regions.map(|region| Location::new(management, region)));
    Ok(locations.into_iter().collect())
}

/// Reads the topics of one location in the local topology: one list each, because there are as many
/// locations as accounts and Regions.
async fn topics(
    cloud: &impl Cloud,
    bundle: &Bundle,
    location: &Location,
    fix: &Remedy,
) -> Inspection {
    let mut found = Inspection::default();
    for topic in &bundle.organization.topics {
        let name = bundle.organization.topic_name(topic);
        let link = Link {
            name: format!("topic {name}"),
            location,
        };
        match cloud.subscriptions(location, &name).await {
            Ok(Some(actual)) => {
                let subscribers = subscribers(topic);
                let expected = (&subscribers, name.as_str());
                found
                    .faults
                    .extend(subscription_faults(expected, location, &actual, fix));
            }
            Ok(None) => found.faults.push(link.fault(
                DriftCode::TopicMissing,
                "the topic does not exist",
                ("a topic", "none"),
                fix.clone(),
            )),
            Err(error) => found.unreadable.push(link.unreadable(&error)),
        }
    }
    found
}

/// Protocol and endpoint of a subscription.
type Subscriber = (String, String);

fn subscribers(topic: &Topic) -> BTreeSet<Subscriber> {
    let subscriptions = topic.subscriptions.iter();
    subscriptions
        .map(|wanted| (wanted.protocol.name().to_owned(), wanted.endpoint.clone()))
        .collect()
}

fn subscription_faults(
    (expected, name): (&BTreeSet<Subscriber>, &str),
    location: &Location,
    actual: &[Subscription],
    fix: &Remedy,
) -> Vec<Fault> {
    let link = |endpoint: &str| Link {
        name: format!("subscription {endpoint} of {name}"),
        location,
    };
    let mut faults = Vec::new();
    for (protocol, endpoint) in expected {
        let subscription = actual
            .iter()
            .find(|found| found.protocol == *protocol && found.endpoint == *endpoint);
        match subscription {
            None => faults.push(link(endpoint).fault(
                DriftCode::SubscriptionMissing,
                format!("{endpoint} ({protocol}) is not subscribed and gets no alerts"),
                ("a confirmed subscription", "none"),
                fix.clone().words("; then confirm the subscription"),
            )),
            Some(subscription) if !subscription.confirmed => faults.push(link(endpoint).fault(
                DriftCode::SubscriptionUnconfirmed,
                format!("{endpoint} ({protocol}) has not confirmed and gets no alerts"),
                ("confirmed", "pending confirmation"),
                "follow the link in the confirmation message that AWS sent",
            )),
            Some(_) => {}
        }
    }
    for extra in actual {
        if !expected.contains(&(extra.protocol.clone(), extra.endpoint.clone())) {
            faults.push(link(&extra.endpoint).fault(
                DriftCode::SubscriptionUnexpected,
                format!(
                    "{} ({}) gets alerts but is not in the organization file",
                    extra.endpoint, extra.protocol
                ),
                ("no subscription", extra.endpoint.clone()),
                remove_subscription(extra, location),
            ));
        }
    }
    faults
}

fn remove_subscription(subscription: &Subscription, location: &Location) -> Remedy {
    match &subscription.arn {
        Some(arn) => {
            let region = &location.region;
            let command = format!("sns unsubscribe --subscription-arn {arn} --region {region}");
            in_account(&location.account, &command).words(", or add it to the organization file")
        }
        None => {
            "add it to the organization file, or leave it: a subscription that is not confirmed \
                 is deleted after three days"
                .into()
        }
    }
}

/// Puts the compiled policy back. CloudFormation may not see that it was changed.
fn put_policy(location: &Location, bus: &str, policy: &Value, fix: &Remedy) -> Remedy {
    if policy.to_string().contains(UNKNOWN) || policy.get("Statement").is_none() {
        return fix.clone();
    }
    let Location { account, region } = location;
    let policy = quoted(policy);
    let command =
        format!("events put-permission --event-bus-name {bus} --policy {policy} --region {region}");
    Remedy::from("find out who did it and why; then ").and(in_account(account, &command))
}
