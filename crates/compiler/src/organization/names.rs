//! Names and ARNs derived from the organization file, so that stacks in different accounts can
//! refer to each other.

use super::{Organization, Topic, Topology, Trail};

/// The event bus in the hub.
pub(crate) const BUS: &str = "gizmos";
/// The hub's dead-letter queue.
pub(crate) const DEAD_LETTERS: &str = "gizmos-dead-letters";
/// The alarm on messages in that queue.
pub(crate) const ALARM: &str = "gizmos-dead-letters";
/// The short name of the topic to which that alarm publishes, which no topic of the organization file
/// may have.
pub(crate) const ALARMS_TOPIC: &str = "dead-letter-alarms";
/// Path of the role with which the hub's rules publish; the path keeps the role out of the bus
/// policy.
pub(crate) const PUBLISHER_PATH: &str = "/gizmos-hub/";
/// Name of that role.
pub(crate) const PUBLISHER: &str = "gizmos-publisher";
/// Key prefix of all templates in the artifact bucket.
pub const ARTIFACT_PREFIX: &str = "templates/";
/// Alias of the key that encrypts the trail's log files.
pub(crate) const TRAIL_KEY_ALIAS: &str = "alias/gizmos-trail";

/// The partition of a Region: `aws`, `aws-cn`, `aws-eusc` or `aws-us-gov`. Nothing in one is known in
/// another.
pub fn partition(region: &str) -> &'static str {
    let starts = |prefix: &str| region.starts_with(prefix);
    match region {
        _ if starts("cn-") => "aws-cn",
        _ if starts("eusc-") => "aws-eusc",
        _ if starts("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

impl Organization {
    /// The partition of all ARNs, from the home Region.
    pub fn partition(&self) -> &'static str {
        partition(&self.home_region)
    }

    /// Name of the bucket for the trail's log files; `None` if the organization file doesn't name
    /// that of an existing trail.
    pub fn log_bucket(&self) -> Option<String> {
        let own = match &self.trail {
            Trail::Existing(trail) => return trail.bucket.clone(),
            Trail::Own(trail) => trail.bucket.clone(),
        };
        Some(own.unwrap_or_else(|| self.own_log_bucket()))
    }

    /// The default name of the bucket for an own trail's log files.
    pub(super) fn own_log_bucket(&self) -> String {
        let Self {
            id,
            accounts,
            home_region,
            ..
        } = self;
        format!("gizmos-logs-{id}-{}-{home_region}", accounts.log_archive)
    }

    /// Name of the organization trail.
    pub fn trail_name(&self) -> &str {
        match &self.trail {
            Trail::Own(trail) => &trail.name,
            Trail::Existing(trail) => trail.arn.rsplit('/').next().unwrap_or_default(),
        }
    }

    /// ARN of the organization trail, in the management account.
    pub fn trail_arn(&self) -> String {
        match &self.trail {
            Trail::Existing(trail) => trail.arn.clone(),
            Trail::Own(trail) => {
                let account = &self.accounts.management;
                self.arn("cloudtrail", account, &format!("trail/{}", trail.name))
            }
        }
    }

    /// Home Region of the organization trail, where its settings are.
    pub fn trail_region(&self) -> &str {
        match &self.trail {
            Trail::Own(_) => &self.home_region,
            Trail::Existing(trail) => trail.arn.split(':').nth(3).unwrap_or_default(),
        }
    }

    /// ARN of the alias of the trail's key, in the log archive account.
    pub fn trail_key_alias_arn(&self) -> String {
        self.arn("kms", &self.accounts.log_archive, TRAIL_KEY_ALIAS)
    }

    /// ARN of the hub's event bus.
    pub fn hub_bus_arn(&self) -> String {
        self.arn("events", &self.accounts.hub, &format!("event-bus/{BUS}"))
    }

    /// Name of the hub's event bus.
    pub fn bus_name(&self) -> &'static str {
        BUS
    }

    /// Name of the hub's dead-letter queue.
    pub fn dead_letters_name(&self) -> &'static str {
        DEAD_LETTERS
    }

    /// ARN of the hub's dead-letter queue.
    pub fn dead_letters_arn(&self) -> String {
        self.arn("sqs", &self.accounts.hub, DEAD_LETTERS)
    }

    /// A topic's name on AWS. Hub and local topics have different names, because the hub account
    /// has both while the topology changes.
    pub fn topic_name(&self, topic: &Topic) -> String {
        match self.topology {
            Topology::Hub => format!("gizmos-{}", topic.name),
            Topology::Local => format!("gizmos-local-{}", topic.name),
        }
    }

    /// ARN of a topic in the hub.
    pub fn hub_topic_arn(&self, topic: &Topic) -> String {
        self.arn("sns", &self.accounts.hub, &self.topic_name(topic))
    }

    /// ARN of the canaries' topic, in the hub.
    pub fn canary_topic_arn(&self) -> String {
        self.arn("sns", &self.accounts.hub, crate::canary::NAME)
    }

    /// ARN of the role with which the hub's rules publish to its topics.
    pub(crate) fn publisher_role_arn(&self) -> String {
        let partition = self.partition();
        let account = &self.accounts.hub;
        format!("arn:{partition}:iam::{account}:role{PUBLISHER_PATH}{PUBLISHER}")
    }

    fn arn(&self, service: &str, account: &str, resource: &str) -> String {
        let partition = self.partition();
        let region = &self.home_region;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}
