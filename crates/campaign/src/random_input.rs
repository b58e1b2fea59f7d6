//! Random input for the deployer: rules, an organization file, and edits of both.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, bail};
use compiler::organization::{
    Accounts, Artifacts, Forward, Organization, OwnTrail, Protocol, Publish, RegionSource,
    Subscription, TargetScope, Topic, Topology, Trail, Wave,
};
use compiler::{Bundle, Placement, Templates};
use eventbridge_pattern::Pattern;
use fastrand::Rng;
use rules::{Message, Response, Rule, Severity, Status};
use syntax::{SourceFile, SourceLocation, Span};

use crate::lab::{HUB, LOG_ARCHIVE, Lab, MANAGEMENT, ROOT};

/// Services and API calls that rules match.
const CALLS: [(&str, &[&str]); 6] = [
    (
        "iam",
        &["CreateAccessKey", "CreateUser", "AttachUserPolicy"],
    ),
    ("cloudtrail", &["StopLogging", "DeleteTrail", "UpdateTrail"]),
    ("ec2", &["StopInstances", "AuthorizeSecurityGroupIngress"]),
    ("s3", &["DeleteBucketPolicy", "PutBucketAcl"]),
    ("kms", &["ScheduleKeyDeletion", "DisableKey"]),
    ("organizations", &["LeaveOrganization", "MoveAccount"]),
];

/// Rules and organization file, as in a user's repository.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) rules: Vec<Rule>,
    pub(crate) organization: Organization,
    made: usize,
    /// Extra characters in every message. With thousands of them, a few rules exceed a request's
    /// limit and use the artifact bucket or several stack sets.
    padding: usize,
}

impl Input {
    /// The initial input for a lab's Regions, of which the first is the home Region.
    pub(crate) fn random(rng: &mut Rng, regions: &[String], lab: &Lab) -> Result<Input> {
        let units = &lab.populated_units();
        let home = regions.first().context("no Region")?.clone();
        let mut input = Input {
            rules: Vec::new(),
            organization: Organization {
                id: "o-exampleorg1".to_owned(),
                root: ROOT.to_owned(),
                home_region: home,
                regions: regions.to_vec(),
                region_source: RegionSource::Listed,
                accounts: Accounts {
                    management: MANAGEMENT.to_owned(),
                    log_archive: LOG_ARCHIVE.to_owned(),
                    hub: HUB.to_owned(),
                },
                targets: TargetScope {
                    organizational_units: targets(rng, units),
                    exclude_accounts: Vec::new(),
                },
                topology: if rng.u8(..100) < 75 {
                    Topology::Hub
                } else {
                    Topology::Local
                },
                forward: if rng.bool() {
                    Forward::Exact
                } else {
                    Forward::Broad
                },
                publish: if rng.u8(..4) == 0 {
                    Publish::Policy
                } else {
                    Publish::Role
                },
                findings: None,
                deployers: Vec::new(),
                access_role: "OrganizationAccountAccessRole".to_owned(),
                installation: "gizmos".to_owned(),
                trail: Trail::Own(OwnTrail {
                    retention_days: rng.u32(90..800),
                    ..OwnTrail::default()
                }),
                topics: vec![
                    topic("alerts", &Severity::ALL[2..]),
                    topic("notices", &Severity::ALL[..2]),
                ],
                waves: Vec::new(),
                artifacts: (rng.u8(..5) == 0).then(|| artifacts(lab)),
                drift_schedule: (rng.u8(..4) == 0).then(|| "rate(1 day)".to_owned()),
            },
            made: 0,
            padding: 0,
        };
        input.waves(rng, units);
        let wordy = if input.organization.artifacts.is_some() {
            60
        } else {
            10
        };
        if rng.u8(..100) < wordy {
            input.padding = 7_000;
        }
        let most = match rng.u8(..100) {
            _ if input.padding > 0 => 20,
            0..4 => 70,
            _ => 6,
        };
        for _ in 0..rng.usize(1..=most) {
            input.add_rule(rng)?;
        }
        Ok(input)
    }

    /// The bundle, compiled for a fleet that carries rules already.
    pub(crate) fn bundle(&self, placement: &Placement) -> Result<Bundle> {
        let (bundle, diagnostics) =
            compiler::compile_onto(&self.rules, &self.organization, templates()?, placement);
        match bundle {
            Some(bundle) => Ok(bundle),
            None => bail!(
                "the random rules don't compile: {}",
                diagnostics
                    .iter()
                    .map(|diagnostic| diagnostic.message.as_str())
                    .collect::<Vec<_>>()
                    .join("; ")
            ),
        }
    }

