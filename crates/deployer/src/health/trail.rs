//! The trail: whether it logs, and whether it records every management event of every account.
//!
//! Of a trail that somebody else deployed, only what feeds the rules is judged: its key, its bucket and
//! the validation of its log files are its owner's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use compiler::organization::Organization;
use compiler::{Bundle, Needs, StackSet};
use futures::{StreamExt, stream};
use remedy::Remedy;

use super::{AT_ONCE, BrokenLink, Fault, Inspection, Link};
use crate::code::DriftCode;
use crate::fleet::Scope;
use crate::ports::{
    Account, AccountState, Cloud, EventSelectors, FieldSelector, Location, TrailStatus,
};
use crate::restore::in_account;

/// Most members besides the hub that are asked about an existing trail.
const SAMPLE: usize = 3;
/// Most rules that a message names.
const NAMED: usize = 5;
/// Beginning of the names of AWS Control Tower's trails.
const CONTROL_TOWER: &str = "aws-controltower-";

/// Parameter of the trail's template: ARN of the alias of the bucket's key.
const ALIAS: &str = "KeyAliasArn";

/// Inspects the trail. `fix` restores what its template sets.
pub(super) async fn trail(
    cloud: &impl Cloud,
    organization: &Organization,
    set: &StackSet,
    location: &Location,
    fix: &Remedy,
) -> Inspection {
    let mut found = Inspection::default();
    let name = organization.trail_name();
    let link = Link {
        name: format!("trail {name}"),
        location,
    };
    match cloud.trail_status(location, name).await {
        Ok(Some(status)) => {
            found.faults = faults(&link, &status, fix);
            let alias = set.parameters.get(ALIAS).map(String::as_str);
            found.faults.extend(key_fault(&link, &status, alias));
        }
        Ok(None) => found.faults.push(link.fault(
            DriftCode::TrailMissing,
            "the trail does not exist",
            ("a trail", "none"),
            fix.clone(),
        )),
        Err(error) => found.unreadable.push(link.unreadable(&error)),
    }
    found
}

fn faults(link: &Link<'_>, status: &TrailStatus, fix: &Remedy) -> Vec<Fault> {
    let mut faults = Vec::new();
    let Location { account, region } = link.location;
    if !status.logging {
        let command = format!(
            "cloudtrail start-logging --name {} --region {region}",
            status.arn
        );
        faults.push(
            link.fault(
                DriftCode::TrailStopped,
                "the trail is not logging, so no API call becomes an event",
                ("logging", "stopped"),
                Remedy::from("find out who stopped it and why; then ")
                    .and(in_account(account, &command)),
            ),
        );
    }
    let settings = [
        (
            status.multi_region,
            DriftCode::TrailScope,
            "the trail is not a multi-Region trail",
            ("every Region", "one Region"),
        ),
        (
            status.organization,
            DriftCode::TrailScope,
            "the trail is not an organization trail",
            ("every account", "one account"),
        ),
        (
            status.log_file_validation,
            DriftCode::TrailValidation,
            "log file validation is off, so changes to log files go unnoticed",
            ("validation on", "validation off"),
        ),
    ];
    for (good, code, message, values) in settings {
        if !good {
            faults.push(link.fault(code, message, values, fix.clone()));
        }
    }
    if !status.global_services {
        faults.push(link.fault(
            DriftCode::TrailScope,
            "the trail leaves out the events of global services",
            ("every service", "no global services"),
            fix.clone(),
        ));
    }
    if let Some(missing) = missing_events(&status.selectors) {
        faults.push(link.fault(
            DriftCode::TrailEvents,
            format!("the trail's event selectors leave out {missing}, which never become events"),
            ("all management events", format!("all but {missing}")),
            fix.clone(),
        ));
    }
    if let Some(error) = &status.delivery_error {
        faults.push(link.fault(
            DriftCode::TrailDelivery,
            format!("log files do not reach the bucket: {error}"),
            ("no delivery error", error),
            "check the bucket's policy and key: the difference of gizmos-bucket, if there is one, \
             says how to restore them",
        ));
    }
    faults
}

