//! Backtests through the program, from files and from a bucket.

use std::process::Command;

use serde_json::{Value, json};
use tests::Served;

use crate::project;

const ACCOUNT: &str = "012345678901";
const FOLDER: &str = "AWSLogs/o-exampleorg1/012345678901/CloudTrail/eu-central-1/2026/11/23";

/// A call that matches `cloudtrail-tampering`.
fn record(id: u32, name: &str, time: &str) -> Value {
    json!({
        "eventVersion": "1.08", "eventID": format!("e51d8a60-52c7-4ab0-8c4a-{id:012}"),
        "eventName": name, "readOnly": false, "eventSource": "cloudtrail.amazonaws.com",
        "eventType": "AwsApiCall", "eventTime": time, "awsRegion": "eu-central-1",
        "recipientAccountId": ACCOUNT, "managementEvent": true, "eventCategory": "Management",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::012345678901:user/alice"},
    })
}

fn file(records: &[Value]) -> String {
    json!({ "Records": records }).to_string()
}

fn git(project: &tests::Project, arguments: &[&str]) {
    let mut command = Command::new("git");
    let succeeded = command
        .arg("-C")
        .arg(project.path("."))
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.com"])
        .args([
            "-c",
            "commit.gpgsign=false",
            "-c",
            "core.hooksPath=/dev/null",
        ])
        .args(arguments)
        .status()
        .is_ok_and(|status| status.success());
    assert!(succeeded, "{command:?}");
}

#[test]
fn backtest_of_a_folder_in_every_format_and_with_a_rule_change() {
    let project = project();
    project.write(
        &format!("logs/{FOLDER}/a.json"),
        &file(&[
            record(1, "StopLogging", "2026-11-23T10:00:00Z"),
            record(2, "StopLogging", "2026-11-23T11:00:00Z"),
            record(3, "AddTags", "2026-11-23T12:00:00Z"),
        ]),
    );
    // Another trail's copy of the first record, and a truncated file.
    let copy = file(&[record(1, "StopLogging", "2026-11-23T10:00:00Z")]);
    project.write("logs/other/b.json", &copy);
    project.write("logs/other/c.json", copy.trim_end_matches("}]}"));

    project
        .run(&["backtest", "logs"])
        .expect(0)
        .says("2  cloudtrail-tampering")
        .says("\"alert\": \"[CRITICAL] CloudTrail logging was stopped or weakened in account 012345678901 (eu-central-1)\"")
        .says("other/c.json is truncated")
        .says("Never fired: ")
        .says("4 records: 1 duplicates, 0 not delivered, 3 matched against ");
    project.run(&["backtest", "logs", "--strict"]).expect(1);
    project
        .run(&[
            "backtest",
            "logs",
            "--from",
            "2026-11-24",
            "--format",
            "markdown",
        ])
        .expect(0)
        .says("### Backtest: 0 alerts");
    project
        .run(&["backtest", "logs", "--from", "2026-13-01"])
        .expect(64);
    project
        .run(&["backtest", "logs", "--accounts", "12345678901"])
        .expect(64)
        .says("12 digits");

    // A change: the rule also matches another call, and exceeds its budget.
    git(&project, &["init", "--quiet"]);
    git(&project, &["add", "rules"]);
    git(&project, &["commit", "--quiet", "--message", "before"]);
    project.replace(
        "rules/cloudtrail/cloudtrail-tampering.yaml",
        "          - StopLogging\n",
        "          - StopLogging\n          - AddTags\n",
    );
    project.replace(
        "rules/cloudtrail/cloudtrail-tampering.yaml",
        "tests:",
        "budget: {max_alerts_per_day: 2}\ntests:",
    );
    let run = project
        .run(&["backtest", "logs", "--compare", "HEAD", "--format", "json"])
        .expect(1);
    let result = run.json();
    let alerts = &result["rules"]["cloudtrail-tampering"];
    assert_eq!(alerts["alerts"], 3);
    assert_eq!(
        alerts["budget"],
        json!({"max_alerts_per_day": 2, "days_over": 1})
    );
    assert_eq!(result["comparison"]["added"], 1);
    assert_eq!(
        result["comparison"]["rules"],
        json!({"cloudtrail-tampering": {"before": 2, "after": 3, "added": 1, "removed": 0}})
    );
    project
        .run(&["backtest", "logs", "--compare", "HEAD", "--format", "markdown"])
        .expect(1)
        .says("this change would have added 1 alert in this sample")
        .says("**Over budget:** cloudtrail-tampering may alert 2 times a day, but alerted 3 times on 2026-11-23");
    project
        .run(&["backtest", "logs", "--compare", "no-such-revision"])
        .expect(1)
        .says("could not read the rules of the revision `no-such-revision`");
}

#[test]
fn backtest_of_a_bucket() {
    let served = Served::start();
    let put = |path: &str, content: &str| {
        ureq::put(format!("{}/{path}", served.endpoint()))
            .header(
                "Authorization",
                tests::authorization(ACCOUNT, "eu-central-1", "s3"),
            )
            .send(content)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
    };
    put("example-logs", "");
    let stopped = |id, time| file(&[record(id, "StopLogging", time)]);
    put(
        &format!("example-logs/{FOLDER}/a.json"),
        &stopped(1, "2026-11-23T10:00:00Z"),
    );
    put(
        &format!("example-logs/{}/b.json", FOLDER.replace("/11/23", "/10/23")),
        &stopped(2, "2026-10-23T10:00:00Z"),
    );
    put(
        &format!(
            "example-logs/{}/c.json",
            FOLDER.replace("CloudTrail", "CloudTrail-Digest")
        ),
        "{}",
    );
    let project = project();
    let environment = served.environment(ACCOUNT, "eu-central-1");
    let run = |more: &[&str]| {
        let mut arguments = vec!["backtest", "s3://example-logs/AWSLogs/", "--format", "json"];
        arguments.extend(more);
        project.run_with(&arguments, &environment).expect(0).json()
    };
    let all = run(&[]);
    assert_eq!(all["rules"]["cloudtrail-tampering"]["alerts"], 2);
    assert_eq!(all["not_records"], json!({"CloudTrail-Digest": 1}));
    let november = run(&["--from", "2026-11-01"]);
    assert_eq!(november["rules"]["cloudtrail-tampering"]["alerts"], 1);
    assert_eq!(november["files"], 1);
    assert_eq!(run(&["--accounts", "111122223333"])["files"], 0);
    project
        .run_with(&["backtest", "s3://no-such-bucket/"], &environment)
        .expect(1)
        .says("NoSuchBucket");
}
