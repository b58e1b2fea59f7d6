//! Breaks every link of the chain: the trace must name it, and no alert may arrive.

use serde_json::json;

use super::*;
use crate::Surprise;

type Edit = (&'static str, &'static str, Value);

/// Deploys with the edits, signs in, and checks where the event stopped and that no alert came.
fn breaks(edits: &[Edit], link: &str, outcome: Outcome, words: &[&str]) -> Fleet {
    let mut fleet = Fleet::broken(edits);
    let trace = fleet.sign_in();
    let hop = stop(&trace);
    assert!(hop.link.starts_with(link), "expected {link}: {trace:#?}");
    assert_eq!(hop.outcome, outcome, "{hop:?}");
    for word in words {
        assert!(
            hop.detail.contains(word),
            "{word:?} is not in {:?}",
            hop.detail
        );
    }
    assert!(trace.deliveries.is_empty());
    fleet
}

#[test]
fn a_disabled_forwarder() {
    breaks(
        &[("ForwardRule", "/State", json!("DISABLED"))],
        "rule gizmos-test",
        Outcome::Dropped,
        &["disabled"],
    );
}

#[test]
fn a_forwarder_whose_pattern_misses_the_event() {
    breaks(
        &[(
            "ForwardRule",
            "/EventPattern/source",
            json!(["aws.sign-in"]),
        )],
        "rules on bus default",
        Outcome::Dropped,
        &["does not match"],
    );
}

#[test]
fn a_role_that_does_not_trust_eventbridge() {
    breaks(
        &[(
            "Forwarder",
            "/AssumeRolePolicyDocument/Statement/0/Principal",
            json!({"Service": "ec2.amazonaws.com"}),
        )],
        "role ",
        Outcome::Denied,
        &["trust policy", "events.amazonaws.com"],
    );
}

#[test]
fn a_role_that_trusts_the_rules_of_another_account_only() {
    breaks(
        &[(
            "Forwarder",
            "/AssumeRolePolicyDocument/Statement/0/Condition/StringEquals/aws:SourceAccount",
            json!(HUB),
        )],
        "role ",
        Outcome::Denied,
        &["aws:SourceAccount is 012345678901"],
    );
}

#[test]
fn a_role_that_may_put_events_on_another_bus_only() {
    breaks(
        &[(
            "Forwarder",
            "/Policies/0/PolicyDocument/Statement/0/Resource",
            json!("arn:aws:events:eu-central-1:333344445555:event-bus/gizmo"),
        )],
        "role ",
        Outcome::Denied,
        &["put-events", "event-bus/gizmo"],
    );
}

#[test]
fn a_role_that_does_not_exist() {
    breaks(
        &[(
            "ForwardRule",
            "/Targets/0/RoleArn",
            json!("arn:aws:iam::012345678901:role/gizmos/missing"),
        )],
        "role missing",
        Outcome::Denied,
        &["does not exist"],
    );
}

#[test]
fn a_bus_that_does_not_exist() {
    let typo = "arn:aws:events:eu-central-1:333344445555:event-bus/gizmoz";
    breaks(
        &[
            ("ForwardRule", "/Targets/0/Arn", json!(typo)),
            (
                "Forwarder",
                "/Policies/0/PolicyDocument/Statement/0/Resource",
                json!(typo),
            ),
        ],
        "target gizmoz",
        Outcome::Failed,
        &["does not exist"],
    );
}

#[test]
fn a_bus_policy_with_another_organization() {
    breaks(
        &[(
            "Bus",
            "/Policy/Statement/0/Condition/StringEquals/aws:PrincipalOrgID",
            json!("o-exampleorg2"),
        )],
        "bus policy of gizmos",
        Outcome::Denied,
        &["aws:PrincipalOrgID is o-exampleorg1", "o-exampleorg2"],
    );
}

#[test]
fn a_bus_policy_with_another_role_path() {
    breaks(
        &[("Forwarder", "/Path", json!("/gizmo/"))],
        "bus policy of gizmos",
        Outcome::Denied,
        &["aws:PrincipalArn", "role/gizmos/*"],
    );
}

#[test]
fn a_bus_without_policy() {
    breaks(
        &[("Bus", "/Policy", Value::Null)],
        "bus policy of gizmos",
        Outcome::Denied,
        &["no policy"],
    );
}

#[test]
fn permission_through_the_organization_needs_a_role() {
    breaks(
        &[
            ("ForwardRule", "/Targets/0/RoleArn", Value::Null),
            (
                "ForwardRule",
                "/Targets/0/Arn",
                json!("arn:aws:events:us-west-2:333344445555:event-bus/default"),
            ),
        ],
        "bus policy of default",
        Outcome::Denied,
        &["no policy"],
    );
}

#[test]
fn a_disabled_detection() {
    breaks(
        &[("Detection", "/State", json!("DISABLED"))],
        "rule sign-in on bus gizmos",
        Outcome::Dropped,
        &["disabled"],
    );
}

