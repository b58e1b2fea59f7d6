//! Whether every link of the alert chain works: the trail records, the topics reach everybody,
//! nothing lies in the dead letters, the bus takes what spokes send.

use std::collections::BTreeSet;

use compiler::organization::Protocol;
use compiler::{Bundle, Part, StackSet};
use futures::{StreamExt, stream};
use serde_json::Value;

use super::code::{DriftCheck, DriftCode, DriftOptions};
use super::report::{BrokenLink, Difference, Unchecked};
use super::resolve::{Context, same_policy};
use super::{DEPLOY, LOOK};
use crate::error::DeployError;
use crate::observe::World;
use crate::plan::{desired, resources};
use crate::ports::{Cloud, CloudError, Location};

/// How many locations are read at once.
const AT_ONCE: usize = 32;

/// Broken links, and what could not be looked at.
#[derive(Debug, Default)]
pub(crate) struct Inspection {
    pub(crate) broken: Vec<Broken>,
    pub(crate) unreadable: Vec<Unchecked>,
}

/// A link that doesn't work.
#[derive(Debug)]
pub(crate) struct Broken {
    code: DriftCode,
    link: String,
    location: Location,
    message: String,
    values: (String, String),
    fix: &'static str,
}

impl Broken {
    pub(crate) fn into_drift(self) -> Difference {
        let message = format!("{}: {}", self.link, self.message);
        Difference::new(self.code, message, self.fix)
            .location(&self.location)
            .values(self.values.0, self.values.1)
    }

    pub(crate) fn into_health(self) -> BrokenLink {
        BrokenLink {
            link: self.link,
            location: self.location,
            message: self.message,
            fix: self.fix.to_owned(),
        }
    }
}

/// What to do where something can't be looked at.
pub(crate) const PERMIT: &str =
    "give the caller (in other accounts: the access role) permission to read it";

impl Inspection {
    fn broken(
        &mut self,
        code: DriftCode,
        (link, location): (&str, &Location),
        message: impl Into<String>,
        (expected, actual): (impl Into<String>, impl Into<String>),
        fix: &'static str,
    ) {
        self.broken.push(Broken {
            code,
            link: link.to_owned(),
            location: location.clone(),
            message: message.into(),
            values: (expected.into(), actual.into()),
            fix,
        });
    }

    fn unreadable(&mut self, (link, location): (&str, &Location), error: &CloudError) {
        self.unreadable.push(Unchecked {
            check: DriftCheck::Chain,
            part: None,
            what: link.to_owned(),
            location: Some(location.clone()),
            reason: format!("it cannot be looked at: {error}"),
        });
    }

    fn merge(&mut self, other: Inspection) {
        self.broken.extend(other.broken);
        self.unreadable.extend(other.unreadable);
    }
}

/// Looks at every link but those of the single spokes.
pub(crate) async fn inspect(
    cloud: &impl Cloud,
    bundle: &Bundle,
    options: &DriftOptions,
) -> Result<Inspection, DeployError> {
    let mut all = Inspection::default();
    let organization = &bundle.organization;
    let management = Location::new(&organization.accounts.management, &organization.home_region);
    let trailed = bundle.stack_sets.iter().any(|set| set.part == Part::Trail);
    if trailed && options.covers(&management) {
        all.merge(trail(cloud, &organization.trail.name, &management).await);
    }
    let hub = Location::new(&organization.accounts.hub, &organization.home_region);
    let set_of = |part: Part| bundle.stack_sets.iter().find(|set| set.part == part);
    let mut locations: Vec<Location> = match set_of(Part::TopicLocal) {
        None => vec![hub.clone()],
        Some(set) => everywhere(cloud, bundle, set).await?,
    };
    locations.retain(|location| options.covers(location));
    let checks = stream::iter(locations)
        .map(|location| async move { subscriptions(cloud, bundle, &location).await })
        .buffered(AT_ONCE);
    let mut checks = std::pin::pin!(checks);
    while let Some(check) = checks.next().await {
        all.merge(check);
    }
    if options.covers(&hub)
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
        let world = World::read(cloud).await?;
        locations = desired(members, &bundle.organization, &world).locations;
    }
    let management = &bundle.organization.accounts.management;
    let regions = set.targets.management_regions.iter();
    locations.extend(regions.map(|region| Location::new(management, region)));
    Ok(locations.into_iter().collect())
}

async fn trail(cloud: &impl Cloud, name: &str, location: &Location) -> Inspection {
    let mut found = Inspection::default();
    let link = format!("trail {name}");
    let link = (link.as_str(), location);
    let status = match cloud.trail_status(location, name).await {
        Err(error) => {
            found.unreadable(link, &error);
            return found;
        }
        Ok(None) => {
            found.broken(
                DriftCode::TrailMissing,
                link,
                "the trail does not exist",
                ("a trail", "none"),
                DEPLOY,
            );
            return found;
        }
        Ok(Some(status)) => status,
    };
    if !status.logging {
        found.broken(
            DriftCode::TrailStopped,
            link,
            "the trail does not record: no API call becomes an event any more",
            ("logging", "stopped"),
            "start it again: `aws cloudtrail start-logging`",
        );
    }
    if !status.multi_region {
        found.broken(
            DriftCode::TrailScope,
            link,
            "the trail records only one Region",
            ("every Region", "one Region"),
            DEPLOY,
        );
    }
    if !status.organization {
        found.broken(
            DriftCode::TrailScope,
            link,
            "the trail records only one account",
            ("every account", "one account"),
            DEPLOY,
        );
    }
    if !status.log_file_validation {
        found.broken(
            DriftCode::TrailValidation,
            link,
            "the trail's log files can be forged: validation is off",
            ("validation on", "validation off"),
            DEPLOY,
        );
    }
    if let Some(error) = status.delivery_error {
        found.broken(
            DriftCode::TrailDelivery,
            link,
            format!("log files do not reach the bucket: {error}"),
            ("no delivery error", error),
            "look at the bucket's policy and key",
        );
    }
    found
}

