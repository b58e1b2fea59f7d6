//! The working alert chain.

use serde_json::{Value, json};

use super::*;

#[test]
fn a_sign_in_in_a_member_account_reaches_the_inbox() {
    let mut fleet = Fleet::deployed();
    let trace = fleet.sign_in();
    assert_eq!(trace.deliveries.len(), 1, "{trace:#?}");
    let delivery = &trace.deliveries[0];
    assert_eq!(delivery.endpoint, "security@example.com");
    assert_eq!(delivery.topic_arn, TOPIC);
    let body: Value = serde_json::from_str(&delivery.body).unwrap();
    assert_eq!(
        body,
        json!({
            "alert": format!("sign-in in {MEMBER}, {SPOKE_REGION}"),
            "user": "arn:aws:iam::012345678901:user/ops\"quoted",
        })
    );
    assert_eq!(fleet.world.services.sns.inbox, trace.deliveries);
}

#[test]
fn the_trace_names_every_link_in_order() {
    let mut fleet = Fleet::deployed();
    let trace = fleet.sign_in();
    let links: Vec<String> = trace
        .hops
        .iter()
        .map(|hop| {
            assert_eq!(hop.outcome, Outcome::Ok, "{hop:?}");
            let generated = |word: &str| {
                if word.starts_with("gizmos-test-") {
                    "*"
                } else {
                    word
                }
                .to_owned()
            };
            let words: Vec<String> = hop.link.split(' ').map(generated).collect();
            format!("{} {}: {}", hop.account, hop.region, words.join(" "))
        })
        .collect();
    assert_eq!(
        links,
        [
            format!("{MEMBER} us-west-2: trail"),
            format!("{MEMBER} us-west-2: rule * on bus default"),
            format!("{MEMBER} us-west-2: role *"),
            format!("{HUB} eu-central-1: bus policy of gizmos"),
            format!("{MEMBER} us-west-2: target gizmos (bus {BUS})"),
            format!("{HUB} eu-central-1: rule sign-in on bus gizmos"),
            format!("{HUB} eu-central-1: topic policy of gizmos-alerts"),
            format!("{HUB} eu-central-1: key policy"),
            format!("{HUB} eu-central-1: subscription security@example.com"),
        ]
    );
}

#[test]
fn account_and_region_are_those_of_the_emitter_and_the_rest_is_kept() {
    let mut fleet = Fleet::empty();
    let queue = format!("arn:aws:sqs:{HOME}:{HUB}:copy");
    let url = fleet.make(
        HUB,
        HOME,
        "Copy",
        "AWS::SQS::Queue",
        json!({"QueueName": "copy"}),
    );
    fleet.make(
        HUB,
        HOME,
        "CopyPolicy",
        "AWS::SQS::QueueInlinePolicy",
        json!({"Queue": url.physical_id, "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": queue,
            "Condition": {"StringEquals": {"aws:SourceAccount": HUB}},
        }]}}),
    );
    fleet.make(
        HUB,
        HOME,
        "Rule",
        "AWS::Events::Rule",
        json!({"EventPattern": {"source": ["aws.health"]}, "Targets": [{"Id": "copy", "Arn": queue}]}),
    );
    let event = json!({"source": "aws.health", "detail-type": "x", "time": "2026-01-02T03:04:05Z", "detail": {"a": 1}});
    emit(&mut fleet.world, HUB, HOME, event);
    let body = &fleet.world.services.sqs.queues[&queue].messages[0].body;
    let copy: Value = serde_json::from_str(body).unwrap();
    assert_eq!(copy["account"], HUB);
    assert_eq!(copy["region"], HOME);
    assert_eq!(copy["time"], "2026-01-02T03:04:05Z");
    assert_eq!(copy["detail"], json!({"a": 1}));
    assert_eq!(copy["id"].as_str().unwrap().len(), 36);
}

#[test]
fn unmatched_events_end_at_the_bus() {
    let mut fleet = Fleet::deployed();
    let mut event = sign_in_event();
    event["detail"]["responseElements"]["ConsoleLogin"] = json!("Failure");
    let trace = emit(&mut fleet.world, MEMBER, SPOKE_REGION, event);
    assert!(trace.deliveries.is_empty());
    let hop = stop(&trace);
    assert_eq!(hop.link, "rules on bus gizmos");
    assert_eq!(hop.outcome, Outcome::Dropped);
}

#[test]
fn put_events_refuses_aws_sources() {
    let mut fleet = Fleet::deployed();
    let answer = fleet
        .call_in(
            MEMBER,
            SPOKE_REGION,
            "events",
            "PutEvents",
            json!({"Entries": [{
                "Source": "aws.signin", "DetailType": "AWS Console Sign In via CloudTrail",
                "Detail": sign_in_event()["detail"].to_string(),
            }]}),
        )
        .unwrap();
    assert_eq!(answer["FailedEntryCount"], 1);
    assert_eq!(
        answer["Entries"][0]["ErrorCode"],
        "NotAuthorizedForSourceException"
    );
}

#[test]
fn put_events_to_the_hub_needs_a_role_the_bus_policy_names() {
    let mut fleet = Fleet::deployed();
    let entries = json!({"Entries": [{
        "Source": "example.app", "DetailType": "x", "Detail": "{}", "EventBusName": BUS,
    }]});
    let answer = fleet
        .call(MEMBER, "events", "PutEvents", entries.clone())
        .unwrap();
    assert_eq!(answer["Entries"][0]["ErrorCode"], "AccessDenied");
    let answer = fleet.call(HUB, "events", "PutEvents", entries).unwrap();
    assert_eq!(answer["FailedEntryCount"], 0);
}

