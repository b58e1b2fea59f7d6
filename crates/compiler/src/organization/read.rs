//! Reads the organization file into an [`Organization`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rules::Severity;
use syntax::{Diagnostic, Node, SourceFile, Span, nearest};

use crate::canary;

use super::names::{ALARMS_TOPIC, partition};
use super::section::{Reader, Shape};
use super::{
    Accounts, Artifacts, ExistingTrail, Findings, Forward, Organization, OwnTrail, Protocol,
    Publish, RegionSource, Subscription, TargetScope, Topic, Topology, Trail, Wave, format, shape,
};

/// Most organizational units in one call, a limit of StackSets.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeploymentTargets.html>
const MAX_UNITS: usize = 50;
/// Investigations often need older log files, so a shorter retention is a warning.
const SHORT_RETENTION: u32 = 90;

const ACCOUNT: Shape = Shape {
    is: format::account_id,
    name: "an account id of 12 digits",
    example: "\"111122223333\"",
};
const DEPLOYER: Shape = Shape {
    is: format::role_arn,
    name: "the ARN of a role with its path; a session's ARN has no path, and a user can't deploy \
           unseen",
    example: "arn:aws:iam::111122223333:role/gizmos-deploy",
};
const REGION: Shape = Shape {
    is: format::region,
    name: "a Region",
    example: "eu-central-1",
};
const UNIT: Shape = Shape {
    is: format::organizational_unit_id,
    name: "the id of an organizational unit",
    example: "ou-exmp-production",
};
const UNIT_OR_ROOT: Shape = Shape {
    is: |text| format::organizational_unit_id(text) || format::root_id(text),
    name: "the id of an organizational unit or of the root",
    example: "ou-exmp-production",
};
/// The role that AWS Organizations makes in the accounts it creates.
const ACCESS_ROLE: &str = "OrganizationAccountAccessRole";
const ROLE_NAME: Shape = Shape {
    is: format::role_name,
    name: "a role name",
    example: ACCESS_ROLE,
};
const NAME: Shape = Shape {
    is: format::topic_name,
    name: "a name of lower-case letters, digits and `-`, at most 40, beginning with a letter",
    example: "alerts",
};

/// Reads and checks the organization file. One call returns all diagnostics; the organization is
/// present unless one of them is an error.
///
/// Codes: `organization::missing-file`, `organization::unreadable`, `organization::version`,
/// `organization::unknown-field`, `organization::missing-field`, `organization::type`,
/// `organization::format`, `organization::duplicate`, `organization::accounts`,
/// `organization::regions`, `organization::targets`, `organization::severities`,
/// `organization::waves`, `organization::trail`, `organization::bucket`, `organization::findings`,
/// `organization::reserved`;
/// warnings `organization::unquoted-number`, `organization::subscriptions`,
/// `organization::retention`, `organization::log-archive`; and those of [`syntax::parse`].
pub fn load(path: &Path) -> (Option<Organization>, Vec<Diagnostic>) {
    let shown = path.display();
    let text = match syntax::files::read(path, syntax::MAX_BYTES) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let diagnostic = Diagnostic::error(
                "organization::missing-file",
                format!("there is no organization file at `{shown}`"),
            )
            .help("copy `stacksets/organization.yaml` of Gizmos there and fill in your accounts");
            return (None, vec![diagnostic]);
        }
        Err(error) => {
            let diagnostic = Diagnostic::error(
                "organization::unreadable",
                format!("the organization file `{shown}` cannot be read: {error}"),
            );
            return (None, vec![diagnostic]);
        }
    };
    let file = Arc::new(SourceFile::new(path, text));
    let (node, diagnostics) = syntax::parse(&file);
    let mut reader = Reader { file, diagnostics };
    let organization = node.and_then(|node| reader.organization(&node));
    let diagnostics = reader.diagnostics;
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    (organization.filter(|_| !failed), diagnostics)
}

