//! Trails: requirements of their creation, and the events they send.

use serde_json::json;

use super::*;

fn refusal(edits: &[(&'static str, &'static str, Value)]) -> String {
    let mut fleet = Fleet::empty();
    fleet.edits = edits.to_vec();
    fleet.archive();
    fleet
        .try_make(
            MANAGEMENT,
            HOME,
            "Trail",
            "AWS::CloudTrail::Trail",
            trail_properties(),
        )
        .unwrap_err()
        .to_string()
}

#[test]
fn without_a_trail_nothing_reaches_the_bus() {
    let mut fleet = Fleet::empty();
    let trace = fleet.sign_in();
    assert_eq!(trace.hops.len(), 1);
    assert_eq!(trace.hops[0].link, "trail");
    assert_eq!(trace.hops[0].outcome, Outcome::Dropped);
}

#[test]
fn stopping_the_trail_breaks_the_chain_and_starting_it_restores_it() {
    let mut fleet = Fleet::deployed();
    fleet
        .call(
            MANAGEMENT,
            "cloudtrail",
            "StopLogging",
            json!({"Name": TRAIL}),
        )
        .unwrap();
    let trace = fleet.sign_in();
    assert_eq!(stop(&trace).link, "trail");
    assert!(stop(&trace).detail.contains("stopped logging"));
    let status = fleet
        .call(
            MEMBER,
            "cloudtrail",
            "GetTrailStatus",
            json!({"Name": TRAIL}),
        )
        .unwrap();
    assert_eq!(status["IsLogging"], false);
    fleet
        .call(
            MANAGEMENT,
            "cloudtrail",
            "StartLogging",
            json!({"Name": "gizmos"}),
        )
        .unwrap();
    assert_eq!(fleet.sign_in().deliveries.len(), 1);
}

#[test]
fn a_member_cannot_stop_the_organizations_trail() {
    let mut fleet = Fleet::deployed();
    let refused = fleet.call(MEMBER, "cloudtrail", "StopLogging", json!({"Name": TRAIL}));
    assert_eq!(
        refused.unwrap_err().code,
        "NotOrganizationMasterAccountException"
    );
}

#[test]
fn single_account_trail_does_not_cover_other_accounts() {
    let mut fleet = Fleet::broken(&[("Trail", "/IsOrganizationTrail", json!(false))]);
    assert_eq!(stop(&fleet.sign_in()).link, "trail");
}

#[test]
fn single_region_trail_does_not_cover_other_regions() {
    let mut fleet = Fleet::broken(&[("Trail", "/IsMultiRegionTrail", json!(false))]);
    assert_eq!(stop(&fleet.sign_in()).link, "trail");
    let trace = emit(&mut fleet.world, MEMBER, HOME, sign_in_event());
    assert_eq!(trace.hops[0].outcome, Outcome::Ok);
}

#[test]
fn global_services_record_in_us_east_1_only() {
    let mut fleet = Fleet::deployed();
    let event = json!({
        "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam",
        "detail": {"eventName": "CreateAccessKey", "eventSource": "iam.amazonaws.com"},
    });
    let trace = emit(&mut fleet.world, MEMBER, HOME, event);
    assert_eq!(trace.hops[0].outcome, Outcome::Ok);
    assert!(
        trace.hops.iter().all(|hop| hop.region == "us-east-1"),
        "{trace:#?}"
    );
}

#[test]
fn sign_ins_of_root_users_appear_in_us_east_1_and_others_where_the_endpoint_is() {
    let mut fleet = Fleet::deployed();
    let mut event = sign_in_event();
    let trace = emit(&mut fleet.world, MEMBER, "us-east-2", event.clone());
    assert!(
        trace.hops.iter().all(|hop| hop.region == "us-east-2"),
        "{trace:#?}"
    );
    assert_eq!(stop(&trace).detail, "the bus has no rules");
    event["detail"]["userIdentity"]["type"] = json!("Root");
    let trace = emit(&mut fleet.world, MEMBER, "us-east-2", event);
    assert_eq!(trace.hops[0].region, "us-east-1");
}

#[test]
fn sign_ins_to_identity_center_appear_in_the_management_account() {
    let mut fleet = Fleet::deployed();
    let event = json!({
        "detail-type": "AWS Service Event via CloudTrail", "source": "aws.signin",
        "detail": {"eventName": "UserAuthentication", "eventSource": "signin.amazonaws.com"},
    });
    let trace = emit(&mut fleet.world, MEMBER, HOME, event);
    assert_eq!(
        trace.hops[0].account,
        crate::services::organizations::MANAGEMENT
    );
}

