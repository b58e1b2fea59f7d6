use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::apply;
use crate::fake::{Fake, HOME, HUB, MANAGEMENT, bundle};
use crate::fleet::Scope;
use crate::health::health;
use crate::ports::{
    Account, AccountState, EventSelectors, Instance, PropertyDifference, ResourceDrift,
    ResourceDriftStatus, Subscription, TrailStatus,
};
use crate::progress::Silent;

/// A deployed and healthy fleet.
async fn healthy() -> Fake {
    let cloud = Fake::new();
    let bundle = bundle();
    let observed = observe(&cloud, &bundle).await.unwrap();
    apply(&cloud, &bundle, &plan(&bundle, &observed), &Silent)
        .await
        .unwrap();
    let mut state = cloud.state();
    state.trail = Some(TrailStatus {
        arn: format!("arn:aws:cloudtrail:{HOME}:{MANAGEMENT}:trail/gizmos"),
        key: None,
        bucket: None,
        selectors: EventSelectors::default(),
        logging: true,
        multi_region: true,
        global_services: true,
        organization: true,
        log_file_validation: true,
        delivery_error: None,
    });
    state.queue = Some(0);
    state.subscriptions.insert(
        "gizmos-alerts".into(),
        vec![Subscription {
            protocol: "email".into(),
            endpoint: "security@example.com".into(),
            confirmed: true,
            arn: Some("arn:aws:sns:eu-central-1:333344445555:gizmos-alerts:1".into()),
        }],
    );
    state.policy = Some(json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["events:PutEvents"],
        "Resource": "arn:aws:events:eu-central-1:333344445555:event-bus/gizmos"}}));
    drop(state);
    cloud
}