#[test]
fn a_topic_that_does_not_exist() {
    let fleet = breaks(
        &[(
            "Detection",
            "/Targets/0/Arn",
            json!("arn:aws:sns:eu-central-1:333344445555:gizmos-alert"),
        )],
        "topic gizmos-alert",
        Outcome::Failed,
        &["does not exist"],
    );
    let letter = &fleet.world.services.sqs.queues[LETTERS].messages[0];
    assert_eq!(letter.attributes["ERROR_CODE"], "NO_RESOURCE");
    assert!(letter.attributes["RULE_ARN"].ends_with("rule/gizmos/sign-in"));
    assert!(letter.body.contains("sign-in in 012345678901"));
}

#[test]
fn a_topic_policy_for_another_service() {
    breaks(
        &[(
            "TopicPolicy",
            "/PolicyDocument/Statement/0/Principal",
            json!({"Service": "cloudwatch.amazonaws.com"}),
        )],
        "topic policy of gizmos-alerts",
        Outcome::Denied,
        &["events.amazonaws.com"],
    );
}

#[test]
fn a_topic_policy_with_a_condition_eventbridge_does_not_meet() {
    breaks(
        &[(
            "TopicPolicy",
            "/PolicyDocument/Statement/0/Condition",
            json!({"StringEquals": {"aws:SourceAccount": HUB}}),
        )],
        "topic policy of gizmos-alerts",
        Outcome::Denied,
        &["aws:SourceAccount, which this request does not have"],
    );
}

/// The statement of `publish: policy`.
fn for_rules_of(bus: &str) -> Edit {
    (
        "TopicPolicy",
        "/PolicyDocument/Statement/0/Condition",
        json!({"ArnLike": {"aws:SourceArn": format!("arn:aws:events:{HOME}:{HUB}:rule/{bus}/*")}}),
    )
}

#[test]
fn a_topic_policy_for_the_rules_of_the_bus_admits_a_target_without_role() {
    let mut fleet = Fleet::broken(&[for_rules_of("gizmos")]);
    assert_eq!(fleet.sign_in().deliveries.len(), 1);
}

#[test]
fn a_topic_policy_for_the_rules_of_another_bus() {
    breaks(
        &[for_rules_of("other")],
        "topic policy of gizmos-alerts",
        Outcome::Denied,
        &["aws:SourceArn is arn:aws:events:eu-central-1:333344445555:rule/gizmos/sign-in"],
    );
}

#[test]
fn a_topic_policy_that_waits_for_a_source_which_is_not_sent() {
    let mut fleet = Fleet::broken(&[for_rules_of("gizmos")]);
    let surprises = &mut fleet.world.services.environment.surprises;
    surprises.insert(Surprise::TopicsSeeNoSource);
    let trace = fleet.sign_in();
    assert_eq!(stop(&trace).link, "topic policy of gizmos-alerts");
    assert!(
        stop(&trace)
            .detail
            .contains("aws:SourceArn, which this request does not have")
    );
}

/// With a role, the topic's policy isn't asked.
#[test]
fn a_target_with_a_role_uses_the_role_and_not_the_topic_policy() {
    let role = |actions: Value| {
        json!({
            "Path": "/gizmos-hub/",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }]},
            "Policies": [{"PolicyName": "publish", "PolicyDocument": {
                "Version": "2012-10-17", "Statement": [
                    {"Effect": "Allow", "Action": actions, "Resource": "*"},
                ],
            }}],
        })
    };
    let all = json!(["sns:Publish", "kms:Decrypt", "kms:GenerateDataKey*"]);
    for (actions, policy, broken) in [
        (all, "cloudwatch.amazonaws.com", None),
        (
            json!("sns:Subscribe"),
            "events.amazonaws.com",
            Some("role "),
        ),
        (
            json!("sns:Publish"),
            "events.amazonaws.com",
            Some("key policy"),
        ),
    ] {
        let mut fleet = Fleet::empty();
        let publisher = fleet.make(HUB, HOME, "Publisher", "AWS::IAM::Role", role(actions));
        fleet.edits = vec![
            (
                "Detection",
                "/Targets/0/RoleArn",
                publisher.attributes["Arn"].clone(),
            ),
            (
                "TopicPolicy",
                "/PolicyDocument/Statement/0/Principal",
                json!({"Service": policy}),
            ),
        ];
        fleet.archive();
        fleet.trail();
        fleet.hub();
        fleet.spoke();
        fleet.world.advance(60.0);
        let trace = fleet.sign_in();
        match broken {
            None => assert_eq!(trace.deliveries.len(), 1, "{trace:#?}"),
            Some(link) => {
                assert!(stop(&trace).link.starts_with(link), "{trace:#?}");
                assert!(trace.deliveries.is_empty());
            }
        }
    }
}

#[test]
fn a_key_policy_without_eventbridge() {
    breaks(
        &[(
            "Key",
            "/KeyPolicy/Statement/1/Principal",
            json!({"Service": "sns.amazonaws.com"}),
        )],
        "key policy",
        Outcome::Denied,
        &["kms:GenerateDataKey", "events.amazonaws.com"],
    );
}

