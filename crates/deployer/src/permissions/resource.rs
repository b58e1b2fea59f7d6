//! The resources of the calls, as ARNs.

use compiler::StackSet;
use compiler::canary::{self, PARAMETER_PREFIX};
use compiler::organization::{ARTIFACT_PREFIX, Topology, Trail};

use super::Setting;

/// Stands for the unique part of an ARN, which AWS chooses.
const UNIQUE: &str = "00000000-0000-4000-8000-000000000000";

/// The resources of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum On {
    /// The action has no resource type: only `*` allows it.
    Anything,
    /// Gizmos' stack sets. They belong to the management account, whoever administers them.
    StackSets,
    /// The organizational units and accounts to which an operation deploys.
    StackSetTargets,
    /// The resource types of the template that an operation deploys.
    ResourceTypes,
    /// Gizmos' stacks in the management account.
    Stacks,
    /// Their change sets.
    ChangeSets,
    /// The role of the caller.
    OwnRole,
    /// The access role in every account.
    AccessRoles,
    /// The access role in the management account, for a delegated administrator.
    ManagementAccessRole,
    /// The organization trail that Gizmos deploys.
    Trail,
    /// An organization trail that somebody else deployed.
    ExistingTrail,
    /// The role that CloudTrail creates for itself.
    TrailRole,
    /// EventBridge rules in the management account.
    Rules,
    /// SQS queues in the management account.
    Queues,
    /// Schedules of drift detection.
    Schedules,
    /// IAM roles in the management account.
    Roles,
    /// Those that EventBridge uses.
    RolesForEvents,
    /// The one that EventBridge Scheduler uses.
    RolesForScheduler,
    /// The artifact bucket.
    ArtifactBucket,
    /// The templates in the artifact bucket.
    ArtifactObjects,
    /// Topics in the management account, which only the local topology has.
    Topics,
    /// `CloudWatch` alarms in the management account.
    Alarms,
    /// Stacks of stack sets, in any account.
    InstanceStacks,
    /// The hub's event bus.
    HubBus,
    /// Gizmos' queues in any account: of the hub and of the spokes.
    MemberQueues,
    /// Gizmos' rules in any account: on the hub's bus and of the spokes.
    MemberRules,
    /// Gizmos' topics in any account.
    MemberTopics,
    /// The default buses of the management account, for canaries only.
    DefaultBuses,
    /// Those of the other accounts.
    MemberDefaultBuses,
    /// The parameters of the management account that a canary pretends to delete.
    CanaryParameters,
    /// Those of the other accounts.
    MemberCanaryParameters,
    /// The hub's topics.
    HubTopics,
    /// The alarm about the hub's dead letters.
    HubAlarms,
    /// The hub's keys: the id of the topics' key is CloudFormation's choice.
    HubKeys,
}

/// A condition of a statement: the key must equal the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `iam:PassedToService`
    pub key: &'static str,
    /// `events.amazonaws.com`
    pub value: &'static str,
}

impl On {
    /// The condition under which the resources are granted.
    pub fn condition(self) -> Option<Condition> {
        let (key, value) = match self {
            On::RolesForEvents => ("iam:PassedToService", "events.amazonaws.com"),
            On::RolesForScheduler => ("iam:PassedToService", "scheduler.amazonaws.com"),
            On::DefaultBuses | On::MemberDefaultBuses => ("events:source", canary::SOURCE),
            _ => return None,
        };
        Some(Condition { key, value })
    }

