//! From a YAML rule to an alert in an inbox.

use serde_json::{Value, json};
use tests::{HOME, HUB, Served};

use crate::project;

#[test]
fn one_command_deploys_everything_and_every_rule_alerts_as_its_tests_say() {
    let project = project();
    let json = project
        .run(&["deploy", "--org", "--simulator", "--format", "json"])
        .expect(0)
        .json();
    assert!(project.path("target/stacksets/manifest.json").exists());
    let verification = &json["verification"];
    assert_eq!(verification["passed"], true);
    assert_eq!(verification["health"], json!([]));
    let cases = verification["events"]["cases"].as_array().expect("cases");
    for rule in [
        "console-sign-in-succeeded",
        "console-sign-in-without-mfa",
        "console-sign-in-failed",
        "root-user-activity",
        "ec2-instance-stopped",
        "ec2-stop-protection",
        "cloudtrail-tampering",
        "iam-access-key-created",
    ] {
        for kind in ["positive", "negative"] {
            assert!(
                cases
                    .iter()
                    .any(|it| it["rule"] == rule && it["kind"] == kind),
                "{rule} has no {kind} case"
            );
        }
    }
    for case in cases.iter().filter(|it| it["kind"] == "hostile") {
        for alert in case["alerts"].as_array().expect("alerts") {
            let body = alert["body"].as_str().expect("a text");
            assert!(serde_json::from_str::<Value>(body).is_ok(), "{body}");
        }
    }
    assert!(cases.iter().any(|it| it["kind"] == "hostile"));
    assert!(cases.iter().any(|it| it["kind"] == "response"));
}

#[test]
fn the_local_topology_alerts_too() {
    project()
        .run(&["verify", "--org", "--simulator", "--topology", "local"])
        .expect(0)
        .says("so it is deployed first")
        .says("all as expected")
        .says("The alert chain is healthy");
}

fn publish(project: &tests::Project, how: &str) {
    let file = "stacksets/organization.yaml";
    let text = std::fs::read_to_string(project.path(file)).expect("the organization file");
    let mut lines = vec![format!("publish: {how}")];
    let kept = text.lines().filter(|line| !line.starts_with("publish:"));
    lines.extend(kept.map(str::to_owned));
    project.write(file, &lines.join("\n"));
}

#[test]
fn alerts_published_by_policy_arrive_in_both_topologies() {
    for topology in ["hub", "local"] {
        let project = project();
        publish(&project, "policy");
        project
            .run(&["verify", "--org", "--simulator", "--topology", topology])
            .expect(0)
            .says("all as expected")
            .says("The alert chain is healthy");
    }
}

/// AWS's documents leave open whether SNS sees `aws:SourceArn`. If it doesn't, publishing by policy
/// fails, and the verification has to name the topic's policy.
#[test]
fn verification_names_the_topic_policy_if_topics_do_not_see_the_source_of_a_rule() {
    let organization = Served::start();
    let project = project();
    publish(&project, "policy");
    project.deploy(&organization).expect(0);
    organization.post("faults", &json!({"surprises": ["topics_see_no_source"]}));
    let target = organization.argument();
    project
        .run(&["verify", "--org", &target])
        .expect(1)
        .says("broken link: topic policy of gizmos-alerts")
        .says("aws:SourceArn, which this request does not have");
    // Refused canaries leave nothing behind; refused alerts stay, because they are evidence.
    organization.advance(60);
    let queue = format!("https://sqs.{HOME}.amazonaws.com/{HUB}/gizmos-dead-letters");
    let input = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10,
        "MessageAttributeNames": ["All"], "VisibilityTimeout": 600});
    let mut left = 0;
    loop {
        let answer = organization.call(HUB, HOME, "AmazonSQS.ReceiveMessage", &input);
        let Some(messages) = answer["Messages"].as_array().filter(|it| !it.is_empty()) else {
            break;
        };
        for message in messages {
            let rule = message["MessageAttributes"]["RULE_ARN"]["StringValue"].as_str();
            assert!(
                !rule.expect("a rule").ends_with("gizmos-canary"),
                "{message:#}"
            );
            left += 1;
        }
    }
    assert!(left > 100, "{left}");
    publish(&project, "role");
    // The new way works, and the refused alerts are dead letters until somebody has read them.
    project
        .run(&["deploy", "--org", &target])
        .expect(1)
        .says("all as expected")
        .says("purge-queue");
}

