//! The compiler's output: stack sets, ready to deploy.

use std::collections::BTreeMap;

use rules::Rule;
use serde::Serialize;

use crate::organization::Organization;

/// Everything that must exist on AWS, in order of creation.
///
/// Serializes as the manifest: see [`Bundle::write`].
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// The organization the bundle was compiled for.
    pub organization: Organization,
    /// Each stack set comes after the ones it depends on.
    pub stack_sets: Vec<StackSet>,
    /// What rules need the trail to record, by the rule's id; rules about other events are left out.
    pub needs: BTreeMap<String, Needs>,
}

/// What a rule needs the trail to record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Calls that only read.
    pub reads: bool,
    /// Calls of these services, such as `kms.amazonaws.com`; of all if empty.
    pub sources: Vec<String>,
}

impl Needs {
    /// `None` if no event of the rule carries a record of CloudTrail.
    pub(crate) fn of(rule: &Rule) -> Option<Needs> {
        let pattern = &rule.pattern;
        let service = |source: &String| {
            let name = source.strip_prefix("aws.")?;
            Some(format!("{name}.amazonaws.com"))
        };
        let named = || {
            let sources = pattern.exact_values("source")?;
            sources.iter().map(service).collect()
        };
        let sources = pattern.exact_values("detail.eventSource").or_else(named);
        rules::are_records(pattern).then(|| Needs {
            reads: rule.read_only,
            sources: sources.unwrap_or_default(),
        })
    }
}

/// A template with everything needed to deploy it.
///
/// Serializes without the template's text but with its file name, size and SHA-256.
#[derive(Clone, Debug, PartialEq)]
pub struct StackSet {
    /// Name of the stack set, and of the stacks in the management account.
    pub name: String,
    /// The part of the alert chain.
    pub part: Part,
    /// One sentence, at most 1,024 bytes.
    pub description: String,
    /// The CloudFormation template: JSON of at most 51,200 bytes, or 1,000,000 if the organization
    /// has an artifact bucket.
    pub template: String,
    /// Values for all template parameters without a default.
    pub parameters: BTreeMap<String, String>,
    /// Tags of the stack set and its stacks, including [`OWNERSHIP_TAG`](crate::OWNERSHIP_TAG).
    pub tags: BTreeMap<String, String>,
    /// Capabilities that the caller must acknowledge, such as `CAPABILITY_IAM`.
    pub capabilities: Vec<String>,
    /// Where the stacks are deployed.
    pub targets: Targets,
    /// Names of the stack sets that must be deployed first.
    pub depends_on: Vec<String>,
    /// Whether accounts that join a target OU later get their stacks automatically.
    pub auto_deployment: bool,
    /// The rules that each resource implements: logical id to rule ids.
    pub rules: BTreeMap<String, Vec<String>>,
}

/// A part of the alert chain. Each part has its own template source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The trail's bucket and key, in the log archive account.
    Bucket,
    /// The organization trail, in the management account.
    Trail,
    /// The hub's topics, subscriptions, dead-letter queue and event bus.
    Topic,
    /// Topics and subscriptions of every watched account and Region, in the local topology.
    TopicLocal,
    /// The detections on the hub's event bus.
    RulesHub,
    /// The forwarders and responses of every watched account and Region.
    RulesSpoke,
    /// Detections and responses of every watched account and Region, in the local topology.
    RulesLocal,
    /// Scheduled drift detection in all stack sets, in the management account.
    DriftSchedule,
    /// The bucket for templates that are too large for a request, in the management account.
    Artifacts,
}

impl Part {
    /// All parts in order of deployment.
    pub const ALL: [Part; 9] = [
        Part::Artifacts,
        Part::Bucket,
        Part::Trail,
        Part::Topic,
        Part::RulesHub,
        Part::RulesSpoke,
        Part::TopicLocal,
        Part::RulesLocal,
        Part::DriftSchedule,
    ];

    /// The part's name in the tag `gizmos:part` and in file names.
    pub fn name(self) -> &'static str {
        match self {
            Part::Bucket => "bucket",
            Part::Trail => "trail",
            Part::Topic => "topic",
            Part::TopicLocal => "topic-local",
            Part::RulesHub => "rules-hub",
            Part::RulesSpoke => "rules-spoke",
            Part::RulesLocal => "rules-local",
            Part::DriftSchedule => "drift-schedule",
            Part::Artifacts => "artifacts",
        }
    }
}

/// Where the stacks of a stack set are deployed. At least one of the two fields is non-empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Targets {
    /// Member accounts, deployed as a service-managed stack set.
    pub members: Option<Members>,
    /// Regions of the management account, deployed as stacks because stack sets skip that account.
    pub management_regions: Vec<String>,
}

/// Member accounts by organizational unit, and the Regions in each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Members {
    /// Ids of organizational units, or the root's id.
    pub organizational_units: Vec<String>,
    /// Selects accounts in these units.
    pub accounts: AccountFilter,
    /// The home Region comes first if it is included.
    pub regions: Vec<String>,
}

/// Selects accounts of the organizational units.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeploymentTargets.html>
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountFilter {
    /// All of them (`NONE`).
    All,
    /// Only these (`INTERSECTION`).
    Only(Vec<String>),
    /// All but these (`DIFFERENCE`).
    Except(Vec<String>),
}
