//! Names on AWS: services and their operations, events that aren't API calls, Regions.
//!
//! `cargo xtask event-names` generates `data/event-names.txt` from botocore's service models;
//! `data/other-event-names.txt` is written by hand and cites its sources.

use std::collections::HashMap;
use std::sync::LazyLock;

const OPERATIONS: &str = include_str!("../../data/event-names.txt");
const OTHERS: &str = include_str!("../../data/other-event-names.txt");

/// All Regions of the public partitions, including China, `GovCloud` and the European Sovereign Cloud, as in
/// botocore 1.44.8 of November 2026.
pub const REGIONS: [&str; 41] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "me-west-1",
    "mx-central-1",
    "sa-east-1",
    "sa-west-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// The event names of one service.
#[derive(Clone, Debug, Default)]
struct Service {
    /// Names of operations.
    calls: Vec<&'static str>,
    /// Names of events that aren't operations, and CloudTrail's deviating names of operations.
    others: Vec<&'static str>,
    /// Names of operations that are data events.
    data: Vec<&'static str>,
}

static SERVICES: LazyLock<HashMap<&'static str, Service>> = LazyLock::new(|| {
    let mut services: HashMap<&str, Service> = HashMap::new();
    for (name, names) in lines(OPERATIONS) {
        services.entry(name).or_default().calls.extend(names);
    }
    let mut same = Vec::new();
    for (name, names) in lines(OTHERS) {
        if let Some(name) = name.strip_suffix(" data") {
            services.entry(name).or_default().data.extend(names);
        } else if let Some(name) = name.strip_suffix(" is") {
            same.extend(names.map(|other| (name, other)));
        } else {
            services.entry(name).or_default().others.extend(names);
        }
    }
    for (name, other) in same {
        let service = services.get(other).cloned().unwrap_or_default();
        let known = services.entry(name).or_default();
        known.calls.extend(service.calls);
        known.data.extend(service.data);
    }
    services
});

/// Parses `name: word word …` from every line that isn't a comment.
fn lines(
    table: &'static str,
) -> impl Iterator<Item = (&'static str, std::str::SplitWhitespace<'static>)> {
    table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
        .map(|(name, names)| (name, names.split_whitespace()))
}

/// The service of an `eventSource`: `iam` of `iam.amazonaws.com`.
pub(super) fn service_of(event_source: &str) -> &str {
    event_source
        .strip_suffix(".amazonaws.com")
        .unwrap_or(event_source)
}

/// Whether the `eventSource` is known.
pub(super) fn is_source(event_source: &str) -> bool {
    event_source.ends_with(".amazonaws.com") && SERVICES.contains_key(service_of(event_source))
}

/// All known values of `eventSource`.
pub(super) fn sources() -> Vec<String> {
    let mut names: Vec<String> = SERVICES
        .keys()
        .map(|name| format!("{name}.amazonaws.com"))
        .collect();
    names.sort();
    names
}

/// Whether a service has this name.
pub(super) fn is_service(service: &str) -> bool {
    SERVICES.contains_key(service)
}

/// Whether the service has an event of this name, with or without the API version as suffix.
pub(super) fn is_event(service: &str, name: &str) -> bool {
    SERVICES.get(service).is_some_and(|service| {
        let plain = without_version(name);
        service.others.contains(&name)
            || service.calls.contains(&name)
            || service.data.contains(&name)
            || (plain != name && service.calls.contains(&plain))
    })
}

/// Whether an event name of the service has this prefix.
pub(super) fn is_beginning(service: &str, prefix: &str) -> bool {
    events(service).any(|name| name.starts_with(prefix) || prefix.starts_with(name))
}

/// The event names of a service.
pub(super) fn events(service: &str) -> impl Iterator<Item = &'static str> {
    SERVICES.get(service).into_iter().flat_map(|service| {
        let all = service.calls.iter().chain(&service.others);
        all.chain(&service.data).copied()
    })
}

