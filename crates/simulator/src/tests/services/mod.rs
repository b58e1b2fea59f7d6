//! The alert chain, built through the resource handlers as a stack would, then broken link by link.

mod apis;
mod chain;
mod links;
mod response;
mod s3;
mod trail;

use serde_json::{Value, json};

use crate::Config;
use crate::services::resources::{Created, ResourceError, ResourceLocation, Resources};
use crate::services::{Hop, Outcome, Trace};
use crate::wire::api::{ApiError, Caller};
use crate::world::World;

pub(super) const MANAGEMENT: &str = "111122223333";
pub(super) const ARCHIVE: &str = "222233334444";
pub(super) const HUB: &str = "333344445555";
pub(super) const MEMBER: &str = "012345678901";
pub(super) const HOME: &str = "eu-central-1";
pub(super) const SPOKE_REGION: &str = "us-west-2";
pub(super) const BUS: &str = "arn:aws:events:eu-central-1:333344445555:event-bus/gizmos";
pub(super) const TOPIC: &str = "arn:aws:sns:eu-central-1:333344445555:gizmos-alerts";
pub(super) const LETTERS: &str = "arn:aws:sqs:eu-central-1:333344445555:gizmos-dead-letters";
pub(super) const TRAIL: &str = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/gizmos";
pub(super) const BUCKET: &str = "gizmos-logs";

/// A world under construction; `edits` can break a resource's properties before its creation.
pub(super) struct Fleet {
    pub(super) world: World,
    edits: Vec<(&'static str, &'static str, Value)>,
}

impl Fleet {
    /// An organization with nothing deployed.
    pub(super) fn empty() -> Fleet {
        Fleet {
            world: World::new(Config::default()),
            edits: Vec::new(),
        }
    }

    /// A complete chain: trail, hub, and a spoke in one member account, with confirmed
    /// subscriptions.
    pub(super) fn deployed() -> Fleet {
        Fleet::broken(&[])
    }

    /// [`deployed`](Fleet::deployed) with replaced properties: logical id, JSON pointer, value
    /// (null removes).
    pub(super) fn broken(edits: &[(&'static str, &'static str, Value)]) -> Fleet {
        let mut fleet = Fleet::empty();
        fleet.edits = edits.to_vec();
        fleet.archive();
        fleet.trail();
        fleet.hub();
        fleet.spoke();
        fleet.world.advance(60.0);
        fleet
    }

    pub(super) fn try_make(
        &mut self,
        account: &str,
        region: &str,
        logical_id: &str,
        kind: &str,
        properties: Value,
    ) -> Result<Created, ResourceError> {
        let mut properties = properties;
        for (edited, pointer, value) in &self.edits {
            if *edited == logical_id {
                set(&mut properties, pointer, value.clone());
            }
        }
        Resources::create(
            &mut self.world.services,
            &location(account, region, logical_id),
            kind,
            &properties,
        )
    }

    pub(super) fn make(
        &mut self,
        account: &str,
        region: &str,
        logical_id: &str,
        kind: &str,
        properties: Value,
    ) -> Created {
        match self.try_make(account, region, logical_id, kind, properties) {
            Ok(created) => created,
            Err(error) => panic!("{logical_id}: {error}"),
        }
    }