    /// ARNs for a policy, with wildcards; none if this organization has no such resource.
    pub fn patterns(self, setting: Setting<'_>) -> Vec<String> {
        let organization = &setting.bundle.organization;
        let home = &organization.home_region;
        let access = &organization.access_role;
        let hub = &organization.accounts.hub;
        let arn = |rest: &str| setting.arn(rest);
        let bucket = organization.artifacts.as_ref().map(|it| &it.bucket);
        let local = organization.topology == Topology::Local;
        let is_existing = matches!(organization.trail, Trail::Existing(_));
        match self {
            On::Anything => vec!["*".to_owned()],
            On::StackSets => vec![arn(&format!("cloudformation:{home}:M:stackset/gizmos-*:*"))],
            // The target's ARN begins with the stack set's name, as in the policy that AWS manages for
            // Systems Manager Quick Setup (`stackset-target/AWS-QuickSetup-*:*`).
            On::StackSetTargets => vec![arn("cloudformation:*:M:stackset-target/gizmos-*")],
            // With or without an account: AWS documents both.
            On::ResourceTypes => vec![arn("cloudformation:*:*:type/resource/AWS-*")],
            On::Stacks => vec![arn("cloudformation:*:M:stack/gizmos-*/*")],
            On::ChangeSets => vec![arn("cloudformation:*:M:changeSet/gizmos-*/*")],
            On::OwnRole => vec![arn(&format!("iam::{}:role/gizmos-*", setting.account))],
            On::AccessRoles => vec![arn(&format!("iam::*:role/{access}"))],
            On::ManagementAccessRole if setting.is_delegated() => {
                vec![arn(&format!("iam::M:role/{access}"))]
            }
            On::ManagementAccessRole => Vec::new(),
            On::Trail if is_existing => Vec::new(),
            On::Trail => vec![organization.trail_arn()],
            On::ExistingTrail if is_existing => vec![organization.trail_arn()],
            On::ExistingTrail => Vec::new(),
            On::TrailRole if is_existing => Vec::new(),
            On::TrailRole => {
                vec![arn(
                    "iam::M:role/aws-service-role/cloudtrail.amazonaws.com/*",
                )]
            }
            On::Rules => vec![arn("events:*:M:rule/gizmos-*")],
            On::Queues => vec![arn("sqs:*:M:gizmos-*")],
            On::Schedules => vec![arn(&format!(
                "scheduler:{home}:M:schedule/default/gizmos-*"
            ))],
            On::Roles | On::RolesForEvents | On::RolesForScheduler => {
                vec![arn("iam::M:role/gizmos/*"), arn("iam::M:role/gizmos-*/*")]
            }
            On::ArtifactBucket => bucket
                .map(|it| arn(&format!("s3:::{it}")))
                .into_iter()
                .collect(),
            On::ArtifactObjects => bucket
                .map(|it| arn(&format!("s3:::{it}/{ARTIFACT_PREFIX}*")))
                .into_iter()
                .collect(),
            On::Topics if local => vec![arn("sns:*:M:gizmos-*")],
            On::Topics => Vec::new(),
            On::Alarms => vec![arn("cloudwatch:*:M:alarm:gizmos-*")],
            On::InstanceStacks => vec![
                // The preflight asks for a stack that doesn't exist.
                arn("cloudformation:*:*:stack/gizmos-*/*"),
                arn("cloudformation:*:*:stack/StackSet-gizmos-*/*"),
            ],
            On::HubBus if local => Vec::new(),
            On::HubBus => vec![organization.hub_bus_arn()],
            On::MemberQueues => vec![arn("sqs:*:*:gizmos-*"), arn("sqs:*:*:StackSet-gizmos-*")],
            On::MemberRules => vec![
                arn("events:*:*:rule/gizmos*"),
                arn("events:*:*:rule/StackSet-gizmos-*"),
            ],
            On::MemberTopics => vec![arn("sns:*:*:gizmos-*")],
            // Without a hub there are no canaries.
            On::DefaultBuses
            | On::MemberDefaultBuses
            | On::CanaryParameters
            | On::MemberCanaryParameters
            | On::HubTopics
            | On::HubAlarms
            | On::HubKeys
                if local =>
            {
                Vec::new()
            }
            On::DefaultBuses => vec![arn("events:*:M:event-bus/default")],
            On::MemberDefaultBuses => vec![arn("events:*:*:event-bus/default")],
            On::CanaryParameters => vec![arn(&format!("ssm:*:M:parameter{PARAMETER_PREFIX}*"))],
            On::MemberCanaryParameters => {
                vec![arn(&format!("ssm:*:*:parameter{PARAMETER_PREFIX}*"))]
            }
            On::HubTopics => vec![arn(&format!("sns:{home}:{hub}:gizmos-*"))],
            On::HubAlarms => vec![arn(&format!("cloudwatch:{home}:{hub}:alarm:gizmos-*"))],
            On::HubKeys => vec![arn(&format!("kms:{home}:{hub}:key/*"))],
        }
    }

