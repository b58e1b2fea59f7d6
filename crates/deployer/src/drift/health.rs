//! Whether every link of the alert chain works: the trail records, the topics reach everybody,
//! nothing lies in the dead letters, the bus takes what spokes send.

use std::collections::BTreeSet;

use compiler::organization::{Protocol, Topology};
use compiler::{Bundle, Part, StackSet};
use futures::{StreamExt, stream};
use serde_json::Value;

use super::report::HealthFinding;
use super::resolve::{Context, same_policy};
use crate::error::DeployError;
use crate::observe::World;
use crate::plan::{desired, resources};
use crate::ports::{Cloud, CloudError, Place};

/// How many places are read at once.
const AT_ONCE: usize = 4;

/// Findings, and what could not be looked at.
#[derive(Debug, Default)]
pub(crate) struct Inspection {
    pub(crate) findings: Vec<HealthFinding>,
    pub(crate) unreadable: Vec<HealthFinding>,
}

impl Inspection {
    fn broken(&mut self, link: String, place: &Place, message: String, fix: &str) {
        self.findings.push(HealthFinding {
            link,
            place: place.clone(),
            message,
            fix: fix.to_owned(),
        });
    }

    fn unreadable(&mut self, link: String, place: &Place, error: &CloudError) {
        self.unreadable.push(HealthFinding {
            link,
            place: place.clone(),
            message: format!("it cannot be looked at: {error}"),
            fix: "give the caller (in other accounts: the access role) permission to read it"
                .to_owned(),
        });
    }

    fn merge(&mut self, other: Inspection) {
        self.findings.extend(other.findings);
        self.unreadable.extend(other.unreadable);
    }
}

const DEPLOY: &str = "run `cargo xtask deploy --org`";

/// Looks at every link.
pub(crate) async fn inspect(
    cloud: &impl Cloud,
    bundle: &Bundle,
) -> Result<Inspection, DeployError> {
    let mut all = trail(cloud, bundle).await;
    let organization = &bundle.organization;
    let hub = Place::new(&organization.accounts.hub, &organization.home_region);
    let topic_set = bundle.stack_sets.iter().find(|set| set.part == Part::Topic);
    let places: Vec<Place> = match (organization.topology, topic_set) {
        (Topology::Hub, _) | (_, None) => vec![hub.clone()],
        (Topology::Local, Some(set)) => everywhere(cloud, bundle, set).await?,
    };
    let checks = stream::iter(places)
        .map(|place| async move { subscriptions(cloud, bundle, &place).await })
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    for check in checks {
        all.merge(check);
    }
    if organization.topology == Topology::Hub
        && let Some(set) = topic_set
    {
        all.merge(hub_links(cloud, set, &hub).await);
    }
    Ok(all)
}

async fn everywhere(
    cloud: &impl Cloud,
    bundle: &Bundle,
    set: &StackSet,
) -> Result<Vec<Place>, DeployError> {
    let mut places = BTreeSet::new();
    if let Some(members) = &set.targets.members {
        let world = World::read(cloud).await?;
        places = desired(members, &bundle.organization, &world).places;
    }
    let management = &bundle.organization.accounts.management;
    let regions = set.targets.management_regions.iter();
    places.extend(regions.map(|region| Place::new(management, region)));
    Ok(places.into_iter().collect())
}

