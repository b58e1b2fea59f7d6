//! What the compiler produces: stack sets, ready to be deployed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::organization::Organization;

/// The tag (key, value) that every stack set and stack of Gizmos carries. One without it belongs
/// to somebody else and is never touched.
pub const OWNERSHIP_TAG: (&str, &str) = ("managed-by", "gizmos");

/// Everything that has to exist on AWS, in the order in which it has to be created.
///
/// Serializes as the manifest: see [`Bundle::write`].
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// The organization the bundle was compiled for.
    pub organization: Organization,
    /// The stack sets, each after the ones it depends on.
    pub stack_sets: Vec<StackSet>,
}

/// One template with all that is needed to deploy it.
///
/// Serializes without the template's text but with its file name, size and SHA-256.
#[derive(Clone, Debug, PartialEq)]
pub struct StackSet {
    /// Name of the stack set, and of the ordinary stacks in the management account.
    pub name: String,
    /// Which part of the chain this is.
    pub part: Part,
    /// One sentence for people, at most 1,024 bytes.
    pub description: String,
    /// The CloudFormation template, JSON of at most 51,200 bytes, or of 1,000,000 if the
    /// organization has an artifact bucket to send it by.
    pub template: String,
    /// Values for all parameters of the template that have no default.
    pub parameters: BTreeMap<String, String>,
    /// Tags of the stack set and its stacks; [`OWNERSHIP_TAG`] is always among them.
    pub tags: BTreeMap<String, String>,
    /// What CloudFormation must be told that the template may create, such as `CAPABILITY_IAM`.
    pub capabilities: Vec<String>,
    /// Where the stacks go.
    pub targets: Targets,
    /// Names of the stack sets that must be in place first.
    pub depends_on: Vec<String>,
    /// Whether accounts that join a target OU later get their stacks by themselves.
    pub auto_deployment: bool,
    /// Which rules a resource of the template carries: logical id to rule ids.
    pub rules: BTreeMap<String, Vec<String>>,
}

/// A part of the alert chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The trail's bucket and key, in the log archive account.
    Bucket,
    /// The organization trail, in the management account.
    Trail,
    /// The hub's topics, subscriptions, dead letters and event bus.
    Topic,
    /// Topics and subscriptions of every watched account and Region, without a hub.
    TopicLocal,
    /// The detections on the hub's event bus.
    RulesHub,
    /// The forwarders and responses of every watched account and Region.
    RulesSpoke,
    /// Detections and responses of every watched account and Region, without a hub.
    RulesLocal,
    /// Regular drift detection in all stack sets, in the management account.
    DriftSchedule,
    /// The bucket for templates that are too large for a request, in the management account.
    Artifacts,
}

impl Part {
    /// All parts in the order in which they are deployed.
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

/// Where the stacks of a stack set go. At least one of the two is present.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Targets {
    /// Member accounts, reached as a service-managed stack set.
    pub members: Option<Members>,
    /// Regions of the management account, which stack sets skip: ordinary stacks.
    pub management_regions: Vec<String>,
}

/// Member accounts by organizational unit, and the Regions in each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Members {
    /// Ids of organizational units, or the id of the root.
    pub organizational_units: Vec<String>,
    /// Which of the accounts in these units.
    pub accounts: AccountFilter,
    /// Regions, the home Region first if it is among them.
    pub regions: Vec<String>,
}

/// Which accounts of the organizational units.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeploymentTargets.html>
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountFilter {
    /// All of them (`NONE`).
    All,
    /// These (`INTERSECTION`).
    Only(Vec<String>),
    /// All but these (`DIFFERENCE`).
    Except(Vec<String>),
}
