//! Valid and invalid organization files.

use compiler::organization::{
    ExistingTrail, Forward, Organization, OwnTrail, Protocol, Publish, RegionError, RegionSource,
    Topology, Trail, load,
};
use rules::Severity;
use syntax::Diagnostic;

use crate::support;

fn load_text(text: &str) -> (Option<Organization>, Vec<Diagnostic>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("organization.yaml");
    std::fs::write(&path, text).unwrap();
    load(&path)
}

/// Loads the committed file with one text replaced.
fn edited(from: &str, to: &str) -> (Option<Organization>, Vec<Diagnostic>) {
    let text = support::example_text();
    assert!(text.contains(from), "the example has no `{from}`");
    load_text(&text.replacen(from, to, 1))
}

/// Code, line and column of the only diagnostic, with its message and help.
fn only_diagnostic(from: &str, to: &str) -> (&'static str, (usize, usize), String) {
    let (_, diagnostics) = edited(from, to);
    assert_eq!(diagnostics.len(), 1, "{diagnostics:#?}");
    let diagnostic = &diagnostics[0];
    let location = diagnostic.location.as_ref().unwrap();
    let text = format!(
        "{} | {}",
        diagnostic.message,
        diagnostic.help.as_deref().unwrap_or_default()
    );
    (diagnostic.code, location.line_column(), text)
}

#[test]
fn the_example_is_complete() {
    let organization = support::example();
    assert_eq!(organization.id, "o-exampleorg1");
    assert_eq!(
        organization.regions,
        ["eu-central-1", "us-east-1", "us-west-2"]
    );
    assert_eq!(organization.topology, Topology::Hub);
    assert_eq!(organization.forward, Forward::Exact);
    assert_eq!(
        organization.topics[0].severities,
        [Severity::Medium, Severity::High, Severity::Critical]
    );
    assert_eq!(
        organization.topics[0].subscriptions[0].protocol,
        Protocol::Email
    );
    assert_eq!(
        organization.log_bucket().unwrap(),
        "gizmos-logs-o-exampleorg1-222233334444-eu-central-1"
    );
    assert_eq!(
        organization.trail_arn(),
        "arn:aws:cloudtrail:eu-central-1:111122223333:trail/gizmos"
    );
    assert_eq!(
        organization.hub_bus_arn(),
        "arn:aws:events:eu-central-1:333344445555:event-bus/gizmos"
    );
    assert_eq!(organization.waves.len(), 2);
}

#[test]
fn optional_fields_have_defaults() {
    let (organization, diagnostics) = load_text(
        r#"
version: 1
organization: o-exampleorg1
root: r-exmp
home_region: us-east-1
regions: [us-west-2, us-east-1]
accounts: {management: "111122223333", log_archive: "222233334444", hub: "333344445555"}
targets: {organizational_units: [r-exmp]}
topics:
  - name: alerts
    severities: [critical, high, medium, low, informational]
    subscriptions: [{protocol: sqs, endpoint: "arn:aws:sqs:us-east-1:333344445555:alerts"}]
"#,
    );
    assert_eq!(diagnostics, []);
    let organization = organization.unwrap();
    assert_eq!(
        organization.regions,
        ["us-east-1", "us-west-2"],
        "the home Region comes first"
    );
    assert_eq!(organization.publish, Publish::Role);
    assert_eq!(organization.access_role, "OrganizationAccountAccessRole");
    assert_eq!(organization.trail, Trail::Own(OwnTrail::default()));
    assert_eq!(organization.targets.exclude_accounts, Vec::<String>::new());
    assert!(organization.waves.is_empty());
}

#[test]
fn alerts_are_published_with_a_role_unless_the_file_says_by_policy() {
    for (from, to, expected) in [
        ("publish: role", "", Publish::Role),
        ("publish: role", "publish: role", Publish::Role),
        ("publish: role", "publish: policy", Publish::Policy),
    ] {
        let (organization, diagnostics) = edited(from, to);
        assert_eq!(diagnostics, []);
        assert_eq!(organization.unwrap().publish, expected, "{to}");
    }
}

#[test]
fn a_missing_file_is_a_diagnostic() {
    let (organization, diagnostics) = load(std::path::Path::new("/nowhere/organization.yaml"));
    assert_eq!(organization, None);
    assert_eq!(diagnostics[0].code, "organization::missing-file");
    assert!(
        diagnostics[0]
            .message
            .contains("/nowhere/organization.yaml")
    );
}

