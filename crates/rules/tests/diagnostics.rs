//! Every kind of invalid rule and its diagnostics.

#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]

use std::fs;
use std::path::Path;

use rules::{Library, Options};
use tempfile::TempDir;

const GOOD: &str = r"version: 1
id: some-rule
title: Something happened
description: Somebody did something.
status: stable
severity: high
owner: cloud-security
references: [https://example.com/background]
false_positives: [Tuesdays.]
tags: [service.iam]
runbook: |
  Look.
  Act.
event_pattern:
  source: [aws.iam]
  detail-type: [AWS API Call via CloudTrail]
  detail:
    eventName: [CreateAccessKey]
message: |
  who: {{ detail.userIdentity.arn }}
exceptions:
  - name: robot
    reason: It always does.
    owner: platform
    expires: 2027-06-30
    when: {detail.userIdentity.userName: [robot]}
tests:
  - name: yes
    expect: match
    fixture: event.json
  - name: no
    expect: no_match
    fixture: event.json
    override: {eventName: DeleteAccessKey}
  - name: refused
    expect: match
    fixture: event.json
    override: {errorCode: AccessDenied}
  - name: robot
    expect: no_match
    fixture: event.json
    override: {userIdentity: {userName: robot}}
";

const EVENT: &str = r#"{
  "eventVersion": "1.10", "eventSource": "iam.amazonaws.com", "eventName": "CreateAccessKey", "eventType": "AwsApiCall",
  "eventTime": "2026-11-23T03:00:00Z", "awsRegion": "us-east-1", "recipientAccountId": "012345678901",
  "eventID": "f7a90d11-3b4e-4f0d-bc57-1fd0e2c4b007",
  "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::012345678901:user/alice", "userName": "alice"}
}"#;

fn load(files: &[(&str, &str)]) -> Library {
    let folder = TempDir::new().expect("a temporary folder");
    write(folder.path(), "fixtures/event.json", EVENT);
    for (path, text) in files {
        write(folder.path(), path, text);
    }
    let mut library = rules::load(folder.path(), &options());
    let outcomes = library.rules.iter().flat_map(rules::run_tests);
    let failures: Vec<_> = outcomes.filter_map(|outcome| outcome.diagnostic).collect();
    library.diagnostics.extend(failures);
    library
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, text).expect("a file");
}

fn options() -> Options {
    Options {
        today: jiff::civil::date(2026, 11, 23),
    }
}

/// Code and line:column of each diagnostic for [`GOOD`] with one replacement.
fn found(from: &str, to: &str) -> Vec<String> {
    assert!(GOOD.contains(from), "{from}");
    summary(&load(&[("some-rule.yaml", &GOOD.replacen(from, to, 1))]))
}

fn summary(library: &Library) -> Vec<String> {
    library
        .diagnostics
        .iter()
        .map(|diagnostic| match &diagnostic.location {
            Some(location) => {
                let (line, column) = location.line_column();
                format!("{} {line}:{column}", diagnostic.code)
            }
            None => diagnostic.code.to_owned(),
        })
        .collect()
}

#[test]
fn the_good_rule_is_good() {
    let library = load(&[("theme/some-rule.yaml", GOOD)]);
    assert_eq!(summary(&library), Vec::<String>::new());
    let rule = library.rules.first().unwrap();
    assert_eq!(rule.id, "some-rule");
    assert_eq!(rule.runbook.as_deref(), Some("Look.\nAct."));
    assert_eq!(
        rule.pattern.text(),
        r#"{"source":["aws.iam"],"detail-type":["AWS API Call via CloudTrail"],"detail":{"eventName":["CreateAccessKey"],"userIdentity":{"userName":[{"anything-but":["robot"]},{"exists":false}]}}}"#
    );
    assert!(!rule.written_pattern.text().contains("robot"));
    assert_eq!(rule.tests.len(), 4);
    assert_eq!(rule.tests[0].event["source"], "aws.iam");
    assert_eq!(
        rule.tests[1].event["detail"]["eventName"],
        "DeleteAccessKey"
    );
}

