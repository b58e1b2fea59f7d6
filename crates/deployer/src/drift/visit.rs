//! Checks that need access to the member accounts: check 4 (stacks that were changed directly) and
//! the spokes' part of check 5 (dead letters and forwarder roles).
//!
//! CloudFormation doesn't show a StackSets administrator the template or parameters that a stack
//! really has. Drift detection compares resources with the stack's own template, so a stack that
//! was updated directly still counts as current and in sync. Its last update time proves nothing,
//! because it may fall within an operation of the stack set. Therefore every stack is read. The
//! cost is one session of the access role and one list of roles per account; and per stack a
//! description, a template and a queue depth. Rates are limited per account and Region, each of
//! which gets only a handful of these calls, so many accounts are visited concurrently.

use std::collections::{BTreeMap, BTreeSet};

use compiler::{Bundle, Part, StackSet};
use futures::{StreamExt, stream};
use remedy::{Command, Remedy};
use serde_json::Value;

use super::definition::named;
use super::options::DriftOptions;
use super::report::{Difference, Found, Unchecked};
use super::template::template_changes;
use crate::code::{DriftCheck, DriftCode};
use crate::fleet::template::{parameter_values, parse, same_template};
use crate::fleet::{Observed, ObservedStackSet, is_owned};
use crate::health::READ_DEAD_LETTERS;
use crate::ports::{AccountState, Cloud, CloudError, InstanceStatus, Location, Stack};

/// Accounts visited concurrently.
const ACCOUNTS_AT_ONCE: usize = 32;

/// Output of spoke templates: URL of the dead-letter queue.
const QUEUE: &str = "DeadLettersUrl";
/// Output of spoke templates: name of the role that forwards events to the hub.
const ROLE: &str = "ForwarderRoleName";
/// Path of all forwarder roles. The hub's bus policy admits only roles with this path.
const ROLE_PATH: &str = "/gizmos/";

const RESTORE: &str = "find out who did it and why; then have the stack set update the instance: \
                       `aws cloudformation update-stack-instances` for this account and Region";

fn remove_and_deploy() -> Remedy {
    Remedy::from(
        "remove the stack instance (`aws cloudformation delete-stack-instances`, with \
         --retain-stacks if the stack is gone), then run ",
    )
    .command(Command::Deploy {
        allow_delete: false,
    })
}

/// One stack to read.
struct Target<'a> {
    set: &'a str,
    location: Location,
    /// The stack's id; `None` if the instance has no stack.
    stack: Option<&'a str>,
    /// The stack's description, if it was read before, as in the management account.
    known: Option<&'a Stack>,
    template: &'a Template<'a>,
}

/// The expected state of a stack set's stacks.
struct Template<'a> {
    text: &'a str,
    parameters: BTreeMap<String, String>,
    /// Outputs that name a link of the alert chain.
    links: BTreeSet<&'static str>,
}

impl<'a> Template<'a> {
    fn new(part: Part, text: &'a str, given: &BTreeMap<String, String>) -> Self {
        let everywhere = matches!(part, Part::RulesSpoke | Part::RulesLocal);
        let sections = parse(text).unwrap_or_default();
        let outputs = sections.get("Outputs").and_then(Value::as_object);
        let links = [QUEUE, ROLE]
            .into_iter()
            .filter(|name| everywhere && outputs.is_some_and(|it| it.contains_key(*name)))
            .collect();
        Template {
            text,
            parameters: parameter_values(text, given),
            links,
        }
    }
}

/// Visits every account that has stacks of the bundle.
pub(super) async fn visit(
    cloud: &impl Cloud,
    bundle: &Bundle,
    observed: &Observed,
    options: &DriftOptions,
) -> Found {
    let deployed: Vec<(&ObservedStackSet, Template<'_>)> = bundle
        .stack_sets
        .iter()
        .filter_map(|set| {
            let found = observed.stack_sets.get(&set.name)?;
            let details = &found.details;
            let template = Template::new(set.part, &details.template, &details.parameters);
            is_owned(&details.tags).then_some((found, template))
        })
        .collect();
    let compiled: Vec<(&StackSet, Template<'_>)> = bundle
        .stack_sets
        .iter()
        .map(|set| (set, Template::new(set.part, &set.template, &set.parameters)))
        .collect();
    let instances = instance_targets(&deployed, observed, options);
    let stacks = stack_targets(&compiled, observed, options);
    let mut accounts: BTreeMap<String, Vec<Target<'_>>> = BTreeMap::new();
    for target in instances.into_iter().chain(stacks) {
        let account = target.location.account.clone();
        accounts.entry(account).or_default().push(target);
    }
    let visits = stream::iter(accounts.into_values())
        .map(|targets| visit_account(cloud, options, targets))
        .buffered(ACCOUNTS_AT_ONCE);
    let mut visits = std::pin::pin!(visits);
    let mut found = Found::default();
    while let Some(visited) = visits.next().await {
        found.merge(visited);
    }
    found
}

/// Stacks of current instances in accounts that are in use. The instances check reports all others.
fn instance_targets<'a>(
    deployed: &'a [(&'a ObservedStackSet, Template<'a>)],
    observed: &Observed,
    options: &DriftOptions,
) -> Vec<Target<'a>> {
    let membership = &observed.membership;
    let is_active = |id: &str| {
        let account = membership.account(id);
        account.is_some_and(|account| account.state == AccountState::Active)
    };
    let mut targets = Vec::new();
    for (found, template) in deployed {
        if !options.makes(DriftCheck::Stacks) && template.links.is_empty() {
            continue;
        }
        for instance in &found.instances {
            let location = instance.location();
            if instance.status == InstanceStatus::Current
                && is_active(&instance.account)
                && options.covers(&location)
            {
                targets.push(Target {
                    set: &found.details.name,
                    location,
                    stack: instance.stack_id.as_deref(),
                    known: None,
                    template,
                });
            }
        }
    }
    targets
}