#[test]
fn an_unknown_field_has_its_location() {
    let (code, location, text) = only_diagnostic("home_region:", "home_regoin:\nhome_region:");
    assert_eq!(code, "organization::unknown-field");
    assert_eq!(location.1, 1);
    assert!(text.contains("did you mean `home_region`?"), "{text}");
}

#[test]
fn formats_are_checked() {
    let cases = [
        (
            "organization: o-exampleorg1",
            "organization: exampleorg1",
            "is not an organization id",
        ),
        ("root: r-exmp", "root: exmp", "is not the id of a root"),
        ("  - us-west-2", "  - us-west", "is not a Region"),
        (
            "    - ou-exmp-security",
            "    - ou-security",
            "is not the id of an organizational unit",
        ),
        (
            "endpoint: security@example.com",
            "endpoint: security",
            "is not an e-mail address",
        ),
        (
            "protocol: email",
            "protocol: https",
            "is not an https:// address",
        ),
        (
            "protocol: email",
            "protocol: sms",
            "one of email, https, sqs",
        ),
        (
            "name: notices",
            "name: Notices",
            "is not a name of lower-case letters",
        ),
        (
            "topology: hub",
            "topology: star",
            "is not one of hub, local",
        ),
        (
            "publish: role",
            "publish: both",
            "is not one of role, policy",
        ),
        (
            "retention_days: 400",
            "retention_days: 0",
            "is not a whole number from 1",
        ),
        (
            "retention_days: 400",
            "retention_days: a year",
            "must be a number, not text",
        ),
        ("version: 1", "version: 2", "version 1"),
        (
            "severities: [informational, low]",
            "severities: [informational, low, hgih]",
            "did you mean `high`?",
        ),
        (
            "  - name: canary",
            "  - nmae: canary\n    name: canary",
            "did you mean `name`?",
        ),
    ];
    for (from, to, expected) in cases {
        let (_, _, text) = only_diagnostic(from, to);
        assert!(text.contains(expected), "{to}: {text}");
    }
}

#[test]
fn inconsistent_fields_are_reported() {
    let cases = [
        (
            "home_region: eu-central-1",
            "home_region: eu-west-1",
            "organization::regions",
        ),
        (
            "hub: \"333344445555\"",
            "hub: \"111122223333\"",
            "organization::accounts",
        ),
        (
            "severities: [informational, low]",
            "severities: [informational]",
            "organization::severities",
        ),
        ("name: notices", "name: alerts", "organization::duplicate"),
        (
            "    - ou-exmp-production",
            "    - r-exmp",
            "organization::targets",
        ),
        (
            "    - ou-exmp-production",
            "    - ou-exmp-security",
            "organization::duplicate",
        ),
        (
            "exclude_accounts: []",
            "exclude_accounts: [\"111122223333\"]",
            "organization::targets",
        ),
        (
            "organizational_units: [ou-exmp-production]",
            "organizational_units: [ou-exmp-development]",
            "organization::waves",
        ),
        (
            "    organizational_units: [ou-exmp-production]\n",
            "",
            "organization::waves",
        ),
        ("root: r-exmp\n", "", "organization::missing-field"),
        (
            "  - us-west-2",
            "  - us-gov-west-1",
            "organization::regions",
        ),
    ];
    for (from, to, expected) in cases {
        let (organization, diagnostics) = edited(from, to);
        assert_eq!(organization, None, "{to}");
        assert!(
            diagnostics
                .iter()
                .any(|diagnostic| diagnostic.code == expected),
            "{to}: {diagnostics:#?}"
        );
        assert!(
            diagnostics
                .iter()
                .all(|diagnostic| diagnostic.location.is_some())
        );
    }
}