async fn messages(cloud: &Fake) -> Vec<String> {
    let report = drift(cloud, &bundle(), &DriftOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(report.outcome(), DriftOutcome::Drifted);
    report
        .differences
        .into_iter()
        .map(|found| found.message)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn repeated_drift_runs_on_an_unchanged_fleet_find_nothing() {
    let cloud = healthy().await;
    cloud.take_calls();
    for _ in 0..3 {
        let report = drift(&cloud, &bundle(), &DriftOptions::default(), &Silent)
            .await
            .unwrap();
        assert_eq!(report.differences, []);
        assert_eq!(report.unchecked, []);
        assert_eq!(report.outcome(), DriftOutcome::InSync);
        assert_eq!((report.checked.instances, report.checked.stacks), (15, 3));
    }
    let calls = cloud.take_calls();
    assert!(
        calls.iter().all(|call| call.starts_with("detectdrift")),
        "{calls:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rule_changed_or_deleted_by_hand_is_named() {
    let cloud = healthy().await;
    let drifted = |id: &str, status| ResourceDrift {
        logical_id: id.into(),
        physical_id: None,
        resource_type: "AWS::Events::Rule".into(),
        status,
        reason: None,
        differences: if status == ResourceDriftStatus::Modified {
            vec![PropertyDifference {
                path: "/State".into(),
                expected: "ENABLED".into(),
                actual: "DISABLED".into(),
                kind: "NOT_EQUAL".into(),
            }]
        } else {
            Vec::new()
        },
        expected: None,
        actual: None,
    };
    cloud.state().drifts.insert(
        ("gizmos-rules-hub".into(), Location::new(HUB, HOME)),
        vec![
            drifted("Rulerootuseractivity", ResourceDriftStatus::Modified),
            drifted("Ruleec2stopped", ResourceDriftStatus::Deleted),
        ],
    );
    cloud.state().drifts.insert(
        ("gizmos-trail".into(), Location::new(MANAGEMENT, HOME)),
        vec![drifted("Trail", ResourceDriftStatus::Modified)],
    );
    let report = drift(&cloud, &bundle(), &DriftOptions::default(), &Silent)
        .await
        .unwrap();
    let found: Vec<(&str, Vec<&str>)> = report
        .differences
        .iter()
        .map(|f| {
            (
                f.message.as_str(),
                f.rules.iter().map(String::as_str).collect(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (
                "rule root-user-activity (AWS::Events::Rule Rulerootuseractivity) was changed \
                 outside of CloudFormation: /State",
                vec!["root-user-activity"]
            ),
            (
                "rule ec2-stopped (AWS::Events::Rule Ruleec2stopped) was deleted outside of \
                 CloudFormation",
                vec!["ec2-stopped"]
            ),
            (
                "AWS::Events::Rule Trail was changed outside of CloudFormation: /State",
                vec![]
            ),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_account_is_missing_its_instances_until_it_has_them() {
    let cloud = healthy().await;
    cloud.state().accounts.push(Account {
        id: "100000000010".into(),
        name: "new".into(),
        state: AccountState::Active,
        path: vec!["r-exmp".into()],
    });
    assert_eq!(
        messages(&cloud).await,
        [
            "the stack instance of account new is missing",
            "the stack instance of account new is missing",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn every_broken_link_of_the_chain_is_found() {
    let cloud = healthy().await;
    {
        let mut state = cloud.state();
        if let Some(trail) = &mut state.trail {
            trail.logging = false;
        }
        state.queue = Some(2);
        state.policy = Some(json!({"Statement": []}));
        state.subscriptions.insert(
            "gizmos-alerts".into(),
            vec![Subscription {
                protocol: "email".into(),
                endpoint: "stranger@example.com".into(),
                confirmed: true,
                arn: Some("arn:aws:sns:eu-central-1:333344445555:gizmos-alerts:1".into()),
            }],
        );
    }
    let messages = messages(&cloud).await;
    for part in [
        "trail gizmos: the trail is not logging",
        "security@example.com (email) is not subscribed",
        "stranger@example.com (email) gets alerts but is not in the organization file",
        "bus policy of gizmos: the policy differs from the compiled one",
        "dead letters gizmos-dead-letters: 2 events or alerts could not be delivered",
    ] {
        assert!(
            messages.iter().any(|m| m.contains(part)),
            "{part}: {messages:#?}"
        );
    }
    assert_eq!(messages.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn an_unconfirmed_subscription_is_a_broken_link() {
    let cloud = healthy().await;
    for subscription in cloud
        .state()
        .subscriptions
        .get_mut("gizmos-alerts")
        .unwrap()
    {
        subscription.confirmed = false;
    }
    let found = health(&cloud, &bundle()).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].link,
        "subscription security@example.com of gizmos-alerts"
    );
    assert!(found[0].message.contains("has not confirmed"));
}

#[tokio::test(start_paused = true)]
async fn a_changed_bundle_is_drift_in_terms_of_rules() {
    let cloud = healthy().await;
    let mut bundle = bundle();
    bundle.stack_sets[3].template =
        crate::fake::rules_template(&[("ec2-stopped", "aws.ec2")]).to_string();
    let report = drift(&cloud, &bundle, &DriftOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(
        report.differences[0].message,
        "stack set gizmos-rules-hub differs from the bundle: template (rule root-user-activity \
         removed)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_disabled_rule_is_found_although_cloudformation_does_not_see_it() {
    let cloud = healthy().await;
    let name = "StackSet-gizmos-rules-spoke-Forwarder-ABCDEFGHIJKL".to_owned();
    cloud.state().disabled_rules.insert((spoke(), name));
    let report = drift(&cloud, &bundle(), &DriftOptions::default(), &Silent)
        .await
        .unwrap();
    let [difference] = &report.differences[..] else {
        panic!("{:#?}", report.differences);
    };
    assert_eq!(difference.code, DriftCode::RuleDisabled);
    assert_eq!(difference.location, Some(spoke()));
    let fix = difference.fix.to_string();
    assert!(
        fix.contains("--deployment-mode REVERT_DRIFT") && fix.contains("--region us-east-1"),
        "{fix}"
    );
}

#[tokio::test(start_paused = true)]
async fn drift_that_cloudformation_reports_falsely_is_settled_by_a_look() {
    let cloud = healthy().await;
    let dead_letters = "{\"Arn\":\"arn:queue\"}";
    let report_of =
        |logical_id: &str, resource_type: &str, path: &str, expected: &str| ResourceDrift {
            logical_id: logical_id.into(),
            physical_id: Some("gizmos".into()),
            resource_type: resource_type.into(),
            status: ResourceDriftStatus::Modified,
            reason: None,
            differences: vec![PropertyDifference {
                path: path.into(),
                expected: expected.into(),
                actual: "null".into(),
                kind: "REMOVE".into(),
            }],
            expected: None,
            actual: None,
        };
    cloud.state().drifts.insert(
        ("gizmos-topic".into(), Location::new(HUB, HOME)),
        vec![report_of("Bus", "AWS::Events::EventBus", "/Policy", "{}")],
    );
    let rule = report_of(
        "Forwarder",
        "AWS::Events::Rule",
        "/Targets/0/DeadLetterConfig",
        dead_letters,
    );
    cloud
        .state()
        .drifts
        .insert(("gizmos-rules-spoke".into(), spoke()), vec![rule]);
    let run = async || {
        drift(&cloud, &bundle(), &DriftOptions::default(), &Silent)
            .await
            .unwrap()
    };
    // The target isn't there, so CloudFormation is right about it, but not about the policy.
    let report = run().await;
    assert_eq!(report.differences.len(), 1, "{:#?}", report.differences);
    assert_eq!(report.differences[0].code, DriftCode::ResourceModified);
    assert_eq!(report.settled.len(), 1);
    assert_eq!(report.settled[0].property.property, "/Policy");

    // The stack set's template doesn't know this forwarder, so neither its target's id: that is so in
    // closed accounts, whose stacks aren't updated any more.
    cloud.state().targets.insert(
        "gizmos".into(),
        vec![json!({"Id": "hub", "DeadLetterConfig": {"Arn": "arn:queue"}})],
    );
    let report = run().await;
    assert_eq!(report.outcome(), DriftOutcome::InSync);
    assert_eq!(report.settled.len(), 2);
}

fn spoke() -> Location {
    Location::new("100000000006", "us-east-1")
}

/// Causes one difference for each check, all in one account except those only the hub can have.
async fn drifted_in_every_respect() -> (Fake, Bundle) {
    let cloud = healthy().await;
    let mut bundle = bundle();
    bundle.stack_sets[3].template =
        crate::fake::rules_template(&[("ec2-stopped", "aws.ec2")]).to_string();
    {
        let mut state = cloud.state();
        let set = state.sets.get_mut("gizmos-rules-spoke").unwrap();
        let instance = set.instances.remove(&spoke()).unwrap();
        set.instances.insert(
            Location::new("100000000007", "ap-south-1"),
            Instance {
                account: "100000000007".into(),
                region: "ap-south-1".into(),
                ..instance
            },
        );
        state.drifts.insert(
            ("gizmos-topic".into(), Location::new(HUB, HOME)),
            vec![ResourceDrift {
                logical_id: "DeadLetters".into(),
                physical_id: Some("https://sqs/gizmos-dead-letters".into()),
                resource_type: "AWS::SQS::Queue".into(),
                status: ResourceDriftStatus::Deleted,
                reason: None,
                differences: Vec::new(),
                expected: None,
                actual: None,
            }],
        );
        let at = |region: &str| {
            let set = "gizmos-rules-spoke".to_owned();
            (set, Location::new("012345678901", region))
        };
        state.direct.insert(at("us-east-1"), None);
        state.direct.insert(
            at(HOME),
            Some(("{\"Resources\": {}}".into(), BTreeMap::new())),
        );
        state
            .spoke_queues
            .insert(Location::new("100000000002", HOME), 3);
        state.gone_roles.insert("100000000007".into());
    }
    (cloud, bundle)
}

async fn found(cloud: &Fake, bundle: &Bundle, options: &DriftOptions) -> Vec<String> {
    let report = drift(cloud, bundle, options, &Silent).await.unwrap();
    assert_eq!(report.unchecked, []);
    report
        .differences
        .iter()
        .map(|it| {
            let location = it
                .location
                .as_ref()
                .map(Location::to_string)
                .unwrap_or_default();
            format!("{} {location}", it.code.id())
        })
        .collect()
}

fn only(check: DriftCheck) -> DriftOptions {
    DriftOptions {
        checks: [check].into(),
        ..DriftOptions::default()
    }
}

#[tokio::test(start_paused = true)]
async fn each_check_finds_only_its_own_drift() {
    let (cloud, bundle) = drifted_in_every_respect().await;
    let expected = [
        (
            DriftCheck::Instances,
            vec![
                "instance::missing 100000000006 us-east-1",
                "instance::unexpected 100000000007 ap-south-1",
            ],
        ),
        (
            DriftCheck::Resources,
            vec!["resource::deleted 333344445555 eu-central-1"],
        ),
        (
            DriftCheck::Stacks,
            vec![
                "stack::template 012345678901 eu-central-1",
                "stack::gone 012345678901 us-east-1",
            ],
        ),
    ];
    for (check, expected) in &expected {
        assert_eq!(found(&cloud, &bundle, &only(*check)).await, *expected);
    }
    // An account's missing instance and deleted stack are reported by their own checks only.
    assert_eq!(
        found(&cloud, &bundle, &only(DriftCheck::Plan)).await,
        ["plan::differs ", "plan::instances "]
    );
    let chain = [
        "chain::dead-letters 100000000002 eu-central-1",
        "chain::role-missing 100000000007 ap-south-1",
        "chain::role-missing 100000000007 eu-central-1",
        "chain::role-missing 100000000007 us-east-1",
    ];
    let alone = found(&cloud, &bundle, &only(DriftCheck::Chain)).await;
    assert_eq!(alone[0], "chain::role-missing 012345678901 us-east-1");
    assert_eq!(alone[1..], chain);
    let all = found(&cloud, &bundle, &DriftOptions::default()).await;
    let mut wanted = vec!["plan::differs "];
    wanted.extend(expected.iter().flat_map(|(_, codes)| codes));
    wanted.extend(chain);
    assert_eq!(all, wanted);
}

#[tokio::test(start_paused = true)]
async fn accounts_and_regions_limit_the_scope() {
    let (cloud, bundle) = drifted_in_every_respect().await;
    let options = DriftOptions {
        scope: Scope {
            accounts: ["012345678901".to_owned()].into(),
            regions: [HOME.to_owned()].into(),
        },
        ..DriftOptions::default()
    };
    assert_eq!(
        found(&cloud, &bundle, &options).await,
        [
            "plan::differs ",
            "stack::template 012345678901 eu-central-1"
        ]
    );
    let stranger = DriftOptions {
        scope: Scope {
            accounts: ["999999999999".to_owned()].into(),
            ..Scope::default()
        },
        ..DriftOptions::default()
    };
    let report = drift(&healthy().await, &crate::fake::bundle(), &stranger, &Silent)
        .await
        .unwrap();
    assert_eq!(report.outcome(), DriftOutcome::Incomplete);
    assert_eq!(report.unchecked[0].what, "account 999999999999");
}

#[tokio::test(start_paused = true)]
async fn drift_without_detection_makes_no_mutating_call() {
    let cloud = healthy().await;
    let options = DriftOptions {
        detect: false,
        ..DriftOptions::default()
    };
    cloud.take_calls();
    let report = drift(&cloud, &bundle(), &options, &Silent).await.unwrap();
    assert_eq!(report.outcome(), DriftOutcome::InSync);
    assert!(report.notes[0].contains("has never detected drift"));
    assert_eq!(cloud.take_calls(), [""; 0]);

    // The latest detection is reported with its age.
    drift(&cloud, &bundle(), &DriftOptions::default(), &Silent)
        .await
        .unwrap();
    cloud.take_calls();
    let report = drift(&cloud, &bundle(), &options, &Silent).await.unwrap();
    assert!(report.notes[0].ends_with("as CloudFormation saw them at 2026-11-23T06:00:00Z"));
    assert_eq!(cloud.take_calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_account_without_the_access_role_is_reported_once_as_unchecked() {
    let cloud = healthy().await;
    cloud.state().closed.insert("100000000002".into());
    let report = drift(&cloud, &bundle(), &DriftOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(report.outcome(), DriftOutcome::Incomplete);
    let unchecked: Vec<&str> = report.unchecked.iter().map(|it| it.what.as_str()).collect();
    assert_eq!(unchecked, ["2 stacks of account 100000000002"]);
}

#[tokio::test(start_paused = true)]
async fn changed_stack_parameters_are_shown_next_to_the_stack_sets() {
    let cloud = healthy().await;
    let mut bundle = bundle();
    bundle.stack_sets[4].parameters = BTreeMap::from([("HubBusArn".into(), "ours".into())]);
    {
        let mut state = cloud.state();
        let set = state.sets.get_mut("gizmos-rules-spoke").unwrap();
        set.details.parameters = bundle.stack_sets[4].parameters.clone();
        let template = set.details.template.clone();
        let theirs = BTreeMap::from([("HubBusArn".into(), "a stranger's".into())]);
        state.direct.insert(
            ("gizmos-rules-spoke".into(), spoke()),
            Some((template, theirs)),
        );
    }
    let report = drift(&cloud, &bundle, &only(DriftCheck::Stacks), &Silent)
        .await
        .unwrap();
    let [difference] = &report.differences[..] else {
        panic!("{:#?}", report.differences);
    };
    assert_eq!(difference.code, DriftCode::StackParameters);
    assert_eq!(difference.location, Some(spoke()));
    assert_eq!(difference.expected.as_deref(), Some("HubBusArn=ours"));
    assert_eq!(difference.actual.as_deref(), Some("HubBusArn=a stranger's"));
}