#[test]
fn budgets() {
    let good = GOOD.replace(
        "exceptions:",
        "budget: {max_alerts_per_day: 0}\nexceptions:",
    );
    let library = load(&[("some-rule.yaml", &good)]);
    assert_eq!(summary(&library), Vec::<String>::new());
    let budget = library.rules.first().and_then(|rule| rule.budget);
    assert_eq!(budget.map(|it| it.max_alerts_per_day), Some(0));
    let with = |budget: &str| found("exceptions:", &format!("budget: {budget}\nexceptions:"));
    assert_eq!(with("{max_alerts_per_day: -1}"), ["rule::budget 21:30"]);
    assert_eq!(with("{max_alerts_per_day: 1.5}"), ["rule::budget 21:30"]);
    assert_eq!(with("{max_alerts_per_day: \"5\"}"), ["rule::budget 21:30"]);
    assert_eq!(with("{}"), ["rule::missing-field 21:9"]);
    assert_eq!(with("5"), ["rule::wrong-type 21:9"]);
    assert_eq!(
        with("{max_alerts_per_day: 1, max_alerts_per_hour: 1}"),
        ["rule::unknown-field 21:33"]
    );
}

#[test]
fn fields() {
    assert_eq!(
        found("owner: cloud", "ownr: cloud"),
        ["rule::unknown-field 7:1"]
    );
    assert_eq!(found("severity: high\n", ""), ["rule::missing-field 1:1"]);
    assert_eq!(
        found("severity: high", "severity: hihg"),
        ["rule::unknown-value 6:11"]
    );
    assert_eq!(
        found("status: stable", "status: [stable]"),
        ["rule::wrong-type 5:9"]
    );
    assert_eq!(found("version: 1", "version: 2"), ["rule::version 1:10"]);
    assert_eq!(found("id: some-rule", "id: Some_Rule"), ["rule::id 2:5"]);
    assert_eq!(found("id: some-rule", "id: other-rule"), ["rule::id 2:5"]);
    assert_eq!(found("happened\n", "happened.\n"), ["rule::title 3:8"]);
    assert_eq!(
        found("Something happened", &"x".repeat(101)),
        ["rule::too-long 3:8"]
    );
    assert_eq!(
        found("https://example.com", "http://example.com"),
        ["rule::reference 8:14"]
    );
    assert_eq!(
        found("runbook: |\n  Look.\n  Act.\n", ""),
        ["rule::runbook-missing 6:11"]
    );
    assert_eq!(
        found("owner: cloud-security", "owner: 111122223333"),
        ["rule::account-number 7:8", "rule::wrong-type 7:8"]
    );
    assert_eq!(
        found("status: stable", "status: deprecated"),
        ["rule::deprecated 5:9"]
    );
    assert_eq!(
        found("tags: [", "notify: [Pager Duty]\ntags: ["),
        ["rule::topic 10:10"]
    );
}

#[test]
fn misspelled_fields_get_a_suggestion() {
    let library = load(&[(
        "some-rule.yaml",
        &GOOD.replace("false_positives", "falsepositives"),
    )]);
    let helps: Vec<_> = library
        .diagnostics
        .iter()
        .filter_map(|diagnostic| diagnostic.help.as_deref())
        .collect();
    assert_eq!(helps, ["did you mean `false_positives`?"]);
}

#[test]
fn patterns() {
    assert_eq!(
        found("[CreateAccessKey]", "[{prefx: Create}]"),
        ["pattern::invalid 18:18"]
    );
    assert_eq!(
        found("[CreateAccessKey]", "CreateAccessKey"),
        ["pattern::invalid 18:5"]
    );
    assert_eq!(found("  source: [aws.iam]\n", ""), ["pattern::source 15:3"]);
    assert_eq!(
        found("source: [aws.iam]", "source: [{prefix: a}]"),
        ["pattern::source 15:3"]
    );
    assert_eq!(
        found(
            "  source: [aws.iam]\n",
            "  $or: [{source: [aws.iam]}, {region: [us-east-1]}]\n"
        ),
        ["pattern::source 15:3"]
    );
    assert_eq!(
        found(
            "event_pattern:\n  source: [aws.iam]",
            "event_pattern:\n  source: [aws.iam, my.app]"
        ),
        ["pattern::forgeable-source 15:3"]
    );
}