async fn subscriptions(cloud: &impl Cloud, bundle: &Bundle, location: &Location) -> Inspection {
    let mut found = Inspection::default();
    for topic in &bundle.organization.topics {
        let name = bundle.organization.topic_name(topic);
        let link = format!("topic {name}");
        let actual = match cloud.subscriptions(location, &name).await {
            Ok(Some(actual)) => actual,
            Ok(None) => {
                found.broken(
                    DriftCode::TopicMissing,
                    (&link, location),
                    "the topic does not exist",
                    ("a topic", "none"),
                    DEPLOY,
                );
                continue;
            }
            Err(error) => {
                found.unreadable((&link, location), &error);
                continue;
            }
        };
        let expected: BTreeSet<(&str, &str)> = topic
            .subscriptions
            .iter()
            .map(|wanted| (protocol(wanted.protocol), wanted.endpoint.as_str()))
            .collect();
        for (protocol, endpoint) in &expected {
            let link = format!("subscription {endpoint} of {name}");
            let found_one = actual
                .iter()
                .find(|found| found.protocol == *protocol && found.endpoint == *endpoint);
            match found_one {
                None => found.broken(
                    DriftCode::SubscriptionMissing,
                    (&link, location),
                    format!("{endpoint} ({protocol}) is not subscribed and gets no alerts"),
                    ("a confirmed subscription", "none"),
                    "subscribe it again: `aws sns subscribe`, and confirm",
                ),
                Some(one) if !one.confirmed => found.broken(
                    DriftCode::SubscriptionUnconfirmed,
                    (&link, location),
                    format!("{endpoint} ({protocol}) has not confirmed and gets no alerts"),
                    ("confirmed", "pending confirmation"),
                    "follow the link in the confirmation message that AWS sent",
                ),
                Some(_) => {}
            }
        }
        for extra in &actual {
            if !expected.contains(&(extra.protocol.as_str(), extra.endpoint.as_str())) {
                found.broken(
                    DriftCode::SubscriptionUnexpected,
                    (
                        &format!("subscription {} of {name}", extra.endpoint),
                        location,
                    ),
                    format!(
                        "{} ({}) gets alerts but is not in the organization file",
                        extra.endpoint, extra.protocol
                    ),
                    ("no subscription", extra.endpoint.clone()),
                    "add it to the organization file, or remove it: `aws sns unsubscribe`",
                );
            }
        }
    }
    found
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Email => "email",
        Protocol::Https => "https",
        Protocol::Sqs => "sqs",
    }
}

/// The hub's dead letters and bus policy, as its template has them.
async fn hub_links(cloud: &impl Cloud, set: &StackSet, location: &Location) -> Inspection {
    let mut found = Inspection::default();
    let template: Value = serde_json::from_str(&set.template).unwrap_or_default();
    let context = Context {
        location,
        parameters: &set.parameters,
        declared: template.get("Parameters").and_then(Value::as_object),
    };
    for resource in resources(&set.template).values() {
        let kind = resource.get("Type").and_then(Value::as_str);
        let property = |name: &str| {
            let value = resource.get("Properties")?.get(name)?;
            Some(context.resolve(value))
        };
        let text = |name: &str| property(name)?.as_str().map(str::to_owned);
        match kind {
            Some("AWS::SQS::Queue") => {
                let Some(queue) = text("QueueName") else {
                    continue;
                };
                let link = format!("dead letters {queue}");
                let link = (link.as_str(), location);
                match cloud.queue_depth(location, &queue).await {
                    Ok(Some(0)) => {}
                    Ok(Some(depth)) => found.broken(
                        DriftCode::DeadLetters,
                        link,
                        format!("{depth} events or alerts could not be delivered"),
                        ("0 messages", format!("{depth} messages")),
                        LOOK,
                    ),
                    Ok(None) => found.broken(
                        DriftCode::QueueMissing,
                        link,
                        "the queue does not exist",
                        ("a queue", "none"),
                        DEPLOY,
                    ),
                    Err(error) => found.unreadable(link, &error),
                }
            }
            Some("AWS::Events::EventBus") => {
                let Some(bus) = text("Name") else { continue };
                let expected = property("Policy").unwrap_or(Value::Null);
                let link = format!("bus policy of {bus}");
                let link = (link.as_str(), location);
                match cloud.bus_policy(location, &bus).await {
                    Ok(Some(actual)) if same_policy(&expected, &actual) => {}
                    Ok(Some(actual)) => found.broken(
                        DriftCode::BusPolicy,
                        link,
                        "the policy is not the compiled one, so spokes may be refused or \
                         strangers let in",
                        (expected.to_string(), actual.to_string()),
                        "put the compiled policy back: `aws events put-permission --policy`",
                    ),
                    Ok(None) => found.broken(
                        DriftCode::BusMissing,
                        link,
                        "the bus does not exist",
                        ("an event bus", "none"),
                        DEPLOY,
                    ),
                    Err(error) => found.unreadable(link, &error),
                }
            }
            _ => {}
        }
    }
    found
}