    pub(super) fn archive(&mut self) {
        let key = self.make(ARCHIVE, HOME, "TrailKey", "AWS::KMS::Key", trail_key());
        self.make(
            ARCHIVE,
            HOME,
            "TrailKeyAlias",
            "AWS::KMS::Alias",
            json!({"AliasName": "alias/gizmos-trail", "TargetKeyId": key.physical_id}),
        );
        self.make(
            ARCHIVE,
            HOME,
            "Bucket",
            "AWS::S3::Bucket",
            json!({
                "BucketName": BUCKET,
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": true, "BlockPublicPolicy": true,
                    "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
                },
                "VersioningConfiguration": {"Status": "Enabled"},
            }),
        );
        self.make(
            ARCHIVE,
            HOME,
            "BucketPolicy",
            "AWS::S3::BucketPolicy",
            bucket_policy(),
        );
    }

    pub(super) fn trail(&mut self) {
        self.make(
            MANAGEMENT,
            HOME,
            "Trail",
            "AWS::CloudTrail::Trail",
            trail_properties(),
        );
    }

    fn hub(&mut self) {
        let key = self.make(HUB, HOME, "Key", "AWS::KMS::Key", hub_key());
        let key = key.attributes["Arn"].clone();
        self.make(
            HUB,
            HOME,
            "Topic",
            "AWS::SNS::Topic",
            json!({"TopicName": "gizmos-alerts", "KmsMasterKeyId": key}),
        );
        self.make(
            HUB,
            HOME,
            "TopicPolicy",
            "AWS::SNS::TopicInlinePolicy",
            json!({"TopicArn": TOPIC, "PolicyDocument": {"Version": "2012-10-17", "Statement": [
                {"Sid": "EventBridge", "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
                 "Action": "sns:Publish", "Resource": TOPIC},
                {"Sid": "Alarms", "Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"},
                 "Action": "sns:Publish", "Resource": TOPIC,
                 "Condition": {"StringEquals": {"aws:SourceAccount": HUB}}},
                {"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "sns:Publish",
                 "Resource": TOPIC, "Condition": {"Bool": {"aws:SecureTransport": false}}},
            ]}}),
        );
        self.make(
            HUB,
            HOME,
            "Email",
            "AWS::SNS::Subscription",
            json!({"TopicArn": TOPIC, "Protocol": "email", "Endpoint": "security@example.com"}),
        );
        let queue = self.make(
            HUB,
            HOME,
            "DeadLetters",
            "AWS::SQS::Queue",
            json!({"QueueName": "gizmos-dead-letters", "KmsMasterKeyId": key}),
        );
        self.make(
            HUB,
            HOME,
            "DeadLettersPolicy",
            "AWS::SQS::QueueInlinePolicy",
            json!({"Queue": queue.physical_id, "PolicyDocument": {"Version": "2012-10-17", "Statement": [
                {"Sid": "EventBridge", "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
                 "Action": "sqs:SendMessage", "Resource": LETTERS,
                 "Condition": {"ArnLike": {"aws:SourceArn": format!("arn:aws:events:{HOME}:{HUB}:rule/gizmos/*")}}},
            ]}}),
        );
        self.make(
            HUB,
            HOME,
            "Alarm",
            "AWS::CloudWatch::Alarm",
            json!({
                "Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible",
                "Dimensions": [{"Name": "QueueName", "Value": "gizmos-dead-letters"}],
                "Statistic": "Maximum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 0,
                "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": [TOPIC],
            }),
        );
        self.make(
            HUB,
            HOME,
            "Bus",
            "AWS::Events::EventBus",
            json!({"Name": "gizmos", "Policy": {"Version": "2012-10-17", "Statement": [{
                "Sid": "Forwarders", "Effect": "Allow", "Principal": "*",
                "Action": "events:PutEvents", "Resource": BUS,
                "Condition": {
                    "StringEquals": {"aws:PrincipalOrgID": "o-exampleorg1"},
                    "ArnLike": {"aws:PrincipalArn": "arn:*:iam::*:role/gizmos/*"},
                },
            }]}}),
        );
        self.make(
            HUB,
            HOME,
            "Detection",
            "AWS::Events::Rule",
            json!({
                "Name": "sign-in", "EventBusName": "gizmos", "State": "ENABLED",
                "EventPattern": sign_in_pattern(),
                "Targets": [{
                    "Id": "alerts", "Arn": TOPIC, "DeadLetterConfig": {"Arn": LETTERS},
                    "InputTransformer": {
                        "InputPathsMap": {"account": "$.account", "region": "$.region", "user": "$.detail.userIdentity.arn"},
                        "InputTemplate": "{\"alert\": \"sign-in in <account>, <region>\", \"user\": <user>}",
                    },
                }],
            }),
        );
    }

    fn spoke(&mut self) {
        let role = self.make(
            MEMBER,
            SPOKE_REGION,
            "Forwarder",
            "AWS::IAM::Role",
            json!({
                "Path": "/gizmos/",
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                    "Condition": {
                        "StringEquals": {"aws:SourceAccount": MEMBER},
                        "ArnLike": {"aws:SourceArn": format!("arn:aws:events:{SPOKE_REGION}:{MEMBER}:rule/*")},
                    },
                }]},
                "Policies": [{"PolicyName": "put-events", "PolicyDocument": {
                    "Version": "2012-10-17", "Statement": [{
                        "Effect": "Allow", "Action": "events:PutEvents", "Resource": BUS,
                    }],
                }}],
            }),
        );
        self.make(
            MEMBER,
            SPOKE_REGION,
            "ForwardRule",
            "AWS::Events::Rule",
            json!({
                "State": "ENABLED",
                "EventPattern": {"source": ["aws.signin", "aws.ec2"]},
                "Targets": [{"Id": "hub", "Arn": BUS, "RoleArn": role.attributes["Arn"]}],
            }),
        );
    }

    /// Emits a console sign-in in the member account.
    pub(super) fn sign_in(&mut self) -> Trace {
        emit(&mut self.world, MEMBER, SPOKE_REGION, sign_in_event())
    }

    pub(super) fn call(
        &mut self,
        account: &str,
        service: &str,
        action: &str,
        input: Value,
    ) -> Result<Value, ApiError> {
        self.call_in(account, HOME, service, action, input)
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "inputs are written at the call"
    )]
    pub(super) fn call_in(
        &mut self,
        account: &str,
        region: &str,
        service: &str,
        action: &str,
        input: Value,
    ) -> Result<Value, ApiError> {
        call(
            &mut self.world,
            &administrator(account, region),
            service,
            action,
            &input,
        )
    }

    /// The bodies of the hub's dead letters.
    pub(super) fn dead_letters(&self) -> Vec<String> {
        self.world.services.sqs.queues[LETTERS]
            .messages
            .iter()
            .map(|message| message.body.clone())
            .collect()
    }
}