/// Stacks in the management account that belong to the alert chain. The plan check compares their
/// templates.
fn stack_targets<'a>(
    compiled: &'a [(&'a StackSet, Template<'a>)],
    observed: &'a Observed,
    options: &DriftOptions,
) -> Vec<Target<'a>> {
    let mut targets = Vec::new();
    if !options.makes(DriftCheck::Chain) {
        return targets;
    }
    for (set, template) in compiled.iter().filter(|(_, it)| !it.links.is_empty()) {
        for found in &observed.stacks {
            let ours = found.stack.name == set.name && is_owned(&found.stack.tags);
            if ours && options.covers(&found.location) {
                targets.push(Target {
                    set: &set.name,
                    location: found.location.clone(),
                    stack: Some(&found.stack.id),
                    known: Some(&found.stack),
                    template,
                });
            }
        }
    }
    targets
}

async fn visit_account(
    cloud: &impl Cloud,
    options: &DriftOptions,
    targets: Vec<Target<'_>>,
) -> Found {
    let mut visit = Visit {
        cloud,
        options,
        roles: None,
        found: Found::default(),
    };
    let mut targets = targets.into_iter();
    while let Some(target) = targets.next() {
        let stack = match (target.known, target.stack) {
            (Some(known), _) => Ok(Some(known.clone())),
            (None, None) => Ok(None),
            (None, Some(id)) => cloud.describe_stack(&target.location, id).await,
        };
        match stack {
            Ok(Some(stack)) => visit.check(&target, &stack).await,
            Ok(None) => visit.found.differences.push(gone(options, &target)),
            Err(CloudError::AccessDenied { action, message }) if action == "sts:AssumeRole" => {
                // Every other call in this account would fail for the same reason.
                visit.found.unchecked.push(Unchecked {
                    check: first(options),
                    part: None,
                    what: format!(
                        "{} stacks of account {}",
                        targets.len() + 1,
                        target.location.account
                    ),
                    location: None,
                    reason: format!("access denied for `{action}`: {message}"),
                });
                break;
            }
            Err(error) => visit.skip(first(options), &target, error.to_string()),
        }
    }
    visit.found
}

/// The check that accounts are visited for; a failed visit is reported under it.
fn first(options: &DriftOptions) -> DriftCheck {
    if options.makes(DriftCheck::Stacks) {
        DriftCheck::Stacks
    } else {
        DriftCheck::Chain
    }
}

fn gone(options: &DriftOptions, target: &Target<'_>) -> Difference {
    let (code, what) = if options.makes(DriftCheck::Stacks) {
        (DriftCode::StackGone, "the stack")
    } else if target.template.links.contains(ROLE) {
        (DriftCode::RoleMissing, "the stack with the forwarder role")
    } else {
        (
            DriftCode::QueueMissing,
            "the stack with the dead-letter queue",
        )
    };
    let message = format!("{what} was deleted directly; its stack set still reports it as current");
    target
        .difference(code, message, remove_and_deploy())
        .values(target.stack.unwrap_or("a stack"), "no stack")
}

impl Target<'_> {
    fn difference(&self, code: DriftCode, message: String, fix: impl Into<Remedy>) -> Difference {
        Difference::new(code, message, fix)
            .part(self.set)
            .at(&self.location)
    }
}

/// Checks within one account.
struct Visit<'a, C> {
    cloud: &'a C,
    options: &'a DriftOptions,
    /// Names of the account's roles, read when the first one is needed.
    roles: Option<BTreeSet<String>>,
    found: Found,
}

