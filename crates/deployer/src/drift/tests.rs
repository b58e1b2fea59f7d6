use serde_json::json;

use super::*;
use crate::apply;
use crate::fake::{Fake, HOME, HUB, MANAGEMENT, bundle};
use crate::ports::{
    Account, PropertyDifference, ResourceDrift, ResourceDriftStatus, Subscription, TrailStatus,
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
        logging: true,
        multi_region: true,
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
        }],
    );
    state.policy = Some(json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["events:PutEvents"],
        "Resource": "arn:aws:events:eu-central-1:333344445555:event-bus/gizmos"}}));
    drop(state);
    cloud
}

async fn messages(cloud: &Fake) -> Vec<String> {
    let report = drift(cloud, &bundle(), &Silent).await.unwrap();
    assert_eq!(report.outcome(), DriftOutcome::Drifted);
    report
        .findings
        .into_iter()
        .map(|found| found.message)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_untouched_fleet_has_no_drift_however_often_one_looks() {
    let cloud = healthy().await;
    cloud.take_calls();
    for _ in 0..3 {
        let report = drift(&cloud, &bundle(), &Silent).await.unwrap();
        assert_eq!(report.findings, []);
        assert_eq!(report.unchecked, [""; 0]);
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
        ("gizmos-rules-hub".into(), Place::new(HUB, HOME)),
        vec![
            drifted("Rulerootuseractivity", ResourceDriftStatus::Modified),
            drifted("Ruleec2stopped", ResourceDriftStatus::Deleted),
        ],
    );
    cloud.state().drifts.insert(
        ("gizmos-trail".into(), Place::new(MANAGEMENT, HOME)),
        vec![drifted("Trail", ResourceDriftStatus::Modified)],
    );
    let report = drift(&cloud, &bundle(), &Silent).await.unwrap();
    let found: Vec<(&str, Vec<&str>)> = report
        .findings
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
                 behind CloudFormation's back: /State",
                vec!["root-user-activity"]
            ),
            (
                "rule ec2-stopped (AWS::Events::Rule Ruleec2stopped) was deleted behind \
                 CloudFormation's back",
                vec!["ec2-stopped"]
            ),
            (
                "AWS::Events::Rule Trail was changed behind CloudFormation's back: /State",
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
            }],
        );
    }
    let messages = messages(&cloud).await;
    for part in [
        "trail gizmos: the trail does not record",
        "security@example.com (email) is not subscribed",
        "stranger@example.com (email) gets alerts but is not in the organization file",
        "bus policy of gizmos: the policy is not the compiled one",
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
    let report = drift(&cloud, &bundle, &Silent).await.unwrap();
    assert_eq!(
        report.findings[0].message,
        "stack set gizmos-rules-hub differs from the bundle: template (rule root-user-activity \
         removed)"
    );
}