#[test]
fn events_do_not_travel_to_a_third_account() {
    let mut fleet = Fleet::deployed();
    let role = fleet.make(
        HUB,
        HOME,
        "Onward",
        "AWS::IAM::Role",
        json!({
            "Path": "/gizmos/",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole",
            }]},
            "ManagedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"],
        }),
    );
    fleet.make(
        HUB,
        HOME,
        "OnwardRule",
        "AWS::Events::Rule",
        json!({
            "Name": "onward", "EventBusName": "gizmos", "EventPattern": sign_in_pattern(),
            "Targets": [{
                "Id": "next", "Arn": format!("arn:aws:events:{HOME}:{ARCHIVE}:event-bus/default"),
                "RoleArn": role.attributes["Arn"],
            }],
        }),
    );
    let trace = fleet.sign_in();
    let hop = stop(&trace);
    assert_eq!(hop.outcome, Outcome::Dropped);
    assert!(hop.detail.contains("third"), "{hop:?}");
    assert_eq!(trace.deliveries.len(), 1);
}

/// Subscribes a queue to the hub's topic, with one more property. Returns its URL and ARN.
fn subscribed_queue(fleet: &mut Fleet, property: &str, value: &Value) -> (String, String) {
    let arn = format!("arn:aws:sqs:{HOME}:{HUB}:inbox");
    let queue = fleet.make(
        HUB,
        HOME,
        "Inbox",
        "AWS::SQS::Queue",
        json!({"QueueName": "inbox"}),
    );
    fleet.make(
        HUB,
        HOME,
        "Sub",
        "AWS::SNS::Subscription",
        json!({"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": arn, property: value}),
    );
    (queue.physical_id, arn)
}

#[test]
fn subscribed_queues_get_the_message_if_their_policy_allows_it() {
    let mut fleet = Fleet::deployed();
    let (queue, arn) = subscribed_queue(&mut fleet, "RawMessageDelivery", &json!(true));
    let trace = fleet.sign_in();
    assert_eq!(stop(&trace).link, format!("subscription {arn}"));
    assert!(stop(&trace).detail.contains("has no policy"));
    fleet.make(
        HUB,
        HOME,
        "InboxPolicy",
        "AWS::SQS::QueueInlinePolicy",
        json!({"Queue": queue, "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}},
        }]}}),
    );
    let trace = fleet.sign_in();
    assert_eq!(trace.deliveries.len(), 2);
    let bodies: Vec<&str> = trace
        .deliveries
        .iter()
        .map(|delivery| delivery.body.as_str())
        .collect();
    assert_eq!(bodies[0], bodies[1]);
}

#[test]
fn message_refused_by_a_queue_goes_to_the_subscriptions_dead_letter_queue() {
    let mut fleet = Fleet::broken(&[
        (
            "DeadLettersPolicy",
            "/PolicyDocument/Statement/0",
            json!({
                "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage", "Resource": LETTERS,
                "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}},
            }),
        ),
        (
            "Key",
            "/KeyPolicy/Statement/2",
            json!({
                "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
                "Action": ["kms:Decrypt", "kms:GenerateDataKey*"], "Resource": "*",
                "Condition": {"StringEquals": {"aws:SourceAccount": HUB}},
            }),
        ),
    ]);
    let letters = json!({"deadLetterTargetArn": LETTERS});
    let (_, arn) = subscribed_queue(&mut fleet, "RedrivePolicy", &letters);
    let trace = fleet.sign_in();
    assert_eq!(stop(&trace).link, format!("subscription {arn}"));
    assert_eq!(fleet.dead_letters().len(), 1, "{trace:#?}");
}

/// Signs in with a rule that publishes with a role instead of relying on the topic policy.
fn publishing_with_a_role(actions: &Value) -> Trace {
    let mut fleet = Fleet::broken(&[(
        "TopicPolicy",
        "/PolicyDocument/Statement/0/Principal",
        json!({"Service": "cloudwatch.amazonaws.com"}),
    )]);
    let role = fleet.make(
        HUB,
        HOME,
        "Publisher",
        "AWS::IAM::Role",
        json!({
            "RoleName": "publisher",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sts:AssumeRole", "Condition": {"ArnLike": {
                    "aws:SourceArn": format!("arn:aws:events:{HOME}:{HUB}:rule/gizmos/*"),
                }},
            }]},
            "Policies": [{"PolicyName": "publish", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": actions, "Resource": "*",
            }]}}],
        }),
    );
    let bus = fleet.world.services.events.buses.get_mut(BUS).unwrap();
    let rule = bus.rules.get_mut("sign-in").unwrap();
    rule.properties["Targets"][0]["RoleArn"] = role.attributes["Arn"].clone();
    fleet.sign_in()
}

#[test]
fn a_rule_can_publish_with_a_role() {
    let trace = publishing_with_a_role(&json!([
        "sns:Publish",
        "kms:GenerateDataKey*",
        "kms:Decrypt"
    ]));
    assert_eq!(trace.deliveries.len(), 1, "{trace:#?}");
}

#[test]
fn a_role_that_may_not_publish_or_not_use_the_key_is_named() {
    let trace = publishing_with_a_role(&json!(["kms:GenerateDataKey*", "kms:Decrypt"]));
    assert_eq!(stop(&trace).link, "role publisher");
    let trace = publishing_with_a_role(&json!("sns:Publish"));
    assert_eq!(stop(&trace).link, "key policy");
    assert!(
        stop(&trace).detail.contains("role publisher"),
        "{:?}",
        stop(&trace)
    );
}
