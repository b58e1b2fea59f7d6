//! Spokes forward exactly the events that rules match, each once.

use std::collections::BTreeMap;

use compiler::canary::CanaryKind;
use compiler::organization::{Forward, Organization};
use compiler::{Bundle, Part, Placement, compile_onto};
use eventbridge_pattern::{Event, Pattern};
use proptest::prelude::*;
use rules::Rule;
use serde_json::{Value, json};

use crate::support::{api_rule, bundle, example, library, only, rule, templates};

/// Pattern and state of every forwarder of detections.
fn forwarders(bundle: &Bundle) -> Vec<(Pattern, String)> {
    let mut forwarders = all_forwarders(bundle);
    let canaries = CanaryKind::ALL.map(|kind| kind.pattern().to_string());
    forwarders.retain(|(pattern, _)| !canaries.iter().any(|it| it == pattern.text()));
    forwarders
}

fn all_forwarders(bundle: &Bundle) -> Vec<(Pattern, String)> {
    let template: Value = serde_json::from_str(&only(bundle, Part::RulesSpoke).template).unwrap();
    let resources = template["Resources"].as_object().unwrap();
    resources
        .iter()
        .filter(|(id, resource)| {
            id.starts_with("Forward") && resource["Type"] == "AWS::Events::Rule"
        })
        .map(|(_, resource)| {
            let properties = &resource["Properties"];
            let pattern = Pattern::parse(&properties["EventPattern"].to_string()).unwrap();
            (pattern, properties["State"].as_str().unwrap().to_owned())
        })
        .collect()
}

fn spoke(rules: &[Rule], organization: &Organization) -> String {
    only(&bundle(rules, organization), Part::RulesSpoke)
        .template
        .clone()
}

fn broad() -> Organization {
    Organization {
        forward: Forward::Broad,
        ..example()
    }
}

fn event(service: &str, name: &str, detail: &Value) -> Event {
    let mut event = json!({
        "version": "0", "id": "1", "detail-type": "AWS API Call via CloudTrail", "source": format!("aws.{service}"),
        "account": "012345678901", "time": "2026-01-01T00:00:00Z", "region": "eu-central-1", "resources": [],
        "detail": {"eventSource": format!("{service}.amazonaws.com"), "eventName": name},
    });
    for (key, value) in detail.as_object().unwrap() {
        event["detail"][key] = value.clone();
    }
    Event::parse(&event.to_string()).unwrap()
}

fn root_only(id: &str, service: &str, name: &str) -> Rule {
    rule(
        id,
        &format!(
            r#"{{"source":["aws.{service}"],"detail-type":["AWS API Call via CloudTrail"],"detail":{{"eventSource":["{service}.amazonaws.com"],"eventName":["{name}"],"userIdentity":{{"type":["Root"]}}}}}}"#
        ),
    )
}

#[test]
fn a_small_library_needs_one_forwarder_per_state() {
    let forwarders = by_id(&bundle(&library(), &example()));
    let canaries = CanaryKind::ALL.map(|kind| kind.pattern().to_string());
    let of_rules = forwarders
        .values()
        .filter(|it| !canaries.iter().any(|canary| canary == it.pattern.text()));
    let mut states: Vec<&str> = of_rules.map(|it| it.state.as_str()).collect();
    states.sort_unstable();
    assert_eq!(
        states,
        ["ENABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"]
    );
}

/// A forwarder as deployed.
#[derive(Debug, PartialEq)]
struct Deployed {
    pattern: Pattern,
    state: String,
    depends_on: Vec<String>,
}

/// Every forwarder by logical id.
fn by_id(bundle: &Bundle) -> BTreeMap<String, Deployed> {
    let template: Value = serde_json::from_str(&only(bundle, Part::RulesSpoke).template).unwrap();
    let resources = template["Resources"].as_object().unwrap().iter();
    let forwarders = resources.filter(|(_, it)| it["Metadata"]["gizmos"]["forwards"].is_array());
    forwarders
        .map(|(id, resource)| {
            let properties = &resource["Properties"];
            let depends_on = resource["DependsOn"].as_array().into_iter().flatten();
            let forwarder = Deployed {
                pattern: Pattern::parse(&properties["EventPattern"].to_string()).unwrap(),
                state: properties["State"].as_str().unwrap().to_owned(),
                depends_on: depends_on
                    .map(|id| id.as_str().unwrap().to_owned())
                    .collect(),
            };
            (id.clone(), forwarder)
        })
        .collect()
}