#[test]
fn texts() {
    assert_eq!(
        found("Somebody did", "\"Somebody \\u202Edid"),
        ["yaml::syntax 4:14"]
    );
    assert_eq!(
        found("Somebody did something.", "\"a \\u202E b\""),
        ["rule::character 4:14"]
    );
    assert_eq!(
        found("Somebody did", "Somebody \u{202e}did"),
        ["rule::character 4:23"]
    );
    assert_eq!(
        found("Somebody did something.", "\"a\\u0007b\""),
        ["rule::character 4:14"]
    );
    assert_eq!(
        found("Somebody did", "Look {{resolve:ssm:/x}} did"),
        ["rule::dynamic-reference 4:19"]
    );
    assert_eq!(
        found("who: {{", "who: {{resolve:secretsmanager:x}} {{"),
        ["rule::dynamic-reference 20:8"]
    );
    assert_eq!(
        found("  Act.", "  Act {{ detail.x }}."),
        ["rule::placeholder 13:7"]
    );
    assert_eq!(
        found("  Act.", "  Act ${AWS::Region}."),
        ["rule::substitution 13:7"]
    );
    assert_eq!(
        found("[CreateAccessKey]", "[\"${x}\"]"),
        [
            "pattern::unknown-event-name 18:17",
            "rule::substitution 18:18",
            "exception::untested 26:11",
            "test::match 28:11",
            "test::match 35:11"
        ]
    );
    assert_eq!(
        found("who: {{", "who: <b> {{"),
        ["message::angle-bracket 20:8"]
    );
    assert_eq!(
        found("Something happened", "a > b"),
        ["message::angle-bracket 3:10"]
    );
}

#[test]
fn messages() {
    assert_eq!(
        found("detail.userIdentity.arn", "detail.userIdentity.nam"),
        ["message::unresolved 20:8"]
    );
    assert_eq!(
        found("detail.userIdentity.arn", "userIdentity.arn"),
        ["message::placeholder 20:8"]
    );
    assert_eq!(
        found("  who: {{", "  severity: x\n  who: {{"),
        ["message::reserved-label 20:3"]
    );
    assert_eq!(
        found("message: |\n  who: {{ detail.userIdentity.arn }}\n", ""),
        ["rule::no-effect 14:1"]
    );
}

#[test]
fn exceptions() {
    assert_eq!(
        found("2027-06-30", "2026-11-22"),
        ["exception::expired 25:14"]
    );
    assert_eq!(
        found("2027-06-30", "2026-12-01"),
        ["exception::expires-soon 25:14"]
    );
    assert_eq!(found("2027-06-30", "2026-12-08"), Vec::<String>::new());
    // Without the exception, its test fails too.
    assert_eq!(
        found("2027-06-30", "soon"),
        ["exception::date 25:14", "test::match 39:11"]
    );
    assert_eq!(
        found(
            "when: {detail.userIdentity.userName: [robot]}",
            "when: {detail.eventName: [X]}"
        ),
        ["exception::not-expressible 26:11"]
    );
    assert_eq!(
        found(
            "when: {detail.userIdentity.userName: [robot]}",
            "when: {detail.a: [x], detail.b: [y]}"
        ),
        ["exception::not-expressible 26:11", "test::match 39:11"]
    );
    // An exception that excludes what the rule must match.
    assert_eq!(
        found("[robot]", "[alice]"),
        [
            "test::match 28:11",
            "test::match 35:11",
            "test::match 39:11"
        ]
    );
}

#[test]
fn like_and_each_derive_tests_from_another_one() {
    // The second test reuses the first one's event.
    let like = |more: &str| {
        found(
            "    fixture: event.json\n    override: {eventName: DeleteAccessKey}\n",
            &format!("    like: yes\n{more}"),
        )
    };
    let none: [&str; 0] = [];
    assert_eq!(like("    override: {eventName: DeleteAccessKey}\n"), none);
    assert_eq!(like(""), ["test::match 31:11"]);
    assert_eq!(like("    each: {eventName: [GetUser, TagUser]}\n"), none);
    // One of the values makes the rule match; the diagnostic names it.
    let each = "    each: {eventName: [GetUser, CreateAccessKey]}\n";
    assert_eq!(like(each), ["test::match 31:11"]);
    for bad in ["{a: A}", "{a: []}", "{a: [1], b: [2]}", "[A, B]", "A"] {
        let found = like(&format!("    each: {bad}\n"));
        assert_eq!(found, ["test::each 34:11"], "{bad}");
    }
    let many = format!("    each: {{eventName: [A{}]}}\n", ", A".repeat(400));
    assert_eq!(like(&many), ["test::too-many 34:11"]);
    let known = |name: &str| {
        found(
            "fixture: event.json\n    override",
            &format!("like: {name}\n    override"),
        )
    };
    assert_eq!(known("no"), ["test::like 33:11"]);
    assert_eq!(known("yes\n    fixture: event.json"), ["test::event 31:11"]);
    assert_eq!(known("yes\n    origin: synthetic"), none);
    assert_eq!(known("yes\n    origin: invented").len(), 1);
}

