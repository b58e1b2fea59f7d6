//! The API actions with which a person would inspect or break the chain.

use serde_json::json;

use super::*;

#[test]
fn editing_a_rule_through_the_api_shows_in_its_live_properties() {
    let mut fleet = Fleet::deployed();
    fleet
        .call(
            HUB,
            "events",
            "PutRule",
            json!({
                "Name": "sign-in", "EventBusName": "gizmos", "State": "ENABLED",
                "EventPattern": "{\"source\":[\"aws.signin\"]}",
            }),
        )
        .unwrap();
    let live = Resources::read(
        &fleet.world.services,
        &location(HUB, HOME, "Detection"),
        "AWS::Events::Rule",
        "gizmos|sign-in",
    )
    .unwrap()
    .unwrap();
    assert_eq!(live["EventPattern"], r#"{"source":["aws.signin"]}"#);
    assert_eq!(
        live["Targets"][0]["Id"], "alerts",
        "PutRule keeps the targets"
    );
    fleet
        .call(
            HUB,
            "events",
            "RemoveTargets",
            json!({"Rule": "sign-in", "EventBusName": "gizmos", "Ids": ["alerts"]}),
        )
        .unwrap();
    let trace = fleet.sign_in();
    assert!(stop(&trace).detail.contains("no targets"));
    fleet
        .call(
            HUB,
            "events",
            "DeleteRule",
            json!({"Name": "sign-in", "EventBusName": "gizmos"}),
        )
        .unwrap();
    let live = Resources::read(
        &fleet.world.services,
        &location(HUB, HOME, "Detection"),
        "AWS::Events::Rule",
        "gizmos|sign-in",
    );
    assert_eq!(live, Ok(None));
}

#[test]
fn rules_are_listed_with_pattern_and_targets() {
    let mut fleet = Fleet::deployed();
    let rules = fleet
        .call(
            HUB,
            "events",
            "ListRules",
            json!({"EventBusName": "gizmos"}),
        )
        .unwrap();
    assert_eq!(rules["Rules"][0]["Name"], "sign-in");
    assert_eq!(
        rules["Rules"][0]["EventPattern"],
        sign_in_pattern().to_string()
    );
    let targets = fleet
        .call(
            HUB,
            "events",
            "ListTargetsByRule",
            json!({"Rule": "sign-in", "EventBusName": BUS}),
        )
        .unwrap();
    assert_eq!(targets["Targets"][0]["Arn"], TOPIC);
    let missing = fleet.call(
        HUB,
        "events",
        "DescribeRule",
        json!({"Name": "other", "EventBusName": "gizmos"}),
    );
    assert_eq!(missing.unwrap_err().code, "ResourceNotFoundException");
}

#[test]
fn put_targets_refuses_what_aws_refuses() {
    let mut fleet = Fleet::deployed();
    let mut put = |target: Value| {
        fleet
            .call(
                HUB,
                "events",
                "PutTargets",
                json!({"Rule": "sign-in", "EventBusName": "gizmos", "Targets": [target]}),
            )
            .unwrap_err()
            .message
    };
    let other_region = "arn:aws:sns:us-east-1:333344445555:gizmos-alerts";
    assert!(put(json!({"Id": "a", "Arn": other_region})).contains("Region of the rule"));
    assert!(
        put(json!({"Id": "a", "Arn": "arn:aws:sns:eu-central-1:gizmos"}))
            .contains("not in correct format")
    );
    assert!(
        put(json!({"Id": "a", "Arn": TOPIC, "Input": "{}", "InputPath": "$.detail"}))
            .contains("Only one of Input")
    );
    assert!(
        put(json!({"Id": "a", "Arn": TOPIC, "RoleArn": "arn:aws:iam::012345678901:role/x"}))
            .contains("Cross-account pass role")
    );
    assert!(
        put(json!({
            "Id": "a", "Arn": "arn:aws:events:eu-central-1:222233334444:event-bus/default",
            "RoleArn": "arn:aws:iam::333344445555:role/x",
            "InputTransformer": {"InputPathsMap": {}, "InputTemplate": "{}"},
        }))
        .contains("InputTransformer")
    );
    assert!(put(json!({"Id": "a", "Arn": TOPIC, "SqsParameters": {}})).contains("SqsParameters"));
    assert!(
        put(json!({"Id": "a", "Arn": TOPIC, "RetryPolicy": {"MaximumRetryAttempts": 200}}))
            .contains("between 0 and 185")
    );
}

#[test]
fn an_invalid_pattern_is_refused_in_aws_wording() {
    let mut fleet = Fleet::empty();
    let refused = fleet
        .call(
            HUB,
            "events",
            "PutRule",
            json!({"Name": "x", "EventPattern": "{\"source\": \"aws.signin\"}"}),
        )
        .unwrap_err();
    assert_eq!(refused.code, "InvalidEventPatternException");
    assert!(
        refused
            .message
            .starts_with("Event pattern is not valid. Reason: "),
        "{}",
        refused.message
    );
}

#[test]
fn a_bus_takes_300_rules() {
    let mut fleet = Fleet::empty();
    for number in 0..300 {
        fleet
            .call(
                HUB,
                "events",
                "PutRule",
                json!({"Name": format!("r{number}"), "EventPattern": "{\"source\":[\"a\"]}"}),
            )
            .unwrap();
    }
    let refused = fleet.call(
        HUB,
        "events",
        "PutRule",
        json!({"Name": "one-more", "EventPattern": "{\"source\":[\"a\"]}"}),
    );
    assert_eq!(refused.unwrap_err().code, "LimitExceededException");
    fleet
        .call(
            HUB,
            "events",
            "PutRule",
            json!({"Name": "r7", "EventPattern": "{\"source\":[\"b\"]}"}),
        )
        .unwrap();
}

#[test]
fn unsubscribing_by_hand_silences_the_chain_and_shows_as_deleted() {
    let mut fleet = Fleet::deployed();
    let listed = fleet
        .call(
            HUB,
            "sns",
            "ListSubscriptionsByTopic",
            json!({"TopicArn": TOPIC}),
        )
        .unwrap();
    let arn = listed["Subscriptions"][0]["SubscriptionArn"]
        .as_str()
        .unwrap()
        .to_owned();
    fleet
        .call(HUB, "sns", "Unsubscribe", json!({"SubscriptionArn": arn}))
        .unwrap();
    assert_eq!(stop(&fleet.sign_in()).link, "topic gizmos-alerts");
    let live = Resources::read(
        &fleet.world.services,
        &location(HUB, HOME, "Email"),
        "AWS::SNS::Subscription",
        &arn,
    );
    assert_eq!(live, Ok(None));
}

#[test]
fn a_dead_letter_can_be_received_and_deleted() {
    let mut fleet = Fleet::broken(&[(
        "Detection",
        "/Targets/0/Arn",
        json!("arn:aws:sns:eu-central-1:333344445555:typo"),
    )]);
    fleet.sign_in();
    let url = fleet
        .call(
            HUB,
            "sqs",
            "GetQueueUrl",
            json!({"QueueName": "gizmos-dead-letters"}),
        )
        .unwrap()["QueueUrl"]
        .clone();
    let depth = |fleet: &mut Fleet| {
        fleet
            .call(
                HUB,
                "sqs",
                "GetQueueAttributes",
                json!({"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"]}),
            )
            .unwrap()["Attributes"]["ApproximateNumberOfMessages"]
            .clone()
    };
    assert_eq!(depth(&mut fleet), "1");
    let got = fleet
        .call(
            HUB,
            "sqs",
            "ReceiveMessage",
            json!({"QueueUrl": url, "MessageAttributeNames": ["All"]}),
        )
        .unwrap();
    let message = &got["Messages"][0];
    assert_eq!(
        message["MessageAttributes"]["ERROR_CODE"]["StringValue"],
        "NO_RESOURCE"
    );
    assert_eq!(depth(&mut fleet), "0");
    let handle = message["ReceiptHandle"].clone();
    fleet
        .call(
            HUB,
            "sqs",
            "DeleteMessage",
            json!({"QueueUrl": url, "ReceiptHandle": handle}),
        )
        .unwrap();
    assert!(fleet.dead_letters().is_empty());
}