    /// Edits the rules at random; describes the edit.
    pub(crate) fn edit_rules(&mut self, rng: &mut Rng) -> Result<String> {
        let index = rng.usize(..self.rules.len().max(1));
        match rng.u8(..10) {
            0..=2 => {
                self.add_rule(rng)?;
                return Ok("add a rule".to_owned());
            }
            3 | 4 if self.rules.len() > 1 => {
                return Ok(format!("remove rule {}", self.rules.remove(index).id));
            }
            _ => {}
        }
        let pattern = pattern(rng);
        let rule = self.rules.get_mut(index).context("no rule")?;
        Ok(match rng.u8(..3) {
            0 => {
                rule.severity = rng.choice(Severity::ALL).unwrap_or(Severity::High);
                format!("rule {} becomes {}", rule.id, rule.severity)
            }
            1 if rule.message.is_some() => {
                let word = rng.u32(..);
                rule.message = Some(message(&rule.id, word, self.padding));
                format!("rule {} gets another message", rule.id)
            }
            _ if rule.respond.is_none() => {
                rule.written_pattern = pattern.clone();
                rule.pattern = pattern;
                format!("rule {} gets another pattern", rule.id)
            }
            _ => "change nothing".to_owned(),
        })
    }

    /// Edits the organization file at random; describes the edit.
    pub(crate) fn edit_organization(&mut self, rng: &mut Rng, lab: &Lab) -> String {
        let (regions, units) = (&lab.regions, &lab.populated_units());
        let organization = &mut self.organization;
        match rng.u8(..14) {
            0..=2 => {
                let others: Vec<&String> = regions
                    .iter()
                    .filter(|region| **region != organization.home_region)
                    .collect();
                let Some(region) = rng.choice(others) else {
                    return "change nothing".to_owned();
                };
                if organization.regions.contains(region) {
                    organization.regions.retain(|known| known != region);
                    format!("{region} is no longer watched")
                } else {
                    organization.regions.push(region.clone());
                    format!("{region} is watched too")
                }
            }
            3 | 4 => {
                organization.targets.organizational_units = targets(rng, units);
                format!(
                    "targets are {}",
                    organization.targets.organizational_units.join(", ")
                )
            }
            5..=7 => {
                let Some(account) = rng.choice(lab.workloads()) else {
                    return "change nothing".to_owned();
                };
                let excluded = &mut organization.targets.exclude_accounts;
                if excluded.contains(&account) {
                    excluded.retain(|known| *known != account);
                    format!("{account} is no longer excluded")
                } else {
                    excluded.push(account.clone());
                    format!("{account} is excluded")
                }
            }
            8 => {
                organization.topology = match organization.topology {
                    Topology::Hub => Topology::Local,
                    Topology::Local => Topology::Hub,
                };
                format!("the topology becomes {:?}", organization.topology)
            }
            9 => {
                organization.forward = match organization.forward {
                    Forward::Exact => Forward::Broad,
                    Forward::Broad => Forward::Exact,
                };
                format!("forwarding becomes {:?}", organization.forward)
            }
            10 => {
                let retention_days = rng.u32(90..800);
                organization.trail = Trail::Own(OwnTrail {
                    retention_days,
                    ..OwnTrail::default()
                });
                format!("logs are kept for {retention_days} days")
            }
            11 => {
                let has_one = organization.artifacts.is_some();
                organization.artifacts = (!has_one).then(|| artifacts(lab));
                let now = if has_one { "no longer" } else { "now" };
                format!("there is {now} an artifact bucket")
            }
            12 => {
                organization.publish = match organization.publish {
                    Publish::Role => Publish::Policy,
                    Publish::Policy => Publish::Role,
                };
                format!("alerts are published by {:?}", organization.publish)
            }
            _ => {
                self.waves(rng, units);
                format!("there are {} waves", self.organization.waves.len())
            }
        }
    }

