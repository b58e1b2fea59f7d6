//! The commands `import sigma` and `export sigma`.

use std::fs;

use serde_json::json;

use crate::project;

const EXACT: &str = r"title: An alarm was deleted
id: 3f2a4c1e-8c8e-4a53-9d0c-4a8f7d3b6f01
status: test
description: Somebody deleted an alarm of CloudWatch.
references: [https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html]
author: example.com detection engineering
date: 2026-11-01
tags: [attack.defense-evasion, attack.t1562.008]
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventSource: monitoring.amazonaws.com
    eventName: DeleteAlarms
  filter:
    userIdentity.invokedBy: cloudformation.amazonaws.com
  condition: selection and not filter
falsepositives: [Planned work.]
level: high
";

/// An imported `contains` is case-sensitive, which is a loss.
const LOSSY: &str = r"title: A tool that tries out rights
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: ListBuckets, userAgent|contains: Pacu}
  condition: selection
level: low
";

const REFUSED: &str = r"title: Anything with that word
logsource: {product: aws, service: cloudtrail}
detection: {keywords: [mimikatz], condition: keywords}
level: low
";

#[test]
fn an_exact_rule_is_imported_checked_formatted_and_fires() {
    let project = project();
    project.watch_enabled_regions();
    project.write("sigma/alarm_deleted.yml", EXACT);
    let import = ["import", "sigma", "sigma/alarm_deleted.yml"];
    project
        .run(&[&import[..], &["--dry-run"]].concat())
        .expect(0)
        .says("1 rule would be written");
    let file = "rules/sigma/alarm-deleted.yaml";
    assert!(!project.path(file).exists());
    project
        .run(&[&import[..], &["--license", "DRL-1.1"]].concat())
        .expect(0)
        .says("exact      sigma/alarm_deleted.yml")
        .says(&format!("-> {file}"));
    project.run(&["check", "--deny-warnings"]).expect(0);
    project.run(&["fmt", "--check"]).expect(0);
    let text = fs::read_to_string(project.path(file)).expect("a rule");
    for kept in [
        "author: example.com detection engineering",
        "license: DRL-1.1",
        "id: \"3f2a4c1e-8c8e-4a53-9d0c-4a8f7d3b6f01\"",
    ] {
        assert!(text.contains(kept), "{kept:?} is missing in\n{text}");
    }
    // Nothing is overwritten without `--overwrite`.
    project.write(file, "mine");
    project
        .run(&import)
        .expect(64)
        .says("import with --overwrite");
    assert_eq!(
        fs::read_to_string(project.path(file)).ok().as_deref(),
        Some("mine")
    );
    project
        .run(&[&import[..], &["--overwrite"]].concat())
        .expect(0);
    let record = |by: &str| {
        json!({
            "eventSource": "monitoring.amazonaws.com", "eventName": "DeleteAlarms", "readOnly": false,
            "awsRegion": "eu-central-1", "recipientAccountId": "012345678901",
            "eventTime": "2026-11-23T03:00:00Z", "userIdentity": {"type": "AWSService", "invokedBy": by},
        })
        .to_string()
    };
    project.write("event.json", &record("autoscaling.amazonaws.com"));
    let why = ["match", "--why", "alarm-deleted", "event.json"];
    project
        .run(&why)
        .expect(0)
        .says("fires: alarm-deleted (high)");
    project.write("event.json", &record("cloudformation.amazonaws.com"));
    project
        .run(&why)
        .expect(0)
        .says("alarm-deleted does not fire")
        .says("detail.userIdentity.invokedBy");
}

