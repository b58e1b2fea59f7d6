//! What is read in the hub: the chain's health, the detections, and the topics.

use std::collections::BTreeMap;

use compiler::organization::{Organization, Publish, Topology};
use compiler::{Bundle, Part, StackSet};
use futures::{StreamExt, TryStreamExt, stream};
use remedy::Remedy;
use serde_json::Value;

use super::rules::{self, ExpectedRule, FoundRules};
use super::{CANARY, broken, restored_by_drift};
use crate::drift::Difference;
use crate::drift::expected::Expected;
use crate::drift::look::{Looked, Looks, PossibleRole, compare_roles};
use crate::error::DeployError;
use crate::fleet::resolve::{Context, named_resources};
use crate::health::{BrokenLink, health};
use crate::ports::{Cloud, CloudError, EventRule, Location, RoleDetails};
use crate::restore::StackAddress;

/// Rules whose targets are read concurrently.
const AT_ONCE: usize = 16;

/// Beginning of the paths of all roles in the templates.
const ROLE_PATHS: &str = "/gizmos";

const PERMIT: &str = "give the caller (in other accounts: the access role) permission to read it";

/// The hub as far as canaries need it.
pub(super) struct Hub {
    pub(super) location: Location,
    /// URL of the canaries' queue; `None` if canaries can't be received.
    pub(super) queue: Option<String>,
    /// Name of the dead-letter queue.
    pub(super) dead_letters: String,
    /// Whether the topics' policies admit the rules, and not a role.
    pub(super) by_policy: bool,
    /// The canaries' rules.
    pub(super) rules: FoundRules,
    /// Everything that is broken.
    pub(super) broken: Vec<BrokenLink>,
    /// The topics that were compared with the canaries'.
    pub(super) topics_read: Vec<String>,
}

impl Hub {
    pub(super) async fn read(cloud: &impl Cloud, bundle: &Bundle) -> Result<Hub, DeployError> {
        let organization = &bundle.organization;
        let mut hub = Hub {
            location: location(organization),
            queue: None,
            dead_letters: organization.dead_letters_name().to_owned(),
            by_policy: organization.publish == Publish::Policy,
            rules: FoundRules::default(),
            broken: health(cloud, bundle).await?,
            topics_read: Vec::new(),
        };
        if organization.topology == Topology::Local {
            return Ok(hub);
        }
        match rules_of(cloud, bundle).await {
            Ok(found) => {
                hub.broken.extend(found.broken.iter().cloned());
                hub.rules = found;
            }
            Err(error) => hub.unreadable("rules on the hub's bus", &error),
        }
        hub.find_queue(cloud).await;
        hub.look_closely(cloud, bundle).await;
        let topics = organization.topics.iter();
        hub.topics_read = topics.map(|topic| organization.topic_name(topic)).collect();
        Ok(hub)
    }

    fn unreadable(&mut self, link: &str, error: &CloudError) {
        let message = format!("it can't be read: {error}");
        self.broken
            .push(broken(link, &self.location, message, PERMIT));
    }

    fn fault(&mut self, link: String, message: impl Into<String>, fix: impl Into<Remedy>) {
        self.broken.push(broken(link, &self.location, message, fix));
    }

    async fn find_queue(&mut self, cloud: &impl Cloud) {
        match cloud.queue_url(&self.location, CANARY).await {
            Ok(Some(url)) => self.queue = Some(url),
            Ok(None) => self.fault(
                format!("queue {CANARY}"),
                "the queue does not exist, so no canary was sent",
                restored_by_drift(false),
            ),
            Err(error) => self.unreadable(&format!("queue {CANARY}"), &error),
        }
    }

