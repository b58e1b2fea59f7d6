//! What the organization file adds to a rule's pattern.

use compiler::organization::{Forward, Organization};
use compiler::{as_deployed, compile};
use eventbridge_pattern::{Event, Pattern};
use rules::{Rule, RuleTest};
use serde_json::{Value, json};

use crate::support::{bundle, committed_library, example, local, rule, templates};

const OURS: &str = r#"{"source":["aws.sns"],"account":["gizmos:hub","gizmos:log-archive"],"detail":{"eventName":["Subscribe"],"userIdentity":{"$or":[{"invokedBy":[{"exists":false}]},{"sessionContext":{"sessionIssuer":{"arn":[{"exists":false},{"anything-but":["gizmos:deployers"]}]}}}]}}}"#;

#[test]
fn deployers_and_accounts_of_the_organization_file_stand_in_deployed_patterns() {
    let sso = "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_Deploy_0123456789abcdef";
    let mut organization = example();
    organization.deployers.push(sso.to_owned());
    let ours = rule("ours", OURS);
    let deployed = as_deployed(&ours, &organization);
    let pattern: Value = serde_json::from_str(deployed.pattern.text()).unwrap();
    assert_eq!(
        pattern,
        json!({
            "source": ["aws.sns"],
            "account": ["333344445555", "222233334444"],
            "replay-name": [{"exists": false}],
            "detail": {"eventName": ["Subscribe"], "userIdentity": {"$or": [
                {"invokedBy": [{"exists": false}]},
                {"sessionContext": {"sessionIssuer": {"arn": [
                    {"exists": false},
                    {"anything-but": ["arn:aws:iam::111122223333:role/gizmos-deploy", sso]},
                ]}}},
            ]}},
        })
    );
    let event =
        json!({"account": "gizmos:log-archive", "detail": {"arns": ["gizmos:deployers", "x"]}});
    let tested = Rule {
        tests: vec![RuleTest {
            event,
            ..committed_library().swap_remove(0).tests.swap_remove(0)
        }],
        ..ours.clone()
    };
    assert_eq!(
        as_deployed(&tested, &organization).tests[0].event,
        json!({
            "account": "222233334444",
            "detail": {"arns": ["arn:aws:iam::111122223333:role/gizmos-deploy", "x"]},
        })
    );
    let again = as_deployed(&deployed, &organization);
    assert_eq!(again.pattern.text(), deployed.pattern.text());
}

#[test]
fn deployers_are_nobody_without_the_organization_file_and_that_is_a_warning() {
    let organization = Organization {
        deployers: Vec::new(),
        ..example()
    };
    let ours = rule("ours", OURS);
    let deployed = as_deployed(&ours, &organization);
    assert!(deployed.pattern.text().contains("\"gizmos:deployers\""));
    let (bundle, found) = compile(&[ours], &organization, &templates());
    assert!(bundle.is_some());
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].code, "compile::deployers");
}

/// The patterns of all event rules of a bundle but canaries'.
fn deployed_patterns(rules: &[Rule], organization: &Organization) -> Vec<Pattern> {
    let bundle = bundle(rules, organization);
    let mut patterns = Vec::new();
    for set in &bundle.stack_sets {
        let template: Value = serde_json::from_str(&set.template).unwrap();
        for resource in template["Resources"].as_object().unwrap().values() {
            let pattern = resource["Properties"]["EventPattern"].to_string();
            if resource["Type"] == "AWS::Events::Rule" && !pattern.contains("gizmos.canary") {
                patterns.push(Pattern::parse(&pattern).unwrap());
            }
        }
    }
    patterns
}

/// A day of real events that `StartReplay` puts on the bus again.
#[test]
fn replayed_events_reach_neither_forwarders_nor_detections() {
    let rules = committed_library();
    let broad = Organization {
        forward: Forward::Broad,
        ..example()
    };
    for organization in [example(), broad, local()] {
        let patterns = deployed_patterns(&rules, &organization);
        let matches = |event: &Value| {
            let event = Event::parse(&event.to_string()).unwrap();
            patterns
                .iter()
                .filter(|it| it.matches(&event).unwrap())
                .count()
        };
        for rule in rules.iter().filter(|rule| rule.is_deployed()) {
            let deployed = as_deployed(rule, &organization);
            let Some(test) = deployed.tests.iter().find(|test| test.matches) else {
                continue;
            };
            let mut event = test.event.clone();
            for field in ["account", "region"] {
                if let Some(pinned) = deployed.pattern.exact_values(field) {
                    event[field] = json!(pinned[0]);
                }
            }
            assert!(matches(&event) > 0, "{}", rule.id);
            event["replay-name"] = json!("again");
            assert_eq!(matches(&event), 0, "{}", rule.id);
        }
    }
}

#[test]
fn deployers_are_decided_about_in_the_hub_and_change_no_spoke() {
    let text = |organization: &Organization, name: &str| {
        let bundle = bundle(&[rule("ours", OURS)], organization);
        let set = bundle.stack_sets.iter().find(|set| set.name == name);
        set.unwrap().template.clone()
    };
    let mut more = example();
    more.deployers
        .push("arn:aws:iam::111122223333:role/another".to_owned());
    let spoke = text(&example(), "gizmos-rules-spoke");
    assert_eq!(spoke, text(&more, "gizmos-rules-spoke"));
    assert!(!spoke.contains("gizmos-deploy"), "{spoke}");
    assert_ne!(
        text(&example(), "gizmos-rules-hub"),
        text(&more, "gizmos-rules-hub")
    );
}

/// A rule that is deployed as it is written would watch accounts that don't exist.
#[test]
fn deployers_that_make_a_pattern_too_long_are_an_error() {
    let mut organization = example();
    for number in 0..25 {
        let role = format!(
            "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Deploy_{number:016}"
        );
        organization.deployers.push(role);
    }
    let (bundle, found) = compile(&[rule("ours", OURS)], &organization, &templates());
    assert!(bundle.is_none());
    let codes: Vec<&str> = found.iter().map(|it| it.code).collect();
    assert_eq!(codes, ["limit::size"]);
}