#[test]
fn a_rule_edit_changes_the_forwarder_of_its_group_in_place() {
    let rules = full_hub();
    let first = bundle(&rules, &example());
    let before = by_id(&first);
    assert!(before.len() > 4);
    let mut more = rules;
    more.pop();
    more[0] = api_rule("rule-0", "iam", "CreateUser");
    let after = by_id(&onto(&more, &first));
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );
    let changed = before.keys().filter(|id| before[*id] != after[*id]).count();
    assert!((1..=2).contains(&changed), "{changed} of {}", before.len());
}

#[test]
fn canaries_have_forwarders_of_their_own_whatever_the_rules_are() {
    for rules in [library(), full_hub()] {
        let bundle = bundle(&rules, &example());
        let count = forwarders(&bundle).len();
        assert_eq!(all_forwarders(&bundle).len(), count + CanaryKind::ALL.len());
    }
}

#[test]
fn changed_names_texts_and_severities_leave_spokes_alone() {
    let before = spoke(&library(), &example());
    let mut rules = library();
    for rule in &mut rules {
        if rule.respond.is_none() {
            rule.id = format!("renamed-{}", rule.id);
            rule.title = "Another title".to_owned();
            rule.notify = vec!["notices".to_owned()];
        }
    }
    assert_eq!(spoke(&rules, &example()), before);
}

#[test]
fn an_already_covered_rule_leaves_spokes_alone() {
    let mut rules = library();
    let before = spoke(&rules, &example());
    rules.push(root_only(
        "trail-stopped-by-root",
        "cloudtrail",
        "StopLogging",
    ));
    assert_eq!(spoke(&rules, &example()), before);
    rules.push(api_rule("trail-deleted", "cloudtrail", "DeleteTrail"));
    assert_ne!(spoke(&rules, &example()), before);
}

#[test]
fn broad_forwarding_ignores_terms_beyond_names() {
    let exact = [root_only("a", "s3", "PutBucketAcl")];
    let wide = [api_rule("a", "s3", "PutBucketAcl")];
    assert_eq!(spoke(&exact, &broad()), spoke(&wide, &broad()));
    let anybody = event(
        "s3",
        "PutBucketAcl",
        &json!({"userIdentity": {"type": "IAMUser"}}),
    );
    let matching = |organization: &Organization| {
        forwarders(&bundle(&exact, organization))
            .iter()
            .any(|(pattern, _)| pattern.matches(&anybody).unwrap())
    };
    assert!(matching(&broad()));
    assert!(!matching(&example()));
}

#[test]
fn rules_that_may_match_the_same_event_share_a_forwarder() {
    // One needs read-only calls, the other doesn't; both match the same event.
    let rules = [
        Rule {
            read_only: true,
            ..api_rule("a", "iam", "GetUser")
        },
        root_only("b", "iam", "GetUser"),
        api_rule("c", "iam", "CreateUser"),
    ];
    let bundle = bundle(&rules, &example());
    let by_root = event("iam", "GetUser", &json!({"userIdentity": {"type": "Root"}}));
    let matching: Vec<String> = forwarders(&bundle)
        .into_iter()
        .filter(|(pattern, _)| pattern.matches(&by_root).unwrap())
        .map(|(_, state)| state)
        .collect();
    assert_eq!(matching, ["ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"]);
}

#[test]
fn a_large_library_needs_several_forwarders_and_forwards_once() {
    let rules: Vec<Rule> = (0..120)
        .map(|n| {
            let (service, name) = (
                format!("service{}", n / 2),
                format!("DoSomethingRatherLong{}", n / 2),
            );
            if n % 2 == 0 {
                api_rule(&format!("r{n}"), &service, &name)
            } else {
                root_only(&format!("r{n}"), &service, &name)
            }
        })
        .collect();
    let bundle = bundle(&rules, &example());
    let forwarders = forwarders(&bundle);
    assert!(forwarders.len() > 1);
    for (pattern, _) in &forwarders {
        assert!(pattern.text().chars().count() <= 2048);
    }
    for n in 0..60 {
        let event = event(
            &format!("service{n}"),
            &format!("DoSomethingRatherLong{n}"),
            &json!({"userIdentity": {"type": "Root"}}),
        );
        let times = forwarders
            .iter()
            .filter(|(pattern, _)| pattern.matches(&event).unwrap())
            .count();
        assert_eq!(times, 1, "event {n}");
    }
}