    fn add_rule(&mut self, rng: &mut Rng) -> Result<()> {
        let model = model()?;
        self.made += 1;
        let id = format!("example-rule-{:03}", self.made);
        let file = Arc::new(SourceFile::new(
            format!("rules/{id}.yaml"),
            format!("id: {id}\n"),
        ));
        let responds = rng.u8(..10) == 0;
        let pattern = if responds {
            parsed(
                r#"{"source":["aws.ec2"],"detail-type":["EC2 Instance State-change Notification"],"detail":{"state":["stopped"]}}"#,
            )
        } else {
            pattern(rng)
        };
        self.rules.push(Rule {
            title: format!("Title of {id}"),
            status: Status::Stable,
            severity: rng.choice(Severity::ALL).unwrap_or(Severity::High),
            written_pattern: pattern.clone(),
            pattern,
            read_only: rng.u8(..8) == 0,
            message: (!responds).then(|| message(&id, 0, self.padding)),
            notify: Vec::new(),
            respond: responds.then(|| Response::StartInstance {
                instance: "$.detail.instance-id".to_owned(),
                tag_key: format!("keep-running-{}", self.made),
                tag_value: "true".to_owned(),
            }),
            exceptions: Vec::new(),
            imported_from: None,
            tests: Vec::new(),
            location: SourceLocation::new(&file, Span::new(4, 4 + id.len())),
            file,
            id,
            ..model.clone()
        });
        Ok(())
    }

    fn waves(&mut self, rng: &mut Rng, units: &[String]) {
        let mut left = units.to_vec();
        rng.shuffle(&mut left);
        let count = rng.usize(..3).min(left.len());
        self.organization.waves = left
            .into_iter()
            .take(count)
            .enumerate()
            .map(|(index, unit)| Wave {
                name: format!("wave-{}", index + 1),
                organizational_units: vec![unit],
                accounts: Vec::new(),
                soak_minutes: rng.u32(..30),
            })
            .collect();
    }
}

/// The root, or some of the units.
fn targets(rng: &mut Rng, units: &[String]) -> Vec<String> {
    if units.is_empty() || rng.u8(..4) == 0 {
        return vec![ROOT.to_owned()];
    }
    let mut chosen = units.to_vec();
    rng.shuffle(&mut chosen);
    chosen.truncate(rng.usize(1..=units.len()));
    chosen.sort();
    chosen
}

/// A bucket that the deploying account may write to.
fn artifacts(lab: &Lab) -> Artifacts {
    Artifacts {
        bucket: format!("gizmos-artifacts-{MANAGEMENT}-{}", lab.home()),
        administrators: if lab.is_delegated() {
            vec![HUB.to_owned()]
        } else {
            Vec::new()
        },
    }
}

fn topic(name: &str, severities: &[Severity]) -> Topic {
    Topic {
        name: name.to_owned(),
        severities: severities.to_vec(),
        subscriptions: vec![Subscription {
            protocol: Protocol::Email,
            endpoint: format!("{name}@example.com"),
        }],
    }
}

fn message(id: &str, word: u32, padding: usize) -> Message {
    let padding = "x".repeat(padding);
    Message {
        input_paths: BTreeMap::from([("account".to_owned(), "$.account".to_owned())]),
        input_template: format!(
            r#"{{"alert": "{id}", "word": {word}, "padding": "{padding}", "account": <account>}}"#
        ),
    }
}

fn pattern(rng: &mut Rng) -> Pattern {
    let (service, calls) = rng.choice(CALLS).unwrap_or(("iam", &["CreateUser"]));
    let call = rng.choice(calls).copied().unwrap_or("CreateUser");
    let extra = if rng.bool() {
        r#","errorCode":[{"exists":false}]"#.to_owned()
    } else {
        format!(
            r#","sourceIPAddress":[{{"prefix":"198.51.100.{}"}}]"#,
            rng.u8(..)
        )
    };
    parsed(&format!(
        r#"{{"source":["aws.{service}"],"detail-type":["AWS API Call via CloudTrail"],"detail":{{"eventSource":["{service}.amazonaws.com"],"eventName":["{call}"]{extra}}}}}"#
    ))
}

#[expect(
    clippy::expect_used,
    reason = "the text is in this file; a wrong one has to stop the campaign"
)]
fn parsed(text: &str) -> Pattern {
    Pattern::parse(text).expect("a valid event pattern")
}

/// A rule of the repository. Random rules differ from it only in fields the compiler reads.
fn model() -> Result<&'static Rule> {
    static MODEL: OnceLock<Option<Rule>> = OnceLock::new();
    MODEL
        .get_or_init(|| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
            let options = rules::Options {
                // The date on which the simulator starts.
                today: jiff::civil::date(2026, 11, 23),
            };
            rules::load(&folder, &options).rules.into_iter().next()
        })
        .as_ref()
        .context("the rules in `rules/` can't be loaded; `cargo xtask check` says why")
}

fn templates() -> Result<&'static Templates> {
    static TEMPLATES: OnceLock<Option<Templates>> = OnceLock::new();
    TEMPLATES
        .get_or_init(|| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stacksets");
            Templates::load(&folder).ok()
        })
        .as_ref()
        .context("the templates in `stacksets/` can't be loaded; `cargo xtask check` says why")
}