    /// ARNs that calls will name, to ask IAM about: each as a policy sees it. None if there is
    /// nothing to ask.
    pub fn examples(self, setting: Setting<'_>, caller: &str) -> Vec<String> {
        let bundle = setting.bundle;
        let organization = &bundle.organization;
        let home = &organization.home_region;
        let arn = |rest: &str| setting.arn(rest);
        let sets = || {
            bundle
                .stack_sets
                .iter()
                .filter(|set| set.targets.members.is_some())
        };
        let stacks = |rest: &dyn Fn(&StackSet, &str) -> String| -> Vec<String> {
            let every = bundle.stack_sets.iter().flat_map(|set| {
                let regions = set.targets.management_regions.iter();
                regions.map(move |region| (set, region.as_str()))
            });
            every.map(|(set, region)| arn(&rest(set, region))).collect()
        };
        match self {
            On::StackSets => sets()
                .map(|set| {
                    arn(&format!(
                        "cloudformation:{home}:M:stackset/{}:{UNIQUE}",
                        set.name
                    ))
                })
                .collect(),
            On::StackSetTargets => sets()
                .flat_map(|set| {
                    let members = set.targets.members.iter();
                    let units = members.flat_map(|members| &members.organizational_units);
                    let before = format!("cloudformation:{home}:M:stackset-target/{}", set.name);
                    units.map(move |unit| arn(&format!("{before}:{UNIQUE}/{unit}")))
                })
                .collect(),
            On::ResourceTypes => {
                vec![arn(&format!(
                    "cloudformation:{home}::type/resource/AWS-Events-Rule"
                ))]
            }
            On::Stacks => stacks(&|set, region| {
                format!("cloudformation:{region}:M:stack/{}/{UNIQUE}", set.name)
            }),
            On::ChangeSets => stacks(&|_, region| {
                format!("cloudformation:{region}:M:changeSet/gizmos-{UNIQUE}/{UNIQUE}")
            }),
            On::OwnRole => vec![caller.to_owned()],
            On::AccessRoles => {
                let accounts = &organization.accounts;
                let others = [&accounts.log_archive, &accounts.hub, &accounts.management];
                let others = others.into_iter().filter(|id| *id != setting.account);
                others
                    .map(|id| arn(&format!("iam::{id}:role/{}", organization.access_role)))
                    .collect()
            }
            On::Rules => {
                stacks(&|set, region| format!("events:{region}:M:rule/{}-Rule-{UNIQUE}", set.name))
            }
            On::Queues => {
                stacks(&|set, region| format!("sqs:{region}:M:{}-Queue-{UNIQUE}", set.name))
            }
            _ => self
                .patterns(setting)
                .iter()
                .map(|it| example(it, setting))
                .collect(),
        }
    }

    /// The word for it in a statement's id.
    pub(super) fn word(self) -> &'static str {
        match self {
            On::Anything => "Anything",
            On::StackSets => "StackSets",
            On::StackSetTargets => "Targets",
            On::ResourceTypes => "ResourceTypes",
            On::Stacks => "Stacks",
            On::ChangeSets => "ChangeSets",
            On::OwnRole => "OwnRole",
            On::AccessRoles => "AccessRoles",
            On::ManagementAccessRole => "ManagementAccessRole",
            On::Trail => "Trail",
            On::ExistingTrail => "ExistingTrail",
            On::TrailRole => "TrailRole",
            On::Rules => "Rules",
            On::Queues => "Queues",
            On::Schedules => "Schedules",
            On::Roles => "Roles",
            On::RolesForEvents => "RolesForEvents",
            On::RolesForScheduler => "RolesForScheduler",
            On::ArtifactBucket => "ArtifactBucket",
            On::ArtifactObjects => "ArtifactObjects",
            On::Topics => "Topics",
            On::Alarms => "Alarms",
            On::InstanceStacks => "InstanceStacks",
            On::HubBus => "HubBus",
            On::MemberQueues => "MemberQueues",
            On::MemberRules => "MemberRules",
            On::MemberTopics => "MemberTopics",
            On::DefaultBuses => "DefaultBuses",
            On::MemberDefaultBuses => "MemberDefaultBuses",
            On::CanaryParameters => "CanaryParameters",
            On::MemberCanaryParameters => "MemberCanaryParameters",
            On::HubTopics => "HubTopics",
            On::HubAlarms => "HubAlarms",
            On::HubKeys => "HubKeys",
        }
    }
}

/// An ARN that the pattern matches: in the home Region, with a name as AWS makes it.
fn example(pattern: &str, setting: Setting<'_>) -> String {
    let organization = &setting.bundle.organization;
    let parts: Vec<&str> = pattern.splitn(6, ':').collect();
    let parts: Vec<String> = parts
        .iter()
        .enumerate()
        .map(|(at, part)| match (at, *part) {
            // `*` alone isn't an ARN.
            (0, part) => part.to_owned(),
            (3, "*") => organization.home_region.clone(),
            (4, "*") => organization.accounts.management.clone(),
            (_, part) => part.replace('*', UNIQUE),
        })
        .collect();
    parts.join(":")
}

impl Setting<'_> {
    /// An ARN from everything behind the partition, in which `M` as the account stands for the
    /// management account.
    fn arn(&self, rest: &str) -> String {
        let organization = &self.bundle.organization;
        let parts: Vec<&str> = rest.splitn(4, ':').collect();
        let management = organization.accounts.management.as_str();
        let parts = parts
            .iter()
            .enumerate()
            .map(|(at, part)| match (at, *part) {
                (2, "M") => management,
                (_, part) => part,
            });
        let rest = parts.collect::<Vec<&str>>().join(":");
        format!("arn:{}:{rest}", organization.partition())
    }
}