/// Inspects the settings of a trail that somebody else deployed, and whether it logs in every watched
/// Region and in these members. The status is that of its home Region, if that is in scope and there is
/// such a trail.
pub(crate) async fn existing(
    cloud: &impl Cloud,
    bundle: &Bundle,
    sample: &BTreeSet<String>,
    scope: &Scope,
) -> (Inspection, Option<TrailStatus>) {
    let organization = &bundle.organization;
    let arn = organization.trail_arn();
    let home = Location::new(
        &organization.accounts.management,
        organization.trail_region(),
    );
    let start = start(organization, &home);
    let mut found = Inspection::default();
    let mut status = None;
    if scope.covers(&home) {
        let link = link(organization, &home);
        match cloud.trail_status(&home, &arn).await {
            Ok(Some(read)) => {
                found.faults = existing_faults(&link, &read, &bundle.needs, &start);
                found.warnings.extend(undelivered(&link, &read));
                status = Some(read);
            }
            Ok(None) => {
                found.faults.push(link.fault(
                    DriftCode::TrailMissing,
                    "the existing trail does not exist, so no API call becomes an event",
                    ("a trail", "none"),
                    format!(
                        "correct `trail` in the organization file: `aws cloudtrail describe-trails \
                         --region {}` lists the trails",
                        home.region
                    ),
                ));
                return (found, None);
            }
            Err(error) => {
                found.unreadable.push(link.unreadable(&error));
                return (found, None);
            }
        }
    }
    // A fault of the whole trail explains every Region.
    if status
        .as_ref()
        .is_none_or(|it| it.logging && it.multi_region)
    {
        // A Region that isn't enabled has no answer, and no events.
        let enabled = cloud.enabled_regions().await.ok().flatten();
        let is_on = |region: &str| {
            enabled
                .as_ref()
                .is_none_or(|it| it.iter().any(|on| on == region))
        };
        let regions = organization.regions.iter();
        let regions = regions.filter(|region| **region != home.region && is_on(region));
        let locations = regions.map(|region| Location::new(&home.account, region));
        let code = DriftCode::TrailStopped;
        found.merge(logs_at(cloud, organization, locations, scope, code, &start).await);
    }
    if found.faults.is_empty() {
        found.merge(members(cloud, organization, sample, scope).await);
    }
    (found, status)
}

/// Inspects whether a trail that somebody else deployed logs in these member accounts.
pub(crate) async fn members(
    cloud: &impl Cloud,
    organization: &Organization,
    members: &BTreeSet<String>,
    scope: &Scope,
) -> Inspection {
    let region = organization.trail_region();
    let locations = members.iter().map(|id| Location::new(id, region));
    let fix = Remedy::from(format!(
        "ask the trail's owner why: {} must be an organization trail, and the account a member",
        organization.trail_arn()
    ));
    logs_at(
        cloud,
        organization,
        locations,
        scope,
        DriftCode::TrailScope,
        &fix,
    )
    .await
}

/// The hub and a few other active members, far apart in the list of accounts.
pub(crate) fn sample(organization: &Organization, accounts: &[Account]) -> BTreeSet<String> {
    let active: Vec<&str> = accounts
        .iter()
        .filter(|account| account.state == AccountState::Active)
        .map(|account| account.id.as_str())
        .filter(|id| *id != organization.accounts.management)
        .collect();
    let step = active.len().div_ceil(SAMPLE).max(1);
    let sampled = active.into_iter().step_by(step).take(SAMPLE);
    let hub = organization.accounts.hub.as_str();
    sampled.chain([hub]).map(str::to_owned).collect()
}

/// The trail seen from a location.
fn link<'l>(organization: &Organization, location: &'l Location) -> Link<'l> {
    Link {
        name: format!("trail {}", organization.trail_name()),
        location,
    }
}