#[test]
fn a_rule_that_is_not_enabled_is_read_and_tested_but_not_deployed() {
    let text = GOOD.replace(
        "severity: high",
        "enabled: false\nseverity: high\nseverity_reason: It is now.",
    );
    let library = load(&[("some-rule.yaml", &text)]);
    assert_eq!(summary(&library), Vec::<String>::new());
    let rule = library.rules.first().unwrap();
    assert!(!rule.is_deployed());
    assert_eq!(rule.severity_reason.as_deref(), Some("It is now."));
}

#[test]
fn tests_of_a_rule() {
    let positive = GOOD.replace("expect: no_match", "expect: match");
    assert_eq!(
        summary(&load(&[("some-rule.yaml", &positive)])),
        [
            "test::no-negative 27:1",
            "test::match 31:11",
            "test::match 39:11"
        ]
    );
    let negative = GOOD.replace("expect: match", "expect: no_match");
    assert_eq!(
        summary(&load(&[("some-rule.yaml", &negative)])),
        [
            "test::no-positive 27:1",
            "test::match 28:11",
            "test::match 35:11"
        ]
    );
    assert_eq!(
        found("name: no\n", "name: yes\n"),
        ["test::duplicate-name 31:11"]
    );
    assert_eq!(
        found("fixture: event.json", "fixture: ../../event.json"),
        ["test::fixture 30:14"]
    );
    assert_eq!(
        found("fixture: event.json", "fixture: absent.json"),
        ["test::fixture 30:14"]
    );
    assert_eq!(
        found("    fixture: event.json\n", ""),
        ["test::event 28:11"]
    );
    assert_eq!(
        found("fixture: event.json", "event: {a: 1}"),
        ["test::event 30:12"]
    );
    assert_eq!(
        found(
            "fixture: event.json",
            "fixture: event.json\n    message: other"
        ),
        ["test::message 28:11"]
    );
}

#[test]
fn a_failed_test_says_why() {
    let library = load(&[(
        "some-rule.yaml",
        &GOOD.replace("[CreateAccessKey]", "[CreateUser]"),
    )]);
    let failed = |it: &&syntax::Diagnostic| it.code.starts_with("test::m");
    let diagnostic = library.diagnostics.iter().find(failed).unwrap();
    assert_eq!(
        diagnostic.message,
        "`some-rule` does not match \"yes\", which it should"
    );
    assert_eq!(
        diagnostic.notes,
        ["`detail.eventName` is \"CreateAccessKey\"; the pattern requires [\"CreateUser\"]"]
    );
    let library = load(&[(
        "some-rule.yaml",
        &GOOD.replacen(
            "fixture: event.json",
            "fixture: event.json\n    message: |\n      {\n        \"who\": \"bob\"\n      }",
            1,
        ),
    )]);
    let diagnostic = library.diagnostics.iter().find(failed).unwrap();
    assert!(
        diagnostic.notes[1].contains("-   \"who\": \"bob\""),
        "{diagnostic:?}"
    );
    assert!(
        diagnostic.notes[1].contains("+   \"who\": \"arn:aws:iam::012345678901:user/alice\","),
        "{diagnostic:?}"
    );
}

#[test]
fn responses() {
    let respond = |inside: &str| {
        found(
            "tags: [service.iam]\n",
            &format!("respond: {{start_instance: {inside}}}\n"),
        )
    };
    assert_eq!(
        respond("{instance: detail.eventName, tag: {key: auto-start, value: \"true\"}}"),
        Vec::<String>::new()
    );
    assert_eq!(
        respond("{instance: detail.nothing, tag: {key: a, value: b}}"),
        ["respond::unresolved 10:38"]
    );
    assert_eq!(
        respond("{instance: $.detail.x, tag: {key: a, value: b}}"),
        ["respond::path 10:38"]
    );
    assert_eq!(
        respond("{instance: detail.eventName, tag: {key: aws:x, value: b}}"),
        ["respond::tag 10:67"]
    );
    assert_eq!(
        respond("{instance: detail.eventName, tag: {key: a, value: \"*\"}}"),
        ["respond::tag 10:77"]
    );
    assert_eq!(
        respond("{instance: detail.eventName}"),
        ["rule::missing-field 10:27"]
    );
}

