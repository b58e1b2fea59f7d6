//! The organization file: which accounts and Regions are watched, and who receives alerts.

mod format;
mod names;
mod read;
mod section;
mod shape;

use std::fmt;

use serde::Serialize;

pub(crate) use names::{
    ALARM, ALARMS_TOPIC, BUS, DEAD_LETTERS, PUBLISHER, PUBLISHER_PATH, TRAIL_KEY_ALIAS,
};
pub use names::{ARTIFACT_PREFIX, partition};
pub use read::load;
pub use shape::schema;

/// The organization as `stacksets/organization.yaml` describes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Organization {
    /// The organization's id, `o-…`.
    pub id: String,
    /// The root's id, `r-…`.
    pub root: String,
    /// Name of this installation of Gizmos, which its stack sets carry as a tag.
    pub installation: String,
    /// The Region of the hub, the trail and the log bucket.
    pub home_region: String,
    /// All watched Regions, with the home Region first. The home Region alone as long as
    /// `region_source` is [`RegionSource::Unresolved`].
    pub regions: Vec<String>,
    /// Where `regions` comes from.
    pub region_source: RegionSource,
    /// The accounts with a special role.
    pub accounts: Accounts,
    /// The watched member accounts.
    pub targets: TargetScope,
    /// Whether detections run in a hub or in every account.
    pub topology: Topology,
    /// What spokes forward; ignored in the local topology.
    pub forward: Forward,
    /// Who is authorized to publish alerts.
    pub publish: Publish,
    /// The account and Region whose findings count; `None` to take them from everywhere.
    pub findings: Option<Findings>,
    /// ARNs of the roles that deploy, whom self-protection rules let pass.
    pub deployers: Vec<String>,
    /// Name of the role in member accounts that the management account can assume.
    pub access_role: String,
    /// The organization trail and its log bucket.
    pub trail: Trail,
    /// Who receives which severities.
    pub topics: Vec<Topic>,
    /// Deployment order of the fleet; empty deploys everything at once.
    pub waves: Vec<Wave>,
    /// The bucket for templates that are too large for a request; `None` splits them.
    pub artifacts: Option<Artifacts>,
    /// Schedule of drift detection as an EventBridge Scheduler expression in UTC, such as
    /// `cron(0 6 * * ? *)`; `None` for no schedule.
    pub drift_schedule: Option<String>,
}

/// Account ids (12 digits) by role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accounts {
    /// The organization's management account.
    pub management: String,
    /// Owns the trail's bucket and key.
    pub log_archive: String,
    /// Owns topics, event bus and detections.
    pub hub: String,
}

/// The watched member accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetScope {
    /// Organizational units, including everything below them; the root's id means every account.
    pub organizational_units: Vec<String>,
    /// Accounts in these units that aren't watched.
    pub exclude_accounts: Vec<String>,
}

/// Where the watched Regions come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RegionSource {
    /// The organization file lists them.
    #[default]
    Listed,
    /// `regions: enabled`, and nobody has asked the management account yet.
    Unresolved,
    /// `regions: enabled`, resolved to what is enabled in the management account.
    Enabled,
}

/// The account and Region in which findings of all accounts and Regions arrive once: the delegated
/// administrator of Security Hub, GuardDuty and the like, and Security Hub's aggregation Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Twelve digits.
    pub account: String,
    /// A watched Region.
    pub region: String,
}

/// `regions: enabled` was resolved to Regions that can't be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegionError {
    /// The home Region isn't enabled, so nothing could be deployed.
    NoHome(String),
    /// Security Hub's aggregation Region isn't enabled.
    NoFindings(String),
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, region) = match self {
            Self::NoHome(region) => ("the home Region", region),
            Self::NoFindings(region) => ("the Region of `findings`,", region),
        };
        write!(
            f,
            "{what} `{region}` is not enabled in the management account"
        )
    }
}

impl std::error::Error for RegionError {}

impl Organization {
    /// The Regions that are known to be watched; `None` if that is up to the management account.
    pub fn watched_regions(&self) -> Option<&[String]> {
        (self.region_source != RegionSource::Unresolved).then_some(&self.regions)
    }