/// Asks each location whether the trail logs there.
async fn logs_at(
    cloud: &impl Cloud,
    organization: &Organization,
    locations: impl Iterator<Item = Location>,
    scope: &Scope,
    code: DriftCode,
    fix: &Remedy,
) -> Inspection {
    let arn = &organization.trail_arn();
    let locations: Vec<Location> = locations.filter(|it| scope.covers(it)).collect();
    let answers: Vec<_> = stream::iter(&locations)
        .map(|location| async move { (location, cloud.trail_logs(location, arn).await) })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut found = Inspection::default();
    for (location, answer) in answers {
        let link = link(organization, location);
        let (message, actual) = match answer {
            Ok(Some(true)) => continue,
            Ok(Some(false)) => (
                "the trail does not log here, so no API call becomes an event",
                "stopped",
            ),
            Ok(None) => (
                "there is no such trail here, so no API call becomes an event",
                "none",
            ),
            Err(error) => {
                found.unreadable.push(link.unreadable(&error));
                continue;
            }
        };
        found
            .faults
            .push(link.fault(code, message, ("logging", actual), fix.clone()));
    }
    found
}

/// What the owner of a trail can do: nobody else should.
fn owner(account: &str, command: &str) -> Remedy {
    Remedy::from("Gizmos doesn't change this trail; ask its owner: ")
        .and(in_account(account, command))
}

/// Starts a trail in all Regions.
fn start(organization: &Organization, home: &Location) -> Remedy {
    let name = organization.trail_name();
    let command = format!(
        "cloudtrail start-logging --name {} --region {}",
        organization.trail_arn(),
        home.region
    );
    let fix = owner(&home.account, &command);
    if name.starts_with(CONTROL_TOWER) {
        fix.words(", or turn on CloudTrail in the landing zone of AWS Control Tower")
    } else {
        fix
    }
}

fn existing_faults(
    link: &Link<'_>,
    status: &TrailStatus,
    needs: &BTreeMap<String, Needs>,
    start: &Remedy,
) -> Vec<Fault> {
    let Location { account, region } = link.location;
    let which = format!("--name {} --region {region}", status.arn);
    let mut faults = Vec::new();
    if !status.logging {
        faults.push(link.fault(
            DriftCode::TrailStopped,
            "the trail is not logging, so no API call becomes an event",
            ("logging", "stopped"),
            start.clone(),
        ));
    }
    let settings = [
        (
            status.multi_region,
            "the trail is not a multi-Region trail",
            ("every Region", "one Region"),
            "--is-multi-region-trail",
        ),
        (
            status.organization,
            "the trail is not an organization trail",
            ("every account", "one account"),
            "--is-organization-trail",
        ),
        (
            status.global_services,
            "the trail leaves out the events of global services, such as IAM",
            ("every service", "no global services"),
            "--include-global-service-events",
        ),
    ];
    for (good, message, values, option) in settings {
        if !good {
            let fix = owner(
                account,
                &format!("cloudtrail update-trail {which} {option}"),
            );
            faults.push(link.fault(DriftCode::TrailScope, message, values, fix));
        }
    }
    if let Some(missing) = missing_events(&status.selectors)
        && let Some(blind) = blind(&missing, needs)
    {
        // Writing selectors replaces those for data events, too, so there is no command to paste.
        let fix = format!(
            "Gizmos doesn't change this trail; ask its owner to record all management events: in account \
             {account}, `aws cloudtrail get-event-selectors --trail-name {} --region {region}` prints the \
             selectors, and `aws cloudtrail put-event-selectors` replaces them all",
            status.arn
        );
        faults.push(link.fault(
            DriftCode::TrailEvents,
            format!(
                "the trail's event selectors leave out {missing}, which never become events: {blind} \
                 can't raise an alert for them"
            ),
            ("all management events", format!("all but {missing}")),
            fix,
        ));
    }
    faults
}

/// A failing delivery of log files, which events don't depend on.
fn undelivered(link: &Link<'_>, status: &TrailStatus) -> Option<BrokenLink> {
    let error = status.delivery_error.as_ref()?;
    Some(BrokenLink {
        link: link.name.clone(),
        location: link.location.clone(),
        message: format!("log files do not reach the bucket: {error}"),
        fix: "ask the trail's owner to check the policies of its bucket and key".into(),
    })
}