#[test]
fn the_dead_letters_of_an_event_can_be_discarded_by_its_id() {
    let mut fleet = Fleet::broken(&[(
        "Detection",
        "/Targets/0/Arn",
        json!("arn:aws:sns:eu-central-1:333344445555:typo"),
    )]);
    let first = fleet.sign_in().event_id;
    let mut second = sign_in_event();
    second["id"] = json!("b1f2a3c4-5d6e-4f70-8192-a3b4c5d6e7f8");
    emit(&mut fleet.world, MEMBER, SPOKE_REGION, second);
    assert_eq!(fleet.dead_letters().len(), 2);
    let discard = |fleet: &mut Fleet| {
        let world = &mut fleet.world.services;
        crate::services::events::dead_letters::discard(world, &first)
    };
    assert_eq!(discard(&mut fleet), 1);
    assert_eq!(discard(&mut fleet), 0);
    assert_eq!(fleet.dead_letters().len(), 1);
}

#[test]
fn a_queue_of_another_account_is_inaccessible() {
    let mut fleet = Fleet::deployed();
    let url = "https://sqs.eu-central-1.amazonaws.com/333344445555/gizmos-dead-letters";
    let refused = fleet.call(
        MEMBER,
        "sqs",
        "SendMessage",
        json!({"QueueUrl": url, "MessageBody": "x"}),
    );
    assert_eq!(refused.unwrap_err().code, "AccessDeniedException");
}

