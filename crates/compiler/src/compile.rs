//! Compiles rules and organization into a bundle.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use minijinja::{Value, context};
use rules::Rule;
use syntax::{Diagnostic, nearest};

use crate::canary::CanaryKind;
use crate::emit::{self, Rendered, Shard};
use crate::forward::{self, Forwarder};
use crate::organization::{ARTIFACT_PREFIX, Organization, Publish, Topic, Topology, Trail};
use crate::placement;
use crate::view::{self, Names};
use crate::{
    AccountFilter, Bundle, Item, Members, Needs, Part, Placement, StackSet, Targets, Templates,
    as_deployed, deployed, findings, limits, unwatched,
};

/// Log files with a much longer retention move to archive storage after this many days: archive
/// storage bills at least 90 days. <https://aws.amazon.com/s3/storage-classes/glacier/>
const ARCHIVE_AFTER_DAYS: u32 = 90;

/// Compiles rules for an organization. There is a bundle unless a diagnostic is an error.
///
/// Deprecated and disabled rules are left out. The order of `library` doesn't matter.
///
/// Codes: `compile::no-rules`, `compile::no-effect`, `compile::unknown-topic`, `compile::no-topic`,
/// `compile::unprotected`, `compile::unwatched-region`, `compile::findings`,
/// `compile::deployers`; `limit::…` for quotas and for text that CloudFormation would expand;
/// `forward::…` for patterns that can't be forwarded unchanged; `template::…` for errors in the
/// template sources.
pub fn compile(
    library: &[Rule],
    organization: &Organization,
    templates: &Templates,
) -> (Option<Bundle>, Vec<Diagnostic>) {
    compile_onto(library, organization, templates, &Placement::default())
}

/// Compiles like [`compile`], and keeps rules in the stack sets that carry them now.
///
/// If the rules need several stack sets, their distribution depends on what is deployed: a rule that
/// moved for no reason would be missing, or alert twice, while both stack sets are updated.
pub fn compile_onto(
    library: &[Rule],
    organization: &Organization,
    templates: &Templates,
    placement: &Placement,
) -> (Option<Bundle>, Vec<Diagnostic>) {
    let deployed: Vec<Cow<'_, Rule>> = library
        .iter()
        .filter(|rule| rule.is_deployed())
        .map(|rule| as_deployed(rule, organization))
        .collect();
    let mut rules: Vec<&Rule> = deployed.iter().map(AsRef::as_ref).collect();
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    let mut compiler = Compiler {
        organization,
        templates,
        placement,
        names: Names::new(&rules, organization, placement),
        diagnostics: Vec::new(),
        stack_sets: Vec::new(),
    };
    let routed = compiler.check(&rules);
    compiler.artifacts();
    compiler.trail();
    match organization.topology {
        Topology::Hub => compiler.hub(&routed),
        Topology::Local => compiler.local(&routed),
    }
    compiler.drift_schedule();
    unwatched::check(&rules, organization, &mut compiler.diagnostics);
    findings::check(&rules, organization, &mut compiler.diagnostics);
    deployed::check(library, organization, &mut compiler.diagnostics);
    let Compiler {
        diagnostics,
        stack_sets,
        ..
    } = compiler;
    if diagnostics.iter().any(Diagnostic::is_error) {
        return (None, diagnostics);
    }
    (
        Some(Bundle {
            organization: organization.clone(),
            stack_sets,
            needs: rules
                .iter()
                .filter_map(|rule| Some((rule.id.clone(), Needs::of(rule)?)))
                .collect(),
        }),
        diagnostics,
    )
}

/// A rule and the topics that receive its alerts; empty if it only responds.
pub(crate) struct Routed<'c> {
    pub(crate) rule: &'c Rule,
    pub(crate) topics: Vec<&'c Topic>,
}

/// A resource of the spoke template.
enum SpokeItem<'s, 'c> {
    /// The forwarders of one group of sources, which stay together.
    Forwarders(&'s [Forwarder]),
    Response(&'s Routed<'c>),
}

struct Compiler<'c> {
    organization: &'c Organization,
    templates: &'c Templates,
    placement: &'c Placement,
    names: Names,
    diagnostics: Vec<Diagnostic>,
    stack_sets: Vec<StackSet>,
}

