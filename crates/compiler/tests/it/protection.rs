//! The rules that protect Gizmos' own resources match the deployed names.

use std::collections::BTreeSet;

use compiler::Part;
use compiler::organization::Organization;
use serde_json::Value;

use crate::support::{bundle, committed_library, example, templates};

fn unprotected(organization: &Organization) -> Vec<String> {
    let (_, diagnostics) = compiler::compile(&committed_library(), organization, &templates());
    diagnostics
        .into_iter()
        .filter(|diagnostic| diagnostic.code == "compile::unprotected")
        .map(|diagnostic| diagnostic.message)
        .collect()
}

#[test]
fn renamed_resources_that_rules_miss_are_warnings() {
    let mut organization = example();
    assert_eq!(unprotected(&organization), Vec::<String>::new());
    organization.trail.name = "audit".to_owned();
    organization.trail.bucket = Some("example-trail-logs".to_owned());
    assert_eq!(
        unprotected(&organization),
        [
            "rule `gizmos-log-bucket-changed` protects the log bucket, but its pattern doesn't match the name `example-trail-logs`",
            "rule `gizmos-trail-changed` protects the trail, but its pattern doesn't match the name `audit`",
        ]
    );
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
