//! `verify --org` with nothing but environment variables: canaries through the real chain. Every
//! link is broken on purpose, and named.

use serde_json::{Value, json};
use simulator::Config;
use tests::{HOME, HUB, MANAGEMENT, Project, Run, Served};

use crate::project;

/// A workload account of the seeded organization.
const SPOKE: &str = "012345678901";

/// A deployed organization whose clock runs by itself, because nobody else moves it.
fn deployed(speed: f64) -> (Served, Project) {
    let organization = Served::start_with(Config {
        speed,
        ..Config::default()
    });
    let project = project();
    project.deploy(&organization).expect(0);
    (organization, project)
}

/// Runs `verify --org` in a process that has only environment variables.
fn verify(organization: &Served, project: &Project, more: &[&str]) -> Run {
    let arguments = [&["verify", "--org"], more].concat();
    project.run_with(&arguments, &organization.environment(MANAGEMENT, HOME))
}

/// Breaks a link and checks that `verify` names it, and AWS's error or what was read.
#[track_caller]
fn names(break_it: impl FnOnce(&Served), more: &[&str], texts: &[&str]) -> Run {
    named(break_it, more, texts).2
}

/// Breaks a link like [`names`], then follows what `verify` prints until the link works again.
#[track_caller]
fn names_and_restores(break_it: impl FnOnce(&Served), more: &[&str], texts: &[&str]) {
    let (organization, project, run) = named(break_it, more, texts);
    for remedy in run.remedies() {
        if let Some((_, drift)) = remedy.split_once("`gizmos drift --org") {
            let deep = drift.starts_with(" --deep`");
            let target = organization.argument();
            let mut arguments = vec!["drift", "--org", target.as_str()];
            arguments.extend(deep.then_some("--deep"));
            // The remedy of another link may have restored this one already.
            for remedy in project.run(&arguments).remedies() {
                organization.follow(&project, &remedy);
            }
        } else {
            organization.follow(&project, &remedy);
        }
    }
    let run = verify(&organization, &project, more);
    assert_eq!(run.code, 0, "{}", run.all());
}