#[test]
fn enabled_regions_are_resolved_later() {
    let (organization, diagnostics) = load(&support::stacksets().join("organization.yaml"));
    assert_eq!(diagnostics, []);
    let mut organization = organization.unwrap();
    assert_eq!(organization.region_source, RegionSource::Unresolved);
    assert_eq!(organization.watched_regions(), None);

    let regions = |list: &[&str]| -> Vec<String> { list.iter().map(|&it| it.into()).collect() };
    assert_eq!(
        organization.resolve_regions(&regions(&["us-east-1"])),
        Err(RegionError::NoHome("eu-central-1".into()))
    );
    organization
        .resolve_regions(&regions(&["us-east-2", "us-east-1", "eu-central-1"]))
        .unwrap();
    assert_eq!(
        organization.watched_regions(),
        Some(&regions(&["eu-central-1", "us-east-1", "us-east-2"])[..])
    );

    // A list is never resolved.
    let mut listed = support::example();
    listed.resolve_regions(&regions(&["us-east-2"])).unwrap();
    assert_eq!(listed, support::example());
}

#[test]
fn a_misspelled_region_is_an_error_and_a_new_one_a_warning() {
    let list = "  - us-west-2\n";
    let (code, _, text) = only_diagnostic(list, "  - us-wset-2\n");
    assert_eq!(code, "organization::regions");
    assert!(text.contains("AWS has no Region `us-wset-2`"), "{text}");
    assert!(text.contains("did you mean `us-west-2`?"), "{text}");
    let (organization, diagnostics) = edited(list, "  - us-west-9\n");
    assert!(organization.is_some_and(|it| it.regions.contains(&"us-west-9".to_owned())));
    let [diagnostic] = diagnostics.as_slice() else {
        panic!("{diagnostics:#?}");
    };
    assert!(!diagnostic.is_error(), "{diagnostic:?}");
    assert_eq!(diagnostic.code, "organization::regions");
}

#[test]
fn regions_of_two_partitions_are_refused_and_the_sovereign_cloud_is_one() {
    let list = "  - us-west-2\n";
    let (code, _, text) = only_diagnostic(list, "  - eusc-de-east-1\n");
    assert_eq!(code, "organization::regions");
    let what = "mixes the partitions aws (`eu-central-1`) and aws-eusc (`eusc-de-east-1`)";
    assert!(text.contains(what), "{text}");
}

#[test]
fn regions_are_a_list_or_the_word_enabled() {
    let list = "regions:\n  - eu-central-1\n  - us-east-1\n  - us-west-2\n";
    let (code, _, text) = only_diagnostic(list, "regions: enabeld\n");
    assert_eq!(code, "organization::format");
    assert!(text.contains("did you mean `enabled`?"), "{text}");
}

#[test]
fn findings_come_from_a_watched_region() {
    let (code, _, text) = only_diagnostic("  region: eu-central-1", "  region: eu-west-1");
    assert_eq!(code, "organization::findings");
    assert!(text.contains("`eu-west-1`"), "{text}");
}

#[test]
fn risky_choices_are_warnings() {
    let cases = [
        (
            "retention_days: 400",
            "retention_days: 30",
            "organization::retention",
        ),
        (
            "log_archive: \"222233334444\"",
            "log_archive: \"111122223333\"",
            "organization::log-archive",
        ),
        (
            "hub: \"333344445555\"",
            "hub: 333344445555",
            "organization::unquoted-number",
        ),
        (
            "    subscriptions:\n      - protocol: email\n        endpoint: notices@example.com\n",
            "",
            "organization::subscriptions",
        ),
    ];
    for (from, to, expected) in cases {
        let (organization, diagnostics) = edited(from, to);
        assert!(organization.is_some(), "{to}: {diagnostics:#?}");
        assert_eq!(diagnostics.len(), 1, "{diagnostics:#?}");
        assert_eq!(diagnostics[0].code, expected);
    }
}

#[test]
fn an_unquoted_id_keeps_its_leading_zero() {
    let (organization, _) = edited("exclude_accounts: []", "exclude_accounts: [012345678901]");
    assert_eq!(
        organization.unwrap().targets.exclude_accounts,
        ["012345678901"]
    );
}

#[test]
fn all_errors_are_reported_in_one_run() {
    let (organization, diagnostics) = load_text(
        "version: 1\norganization: x\nroot: y\nhome_region: z\nregions: {}\naccounts: []\ntargets: 1\ntopics: no\ncolour: blue\n",
    );
    assert_eq!(organization, None);
    let codes: Vec<&str> = diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code)
        .collect();
    assert_eq!(
        codes
            .iter()
            .filter(|code| **code == "organization::format")
            .count(),
        3,
        "{codes:?}"
    );
    assert_eq!(
        codes
            .iter()
            .filter(|code| **code == "organization::type")
            .count(),
        4,
        "{codes:?}"
    );
    assert!(codes.contains(&"organization::unknown-field"));
}