/// The home Region, all watched Regions with the home Region first, and where they come from.
struct ChosenRegions {
    home: String,
    regions: Vec<String>,
    source: RegionSource,
}

impl Reader {
    fn organization(&mut self, node: &Node) -> Option<Organization> {
        let what = "the organization file";
        if !self.mapping(node, what, &shape::ORGANIZATION) {
            return None;
        }
        self.version(node);
        let id = self.required(node, what, "organization").and_then(|id| {
            let shape = Shape {
                is: format::organization_id,
                name: "an organization id",
                example: "o-exampleorg1",
            };
            self.text(id, "organization", shape)
        });
        let root = self.required(node, what, "root").and_then(|root| {
            let shape = Shape {
                is: format::root_id,
                name: "the id of a root",
                example: "r-exmp",
            };
            self.text(root, "root", shape)
        });
        let installation = self.text_or(node, "installation", "gizmos", NAME);
        let regions = self.regions(node);
        let accounts = self
            .required(node, what, "accounts")
            .and_then(|node| self.accounts(node));
        let targets = self
            .required(node, what, "targets")
            .and_then(|node| self.targets(node, root.as_deref(), accounts.as_ref()));
        let topology = self.word(
            node,
            "topology",
            &[("hub", Topology::Hub), ("local", Topology::Local)],
        );
        let forward = self.word(
            node,
            "forward",
            &[("exact", Forward::Exact), ("broad", Forward::Broad)],
        );
        let publish = self.word(
            node,
            "publish",
            &[("role", Publish::Role), ("policy", Publish::Policy)],
        );
        let findings = self
            .optional(node, "findings")
            .map(|node| self.findings(node, regions.as_ref()));
        let deployers = self
            .optional(node, "deployers")
            .map_or_else(Vec::new, |list| self.texts(list, "deployers", DEPLOYER));
        let access_role = self.text_or(node, "access_role", ACCESS_ROLE, ROLE_NAME);
        let trail = self.trail(node);
        let topics = self
            .required(node, what, "topics")
            .map(|entry| self.topics(entry));
        let waves = self
            .optional(node, "waves")
            .map_or_else(Vec::new, |node| self.waves(node));
        let drift_schedule = self.optional(node, "drift_schedule").and_then(|node| {
            let shape = Shape {
                is: format::schedule,
                name: "a schedule of EventBridge Scheduler",
                example: "cron(0 6 * * ? *)",
            };
            self.text(node, "drift_schedule", shape)
        });

        let artifacts = self.optional(node, "artifacts").map(|artifacts| {
            let home = regions.as_ref().map(|chosen| chosen.home.as_str());
            self.artifacts(artifacts, accounts.as_ref(), home)
        });

        let ChosenRegions {
            home: home_region,
            regions,
            source: region_source,
        } = regions?;
        let organization = Organization {
            id: id?,
            root: root?,
            installation: installation?,
            home_region,
            regions,
            region_source,
            accounts: accounts?,
            targets: targets?,
            topology: topology?,
            forward: forward?,
            publish: publish?,
            findings: findings.flatten(),
            deployers,
            access_role: access_role?,
            trail: trail?,
            topics: topics?,
            waves,
            artifacts: artifacts.flatten(),
            drift_schedule,
        };
        self.trail_fits(node, &organization);
        Some(organization)
    }

    /// An optional field with one of these words; the first is the default.
    fn word<T: Copy>(
        &mut self,
        node: &Node,
        field: &str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        match self.optional(node, field) {
            Some(value) => self.choice(value, field, words),
            None => words.first().map(|(_, default)| *default),
        }
    }

    /// An optional text with a default.
    fn text_or(&mut self, node: &Node, field: &str, default: &str, shape: Shape) -> Option<String> {
        match self.optional(node, field) {
            Some(text) => self.text(text, field, shape),
            None => Some(default.to_owned()),
        }
    }