impl<'c> Compiler<'c> {
    /// Routes rules and keeps those that pass all per-rule checks.
    fn check(&mut self, rules: &[&'c Rule]) -> Vec<Routed<'c>> {
        if rules.is_empty() {
            self.diagnostics.push(
                Diagnostic::error("compile::no-rules", "there is no rule to deploy")
                    .help(format!("{} removes everything", remedy::Command::Destroy)),
            );
        }
        let mut routed = Vec::new();
        for rule in rules {
            let before = self.diagnostics.len();
            let topics = self.route(rule);
            limits::rule(rule, &rule.id, topics.len(), &mut self.diagnostics);
            let fresh = self.diagnostics.get(before..).unwrap_or_default();
            if !fresh.iter().any(Diagnostic::is_error) {
                routed.push(Routed { rule, topics });
            }
        }
        routed
    }

    fn route(&mut self, rule: &Rule) -> Vec<&'c Topic> {
        let all = &self.organization.topics;
        if rule.message.is_none() {
            if rule.respond.is_none() {
                let message = format!("rule `{}` neither notifies nor responds", rule.id);
                self.diagnostics.push(
                    Diagnostic::error("compile::no-effect", message).at(rule.location.clone()),
                );
            }
            return Vec::new();
        }
        for name in &rule.notify {
            if all.iter().any(|topic| topic.name == *name) {
                continue;
            }
            let names: Vec<&str> = all.iter().map(|topic| topic.name.as_str()).collect();
            let help = match nearest(name, &names) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("topics: {}", names.join(", ")),
            };
            self.diagnostics.push(
                Diagnostic::error(
                    "compile::unknown-topic",
                    format!(
                        "rule `{}` notifies `{name}`, which is not a topic in the organization file",
                        rule.id
                    ),
                )
                .at(rule.location.clone())
                .help(help),
            );
        }
        let wanted = |topic: &&Topic| {
            if rule.notify.is_empty() {
                topic.severities.contains(&rule.severity)
            } else {
                rule.notify.contains(&topic.name)
            }
        };
        let topics: Vec<&Topic> = all.iter().filter(wanted).collect();
        if topics.is_empty() && rule.notify.is_empty() {
            self.diagnostics.push(
                Diagnostic::error(
                    "compile::no-topic",
                    format!(
                        "no topic receives the alerts of rule `{}`, severity {}",
                        rule.id, rule.severity
                    ),
                )
                .at(rule.location.clone()),
            );
        }
        topics
    }

    /// The bucket for templates that are too large for a request.
    fn artifacts(&mut self) {
        let organization = self.organization;
        let Some(artifacts) = &organization.artifacts else {
            return;
        };
        let parameters = [
            ("BucketName", artifacts.bucket.clone()),
            ("OrganizationId", organization.id.clone()),
        ];
        let administrators = &artifacts.administrators;
        let targets = self.one_account(&organization.accounts.management);
        self.part(
            Part::Artifacts,
            "Bucket for templates that are too large for a request",
            context! { administrators, prefix => ARTIFACT_PREFIX },
            &parameters,
            targets,
        );
    }

    /// Size limit of a template for these targets, in bytes. CloudFormation reads templates only
    /// from a bucket in the Region of the call, and stacks are created in their own Region.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-using-console-create-stack-template.html>
    fn largest(&self, targets: &Targets) -> usize {
        let organization = self.organization;
        let home = &organization.home_region;
        let reachable = targets.management_regions.iter().all(|it| it == home);
        if organization.artifacts.is_some() && reachable {
            limits::TEMPLATE_IN_BUCKET
        } else {
            limits::TEMPLATE
        }
    }

