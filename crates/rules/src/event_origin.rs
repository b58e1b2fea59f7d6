//! Where a pattern's events come from: from CloudTrail or not, and in which Regions they appear.

use cloudtrail::envelope::{SIGN_IN, SIGN_IN_IN_GUIDE, is_from_cloudtrail};
use eventbridge_pattern::Pattern;
use serde_json::Value;

/// The Region in which global services record their events.
pub const GLOBAL_REGION: &str = "us-east-1";

/// Regions in which console sign-ins appear, wherever the user is: root users in us-east-1, and IAM
/// users of the global endpoint in any of these, by the cookie of an account alias. Regional
/// endpoints record in their own Region.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aws-console-sign-in-events.html>
pub const SIGN_IN_REGIONS: [&str; 4] = ["us-east-1", "us-east-2", "eu-north-1", "ap-southeast-2"];

/// Services whose events are recorded in us-east-1 only, wherever the call is made.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html>
pub(crate) const GLOBAL_SERVICES: [&str; 5] = [
    "cloudfront",
    "iam",
    "organizations",
    "route53",
    "route53domains",
];

/// Further services some or all of whose events appear in us-east-1: those of accounts, and calls to
/// the global endpoint of STS.
const ALSO_GLOBAL: [&str; 6] = ["account", "billing", "health", "shield", "sts", "support"];

/// Fields that only CloudTrail's records have.
const FIELDS_OF_RECORDS: [&str; 5] = [
    "eventName",
    "eventSource",
    "eventType",
    "recipientAccountId",
    "userIdentity",
];

/// Regions in which events appear that don't depend on where the caller works.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FixedRegions {
    /// The events, as the subject of a sentence: `console sign-ins`.
    pub what: &'static str,
    /// Where some of them appear.
    pub regions: Vec<&'static str>,
}

/// The Regions in which a pattern's events appear wherever the caller works; empty if they appear
/// where the resource is, or if the pattern asks for other Regions.
///
/// ```
/// use eventbridge_pattern::Pattern;
///
/// let pattern = Pattern::parse(r#"{"source": ["aws.iam"]}"#)?;
/// let fixed = rules::fixed_regions(&pattern);
/// assert_eq!(fixed[0].regions, ["us-east-1"]);
/// let pattern = Pattern::parse(r#"{"source": ["aws.ec2"]}"#)?;
/// assert!(rules::fixed_regions(&pattern).is_empty());
/// # Ok::<(), eventbridge_pattern::PatternError>(())
/// ```
pub fn fixed_regions(pattern: &Pattern) -> Vec<FixedRegions> {
    let asked = ["region", "detail.awsRegion"].map(|path| pattern.exact_values(path));
    let of = |what, regions: &[&'static str]| {
        let regions = regions.iter().copied().filter(|region| {
            let is_among = |list: &Vec<String>| list.iter().any(|it| it == region);
            asked.iter().flatten().all(is_among)
        });
        FixedRegions {
            what,
            regions: regions.collect(),
        }
    };
    let mut found = Vec::new();
    if may_be_global(pattern) {
        found.push(of("events of global services", &[GLOBAL_REGION]));
    }
    if may_be_sign_in(pattern) {
        let only_root = pattern
            .exact_values("detail.userIdentity.type")
            .is_some_and(|types| types.iter().all(|it| it == "Root"));
        found.push(if only_root {
            of("sign-ins of root users", &[GLOBAL_REGION])
        } else {
            of("console sign-ins", &SIGN_IN_REGIONS)
        });
    }
    found.retain(|it| !it.regions.is_empty());
    found
}

/// Whether all events of a pattern carry a CloudTrail record: by their detail type, or since the
/// pattern asks for a field that only records have.
pub fn are_records(pattern: &Pattern) -> bool {
    if let Some(types) = pattern.exact_values("detail-type") {
        return types.iter().all(|it| is_from_cloudtrail(it));
    }
    let Ok(root) = serde_json::from_str::<Value>(pattern.text()) else {
        return false;
    };
    let detail = root.get("detail").and_then(Value::as_object);
    detail.is_some_and(|detail| {
        FIELDS_OF_RECORDS
            .iter()
            .any(|field| detail.get(*field).is_some_and(is_asked_for))
    })
}

/// Whether terms or fields match only if there is such a field.
fn is_asked_for(terms: &Value) -> bool {
    match terms {
        Value::Array(terms) => !terms
            .iter()
            .any(|term| term.get("exists") == Some(&Value::Bool(false))),
        Value::Object(fields) => fields.values().any(is_asked_for),
        _ => false,
    }
}

