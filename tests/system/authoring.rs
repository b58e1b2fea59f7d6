//! Commands that help rule authors.

use serde_json::{Value, json};

use crate::project;

/// A call that matches `cloudtrail-tampering`, with changes.
fn record(changes: &Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.08", "eventID": "e51d8a60-52c7-4ab0-8c4a-000000000001",
        "eventName": "StopLogging", "readOnly": false, "eventSource": "cloudtrail.amazonaws.com",
        "eventType": "AwsApiCall", "eventTime": "2026-11-23T03:00:00Z", "awsRegion": "eu-central-1",
        "recipientAccountId": "012345678901", "managementEvent": true, "eventCategory": "Management",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::012345678901:user/alice"},
    });
    for (key, value) in changes.as_object().into_iter().flatten() {
        record[key] = value.clone();
    }
    record
}

#[test]
fn match_names_the_rules_that_fire_in_every_shape_of_file() {
    let project = project();
    let (stop, other) = (record(&json!({})), record(&json!({"eventName": "AddTags"})));
    project.write("one.json", &stop.to_string());
    project.write("log.json", &json!({"Records": [stop, other]}).to_string());
    project.write("lines.jsonl", &format!("{stop}\n{other}\n"));
    let run = project
        .run(&["match", "one.json", "log.json", "lines.jsonl"])
        .expect(0)
        .says("StopLogging (aws.cloudtrail) in 012345678901 eu-central-1")
        .says("5 events, 3 of them with a rule that fires");
    assert_eq!(
        run.stdout.matches("fires: cloudtrail-tampering").count(),
        3,
        "{}",
        run.stdout
    );
    project.write("none.json", "{\"a\": 1}");
    project
        .run(&["match", "none.json"])
        .expect(1)
        .says("entry 1 of none.json is not an event");
}

#[test]
fn match_says_which_clause_of_a_near_miss_failed_and_what_it_saw() {
    let project = project();
    let denied = record(&json!({"errorCode": "AccessDenied", "eventName": "StopLoggin\u{9b}"}));
    project.write("denied.json", &denied.to_string());
    let why = ["match", "--why", "cloudtrail-tampering", "denied.json"];
    let run = project
        .run(&why)
        .expect(0)
        .says("no rule fires")
        .says("cloudtrail-tampering does not fire")
        .says("detail.eventName\n")
        .says("found \"StopLoggin\\u009b\"");
    assert!(!run.stdout.contains('\u{9b}'));
    let json = project
        .run(&[&why[..], &["--format", "json"]].concat())
        .expect(0)
        .stdout;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let why = &json["events"][0]["why"];
    assert_eq!(why["fires"], false);
    let fields = why["explanation"]["alternatives"][0]["fields"]
        .as_array()
        .expect("fields");
    let name = fields
        .iter()
        .find(|field| field["path"] == "detail.eventName")
        .expect("the field");
    assert_eq!(name["is_satisfied"], false);
    project
        .run(&["match", "--why", "cloudtrail-tamperin", "denied.json"])
        .expect(64)
        .says("did you mean `cloudtrail-tampering`?");
}

#[test]
fn match_knows_what_eventbridge_does_not_deliver() {
    let project = project();
    let cases = [
        (
            json!({"eventCategory": "Data", "managementEvent": false}),
            "a data event",
        ),
        (
            json!({"padding": "x".repeat(300_000)}),
            "larger than 256 KB",
        ),
    ];
    for (changes, reason) in cases {
        project.write("event.json", &record(&changes).to_string());
        project
            .run(&["match", "--why", "cloudtrail-tampering", "event.json"])
            .expect(0)
            .says("no rule fires")
            .says(reason)
            .says("the pattern itself matches");
        project.run(&["match", "event.json"]).expect(0).says(reason);
    }
}

#[test]
fn match_withholds_read_only_calls_by_name_and_flag() {
    let project = project();
    let name = "          - StopLogging\n";
    project.replace(
        "rules/cloudtrail/cloudtrail-tampering.yaml",
        name,
        &format!("{name}          - GetTrail # allow: pattern::read-only-call the test sends it unmarked\n"),
    );
    let fires = |name: &str, read_only: bool| {
        let changes = json!({"eventName": name, "readOnly": read_only});
        project.write("event.json", &record(&changes).to_string());
        project.run(&["match", "event.json"]).expect(0).stdout
    };
    assert!(fires("GetTrail", true).contains("not delivered: a read-only call"));
    assert!(fires("GetTrail", false).contains("fires: cloudtrail-tampering"));
    assert!(fires("StopLogging", true).contains("fires: cloudtrail-tampering"));
}