async fn trail(cloud: &impl Cloud, bundle: &Bundle) -> Inspection {
    let mut found = Inspection::default();
    if !bundle.stack_sets.iter().any(|set| set.part == Part::Trail) {
        return found;
    }
    let organization = &bundle.organization;
    let place = Place::new(&organization.accounts.management, &organization.home_region);
    let link = format!("trail {}", organization.trail.name);
    match cloud.trail_status(&place, &organization.trail.name).await {
        Err(error) => found.unreadable(link, &place, &error),
        Ok(None) => found.broken(link, &place, "the trail does not exist".into(), DEPLOY),
        Ok(Some(status)) => {
            let mut broken = |message: &str, fix: &str| {
                found.broken(link.clone(), &place, message.to_owned(), fix);
            };
            if !status.logging {
                broken(
                    "the trail does not record: no API call becomes an event any more",
                    "start it again: `aws cloudtrail start-logging`",
                );
            }
            if !status.multi_region {
                broken("the trail records only one Region", DEPLOY);
            }
            if !status.organization {
                broken("the trail records only one account", DEPLOY);
            }
            if !status.log_file_validation {
                broken(
                    "the trail's log files can be forged: validation is off",
                    DEPLOY,
                );
            }
            if let Some(error) = status.delivery_error {
                let message = format!("log files do not reach the bucket: {error}");
                broken(&message, "look at the bucket's policy and key");
            }
        }
    }
    found
}

async fn subscriptions(cloud: &impl Cloud, bundle: &Bundle, place: &Place) -> Inspection {
    let mut found = Inspection::default();
    for topic in &bundle.organization.topics {
        let name = format!("gizmos-{}", topic.name);
        let actual = match cloud.subscriptions(place, &name).await {
            Ok(Some(actual)) => actual,
            Ok(None) => {
                let link = format!("topic {name}");
                found.broken(link, place, "the topic does not exist".into(), DEPLOY);
                continue;
            }
            Err(error) => {
                found.unreadable(format!("topic {name}"), place, &error);
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
                    link,
                    place,
                    format!("{endpoint} ({protocol}) is not subscribed and gets no alerts"),
                    "subscribe it again: `aws sns subscribe`, and confirm",
                ),
                Some(one) if !one.confirmed => found.broken(
                    link,
                    place,
                    format!("{endpoint} ({protocol}) has not confirmed and gets no alerts"),
                    "follow the link in the confirmation message that AWS sent",
                ),
                Some(_) => {}
            }
        }
        for extra in &actual {
            if !expected.contains(&(extra.protocol.as_str(), extra.endpoint.as_str())) {
                found.broken(
                    format!("subscription {} of {name}", extra.endpoint),
                    place,
                    format!(
                        "{} ({}) gets alerts but is not in the organization file",
                        extra.endpoint, extra.protocol
                    ),
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
async fn hub_links(cloud: &impl Cloud, set: &StackSet, place: &Place) -> Inspection {
    let mut found = Inspection::default();
    let template: Value = serde_json::from_str(&set.template).unwrap_or_default();
    let context = Context {
        place,
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
                match cloud.queue_depth(place, &queue).await {
                    Ok(Some(0)) => {}
                    Ok(Some(depth)) => found.broken(
                        link,
                        place,
                        format!("{depth} events or alerts could not be delivered"),
                        "read the messages; their attributes name the rule and the error",
                    ),
                    Ok(None) => {
                        found.broken(link, place, "the queue does not exist".into(), DEPLOY);
                    }
                    Err(error) => found.unreadable(link, place, &error),
                }
            }
            Some("AWS::Events::EventBus") => {
                let Some(bus) = text("Name") else { continue };
                let expected = property("Policy").unwrap_or(Value::Null);
                let link = format!("bus policy of {bus}");
                match cloud.bus_policy(place, &bus).await {
                    Ok(Some(actual)) if same_policy(&expected, &actual) => {}
                    Ok(Some(actual)) => found.broken(
                        link,
                        place,
                        format!(
                            "the policy is not the compiled one, so spokes may be refused or \
                             strangers let in; found {actual}, expected {expected}"
                        ),
                        "put the compiled policy back: `aws events put-permission --policy`",
                    ),
                    Ok(None) => {
                        found.broken(link, place, "the bus does not exist".into(), DEPLOY);
                    }
                    Err(error) => found.unreadable(link, place, &error),
                }
            }
            _ => {}
        }
    }
    found
}