/// The services whose events the pattern can match; `None` if it pins none.
fn services(pattern: &Pattern) -> Option<Vec<String>> {
    let without = |texts: Vec<String>, strip: fn(&str) -> Option<&str>| {
        let names = texts.iter().filter_map(|text| strip(text));
        names.map(str::to_owned).collect()
    };
    let records = pattern.exact_values("detail.eventSource");
    if let Some(sources) = records {
        return Some(without(sources, |it| it.strip_suffix(".amazonaws.com")));
    }
    let sources = pattern.exact_values("source")?;
    Some(without(sources, |it| it.strip_prefix("aws.")))
}

fn may_be_global(pattern: &Pattern) -> bool {
    match services(pattern) {
        Some(services) => services.iter().any(|service| {
            GLOBAL_SERVICES.contains(&service.as_str()) || ALSO_GLOBAL.contains(&service.as_str())
        }),
        // A rule about any service, such as one about the root user.
        None => pattern
            .exact_values("detail-type")
            .is_none_or(|types| types.iter().any(|it| is_from_cloudtrail(it))),
    }
}

fn may_be_sign_in(pattern: &Pattern) -> bool {
    let service = services(pattern).is_none_or(|it| it.iter().any(|name| name == "signin"));
    let detail_type = pattern.exact_values("detail-type").is_none_or(|types| {
        types
            .iter()
            .any(|it| it == SIGN_IN || it == SIGN_IN_IN_GUIDE)
    });
    service && detail_type
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    fn regions(text: &str) -> Vec<&'static str> {
        let mut regions: Vec<&str> = fixed_regions(&pattern(text))
            .into_iter()
            .flat_map(|it| it.regions)
            .collect();
        regions.sort_unstable();
        regions.dedup();
        regions
    }

    #[test]
    fn sign_ins_appear_in_four_regions_and_those_of_root_users_in_one() {
        let all = ["ap-southeast-2", "eu-north-1", "us-east-1", "us-east-2"];
        let sign_in =
            r#""source": ["aws.signin"], "detail-type": ["AWS Console Sign In via CloudTrail"]"#;
        assert_eq!(regions(&format!("{{{sign_in}}}")), all);
        assert_eq!(
            regions(&format!(
                r#"{{{sign_in}, "detail": {{"userIdentity": {{"type": ["Root"]}}}}}}"#
            )),
            ["us-east-1"]
        );
        assert_eq!(
            regions(&format!(r#"{{{sign_in}, "region": ["us-east-2"]}}"#)),
            ["us-east-2"]
        );
    }

    #[test]
    fn events_of_global_services_appear_in_one_region() {
        for source in ["aws.iam", "aws.organizations", "aws.sts", "aws.health"] {
            assert_eq!(
                regions(&format!(r#"{{"source": ["{source}"]}}"#)),
                ["us-east-1"]
            );
        }
        assert_eq!(
            regions(
                r#"{"source": [{"prefix": "aws."}], "detail-type": ["AWS API Call via CloudTrail"]}"#
            ),
            ["us-east-1"]
        );
        for other in [
            r#"{"source": ["aws.ec2"]}"#,
            r#"{"source": ["aws.iam"], "region": ["eu-west-1"]}"#,
            r#"{"source": ["aws.guardduty"], "detail-type": ["GuardDuty Finding"]}"#,
        ] {
            assert!(regions(other).is_empty(), "{other}");
        }
    }

    #[test]
    fn records_are_known_by_detail_type_or_field() {
        for (text, wanted) in [
            (r#"{"detail-type": ["AWS API Call via CloudTrail"]}"#, true),
            (
                r#"{"detail-type": ["AWS API Call via CloudTrail", "GuardDuty Finding"]}"#,
                false,
            ),
            (
                r#"{"source": [{"prefix": "aws."}], "detail": {"userIdentity": {"type": ["Root"]}}}"#,
                true,
            ),
            (
                r#"{"source": ["aws.ec2"], "detail": {"eventName": [{"exists": false}]}}"#,
                false,
            ),
            (
                r#"{"source": ["aws.ec2"], "detail": {"state": ["stopped"]}}"#,
                false,
            ),
        ] {
            assert_eq!(are_records(&pattern(text)), wanted, "{text}");
        }
    }
}