#[test]
fn the_envelope_has_another_id_than_the_record() {
    let mut fleet = Fleet::deployed();
    let mut event = sign_in_event();
    event["detail"]["eventID"] = event["id"].clone();
    let record = event["id"].as_str().unwrap().to_owned();
    let trace = emit(&mut fleet.world, MEMBER, SPOKE_REGION, event);
    assert_ne!(trace.event_id, record);
}

#[test]
fn read_only_calls_are_withheld_by_name_and_flag() {
    let reads = |name: &str, flag: bool| {
        let mut fleet = Fleet::deployed();
        fleet.make(
            MEMBER,
            HOME,
            "Reads",
            "AWS::Events::Rule",
            json!({"Name": "reads", "State": "ENABLED", "EventPattern": {"source": ["aws.kms"]}}),
        );
        let event = json!({
            "detail-type": "AWS API Call via CloudTrail", "source": "aws.kms",
            "detail": {"eventName": name, "readOnly": flag, "managementEvent": true},
        });
        let trace = emit(&mut fleet.world, MEMBER, HOME, event);
        let hop = trace
            .hops
            .iter()
            .find(|hop| hop.link.starts_with("rule reads"));
        !hop.unwrap().detail.contains("read-only")
    };
    assert!(!reads("ListKeys", true) && !reads("DescribeKey", true));
    assert!(
        reads("Decrypt", true),
        "marked read-only, but named otherwise"
    );
    assert!(reads("GetKeyPolicy", false), "named so, but not marked");
}

#[test]
fn read_only_calls_need_a_rule_that_asks_for_them() {
    let read_only = |state: &str| {
        let mut fleet = Fleet::deployed();
        let role = fleet.world.services.events.buses
            [&format!("arn:aws:events:{SPOKE_REGION}:{MEMBER}:event-bus/default")]
            .rules
            .values()
            .next()
            .unwrap()
            .targets()[0]["RoleArn"]
            .clone();
        fleet.make(
            MEMBER,
            SPOKE_REGION,
            "Reads",
            "AWS::Events::Rule",
            json!({
                "Name": "reads", "State": state, "EventPattern": {"source": ["aws.s3"]},
                "Targets": [{"Id": "hub", "Arn": BUS, "RoleArn": role}],
            }),
        );
        let event = json!({
            "detail-type": "AWS API Call via CloudTrail", "source": "aws.s3",
            "detail": {"eventName": "ListBuckets", "readOnly": true, "managementEvent": true, "eventCategory": "Management"},
        });
        let trace = emit(&mut fleet.world, MEMBER, SPOKE_REGION, event);
        trace
            .hops
            .iter()
            .any(|hop| hop.link.starts_with("target gizmos"))
    };
    assert!(!read_only("ENABLED"));
    assert!(read_only("ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"));
}

#[test]
fn an_event_over_256_kilobytes_is_not_sent() {
    let mut fleet = Fleet::deployed();
    let mut event = sign_in_event();
    event["detail"]["userAgent"] = json!("x".repeat(300_000));
    let trace = emit(&mut fleet.world, MEMBER, SPOKE_REGION, event);
    assert_eq!(stop(&trace).link, "trail");
    assert!(stop(&trace).detail.contains("bytes"));
}

#[test]
fn creating_a_trail_checks_bucket_policy_and_key() {
    assert!(refusal(&[("Trail", "/S3BucketName", json!("missing"))]).contains("does not exist"));
    assert!(
        refusal(&[(
            "BucketPolicy",
            "/PolicyDocument/Statement/0/Action",
            json!("s3:GetBucketLocation")
        )])
        .contains("s3:GetBucketAcl")
    );
    assert!(
        refusal(&[(
            "BucketPolicy",
            "/PolicyDocument/Statement/1/Resource",
            json!("arn:aws:s3:::gizmos-logs/AWSLogs/111122223333/*"),
        )])
        .contains("AWSLogs/o-exampleorg1")
    );
    assert!(
        refusal(&[(
            "BucketPolicy",
            "/PolicyDocument/Statement/1/Condition/StringEquals/aws:SourceArn",
            json!("arn:aws:cloudtrail:eu-central-1:222233334444:trail/gizmos"),
        )])
        .contains("aws:SourceArn")
    );
    assert!(
        refusal(&[(
            "TrailKey",
            "/KeyPolicy/Statement/1/Action",
            json!("kms:Encrypt")
        )])
        .contains("kms:GenerateDataKey")
    );
    assert!(
        refusal(&[("Trail", "/KMSKeyId", json!("alias/gizmos-trail"))]).contains("does not exist")
    );
    assert!(
        refusal(&[("Trail", "/IncludeGlobalServiceEvents", json!(false))])
            .contains("global service")
    );
}