/// The rules that miss events, in words; `None` if no rule is about them.
fn blind(missing: &Missing, needs: &BTreeMap<String, Needs>) -> Option<String> {
    let is_blind = |needs: &Needs| match missing {
        Missing::All => true,
        Missing::Reads => needs.reads,
        Missing::Writes => !needs.reads,
        Missing::Sources(left_out) => {
            needs.sources.is_empty() || needs.sources.iter().any(|it| left_out.contains(it))
        }
    };
    // Those that are about nothing else come first.
    let mut rules: Vec<(&String, &Needs)> = needs.iter().filter(|(_, it)| is_blind(it)).collect();
    rules.sort_by_key(|(id, needs)| (needs.sources.is_empty(), *id));
    let named: Vec<&str> = rules
        .iter()
        .take(NAMED)
        .map(|(id, _)| id.as_str())
        .collect();
    let more = rules.len() - named.len();
    match (named.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(named.join(", ")),
        (false, more) => Some(format!("{} and {more} more rules", named.join(", "))),
    }
}

/// CloudFormation never compares a trail's key. CloudTrail reports the key's ARN, whatever the
/// template names.
fn key_fault(link: &Link<'_>, status: &TrailStatus, alias: Option<&str>) -> Option<Fault> {
    let alias = alias?;
    let (prefix, _) = alias.split_once(":alias/")?;
    let of_the_account = |key: &str| key.starts_with(&format!("{prefix}:key/"));
    if status.key.as_deref().is_some_and(of_the_account) {
        return None;
    }
    let Location { account, region } = link.location;
    let command = format!(
        "cloudtrail update-trail --name {} --kms-key-id {alias} --region {region}",
        status.arn
    );
    let (message, actual) = match &status.key {
        Some(key) => (
            "log files are encrypted with a key of another account or Region",
            key.as_str(),
        ),
        None => ("log files are not encrypted with the bucket's key", "none"),
    };
    Some(link.fault(
        DriftCode::TrailKey,
        message,
        (format!("the key of {alias}"), actual),
        Remedy::from("find out who did it and why; then ").and(in_account(account, &command)),
    ))
}

/// Management events.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Calls {
    Read,
    Write,
}

/// Management events that a trail leaves out.
#[derive(Debug, PartialEq, Eq)]
enum Missing {
    All,
    Reads,
    Writes,
    Sources(Vec<String>),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all management events"),
            Self::Reads => f.write_str("read-only management events"),
            Self::Writes => f.write_str("all management events that change something"),
            Self::Sources(sources) => write!(f, "events of {}", sources.join(", ")),
        }
    }
}

/// The management events that no selector includes.
///
/// AWS: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-management-events-with-cloudtrail.html>
fn missing_events(selectors: &EventSelectors) -> Option<Missing> {
    let EventSelectors { basic, advanced } = selectors;
    if basic.is_empty() && advanced.is_empty() {
        return None;
    }
    // Sources left out by each selector that includes these calls; a source is recorded if one of
    // the selectors doesn't leave it out.
    let excluded = |calls: Calls| {
        let kind = match calls {
            Calls::Read => "ReadOnly",
            Calls::Write => "WriteOnly",
        };
        let basic = basic
            .iter()
            .filter(|it| it.management_events)
            .filter(|it| it.read_write_type == "All" || it.read_write_type == kind)
            .map(|it| it.excluded_sources.clone());
        let advanced = advanced
            .iter()
            .filter_map(|fields| excluded_sources(fields, calls));
        basic.chain(advanced).reduce(|mut all, other| {
            all.retain(|source| other.contains(source));
            all
        })
    };
    match (excluded(Calls::Read), excluded(Calls::Write)) {
        (None, None) => Some(Missing::All),
        (None, Some(_)) => Some(Missing::Reads),
        (Some(_), None) => Some(Missing::Writes),
        (Some(mut sources), Some(others)) => {
            sources.extend(others);
            sources.sort();
            sources.dedup();
            (!sources.is_empty()).then_some(Missing::Sources(sources))
        }
    }
}

