//! Checks every link of the alert chain: the trail is logging, topics reach all their subscribers,
//! dead-letter queues are empty, and the hub's bus accepts events from the other accounts.

mod trail;

use std::collections::{BTreeMap, BTreeSet};

use compiler::organization::Topic;
use compiler::{Bundle, Part, StackSet, canary};
use futures::{StreamExt, stream};
use remedy::Remedy;
use serde::Serialize;
use serde_json::Value;

use crate::code::DriftCode;
use crate::error::DeployError;
use crate::fleet::document::same_policy;
use crate::fleet::resolve::{Context, UNKNOWN};
use crate::fleet::template::{parameter_values, resources};
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
const PERMIT: &str = "give the caller (in other accounts: the access role) permission to read it";

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
    fn merge(&mut self, other: Inspection) {
        self.faults.extend(other.faults);
        self.unreadable.extend(other.unreadable);
    }
}

/// Inspects every link of the alert chain. Links that can't be read count as broken.
pub async fn health(cloud: &impl Cloud, bundle: &Bundle) -> Result<Vec<BrokenLink>, DeployError> {
    let inspection = inspect(cloud, bundle, &Scope::default(), None).await?;
    let broken = inspection.faults.into_iter().map(|fault| fault.link);
    let unreadable = inspection.unreadable.into_iter().map(|it| BrokenLink {
        link: it.link,
        location: it.location,
        message: it.reason,
        fix: PERMIT.into(),
    });
    Ok(broken.chain(unreadable).collect())
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
    let hub = Location::new(&organization.accounts.hub, &organization.home_region);
    let topics_set = set_of(Part::TopicLocal).or_else(|| set_of(Part::Topic));
    let mut locations: Vec<Location> = match set_of(Part::TopicLocal) {
        None => vec![hub.clone()],
        Some(set) => everywhere(cloud, bundle, set).await?,
    };
    locations.retain(|location| scope.covers(location));
    let checks = stream::iter(locations)
        .map(|location| async move {
            let fix = topics_set.map_or(Remedy::DEPLOY, |set| restore(observed, set, &location));
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
        all.merge(hub_links(cloud, set, &hub, &fix).await);
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
                found
                    .faults
                    .extend(subscription_faults((topic, &name), location, &actual, fix));
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

fn subscription_faults(
    (topic, name): (&Topic, &str),
    location: &Location,
    actual: &[Subscription],
    fix: &Remedy,
) -> Vec<Fault> {
    let link = |endpoint: &str| Link {
        name: format!("subscription {endpoint} of {name}"),
        location,
    };
    let expected: BTreeSet<(&str, &str)> = topic
        .subscriptions
        .iter()
        .map(|wanted| (wanted.protocol.name(), wanted.endpoint.as_str()))
        .collect();
    let mut faults = Vec::new();
    for (protocol, endpoint) in &expected {
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
        if !expected.contains(&(extra.protocol.as_str(), extra.endpoint.as_str())) {
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

/// Inspects the dead-letter queue and the bus policy that the hub's template defines.
async fn hub_links(
    cloud: &impl Cloud,
    set: &StackSet,
    location: &Location,
    fix: &Remedy,
) -> Inspection {
    let mut found = Inspection::default();
    let parameters = parameter_values(&set.template, &set.parameters);
    let context = Context {
        location,
        parameters: &parameters,
        resources: &BTreeMap::new(),
    };
    for resource in resources(&set.template).values() {
        let property = |name: &str| {
            let value = resource.get("Properties")?.get(name)?;
            Some(context.resolve(value))
        };
        let text = |name: &str| property(name)?.as_str().map(str::to_owned);
        match resource.get("Type").and_then(Value::as_str) {
            Some("AWS::SQS::Queue") => {
                // Canaries on their way are not dead letters.
                if let Some(queue) = text("QueueName").filter(|queue| queue != canary::NAME) {
                    found.merge(dead_letters(cloud, location, &queue, fix).await);
                }
            }
            Some("AWS::Events::EventBus") => {
                if let Some(bus) = text("Name") {
                    let expected = property("Policy").unwrap_or(Value::Null);
                    let link = (bus.as_str(), fix);
                    found.merge(bus_policy(cloud, location, link, &expected).await);
                }
            }
            _ => {}
        }
    }
    found
}

async fn dead_letters(
    cloud: &impl Cloud,
    location: &Location,
    queue: &str,
    fix: &Remedy,
) -> Inspection {
    let mut found = Inspection::default();
    let link = Link {
        name: format!("dead letters {queue}"),
        location,
    };
    match cloud.queue(location, queue).await {
        Ok(Some(state)) if state.messages == 0 => {}
        Ok(Some(state)) => {
            let depth = state.messages;
            let Location { account, region } = location;
            let host = format!("sqs.{region}.{}", location.url_suffix());
            let url = format!("https://{host}/{account}/{queue}");
            found.faults.push(link.fault(
                DriftCode::DeadLetters,
                format!("{depth} events or alerts could not be delivered"),
                ("0 messages", format!("{depth} messages")),
                read_dead_letters(location, &url),
            ));
        }
        Ok(None) => found.faults.push(link.fault(
            DriftCode::QueueMissing,
            "the queue does not exist",
            ("a queue", "none"),
            fix.clone(),
        )),
        Err(error) => found.unreadable.push(link.unreadable(&error)),
    }
    found
}

async fn bus_policy(
    cloud: &impl Cloud,
    location: &Location,
    (bus, fix): (&str, &Remedy),
    expected: &Value,
) -> Inspection {
    let mut found = Inspection::default();
    let link = Link {
        name: format!("bus policy of {bus}"),
        location,
    };
    match cloud.bus_policy(location, bus).await {
        Ok(Some(actual)) if same_policy(expected, &actual) => {}
        Ok(Some(actual)) => found.faults.push(link.fault(
            DriftCode::BusPolicy,
            "the policy differs from the compiled one, so it may refuse spokes or admit other accounts",
            (expected.to_string(), actual.to_string()),
            put_policy(location, bus, expected, fix),
        )),
        Ok(None) => found.faults.push(link.fault(
            DriftCode::BusMissing,
            "the bus does not exist",
            ("an event bus", "none"),
            fix.clone(),
        )),
        Err(error) => found.unreadable.push(link.unreadable(&error)),
    }
    found
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
