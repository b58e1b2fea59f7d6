//! Checks that need access to the member accounts: check 4 (stacks that were changed directly) and
//! the part of check 5 about rules, roles and dead letters.
//!
//! CloudFormation doesn't show a StackSets administrator the template or parameters that a stack
//! really has. Drift detection compares resources with the stack's own template, so a stack that
//! was updated directly still counts as current and in sync. Its last update time proves nothing,
//! because it may fall within an operation of the stack set. Therefore every stack is read.
//!
//! Drift detection compares only what a template sets, so it sees neither a policy that was added to
//! a role nor what its handlers don't return. Therefore rules and roles are read, too.
//!
//! The cost is one session of the access role and one list of roles with their policies per account;
//! and per stack a description, a template, a queue's attributes and a list of rules. Rates are
//! limited per account and Region, each of which gets only a handful of these calls, so many accounts
//! are visited concurrently.

use std::collections::{BTreeMap, BTreeSet};

use compiler::{Bundle, Part, StackSet};
use futures::{StreamExt, stream};
use remedy::Remedy;
use serde_json::Value;

use super::definition::named;
use super::expected::{ExpectedRule, known_resources};
use super::look::{Looked, Looks, PossibleRole, compare_roles};
use super::options::DriftOptions;
use super::report::{Difference, Found, Unchecked};
use super::settle::RuleKey;
use super::template::template_changes;
use crate::code::{DriftCheck, DriftCode};
use crate::fleet::resolve::{Context, named_resources};
use crate::fleet::template::{parse, same_template};
use crate::fleet::{Observed, ObservedStackSet};
use crate::health::read_dead_letters;
use crate::ports::{
    AccountState, Cloud, CloudError, EventRule, InstanceStatus, Location, RoleDetails, Stack,
};
use crate::restore::{InstanceAddress, StackAddress, administration};

/// Accounts visited concurrently.
const ACCOUNTS_AT_ONCE: usize = 32;

/// Output of spoke templates: URL of the dead-letter queue.
const QUEUE: &str = "DeadLettersUrl";
/// Output of spoke templates: name of the role that forwards events to the hub.
const ROLE: &str = "ForwarderRoleName";
/// Path of all forwarder roles. The hub's bus policy admits only roles with this path.
const ROLE_PATH: &str = "/gizmos/";
/// Beginning of the paths of all roles in the templates.
const PATHS: &str = "/gizmos";
/// So much of a stack's name is left in the generated names of its rules, at least.
const NAME_KEPT: usize = 16;

/// One stack to read.
struct Target<'a> {
    set: &'a str,
    location: Location,
    /// The stack's id; `None` if the instance has no stack.
    stack: Option<&'a str>,
    /// The organizational unit that the instance was deployed through.
    unit: &'a str,
    /// The stack's description, if it was read before, as in the management account.
    known: Option<&'a Stack>,
    template: &'a Template<'a>,
}

/// The expected state of a stack set's stacks.
struct Template<'a> {
    text: &'a str,
    /// Outputs that name a link of the alert chain.
    links: BTreeSet<&'static str>,
    looks: Looks,
    fleet: &'a FleetFacts<'a>,
}

/// What all templates of a fleet share.
struct FleetFacts<'a> {
    /// The organization's Regions.
    regions: &'a [String],
    /// See [`InstanceAddress::administration`].
    administration: String,
}

impl<'a> Template<'a> {
    fn new(
        part: Part,
        text: &'a str,
        given: &BTreeMap<String, String>,
        fleet: &'a FleetFacts<'a>,
    ) -> Self {
        let everywhere = matches!(part, Part::RulesSpoke | Part::RulesLocal);
        let sections = parse(text).unwrap_or_default();
        let outputs = sections.get("Outputs").and_then(Value::as_object);
        let links = [QUEUE, ROLE]
            .into_iter()
            .filter(|name| everywhere && outputs.is_some_and(|it| it.contains_key(*name)))
            .collect();
        Template {
            text,
            links,
            looks: Looks::new(text, given),
            fleet,
        }
    }
}