    /// The log bucket and the organization trail, unless there is one already.
    fn trail(&mut self) {
        let organization = self.organization;
        let Trail::Own(trail) = &organization.trail else {
            return;
        };
        let bucket = organization.log_bucket().unwrap_or_default();
        let days = trail.retention_days;
        let archive = (days > 2 * ARCHIVE_AFTER_DAYS).then_some(ARCHIVE_AFTER_DAYS);
        let parameters = [
            ("OrganizationId", organization.id.clone()),
            (
                "ManagementAccountId",
                organization.accounts.management.clone(),
            ),
            ("TrailArn", organization.trail_arn()),
            ("BucketName", bucket.clone()),
            ("KeyAlias", crate::organization::TRAIL_KEY_ALIAS.to_owned()),
            ("RetentionDays", days.to_string()),
        ];
        let targets = self.one_account(&organization.accounts.log_archive);
        self.part(
            Part::Bucket,
            "Bucket and key of the organization trail's log files",
            context! { archive_after_days => archive },
            &parameters,
            targets,
        );
        let parameters = [
            ("TrailName", trail.name.clone()),
            ("BucketName", bucket),
            ("KeyAliasArn", organization.trail_key_alias_arn()),
        ];
        let targets = self.one_account(&organization.accounts.management);
        self.part(
            Part::Trail,
            "The organization trail",
            context! {},
            &parameters,
            targets,
        );
    }

    /// Scheduled drift detection in every stack set.
    fn drift_schedule(&mut self) {
        let Some(expression) = &self.organization.drift_schedule else {
            return;
        };
        let stack_sets: Vec<Value> = self
            .stack_sets
            .iter()
            .filter(|set| set.targets.members.is_some())
            .map(|set| view::scheduled(&set.name))
            .collect();
        let targets = self.one_account(&self.organization.accounts.management);
        self.part(
            Part::DriftSchedule,
            "Regular drift detection in every stack set",
            context! { expression, stack_sets },
            &[],
            targets,
        );
    }

