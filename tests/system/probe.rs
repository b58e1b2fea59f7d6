//! `verify --probe`: each question with both answers, and what it says to change.

use serde_json::{Value, json};
use simulator::Config;
use tests::{HOME, HUB, MANAGEMENT, Project, Run, Served};

use crate::project;

/// A workload account of the seeded organization.
const SPOKE: &str = "012345678901";

fn organization() -> Served {
    let mut config = Config {
        speed: 300.0,
        ..Config::default()
    };
    config.regions.push("us-east-2".to_owned());
    Served::start_with(config)
}

fn deployed(publish: &str) -> (Served, Project) {
    let organization = organization();
    let project = project();
    let topology = "topology: hub";
    let both = format!("publish: {publish}\n{topology}");
    project.replace("stacksets/organization.yaml", topology, &both);
    project.deploy(&organization).expect(0);
    (organization, project)
}

fn surprise(organization: &Served, with: &[&str]) {
    organization.post("faults", &json!({ "surprises": with }));
}

fn ask(organization: &Served, project: &Project, format: &str) -> Run {
    let arguments = [
        "verify",
        "--org",
        "--probe",
        "--accounts",
        SPOKE,
        "--regions",
        "us-east-1",
        "--format",
        format,
    ];
    project.run_with(&arguments, &organization.environment(MANAGEMENT, HOME))
}

/// The answers in the order of the table: id, whether it is the expected one, and all words.
struct Answers(Vec<Value>);

impl Answers {
    fn of(organization: &Served, project: &Project) -> Answers {
        let run = ask(organization, project, "json");
        let answers = run.json()["probes"].as_array().cloned();
        Answers(answers.unwrap_or_else(|| panic!("no answers: {}", run.all())))
    }

    #[track_caller]
    fn is(&self, id: &str, expected: Option<bool>, words: &[&str]) {
        let found = self.0.iter().find(|it| it["id"] == id).expect("an answer");
        assert_eq!(found["expected"], json!(expected), "{found:#}");
        for word in words {
            assert!(found.to_string().contains(word), "{word}: {found:#}");
        }
    }
}

#[test]
fn probe_of_an_organization_as_documents_suggest_answers_as_expected_and_leaves_nothing_behind() {
    let (organization, project) = deployed("role");
    organization.advance(100 * 86_400);
    organization.post("calls/reset", &json!({}));
    let run = ask(&organization, &project, "text").expect(0);
    run.says("expected   publish-with-role: Can EventBridge publish with a role")
        .says("means: canaries arrive: nothing")
        .says("no answer  source-at-topics")
        .says("no answer: PROBES.md has commands for it")
        .says("Probes: 9 questions asked; 7 as expected, 0 different, 2 without an answer.");
    // Nothing was created or changed but by the calls of `verify --cloudtrail`.
    let calls = organization.get("calls");
    let mut changing: Vec<&str> = Vec::new();
    for (action, _) in calls["by_action"].as_object().expect("calls") {
        let reads = ["Get", "List", "Describe", "Lookup", "AssumeRole", "Receive"];
        let name = action.split(':').next_back().unwrap_or_default();
        if !reads.iter().any(|read| name.starts_with(read)) {
            changing.push(action);
        }
    }
    assert_eq!(
        changing,
        [
            "events:PutEvents",
            "sqs:DeleteMessageBatch",
            "ssm:DeleteParameters"
        ]
    );
    let target = organization.argument();
    project
        .run(&["drift", "--org", &target])
        .expect(0)
        .says("No drift");
}

#[test]
fn probe_of_publishing_names_the_other_way_to_publish() {
    let (organization, project) = deployed("role");
    surprise(&organization, &["roles_fail_with_keys"]);
    let answers = Answers::of(&organization, &project);
    let words = [
        "NO_PERMISSIONS",
        "publish: policy",
        "stacksets/organization.yaml",
    ];
    answers.is("publish-with-role", Some(false), &words);
    answers.is("line-breaks-in-templates", None, &["no canary arrived"]);
}

#[test]
fn probe_of_topics_says_whether_they_see_the_source_of_a_rule() {
    let (organization, project) = deployed("policy");
    Answers::of(&organization, &project).is("source-at-topics", Some(true), &["canaries arrived"]);
    surprise(&organization, &["topics_see_no_source"]);
    let answers = Answers::of(&organization, &project);
    let words = [
        "NO_PERMISSIONS",
        "publish: role",
        "stacksets/topics.json.j2",
    ];
    answers.is("source-at-topics", Some(false), &words);
}

/// There is no dead letter, so metrics say where the canary was lost.
#[test]
fn probe_of_the_queue_is_answered_by_metrics_and_names_the_key() {
    let (organization, project) = deployed("role");
    surprise(&organization, &["queues_refuse_topics"]);
    ask(&organization, &project, "text")
        .expect(1)
        .says("broken link: topic gizmos-canary to queue gizmos-canary")
        // That of the recorded call, too.
        .says("NumberOfNotificationsFailed 2");
    let answers = Answers::of(&organization, &project);
    let words = [
        "NumberOfNotificationsFailed",
        "KmsMasterKeyId",
        "stacksets/topic.template.json.j2",
    ];
    answers.is("queue-with-sse-sqs-and-topics", Some(false), &words);
}