#[test]
fn a_rule_about_any_service_does_not_forward_everything() {
    let root = rule(
        "root-user",
        r#"{"source":[{"prefix":"aws."}],"detail-type":["AWS API Call via CloudTrail"],"detail":{"userIdentity":{"type":["Root"]}}}"#,
    );
    let mut rules: Vec<Rule> = (0..60)
        .map(|n| {
            api_rule(
                &format!("r{n}"),
                &format!("service{n}"),
                &format!("DoSomethingRatherLong{n}"),
            )
        })
        .collect();
    rules.push(root);
    for organization in [example(), broad()] {
        let forwarders = forwarders(&bundle(&rules, &organization));
        assert!(forwarders.len() > 1);
        let times = |service: &str, name: &str, kind: &str| {
            let event = event(service, name, &json!({"userIdentity": {"type": kind}}));
            forwarders
                .iter()
                .filter(|(pattern, _)| pattern.matches(&event).unwrap())
                .count()
        };
        for n in [0, 17, 59] {
            let (service, name) = (format!("service{n}"), format!("DoSomethingRatherLong{n}"));
            assert_eq!(times(&service, &name, "Root"), 1);
            assert_eq!(times(&service, &name, "IAMUser"), 1);
            assert_eq!(times(&service, "Other", "Root"), 1);
            assert_eq!(times(&service, "Other", "IAMUser"), 0);
        }
        assert_eq!(times("unheard-of", "Other", "Root"), 1);
        assert_eq!(times("unheard-of", "Other", "IAMUser"), 0);
    }
}

/// 300 realistic rules, 10 for each of 30 services: about a few calls each, who made them, whether
/// they succeeded, and on what.
fn full_hub() -> Vec<Rule> {
    const SERVICES: [&str; 30] = [
        "iam",
        "ec2",
        "s3",
        "cloudtrail",
        "kms",
        "lambda",
        "rds",
        "sts",
        "organizations",
        "guardduty",
        "config",
        "route53",
        "eks",
        "ecs",
        "ecr",
        "secretsmanager",
        "ssm",
        "logs",
        "monitoring",
        "sns",
        "sqs",
        "dynamodb",
        "athena",
        "glue",
        "redshift",
        "cloudformation",
        "backup",
        "wafv2",
        "events",
        "acm",
    ];
    const THINGS: [&str; 10] = [
        "Policy",
        "Role",
        "Snapshot",
        "Key",
        "Configuration",
        "Permission",
        "Endpoint",
        "Cluster",
        "Rule",
        "Resource",
    ];
    const WHO: [&str; 5] = [
        "",
        r#","errorCode":[{"exists":false}]"#,
        r#","userIdentity":{"type":["Root"]}"#,
        r#","errorCode":["AccessDenied","UnauthorizedOperation"]"#,
        r#","sourceIPAddress":[{"anything-but":{"prefix":"10."}}],"userIdentity":{"type":["IAMUser"]}"#,
    ];
    // The canaries have two of the 300 rules of the hub. Services don't share names of events.
    (0..298)
        .map(|n| {
            let (service, thing, who) = (SERVICES[n % 30], THINGS[n / 30], WHO[n % 5]);
            rule(
                &format!("rule-{n}"),
                &format!(
                    r#"{{"source":["aws.{service}"],"detail-type":["AWS API Call via CloudTrail"],"detail":{{"eventSource":["{service}.amazonaws.com"],"eventName":["Create{service}{thing}","Delete{service}{thing}","Put{service}{thing}"]{who}}}}}"#
                ),
            )
        })
        .collect()
}

