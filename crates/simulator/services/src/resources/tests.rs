use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::environment::Environment;

pub(crate) const ACCOUNT: &str = "333344445555";

pub(crate) fn location(logical_id: &str) -> ResourceLocation {
    ResourceLocation {
        account: ACCOUNT.to_owned(),
        region: "eu-central-1".to_owned(),
        stack_name: "StackSet-gizmos-rules-spoke-00000000-0000-0000-0000-000000000000".to_owned(),
        stack_id: "arn:aws:cloudformation:eu-central-1:333344445555:stack/x/1".to_owned(),
        logical_id: logical_id.to_owned(),
        generation: 0,
    }
}

pub(crate) fn services() -> Services {
    let regions = ["eu-central-1", "us-east-1", "us-west-2"].map(str::to_owned);
    Services::new(
        Environment::new(1, regions.to_vec(), Timestamp::UNIX_EPOCH),
        9,
    )
}

pub(crate) fn refusal(kind: &str, properties: &Value) -> String {
    Resources::create(&mut services(), &location("Thing"), kind, properties)
        .unwrap_err()
        .to_string()
}

#[test]
fn unknown_types_and_properties_and_wrong_values_are_refused() {
    assert_eq!(
        refusal("AWS::Lambda::Function", &json!({})),
        "Template format error: Unrecognized resource types: [AWS::Lambda::Function]"
    );
    assert_eq!(
        refusal("AWS::SNS::Topic", &json!({"KmsMasterKey": "x"})),
        "Properties validation failed for resource Thing with message: #: extraneous key [KmsMasterKey] is not permitted"
    );
    let rule = json!({
        "EventPattern": {"source": ["a"]},
        "Targets": [{"Id": "a", "Arn": "arn:aws:sns:eu-central-1:333344445555:t", "Role": "x"}],
    });
    assert!(refusal("AWS::Events::Rule", &rule).contains("#/Targets/0: extraneous key [Role]"));
    assert!(
        refusal("AWS::SQS::Queue", &json!({"DelaySeconds": "soon"}))
            .contains("#/DelaySeconds: expected type: Integer, found: String")
    );
    assert!(
        refusal("AWS::CloudTrail::Trail", &json!({"S3BucketName": "b"}))
            .contains("required key [IsLogging] not found")
    );
    assert!(
        refusal(
            "AWS::Events::Rule",
            &json!({"EventPattern": {"source": ["a"]}, "State": "ON"})
        )
        .contains("not a valid enum value")
    );
}

#[test]
fn scalars_take_the_type_of_their_property() {
    assert_eq!(
        services().normalize(
            "AWS::SQS::Queue",
            &json!({"MessageRetentionPeriod": "1209600", "SqsManagedSseEnabled": "true", "QueueName": 7})
        )
        .unwrap(),
        json!({"QueueName": "7", "MessageRetentionPeriod": 1_209_600, "SqsManagedSseEnabled": true})
    );
}

#[test]
fn generated_names_fit_their_limit_and_keep_the_logical_id() {
    let mut services = services();
    let role = json!({"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole",
    }]}});
    let made = Resources::create(
        &mut services,
        &location("ForwarderRole"),
        "AWS::IAM::Role",
        &role,
    )
    .unwrap();
    assert_eq!(made.physical_id.len(), 64);
    assert!(made.physical_id.starts_with("StackSet-gizmos-"));
    assert!(made.physical_id.contains("-ForwarderRole-"));
    assert_eq!(
        made.attributes["Arn"],
        format!("arn:aws:iam::{ACCOUNT}:role/{}", made.physical_id)
    );
    let bucket = Resources::create(
        &mut services,
        &location("Bucket"),
        "AWS::S3::Bucket",
        &json!({}),
    )
    .unwrap();
    assert!(bucket.physical_id.len() <= 63);
    assert_eq!(bucket.physical_id, bucket.physical_id.to_lowercase());
}

#[test]
fn a_duplicate_name_is_refused() {
    let mut services = services();
    for (kind, properties) in [
        ("AWS::SNS::Topic", json!({"TopicName": "t"})),
        ("AWS::SQS::Queue", json!({"QueueName": "q"})),
        ("AWS::S3::Bucket", json!({"BucketName": "some-bucket"})),
        ("AWS::Events::EventBus", json!({"Name": "b"})),
        (
            "AWS::Events::Rule",
            json!({"Name": "r", "EventPattern": {"source": ["a"]}}),
        ),
        (
            "AWS::IAM::Role",
            json!({"RoleName": "r", "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
            }}),
        ),
    ] {
        Resources::create(&mut services, &location("A"), kind, &properties).unwrap();
        let again = Resources::create(&mut services, &location("B"), kind, &properties);
        assert!(
            matches!(again, Err(ResourceError::AlreadyExists(_))),
            "{kind}: {again:?}"
        );
    }
}