#[test]
fn probes_of_templates_names_and_log_files_say_what_to_change() {
    let (organization, project) = deployed("role");
    surprise(
        &organization,
        &[
            "templates_lose_line_breaks",
            "parameter_names_are_hidden",
            "log_files_are_refused",
        ],
    );
    let answers = Answers::of(&organization, &project);
    let words = [
        r#"the text is {\"kind\":\"canary\""#,
        "e-mails show alerts on one line",
    ];
    answers.is("line-breaks-in-templates", Some(false), &words);
    let words = ["requestParameters is null", "crates/compiler/src/canary.rs"];
    answers.is("recorded-parameter-names", Some(false), &words);
    answers.is("time-of-recorded-calls", None, &["can't be recognized"]);
    let words = ["AccessDenied", "stacksets/bucket.template.json.j2"];
    answers.is("trail-with-bucket-key", Some(false), &words);
}

#[test]
fn probe_of_time_says_how_long_recorded_calls_take() {
    let (organization, project) = deployed("role");
    Answers::of(&organization, &project).is("time-of-recorded-calls", Some(true), &["seconds"]);
    surprise(&organization, &["records_are_late"]);
    let answers = Answers::of(&organization, &project);
    let words = [
        "1 of 1 calls took longer than 15 minutes",
        "CLOUDTRAIL_PATIENCE",
    ];
    answers.is("time-of-recorded-calls", Some(false), &words);
}

#[test]
fn probe_of_operations_says_whether_old_ones_stay() {
    let (organization, project) = deployed("role");
    let answers = Answers::of(&organization, &project);
    answers.is("age-of-operations", None, &["ask again"]);
    organization.advance(100 * 86_400);
    let answers = Answers::of(&organization, &project);
    answers.is(
        "age-of-operations",
        Some(true),
        &["the oldest ended 100 days ago"],
    );
    surprise(&organization, &["operations_are_forgotten"]);
    let answers = Answers::of(&organization, &project);
    answers.is(
        "age-of-operations",
        Some(false),
        &["crates/deployer/src/operation/number.rs"],
    );
}

#[test]
fn probe_of_sign_ins_names_a_region_that_is_not_watched() {
    let (organization, project) = deployed("role");
    let sign_in = |region: &str| {
        let record = json!({
            "eventVersion": "1.08", "eventTime": "2026-11-23T10:00:00Z",
            "userIdentity": {"type": "AssumedRole", "accountId": MANAGEMENT,
                "principalId": "AROAEXAMPLE:alice",
                "arn": format!("arn:aws:sts::{MANAGEMENT}:assumed-role/admin/alice")},
            "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin",
            "awsRegion": region, "sourceIPAddress": "203.0.113.77", "userAgent": "Mozilla/5.0",
            "requestParameters": null, "responseElements": {"ConsoleLogin": "Success"},
            "additionalEventData": {"MobileVersion": "No", "MFAUsed": "Yes"},
            "eventID": "11111111-2222-4333-8444-555555555555", "readOnly": false,
            "eventType": "AwsConsoleSignIn", "managementEvent": true,
            "recipientAccountId": MANAGEMENT,
        });
        project.write("event.json", &record.to_string());
        let endpoint = organization.endpoint();
        let send = [
            "simulator",
            "send",
            "--endpoint",
            endpoint,
            "--account",
            MANAGEMENT,
            "event.json",
        ];
        project.run(&send);
    };
    let id = "regions-of-sign-ins";
    Answers::of(&organization, &project).is(id, None, &["no sign-in within 90 days"]);
    sign_in("us-east-1");
    Answers::of(&organization, &project).is(id, Some(true), &["1 in us-east-1"]);
    sign_in("us-east-2");
    let words = ["1 in us-east-2, which is not watched", "regions: enabled"];
    Answers::of(&organization, &project).is(id, Some(false), &words);
}

/// A forwarder that can't deliver and a queue that refuses the dead letter: only metrics are left.
#[test]
fn metrics_name_the_link_that_left_no_dead_letter() {
    let (organization, project) = deployed("role");
    let list = json!({ "QueueNamePrefix": "StackSet-gizmos-rules-spoke" });
    let queues = organization.call(SPOKE, "us-east-1", "AmazonSQS.ListQueues", &list);
    let input = json!({"QueueUrl": queues["QueueUrls"][0], "Attributes": {"Policy": ""}});
    organization.call(SPOKE, "us-east-1", "AmazonSQS.SetQueueAttributes", &input);
    let input = json!({"EventBusName": "gizmos", "RemoveAllPermissions": true});
    organization.call(HUB, HOME, "AWSEvents.RemovePermission", &input);
    organization.post("calls/reset", &json!({}));
    let arguments = ["verify", "--org", "--accounts", SPOKE];
    project
        .run_with(&arguments, &organization.environment(MANAGEMENT, HOME))
        .expect(1)
        .says("broken link: the canaries' forwarder")
        .says("FailedInvocations 1, InvocationsFailedToBeSentToDlq 1")
        .says("for gizmos-canary: MatchedEvents 0");
    let calls = organization.get("calls")["by_action"]["monitoring:GetMetricData"].as_u64();
    // One for each of the account's three Regions, and one for the hub.
    assert!(calls.is_some_and(|calls| calls <= 4), "{calls:?}");
}
