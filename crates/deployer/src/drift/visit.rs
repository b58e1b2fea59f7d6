//! What can only be seen in the accounts themselves: check 4, stacks that were changed directly,
//! and the spokes' part of check 5, their dead letters and forwarder roles.
//!
//! CloudFormation tells an administrator of stack sets neither the template nor the parameters
//! that a stack really has, and drift detection compares resources with the stack's own template,
//! so a stack that was updated directly passes for current and in sync. Its time of last update
//! proves nothing either: it may lie within an operation of the stack set. So every stack is asked.
//! The cost: per account one session of the access role and one list of roles; per stack a
//! description, a template and a queue's depth. Rates are limited per account and Region, and each
//! gets a handful of these calls, so many accounts are visited at once.

use std::collections::{BTreeMap, BTreeSet};

use compiler::{Bundle, Part, StackSet};
use futures::{StreamExt, stream};
use serde_json::{Map, Value};

use super::code::{DriftCheck, DriftCode, DriftOptions};
use super::definition::named;
use super::report::{Difference, Unchecked};
use super::template::template_changes;
use super::{DEPLOY, LOOK};
use crate::observe::{Observed, ObservedStackSet};
use crate::plan::{is_owned, same_template};
use crate::ports::{AccountState, Cloud, CloudError, InstanceStatus, Location, Stack};

/// How many accounts are visited at once.
const ACCOUNTS_AT_ONCE: usize = 32;

/// Output of the spokes' templates: the URL of the dead-letter queue.
const QUEUE: &str = "DeadLettersUrl";
/// Output of the spokes' templates: the name of the role that forwards to the hub.
const ROLE: &str = "ForwarderRoleName";
/// Forwarders' roles have this path; the hub's bus admits no others.
const ROLE_PATH: &str = "/gizmos/";

/// What the visits found.
#[derive(Debug, Default)]
pub(crate) struct Visited {
    pub(crate) differences: Vec<Difference>,
    pub(crate) unchecked: Vec<Unchecked>,
}

/// One stack to look at.
struct Stop<'a> {
    set: &'a str,
    location: Location,
    /// The stack's id; `None` if the instance has lost it.
    stack: Option<&'a str>,
    /// The stack itself, if it is known already: one of the management account.
    known: Option<&'a Stack>,
    template: &'a Template<'a>,
}

/// What the stacks of a stack set should be.
struct Template<'a> {
    text: &'a str,
    parameters: BTreeMap<String, String>,
    /// Outputs that a link of the chain is known by.
    links: BTreeSet<&'static str>,
}

impl<'a> Template<'a> {
    fn new(part: Part, text: &'a str, given: &BTreeMap<String, String>) -> Self {
        let parsed: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        let section = |name: &str| parsed.get(name).and_then(Value::as_object);
        let mut parameters = BTreeMap::new();
        for (name, declared) in section("Parameters").into_iter().flatten() {
            if let Some(default) = declared.get("Default") {
                let value = default
                    .as_str()
                    .map_or_else(|| default.to_string(), str::to_owned);
                parameters.insert(name.clone(), value);
            }
        }
        parameters.extend(given.clone());
        let everywhere = matches!(part, Part::RulesSpoke | Part::RulesLocal);
        let outputs = section("Outputs").filter(|_| everywhere);
        let links = [QUEUE, ROLE]
            .into_iter()
            .filter(|name| outputs.is_some_and(|outputs| outputs.contains_key(*name)))
            .collect();
        Template {
            text,
            parameters,
            links,
        }
    }
}

