//! Rules whose events appear elsewhere, and findings that come twice.

use compiler::organization::Organization;
use compiler::{as_deployed, compile};
use rules::Rule;
use syntax::Diagnostic;

use crate::support::{api_rule, bundle, example, rule, templates};

fn diagnostics(rules: &[Rule], organization: &Organization) -> Vec<Diagnostic> {
    compile(rules, organization, &templates()).1
}

fn sign_in(id: &str) -> Rule {
    rule(
        id,
        r#"{"source":["aws.signin"],"detail-type":["AWS Console Sign In via CloudTrail"],"detail":{"eventName":["ConsoleLogin"]}}"#,
    )
}

const FINDING: &str = r#"{"source":["aws.guardduty"],"detail-type":["GuardDuty Finding"]}"#;
const CHECK: &str =
    r#"{"source":["aws.securityhub"],"detail-type":["Security Hub Findings - Imported"]}"#;

#[test]
fn a_rule_whose_events_appear_in_an_unwatched_region_is_a_warning_that_names_both() {
    let found = diagnostics(
        &[sign_in("sign-in"), api_rule("stop", "ec2", "StopInstances")],
        &example(),
    );
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].code, "compile::unwatched-region");
    assert_eq!(
        found[0].message,
        "console sign-ins appear in us-east-2, eu-north-1 and ap-southeast-2, which are not watched: \
         `sign-in` can't raise an alert for those"
    );

    let mut organization = example();
    organization.regions.retain(|region| region != "us-east-1");
    let rules: Vec<Rule> = (0..7)
        .map(|number| api_rule(&format!("rule-{number}"), "iam", "CreateUser"))
        .collect();
    let found = diagnostics(&rules, &organization);
    assert_eq!(
        found[0].message,
        "events of global services appear in us-east-1, which is not watched: `rule-0`, `rule-1`, \
         `rule-2`, `rule-3`, `rule-4` and 2 more can't raise an alert for those"
    );
}

#[test]
fn all_regions_watched_need_no_warning() {
    let mut organization = example();
    organization
        .regions
        .extend(["us-east-2", "eu-north-1", "ap-southeast-2"].map(str::to_owned));
    assert_eq!(diagnostics(&[sign_in("sign-in")], &organization), []);
}

#[test]
fn findings_are_taken_from_one_account_and_those_of_security_hub_from_one_region() {
    let organization = example();
    let (finding, check) = (rule("finding", FINDING), rule("check", CHECK));
    let place = |rule: &Rule| {
        let pattern = &as_deployed(rule, &organization).pattern;
        (
            pattern.exact_values("account"),
            pattern.exact_values("region"),
        )
    };
    let (account, region) = ("333344445555".to_owned(), "eu-central-1".to_owned());
    assert_eq!(place(&finding), (Some(vec![account.clone()]), None));
    assert_eq!(place(&check), (Some(vec![account]), Some(vec![region])));

    // Forwarder and rule, and nothing else.
    let other = api_rule("stop", "ec2", "StopInstances");
    let bundle = bundle(&[finding, check, other], &organization);
    for set in ["gizmos-rules-hub", "gizmos-rules-spoke"] {
        let set = bundle.stack_sets.iter().find(|it| it.name == set).unwrap();
        let template: serde_json::Value = serde_json::from_str(&set.template).unwrap();
        let patterns: Vec<&serde_json::Value> = template["Resources"]
            .as_object()
            .unwrap()
            .values()
            .filter(|it| it["Type"] == "AWS::Events::Rule")
            .map(|it| &it["Properties"]["EventPattern"])
            .filter(|pattern| pattern.to_string().contains("aws.securityhub"))
            .collect();
        assert!(!patterns.is_empty());
        for pattern in patterns {
            assert!(pattern.to_string().contains("333344445555"), "{pattern}");
        }
    }
}

#[test]
fn a_rule_that_names_its_account_keeps_it_and_calls_are_no_findings() {
    let organization = example();
    let own = rule(
        "own",
        r#"{"source":["aws.guardduty"],"detail-type":["GuardDuty Finding"],"account":["012345678901"]}"#,
    );
    let call = api_rule("call", "guardduty", "DeleteDetector");
    for (rule, account) in [(own, Some(vec!["012345678901".to_owned()])), (call, None)] {
        let deployed = as_deployed(&rule, &organization);
        assert_eq!(
            deployed.pattern.exact_values("account"),
            account,
            "{}",
            rule.id
        );
    }
}

#[test]
fn findings_from_everywhere_are_a_warning() {
    let organization = Organization {
        findings: None,
        ..example()
    };
    let found = diagnostics(&[rule("finding", FINDING)], &organization);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].code, "compile::findings");
    assert!(found[0].message.ends_with(": `finding`"), "{found:#?}");
}
