//! Checks every link of the alert chain: the trail is logging, topics reach all their subscribers,
//! dead-letter queues are empty, and the hub's bus accepts events from the other accounts.

mod resolve;

use std::collections::BTreeSet;

use compiler::organization::Topic;
use compiler::{Bundle, Part, StackSet};
use futures::{StreamExt, stream};
use remedy::Remedy;
use serde::Serialize;
use serde_json::Value;

use crate::code::DriftCode;
use crate::error::DeployError;
use crate::fleet::template::{parameter_values, resources};
use crate::fleet::{Membership, Scope};
use crate::ports::{Cloud, CloudError, Location, Subscription, TrailStatus};
use crate::rollout::desired;
use resolve::{Context, same_policy};

/// Locations read concurrently.
const AT_ONCE: usize = 32;

/// Fix for dead letters.
pub(crate) const READ_DEAD_LETTERS: &str =
    "read the messages; their attributes name the rule and the error";

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
    let inspection = inspect(cloud, bundle, &Scope::default()).await?;
    let broken = inspection.faults.into_iter().map(|fault| fault.link);
    let unreadable = inspection.unreadable.into_iter().map(|it| BrokenLink {
        link: it.link,
        location: it.location,
        message: it.reason,
        fix: PERMIT.into(),
    });
    Ok(broken.chain(unreadable).collect())
}

/// Inspects every link within a scope, except the links in individual spokes.
pub(crate) async fn inspect(
    cloud: &impl Cloud,
    bundle: &Bundle,
    scope: &Scope,
) -> Result<Inspection, DeployError> {
    let mut all = Inspection::default();
    let organization = &bundle.organization;
    let management = Location::new(&organization.accounts.management, &organization.home_region);
    let trailed = bundle.stack_sets.iter().any(|set| set.part == Part::Trail);
    if trailed && scope.covers(&management) {
        all.merge(trail(cloud, &organization.trail.name, &management).await);
    }
    let hub = Location::new(&organization.accounts.hub, &organization.home_region);
    let set_of = |part: Part| bundle.stack_sets.iter().find(|set| set.part == part);
    let mut locations: Vec<Location> = match set_of(Part::TopicLocal) {
        None => vec![hub.clone()],
        Some(set) => everywhere(cloud, bundle, set).await?,
    };
    locations.retain(|location| scope.covers(location));
    let checks = stream::iter(locations)
        .map(|location| async move { topics(cloud, bundle, &location).await })
        .buffered(AT_ONCE);
    let mut checks = std::pin::pin!(checks);
    while let Some(check) = checks.next().await {
        all.merge(check);
    }
    if scope.covers(&hub)
        && let Some(set) = set_of(Part::Topic)
    {
        all.merge(hub_links(cloud, set, &hub).await);
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

async fn trail(cloud: &impl Cloud, name: &str, location: &Location) -> Inspection {
    let mut found = Inspection::default();
    let link = Link {
        name: format!("trail {name}"),
        location,
    };
    match cloud.trail_status(location, name).await {
        Ok(Some(status)) => found.faults = trail_faults(&link, status),
        Ok(None) => found.faults.push(link.fault(
            DriftCode::TrailMissing,
            "the trail does not exist",
            ("a trail", "none"),
            Remedy::DEPLOY,
        )),
        Err(error) => found.unreadable.push(link.unreadable(&error)),
    }
    found
}

fn trail_faults(link: &Link<'_>, status: TrailStatus) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !status.logging {
        faults.push(link.fault(
            DriftCode::TrailStopped,
            "the trail is not logging, so no API call becomes an event",
            ("logging", "stopped"),
            "start it again: `aws cloudtrail start-logging`",
        ));
    }
    let settings = [
        (
            status.multi_region,
            DriftCode::TrailScope,
            "the trail is not a multi-Region trail",
            ("every Region", "one Region"),
        ),
        (
            status.organization,
            DriftCode::TrailScope,
            "the trail is not an organization trail",
            ("every account", "one account"),
        ),
        (
            status.log_file_validation,
            DriftCode::TrailValidation,
            "log file validation is off, so changes to log files go unnoticed",
            ("validation on", "validation off"),
        ),
    ];
    for (good, code, message, values) in settings {
        if !good {
            faults.push(link.fault(code, message, values, Remedy::DEPLOY));
        }
    }
    if let Some(error) = status.delivery_error {
        faults.push(link.fault(
            DriftCode::TrailDelivery,
            format!("log files do not reach the bucket: {error}"),
            ("no delivery error", error),
            "check the bucket's policy and key",
        ));
    }
    faults
}

async fn topics(cloud: &impl Cloud, bundle: &Bundle, location: &Location) -> Inspection {
    let mut found = Inspection::default();
    for topic in &bundle.organization.topics {
        let name = bundle.organization.topic_name(topic);
        let link = Link {
            name: format!("topic {name}"),
            location,
        };
        match cloud.subscriptions(location, &name).await {
            Ok(Some(actual)) => found
                .faults
                .extend(subscription_faults(topic, &name, location, &actual)),
            Ok(None) => found.faults.push(link.fault(
                DriftCode::TopicMissing,
                "the topic does not exist",
                ("a topic", "none"),
                Remedy::DEPLOY,
            )),
            Err(error) => found.unreadable.push(link.unreadable(&error)),
        }
    }
    found
}

fn subscription_faults(
    topic: &Topic,
    name: &str,
    location: &Location,
    actual: &[Subscription],
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
                "subscribe it again with `aws sns subscribe`, and confirm the subscription",
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
                "add it to the organization file, or remove it with `aws sns unsubscribe`",
            ));
        }
    }
    faults
}