#[test]
fn name_change_requires_replacement_and_other_changes_do_not() {
    let mut services = services();
    let old = json!({"QueueName": "q", "VisibilityTimeout": 30});
    let made = Resources::create(&mut services, &location("Q"), "AWS::SQS::Queue", &old).unwrap();
    let mut change = |new: &Value| {
        Resources::update(
            &mut services,
            &location("Q"),
            "AWS::SQS::Queue",
            &made.physical_id,
            &old,
            new,
        )
        .unwrap()
    };
    assert_eq!(
        change(&json!({"QueueName": "p", "VisibilityTimeout": 30})),
        Updated::Replace
    );
    assert_eq!(
        change(&json!({"QueueName": "q", "VisibilityTimeout": "60"})),
        Updated::InPlace(made.clone())
    );
    let live = Resources::read(
        &services,
        &location("Q"),
        "AWS::SQS::Queue",
        &made.physical_id,
    );
    assert_eq!(
        live,
        Ok(Some(json!({"QueueName": "q", "VisibilityTimeout": 60})))
    );
    Resources::delete(
        &mut services,
        &location("Q"),
        "AWS::SQS::Queue",
        &made.physical_id,
    )
    .unwrap();
    Resources::delete(
        &mut services,
        &location("Q"),
        "AWS::SQS::Queue",
        &made.physical_id,
    )
    .unwrap();
    let live = Resources::read(
        &services,
        &location("Q"),
        "AWS::SQS::Queue",
        &made.physical_id,
    );
    assert_eq!(live, Ok(None));
}

#[test]
fn three_policy_types_have_no_read_handler() {
    let services = services();
    for kind in [
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
        "AWS::IAM::Policy",
    ] {
        assert_eq!(
            Resources::read(&services, &location("P"), kind, "x"),
            Err(ResourceError::NotReadable(kind.to_owned()))
        );
    }
}

#[test]
fn policies_of_topics_and_queues_are_visible_when_inline() {
    let mut services = services();
    let topic =
        Resources::create(&mut services, &location("T"), "AWS::SNS::Topic", &json!({})).unwrap();
    let policy = |action: &str| {
        json!({"TopicArn": topic.physical_id, "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": action, "Resource": topic.physical_id,
        }]}})
    };
    let kind = "AWS::SNS::TopicInlinePolicy";
    let made =
        Resources::create(&mut services, &location("P"), kind, &policy("sns:Publish")).unwrap();
    let live = |services: &Services| {
        Resources::read(services, &location("P"), kind, &made.physical_id).unwrap()
    };
    assert_eq!(live(&services), Some(policy("sns:Publish")));
    Resources::update(
        &mut services,
        &location("P"),
        kind,
        &made.physical_id,
        &policy("sns:Publish"),
        &policy("sns:*"),
    )
    .unwrap();
    assert_eq!(live(&services), Some(policy("sns:*")));
    Resources::delete(&mut services, &location("P"), kind, &made.physical_id).unwrap();
    assert_eq!(live(&services), None);
}

#[test]
fn a_bus_with_rules_and_a_bucket_with_objects_are_not_deleted() {
    let mut services = services();
    Resources::create(
        &mut services,
        &location("B"),
        "AWS::Events::EventBus",
        &json!({"Name": "b"}),
    )
    .unwrap();
    let rule = json!({"Name": "r", "EventBusName": "b", "EventPattern": {"source": ["a"]}});
    let made =
        Resources::create(&mut services, &location("R"), "AWS::Events::Rule", &rule).unwrap();
    assert_eq!(made.physical_id, "b|r");
    assert!(
        Resources::delete(&mut services, &location("B"), "AWS::Events::EventBus", "b").is_err()
    );
    Resources::delete(&mut services, &location("R"), "AWS::Events::Rule", "b|r").unwrap();
    assert!(Resources::delete(&mut services, &location("B"), "AWS::Events::EventBus", "b").is_ok());
    Resources::create(
        &mut services,
        &location("S"),
        "AWS::S3::Bucket",
        &json!({"BucketName": "logs-1"}),
    )
    .unwrap();
    if let Some(bucket) = services.s3.buckets.get_mut("logs-1") {
        bucket.objects.put("a", Vec::new(), None);
    }
    assert!(Resources::delete(&mut services, &location("S"), "AWS::S3::Bucket", "logs-1").is_err());
}