#[test]
fn as_many_rules_as_a_hub_takes_fit_the_spokes_buses_and_are_forwarded_exactly() {
    let rules = full_hub();
    for (organization, most) in [(example(), 16), (broad(), 16)] {
        let bundle = bundle(&rules, &organization);
        let forwarders = forwarders(&bundle);
        let longest = forwarders.iter().map(|(it, _)| it.text().chars().count());
        println!(
            "{:?}: 298 rules in {} forwarders, the longest of {:?} characters",
            organization.forward,
            forwarders.len(),
            longest.max()
        );
        // Far below the quota of 300 rules per bus, which accounts also need for their own rules.
        assert!(forwarders.len() <= most, "{} forwarders", forwarders.len());
        for (pattern, _) in &forwarders {
            assert!(pattern.text().chars().count() <= 2048);
        }
        for n in [0, 7, 123, 297] {
            let text = rules[n].pattern.text();
            let service = rules[n].pattern.exact_values("source").unwrap()[0].replace("aws.", "");
            let name = rules[n].pattern.exact_values("detail.eventName").unwrap()[0].clone();
            for detail in [
                json!({"userIdentity": {"type": "Root"}}),
                json!({"userIdentity": {"type": "IAMUser"}, "sourceIPAddress": "192.0.2.1"}),
                json!({"userIdentity": {"type": "IAMUser"}, "sourceIPAddress": "10.0.0.1"}),
                json!({"errorCode": "AccessDenied"}),
            ] {
                let event = event(&service, &name, &detail);
                let wanted = match organization.forward {
                    Forward::Exact => rules[n].pattern.matches(&event).unwrap(),
                    Forward::Broad => true,
                };
                let times = forwarders
                    .iter()
                    .filter(|(it, _)| it.matches(&event).unwrap())
                    .count();
                assert_eq!(times, usize::from(wanted), "{text} {detail}");
            }
        }
    }
}

#[test]
fn the_committed_rules_are_forwarded_once() {
    let folder = crate::support::stacksets().join("../rules");
    let options = rules::Options {
        today: "2026-11-23".parse().unwrap(),
    };
    let library = rules::load(&folder, &options);
    let organization = example();
    let forwarders = forwarders(&bundle(&library.rules, &organization));
    let alerting = |rule: &&Rule| rule.is_deployed() && rule.message.is_some();
    for rule in library.rules.iter().filter(alerting) {
        let deployed = compiler::as_deployed(rule, &organization);
        for test in deployed.tests.iter().filter(|test| test.matches) {
            let mut event = test.event.clone();
            for field in ["account", "region"] {
                if let Some(pinned) = deployed.pattern.exact_values(field) {
                    event[field] = json!(pinned[0]);
                }
            }
            let event = Event::parse(&event.to_string()).unwrap();
            let times = forwarders
                .iter()
                .filter(|(pattern, _)| pattern.matches(&event).unwrap())
                .count();
            assert_eq!(times, 1, "{}: {}", rule.id, test.name);
        }
    }
    // Far below the quota of 300 rules per bus, which accounts also need for their own rules.
    println!("{} forwarders of the committed rules", forwarders.len());
    assert!(forwarders.len() <= 25, "{} forwarders", forwarders.len());
}

#[test]
fn rules_too_long_for_one_forwarder_are_widened_rather_than_duplicated() {
    // All may match the same call; they differ only in long lists of callers.
    let people: Vec<String> = (0..40)
        .map(|n| format!("somebody-with-a-name-{n}"))
        .collect();
    let rules: Vec<Rule> = (0..4)
        .map(|n| {
            let people = json!(people.iter().skip(n).collect::<Vec<_>>());
            rule(
                &format!("r{n}"),
                &format!(
                    r#"{{"source":["aws.iam"],"detail-type":["AWS API Call via CloudTrail"],"detail":{{"eventName":["CreateUser"],"userIdentity":{{"userName":{people},"type":["{n}"]}}}}}}"#
                ),
            )
        })
        .collect();
    let forwarders = forwarders(&bundle(&rules, &example()));
    let times = |name: &str| {
        let event = event(
            "iam",
            name,
            &json!({"userIdentity": {"userName": people[20], "type": "1"}}),
        );
        forwarders
            .iter()
            .filter(|(it, _)| it.matches(&event).unwrap())
            .count()
    };
    assert_eq!(times("CreateUser"), 1);
    assert_eq!(times("DeleteUser"), 0);
}