pub(super) fn location(account: &str, region: &str, logical_id: &str) -> ResourceLocation {
    ResourceLocation {
        account: account.to_owned(),
        region: region.to_owned(),
        stack_name: "gizmos-test".to_owned(),
        stack_id: format!("arn:aws:cloudformation:{region}:{account}:stack/gizmos-test/1"),
        logical_id: logical_id.to_owned(),
        generation: 0,
    }
}

pub(super) fn administrator(account: &str, region: &str) -> Caller {
    Caller {
        account: account.to_owned(),
        region: region.to_owned(),
        arn: format!("arn:aws:iam::{account}:root"),
        role: None,
        session_policy: None,
    }
}

pub(super) fn set(properties: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = properties
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("no {pointer}"));
    match parent {
        Value::Object(object) if value.is_null() => {
            object.remove(key).unwrap();
        }
        Value::Object(object) => {
            object.insert(key.to_owned(), value);
        }
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        other => panic!("{pointer} is in {other}"),
    }
}

/// The hop at which the event stopped: the last one whose outcome isn't `ok`.
pub(super) fn stop(trace: &Trace) -> &Hop {
    trace
        .hops
        .iter()
        .find(|hop| hop.outcome != Outcome::Ok)
        .unwrap_or_else(|| panic!("nothing stopped the event: {trace:#?}"))
}

pub(super) fn sign_in_pattern() -> Value {
    json!({
        "source": ["aws.signin"],
        "detail-type": ["AWS Console Sign In via CloudTrail"],
        "detail": {"eventName": ["ConsoleLogin"], "responseElements": {"ConsoleLogin": ["Success"]}},
    })
}

