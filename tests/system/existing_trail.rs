//! An organization trail that somebody else deployed feeds the rules: nothing of it is deployed,
//! changed or removed, and whatever keeps events from reaching the rules is named.

use serde_json::{Value, json};
use tests::{
    EXAMPLE_EVENT, EXAMPLE_RULE, HOME, HUB, MANAGEMENT, Project, Run, Served, authorization,
};

use crate::project;

const LOG_ARCHIVE: &str = "222233334444";
/// A workload account of the seeded organization.
const SPOKE: &str = "012345678901";
/// The home Region of the trail, which isn't that of Gizmos.
const REGION: &str = "us-east-1";
const NAME: &str = "audit";
const ARN: &str = "arn:aws:cloudtrail:us-east-1:111122223333:trail/audit";
const BUCKET: &str = "example-audit-logs";
const OWN_BUCKET: &str = "gizmos-logs-o-exampleorg1-222233334444-eu-central-1";
const FILE: &str = "stacksets/organization.yaml";
const OWN: &str = "trail:\n  name: gizmos\n  retention_days: 400\n";

/// Calls CloudTrail in the management account.
#[track_caller]
fn cloudtrail(organization: &Served, action: &str, input: &Value) -> Value {
    let target = format!("CloudTrail_20131101.{action}");
    organization.call(MANAGEMENT, REGION, &target, input)
}

/// Creates a bucket and an organization trail by hand.
pub(crate) fn make_trail(organization: &Served) {
    let may = |action: &str, resource: String| {
        json!({
            "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"},
            "Action": action, "Resource": resource,
        })
    };
    let bucket = format!("arn:aws:s3:::{BUCKET}");
    let template = json!({"Resources": {
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": BUCKET}},
        "Policy": {"Type": "AWS::S3::BucketPolicy", "DependsOn": "Bucket", "Properties": {
            "Bucket": BUCKET,
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [
                may("s3:GetBucketAcl", bucket.clone()),
                may("s3:PutObject", format!("{bucket}/AWSLogs/*")),
            ]},
        }},
    }});
    let form = [
        ("Action", "CreateStack"),
        ("StackName", "audit-logs"),
        ("TemplateBody", &template.to_string()),
    ];
    organization.query(LOG_ARCHIVE, REGION, "cloudformation", &form);
    // CloudFormation needs a moment.
    organization.advance(120);
    let input = json!({
        "Name": NAME, "S3BucketName": BUCKET, "IsMultiRegionTrail": true,
        "IsOrganizationTrail": true, "IncludeGlobalServiceEvents": true,
    });
    cloudtrail(organization, "CreateTrail", &input);
    cloudtrail(organization, "StartLogging", &json!({ "Name": NAME }));
}

/// Lets the organization file of a project name the trail.
pub(crate) fn use_trail(project: &Project) {
    let trail = format!("trail: {{existing: \"{ARN}\", bucket: {BUCKET}}}\n");
    project.replace(FILE, OWN, &trail);
}

/// An organization with a trail made by hand, and a project that uses it.
fn adopted() -> (Served, Project) {
    let organization = Served::start();
    make_trail(&organization);
    let project = project();
    use_trail(&project);
    (organization, project)
}