    fn version(&mut self, node: &Node) {
        let Some(version) = self.required(node, "the organization file", "version") else {
            return;
        };
        if version.as_number() != Some("1") {
            self.error_with_help(
                "organization::version",
                version.span,
                "this version of Gizmos reads organization files of version 1",
                "write `version: 1`",
            );
        }
    }

    /// The home Region, and all Regions with the home Region first.
    fn regions(&mut self, node: &Node) -> Option<ChosenRegions> {
        let what = "the organization file";
        let home_node = self.required(node, what, "home_region");
        let home = home_node.and_then(|home| self.region(home, "home_region"));
        let list = self.required(node, what, "regions")?;
        if list.as_str().is_some() {
            self.choice(list, "regions", &[("enabled", ())])?;
            let home = home?;
            return Some(ChosenRegions {
                regions: vec![home.clone()],
                home,
                source: RegionSource::Unresolved,
            });
        }
        let mut regions = self.texts(list, "regions", REGION);
        for item in list.as_sequence().unwrap_or_default() {
            self.known_region(item);
        }
        let (home, home_node) = home.zip(home_node)?;
        if !regions.contains(&home) {
            self.error_with_help(
                "organization::regions",
                home_node.span,
                format!("the home Region `{home}` is not among the watched Regions"),
                format!("add `{home}` to `regions`"),
            );
        }
        if let Some(china) = regions.iter().find(|region| region.starts_with("cn-")) {
            self.error(
                "organization::regions",
                list.span,
                format!("`{china}`: stack sets can't be deployed to an organization in China"),
            );
        }
        let elsewhere = |region: &&String| partition(region) != partition(&home);
        if let Some(other) = regions.iter().find(elsewhere) {
            self.error(
                "organization::regions",
                list.span,
                format!(
                    "`regions` mixes the partitions {} (`{home}`) and {} (`{other}`), which never share \
                     an organization",
                    partition(&home),
                    partition(other)
                ),
            );
        }
        regions.sort_by_key(|region| *region != home);
        Some(ChosenRegions {
            home,
            regions,
            source: RegionSource::Listed,
        })
    }

    fn region(&mut self, node: &Node, field: &str) -> Option<String> {
        self.known_region(node);
        self.text(node, field, REGION)
    }

    /// Reports a Region that AWS doesn't have: nothing would be watched there. AWS adds Regions, and most are
    /// further ones of an area that has some.
    fn known_region(&mut self, node: &Node) {
        const CODE: &str = "organization::regions";
        let unknown = |region: &&str| format::region(region) && !rules::REGIONS.contains(region);
        let Some(region) = node.as_str().filter(unknown) else {
            return;
        };
        let area = |region: &str| {
            let digits = |c: char| c.is_ascii_digit();
            region.trim_end_matches(digits).to_owned()
        };
        let is_further = rules::REGIONS.iter().any(|it| area(it) == area(region));
        match nearest(region, &rules::REGIONS) {
            Some(near) if !is_further => self.error_with_help(
                CODE,
                node.span,
                format!("AWS has no Region `{region}`"),
                format!("did you mean `{near}`?"),
            ),
            _ => self.warning(
                CODE,
                node.span,
                format!("this version doesn't know the Region `{region}`"),
                "check the name; a Region that AWS has added since is watched like every other",
            ),
        }
    }

    fn findings(&mut self, node: &Node, chosen: Option<&ChosenRegions>) -> Option<Findings> {
        if !self.mapping(node, "findings", &shape::FINDINGS) {
            return None;
        }
        let account = self
            .required(node, "findings", "account")
            .and_then(|account| self.text(account, "findings.account", ACCOUNT));
        let region_node = self.required(node, "findings", "region")?;
        let region = self.region(region_node, "findings.region")?;
        if chosen.is_some_and(|chosen| {
            chosen.source == RegionSource::Listed && !chosen.regions.contains(&region)
        }) {
            self.error_with_help(
                "organization::findings",
                region_node.span,
                format!("the Region `{region}` of `findings` is not among the watched Regions"),
                format!("add `{region}` to `regions`, or name a watched Region"),
            );
        }
        Some(Findings {
            account: account?,
            region,
        })
    }