pub(super) fn sign_in_event() -> Value {
    json!({
        "version": "0", "id": "7bf73129-1428-4cd3-a780-95db273d1602",
        "detail-type": "AWS Console Sign In via CloudTrail",
        "source": "aws.signin", "account": "999988887777", "time": "2026-11-23T09:00:00Z",
        "region": "xx", "resources": [],
        "detail": {
            "eventName": "ConsoleLogin", "eventSource": "signin.amazonaws.com",
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::012345678901:user/ops\"quoted"},
            "responseElements": {"ConsoleLogin": "Success"}, "readOnly": false,
            "managementEvent": true, "eventCategory": "Management",
        },
    })
}

pub(super) fn trail_properties() -> Value {
    json!({
        "TrailName": "gizmos", "S3BucketName": BUCKET, "IsLogging": true,
        "IsMultiRegionTrail": true, "IsOrganizationTrail": true,
        "IncludeGlobalServiceEvents": true, "EnableLogFileValidation": true,
        "KMSKeyId": format!("arn:aws:kms:{HOME}:{ARCHIVE}:alias/gizmos-trail"),
    })
}

fn own_account(account: &str) -> Value {
    json!({
        "Sid": "Account", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
    })
}

fn trail_key() -> Value {
    json!({"EnableKeyRotation": true, "KeyPolicy": {"Version": "2012-10-17", "Statement": [
        own_account(ARCHIVE),
        {"Sid": "Encrypt", "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"},
         "Action": "kms:GenerateDataKey*", "Resource": "*", "Condition": {
            "StringEquals": {"aws:SourceArn": TRAIL},
            "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": format!("arn:aws:cloudtrail:*:{MANAGEMENT}:trail/*")},
         }},
        {"Sid": "Describe", "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"},
         "Action": "kms:DescribeKey", "Resource": "*",
         "Condition": {"StringEquals": {"aws:SourceArn": TRAIL}}},
    ]}})
}

fn hub_key() -> Value {
    json!({"EnableKeyRotation": true, "KeyPolicy": {"Version": "2012-10-17", "Statement": [
        own_account(HUB),
        {"Sid": "EventBridge", "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
         "Action": ["kms:Decrypt", "kms:GenerateDataKey*"], "Resource": "*"},
        {"Sid": "Alarms", "Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"},
         "Action": ["kms:Decrypt", "kms:GenerateDataKey*"], "Resource": "*",
         "Condition": {"StringEquals": {"aws:SourceAccount": HUB}}},
    ]}})
}

fn bucket_policy() -> Value {
    let arn = format!("arn:aws:s3:::{BUCKET}");
    json!({"Bucket": BUCKET, "PolicyDocument": {"Version": "2012-10-17", "Statement": [
        {"Sid": "Acl", "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"},
         "Action": "s3:GetBucketAcl", "Resource": arn,
         "Condition": {"StringEquals": {"aws:SourceArn": TRAIL}}},
        {"Sid": "Write", "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"},
         "Action": "s3:PutObject",
         "Resource": [format!("{arn}/AWSLogs/{MANAGEMENT}/*"), format!("{arn}/AWSLogs/o-exampleorg1/*")],
         "Condition": {"StringEquals": {
            "aws:SourceArn": TRAIL, "s3:x-amz-acl": "bucket-owner-full-control",
         }}},
        {"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
         "Resource": [arn, format!("{arn}/*")],
         "Condition": {"Bool": {"aws:SecureTransport": false}}},
    ]}})
}

fn emit(world: &mut World, account: &str, region: &str, event: Value) -> Trace {
    world.with_services(|cloud| crate::services::emit(cloud, account, region, event))
}

fn call(
    world: &mut World,
    caller: &Caller,
    service: &str,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    world.with_services(|cloud| crate::services::call(cloud, caller, service, action, input))
}