/// The sources that an advanced selector leaves out; `None` if it doesn't include all other
/// management events of this kind.
fn excluded_sources(fields: &[FieldSelector], calls: Calls) -> Option<Vec<String>> {
    let mut excluded = Vec::new();
    let mut management = false;
    for field in fields {
        let FieldSelector {
            field: name,
            equals,
            not_equals,
            others,
        } = field;
        let (equals_any, not_equals_any) = (!equals.is_empty(), !not_equals.is_empty());
        match name.as_str() {
            _ if *others => return None,
            "eventCategory" => management = equals.iter().any(|it| it == "Management"),
            "readOnly" => {
                let wanted = if calls == Calls::Read {
                    "true"
                } else {
                    "false"
                };
                let included = !equals_any || equals.iter().any(|it| it == wanted);
                if !included || not_equals.iter().any(|it| it == wanted) {
                    return None;
                }
            }
            "eventSource" if not_equals_any && !equals_any => {
                excluded.extend(not_equals.iter().cloned());
            }
            _ => return None,
        }
    }
    management.then_some(excluded)
}

#[cfg(test)]
mod tests {
    use compiler::organization::{ExistingTrail, Trail};

    use super::*;
    use crate::fake::{ARCHIVE, Fake, HOME, HUB, MANAGEMENT};
    use crate::ports::BasicSelector;

    fn basic(kind: &str, management_events: bool, excluded: &[&str]) -> EventSelectors {
        EventSelectors {
            basic: vec![BasicSelector {
                read_write_type: kind.to_owned(),
                management_events,
                excluded_sources: excluded.iter().map(|it| (*it).to_owned()).collect(),
            }],
            advanced: Vec::new(),
        }
    }

    fn advanced(fields: &[(&str, &str, bool)]) -> EventSelectors {
        let mut all = vec![("eventCategory", "Management", true)];
        all.extend(fields);
        let fields = all.into_iter().map(|(field, value, equals)| {
            let values = vec![value.to_owned()];
            let (equals, not_equals) = if equals {
                (values, Vec::new())
            } else {
                (Vec::new(), values)
            };
            FieldSelector {
                field: field.to_owned(),
                equals,
                not_equals,
                others: false,
            }
        });
        EventSelectors {
            basic: Vec::new(),
            advanced: vec![fields.collect()],
        }
    }

    #[test]
    fn a_trail_that_records_all_management_events_misses_none() {
        assert_eq!(missing_events(&EventSelectors::default()), None);
        assert_eq!(missing_events(&basic("All", true, &[])), None);
        assert_eq!(missing_events(&advanced(&[])), None);
        let mut both = basic("ReadOnly", true, &[]);
        both.basic.extend(basic("WriteOnly", true, &[]).basic);
        assert_eq!(missing_events(&both), None);
    }

    #[test]
    fn a_narrowed_trail_says_what_it_misses() {
        for (selectors, missing) in [
            (basic("All", false, &[]), "all management events"),
            (
                basic("ReadOnly", true, &[]),
                "all management events that change something",
            ),
            (basic("WriteOnly", true, &[]), "read-only management events"),
            (
                basic("All", true, &["kms.amazonaws.com"]),
                "events of kms.amazonaws.com",
            ),
            (
                advanced(&[("readOnly", "true", true)]),
                "all management events that change something",
            ),
            (
                advanced(&[("eventName", "ConsoleLogin", true)]),
                "all management events",
            ),
            (
                advanced(&[("eventSource", "kms.amazonaws.com", false)]),
                "events of kms.amazonaws.com",
            ),
        ] {
            assert_eq!(missing_events(&selectors).unwrap().to_string(), missing);
        }
    }