    fn accounts(&mut self, node: &Node) -> Option<Accounts> {
        if !self.mapping(node, "accounts", &shape::ACCOUNTS) {
            return None;
        }
        let mut account = |key: &str| {
            let value = self.required(node, "accounts", key)?;
            self.text(value, &format!("accounts.{key}"), ACCOUNT)
        };
        let management = account("management");
        let log_archive = account("log_archive");
        let hub = account("hub");
        let accounts = Accounts {
            management: management?,
            log_archive: log_archive?,
            hub: hub?,
        };
        let span = |key: &str| node.get(key).map_or(node.span, |value| value.span);
        if accounts.hub == accounts.management {
            self.error_with_help(
                "organization::accounts",
                span("hub"),
                "the hub cannot be the management account",
                "give detections an account of their own, so that nobody needs to sign in to the \
                 management account for them",
            );
        }
        if accounts.log_archive == accounts.management {
            self.warning(
                "organization::log-archive",
                span("log_archive"),
                "the management account stores its own log files",
                "a separate account protects them if the management account is compromised",
            );
        }
        Some(accounts)
    }

    fn targets(
        &mut self,
        node: &Node,
        root: Option<&str>,
        accounts: Option<&Accounts>,
    ) -> Option<TargetScope> {
        if !self.mapping(node, "targets", &shape::TARGETS) {
            return None;
        }
        let list = self.required(node, "targets", "organizational_units")?;
        let units = self.texts(list, "targets.organizational_units", UNIT_OR_ROOT);
        if list.as_sequence().is_some_and(<[Node]>::is_empty) {
            self.error_with_help(
                "organization::targets",
                list.span,
                "no organizational unit is watched",
                "list at least one; the root's id means all accounts",
            );
        }
        if units.len() > MAX_UNITS {
            self.error_with_help(
                "organization::targets",
                list.span,
                format!(
                    "{} organizational units exceed StackSets' limit of {MAX_UNITS}",
                    units.len()
                ),
                "list their parent unit instead",
            );
        }
        for (unit, item) in units.iter().zip(list.as_sequence().unwrap_or_default()) {
            if !format::root_id(unit) {
                continue;
            }
            if root.is_some_and(|root| root != unit) {
                self.error(
                    "organization::targets",
                    item.span,
                    format!("`{unit}` is not the `root` of this file"),
                );
            } else if units.len() > 1 {
                self.error_with_help(
                    "organization::targets",
                    item.span,
                    "the root already contains all organizational units",
                    "keep either the root or the units",
                );
            }
        }
        let mut exclude = Vec::new();
        if let Some(list) = self.optional(node, "exclude_accounts") {
            exclude = self.texts(list, "targets.exclude_accounts", ACCOUNT);
            if let Some(accounts) = accounts
                && exclude.contains(&accounts.management)
            {
                self.error(
                    "organization::targets",
                    list.span,
                    "the management account is always watched and can't be excluded",
                );
            }
        }
        exclude.sort();
        Some(TargetScope {
            organizational_units: units,
            exclude_accounts: exclude,
        })
    }