    /// Resolves `regions: enabled` to these Regions. Their order doesn't matter; a file that lists
    /// its Regions is left as it is.
    pub fn resolve_regions(&mut self, enabled: &[String]) -> Result<(), RegionError> {
        if self.region_source == RegionSource::Listed {
            return Ok(());
        }
        if !enabled.contains(&self.home_region) {
            return Err(RegionError::NoHome(self.home_region.clone()));
        }
        if let Some(findings) = &self.findings
            && !enabled.contains(&findings.region)
        {
            return Err(RegionError::NoFindings(findings.region.clone()));
        }
        let mut regions = enabled.to_vec();
        regions.sort();
        regions.dedup();
        regions.sort_by_key(|region| *region != self.home_region);
        self.regions = regions;
        self.region_source = RegionSource::Enabled;
        Ok(())
    }
}

/// Whether detections run in a hub or in every account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Topology {
    /// Spokes forward events to one hub, which runs the detections and sends the alerts.
    #[default]
    Hub,
    /// Topics and detections in every account and Region.
    Local,
}

/// What spokes forward to the hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Forward {
    /// Only the events that a rule matches.
    #[default]
    Exact,
    /// All events with the sources, detail types and event names in the rules.
    Broad,
}

/// How EventBridge is authorized to publish alerts to the topics. Never both ways at once, so that
/// a delivered alert proves which one works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Publish {
    /// Each target has a role with the permissions for topic and key.
    #[default]
    Role,
    /// Targets have no role; the topic's policy admits the rules of the detections' bus.
    Policy,
}

/// The organization trail that feeds the rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Trail {
    /// Gizmos deploys it with its log bucket.
    Own(OwnTrail),
    /// Somebody else deployed it, and nothing of it is changed.
    Existing(ExistingTrail),
}

/// Settings of a trail that Gizmos deploys, and of its log bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnTrail {
    /// The trail's name.
    pub name: String,
    /// Days after which log files are deleted.
    pub retention_days: u32,
    /// Overrides the default name of the log bucket.
    pub bucket: Option<String>,
}

impl Default for OwnTrail {
    fn default() -> Self {
        Self {
            name: "gizmos".to_owned(),
            retention_days: 400,
            bucket: None,
        }
    }
}

/// A trail of the management account that somebody else deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExistingTrail {
    /// The trail's ARN, whose Region is its home Region.
    #[serde(rename = "existing")]
    pub arn: String,
    /// Its log bucket, which rules protect if it is known.
    pub bucket: Option<String>,
}

/// The bucket for templates that are too large for a request, in the management account and home
/// Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Artifacts {
    /// Unique across all of AWS.
    pub bucket: String,
    /// Delegated administrators of StackSets that may write templates to the bucket.
    pub administrators: Vec<String>,
}

/// An SNS topic and its subscriptions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Topic {
    /// Short name; [`Organization::topic_name`] returns the name on AWS.
    pub name: String,
    /// Receives alerts of these severities, unless a rule lists its topics.
    pub severities: Vec<rules::Severity>,
    /// Recipients of the alerts.
    pub subscriptions: Vec<Subscription>,
}

/// A subscription to a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subscription {
    /// Decides the format of `endpoint`.
    pub protocol: Protocol,
    /// An e-mail address, an `https://` URL or the ARN of an SQS queue.
    pub endpoint: String,
}

/// How an alert is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// An e-mail; the recipient must confirm the subscription first.
    Email,
    /// A POST to a URL; the endpoint must confirm the subscription first.
    Https,
    /// A message in an SQS queue.
    Sqs,
}

impl Protocol {
    /// SNS's name for the protocol.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Email => "email",
            Protocol::Https => "https",
            Protocol::Sqs => "sqs",
        }
    }
}

/// A part of the fleet that is deployed together, after all earlier waves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wave {
    /// Shown in plans and reports.
    pub name: String,
    /// Organizational units in the wave.
    pub organizational_units: Vec<String>,
    /// Individual accounts in the wave.
    pub accounts: Vec<String>,
    /// Minutes to wait after its deployment before the next wave starts.
    pub soak_minutes: u32,
}