/// The detections get their role before the topics withdraw the permission of EventBridge, and the
/// topics grant it before the detections give up their role.
#[test]
fn publishing_changes_between_role_and_policy_without_a_gap() {
    let organization = Served::start();
    let project = project();
    let target = organization.argument();
    let run = |arguments: &[&str]| project.run(&[arguments, &["--org", &target]].concat());
    for topology in ["hub", "local"] {
        let topology = ["--topology", topology, "--allow-delete"];
        let deploy = |with: &[&str]| run(&[&["deploy"], &topology[..], with].concat());
        let verify = || run(&["verify", "--topology", topology[1]]);
        publish(&project, "role");
        deploy(&["--no-verify"]).expect(0);
        for (from, to) in [("role", "policy"), ("policy", "role")] {
            // The chain as it was works on while detections can't be updated.
            let failing = json!([{
                "stack_sets": ["gizmos-rules-hub*", "gizmos-rules-local*"], "actions": ["UPDATE"],
                "effect": {"fail": "quota of rules exceeded"},
            }]);
            organization.post("faults", &json!({ "instances": failing }));
            publish(&project, to);
            deploy(&["--no-verify"]).expect(4);
            publish(&project, from);
            // What the hub's first template says about topics and canaries was updated before.
            let verified = verify();
            let text = verified.all();
            assert!([0, 1].contains(&verified.code), "{text}");
            let mut broken = text
                .lines()
                .filter(|line| line.starts_with("broken link: "));
            assert!(
                broken.all(|line| line.contains("topic policy of ") || line.contains("CanaryRule")),
                "{text}"
            );

            organization.post("faults", &json!({ "instances": [] }));
            publish(&project, to);
            deploy(&[]).expect(0).says("all as expected");
            run(&["plan", "--detailed-exitcode", "--topology", topology[1]]).expect(0);
            run(&["drift", "--topology", topology[1]])
                .expect(0)
                .says("No drift");
        }
    }
}

/// The old chain works until the new one is complete, and nothing of it remains afterward.
#[test]
fn the_topology_changes_without_a_gap_and_back() {
    let organization = Served::start();
    let project = project();
    let target = organization.argument();
    let run = |topology: &str, arguments: &[&str]| {
        project.run(&[arguments, &["--org", "--topology", topology, &target]].concat())
    };
    let deploy = ["deploy", "--allow-delete"];
    run("hub", &[&deploy[..], &["--no-verify"]].concat()).expect(0);

    // All templates of the new chain fail. If any succeeded, alerts would arrive twice.
    let rest = (2..10).map(|number| format!("gizmos-rules-local-{number}"));
    let sets: Vec<String> = ["gizmos-rules-local".to_owned()]
        .into_iter()
        .chain(rest)
        .collect();
    let failing = json!([{
        "stack_sets": sets, "share": 1.0, "effect": {"fail": "quota of rules exceeded"},
    }]);
    organization.post("faults", &json!({ "instances": failing }));
    run("local", &deploy).expect(4).says("nothing is removed");
    run("hub", &["verify"]).expect(0).says("all as expected");

    organization.post("faults", &json!({ "instances": [] }));
    for topology in ["local", "hub"] {
        run(topology, &deploy).expect(0).says("all as expected");
        run(topology, &["plan", "--detailed-exitcode"]).expect(0);
        // Verification leaves nothing behind either.
        run(topology, &["drift"]).expect(0).says("No drift");
    }
}

#[test]
fn a_sent_record_reaches_the_inbox_with_its_own_values() {
    let organization = Served::start();
    let project = project();
    project.deploy(&organization).expect(0);
    let record = json!({
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDAEXAMPLE", "accountId": "123456789012",
            "arn": "arn:aws:iam::123456789012:user/alice", "userName": "alice",
        },
        "eventTime": "2026-11-23T10:00:00Z",
        "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.77",
        "userAgent": "Mozilla/5.0 \"quoted\"",
        "requestParameters": null,
        "responseElements": { "ConsoleLogin": "Success" },
        "additionalEventData": { "MobileVersion": "No", "MFAUsed": "No" },
        "eventID": "11111111-2222-4333-8444-555555555555",
        "readOnly": false,
        "eventType": "AwsConsoleSignIn",
        "managementEvent": true,
        "recipientAccountId": "123456789012",
    });
    project.write("event.json", &record.to_string());
    organization.post("inbox/clear", &json!({}));
    project
        .run(&[
            "simulator",
            "send",
            "--endpoint",
            organization.endpoint(),
            "--account",
            "012345678901",
            "event.json",
        ])
        .expect(0)
        .says("203.0.113.77");
    let inbox = organization.get("inbox");
    let alerts: Vec<&str> = inbox
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|it| it["body"].as_str())
        .collect();
    let alert = alerts
        .iter()
        .find(|it| it.contains("console-sign-in-without-mfa"))
        .unwrap_or_else(|| panic!("no alert: {inbox:#}"));
    let fields: Value = serde_json::from_str(alert).expect("JSON");
    let text = fields.to_string();
    for value in [
        "arn:aws:iam::123456789012:user/alice",
        "203.0.113.77",
        "012345678901",
    ] {
        assert!(text.contains(value), "{value} is missing in {alert}");
    }
}

#[test]
fn without_a_trail_no_api_call_reaches_a_bus() {
    let organization = Served::start();
    let project = project();
    let target = organization.argument();
    project.deploy(&organization).expect(0);
    organization.call(
        "111122223333",
        "eu-central-1",
        "CloudTrail_20131101.StopLogging",
        &json!({ "Name": "gizmos" }),
    );
    project
        .run(&["verify", "--org", &target])
        .expect(1)
        .says("broken link: trail");
}