    fn trail(&mut self, node: &Node) -> Option<Trail> {
        let mut trail = OwnTrail::default();
        let Some(node) = self.optional(node, "trail") else {
            return Some(Trail::Own(trail));
        };
        if !self.mapping(node, "trail", &shape::TRAIL) {
            return None;
        }
        let existing = self.optional(node, "existing");
        if let Some(bucket) = self.optional(node, "bucket") {
            let shape = Shape {
                is: match existing {
                    Some(_) => format::any_bucket_name,
                    None => format::bucket_name,
                },
                name: "a bucket name",
                example: "example-trail-logs",
            };
            trail.bucket = Some(self.text(bucket, "trail.bucket", shape)?);
        }
        if let Some(existing) = existing {
            let arn = self.existing_trail(node, existing)?;
            let bucket = trail.bucket;
            return Some(Trail::Existing(ExistingTrail { arn, bucket }));
        }
        if let Some(name) = self.optional(node, "name") {
            let shape = Shape {
                is: format::trail_name,
                name: "a trail name",
                example: "gizmos",
            };
            trail.name = self.text(name, "trail.name", shape)?;
        }
        if let Some(days) = self.optional(node, "retention_days") {
            trail.retention_days = self.number(days, "trail.retention_days", 1..=36_500)?;
            if trail.retention_days < SHORT_RETENTION {
                self.warning(
                    "organization::retention",
                    days.span,
                    format!("log files are deleted after {} days", trail.retention_days),
                    "intrusions are often found months later; 400 days cover a year with a margin",
                );
            }
        }
        Some(Trail::Own(trail))
    }

    /// The ARN of a trail that Gizmos doesn't deploy, so that the file can't set anything of it.
    fn existing_trail(&mut self, node: &Node, existing: &Node) -> Option<String> {
        let shape = Shape {
            is: format::trail_arn,
            name: "the ARN of a trail",
            example: "arn:aws:cloudtrail:eu-central-1:111122223333:trail/audit",
        };
        for field in ["name", "retention_days"] {
            if let Some(setting) = node.get(field) {
                self.error_with_help(
                    "organization::trail",
                    setting.span,
                    format!("`{field}` has no meaning for an existing trail, which isn't changed"),
                    format!("remove `{field}`, or `existing` for a trail that Gizmos deploys"),
                );
            }
        }
        self.text(existing, "trail.existing", shape)
    }

    /// The trail and its bucket, next to the rest of the file.
    fn trail_fits(&mut self, node: &Node, organization: &Organization) {
        let existing = match &organization.trail {
            Trail::Own(trail) if trail.bucket.is_some() => return,
            Trail::Own(_) => {
                self.bucket_fits(node, &organization.own_log_bucket());
                return;
            }
            Trail::Existing(trail) => &trail.arn,
        };
        let trail = node.get("trail");
        let span = trail.and_then(|trail| trail.get("existing"));
        let span = span.map_or(node.span, |arn| arn.span);
        let mut parts = existing.split(':').skip(1);
        let (partition, account) = (parts.next(), parts.nth(2));
        let management = &organization.accounts.management;
        if partition != Some(organization.partition()) {
            self.error(
                "organization::trail",
                span,
                format!(
                    "the trail is not in the organization's partition `{}`",
                    organization.partition()
                ),
            );
        }
        if account != Some(management) {
            self.error_with_help(
                "organization::trail",
                span,
                format!("the trail is not in the management account {management}"),
                "an organization trail belongs to the management account, whichever account made \
                 it; a trail of another account records that account alone",
            );
        }
    }

    /// The default name contains ids of varying length.
    fn bucket_fits(&mut self, node: &Node, bucket: &str) {
        if !format::bucket_name(bucket) {
            let span = node.get("organization").map_or(node.span, |id| id.span);
            self.error_with_help(
                "organization::bucket",
                span,
                format!("the log bucket's name `{bucket}` is longer than 63 characters"),
                "choose a name: `trail: {bucket: …}`",
            );
        }
    }