    /// Compares what the cheap check of rules doesn't read, as `drift` does: all targets, rules that
    /// no template sets, and roles.
    async fn look_closely(&mut self, cloud: &impl Cloud, bundle: &Bundle) {
        let sets = bundle.stack_sets.iter();
        let sets: Vec<&StackSet> = sets
            .filter(|set| matches!(set.part, Part::Topic | Part::RulesHub))
            .collect();
        let looks: Vec<Looks> = sets
            .iter()
            .map(|set| Looks::new(&set.template, &set.parameters))
            .collect();
        let location = self.location.clone();
        let known: Vec<BTreeMap<String, String>> = looks
            .iter()
            .map(|it| named_resources(&it.source.resources, &location, &it.source.parameters))
            .collect();
        let addresses: Vec<StackAddress<'_>> = sets
            .iter()
            .map(|set| StackAddress::new(&location, &set.name, std::iter::empty()))
            .collect();
        let stacks: Vec<(Looked<'_>, &Expected)> = sets
            .iter()
            .zip(looks.iter().zip(&known))
            .zip(&addresses)
            .map(|((set, (looks, known)), address)| {
                let context = Context {
                    location: &location,
                    parameters: &looks.source.parameters,
                    resources: known,
                };
                let looked = Looked {
                    part: &set.name,
                    address,
                    context,
                };
                (looked, &looks.expected)
            })
            .collect();
        let bus = bundle.organization.bus_name();
        if let Err(error) = self.targets(cloud, bus, &stacks).await {
            self.unreadable("targets of the rules on the hub's bus", &error);
        }
        match cloud.roles(&location, ROLE_PATHS).await {
            Ok(roles) => {
                let possible: Vec<PossibleRole<'_>> = stacks
                    .iter()
                    .flat_map(|(looked, expected)| {
                        expected.roles.iter().map(|role| PossibleRole {
                            looked: *looked,
                            role,
                            is_uncertain: false,
                        })
                    })
                    .collect();
                for role in missing_roles(&roles, &possible) {
                    self.fault(
                        format!("role {role}"),
                        "the role does not exist",
                        restored_by_drift(false),
                    );
                }
                for difference in compare_roles(&roles, &possible) {
                    self.differs(difference, false);
                }
            }
            Err(error) => self.unreadable("the hub's roles", &error),
        }
    }

    async fn targets(
        &mut self,
        cloud: &impl Cloud,
        bus: &str,
        stacks: &[(Looked<'_>, &Expected)],
    ) -> Result<(), CloudError> {
        let location = self.location.clone();
        let location = &location;
        let listed = cloud.event_rules(location, bus, "").await?;
        let listed = listed.unwrap_or_default();
        let reads = stream::iter(&listed).map(|rule| async move {
            let targets = cloud.rule_targets(location, bus, &rule.name).await?;
            Ok::<_, CloudError>((rule, targets.unwrap_or_default()))
        });
        let read: Vec<(&EventRule, Vec<Value>)> = reads.buffered(AT_ONCE).try_collect().await?;
        for (actual, targets) in read {
            let mut expected = stacks.iter().flat_map(|(looked, expected)| {
                let rules = expected.rules.iter();
                rules.map(move |rule| (looked, rule))
            });
            let known = expected.find(|(looked, rule)| {
                rule.fixed_name(&looked.context).as_ref() == Some(&actual.name)
            });
            match (known, stacks.first()) {
                // State and pattern were compared before.
                (Some((looked, rule)), _) if looked.compare_rule(rule, actual).is_none() => {
                    if let Some(difference) = looked.compare_targets(rule, actual, &targets) {
                        self.differs(difference, true);
                    }
                }
                (None, Some((looked, _))) => {
                    self.differs(looked.unexpected_rule(bus, actual, &targets), false);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A stack's id isn't known here, so that what restores the whole stack is left to `drift`.
    fn differs(&mut self, difference: Difference, restored_by_stack: bool) {
        let message = match (&difference.expected, &difference.actual) {
            (Some(expected), Some(actual)) => {
                format!(
                    "{}; expected {expected}, found {actual}",
                    difference.message
                )
            }
            _ => difference.message.clone(),
        };
        let stack = restored_by_stack || difference.fix.to_string().contains("REVERT_DRIFT");
        let fix = if stack {
            restored_by_drift(false)
        } else {
            difference.fix
        };
        let link = match difference.resource {
            Some(resource) => format!("{} {}", resource.resource_type, resource.logical_id),
            None => difference.code.describe().trim_end_matches('.').to_owned(),
        };
        self.fault(link, message, fix);
    }
}

/// Names of roles with a fixed name that don't exist.
fn missing_roles(roles: &[RoleDetails], possible: &[PossibleRole<'_>]) -> Vec<String> {
    let missing = possible.iter().filter(|it| {
        let mut roles = roles.iter();
        !roles.any(|role| it.role.is(&it.looked.context, role))
    });
    missing.map(|it| it.role.logical_id.clone()).collect()
}

fn location(organization: &Organization) -> Location {
    Location::new(&organization.accounts.hub, &organization.home_region)
}

async fn rules_of(cloud: &impl Cloud, bundle: &Bundle) -> Result<FoundRules, CloudError> {
    let sets = bundle.stack_sets.iter();
    let expected: Vec<ExpectedRule> = sets
        .filter(|set| matches!(set.part, Part::Topic | Part::RulesHub))
        .flat_map(rules::expected)
        .collect();
    let location = location(&bundle.organization);
    let bus = bundle.organization.bus_name();
    rules::compare(cloud, &location, bus, &expected).await
}

/// The hub's rules that were disabled, changed or deleted, or lost a target. Costs one list, and one
/// per topic; none in the local topology, which has no hub.
pub async fn hub_rules(cloud: &impl Cloud, bundle: &Bundle) -> Result<Vec<BrokenLink>, CloudError> {
    if bundle.organization.topology == Topology::Local {
        return Ok(Vec::new());
    }
    Ok(rules_of(cloud, bundle).await?.broken)
}