/// Inspects the dead-letter queue and the bus policy that the hub's template defines.
async fn hub_links(cloud: &impl Cloud, set: &StackSet, location: &Location) -> Inspection {
    let mut found = Inspection::default();
    let parameters = parameter_values(&set.template, &set.parameters);
    let context = Context {
        location,
        parameters: &parameters,
    };
    for resource in resources(&set.template).values() {
        let property = |name: &str| {
            let value = resource.get("Properties")?.get(name)?;
            Some(context.resolve(value))
        };
        let text = |name: &str| property(name)?.as_str().map(str::to_owned);
        match resource.get("Type").and_then(Value::as_str) {
            Some("AWS::SQS::Queue") => {
                if let Some(queue) = text("QueueName") {
                    found.merge(dead_letters(cloud, location, &queue).await);
                }
            }
            Some("AWS::Events::EventBus") => {
                if let Some(bus) = text("Name") {
                    let expected = property("Policy").unwrap_or(Value::Null);
                    found.merge(bus_policy(cloud, location, &bus, &expected).await);
                }
            }
            _ => {}
        }
    }
    found
}

async fn dead_letters(cloud: &impl Cloud, location: &Location, queue: &str) -> Inspection {
    let mut found = Inspection::default();
    let link = Link {
        name: format!("dead letters {queue}"),
        location,
    };
    match cloud.queue_depth(location, queue).await {
        Ok(Some(0)) => {}
        Ok(Some(depth)) => found.faults.push(link.fault(
            DriftCode::DeadLetters,
            format!("{depth} events or alerts could not be delivered"),
            ("0 messages", format!("{depth} messages")),
            READ_DEAD_LETTERS,
        )),
        Ok(None) => found.faults.push(link.fault(
            DriftCode::QueueMissing,
            "the queue does not exist",
            ("a queue", "none"),
            Remedy::DEPLOY,
        )),
        Err(error) => found.unreadable.push(link.unreadable(&error)),
    }
    found
}

async fn bus_policy(
    cloud: &impl Cloud,
    location: &Location,
    bus: &str,
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
            "put the compiled policy back: `aws events put-permission --policy`",
        )),
        Ok(None) => found.faults.push(link.fault(
            DriftCode::BusMissing,
            "the bus does not exist",
            ("an event bus", "none"),
            Remedy::DEPLOY,
        )),
        Err(error) => found.unreadable.push(link.unreadable(&error)),
    }
    found
}