#[test]
fn match_shows_what_it_assumed_about_a_bare_record() {
    let project = project();
    let record = json!({
        "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin", "awsRegion": "us-east-1",
        "userIdentity": {"type": "IAMUser", "accountId": "012345678901", "arn": "arn:aws:iam::012345678901:user/alice"},
        "additionalEventData": {"MFAUsed": "No"}, "responseElements": {"ConsoleLogin": "Success"},
        "eventID": "11111111-2222-4333-8444-555555555555",
    });
    project.write("event.json", &record.to_string());
    let run = project.run(&["match", "event.json"]).expect(0);
    let run = run
        .says("fires: console-sign-in-without-mfa")
        .says("assumed: `eventType` is missing: taken as AwsConsoleSignIn")
        .says("assumed: `recipientAccountId` is missing: taken as the caller's account");
    assert!(
        !run.stdout.contains("`eventID` is missing"),
        "{}",
        run.stdout
    );
}

#[test]
fn match_knows_the_rules_about_drift_while_there_is_a_schedule_for_it() {
    let project = project();
    let event = "stacksets/drift-rules/fixtures/drift-detection.json";
    project
        .run(&["match", event])
        .expect(0)
        .says("no rule fires");
    let why = ["match", "--why", "gizmos-stack-drifted", event];
    project.run(&why).expect(64).says("there is no rule");
    project.replace(
        "stacksets/organization.yaml",
        "# drift_schedule: cron",
        "drift_schedule: cron",
    );
    project
        .run(&why)
        .expect(0)
        .says("fires: gizmos-stack-drifted (medium)");
}

#[test]
fn completions_are_written_for_every_shell_and_work_in_bash() {
    let project = project();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = project.run(&["completions", shell]).expect(0).stdout;
        for word in ["backtest", "organization", "completions"] {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
    }
    // Ask bash itself for the candidates for `gizmos comp`.
    let script = project.run(&["completions", "bash"]).stdout;
    project.write("completions.bash", &script);
    let complete = "source ./completions.bash; COMP_WORDS=(gizmos comp); COMP_CWORD=1; \
        _gizmos gizmos comp gizmos; echo \"${COMPREPLY[@]}\"";
    let run = project.script(complete, &[]);
    assert_eq!(run.stdout.trim(), "compile completions", "{}", run.all());
}

#[test]
fn explain_shows_locations_subscribers_and_the_alert() {
    let project = project();
    let explain = ["explain", "cloudtrail-tampering"];
    project
        .run(&explain)
        .expect(0)
        .says("\"StopLogging\"")
        .says("AWS::Events::Rule RuleCloudtrailTampering (ENABLED)")
        .says("stack set gizmos-rules-spoke")
        .says("email: security@example.com")
        .says("of 2048 characters of event pattern")
        .says("\"alert\": \"[CRITICAL] CloudTrail logging was stopped or weakened");
    let json = project
        .run(&[&explain[..], &["--format", "json"]].concat())
        .expect(0)
        .json();
    let carriers = json["carriers"].as_array().expect("carriers");
    let parts: Vec<&Value> = carriers.iter().map(|it| &it["part"]).collect();
    assert_eq!(parts, ["rules-hub", "rules-spoke"]);
    for carrier in carriers {
        let rules = carrier["rules"].as_array().expect("rules");
        assert!(rules.contains(&json!("cloudtrail-tampering")));
        assert!(
            carrier["pattern"]
                .as_str()
                .is_some_and(|it| it.contains("StopLogging"))
        );
    }
    assert_eq!(json["topics"][0]["name"], "alerts");
    // A rule can be explained even if the project doesn't compile.
    project.replace(
        "stacksets/organization.yaml",
        "root: r-exmp",
        "root: nothing",
    );
    let run = project
        .run(&explain)
        .expect(0)
        .says("unknown until the project compiles")
        .says("\"alert\": \"[CRITICAL]");
    assert!(!run.stdout.contains("no topic receives"), "{}", run.stdout);
    project.run(&["explain", "nothing-of-the-kind"]).expect(64);
}