impl<C: Cloud> Visit<'_, C> {
    fn skip(&mut self, check: DriftCheck, target: &Target<'_>, reason: String) {
        self.found.unchecked.push(Unchecked {
            check,
            part: Some(target.set.to_owned()),
            what: "stack".to_owned(),
            location: Some(target.location.clone()),
            reason,
        });
    }

    async fn check(&mut self, target: &Target<'_>, stack: &Stack) {
        if self.options.makes(DriftCheck::Stacks) && target.known.is_none() {
            self.compare(target, stack).await;
        }
        if self.options.makes(DriftCheck::Chain) {
            self.links(target, stack).await;
        }
    }

    /// Check 4: compares the stack's template and parameters with its stack set's.
    async fn compare(&mut self, target: &Target<'_>, stack: &Stack) {
        if stack.is_in_progress() {
            let reason = format!("it is being changed right now ({})", stack.status);
            self.skip(DriftCheck::Stacks, target, reason);
            return;
        }
        self.found
            .differences
            .extend(parameter_difference(target, stack));
        let template = self.cloud.stack_template(&target.location, &stack.id);
        match template.await {
            Ok(template) if same_template(target.template.text, &template) => {}
            Ok(template) => {
                let changes = template_changes(target.template.text, &template);
                let message = format!(
                    "the stack was updated directly and has a different template: {changes}"
                );
                self.found.differences.push(
                    target
                        .difference(DriftCode::StackTemplate, message, RESTORE)
                        .values("the stack set's template", changes),
                );
            }
            Err(error) => self.skip(DriftCheck::Stacks, target, error.to_string()),
        }
    }

    /// Check 5 in a spoke: the dead-letter queue is empty and the forwarder role exists.
    async fn links(&mut self, target: &Target<'_>, stack: &Stack) {
        let links = &target.template.links;
        if links.contains(QUEUE)
            && let Some(url) = stack.outputs.get(QUEUE)
        {
            self.queue(target, url).await;
        }
        if links.contains(ROLE)
            && let Some(role) = stack.outputs.get(ROLE)
        {
            self.role(target, role).await;
        }
        if links.iter().any(|name| !stack.outputs.contains_key(*name)) {
            // A stack without these outputs has the wrong template, so the links can't be checked.
            let message = "the stack's outputs lack its dead-letter queue or forwarder role";
            self.found.differences.push(target.difference(
                DriftCode::QueueMissing,
                message.to_owned(),
                Remedy::DEPLOY,
            ));
        }
    }

    async fn queue(&mut self, target: &Target<'_>, url: &str) {
        let name = url.rsplit('/').next().unwrap_or(url);
        match self.cloud.queue_depth(&target.location, url).await {
            Ok(Some(0)) => {}
            Ok(Some(depth)) => self.found.differences.push(
                target
                    .difference(
                        DriftCode::DeadLetters,
                        format!("dead letters {name}: {depth} events could not be delivered"),
                        READ_DEAD_LETTERS,
                    )
                    .values("0 messages", format!("{depth} messages")),
            ),
            Ok(None) => self.found.differences.push(
                target
                    .difference(
                        DriftCode::QueueMissing,
                        format!("dead letters {name}: the queue does not exist"),
                        remove_and_deploy(),
                    )
                    .values(url, "no queue"),
            ),
            Err(error) => self.skip(DriftCheck::Chain, target, error.to_string()),
        }
    }

    async fn role(&mut self, target: &Target<'_>, role: &str) {
        if self.roles.is_none() {
            match self.cloud.role_names(&target.location, ROLE_PATH).await {
                Ok(names) => self.roles = Some(names.into_iter().collect()),
                Err(error) => return self.skip(DriftCheck::Chain, target, error.to_string()),
            }
        }
        if self.roles.as_ref().is_some_and(|it| !it.contains(role)) {
            let message = format!(
                "forwarder role {role} does not exist: no event of this account and Region \
                 reaches the hub"
            );
            self.found.differences.push(
                target
                    .difference(DriftCode::RoleMissing, message, remove_and_deploy())
                    .values(format!("{ROLE_PATH}{role}"), "no role"),
            );
        }
    }
}

fn parameter_difference(target: &Target<'_>, stack: &Stack) -> Option<Difference> {
    let expected = &target.template.parameters;
    let names: BTreeSet<&String> = expected.keys().chain(stack.parameters.keys()).collect();
    let differing: Vec<String> = names
        .into_iter()
        .filter(|name| expected.get(*name) != stack.parameters.get(*name))
        .cloned()
        .collect();
    if differing.is_empty() {
        return None;
    }
    let message = format!(
        "the stack was updated directly: parameters {} differ from its stack set's",
        differing.join(", ")
    );
    let values =
        |of: &BTreeMap<String, String>| named(&differing, of).collect::<Vec<_>>().join("; ");
    Some(
        target
            .difference(DriftCode::StackParameters, message, RESTORE)
            .values(values(expected), values(&stack.parameters)),
    )
}