#[track_caller]
fn named(break_it: impl FnOnce(&Served), more: &[&str], texts: &[&str]) -> (Served, Project, Run) {
    let (organization, project) = deployed(300.0);
    break_it(&organization);
    let mut run = verify(&organization, &project, more).expect(1);
    for text in texts {
        run = run.says(text);
    }
    // A canary's dead letter would be an alarm, and drift.
    for account in [HUB, SPOKE] {
        let queues = organization.call(account, HOME, "AmazonSQS.ListQueues", &json!({}));
        for url in queues["QueueUrls"].as_array().into_iter().flatten() {
            let left = organization.call(
                account,
                HOME,
                "AmazonSQS.GetQueueAttributes",
                &json!({"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]}),
            );
            for (_, count) in left["Attributes"].as_object().into_iter().flatten() {
                assert_eq!(count, "0", "{url} in {account} keeps messages");
            }
        }
    }
    (organization, project, run)
}

/// The rules on a bus.
fn rules(organization: &Served, account: &str, region: &str, bus: &str) -> Vec<Value> {
    let input = json!({ "EventBusName": bus });
    let answer = organization.call(account, region, "AWSEvents.ListRules", &input);
    answer["Rules"].as_array().cloned().unwrap_or_default()
}

/// The name of the spoke's rule whose pattern contains a text.
#[track_caller]
fn rule_with(organization: &Served, text: &str) -> String {
    let rules = rules(organization, SPOKE, "us-east-1", "default");
    let found = rules.iter().find(|rule| {
        let pattern = rule["EventPattern"].as_str();
        pattern.is_some_and(|pattern| pattern.contains(text))
    });
    let name = found.and_then(|rule| rule["Name"].as_str());
    name.expect("a rule").to_owned()
}

fn disable(organization: &Served, account: &str, region: &str, bus: &str, rule: &str) {
    let input = json!({ "Name": rule, "EventBusName": bus });
    organization.call(account, region, "AWSEvents.DisableRule", &input);
}

/// Deletes an inline policy of the first role whose name contains a text.
#[track_caller]
fn delete_role_policy(organization: &Served, account: &str, role: &str, policy: &str) -> String {
    let list = organization.query(account, HOME, "iam", &[("Action", "ListRoles")]);
    let names = list.split("<RoleName>").skip(1);
    let mut names = names.filter_map(|rest| rest.split_once("</RoleName>"));
    let (name, _) = names.find(|(name, _)| name.contains(role)).expect("a role");
    organization.query(
        account,
        HOME,
        "iam",
        &[
            ("Action", "DeleteRolePolicy"),
            ("RoleName", name),
            ("PolicyName", policy),
        ],
    );
    name.to_owned()
}

#[test]
fn a_healthy_fleet_is_proven_and_nothing_is_left_behind() {
    let (organization, project) = deployed(60.0);
    let before = organization.get("inbox");
    let run = verify(&organization, &project, &[]).expect(0);
    let run = run
        .says("all as expected")
        .says("Nothing was published to gizmos-alerts");
    let run = run.says("What this proves").says("--cloudtrail does that");
    assert!(run.stdout.contains(SPOKE), "{}", run.stdout);
    let inbox = organization.get("inbox");
    let new = inbox
        .as_array()
        .expect("a list")
        .iter()
        .skip(before.as_array().expect("a list").len());
    for delivery in new {
        let topic = delivery["topic_arn"].as_str().unwrap_or_default();
        assert!(topic.ends_with(":gizmos-canary"), "{delivery}");
    }
    project
        .run(&["drift", "--org", &organization.argument()])
        .expect(0)
        .says("No drift");
}

#[test]
fn cloudtrail_is_proven_by_a_real_call() {
    let (organization, project) = deployed(300.0);
    let run = verify(
        &organization,
        &project,
        &["--cloudtrail", "--format", "json"],
    )
    .expect(0);
    let rows = run.json()["proof"]["locations"].clone();
    let rows = rows.as_array().expect("a list");
    assert!(rows.len() > 20, "{}", rows.len());
    for row in rows {
        for (link, state) in row["links"].as_object().expect("links") {
            assert_eq!(state, "works", "{link} in {}", row["location"]);
        }
    }
}

#[test]
fn accounts_regions_and_a_sample_limit_the_proof() {
    let (organization, project) = deployed(60.0);
    let count = |more: &[&str]| {
        let run = verify(
            &organization,
            &project,
            &[more, &["--format", "json"]].concat(),
        )
        .expect(0);
        run.json()["proof"]["sent"].as_u64()
    };
    assert_eq!(count(&["--accounts", SPOKE]), Some(3));
    assert_eq!(
        count(&["--regions", "us-east-1", "--accounts", SPOKE]),
        Some(1)
    );
    assert_eq!(count(&["--sample", "5"]), Some(5));
    verify(&organization, &project, &["--accounts", "999999999999"])
        .expect(1)
        .says("999999999999 is not a watched account or Region");
}

#[test]
fn a_lost_bus_policy_is_named() {
    names(
        |organization| {
            let input = json!({"EventBusName": "gizmos", "RemoveAllPermissions": true});
            organization.call(HUB, HOME, "AWSEvents.RemovePermission", &input);
        },
        &["--regions", HOME],
        &["broken link: bus policy of gizmos", "NO_PERMISSIONS"],
    );
}

#[test]
fn a_forwarder_role_without_permission_is_named() {
    let mut role = String::new();
    let run = names(
        |organization| {
            role = delete_role_policy(
                organization,
                SPOKE,
                "ForwarderRole",
                "put-events-on-the-hub",
            );
        },
        &["--accounts", SPOKE],
        &["broken link: forwarder role ", "NO_PERMISSIONS"],
    );
    run.says(&role);
}

#[test]
fn a_disabled_detection_in_the_hub_is_named() {
    names_and_restores(
        |organization| disable(organization, HUB, HOME, "gizmos", "root-user-activity"),
        &["--accounts", SPOKE],
        &[
            "broken link: rule root-user-activity",
            "is DISABLED",
            "enable-rule",
        ],
    );
}

#[test]
fn a_disabled_forwarder_in_one_account_and_region_is_named() {
    let mut name = String::new();
    let run = names(
        |organization| {
            name = rule_with(organization, "ConsoleLogin");
            disable(organization, SPOKE, "us-east-1", "default", &name);
        },
        &[],
        &["is DISABLED", "(012345678901 us-east-1)"],
    );
    run.says(&name);
}

#[test]
fn a_publisher_role_without_permission_is_named() {
    names(
        |organization| {
            delete_role_policy(organization, HUB, "gizmos-publisher", "publish-alerts");
        },
        &["--accounts", SPOKE],
        &["broken link: publisher role", "NO_PERMISSIONS"],
    );
}

#[test]
fn a_key_policy_that_denies_is_named() {
    names_and_restores(
        |organization| {
            let topic = format!("arn:aws:sns:{HOME}:{HUB}:gizmos-canary");
            let form = [
                ("Action", "GetTopicAttributes"),
                ("TopicArn", topic.as_str()),
            ];
            let attributes = organization.query(HUB, HOME, "sns", &form);
            let (_, rest) = attributes
                .split_once("KmsMasterKeyId</key><value>")
                .expect("a key");
            let (key, _) = rest.split_once("</value>").expect("a value");
            let policy = json!({"Version": "2012-10-17", "Statement": [
                {"Sid": "AccountAdministers", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
                 "Principal": {"AWS": format!("arn:aws:iam::{HUB}:root")}},
                {"Sid": "NobodyPublishes", "Effect": "Deny", "Action": "kms:GenerateDataKey*",
                 "Resource": "*", "Principal": {"AWS": "*"},
                 "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/gizmos-hub/*"}}},
            ]});
            let input =
                json!({"KeyId": key, "PolicyName": "default", "Policy": policy.to_string()});
            organization.call(HUB, HOME, "TrentService.PutKeyPolicy", &input);
        },
        &["--accounts", SPOKE],
        // The same key encrypts the hub's dead letters, so that there is none.
        &[
            "broken link: key policy of ",
            "differs from the compiled one",
            "NobodyPublishes",
        ],
    );
}