#[test]
fn a_key_policy_with_a_source_condition() {
    breaks(
        &[(
            "Key",
            "/KeyPolicy/Statement/1/Condition",
            json!({"StringEquals": {"aws:SourceAccount": HUB}}),
        )],
        "key policy",
        Outcome::Denied,
        &["aws:SourceAccount"],
    );
}

#[test]
fn the_key_aws_manages_for_sns() {
    breaks(
        &[("Topic", "/KmsMasterKeyId", json!("alias/aws/sns"))],
        "key policy",
        Outcome::Denied,
        &["managed by AWS"],
    );
}

#[test]
fn a_text_template_broken_by_a_quote() {
    let fleet = breaks(
        &[(
            "Detection",
            "/Targets/0/InputTransformer/InputTemplate",
            json!("\"sign-in by <user>\""),
        )],
        "input transformer",
        Outcome::Failed,
        &["Invalid input for target.", "ops\"quoted"],
    );
    let letter = &fleet.world.services.sqs.queues[LETTERS].messages[0];
    assert_eq!(letter.attributes["ERROR_CODE"], "INVALID_JSON");
    assert_eq!(
        letter.body,
        "\"sign-in by arn:aws:iam::012345678901:user/ops\"quoted\""
    );
}

#[test]
fn an_unconfirmed_subscription() {
    let mut fleet = Fleet::empty();
    fleet.world.services.environment.confirm_subscriptions = false;
    fleet.archive();
    fleet.trail();
    fleet.hub();
    fleet.spoke();
    fleet.world.advance(3600.0);
    let trace = fleet.sign_in();
    assert_eq!(stop(&trace).link, "subscription security@example.com");
    assert!(stop(&trace).detail.contains("never confirmed"));
}

#[test]
fn a_subscription_is_pending_until_its_recipient_confirms() {
    let mut fleet = Fleet::empty();
    fleet.archive();
    fleet.trail();
    fleet.hub();
    fleet.spoke();
    let listed = |fleet: &mut Fleet| {
        fleet
            .call(
                HUB,
                "sns",
                "ListSubscriptionsByTopic",
                json!({"TopicArn": TOPIC}),
            )
            .unwrap()["Subscriptions"][0]["SubscriptionArn"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(listed(&mut fleet), "PendingConfirmation");
    fleet.world.advance(29.0);
    assert_eq!(listed(&mut fleet), "PendingConfirmation");
    fleet.world.advance(2.0);
    assert!(listed(&mut fleet).starts_with(TOPIC));
}

#[test]
fn without_permission_for_the_queue_even_the_dead_letter_is_lost() {
    let mut fleet = Fleet::broken(&[
        (
            "Detection",
            "/Targets/0/Arn",
            json!("arn:aws:sns:eu-central-1:333344445555:typo"),
        ),
        (
            "DeadLettersPolicy",
            "/PolicyDocument/Statement/0/Condition/ArnLike/aws:SourceArn",
            json!("arn:aws:events:eu-central-1:333344445555:rule/other/*"),
        ),
    ]);
    let trace = fleet.sign_in();
    let last = trace.hops.last().unwrap();
    assert_eq!(last.link, "dead letters gizmos-dead-letters");
    assert_eq!(last.outcome, Outcome::Denied);
    assert!(last.detail.contains("lost"));
    assert!(fleet.dead_letters().is_empty());
}

#[test]
fn a_dead_letter_raises_the_alarm_on_the_same_topic() {
    let mut fleet = Fleet::broken(&[(
        "Detection",
        "/Targets/0/InputTransformer/InputTemplate",
        json!("\"sign-in by <user>\""),
    )]);
    fleet.sign_in();
    fleet.world.advance(61.0);
    let inbox = &fleet.world.services.sns.inbox;
    assert_eq!(inbox.len(), 1);
    let alarm: Value = serde_json::from_str(&inbox[0].body).unwrap();
    assert_eq!(alarm["NewStateValue"], "ALARM");
    let url = "https://sqs.eu-central-1.amazonaws.com/333344445555/gizmos-dead-letters";
    fleet
        .call(HUB, "sqs", "PurgeQueue", json!({"QueueUrl": url}))
        .unwrap();
    fleet.world.advance(61.0);
    let alarms = fleet
        .call(HUB, "monitoring", "DescribeAlarms", json!({}))
        .unwrap();
    assert_eq!(alarms["MetricAlarms"][0]["StateValue"], "OK");
}

#[test]
fn bus_with_an_inaccessible_key_uses_its_own_dead_letter_queue() {
    let mut fleet = Fleet::broken(&[
        ("Bus", "/KmsKeyIdentifier", json!("alias/aws/events")),
        ("Bus", "/DeadLetterConfig", json!({"Arn": LETTERS})),
        (
            "DeadLettersPolicy",
            "/PolicyDocument/Statement/0/Condition/ArnLike/aws:SourceArn",
            json!(BUS),
        ),
    ]);
    let trace = fleet.sign_in();
    assert_eq!(stop(&trace).link, "key policy");
    assert_eq!(fleet.dead_letters().len(), 1, "{trace:#?}");
    assert!(trace.deliveries.is_empty());
}