/// Up to three services that have an event of this name, sorted by name.
pub(super) fn services_with(name: &str) -> Vec<&'static str> {
    let mut found: Vec<&str> = SERVICES
        .keys()
        .copied()
        .filter(|service| is_event(service, name))
        .collect();
    found.sort_unstable();
    found.truncate(3);
    found
}

/// Whether it is a data event, which only a trail that selects it records.
pub(super) fn is_data_event(service: &str, name: &str) -> bool {
    SERVICES
        .get(service)
        .is_some_and(|service| service.data.contains(&name))
}

/// Calls that are named like read-only calls but recorded with `readOnly` false. `EventBridge`
/// goes by both, so it delivers these.
const NOT_MARKED: [(&str, &str); 1] = [("signin", "GetSigninToken")];

/// Whether `EventBridge` withholds the call from rules without `read_only: true`, as far as a name
/// tells: it assumes that a call of such a name is marked `readOnly`.
pub(crate) fn is_read_only(service: &str, name: &str) -> bool {
    cloudtrail::is_reading_name(service, name)
        && !NOT_MARKED.contains(&(service, name))
        && !is_data_event(service, name)
}

/// The recorded name, if CloudTrail adds the API version: `AddPermission20150331v2` for
/// `AddPermission`.
pub(super) fn versioned(service: &str, name: &str) -> Option<&'static str> {
    SERVICES
        .get(service)?
        .others
        .iter()
        // The last match in the list is the version that CloudTrail writes today.
        .rfind(|other| **other != name && without_version(other) == name)
        .copied()
}

/// Removes the version suffix from names such as `AddPermission20150331v2` and
/// `PublishFunction2020_05_31`.
fn without_version(name: &str) -> &str {
    let plain = match name.rsplit_once('v') {
        Some((plain, digits))
            if !digits.is_empty()
                && digits.len() <= 2
                && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            plain
        }
        _ => name,
    };
    let short = plain.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_');
    if plain.len() - short.len() >= 8 {
        short
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_dates() {
        assert_eq!(without_version("AddPermission20150331v2"), "AddPermission");
        assert_eq!(
            without_version("PublishFunction2020_05_31"),
            "PublishFunction"
        );
        assert_eq!(without_version("ListObjectsV2"), "ListObjectsV2");
        assert_eq!(without_version("CreateVpc"), "CreateVpc");
        assert_eq!(
            without_version("GetRegionOptStatus2"),
            "GetRegionOptStatus2"
        );
    }

    #[test]
    fn the_tables_have_calls_and_other_events() {
        assert!(is_event("iam", "CreateAccessKey"));
        assert!(is_event("signin", "ConsoleLogin"));
        assert!(is_event("s3", "PutBucketPublicAccessBlock"));
        assert!(is_event("lambda", "UpdateFunctionCode20150331v2"));
        assert!(!is_event("iam", "createaccesskey"));
        assert!(!is_event("route53", "TransferDomainToAnotherAwsAccount"));
        assert!(is_data_event("s3", "GetObject") && !is_data_event("s3", "GetBucketAcl"));
        assert!(is_read_only("kms", "DescribeKey") && !is_read_only("sts", "GetSessionToken"));
        assert!(!is_read_only("s3", "GetObject"));
        assert!(!is_read_only("signin", "GetSigninToken"));
        assert_eq!(
            versioned("lambda", "AddPermission"),
            Some("AddPermission20150331v2")
        );
        assert_eq!(services_with("StopLogging"), ["cloudtrail"]);
        // Every line of the tables parses, and every name after `is` exists.
        let unread = OPERATIONS
            .lines()
            .chain(OTHERS.lines())
            .filter(|line| !line.is_empty() && !line.starts_with('#') && !line.contains(": "));
        assert_eq!(unread.count(), 0);
        assert!(SERVICES.values().all(|service| {
            !(service.calls.is_empty() && service.others.is_empty() && service.data.is_empty())
        }));
        assert!(SERVICES.len() > 300);
    }
}