/// S3 asks for the data key of a bucket with a Bucket Key, and the context is then the bucket.
#[test]
fn a_trail_to_a_bucket_with_a_bucket_key_needs_decrypt_and_a_data_key_of_the_bucket() {
    let encryption = json!({"ServerSideEncryptionConfiguration": [{
        "BucketKeyEnabled": true,
        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"},
    }]});
    let with = |edit: (&'static str, &'static str, Value)| {
        refusal(&[("Bucket", "/BucketEncryption", encryption.clone()), edit])
    };
    let refused = with((
        "TrailKey",
        "/KeyPolicy/Statement/2/Action",
        json!("kms:DescribeKey"),
    ));
    assert!(refused.contains("kms:GenerateDataKey"), "{refused}");
    assert!(
        refused.contains("kms:EncryptionContext:aws:cloudtrail:arn"),
        "{refused}"
    );
    let refused = with((
        "TrailKey",
        "/KeyPolicy/Statement/2/Action",
        json!(["kms:DescribeKey", "kms:GenerateDataKey*"]),
    ));
    assert!(refused.contains("kms:Decrypt"), "{refused}");

    let mut fleet = Fleet::empty();
    fleet.edits = vec![
        ("Bucket", "/BucketEncryption", encryption),
        (
            "TrailKey",
            "/KeyPolicy/Statement/2/Action",
            json!(["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*"]),
        ),
    ];
    fleet.archive();
    fleet.trail();
}

#[test]
fn only_the_management_account_creates_an_organization_trail() {
    let mut fleet = Fleet::empty();
    fleet.archive();
    let refused = fleet.try_make(
        MEMBER,
        HOME,
        "Trail",
        "AWS::CloudTrail::Trail",
        trail_properties(),
    );
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("management account")
    );
}

#[test]
fn a_trail_names_its_key_by_arn_whatever_created_it() {
    let mut fleet = Fleet::deployed();
    let key = |fleet: &mut Fleet| {
        let trail = fleet.call(MANAGEMENT, "cloudtrail", "GetTrail", json!({"Name": TRAIL}));
        let key = trail.unwrap()["Trail"]["KmsKeyId"].clone();
        key.as_str().unwrap().to_owned()
    };
    let prefix = format!("arn:aws:kms:{HOME}:{ARCHIVE}:key/");
    assert!(key(&mut fleet).starts_with(&prefix), "{}", key(&mut fleet));
    let alias = format!("arn:aws:kms:{HOME}:{ARCHIVE}:alias/gizmos-trail");
    let update = json!({"Name": TRAIL, "KmsKeyId": alias});
    fleet
        .call(MANAGEMENT, "cloudtrail", "UpdateTrail", update)
        .unwrap();
    assert!(key(&mut fleet).starts_with(&prefix), "{}", key(&mut fleet));
}

#[test]
fn a_trail_whose_selectors_leave_an_event_out_sends_nothing() {
    let mut fleet = Fleet::deployed();
    let selectors = json!({"TrailName": TRAIL, "AdvancedEventSelectors": [{"FieldSelectors": [
        {"Field": "eventCategory", "Equals": ["Management"]},
        {"Field": "eventName", "NotEquals": ["ConsoleLogin"]}]}]});
    let put = fleet
        .call(MANAGEMENT, "cloudtrail", "PutEventSelectors", selectors)
        .unwrap();
    assert_eq!(put["EventSelectors"], Value::Null);
    let trace = fleet.sign_in();
    assert!(stop(&trace).detail.contains("leave this event out"));
    let all = json!({"TrailName": TRAIL, "EventSelectors": [{"ReadWriteType": "All"}]});
    fleet
        .call(MANAGEMENT, "cloudtrail", "PutEventSelectors", all)
        .unwrap();
    assert!(fleet.sign_in().hops.len() > 1);
}