#[test]
fn folders() {
    let missing = rules::load(Path::new("no/such/folder"), &options());
    assert_eq!(summary(&missing), ["library::missing"]);
    assert_eq!(summary(&load(&[])), ["library::empty"]);
    assert_eq!(
        summary(&load(&[("README.md", "x"), (".hidden.yaml", "x")])),
        ["library::empty"]
    );
    let twice = load(&[("a/some-rule.yaml", GOOD), ("b/some-rule.yaml", GOOD)]);
    assert_eq!(summary(&twice), ["rule::duplicate-id 2:5"]);
    assert_eq!(twice.rules.len(), 1);
    assert_eq!(twice.files, 2);
    let misnamed = load(&[("some-rule.yaml", GOOD), ("other.yml", GOOD)]);
    assert_eq!(summary(&misnamed), ["library::extension 1:1"]);
}

#[test]
fn all_diagnostics_of_all_files_appear_in_one_run() {
    let library = load(&[
        ("a.yaml", "version: [1"),
        ("b.yaml", "- a list\n"),
        (
            "some-rule.yaml",
            &GOOD
                .replace("severity: high", "severity: hihg")
                .replace("owner: cloud", "ownr: cloud"),
        ),
        ("empty.yaml", ""),
    ]);
    let mut codes = summary(&library);
    codes.retain(|code| !code.starts_with("yaml::syntax"));
    assert_eq!(library.diagnostics.len(), 5);
    assert_eq!(
        codes,
        [
            "rule::wrong-type 1:1",
            "yaml::empty 1:1",
            "rule::unknown-value 6:11",
            "rule::unknown-field 7:1"
        ]
    );
    assert!(library.rules.is_empty());
    assert!(library.has_errors());
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let outside = TempDir::new().unwrap();
    write(outside.path(), "some-rule.yaml", GOOD);
    let folder = TempDir::new().unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("theme")).unwrap();
    std::os::unix::fs::symlink(
        outside.path().join("some-rule.yaml"),
        folder.path().join("some-rule.yaml"),
    )
    .unwrap();
    let library = rules::load(folder.path(), &options());
    assert_eq!(library.files, 0);
    assert_eq!(
        library
            .diagnostics
            .iter()
            .map(|diagnostic| diagnostic.code)
            .collect::<Vec<_>>(),
        ["library::empty", "library::symlink", "library::symlink"]
    );
}

#[test]
fn a_deprecated_rule_is_left_out() {
    let library = load(&[(
        "some-rule.yaml",
        &GOOD.replace("status: stable", "status: deprecated"),
    )]);
    assert!(library.rules.is_empty());
    assert!(!library.has_errors());
}

#[test]
fn hostile_files_end_quickly_in_few_diagnostics() {
    let placeholders = "{{ detail.x }} ".repeat(60_000);
    let keys: Vec<String> = (0..40_000).map(|n| format!("key{n}: x")).collect();
    let same = "a: 1\n".repeat(40_000);
    let tests = "  - {name: x, expect: match, event: {}}\n".repeat(20_000);
    let exceptions = "  - {}\n".repeat(50_000);
    let files = [
        GOOD.replace("{{ detail.userIdentity.arn }}", &placeholders),
        format!("{GOOD}{}\n", keys.join("\n")),
        same,
        GOOD.replace("tests:\n", &format!("tests:\n{tests}")),
        GOOD.replace("exceptions:\n", &format!("exceptions:\n{exceptions}")),
        GOOD.replace("Somebody", &"\u{202e}{{".repeat(100_000)),
        GOOD.replace(
            "[CreateAccessKey]",
            &format!("[{{wildcard: \"{}\"}}]", "*a".repeat(100_000)),
        ),
        GOOD.replace(
            "[CreateAccessKey]",
            &format!("{}[x]{}", "{a: ".repeat(60), "}".repeat(60)),
        ),
    ];
    let start = std::time::Instant::now();
    for text in files {
        let library = load(&[("some-rule.yaml", &text)]);
        assert!(library.has_errors());
        assert!(
            library.diagnostics.len() <= 102,
            "{}",
            library.diagnostics.len()
        );
        summary(&library);
    }
    assert!(
        start.elapsed() < std::time::Duration::from_mins(1),
        "{:?}",
        start.elapsed()
    );
}