    fn hub(&mut self, routed: &[Routed<'c>]) {
        let organization = self.organization;
        let hub = &organization.accounts.hub;
        let parameters = [
            ("OrganizationId", organization.id.clone()),
            ("BusName", crate::organization::BUS.to_owned()),
        ];
        let all: Vec<&Rule> = routed.iter().map(|routed| routed.rule).collect();
        let context = view::topics(organization, &self.names, &all);
        let targets = self.one_account(hub);
        self.part(
            Part::Topic,
            "Event bus, topics and dead letters of the hub",
            context,
            &parameters,
            targets,
        );

        let detections: Vec<&Routed<'_>> = routed
            .iter()
            .filter(|routed| !routed.topics.is_empty())
            .collect();
        let rules: Vec<&Rule> = detections.iter().map(|routed| routed.rule).collect();
        limits::bus(
            "the hub's bus",
            std::slice::from_ref(&organization.home_region),
            CanaryKind::ALL.len(),
            &rules,
            &mut self.diagnostics,
        );
        self.detections(&detections);

        let forwarded: Vec<Cow<'_, Rule>> = rules
            .iter()
            .map(|rule| deployed::forwarded(rule, organization))
            .collect();
        let forwarded: Vec<&Rule> = forwarded.iter().map(AsRef::as_ref).collect();
        let mut forwarders = forward::forwarders(
            &forwarded,
            organization.forward,
            self.placement,
            &self.templates.unions,
            &mut self.diagnostics,
        );
        forwarders.extend(
            CanaryKind::ALL
                .into_iter()
                .filter_map(CanaryKind::forwarder),
        );
        self.spokes(&forwarders, routed);
    }

    fn detections(&mut self, detections: &[&Routed<'c>]) {
        let targets = self.one_account(&self.organization.accounts.hub);
        let most = self.largest(&targets);
        let shards = emit::shards(
            detections,
            |routed| self.home(Part::RulesHub, routed),
            |number, items| {
                let items: Vec<&Routed<'_>> = items.iter().map(|routed| **routed).collect();
                let context = view::hub_rules(&items, self.organization, &self.names, number);
                emit::attempt(self.templates, Part::RulesHub, context, most)
            },
            |routed| too_large(routed.rule, most),
        );
        let Some(shards) = self.accept(shards) else {
            return;
        };
        for Shard {
            number,
            items,
            rendered,
        } in shards
        {
            let organization = self.organization;
            let mut parameters = vec![
                ("BusName".to_owned(), crate::organization::BUS.to_owned()),
                ("DeadLettersArn".to_owned(), organization.dead_letters_arn()),
            ];
            if organization.publish == Publish::Role {
                parameters.push((
                    "PublisherRoleArn".to_owned(),
                    organization.publisher_role_arn(),
                ));
            }
            let topics: BTreeMap<&str, &Topic> = items
                .iter()
                .flat_map(|routed| &routed.topics)
                .map(|topic| (topic.name.as_str(), *topic))
                .collect();
            for topic in topics.values() {
                parameters.push((
                    self.names.topic_parameter(topic),
                    organization.hub_topic_arn(topic),
                ));
            }
            let carried = items
                .iter()
                .map(|routed| (self.names.rule(routed.rule), vec![routed.rule.id.clone()]));
            let set = StackSet {
                rules: carried.collect(),
                ..self.stack_set(
                    Part::RulesHub,
                    placement::name(Part::RulesHub, number),
                    &part_of("Detections on the hub's event bus", number),
                    rendered,
                    parameters,
                    targets.clone(),
                )
            };
            self.stack_sets.push(set);
        }
    }

    /// Checks the quotas of the spokes' default buses.
    fn check_spokes(&mut self, forwarders: &[Forwarder], routed: &[Routed<'c>]) {
        let regions = &self.organization.regions;
        let responders: Vec<&Rule> = routed
            .iter()
            .filter(|routed| routed.rule.respond.is_some())
            .map(|routed| routed.rule)
            .collect();
        limits::bus(
            "the default bus of a spoke",
            regions,
            0,
            &responders,
            &mut self.diagnostics,
        );
        let wildcards = forwarders
            .iter()
            .filter(|forwarder| limits::has_wildcard(forwarder.pattern.text()));
        limits::forwarders(
            forwarders.len() + responders.len(),
            wildcards.count(),
            regions,
            &mut self.diagnostics,
        );
    }

    fn spokes(&mut self, forwarders: &[Forwarder], routed: &[Routed<'c>]) {
        let responses = routed.iter().filter(|routed| routed.rule.respond.is_some());
        let items: Vec<SpokeItem<'_, '_>> = forwarders
            .chunk_by(|one, other| one.group == other.group)
            .map(SpokeItem::Forwarders)
            .chain(responses.map(SpokeItem::Response))
            .collect();
        self.check_spokes(forwarders, routed);

        let split = |items: &[&SpokeItem<'_, '_>]| {
            let mut forwarders = Vec::new();
            let mut responses = Vec::new();
            for item in items {
                match item {
                    SpokeItem::Forwarders(some) => forwarders.extend(some.iter()),
                    SpokeItem::Response(routed) => {
                        responses.extend(view::response(routed.rule, &self.names));
                    }
                }
            }
            context! { forwarders => view::forwarders(&forwarders), responses }
        };
        let most = self.largest(&self.everywhere());
        let shards = emit::shards(
            &items,
            |item| match item {
                SpokeItem::Forwarders(some) => {
                    let group = some.first().map(|it| it.group.clone());
                    let item = Item::Forwarder(group.unwrap_or_default());
                    self.placement.of(Part::RulesSpoke, &item)
                }
                SpokeItem::Response(routed) => self.home(Part::RulesSpoke, routed),
            },
            |_, items| emit::attempt(self.templates, Part::RulesSpoke, split(items), most),
            |item| match item {
                SpokeItem::Response(routed) => too_large(routed.rule, most),
                SpokeItem::Forwarders(_) => {
                    Diagnostic::error("limit::template", "a forwarder doesn't fit a template")
                }
            },
        );
        let Some(shards) = self.accept(shards) else {
            return;
        };
        for Shard {
            number,
            items,
            rendered,
        } in shards
        {
            let mut rules = BTreeMap::new();
            let mut parameters = Vec::new();
            for item in items {
                match item {
                    SpokeItem::Forwarders(some) => {
                        parameters =
                            vec![("HubBusArn".to_owned(), self.organization.hub_bus_arn())];
                        for it in *some {
                            rules.insert(it.logical_id.clone(), it.rules.clone());
                        }
                    }
                    SpokeItem::Response(routed) => {
                        let ids = self.names.response(routed.rule);
                        rules.extend(ids.map(|id| (id, vec![routed.rule.id.clone()])));
                    }
                }
            }
            let set = StackSet {
                rules,
                auto_deployment: self.follows_accounts(),
                ..self.stack_set(
                    Part::RulesSpoke,
                    placement::name(Part::RulesSpoke, number),
                    &part_of(
                        "Forwarders and responses of every account and Region",
                        number,
                    ),
                    rendered,
                    parameters,
                    self.everywhere(),
                )
            };
            self.stack_sets.push(set);
        }
    }

    fn local(&mut self, routed: &[Routed<'c>]) {
        let organization = self.organization;
        let context = view::topics(organization, &self.names, &[]);
        let targets = self.everywhere();
        self.part(
            Part::TopicLocal,
            "Topics of every account and Region",
            context,
            &[],
            targets,
        );
        let follows_accounts = self.follows_accounts();
        if let Some(set) = self
            .stack_sets
            .last_mut()
            .filter(|set| set.part == Part::TopicLocal)
        {
            set.auto_deployment = follows_accounts;
        }

        let rules: Vec<&Rule> = routed.iter().map(|routed| routed.rule).collect();
        limits::bus(
            "the default bus of a watched account",
            &organization.regions,
            0,
            &rules,
            &mut self.diagnostics,
        );
        let most = self.largest(&self.everywhere());
        let shards = emit::shards(
            routed,
            |routed| self.home(Part::RulesLocal, routed),
            |_, items| {
                let context = view::local_rules(items, organization, &self.names);
                emit::attempt(self.templates, Part::RulesLocal, context, most)
            },
            |routed| too_large(routed.rule, most),
        );
        let Some(shards) = self.accept(shards) else {
            return;
        };
        for Shard {
            number,
            items,
            rendered,
        } in shards
        {
            let mut rules = BTreeMap::new();
            for routed in items {
                let id = vec![routed.rule.id.clone()];
                if !routed.topics.is_empty() {
                    rules.insert(self.names.rule(routed.rule), id.clone());
                }
                if routed.rule.respond.is_some() {
                    let ids = self.names.response(routed.rule);
                    rules.extend(ids.map(|logical| (logical, id.clone())));
                }
            }
            let set = StackSet {
                rules,
                auto_deployment: self.follows_accounts(),
                ..self.stack_set(
                    Part::RulesLocal,
                    placement::name(Part::RulesLocal, number),
                    &part_of(
                        "Detections and responses of every account and Region",
                        number,
                    ),
                    rendered,
                    Vec::new(),
                    self.everywhere(),
                )
            };
            self.stack_sets.push(set);
        }
    }

    /// A part that is never split into several stack sets.
    fn part(
        &mut self,
        part: Part,
        description: &str,
        context: Value,
        parameters: &[(&str, String)],
        targets: Targets,
    ) {
        let most = self.largest(&targets);
        let rendered = emit::render(self.templates, part, context, most);
        match self.accept(rendered) {
            Some(Some(rendered)) => {
                let parameters = parameters
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect();
                let name = format!("gizmos-{}", part.name());
                let set = self.stack_set(part, name, description, rendered, parameters, targets);
                self.stack_sets.push(set);
            }
            Some(None) => self.diagnostics.push(
                Diagnostic::error(
                    "limit::template",
                    format!(
                        "the template of `{}` is larger than {} bytes",
                        part.name(),
                        most
                    ),
                )
                .help("the organization file has too many topics or subscriptions"),
            ),
            None => {}
        }
    }

    fn stack_set(
        &self,
        part: Part,
        name: String,
        description: &str,
        rendered: Rendered,
        parameters: Vec<(String, String)>,
        targets: Targets,
    ) -> StackSet {
        let mut earlier: BTreeSet<Part> = needs(part).iter().copied().collect();
        if rendered.text.len() > limits::TEMPLATE {
            earlier.insert(Part::Artifacts);
        }
        let depends_on = self
            .stack_sets
            .iter()
            .filter(|set| earlier.contains(&set.part));
        StackSet {
            name,
            part,
            description: format!("Gizmos: {description}"),
            capabilities: capabilities(&rendered.template),
            template: rendered.text,
            parameters: parameters.into_iter().collect(),
            tags: crate::stack_set_tags(self.organization, part),
            targets,
            depends_on: depends_on.map(|set| set.name.clone()).collect(),
            auto_deployment: false,
            rules: BTreeMap::new(),
        }
    }

    /// Numbers of the stack sets that carry a rule now.
    fn home(&self, part: Part, routed: &Routed<'_>) -> BTreeSet<usize> {
        self.placement.of(part, &Item::Rule(routed.rule.id.clone()))
    }

    fn accept<T>(&mut self, result: Result<T, Vec<Diagnostic>>) -> Option<T> {
        result
            .map_err(|diagnostics| self.diagnostics.extend(diagnostics))
            .ok()
    }

    /// One account in the home Region. Targeting a member through the root works whichever unit it
    /// is in.
    fn one_account(&self, account: &str) -> Targets {
        let home = self.organization.home_region.clone();
        if account == self.organization.accounts.management {
            return Targets {
                members: None,
                management_regions: vec![home],
            };
        }
        let members = Members {
            organizational_units: vec![self.organization.root.clone()],
            accounts: AccountFilter::Only(vec![account.to_owned()]),
            regions: vec![home],
        };
        Targets {
            members: Some(members),
            management_regions: Vec::new(),
        }
    }

    /// Whether automatic deployment may follow accounts that join or move. It ignores account
    /// filters, so that an excluded account would get its stacks, too.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-manage-auto-deployment.html>
    fn follows_accounts(&self) -> bool {
        self.organization.targets.exclude_accounts.is_empty()
    }

    /// Every watched account and Region.
    fn everywhere(&self) -> Targets {
        let scope = &self.organization.targets;
        let accounts = if scope.exclude_accounts.is_empty() {
            AccountFilter::All
        } else {
            AccountFilter::Except(scope.exclude_accounts.clone())
        };
        let regions = self.organization.regions.clone();
        let members = Members {
            organizational_units: scope.organizational_units.clone(),
            accounts,
            regions: regions.clone(),
        };
        Targets {
            members: Some(members),
            management_regions: regions,
        }
    }
}

/// The parts that must be deployed before a part.
fn needs(part: Part) -> &'static [Part] {
    match part {
        Part::Bucket | Part::Topic | Part::TopicLocal | Part::Artifacts => &[],
        Part::Trail => &[Part::Bucket],
        Part::RulesHub => &[Part::Topic],
        Part::RulesLocal => &[Part::TopicLocal],
        // The receiver must exist before anything is forwarded.
        Part::RulesSpoke => &[Part::Topic, Part::RulesHub],
        // The schedule needs stack sets to check.
        Part::DriftSchedule => &[
            Part::Bucket,
            Part::Topic,
            Part::RulesHub,
            Part::RulesSpoke,
            Part::TopicLocal,
            Part::RulesLocal,
        ],
    }
}

/// The capabilities that the template requires.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackSet.html>
fn capabilities(template: &serde_json::Value) -> Vec<String> {
    let resources = template
        .get("Resources")
        .and_then(serde_json::Value::as_object);
    let roles: Vec<_> = resources
        .into_iter()
        .flat_map(serde_json::Map::values)
        .filter(|resource| {
            resource
                .get("Type")
                .is_some_and(|kind| kind == "AWS::IAM::Role")
        })
        .collect();
    if roles
        .iter()
        .any(|role| role.pointer("/Properties/RoleName").is_some())
    {
        vec!["CAPABILITY_NAMED_IAM".to_owned()]
    } else if roles.is_empty() {
        Vec::new()
    } else {
        vec!["CAPABILITY_IAM".to_owned()]
    }
}

fn too_large(rule: &Rule, most: usize) -> Diagnostic {
    Diagnostic::error(
        "limit::template",
        format!("rule `{}` doesn't fit a template of {most} bytes", rule.id),
    )
    .at(rule.location.clone())
}

/// The description names no number of stack sets: it would change all of them when one is added.
fn part_of(description: &str, number: usize) -> String {
    if number == 1 {
        description.to_owned()
    } else {
        format!("{description}, {number}")
    }
}