    fn artifacts(
        &mut self,
        node: &Node,
        accounts: Option<&Accounts>,
        home: Option<&str>,
    ) -> Option<Artifacts> {
        if !self.mapping(node, "artifacts", &shape::ARTIFACTS) {
            return None;
        }
        let bucket = self.optional(node, "bucket").map(|bucket| {
            let shape = Shape {
                is: format::bucket_name,
                name: "a bucket name",
                example: "example-templates",
            };
            self.text(bucket, "artifacts.bucket", shape)
        });
        let administrators = self
            .optional(node, "administrators")
            .map_or_else(Vec::new, |list| {
                self.texts(list, "artifacts.administrators", ACCOUNT)
            });
        let (accounts, home) = accounts.zip(home)?;
        if administrators.contains(&accounts.management) {
            let location = node.get("administrators").map_or(node.span, |it| it.span);
            self.error(
                "organization::accounts",
                location,
                "the management account owns the bucket and is not a delegated administrator",
            );
        }
        let chosen = || format!("gizmos-artifacts-{}-{home}", accounts.management);
        Some(Artifacts {
            bucket: bucket.unwrap_or_else(|| Some(chosen()))?,
            administrators,
        })
    }

    fn topics(&mut self, node: &Node) -> Vec<Topic> {
        let mut topics: Vec<Topic> = Vec::new();
        let mut complete = true;
        for item in self.list(node, "topics") {
            let Some(topic) = self.topic(item) else {
                // Its severities are unknown, so missing severities can't be reported.
                complete = false;
                continue;
            };
            let span = item.get("name").map_or(item.span, |name| name.span);
            if canary::is_reserved(&topic.name) {
                self.error_with_help(
                    "organization::reserved",
                    span,
                    format!(
                        "the topic `{}` has the name of the topic to which canaries go",
                        topic.name
                    ),
                    "choose another name",
                );
            } else if topic.name == ALARMS_TOPIC {
                self.error_with_help(
                    "organization::reserved",
                    span,
                    format!(
                        "the topic `{}` has the name of the topic to which the alarm on dead \
                         letters goes",
                        topic.name
                    ),
                    "choose another name",
                );
            } else if topics.iter().any(|other| other.name == topic.name) {
                self.error(
                    "organization::duplicate",
                    span,
                    format!("there are two topics `{}`", topic.name),
                );
            } else {
                topics.push(topic);
            }
        }
        let lost: Vec<&str> = Severity::ALL
            .into_iter()
            .filter(|severity| {
                !topics
                    .iter()
                    .any(|topic| topic.severities.contains(severity))
            })
            .map(Severity::as_str)
            .collect();
        if complete && !lost.is_empty() && node.as_sequence().is_some() {
            self.error_with_help(
                "organization::severities",
                node.span,
                format!("no topic receives alerts of severity {}", lost.join(", ")),
                "they would be lost: add them to the `severities` of a topic",
            );
        }
        topics
    }

    fn topic(&mut self, node: &Node) -> Option<Topic> {
        if !self.mapping(node, "a topic", &shape::TOPIC) {
            return None;
        }
        let name = self
            .required(node, "a topic", "name")
            .and_then(|name| self.text(name, "name", NAME));
        let mut severities: Vec<Severity> = Vec::new();
        if let Some(list) = self.required(node, "a topic", "severities") {
            let words = Severity::ALL.map(|severity| (severity.as_str(), severity));
            for item in self.list(list, "severities") {
                match self.choice(item, "severity", &words) {
                    Some(severity) if severities.contains(&severity) => {
                        self.error(
                            "organization::duplicate",
                            item.span,
                            format!("the topic names `{severity}` twice"),
                        );
                    }
                    Some(severity) => severities.push(severity),
                    None => {}
                }
            }
        }
        severities.sort();
        let mut subscriptions: Vec<Subscription> = Vec::new();
        let list = self.optional(node, "subscriptions");
        for item in list.map_or(&[][..], |list| self.list(list, "subscriptions")) {
            match self.subscription(item) {
                Some(subscription) if subscriptions.contains(&subscription) => {
                    self.error(
                        "organization::duplicate",
                        item.span,
                        format!("`{}` subscribes twice to this topic", subscription.endpoint),
                    );
                }
                Some(subscription) => subscriptions.push(subscription),
                None => {}
            }
        }
        let name = name?;
        if list.is_none_or(|list| list.as_sequence().is_some_and(<[Node]>::is_empty)) {
            let span = node.get("name").map_or(node.span, |name| name.span);
            self.warning(
                "organization::subscriptions",
                span,
                format!("topic `{name}` has no subscriptions"),
                "add a subscription, or subscribe to it by other means",
            );
        }
        Some(Topic {
            name,
            severities,
            subscriptions,
        })
    }

