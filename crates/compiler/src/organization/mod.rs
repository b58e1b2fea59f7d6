//! The organization file: which accounts and Regions are watched, and who is told.

mod format;
mod names;
mod read;
mod section;
mod shape;

use serde::Serialize;

pub use names::ARTIFACT_PREFIX;
pub(crate) use names::{BUS, DEAD_LETTERS, PUBLISHER, PUBLISHER_PATH, TRAIL_KEY_ALIAS};
pub use read::load;
pub use shape::schema;

/// The organization as `stacksets/organization.yaml` describes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Organization {
    /// Id of the organization, `o-…`.
    pub id: String,
    /// Id of its root, `r-…`.
    pub root: String,
    /// The Region of hub, trail and log bucket.
    pub home_region: String,
    /// All watched Regions; the home Region is among them.
    pub regions: Vec<String>,
    /// Which account plays which part.
    pub accounts: Accounts,
    /// Which member accounts are watched.
    pub targets: TargetScope,
    /// Where detections run.
    pub topology: Topology,
    /// What spokes forward; without meaning in the local topology.
    pub forward: Forward,
    /// Name of the role in member accounts that the management account may assume.
    pub access_role: String,
    /// The organization trail.
    pub trail: Trail,
    /// Who is told about which severities.
    pub topics: Vec<Topic>,
    /// In which order the fleet is deployed; empty: all at once.
    pub waves: Vec<Wave>,
    /// The bucket for templates that are too large for a request; `None`: they are split up.
    pub artifacts: Option<Artifacts>,
    /// When CloudFormation looks for drift by itself, as EventBridge Scheduler writes it,
    /// `cron(0 6 * * ? *)`, in UTC; `None`: never.
    pub drift_schedule: Option<String>,
}

/// Account ids (12 digits) by the part they play.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accounts {
    /// The organization's management account.
    pub management: String,
    /// Holds the trail's bucket and key.
    pub log_archive: String,
    /// Holds topics, event bus and detections.
    pub hub: String,
}

/// Which member accounts are watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetScope {
    /// Organizational units with all below them; the root's id means every account.
    pub organizational_units: Vec<String>,
    /// Accounts in these units that are left out.
    pub exclude_accounts: Vec<String>,
}

/// Where detections run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Topology {
    /// Spokes forward to one hub, which detects and notifies.
    #[default]
    Hub,
    /// Topics and detections in every account and Region.
    Local,
}

/// What spokes forward to the hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Forward {
    /// Just the events that some rule matches.
    #[default]
    Exact,
    /// All events of the sources, detail types and event names that rules are about.
    Broad,
}

/// The organization trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trail {
    /// Name of the trail.
    pub name: String,
    /// Days after which log files are deleted.
    pub retention_days: u32,
    /// Name of the log bucket, where the one that Gizmos would choose doesn't suit.
    pub bucket: Option<String>,
}

/// The bucket for templates that are too large for a request, in the management account and the
/// home Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Artifacts {
    /// Its name.
    pub bucket: String,
    /// Accounts besides the management account that deploy, as delegated administrators of
    /// StackSets, and so write templates there.
    pub administrators: Vec<String>,
}

/// An SNS topic and who subscribes to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Topic {
    /// Short name; [`Organization::topic_name`] is the one on AWS.
    pub name: String,
    /// Alerts of these severities go here, unless a rule names its topics itself.
    pub severities: Vec<rules::Severity>,
    /// Who gets them.
    pub subscriptions: Vec<Subscription>,
}

/// One subscription of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subscription {
    /// How.
    pub protocol: Protocol,
    /// E-mail address, `https://` URL or ARN of an SQS queue.
    pub endpoint: String,
}

/// How an alert is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// An e-mail, after the recipient has confirmed.
    Email,
    /// A POST to a URL, after its owner has confirmed.
    Https,
    /// A message in a queue.
    Sqs,
}

impl Protocol {
    /// The name that SNS has for it.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Email => "email",
            Protocol::Https => "https",
            Protocol::Sqs => "sqs",
        }
    }
}

/// A part of the fleet that is deployed together, after the waves before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wave {
    /// Name for people.
    pub name: String,
    /// Its organizational units.
    pub organizational_units: Vec<String>,
    /// Single accounts.
    pub accounts: Vec<String>,
    /// Minutes to wait, once it is deployed, before the next wave starts.
    pub soak_minutes: u32,
}