fn any_rule() -> impl Strategy<Value = (usize, usize, bool, bool)> {
    (0_usize..3, 0_usize..4, any::<bool>(), any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_event_is_forwarded_exactly_if_a_rule_matches(specs in proptest::collection::vec(any_rule(), 1..12)) {
        let rules: Vec<Rule> = specs
            .iter()
            .enumerate()
            .map(|(n, (service, name, root, read_only))| {
                let (service, name) = (format!("service{service}"), format!("Do{name}"));
                let id = format!("rule-{n}");
                let rule = if *root { root_only(&id, &service, &name) } else { api_rule(&id, &service, &name) };
                Rule { read_only: *read_only, ..rule }
            })
            .collect();
        let bundle = bundle(&rules, &example());
        let forwarders = forwarders(&bundle);
        for service in 0..4 {
            for name in 0..5 {
                for kind in ["Root", "IAMUser"] {
                    let event = event(&format!("service{service}"), &format!("Do{name}"), &json!({"userIdentity": {"type": kind}}));
                    let wanted = rules.iter().any(|rule| rule.pattern.matches(&event).unwrap());
                    let times = forwarders.iter().filter(|(pattern, _)| pattern.matches(&event).unwrap()).count();
                    prop_assert_eq!(times, usize::from(wanted));
                }
            }
        }
    }

    /// CloudFormation creates and updates resources in no order but that of `DependsOn`, and deletes
    /// others after that. So an event must not go from a forwarder that stays to another one, unless
    /// the other one comes first.
    #[test]
    fn no_event_is_lost_while_a_stack_is_updated(
        before in proptest::collection::vec(any_edited_rule(), 1..10),
        after in proptest::collection::vec(any_edited_rule(), 1..10),
    ) {
        let first = bundle(&edited(&before), &example());
        let second = onto(&edited(&after), &first);
        let (old, new) = (by_id(&first), by_id(&second));
        for service in 0..4 {
            for name in 0..4 {
                for kind in ["Root", "IAMUser"] {
                    let caller = format!("caller-number-0-of-{service}");
                    let detail = json!({"userIdentity": {"type": kind, "userName": caller}});
                    let event = event(&format!("service{service}"), &format!("Do{name}"), &detail);
                    let matching = |all: &BTreeMap<String, Deployed>| -> Vec<String> {
                        let matching = all.iter().filter(|(_, it)| it.pattern.matches(&event).unwrap());
                        matching.map(|(id, _)| id.clone()).collect()
                    };
                    let (from, to) = (matching(&old), matching(&new));
                    if let ([from], [to]) = (&from[..], &to[..]) {
                        let stays = new.get(from);
                        let second = stays.is_none_or(|it| it.depends_on.contains(to));
                        prop_assert!(from == to || second, "{} -> {}", from, to);
                    }
                }
            }
        }
    }
}

/// Service, event name, whether for root only, read-only, and any service, and number of callers.
type Spec = (usize, usize, bool, bool, bool, usize);

fn any_edited_rule() -> impl Strategy<Value = Spec> {
    (
        0_usize..3,
        0_usize..3,
        any::<bool>(),
        proptest::bool::weighted(0.3),
        proptest::bool::weighted(0.1),
        prop_oneof![6 => Just(0_usize), 1 => Just(20), 1 => Just(40)],
    )
}

/// Compiled for the fleet on which `before` is deployed.
fn onto(rules: &[Rule], before: &Bundle) -> Bundle {
    let mut placement = Placement::default();
    for set in &before.stack_sets {
        placement.add(&set.name, &set.template);
    }
    let (bundle, diagnostics) = compile_onto(rules, &example(), &templates(), &placement);
    assert_eq!(diagnostics, []);
    bundle.unwrap()
}

fn edited(specs: &[Spec]) -> Vec<Rule> {
    let rules = specs.iter().enumerate();
    rules
        .map(|(n, (service, name, root, read_only, wide, long))| {
            // Long lists of callers make groups overflow.
            let callers: Vec<String> = (0..*long).map(|n| format!("caller-number-{n}-of-{service}")).collect();
            let (service, name) = (format!("service{service}"), format!("Do{name}"));
            let id = format!("rule-{n}");
            let made = if *long > 0 {
                let callers = json!(callers);
                rule(
                    &id,
                    &format!(r#"{{"source":["aws.{service}"],"detail-type":["AWS API Call via CloudTrail"],"detail":{{"eventSource":["{service}.amazonaws.com"],"eventName":["{name}"],"userIdentity":{{"userName":{callers}}}}}}}"#),
                )
            } else if *wide {
                rule(
                    &id,
                    r#"{"source":[{"prefix":"aws."}],"detail-type":["AWS API Call via CloudTrail"],"detail":{"userIdentity":{"type":["Root"]}}}"#,
                )
            } else if *root {
                root_only(&id, &service, &name)
            } else {
                api_rule(&id, &service, &name)
            };
            Rule { read_only: *read_only, ..made }
        })
        .collect()
}