    fn subscription(&mut self, node: &Node) -> Option<Subscription> {
        if !self.mapping(node, "a subscription", &shape::SUBSCRIPTION) {
            return None;
        }
        let protocols = [
            ("email", Protocol::Email),
            ("https", Protocol::Https),
            ("sqs", Protocol::Sqs),
        ];
        let protocol = self
            .required(node, "a subscription", "protocol")
            .and_then(|node| self.choice(node, "protocol", &protocols));
        let endpoint = self.required(node, "a subscription", "endpoint");
        let protocol = protocol?;
        let shape = match protocol {
            Protocol::Email => Shape {
                is: format::email,
                name: "an e-mail address",
                example: "security@example.com",
            },
            Protocol::Https => Shape {
                is: format::https_url,
                name: "an https:// address",
                example: "https://alerts.example.com/gizmos",
            },
            Protocol::Sqs => Shape {
                is: format::queue_arn,
                name: "the ARN of a standard SQS queue",
                example: "arn:aws:sqs:eu-central-1:333344445555:alerts",
            },
        };
        let endpoint = self.text(endpoint?, "endpoint", shape)?;
        Some(Subscription { protocol, endpoint })
    }

    fn waves(&mut self, node: &Node) -> Vec<Wave> {
        let mut waves: Vec<Wave> = Vec::new();
        // Members of earlier waves, with the wave's name.
        let mut taken: BTreeMap<String, String> = BTreeMap::new();
        for item in self.list(node, "waves") {
            let Some(wave) = self.wave(item) else {
                continue;
            };
            if waves.iter().any(|other| other.name == wave.name) {
                self.error(
                    "organization::duplicate",
                    item.span,
                    format!("there are two waves `{}`", wave.name),
                );
            }
            for member in wave.organizational_units.iter().chain(&wave.accounts) {
                if let Some(earlier) = taken.insert(member.clone(), wave.name.clone()) {
                    self.error(
                        "organization::waves",
                        self.first_occurrence(item, member),
                        format!("`{member}` is already in wave `{earlier}`"),
                    );
                }
            }
            waves.push(wave);
        }
        waves
    }

    fn first_occurrence(&self, node: &Node, text: &str) -> Span {
        self.location(node.span).narrowed_to(text).span
    }

    fn wave(&mut self, node: &Node) -> Option<Wave> {
        if !self.mapping(node, "a wave", &shape::WAVE) {
            return None;
        }
        let name = self
            .required(node, "a wave", "name")
            .and_then(|name| self.text(name, "name", NAME));
        let organizational_units = self
            .optional(node, "organizational_units")
            .map_or_else(Vec::new, |list| {
                self.texts(list, "organizational_units", UNIT)
            });
        let accounts = self
            .optional(node, "accounts")
            .map_or_else(Vec::new, |list| self.texts(list, "accounts", ACCOUNT));
        let soak_minutes = self
            .optional(node, "soak_minutes")
            .map_or(Some(0), |minutes| {
                self.number(minutes, "soak_minutes", 0..=1440)
            });
        if node.get("organizational_units").is_none() && node.get("accounts").is_none() {
            self.error_with_help(
                "organization::waves",
                node.span,
                "this wave is empty",
                "list `organizational_units`, `accounts` or both",
            );
        }
        Some(Wave {
            name: name?,
            organizational_units,
            accounts,
            soak_minutes: soak_minutes?,
        })
    }
}