#[test]
fn keys_are_found_by_id_arn_and_alias() {
    let mut fleet = Fleet::empty();
    fleet.archive();
    let by_alias = fleet
        .call(
            ARCHIVE,
            "kms",
            "DescribeKey",
            json!({"KeyId": "alias/gizmos-trail"}),
        )
        .unwrap();
    let metadata = &by_alias["KeyMetadata"];
    assert_eq!(metadata["KeyState"], "Enabled");
    for name in ["KeyId", "Arn"] {
        let again = fleet
            .call(
                ARCHIVE,
                "kms",
                "DescribeKey",
                json!({"KeyId": metadata[name]}),
            )
            .unwrap();
        assert_eq!(again, by_alias);
    }
    let foreign = fleet.call(
        MEMBER,
        "kms",
        "DescribeKey",
        json!({"KeyId": metadata["Arn"]}),
    );
    assert_eq!(foreign.unwrap_err().code, "AccessDeniedException");
    let rotation = fleet
        .call(
            ARCHIVE,
            "kms",
            "GetKeyRotationStatus",
            json!({"KeyId": metadata["KeyId"]}),
        )
        .unwrap();
    assert_eq!(rotation["KeyRotationEnabled"], true);
}

#[test]
fn the_management_account_can_assume_the_role_every_member_has() {
    let mut fleet = Fleet::empty();
    crate::services::iam::access_role(&mut fleet.world.services, MEMBER);
    let role = format!("arn:aws:iam::{MEMBER}:role/OrganizationAccountAccessRole");
    let may = |account: &str| {
        crate::services::iam::may_assume(
            &fleet.world.services,
            &administrator(account, HOME),
            &role,
        )
        .is_ok()
    };
    assert!(may(MANAGEMENT));
    assert!(!may(HUB));
}

#[test]
fn a_role_may_do_what_its_policies_allow_and_no_more() {
    let mut fleet = Fleet::empty();
    let role = fleet.make(
        HUB,
        HOME,
        "Reader",
        "AWS::IAM::Role",
        json!({
            "RoleName": "reader",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"AWS": HUB}, "Action": "sts:AssumeRole",
            }]},
            "Policies": [{"PolicyName": "read", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": ["sns:List*", "sns:Get*"], "Resource": "*",
            }]}}],
        }),
    );
    let caller = Caller {
        arn: format!("arn:aws:sts::{HUB}:assumed-role/reader/session"),
        role: Some(role.attributes["Arn"].as_str().unwrap().to_owned()),
        ..administrator(HUB, HOME)
    };
    assert!(call(&mut fleet.world, &caller, "sns", "ListTopics", &json!({})).is_ok());
    let refused = call(
        &mut fleet.world,
        &caller,
        "sns",
        "CreateTopic",
        &json!({"Name": "x"}),
    );
    assert_eq!(refused.unwrap_err().code, "AuthorizationError");
}

#[test]
fn unknown_actions_and_parameters_are_refused() {
    let mut fleet = Fleet::deployed();
    let unknown = fleet
        .call(HUB, "sns", "AddPermission", json!({}))
        .unwrap_err();
    assert_eq!(unknown.code, "InvalidAction");
    let parameter = fleet
        .call(HUB, "sns", "ListTopics", json!({"Prefix": "x"}))
        .unwrap_err();
    assert!(parameter.message.contains("Prefix"));
}