#[test]
fn a_publisher_role_without_the_key_is_named_with_the_error_of_eventbridge() {
    names(
        |organization| {
            delete_role_policy(organization, HUB, "gizmos-publisher", "publish-alerts");
            let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
                "Action": "sns:Publish", "Resource": "*"}]});
            let form = [
                ("Action", "PutRolePolicy"),
                ("RoleName", "gizmos-publisher"),
                ("PolicyName", "publish-alerts"),
                ("PolicyDocument", &policy.to_string()),
            ];
            organization.query(HUB, HOME, "iam", &form);
        },
        &["--accounts", SPOKE],
        &[
            "broken link: key of the alerts' topics",
            "NO_PERMISSIONS",
            "gizmos-publisher",
        ],
    );
}

#[test]
fn a_deleted_topic_is_named() {
    for topic in ["gizmos-canary", "gizmos-alerts"] {
        names_and_restores(
            |organization| {
                let arn = format!("arn:aws:sns:{HOME}:{HUB}:{topic}");
                let form = [("Action", "DeleteTopic"), ("TopicArn", arn.as_str())];
                organization.query(HUB, HOME, "sns", &form);
            },
            &["--accounts", SPOKE],
            &[
                &format!("broken link: topic {topic}"),
                "the topic does not exist",
            ],
        );
    }
}

#[test]
fn a_topic_policy_that_denies_is_named_although_no_canary_passes_it() {
    names_and_restores(
        |organization| {
            let arn = format!("arn:aws:sns:{HOME}:{HUB}:gizmos-alerts");
            let policy = json!({"Version": "2012-10-17", "Statement": [{"Sid": "Nobody",
                "Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": arn}]});
            let form = [
                ("Action", "SetTopicAttributes"),
                ("TopicArn", arn.as_str()),
                ("AttributeName", "Policy"),
                ("AttributeValue", &policy.to_string()),
            ];
            organization.query(HUB, HOME, "sns", &form);
        },
        &["--accounts", SPOKE],
        &[
            "broken link: topic policy of gizmos-alerts",
            "differs from the compiled one",
        ],
    );
}