    #[test]
    fn rules_that_a_trail_blinds_are_named_and_others_are_not() {
        let needs = |reads: bool, sources: &[&str]| Needs {
            reads,
            sources: sources.iter().map(|it| (*it).to_owned()).collect(),
        };
        let all = BTreeMap::from([
            ("any".to_owned(), needs(false, &[])),
            ("keys".to_owned(), needs(false, &["kms.amazonaws.com"])),
            ("reads".to_owned(), needs(true, &["s3.amazonaws.com"])),
        ]);
        let sources = |source: &str| Missing::Sources(vec![source.to_owned()]);
        for (missing, named) in [
            (Missing::All, "keys, reads, any"),
            (Missing::Reads, "reads"),
            (Missing::Writes, "keys, any"),
            (sources("kms.amazonaws.com"), "keys, any"),
            (sources("rdsdata.amazonaws.com"), "any"),
        ] {
            assert_eq!(blind(&missing, &all).as_deref(), Some(named));
        }
        let without_reads =
            BTreeMap::from([("keys".to_owned(), needs(false, &["kms.amazonaws.com"]))]);
        assert_eq!(blind(&Missing::Reads, &without_reads), None);
        assert_eq!(
            blind(&sources("rdsdata.amazonaws.com"), &without_reads),
            None
        );
    }

    #[test]
    fn a_stopped_trail_of_control_tower_has_a_switch_in_the_landing_zone() {
        let mut organization = crate::fake::bundle().organization;
        let home = Location::new("111122223333", "eu-central-1");
        for (name, is_control_tower) in [
            ("audit", false),
            ("aws-controltower-BaselineCloudTrail", true),
        ] {
            let arn = format!("arn:aws:cloudtrail:eu-central-1:111122223333:trail/{name}");
            organization.trail = Trail::Existing(ExistingTrail {
                arn: arn.clone(),
                bucket: None,
            });
            let fix = start(&organization, &home).to_string();
            let command =
                format!("`aws cloudtrail start-logging --name {arn} --region eu-central-1`");
            assert!(fix.contains(&command), "{fix}");
            assert_eq!(fix.contains("AWS Control Tower"), is_control_tower, "{fix}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn members_and_regions_in_which_an_existing_trail_does_not_log_are_named() {
        let arn = format!("arn:aws:cloudtrail:{HOME}:{MANAGEMENT}:trail/audit");
        let mut bundle = crate::fake::bundle();
        bundle.organization.trail = Trail::Existing(ExistingTrail {
            arn: arn.clone(),
            bucket: None,
        });
        let cloud = Fake::new();
        cloud.state().trail = Some(TrailStatus {
            arn,
            key: None,
            bucket: None,
            selectors: EventSelectors::default(),
            logging: true,
            multi_region: true,
            global_services: true,
            organization: true,
            log_file_validation: false,
            delivery_error: None,
        });
        let look = async || {
            let sample = sample(&bundle.organization, &[]);
            let found = existing(&cloud, &bundle, &sample, &Scope::default())
                .await
                .0;
            let faults = found.faults.into_iter();
            let faults = faults.map(|fault| (fault.code, fault.link.location.to_string()));
            faults.collect::<Vec<_>>()
        };
        assert_eq!(look().await, []);
        let hub = Location::new(HUB, HOME);
        cloud.state().trail_off.insert(hub.clone());
        assert_eq!(look().await, [(DriftCode::TrailScope, hub.to_string())]);
        // A Region without the trail explains its members.
        let elsewhere = Location::new(MANAGEMENT, "us-east-1");
        cloud.state().trail_off.insert(elsewhere.clone());
        assert_eq!(
            look().await,
            [(DriftCode::TrailStopped, elsewhere.to_string())]
        );
    }

    #[test]
    fn a_sample_has_the_hub_and_few_active_members_of_many() {
        let organization = crate::fake::bundle().organization;
        let account = |id: String| Account {
            id,
            name: "shop".to_owned(),
            state: AccountState::Active,
            path: Vec::new(),
        };
        let ids = |accounts: &[Account]| {
            sample(&organization, accounts)
                .into_iter()
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(&[]), [HUB]);
        let mut few = vec![account(MANAGEMENT.to_owned()), account(ARCHIVE.to_owned())];
        assert_eq!(ids(&few), [ARCHIVE, HUB]);
        few[1].state = AccountState::Suspended;
        assert_eq!(ids(&few), [HUB]);
        let many: Vec<Account> = (0..100).map(|it| account(format!("4{it:011}"))).collect();
        let sampled = ids(&many);
        assert_eq!(sampled.len(), SAMPLE + 1);
        assert_eq!(
            sampled[1..],
            ["400000000000", "400000000034", "400000000068"]
        );
    }
}