/// Visits every account that has stacks of ours.
pub(crate) async fn visit(
    cloud: &impl Cloud,
    bundle: &Bundle,
    observed: &Observed,
    options: &DriftOptions,
) -> Visited {
    let mut all = Visited::default();
    let stacks = options.makes(DriftCheck::Stacks);
    let chain = options.makes(DriftCheck::Chain);
    if !stacks && !chain {
        return all;
    }
    let templates: Vec<(&StackSet, &ObservedStackSet, Template<'_>)> = bundle
        .stack_sets
        .iter()
        .filter_map(|set| {
            let found = observed.stack_sets.get(&set.name)?;
            let details = &found.details;
            let template = Template::new(set.part, &details.template, &details.parameters);
            is_owned(&details.tags).then_some((set, found, template))
        })
        .collect();
    let own: Vec<(&StackSet, Template<'_>)> = bundle
        .stack_sets
        .iter()
        .map(|set| (set, Template::new(set.part, &set.template, &set.parameters)))
        .collect();
    let active: BTreeSet<&str> = observed
        .accounts
        .iter()
        .filter(|account| account.state == AccountState::Active)
        .map(|account| account.id.as_str())
        .collect();
    let mut accounts: BTreeMap<&str, Vec<Stop<'_>>> = BTreeMap::new();
    for (set, found, template) in &templates {
        if !stacks && template.links.is_empty() {
            continue;
        }
        for instance in &found.instances {
            let location = Location::new(&instance.account, &instance.region);
            // One that isn't current is no news: the instances' own check names it.
            let looked_at = instance.status == InstanceStatus::Current
                && active.contains(instance.account.as_str())
                && options.covers(&location);
            if looked_at {
                accounts.entry(&instance.account).or_default().push(Stop {
                    set: &set.name,
                    location,
                    stack: instance.stack_id.as_deref(),
                    known: None,
                    template,
                });
            }
        }
    }
    // The management account's own stacks; the plan compares their templates.
    for (set, template) in own.iter().filter(|(_, it)| chain && !it.links.is_empty()) {
        for found in &observed.stacks {
            let ours = found.stack.name == set.name && is_owned(&found.stack.tags);
            if ours && options.covers(&found.location) {
                accounts
                    .entry(&found.location.account)
                    .or_default()
                    .push(Stop {
                        set: &set.name,
                        location: found.location.clone(),
                        stack: Some(&found.stack.id),
                        known: Some(&found.stack),
                        template,
                    });
            }
        }
    }
    let visits = stream::iter(accounts.into_values())
        .map(|stops| visit_account(cloud, options, stops))
        .buffered(ACCOUNTS_AT_ONCE);
    let mut visits = std::pin::pin!(visits);
    while let Some(visited) = visits.next().await {
        all.differences.extend(visited.differences);
        all.unchecked.extend(visited.unchecked);
    }
    all
}

async fn visit_account(
    cloud: &impl Cloud,
    options: &DriftOptions,
    stops: Vec<Stop<'_>>,
) -> Visited {
    let mut visited = Visited::default();
    // The names of the account's roles: asked for once, when the first is looked for.
    let mut roles: Option<BTreeSet<String>> = None;
    let mut stops = stops.into_iter();
    while let Some(stop) = stops.next() {
        let stack = match (stop.known, stop.stack) {
            (Some(known), _) => Ok(Some(known.clone())),
            (None, None) => Ok(None),
            (None, Some(id)) => cloud.describe_stack(&stop.location, id).await,
        };
        let stack = match stack {
            Ok(Some(stack)) => stack,
            Ok(None) => {
                visited.differences.push(gone(options, &stop));
                continue;
            }
            Err(CloudError::AccessDenied { action, message }) if action == "sts:AssumeRole" => {
                // It is the same for everything in this account.
                let more = stops.len();
                visited.unchecked.push(Unchecked {
                    check: first(options),
                    part: None,
                    what: format!("{} stacks of account {}", more + 1, stop.location.account),
                    location: None,
                    reason: format!("access denied for `{action}`: {message}"),
                });
                return visited;
            }
            Err(error) => {
                visited.skip(first(options), &stop, &error);
                continue;
            }
        };
        if options.makes(DriftCheck::Stacks) && stop.known.is_none() {
            compare(cloud, &stop, &stack, &mut visited).await;
        }
        if options.makes(DriftCheck::Chain) {
            links(cloud, &stop, &stack, &mut roles, &mut visited).await;
        }
    }
    visited
}

/// The check that a visit is made for.
fn first(options: &DriftOptions) -> DriftCheck {
    if options.makes(DriftCheck::Stacks) {
        DriftCheck::Stacks
    } else {
        DriftCheck::Chain
    }
}

impl Visited {
    fn skip(&mut self, check: DriftCheck, stop: &Stop<'_>, error: &CloudError) {
        self.unchecked.push(Unchecked {
            check,
            part: Some(stop.set.to_owned()),
            what: "stack".to_owned(),
            location: Some(stop.location.clone()),
            reason: error.to_string(),
        });
    }
}

const REPAIR: &str = "remove the stack instance (`aws cloudformation delete-stack-instances`, with \
                      --retain-stacks if the stack is gone), then run `cargo xtask deploy --org`";

fn gone(options: &DriftOptions, stop: &Stop<'_>) -> Difference {
    let (code, what) = if options.makes(DriftCheck::Stacks) {
        (DriftCode::StackGone, "the stack")
    } else if stop.template.links.contains(ROLE) {
        (DriftCode::RoleMissing, "the stack with the forwarder role")
    } else {
        (
            DriftCode::QueueMissing,
            "the stack with the dead-letter queue",
        )
    };
    let message = format!("{what} was deleted directly; its stack set still calls it current");
    Difference::new(code, message, REPAIR)
        .part(stop.set)
        .location(&stop.location)
        .values(stop.stack.unwrap_or("a stack"), "no stack")
}

/// Check 4: the stack's template and parameters against the stack set's.
async fn compare(cloud: &impl Cloud, stop: &Stop<'_>, stack: &Stack, visited: &mut Visited) {
    if stack.is_in_progress() {
        visited.unchecked.push(Unchecked {
            check: DriftCheck::Stacks,
            part: Some(stop.set.to_owned()),
            what: "stack".to_owned(),
            location: Some(stop.location.clone()),
            reason: format!("it is being changed right now ({})", stack.status),
        });
        return;
    }
    let names: BTreeSet<&String> = stop
        .template
        .parameters
        .keys()
        .chain(stack.parameters.keys())
        .collect();
    let differing: Vec<String> = names
        .into_iter()
        .filter(|name| stop.template.parameters.get(*name) != stack.parameters.get(*name))
        .cloned()
        .collect();
    if !differing.is_empty() {
        let message = format!(
            "the stack was updated directly: parameters {} are not its stack set's",
            differing.join(", ")
        );
        let values =
            |of: &BTreeMap<String, String>| named(&differing, of).collect::<Vec<_>>().join("; ");
        visited.differences.push(
            Difference::new(DriftCode::StackParameters, message, RESTORE)
                .part(stop.set)
                .location(&stop.location)
                .values(values(&stop.template.parameters), values(&stack.parameters)),
        );
    }
    match cloud.stack_template(&stop.location, &stack.id).await {
        Ok(template) if same_template(stop.template.text, &template) => {}
        Ok(template) => {
            let changes = template_changes(stop.template.text, &template);
            let message =
                format!("the stack was updated directly, with another template: {changes}");
            visited.differences.push(
                Difference::new(DriftCode::StackTemplate, message, RESTORE)
                    .part(stop.set)
                    .location(&stop.location)
                    .values("the stack set's template", changes),
            );
        }
        Err(error) => visited.skip(DriftCheck::Stacks, stop, &error),
    }
}

const RESTORE: &str = "find out who did it and why; then have the stack set update the instance: \
                       `aws cloudformation update-stack-instances` for this account and Region";

/// Check 5 in a spoke: nothing lies in the dead letters, and the forwarder role is there.
async fn links(
    cloud: &impl Cloud,
    stop: &Stop<'_>,
    stack: &Stack,
    roles: &mut Option<BTreeSet<String>>,
    visited: &mut Visited,
) {
    if stop.template.links.contains(QUEUE)
        && let Some(url) = stack.outputs.get(QUEUE)
    {
        let name = url.rsplit('/').next().unwrap_or(url);
        let found = match cloud.queue_depth(&stop.location, url).await {
            Ok(Some(0)) => None,
            Ok(Some(depth)) => Some(
                Difference::new(
                    DriftCode::DeadLetters,
                    format!("dead letters {name}: {depth} events could not be delivered"),
                    LOOK,
                )
                .values("0 messages", format!("{depth} messages")),
            ),
            Ok(None) => Some(
                Difference::new(
                    DriftCode::QueueMissing,
                    format!("dead letters {name}: the queue does not exist"),
                    REPAIR,
                )
                .values(url, "no queue"),
            ),
            Err(error) => {
                visited.skip(DriftCheck::Chain, stop, &error);
                None
            }
        };
        visited
            .differences
            .extend(found.map(|it| it.part(stop.set).location(&stop.location)));
    }
    if stop.template.links.contains(ROLE)
        && let Some(role) = stack.outputs.get(ROLE)
    {
        if roles.is_none() {
            match cloud.role_names(&stop.location, ROLE_PATH).await {
                Ok(names) => *roles = Some(names.into_iter().collect()),
                Err(error) => {
                    visited.skip(DriftCheck::Chain, stop, &error);
                    return;
                }
            }
        }
        if roles.as_ref().is_some_and(|roles| !roles.contains(role)) {
            let message = format!(
                "forwarder role {role} does not exist: no event of this account and Region \
                 reaches the hub"
            );
            visited.differences.push(
                Difference::new(DriftCode::RoleMissing, message, REPAIR)
                    .part(stop.set)
                    .location(&stop.location)
                    .values(format!("{ROLE_PATH}{role}"), "no role"),
            );
        }
    }
    if stop
        .template
        .links
        .iter()
        .any(|name| !stack.outputs.contains_key(*name))
    {
        // Without its outputs the stack is not what it should be: nothing is proven.
        let message = "the stack does not tell its dead-letter queue and forwarder role";
        visited.differences.push(
            Difference::new(DriftCode::QueueMissing, message, DEPLOY)
                .part(stop.set)
                .location(&stop.location),
        );
    }
}