#[test]
fn a_bucket_name_that_is_too_long_asks_for_another() {
    let id = "o-abcdefghijklmnopqrstuvwxyz012345";
    let (code, _, text) = only_diagnostic(
        "organization: o-exampleorg1",
        &format!("organization: {id}"),
    );
    assert_eq!(code, "organization::bucket");
    assert!(text.contains("trail: {bucket: …}"));
    let text = support::example_text();
    let text = text
        .replace("o-exampleorg1", id)
        .replace("  # bucket: example", "  bucket: example");
    assert_eq!(
        load_text(&text).0.unwrap().log_bucket().unwrap(),
        "example-trail-logs"
    );
}

const OWN: &str = "trail:\n  name: gizmos\n  retention_days: 400\n";
const EXISTING: &str = "arn:aws:cloudtrail:us-east-1:111122223333:trail/audit";

#[test]
fn an_existing_trail_is_an_arn_and_perhaps_a_bucket() {
    for (more, bucket) in [
        ("", None),
        (", bucket: example-trail-logs", Some("example-trail-logs")),
    ] {
        let trail = format!("trail: {{existing: \"{EXISTING}\"{more}}}\n");
        let text = support::example_text().replace(OWN, &trail);
        let organization = load_text(&text).0.unwrap();
        let bucket = bucket.map(str::to_owned);
        assert_eq!(organization.log_bucket(), bucket);
        assert_eq!(organization.trail_name(), "audit");
        assert_eq!(organization.trail_region(), "us-east-1");
        let arn = EXISTING.to_owned();
        assert_eq!(
            organization.trail,
            Trail::Existing(ExistingTrail { arn, bucket })
        );
    }
}

#[test]
fn an_existing_trail_has_no_settings_and_is_the_management_accounts() {
    for (trail, code, says) in [
        (
            format!("{{existing: \"{EXISTING}\", name: audit}}"),
            "organization::trail",
            "`name` has no meaning for an existing trail",
        ),
        (
            format!("{{existing: \"{EXISTING}\", retention_days: 400}}"),
            "organization::trail",
            "`retention_days` has no meaning for an existing trail",
        ),
        (
            format!(
                "{{existing: \"{}\"}}",
                EXISTING.replace("111122223333", "222233334444")
            ),
            "organization::trail",
            "not in the management account 111122223333",
        ),
        (
            format!(
                "{{existing: \"{}\"}}",
                EXISTING.replace(
                    "aws:cloudtrail:us-east-1",
                    "aws-us-gov:cloudtrail:us-gov-west-1"
                )
            ),
            "organization::trail",
            "not in the organization's partition `aws`",
        ),
        (
            "{existing: audit}".to_owned(),
            "organization::format",
            "the ARN of a trail",
        ),
    ] {
        let (found, _, text) = only_diagnostic(OWN, &format!("trail: {trail}\n"));
        assert_eq!(found, code, "{text}");
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn an_artifact_bucket_has_a_name_unless_it_is_given_one() {
    let with = |artifacts: &str| edited("\nwaves:", &format!("\nartifacts: {artifacts}\nwaves:"));
    let (organization, diagnostics) = with("{}");
    assert_eq!(diagnostics, []);
    let artifacts = organization.unwrap().artifacts.unwrap();
    assert_eq!(
        artifacts.bucket,
        "gizmos-artifacts-111122223333-eu-central-1"
    );
    assert_eq!(artifacts.administrators, [""; 0]);
    let (organization, diagnostics) =
        with("{bucket: example-templates, administrators: [\"333344445555\"]}");
    assert_eq!(diagnostics, []);
    let artifacts = organization.unwrap().artifacts.unwrap();
    assert_eq!(artifacts.bucket, "example-templates");
    assert_eq!(artifacts.administrators, ["333344445555"]);
    for (written, code) in [
        ("{bucket: Not A Name}", "organization::format"),
        ("{bukcet: example-templates}", "organization::unknown-field"),
        (
            "{administrators: [\"111122223333\"]}",
            "organization::accounts",
        ),
        ("yes please", "organization::type"),
    ] {
        let (organization, diagnostics) = with(written);
        assert!(organization.is_none(), "{written}");
        assert_eq!(diagnostics[0].code, code, "{written}");
    }
}
