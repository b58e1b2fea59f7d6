use std::sync::Arc;

use jiff::civil::date;
use serde_json::json;
use syntax::SourceFile;

use super::*;
use crate::{Library, Options, check_file, run_tests};

/// Checks a draft formatted as by `new`.
fn checked(event: &Value) -> (Draft, Library) {
    let draft = draft("new-rule", event, "../rule.schema.json").unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("fixtures")).unwrap();
    std::fs::write(folder.path().join("fixtures/new-rule.json"), &draft.fixture).unwrap();
    let file = Arc::new(SourceFile::new("new-rule.yaml", draft.rule.as_str()));
    let options = Options {
        today: date(2026, 11, 23),
    };
    let library = check_file(&file, folder.path(), &options);
    (draft, library)
}

/// Checks a draft after its TODOs are filled in.
fn finished(draft: &Draft) -> Library {
    let text = draft.rule.replace(UNFINISHED, "Done");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("fixtures")).unwrap();
    std::fs::write(folder.path().join("fixtures/new-rule.json"), &draft.fixture).unwrap();
    let file = Arc::new(SourceFile::new("new-rule.yaml", text));
    let options = Options {
        today: date(2026, 11, 23),
    };
    check_file(&file, folder.path(), &options)
}

fn record(changes: &Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.10", "eventTime": "2026-11-23T03:30:00Z", "eventSource": "iam.amazonaws.com",
        "eventName": "CreateLoginProfile", "awsRegion": "us-east-1", "sourceIPAddress": "198.51.100.23",
        "userAgent": "aws-cli/2.31.5", "eventID": "e51d8a60-52c7-4ab0-8c4a-6a6cf2ad9006", "readOnly": false,
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice", "userName": "alice"},
        "requestParameters": {"userName": "deploy-bot", "passwordResetRequired": true},
        "responseElements": null, "eventType": "AwsApiCall", "managementEvent": true,
        "recipientAccountId": "111122223333", "eventCategory": "Management",
    });
    crate::read::fixtures::merge(&mut record, changes);
    record
}

#[test]
fn a_draft_has_no_diagnostics_but_its_todos() {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/fixtures");
    let mut seen = 0;
    for entry in std::fs::read_dir(fixtures).unwrap() {
        let path = entry.unwrap().path();
        let event: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let (draft, library) = checked(&event);
        let codes: Vec<_> = library.diagnostics.iter().map(|it| it.code).collect();
        assert!(
            codes.len() == 5 && codes.iter().all(|code| *code == "rule::unfinished"),
            "{}: {:?}\n{}",
            path.display(),
            library.diagnostics,
            draft.rule
        );
        let library = finished(&draft);
        assert_eq!(library.diagnostics, [], "{}", draft.rule);
        let rule = library.rules.first().unwrap();
        let outcomes = run_tests(rule);
        assert_eq!(outcomes.len(), 2);
        for outcome in outcomes {
            assert!(outcome.passed, "{}: {}", path.display(), outcome.test);
        }
        seen += 1;
    }
    assert!(seen > 15);
}

#[test]
fn a_draft_reads_like_a_handwritten_rule() {
    let (draft, _) = checked(&record(&json!({})));
    assert_eq!(
        draft.rule,
        r#"# yaml-language-server: $schema=../rule.schema.json
version: 1
id: new-rule
title: "TODO: what happened, in a few words; every alert begins with it (CreateLoginProfile)"
description: "TODO: what this detects, and why that matters"
status: experimental
severity: medium
severity_reason: "TODO: why this severity, not lower or higher; high and critical wake people up"
references: []
false_positives: ["TODO: when this happens and is harmless"]
tags: [service.iam]
runbook: |
  TODO: what to do first, one step per line, with the commands
event_pattern:
  source: [aws.iam]
  detail-type: [AWS API Call via CloudTrail]
  detail:
    eventSource: [iam.amazonaws.com]
    eventName: [CreateLoginProfile]
    errorCode: [{exists: false}]
message: |
  who: {{ detail.userIdentity.arn }}
  user name: {{ detail.requestParameters.userName }}
  password reset required: {{ detail.requestParameters.passwordResetRequired }}
  from address: {{ detail.sourceIPAddress }}
  user agent: {{ detail.userAgent }}
tests:
  - name: the event this rule was made from
    expect: match
    fixture: new-rule.json
  - name: the call was denied
    expect: no_match
    fixture: new-rule.json
    override:
      errorCode: AccessDenied
      responseElements: null
    origin: synthetic
"#
    );
}

#[test]
fn a_draft_is_formatted() {
    let (draft, _) = checked(&record(&json!({})));
    let file = Arc::new(SourceFile::new("new-rule.yaml", draft.rule.as_str()));
    assert_eq!(crate::format(&file), Ok(draft.rule));
}

#[test]
fn the_drafted_pattern_has_the_telling_fields() {
    let pattern = |event: &Value| {
        let (draft, library) = checked(event);
        assert!(
            library
                .diagnostics
                .iter()
                .all(|it| it.code == "rule::unfinished"),
            "{:?}",
            library.diagnostics
        );
        let rule = finished(&draft).rules.remove(0);
        assert!(run_tests(&rule).iter().all(|test| test.passed));
        let pattern: Value = serde_json::from_str(rule.written_pattern.text()).unwrap();
        (pattern["detail"].clone(), rule.read_only)
    };
    let denied = record(&json!({"errorCode": "AccessDenied", "errorMessage": "not authorized"}));
    assert_eq!(pattern(&denied).0["errorCode"], json!(["AccessDenied"]));
    let reading = record(&json!({"eventName": "ListUsers", "readOnly": true}));
    let (detail, read_only) = pattern(&reading);
    assert_eq!(detail["eventName"], json!(["ListUsers"]));
    assert!(read_only);
    let old = record(&json!({"eventName": "ListUsers", "readOnly": null}));
    assert!(pattern(&old).1);
    let root = record(&json!({"userIdentity": {"type": "Root"}}));
    assert_eq!(pattern(&root).0["userIdentity"], json!({"type": ["Root"]}));
    let service = record(&json!({
        "eventSource": "kms.amazonaws.com", "eventName": "RotateKey", "eventType": "AwsServiceEvent",
    }));
    assert_eq!(
        pattern(&service).0,
        json!({"eventSource": ["kms.amazonaws.com"], "eventName": ["RotateKey"]})
    );
}

#[test]
fn an_event_that_no_trail_selects_says_so() {
    let data = record(&json!({
        "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "readOnly": true,
        "eventCategory": "Data", "managementEvent": false,
    }));
    let (draft, _) = checked(&data);
    assert_eq!(draft.withheld, Some(Withheld::Data));
}

#[test]
fn hostile_events_end_in_diagnostics() {
    let hostile = record(&json!({
        "eventName": "a\"]}\n${AWS::Region}{{resolve:ssm:x}}\u{202e}",
        "requestParameters": {"<b>": "x", "a b": {"\u{0}": 1}, "account": "y", "deep": [[[[[[[1]]]]]]]},
    }));
    let (_, library) = checked(&hostile);
    let codes: Vec<_> = library.diagnostics.iter().map(|it| it.code).collect();
    assert!(codes.contains(&"rule::substitution"), "{codes:?}");
    assert!(codes.contains(&"rule::dynamic-reference"), "{codes:?}");
    assert!(
        !codes.iter().any(|code| code.starts_with("yaml::")),
        "{codes:?}"
    );
}