/// Visits every account that has stacks of the bundle.
pub(super) async fn visit(
    cloud: &impl Cloud,
    bundle: &Bundle,
    observed: &Observed,
    options: &DriftOptions,
    known: &BTreeMap<RuleKey, Vec<Value>>,
) -> Found {
    let fleet = FleetFacts {
        regions: &bundle.organization.regions,
        administration: administration(&bundle.organization, &observed.caller.account),
    };
    let deployed: Vec<(&ObservedStackSet, Template<'_>)> = bundle
        .stack_sets
        .iter()
        .filter_map(|set| {
            let found = observed.stack_sets.get(&set.name)?;
            let details = &found.details;
            let template = Template::new(set.part, &details.template, &details.parameters, &fleet);
            let ours = observed.is_owned(bundle, &set.name, &details.tags);
            ours.then_some((found, template))
        })
        .collect();
    let compiled: Vec<(&StackSet, Template<'_>)> = bundle
        .stack_sets
        .iter()
        .map(|set| {
            let template = Template::new(set.part, &set.template, &set.parameters, &fleet);
            (set, template)
        })
        .collect();
    let root = &bundle.organization.root;
    let instances = instance_targets(&deployed, observed, options, root);
    let stacks = stack_targets(bundle, &compiled, observed, options);
    let mut accounts: BTreeMap<String, Vec<Target<'_>>> = BTreeMap::new();
    for target in instances.into_iter().chain(stacks) {
        let account = target.location.account.clone();
        accounts.entry(account).or_default().push(target);
    }
    let visits = stream::iter(accounts.into_values())
        .map(|targets| visit_account(cloud, options, known, targets))
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
    root: &'a str,
) -> Vec<Target<'a>> {
    let membership = &observed.membership;
    let is_active = |id: &str| {
        let account = membership.account(id);
        account.is_some_and(|account| account.state == AccountState::Active)
    };
    let mut targets = Vec::new();
    for (found, template) in deployed {
        if !options.makes(DriftCheck::Stacks) && template.looks.is_empty() {
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
                    unit: instance.organizational_unit.as_deref().unwrap_or(root),
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
    bundle: &Bundle,
    compiled: &'a [(&'a StackSet, Template<'a>)],
    observed: &'a Observed,
    options: &DriftOptions,
) -> Vec<Target<'a>> {
    let mut targets = Vec::new();
    if !options.makes(DriftCheck::Chain) {
        return targets;
    }
    for (set, template) in compiled.iter().filter(|(_, it)| !it.looks.is_empty()) {
        for found in observed.owned_stacks(bundle) {
            if found.stack.name == set.name && options.covers(&found.location) {
                targets.push(Target {
                    set: &set.name,
                    location: found.location.clone(),
                    stack: Some(&found.stack.id),
                    unit: "",
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
    known: &BTreeMap<RuleKey, Vec<Value>>,
    targets: Vec<Target<'_>>,
) -> Found {
    let mut visit = Visit {
        cloud,
        options,
        known,
        roles: None,
        rules: BTreeMap::new(),
        found: Found::default(),
    };
    let mut read = Vec::new();
    let mut uncertain = BTreeSet::new();
    let mut left = targets.iter();
    while let Some(target) = left.next() {
        let stack = match (target.known, target.stack) {
            (Some(known), _) => Ok(Some(known.clone())),
            (None, None) => Ok(None),
            (None, Some(id)) => cloud.describe_stack(&target.location, id).await,
        };
        match stack {
            Ok(Some(stack)) => {
                if visit.check(target, &stack).await {
                    read.push((target, stack));
                } else {
                    uncertain.insert(target.set);
                }
            }
            Ok(None) => visit.found.differences.push(gone(options, target)),
            Err(CloudError::AccessDenied { action, message }) if action == "sts:AssumeRole" => {
                // Every other call in this account would fail for the same reason.
                visit.found.unchecked.push(Unchecked {
                    check: first(options),
                    part: None,
                    what: format!(
                        "{} stacks of account {}",
                        left.len() + 1,
                        target.location.account
                    ),
                    location: None,
                    reason: format!("access denied for `{action}`: {message}"),
                });
                break;
            }
            Err(error) => visit.skip(first(options), target, error.to_string()),
        }
    }
    visit.role_policies(&read, &uncertain).await;
    visit.unexpected_rules(&targets).await;
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
        .difference(code, message, target.instance().recreate())
        .values(target.stack.unwrap_or("a stack"), "no stack")
}

impl Target<'_> {
    fn difference(&self, code: DriftCode, message: String, fix: impl Into<Remedy>) -> Difference {
        Difference::new(code, message, fix)
            .part(self.set)
            .at(&self.location)
    }

    fn instance(&self) -> InstanceAddress<'_> {
        InstanceAddress {
            stack_set: self.set,
            location: &self.location,
            unit: self.unit,
            administration: &self.template.fleet.administration,
        }
    }

    fn address(&self) -> StackAddress<'_> {
        let parameters = self.template.looks.source.names();
        StackAddress::new(&self.location, self.stack.unwrap_or(self.set), parameters)
    }

    /// What the stack's outputs tell about its resources.
    fn resources(&self, stack: &Stack) -> BTreeMap<String, String> {
        let role = stack.outputs.get(ROLE).map(|role| (role, ROLE_PATH));
        let source = &self.template.looks.source;
        let mut known = named_resources(&source.resources, &self.location, &source.parameters);
        known.extend(known_resources(
            &self.location,
            stack.outputs.get(QUEUE),
            role,
        ));
        known
    }
}

/// Checks within one account.
struct Visit<'a, C> {
    cloud: &'a C,
    options: &'a DriftOptions,
    /// Targets that another check has read just now.
    known: &'a BTreeMap<RuleKey, Vec<Value>>,
    /// The account's roles, read when the first one is needed.
    roles: Option<Vec<RoleDetails>>,
    /// Rules by Region, bus and prefix of their names, read when the first one is needed.
    rules: BTreeMap<(String, String, String), Vec<EventRule>>,
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

    /// Returns whether the stack is as its stack set defines it, so that its resources can be
    /// compared.
    async fn check(&mut self, target: &Target<'_>, stack: &Stack) -> bool {
        let mut defined = !stack.is_in_progress();
        if self.options.makes(DriftCheck::Stacks) && target.known.is_none() {
            defined = self.compare(target, stack).await;
        }
        if self.options.makes(DriftCheck::Chain) {
            self.links(target, stack, defined).await;
            if defined {
                self.rules(target, stack).await;
            }
        }
        defined
    }

    /// Check 4: compares the stack's template and parameters with its stack set's. Returns whether
    /// they are equal.
    async fn compare(&mut self, target: &Target<'_>, stack: &Stack) -> bool {
        if stack.is_in_progress() {
            let reason = format!("it is being changed right now ({})", stack.status);
            self.skip(DriftCheck::Stacks, target, reason);
            return false;
        }
        let before = self.found.differences.len();
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
                        .difference(
                            DriftCode::StackTemplate,
                            message,
                            target.instance().update(),
                        )
                        .values("the stack set's template", changes),
                );
            }
            Err(error) => self.skip(DriftCheck::Stacks, target, error.to_string()),
        }
        self.found.differences.len() == before
    }

    /// Check 5 in a spoke: the dead-letter queue accepts dead letters and is empty, and the
    /// forwarder role exists.
    async fn links(&mut self, target: &Target<'_>, stack: &Stack, defined: bool) {
        let links = &target.template.links;
        if links.contains(QUEUE)
            && let Some(url) = stack.outputs.get(QUEUE)
        {
            self.queue(target, stack, url).await;
        }
        if links.contains(ROLE)
            && let Some(role) = stack.outputs.get(ROLE)
        {
            self.role(target, role).await;
        }
        if defined && links.iter().any(|name| !stack.outputs.contains_key(*name)) {
            let message = "the stack's outputs lack its dead-letter queue or forwarder role";
            self.found.differences.push(target.difference(
                DriftCode::QueueMissing,
                message.to_owned(),
                target.instance().update(),
            ));
        }
    }

    async fn queue(&mut self, target: &Target<'_>, stack: &Stack, url: &str) {
        let name = url.rsplit('/').next().unwrap_or(url);
        let queue = match self.cloud.queue(&target.location, url).await {
            Ok(Some(queue)) => queue,
            Ok(None) => {
                self.found.differences.push(
                    target
                        .difference(
                            DriftCode::QueueMissing,
                            format!("dead letters {name}: the queue does not exist"),
                            target.address().revert_drift(),
                        )
                        .values(url, "no queue"),
                );
                return;
            }
            Err(error) => return self.skip(DriftCheck::Chain, target, error.to_string()),
        };
        if queue.messages > 0 {
            let depth = queue.messages;
            self.found.differences.push(
                target
                    .difference(
                        DriftCode::DeadLetters,
                        format!("dead letters {name}: {depth} events could not be delivered"),
                        read_dead_letters(&target.location, url),
                    )
                    .values("0 messages", format!("{depth} messages")),
            );
        }
        let resources = target.resources(stack);
        let address = target.address();
        let looked = looked(target, &address, &resources);
        let expected = &target.template.looks.expected;
        let found = looked.compare_queue(expected, url, &queue);
        self.found.differences.extend(found);
    }

    /// The account's roles; `None` if they can't be read, which is reported.
    async fn roles(&mut self, target: &Target<'_>) -> Option<&[RoleDetails]> {
        if self.roles.is_none() {
            match self.cloud.roles(&target.location, PATHS).await {
                Ok(roles) => self.roles = Some(roles),
                Err(error) => {
                    self.skip(DriftCheck::Chain, target, error.to_string());
                    return None;
                }
            }
        }
        self.roles.as_deref()
    }

    async fn role(&mut self, target: &Target<'_>, role: &str) {
        let Some(roles) = self.roles(target).await else {
            return;
        };
        if roles
            .iter()
            .any(|it| it.path == ROLE_PATH && it.name == role)
        {
            return;
        }
        let message = format!(
            "forwarder role {role} does not exist: no event of this account and Region reaches \
             the hub"
        );
        self.found.differences.push(
            target
                .difference(
                    DriftCode::RoleMissing,
                    message,
                    target.address().revert_drift(),
                )
                .values(format!("{ROLE_PATH}{role}"), "no role"),
        );
    }

    /// Check 5: state and pattern of the stack's rules, and the targets of rules in the hub.
    async fn rules(&mut self, target: &Target<'_>, stack: &Stack) {
        let resources = target.resources(stack);
        let address = target.address();
        let looked = looked(target, &address, &resources);
        for rule in &target.template.looks.expected.rules {
            let bus = rule.bus(&looked.context);
            let prefix = match bus.as_str() {
                "default" => stack.name.chars().take(NAME_KEPT).collect(),
                _ => String::new(),
            };
            let key = (target.location.region.clone(), bus.clone(), prefix);
            if !self.rules.contains_key(&key) {
                let listed = self.cloud.event_rules(&target.location, &bus, &key.2);
                match listed.await {
                    Ok(listed) => {
                        self.rules.insert(key.clone(), listed.unwrap_or_default());
                    }
                    Err(error) => return self.skip(DriftCheck::Chain, target, error.to_string()),
                }
            }
            let listed = self.rules.get(&key).map_or(&[][..], Vec::as_slice);
            let Some(found) = looked.find(rule, listed).cloned() else {
                self.found.differences.push(looked.missing_rule(rule));
                continue;
            };
            if let Some(difference) = looked.compare_rule(rule, &found) {
                self.found.differences.push(difference);
            } else if bus != "default" || self.options.deep {
                self.targets(target, &looked, (rule, &bus), &found).await;
            }
        }
    }

    /// Check 5: rules that no template sets, on a bus that the fleet has to itself. The names that
    /// all stack sets give to their rules are known, whatever else became of a stack.
    async fn unexpected_rules(&mut self, targets: &[Target<'_>]) {
        let nothing = BTreeMap::new();
        for ((region, bus, _), listed) in std::mem::take(&mut self.rules) {
            if bus == "default" {
                continue;
            }
            let on_bus = targets.iter().filter(|it| it.location.region == region);
            let mut names = BTreeSet::new();
            let mut first = None;
            for target in on_bus {
                let address = target.address();
                let looked = looked(target, &address, &nothing);
                for rule in &target.template.looks.expected.rules {
                    if rule.bus(&looked.context) == bus {
                        names.extend(rule.fixed_name(&looked.context));
                        first.get_or_insert(target);
                    }
                }
            }
            let Some(target) = first else {
                continue;
            };
            let address = target.address();
            let looked = looked(target, &address, &nothing);
            for rule in listed.iter().filter(|rule| !names.contains(&rule.name)) {
                let targets = self.cloud.rule_targets(&target.location, &bus, &rule.name);
                match targets.await {
                    Ok(targets) => {
                        let targets = targets.unwrap_or_default();
                        let difference = looked.unexpected_rule(&bus, rule, &targets);
                        self.found.differences.push(difference);
                    }
                    Err(error) => self.skip(DriftCheck::Chain, target, error.to_string()),
                }
            }
        }
    }

    async fn targets(
        &mut self,
        target: &Target<'_>,
        looked: &Looked<'_>,
        (rule, bus): (&ExpectedRule, &str),
        found: &EventRule,
    ) {
        let key = (target.location.clone(), bus.to_owned(), found.name.clone());
        let targets = if let Some(known) = self.known.get(&key) {
            Ok(Some(known.clone()))
        } else {
            let targets = self.cloud.rule_targets(&target.location, bus, &found.name);
            targets.await
        };
        match targets {
            Ok(targets) => {
                let targets = targets.unwrap_or_default();
                let difference = looked.compare_targets(rule, found, &targets);
                self.found.differences.extend(difference);
            }
            Err(error) => self.skip(DriftCheck::Chain, target, error.to_string()),
        }
    }

    /// Check 5: the policies of all roles of the account's stacks. `uncertain` are stack sets with
    /// a stack that differs from its stack set.
    async fn role_policies(&mut self, read: &[(&Target<'_>, Stack)], uncertain: &BTreeSet<&str>) {
        let with_roles =
            |(target, _): &&(&Target<'_>, Stack)| !target.template.looks.expected.roles.is_empty();
        let read: Vec<&(&Target<'_>, Stack)> = read.iter().filter(with_roles).collect();
        let (true, Some((first, _))) = (self.options.makes(DriftCheck::Chain), read.first()) else {
            return;
        };
        let Some(roles) = self.roles(first).await.map(<[RoleDetails]>::to_vec) else {
            return;
        };
        let stacks: Vec<_> = read
            .iter()
            .map(|(target, stack)| (*target, target.address(), target.resources(stack)))
            .collect();
        // A role may belong to a Region that is not in scope.
        let nothing = BTreeMap::new();
        let elsewhere: Vec<(&Target<'_>, Location)> = read
            .iter()
            .flat_map(|(target, _)| {
                let regions = target.template.fleet.regions.iter();
                regions.map(|it| (*target, Location::new(&target.location.account, it)))
            })
            .collect();
        let here = stacks
            .iter()
            .map(|(target, address, resources)| (*target, looked(target, address, resources)));
        let there = elsewhere.iter().filter_map(|(target, location)| {
            let (_, address, _) = stacks.iter().find(|(it, _, _)| it.set == target.set)?;
            let mut looked = looked(target, address, &nothing);
            looked.context.location = location;
            Some((*target, looked))
        });
        let possible: Vec<PossibleRole<'_>> = here
            .chain(there)
            .flat_map(|(target, looked)| {
                let roles = target.template.looks.expected.roles.iter();
                let is_uncertain = uncertain.contains(target.set);
                roles.map(move |role| PossibleRole {
                    looked,
                    role,
                    is_uncertain,
                })
            })
            .collect();
        self.found
            .differences
            .extend(compare_roles(&roles, &possible));
    }
}

fn looked<'a>(
    target: &'a Target<'_>,
    address: &'a StackAddress<'a>,
    resources: &'a BTreeMap<String, String>,
) -> Looked<'a> {
    Looked {
        part: target.set,
        address,
        context: Context {
            location: &target.location,
            parameters: &target.template.looks.source.parameters,
            resources,
        },
    }
}

fn parameter_difference(target: &Target<'_>, stack: &Stack) -> Option<Difference> {
    let expected = &target.template.looks.source.parameters;
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
            .difference(
                DriftCode::StackParameters,
                message,
                target.instance().update(),
            )
            .values(values(expected), values(&stack.parameters)),
    )
}