#[test]
fn a_filter_that_withholds_alerts_from_a_subscriber_is_named() {
    names(
        |organization| {
            let topic = format!("arn:aws:sns:{HOME}:{HUB}:gizmos-alerts");
            let form = [
                ("Action", "ListSubscriptionsByTopic"),
                ("TopicArn", topic.as_str()),
            ];
            let list = organization.query(HUB, HOME, "sns", &form);
            let (_, rest) = list
                .split_once("<SubscriptionArn>")
                .expect("a subscription");
            let (arn, _) = rest.split_once("</SubscriptionArn>").expect("an ARN");
            let form = [
                ("Action", "SetSubscriptionAttributes"),
                ("SubscriptionArn", arn),
                ("AttributeName", "FilterPolicy"),
                ("AttributeValue", r#"{"kind": ["never"]}"#),
            ];
            organization.query(HUB, HOME, "sns", &form);
        },
        &["--accounts", SPOKE],
        &[
            "broken link: subscription security@example.com of gizmos-alerts",
            "a filter policy withholds",
        ],
    );
}

#[test]
fn a_changed_forwarder_pattern_is_named() {
    for (pattern, label) in [
        ("gizmos.canary", "the canaries' rule"),
        ("ConsoleLogin", "forwarder Forward"),
    ] {
        names(
            |organization| {
                let name = rule_with(organization, pattern);
                let input = json!({"Name": name, "State": "ENABLED",
                    "EventPattern": json!({"source": ["nothing"]}).to_string()});
                organization.call(SPOKE, "us-east-1", "AWSEvents.PutRule", &input);
            },
            &["--accounts", SPOKE],
            &[
                &format!("broken link: {label}"),
                "its pattern was changed",
                "012345678901 us-east-1",
            ],
        );
    }
}

#[test]
fn a_forwarder_that_lost_its_target_is_named() {
    names_and_restores(
        |organization| {
            let name = rule_with(organization, "ConsoleLogin");
            let input = json!({"Rule": name, "Ids": ["hub"]});
            organization.call(SPOKE, "us-east-1", "AWSEvents.RemoveTargets", &input);
        },
        &["--accounts", SPOKE],
        &["no longer sends to arn:aws:events:eu-central-1:333344445555:event-bus/gizmos"],
    );
}

#[test]
fn a_stopped_trail_is_named_and_its_call_does_not_come_back() {
    let run = names(
        |organization| {
            let input = json!({ "Name": "gizmos" });
            organization.call(MANAGEMENT, HOME, "CloudTrail_20131101.StopLogging", &input);
        },
        &["--cloudtrail", "--accounts", SPOKE, "--format", "json"],
        &["the trail is not logging"],
    );
    for row in run.json()["proof"]["locations"].as_array().expect("a list") {
        assert_eq!(row["links"]["cloud_trail"], "broken", "{row}");
        assert_eq!(row["links"]["alerting"], "works", "{row}");
    }
}

/// The nonce is known to nobody but the run, so a forged canary proves nothing, and the messages of
/// others stay in the queue.
#[test]
fn a_forged_canary_proves_nothing_and_other_runs_keep_their_messages() {
    let (organization, project) = deployed(300.0);
    let canaries = rule_with(&organization, "gizmos.canary");
    disable(&organization, SPOKE, "us-east-1", "default", &canaries);
    let queue = format!("https://sqs.{HOME}.amazonaws.com/{HUB}/gizmos-canary");
    let forged =
        json!({"kind": "canary", "account": SPOKE, "region": "us-east-1", "nonce": "0".repeat(32)});
    let input = json!({"QueueUrl": queue, "MessageBody": forged.to_string()});
    organization.call(HUB, HOME, "AmazonSQS.SendMessage", &input);
    verify(&organization, &project, &["--accounts", SPOKE])
        .expect(1)
        .says("is DISABLED");
    let input = json!({"QueueUrl": queue, "AttributeNames": ["All"]});
    let left = organization.call(HUB, HOME, "AmazonSQS.GetQueueAttributes", &input);
    let count = |name: &str| {
        let count = left["Attributes"][name].as_str();
        count
            .and_then(|count| count.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let left =
        count("ApproximateNumberOfMessages") + count("ApproximateNumberOfMessagesNotVisible");
    assert_eq!(left, 1);
}

/// What it costs, counted by the simulator: nothing is called more often than it must be.
#[test]
fn a_fleet_of_403_accounts_and_three_regions_is_proven_within_two_minutes() {
    const ACCOUNTS: u64 = 403;
    const LOCATIONS: u64 = ACCOUNTS * 3;
    let organization = Served::start_with(Config {
        workload_accounts: 400,
        speed: 1.0,
        ..Config::default()
    });
    let project = project();
    project.deploy(&organization).expect(0);
    organization.post("calls/reset", &json!({}));
    let seconds = || {
        let now = organization.get("state")["now"].clone();
        let now: jiff::Timestamp = now.as_str().expect("a time").parse().expect("RFC 3339");
        now.as_second()
    };
    let start = seconds();
    let run = verify(&organization, &project, &[]).expect(0);
    let elapsed = seconds() - start;
    assert!(elapsed < 120, "{elapsed} s");
    let run = run.says(&format!("Proof: {LOCATIONS} accounts and Regions checked"));
    println!("{}", run.stdout);
    let calls = organization.get("calls")["by_action"].clone();
    println!("{LOCATIONS} accounts and Regions in {elapsed} s of virtual time: {calls:#}");
    let count = |action: &str| calls[action].as_u64().unwrap_or(0);
    assert_eq!(count("events:PutEvents"), LOCATIONS);
    // The caller's own account needs no session; the hub's is used before the spokes are visited.
    assert!(count("sts:AssumeRole") <= ACCOUNTS + 4, "{calls:#}");
    assert!(
        count("sqs:ReceiveMessage") <= LOCATIONS.div_ceil(10) + 10,
        "{calls:#}"
    );
    assert!(
        count("sqs:DeleteMessageBatch") <= LOCATIONS.div_ceil(10) + 10,
        "{calls:#}"
    );
    // On the hub's bus one list, and one per page of a hundred rules.
    assert!(count("events:ListRules") <= LOCATIONS + 3, "{calls:#}");
    // In the hub one per rule, however many spokes there are.
    let detections = rules(&organization, HUB, HOME, "gizmos").len() as u64;
    assert_eq!(count("events:ListTargetsByRule"), detections, "{calls:#}");
}

/// CloudFormation considers a rule that somebody disabled up to date.
#[test]
fn deploy_reports_a_disabled_rule_of_the_hub_and_fails_only_if_asked() {
    let (organization, project) = deployed(0.0);
    disable(&organization, HUB, HOME, "gizmos", "root-user-activity");
    let target = organization.argument();
    let deploy = ["deploy", "--org", "--no-verify", &target];
    project
        .run(&deploy)
        .expect(0)
        .says("drift: rule root-user-activity")
        .says("DRIFT: 1 changed rule on the hub's bus");
    let run = project.run(&[&deploy[..], &["--fail-on-drift"]].concat());
    run.expect(5).says("is DISABLED");
}

/// The two ways to publish are two different chains, and the canaries follow the setting.
#[test]
fn canaries_are_published_as_alerts_are() {
    let organization = Served::start_with(Config {
        speed: 300.0,
        ..Config::default()
    });
    let project = project();
    project.replace(
        "stacksets/organization.yaml",
        "topology: hub",
        "publish: policy\ntopology: hub",
    );
    project.deploy(&organization).expect(0);
    verify(&organization, &project, &["--accounts", SPOKE]).expect(0);
    let arn = format!("arn:aws:sns:{HOME}:{HUB}:gizmos-canary");
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Sid": "Nobody",
        "Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": arn}]});
    let form = [
        ("Action", "SetTopicAttributes"),
        ("TopicArn", arn.as_str()),
        ("AttributeName", "Policy"),
        ("AttributeValue", &policy.to_string()),
    ];
    organization.query(HUB, HOME, "sns", &form);
    verify(&organization, &project, &["--accounts", SPOKE])
        .expect(1)
        .says("broken link: topic policy of gizmos-canary")
        .says("NO_PERMISSIONS");
}