fn names_of_trails(organization: &Served) -> Vec<String> {
    let all = cloudtrail(organization, "DescribeTrails", &json!({}));
    let all = all["trailList"].as_array().expect("trails").iter();
    all.map(|it| it["Name"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn the_chain_works_on_a_trail_of_others_and_leaves_it_alone() {
    let (organization, project) = adopted();
    let target = organization.argument();
    let run = |arguments: &[&str]| project.run(&[arguments, &["--org", &target]].concat());
    project.run(&["check"]).expect(0);
    run(&["doctor"]).expect(0).says(ARN);
    run(&["deploy", "--no-verify"]).expect(0);
    assert_eq!(names_of_trails(&organization), [NAME]);

    let record = json!({
        "eventVersion": "1.11", "eventTime": "2026-11-23T10:00:00Z",
        "userIdentity": {
            "type": "IAMUser", "accountId": SPOKE, "userName": "alice",
            "arn": format!("arn:aws:iam::{SPOKE}:user/alice"),
        },
        "eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging",
        "awsRegion": "us-west-2", "sourceIPAddress": "203.0.113.77", "userAgent": "aws-cli/2.31.5",
        "requestParameters": {"name": "local"}, "responseElements": null,
        "eventID": "11111111-2222-4333-8444-555555555555", "readOnly": false,
        "eventType": "AwsApiCall", "managementEvent": true, "eventCategory": "Management",
        "recipientAccountId": SPOKE,
    });
    project.write("event.json", &record.to_string());
    let endpoint = organization.endpoint();
    let send = [
        "simulator",
        "send",
        "--endpoint",
        endpoint,
        "--account",
        SPOKE,
        "event.json",
    ];
    organization.post("inbox/clear", &json!({}));
    project
        .run(&send)
        .expect(0)
        .says("the trail audit records it");
    let inbox = organization.get("inbox").to_string();
    assert!(inbox.contains("cloudtrail-tampering"), "{inbox}");
    assert!(inbox.contains("203.0.113.77"), "{inbox}");

    run(&["deploy"])
        .expect(0)
        .says("Nothing to do")
        .says("all as expected");
    run(&["verify"])
        .expect(0)
        .says("The alert chain is healthy");
    run(&["drift"]).expect(0).says("No drift");
    run(&["destroy", "--confirm", "o-exampleorg1"])
        .expect(0)
        .says("the existing trail is not touched");
    assert_eq!(names_of_trails(&organization), [NAME]);
    let status = cloudtrail(&organization, "GetTrailStatus", &json!({ "Name": ARN }));
    assert_eq!(status["IsLogging"], true);
}

#[test]
fn no_template_has_a_trail_or_a_bucket_or_key_for_logs() {
    let project = project();
    use_trail(&project);
    for topology in ["hub", "local"] {
        let folder = tempfile::tempdir().expect("a folder");
        project.compile(topology, folder.path());
        let mut templates = 0;
        for file in std::fs::read_dir(folder.path()).expect("files") {
            let path = file.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("a text");
            let template: Value = serde_json::from_str(&text).expect("JSON");
            let resources = template["Resources"].as_object();
            for (id, resource) in resources.into_iter().flatten() {
                let kind = resource["Type"].as_str().expect("a type");
                let foreign = ["AWS::CloudTrail::", "AWS::S3::"];
                let is_foreign = foreign.iter().any(|it| kind.starts_with(it));
                assert!(!is_foreign, "{}: {id} is a {kind}", path.display());
                let text = resource.to_string();
                let is_log_key = kind == "AWS::KMS::Key" && text.contains("cloudtrail");
                assert!(!is_log_key, "{}: {id} is for logs", path.display());
            }
            templates += usize::from(resources.is_some());
        }
        assert!(templates >= 2, "{templates}");
    }
}

/// What `doctor`, `verify` and `drift` say about a broken trail.
#[track_caller]
fn named(organization: &Served, project: &Project, texts: &[&str]) {
    let target = organization.argument();
    let run = |command: &str| project.run(&[command, "--org", &target]);
    let says = |run: &Run| {
        for text in texts {
            assert!(run.all().contains(text), "no {text:?} in\n{}", run.all());
        }
    };
    let doctor = run("doctor").expect(0);
    says(&doctor);
    // One fault makes one line, not one for each member.
    let lines = doctor.stdout.lines();
    assert_eq!(
        lines.filter(|it| it.contains("existing trail:")).count(),
        1,
        "{}",
        doctor.all()
    );
    says(&run("verify").expect(1));
    let drift = run("drift").expect(5);
    says(&drift);
    // The trail isn't ours, so no deployment repairs it.
    for line in drift.all().lines().filter(|it| it.contains("trail audit")) {
        assert!(!line.contains("deploy"), "{line}");
    }
}

#[test]
fn doctor_verify_and_drift_name_what_keeps_events_of_an_existing_trail_away() {
    let (organization, project) = adopted();
    let rule = EXAMPLE_RULE
        .replace("example-rule", "key-disabled")
        .replace("aws.cloudtrail", "aws.kms")
        .replace("cloudtrail.amazonaws.com", "kms.amazonaws.com")
        .replace("StopLogging]", "DisableKey]");
    let event = EXAMPLE_EVENT
        .replace("cloudtrail.amazonaws.com", "kms.amazonaws.com")
        .replace("StopLogging", "DisableKey");
    project.write("rules/keys/key-disabled.yaml", &rule);
    project.write("rules/fixtures/event.json", &event);
    project.deploy(&organization).expect(0);
    let healthy = organization.checkpoint();
    let selectors = |selector: Value| json!({"TrailName": NAME, "EventSelectors": [selector]});
    let narrowed = |kind: &str| selectors(json!({"ReadWriteType": kind}));
    let excluded = json!({"ExcludeManagementEventSources": ["kms.amazonaws.com"]});
    let own_account = json!({"Name": NAME, "IsOrganizationTrail": false});
    let one_region = json!({"Name": NAME, "IsMultiRegionTrail": false});
    let cases: [(&str, Value, &[&str]); 6] = [
        (
            "StopLogging",
            json!({ "Name": NAME }),
            &[
                "the trail is not logging",
                "aws cloudtrail start-logging --name arn:aws:cloudtrail:us-east-1:111122223333:trail/audit --region us-east-1",
            ],
        ),
        (
            "PutEventSelectors",
            narrowed("WriteOnly"),
            &[
                "leave out read-only management events",
                "ec2-password-data-read can't raise an alert",
            ],
        ),
        (
            "PutEventSelectors",
            narrowed("ReadOnly"),
            &[
                "leave out all management events that change something",
                "more rules",
            ],
        ),
        (
            "PutEventSelectors",
            selectors(excluded),
            &[
                "leave out events of kms.amazonaws.com",
                "key-disabled, request-parameters-omitted, root-user-activity can't raise an alert",
            ],
        ),
        (
            "UpdateTrail",
            own_account,
            &["not an organization trail", "--is-organization-trail"],
        ),
        (
            "UpdateTrail",
            one_region,
            &["not a multi-Region trail", "--is-multi-region-trail"],
        ),
    ];
    for (action, input, texts) in cases {
        cloudtrail(&organization, action, &input);
        named(&organization, &project, texts);
        organization.rewind(&healthy);
    }
    organization.post("faults", &json!({"trails_off": ["us-west-2"]}));
    let texts = ["111122223333 us-west-2", "the trail does not log here"];
    named(&organization, &project, &texts);
    organization.post("faults", &json!({}));
    cloudtrail(&organization, "DeleteTrail", &json!({ "Name": NAME }));
    named(
        &organization,
        &project,
        &["the existing trail does not exist"],
    );
}

#[test]
fn an_excluded_source_that_no_rule_is_about_is_no_fault() {
    let (organization, project) = adopted();
    project.remove("rules/cross-service/unauthorized-api-call.yaml");
    project.remove("rules/cross-service/request-parameters-omitted.yaml");
    project.remove("rules/root-user/root-user-activity.yaml");
    project.deploy(&organization).expect(0);
    let excluded = json!({"TrailName": NAME, "EventSelectors": [
        {"ExcludeManagementEventSources": ["rdsdata.amazonaws.com"]}]});
    cloudtrail(&organization, "PutEventSelectors", &excluded);
    let target = organization.argument();
    project.run(&["drift", "--org", &target]).expect(0);
}

#[test]
fn failing_deliveries_of_log_files_are_a_warning() {
    let (organization, project) = adopted();
    project.deploy(&organization).expect(0);
    organization.post("faults", &json!({"surprises": ["log_files_are_refused"]}));
    let target = organization.argument();
    for command in ["doctor", "drift"] {
        project
            .run(&[command, "--org", &target])
            .expect(0)
            .says("log files do not reach the bucket: AccessDenied");
    }
    project.run(&["verify", "--org", &target]).expect(0);
}

/// The status of a request for a bucket.
fn bucket_status(organization: &Served, bucket: &str) -> u16 {
    ureq::get(format!("{}/{bucket}?versions", organization.endpoint()))
        .config()
        .http_status_as_error(false)
        .build()
        .header("Authorization", authorization(LOG_ARCHIVE, HOME, "s3"))
        .call()
        .expect("an answer")
        .status()
        .as_u16()
}

#[test]
fn a_change_to_an_existing_trail_waits_until_that_is_healthy_and_keeps_the_bucket_and_its_key() {
    let organization = Served::start();
    let project = project();
    let target = organization.argument();
    let run = |arguments: &[&str]| project.run(&[arguments, &["--org", &target]].concat());
    project.deploy(&organization).expect(0);
    let describe = |key: &str| {
        let input = json!({ "KeyId": key });
        let answer = organization.call(LOG_ARCHIVE, HOME, "TrentService.DescribeKey", &input);
        answer["KeyMetadata"].clone()
    };
    let key = describe("alias/gizmos-trail")["Arn"].clone();

    make_trail(&organization);
    cloudtrail(&organization, "StopLogging", &json!({ "Name": NAME }));
    // Somebody pays for two trails.
    run(&["doctor"]).expect(0).says(&format!(
        "`trail: {{existing: \"{ARN}\", bucket: {BUCKET}}}`"
    ));
    let own = "trail: {existing: \"arn:aws:cloudtrail:eu-central-1:111122223333:trail/gizmos\"}\n";
    project.replace(FILE, OWN, own);
    for command in ["plan", "doctor", "deploy"] {
        run(&[command])
            .expect(6)
            .says("is the one that Gizmos deployed, and without an own trail it would be deleted");
    }
    project.replace(FILE, own, OWN);
    use_trail(&project);
    run(&["plan"])
        .expect(6)
        .says("can't take the place of Gizmos' own trail yet: the trail is not logging");
    run(&["deploy", "--no-verify", "--allow-delete"])
        .expect(6)
        .says("the trail is not logging");
    assert_eq!(names_of_trails(&organization), ["gizmos", NAME]);

    cloudtrail(&organization, "StartLogging", &json!({ "Name": NAME }));
    let keeps = format!("the log bucket {OWN_BUCKET} stays in account {LOG_ARCHIVE}");
    run(&["plan"]).expect(0).says(&keeps);
    run(&["deploy", "--allow-delete"])
        .expect(0)
        .says("all as expected");
    assert_eq!(names_of_trails(&organization), [NAME]);
    assert_eq!(bucket_status(&organization, OWN_BUCKET), 200);
    assert_eq!(bucket_status(&organization, "no-such-bucket"), 404);
    assert_eq!(
        describe(key.as_str().expect("an ARN"))["KeyState"],
        "Enabled"
    );
    run(&["plan", "--detailed-exitcode"]).expect(0);
    run(&["drift"]).expect(0).says("No drift");
}

#[test]
fn doctor_names_the_bucket_that_no_rule_protects() {
    let (organization, project) = adopted();
    let (from, to) = (format!(", bucket: {BUCKET}"), "");
    project.replace(FILE, &from, to);
    project
        .run(&["doctor", "--org", &organization.argument()])
        .expect(0)
        .says(&format!("no rule protects {BUCKET}"))
        .says(&format!(
            "`trail: {{existing: \"{ARN}\", bucket: {BUCKET}}}`"
        ));
}

#[test]
fn members_see_the_trail_by_its_arn_alone_and_each_region_has_its_own_status() {
    let organization = Served::start();
    make_trail(&organization);
    let target = "CloudTrail_20131101.GetTrailStatus";
    let status = |account: &str, region: &str, name: &str| {
        organization.call(account, region, target, &json!({ "Name": name }))["IsLogging"].clone()
    };
    organization.post("faults", &json!({"trails_off": ["us-west-2"]}));
    for (account, region, logs) in [
        (MANAGEMENT, REGION, true),
        (HUB, HOME, true),
        (SPOKE, "us-west-2", false),
    ] {
        assert_eq!(status(account, region, ARN), logs, "{account} {region}");
    }
    assert_eq!(status(MANAGEMENT, REGION, NAME), true);
    for (account, region) in [(SPOKE, REGION), (MANAGEMENT, HOME)] {
        let input = json!({ "Name": NAME });
        let refusal = organization
            .client()
            .refusal(account, region, target, &input);
        assert!(refusal.contains("TrailNotFoundException"), "{refusal}");
    }
}
