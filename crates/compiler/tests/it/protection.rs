//! The rules that protect Gizmos' own resources, and an existing trail, match their names.

use std::collections::BTreeSet;

use compiler::Part;
use compiler::organization::{ExistingTrail, Organization, OwnTrail, Trail};
use serde_json::Value;

use crate::support::{bundle, committed_library, example, templates};

const EXISTING: &str = "arn:aws:cloudtrail:us-east-1:111122223333:trail/audit";

fn existing(bucket: Option<&str>) -> Organization {
    Organization {
        trail: Trail::Existing(ExistingTrail {
            arn: EXISTING.to_owned(),
            bucket: bucket.map(str::to_owned),
        }),
        ..example()
    }
}

/// The deployed pattern of a rule.
fn pattern(id: &str, organization: &Organization) -> String {
    let library = committed_library();
    let rule = library.iter().find(|rule| rule.id == id).unwrap();
    let deployed = compiler::as_deployed(rule, organization);
    deployed.pattern.text().to_owned()
}

fn unprotected(organization: &Organization) -> Vec<String> {
    let (_, diagnostics) = compiler::compile(&committed_library(), organization, &templates());
    diagnostics
        .into_iter()
        .filter(|diagnostic| diagnostic.code == "compile::unprotected")
        .map(|diagnostic| diagnostic.message)
        .collect()
}

#[test]
fn a_renamed_or_existing_trail_and_its_bucket_are_protected_by_the_same_rules() {
    let renamed = Organization {
        trail: Trail::Own(OwnTrail {
            name: "records".to_owned(),
            bucket: Some("example-records".to_owned()),
            ..OwnTrail::default()
        }),
        ..example()
    };
    for (organization, name, arn, bucket) in [
        (
            example(),
            "gizmos",
            "arn:aws:cloudtrail:eu-central-1:111122223333:trail/gizmos",
            "gizmos-logs-o-exampleorg1-222233334444-eu-central-1",
        ),
        (
            renamed,
            "records",
            "arn:aws:cloudtrail:eu-central-1:111122223333:trail/records",
            "example-records",
        ),
        (
            existing(Some("example-audit")),
            "audit",
            EXISTING,
            "example-audit",
        ),
    ] {
        let trail = pattern("gizmos-trail-changed", &organization);
        for text in [name, arn] {
            assert!(trail.contains(&format!(r#":["{text}"]"#)), "{trail}");
        }
        let logs = pattern("gizmos-log-bucket-changed", &organization);
        assert!(logs.contains(&format!("\"{bucket}\"")), "{logs}");
        assert_eq!(unprotected(&organization), Vec::<String>::new());
    }
}

/// Copies of the rules of earlier versions.
#[test]
fn a_rule_with_another_name_than_the_organization_file_is_a_warning() {
    let mut library = committed_library();
    for rule in &mut library {
        let text = rule.pattern.text();
        let text = text.replace("gizmos:trail-name", "gizmos");
        let text = text.replace("gizmos:trail-arn", "arn:aws:cloudtrail:*:*:trail/gizmos");
        let text = text.replace("gizmos:log-bucket", "gizmos-logs-o-exampleorg1");
        rule.pattern = eventbridge_pattern::Pattern::parse(&text).unwrap();
    }
    let warnings = |organization: &Organization| -> Vec<String> {
        let (_, diagnostics) = compiler::compile(&library, organization, &templates());
        let unprotected = diagnostics
            .into_iter()
            .filter(|it| it.code == "compile::unprotected");
        unprotected.map(|it| it.message).collect()
    };
    assert_eq!(warnings(&example()), Vec::<String>::new());
    assert_eq!(
        warnings(&existing(Some("example-audit"))),
        [
            "rule `gizmos-log-bucket-changed` protects the log bucket, but its pattern doesn't have the name `example-audit`",
            "rule `gizmos-trail-changed` protects the trail, but its pattern doesn't have the name `audit`",
        ]
    );
}

#[test]
fn an_existing_trails_bucket_without_a_name_is_a_warning() {
    assert_eq!(
        unprotected(&existing(None)),
        [
            "the organization file doesn't name the existing trail's log bucket, so rule `gizmos-log-bucket-changed` doesn't protect it"
        ]
    );
}

#[test]
fn with_an_existing_trail_no_template_has_a_trail_bucket_or_key_for_logs() {
    let own = bundle(&committed_library(), &example());
    let bundle = bundle(&committed_library(), &existing(Some("example-audit")));
    let parts =
        |parts: &[compiler::StackSet]| -> Vec<Part> { parts.iter().map(|it| it.part).collect() };
    let mut left = parts(&own.stack_sets);
    left.retain(|part| !matches!(part, Part::Bucket | Part::Trail));
    assert_eq!(parts(&bundle.stack_sets), left);
    for set in &bundle.stack_sets {
        let template: Value = serde_json::from_str(&set.template).unwrap();
        for (id, resource) in template["Resources"].as_object().unwrap() {
            let kind = resource["Type"].as_str().unwrap();
            assert!(
                !kind.starts_with("AWS::CloudTrail::") && !kind.starts_with("AWS::S3::"),
                "{}: {id} is a {kind}",
                set.name
            );
            // The key of the alerts stays.
            assert!(
                !kind.starts_with("AWS::KMS::") || set.part == Part::Topic,
                "{}: {id}",
                set.name
            );
        }
    }
}

/// The rules' patterns rely on these prefixes; CloudFormation generates the rest of the names.
#[test]
fn deployed_names_match_the_rules() {
    let bundle = bundle(&committed_library(), &example());
    let mut roles = 0;
    for stack_set in &bundle.stack_sets {
        assert!(stack_set.name.starts_with("gizmos-"), "{}", stack_set.name);
        let template: Value = serde_json::from_str(&stack_set.template).unwrap();
        for resource in template["Resources"].as_object().unwrap().values() {
            let properties = &resource["Properties"];
            match resource["Type"].as_str().unwrap() {
                "AWS::IAM::Role" => {
                    roles += 1;
                    let path = properties["Path"].as_str().unwrap();
                    assert!(path.starts_with("/gizmos"), "{path}");
                    if let Some(name) = properties["RoleName"].as_str() {
                        assert!(name.starts_with("gizmos-"), "{name}");
                    }
                }
                "AWS::SNS::Topic" => {
                    let name = properties["TopicName"].as_str().unwrap();
                    assert!(name.starts_with("gizmos-"), "{name}");
                }
                _ => {}
            }
        }
        for (name, value) in &stack_set.parameters {
            if name == "BusName" {
                assert_eq!(value, "gizmos");
            }
        }
    }
    assert!(roles > 1, "{roles} roles");
}

#[test]
fn every_rule_of_the_library_is_in_some_shard_of_the_hub() {
    let library = committed_library();
    let bundle = bundle(&library, &example());
    let hub = |part| part == Part::RulesHub;
    let deployed: BTreeSet<&str> = bundle
        .stack_sets
        .iter()
        .filter(|stack_set| hub(stack_set.part))
        .flat_map(|stack_set| stack_set.rules.values().flatten())
        .map(String::as_str)
        .collect();
    let wanted: BTreeSet<&str> = library
        .iter()
        .filter(|rule| rule.is_deployed() && rule.message.is_some())
        .map(|rule| rule.id.as_str())
        .collect();
    assert_eq!(deployed, wanted);
}