#[test]
fn losses_and_refusals_are_reported_with_their_reasons() {
    let project = project();
    for (name, text) in [("exact", EXACT), ("lossy", LOSSY), ("refused", REFUSED)] {
        project.write(&format!("sigma/{name}.yml"), text);
    }
    let run = project
        .run(&["import", "sigma", "sigma", "--format", "json"])
        .expect(3)
        .json();
    assert_eq!(
        [
            &run["exact"],
            &run["with_loss"],
            &run["refused"],
            &run["rules"]
        ],
        [&json!(1), &json!(1), &json!(1), &json!(2)]
    );
    let files = run["files"].as_array().expect("files");
    let outcome = |name: &str| {
        let path = format!("sigma/{name}.yml");
        files
            .iter()
            .find(|it| it["file"] == path.as_str())
            .expect("the file")
    };
    assert_eq!(outcome("lossy")["losses"].as_array().map(Vec::len), Some(1));
    let refusal = &outcome("refused")["diagnostics"][0];
    assert_eq!(refusal["line"], 3, "{refusal}");
    assert!(
        refusal["message"]
            .as_str()
            .is_some_and(|it| it.contains("looks for words anywhere")),
        "{refusal}"
    );
    assert_eq!(outcome("refused")["rules"], json!([]));
    // The loss is recorded in the rule.
    let lossy = fs::read_to_string(project.path("rules/sigma/lossy.yaml")).expect("a rule");
    assert!(lossy.contains("  losses:\n"), "{lossy}");
    project
        .run(&["import", "sigma", "sigma/refused.yml"])
        .expect(64)
        .says("1 refused");
    project.write("sigma/broken.yml", "title: [");
    project
        .run(&["import", "sigma", "sigma/broken.yml"])
        .expect(64)
        .says("yaml::syntax");
}

#[test]
fn imported_rules_are_compared_with_sigma_over_records() {
    let project = project();
    project.write("sigma/alarm_deleted.yml", EXACT);
    project.write("sigma/lossy.yml", LOSSY);
    let record = |name: &str, agent: &str| {
        json!({
            "eventSource": "monitoring.amazonaws.com", "eventName": name, "awsRegion": "eu-central-1",
            "recipientAccountId": "012345678901", "userAgent": agent,
        })
    };
    let records = json!({"Records": [
        record("DeleteAlarms", "x"), record("ListBuckets", "my Pacu"), record("ListBuckets", "my pacu"),
        record("ListBuckets", "x"),
    ]});
    project.write("records.json", &records.to_string());
    // The difference in case is the stated loss.
    project
        .run(&[
            "import",
            "sigma",
            "sigma",
            "--dry-run",
            "--verify",
            "records.json",
        ])
        .expect(0)
        .says("verified: 4 records x 2 Sigma rules")
        .says("1 verdicts differ as a loss says, 0 otherwise");
}

#[test]
fn exported_rules_can_be_imported_again_unchanged() {
    let project = project();
    project
        .run(&["export", "sigma", "iam-access-key-created"])
        .expect(0)
        .says("logsource:")
        .says("eventName|cased: CreateAccessKey");
    project
        .run(&["export", "sigma", "no-such-rule"])
        .expect(1)
        .says("there is no valid rule `no-such-rule`");
    // Sigma can't express rules about other services' own events.
    let run = project
        .run(&["export", "sigma", "--out", "out", "--format", "json"])
        .expect(3)
        .json();
    let exported = run["rules"].as_array().expect("rules").len();
    let refused = run["diagnostics"].as_array().expect("diagnostics").len();
    assert!(
        exported >= 8 && refused >= 2,
        "{exported} exported, {refused} refused"
    );
    assert_eq!(
        fs::read_dir(project.path("out")).expect("a folder").count(),
        exported
    );
    let back = project
        .run(&[
            "import", "sigma", "out", "--out", "back", "--format", "json",
        ])
        .json();
    assert_eq!(back["refused"], 0, "{back}");
    assert_eq!(back["files"].as_array().map(Vec::len), Some(exported));
    // The re-imported rule fires on the same events as the original.
    project
        .run(&["match", "rules/fixtures/iam-create-access-key.json"])
        .expect(0);
    for rules in ["rules", "back"] {
        project
            .run(&[
                "match",
                "--rules",
                rules,
                "rules/fixtures/iam-create-access-key.json",
            ])
            .expect(0)
            .says("fires: iam-access-key-created");
    }
}
