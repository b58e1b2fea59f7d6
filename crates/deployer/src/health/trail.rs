//! The trail: whether it logs, and whether it records every management event of every account.

use compiler::StackSet;
use compiler::organization::Organization;
use remedy::Remedy;

use super::{Fault, Inspection, Link};
use crate::code::DriftCode;
use crate::ports::{Cloud, EventSelectors, FieldSelector, Location, TrailStatus};
use crate::restore::in_account;

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
    let name = &organization.trail.name;
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

/// The management events that no selector includes, in words.
///
/// AWS: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-management-events-with-cloudtrail.html>
fn missing_events(selectors: &EventSelectors) -> Option<String> {
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
        (None, None) => Some("all management events".to_owned()),
        (None, Some(_)) => Some("read-only management events".to_owned()),
        (Some(_), None) => Some("all management events that change something".to_owned()),
        (Some(mut sources), Some(others)) => {
            sources.extend(others);
            sources.sort();
            sources.dedup();
            (!sources.is_empty()).then(|| format!("events of {}", sources.join(", ")))
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
    use super::*;
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
            assert_eq!(missing_events(&selectors).as_deref(), Some(missing));
        }
    }
}
