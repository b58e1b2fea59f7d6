//! The counters per rule.

use backtest::{Options, Scope, Watch};
use serde_json::{Value, json};

use crate::corpus::{Logs, record, rule, sources};

#[test]
fn alerts_are_counted_by_day_location_and_principal() {
    let session = json!({
        "type": "AssumedRole", "arn": "arn:aws:sts::012345678901:assumed-role/deployer/a-session",
        "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::012345678901:role/deployer"}},
    });
    let logs = Logs::new();
    logs.trail(
        "AWSLogs/o-exampleorg1/012345678901/CloudTrail/eu-central-1/2026/11/24/a.json.gz",
        &[
            record(
                "3",
                &json!({"eventTime": "2026-11-24T00:00:01Z", "userIdentity": session}),
            ),
            record(
                "2",
                &json!({"awsRegion": "us-east-1", "userIdentity": session}),
            ),
            record("4", &json!({"eventName": "StartLogging"})),
        ],
    )
    .trail("b.json.gz", &[record("1", &json!({}))]);
    let result = logs.run(&rule(&[]));
    assert_eq!((result.files, result.records, result.delivered), (2, 4, 4));
    assert_eq!(result.days, 2);
    let alerts = &result.rules["trail-stopped"];
    assert_eq!(alerts.alerts, 3);
    assert_eq!(alerts.first.as_deref(), Some("2026-11-23T10:00:00Z"));
    assert_eq!(alerts.last.as_deref(), Some("2026-11-24T00:00:01Z"));
    assert_eq!(
        alerts.days,
        [("2026-11-23".into(), 2), ("2026-11-24".into(), 1)].into()
    );
    assert_eq!(
        alerts.places,
        [
            ("012345678901/eu-central-1".into(), 2),
            ("012345678901/us-east-1".into(), 1)
        ]
        .into()
    );
    let principals: Vec<_> = alerts
        .principals
        .iter()
        .map(|it| (it.principal.as_str(), it.alerts))
        .collect();
    assert_eq!(
        principals,
        [
            ("arn:aws:iam::012345678901:role/deployer", 2),
            ("arn:aws:iam::012345678901:user/alice", 1)
        ]
    );
}

#[test]
fn samples_are_the_first_alerts_as_they_would_be_delivered() {
    let logs = Logs::new();
    for hour in (10..20).rev() {
        let time = format!("2026-11-23T{hour}:00:00Z");
        logs.trail(
            &format!("{hour}.json.gz"),
            &[record(&time, &json!({"eventTime": time}))],
        );
    }
    let result = logs.run(&rule(&[]));
    let samples = &result.rules["trail-stopped"].samples;
    let times: Vec<&str> = samples.iter().map(|it| it.time.as_str()).collect();
    assert_eq!(
        times,
        [
            "2026-11-23T10:00:00Z",
            "2026-11-23T11:00:00Z",
            "2026-11-23T12:00:00Z"
        ]
    );
    let message: Value = serde_json::from_str(samples[0].message.as_deref().unwrap()).unwrap();
    assert_eq!(message["agent"], "aws-cli \"quoted\"");
    assert_eq!(message["account"], "012345678901");
}

#[test]
fn duplicate_events_count_once() {
    let logs = Logs::new();
    logs.trail(
        "one/a.json.gz",
        &[record("1", &json!({})), record("2", &json!({}))],
    )
    .trail(
        "two/a.json.gz",
        &[record("1", &json!({})), record("1", &json!({}))],
    )
    .trail(
        "none.json.gz",
        &[
            record("", &json!({"eventID": null})),
            record("", &json!({"eventID": null})),
        ],
    );
    let result = logs.run(&rule(&[]));
    assert_eq!(
        (result.records, result.duplicates, result.delivered),
        (6, 2, 4)
    );
    assert_eq!(result.rules["trail-stopped"].alerts, 4);
}

#[test]
fn both_accounts_of_a_call_alert_and_the_copy_is_named() {
    let logs = Logs::new();
    logs.trail(
        "a.json.gz",
        &[
            record("1", &json!({"sharedEventID": "s"})),
            record(
                "2",
                &json!({"sharedEventID": "s", "recipientAccountId": "111122223333"}),
            ),
            record("3", &json!({"sharedEventID": "t"})),
        ],
    );
    let alerts = &logs.run(&rule(&[])).rules["trail-stopped"];
    assert_eq!((alerts.alerts, alerts.copies), (3, 1));
}

#[test]
fn a_record_that_takes_too_much_work_alerts_and_is_counted_as_undecided() {
    // The same path, in spellings that each become a separate array.
    let spelled = |depth: usize| {
        let steps = ["requestParameters", "a", "b", "c"];
        let (above, below) = (steps[..=depth].join("."), steps[depth + 1..].join("."));
        let name = |leaf: String| {
            let separator = if below.is_empty() { "" } else { "." };
            format!("{below}{separator}{leaf}")
        };
        let element = json!({ name(format!("x{depth}")): 1, name("z".to_owned()): 1 });
        (above, Value::from(vec![element; 200]))
    };
    let hostile = Value::Object((0..4).map(spelled).collect());
    let pattern = r"    eventName: [StopLogging]
    requestParameters: {a: {b: {c: {x0: [1], x1: [1], x2: [1], x3: [1], z: [2, {exists: false}]}}}}";
    let logs = Logs::new();
    logs.trail(
        "a.json.gz",
        &[record("1", &hostile), record("2", &json!({}))],
    );
    let rules = rule(&[("    eventName: [StopLogging]", pattern)]);
    let alerts = &logs.run(&rules).rules["trail-stopped"];
    assert_eq!((alerts.alerts, alerts.undecided), (1, 1));
}

#[test]
fn a_budget_is_per_day_across_all_locations() {
    let logs = Logs::new();
    logs.trail(
        "a.json.gz",
        &[
            record("1", &json!({})),
            record("2", &json!({"awsRegion": "us-east-1"})),
            record("3", &json!({"eventTime": "2026-11-24T10:00:00Z"})),
        ],
    );
    let with = |most: u32| {
        let budget = format!("severity: low\nbudget: {{max_alerts_per_day: {most}}}");
        logs.run(&rule(&[("severity: low", &budget)]))
    };
    assert!(with(1).is_over_budget());
    let within = with(2);
    assert!(!within.is_over_budget());
    let alerts = &within.rules["trail-stopped"];
    assert_eq!(alerts.busiest_day(), Some(("2026-11-23", 2)));
    assert!(!logs.run(&rule(&[])).is_over_budget());
}

#[test]
fn only_the_scope_counts() {
    let logs = Logs::new();
    logs.trail(
        "a.json.gz",
        &[
            record("1", &json!({})),
            record("2", &json!({"awsRegion": "us-east-1"})),
            record("3", &json!({"recipientAccountId": "111122223333"})),
            record("4", &json!({"eventTime": "2026-11-24T10:00:00Z"})),
        ],
    );
    let options = Options {
        scope: Scope {
            from: "2026-11-23".parse().ok(),
            to: "2026-11-23".parse().ok(),
            accounts: ["012345678901".to_owned()].into(),
            regions: ["eu-central-1".to_owned()].into(),
        },
        ..Options::default()
    };
    let result = logs.run_with(&rule(&[]), &options);
    assert_eq!((result.out_of_scope, result.delivered), (3, 1));
    assert_eq!(result.rules["trail-stopped"].alerts, 1);
}

#[test]
fn many_files_on_all_cores_give_the_same_result_every_time() {
    let logs = Logs::new();
    for file in 0..60 {
        let records: Vec<_> = (0..50)
            .map(|n| {
                let region = ["eu-central-1", "us-east-1", "us-west-2"][n % 3];
                // Every second file repeats the one before it.
                record(&format!("{}-{n}", file / 2), &json!({"awsRegion": region}))
            })
            .collect();
        logs.trail(&format!("{file}.json.gz"), &records);
    }
    let first = logs.run(&rule(&[]));
    assert_eq!(
        (first.records, first.duplicates, first.alerts()),
        (3000, 1500, 1500)
    );
    for _ in 0..5 {
        assert_eq!(logs.run(&rule(&[])), first);
    }
}

#[test]
fn a_run_can_be_watched_and_stopped() {
    let logs = Logs::new();
    logs.trail("a.json.gz", &[record("1", &json!({}))]);
    let watch = Watch::default();
    let result = backtest::run(&rule(&[]), &logs.sources(), &Options::default(), &watch).unwrap();
    let glance = watch.glance();
    assert_eq!(
        (glance.files_found, glance.files_done, glance.records),
        (1, 1, 1)
    );
    assert_eq!(
        (glance.bytes_read, glance.bytes_found),
        (result.bytes, result.bytes)
    );
    assert!(glance.is_listed && glance.bytes_unpacked == result.bytes_unpacked);

    let watch = Watch::default();
    watch.stop();
    let stopped = backtest::run(&rule(&[]), &logs.sources(), &Options::default(), &watch);
    assert!(matches!(stopped, Err(backtest::BacktestError::Stopped)));
}

#[test]
fn a_missing_path_is_an_error() {
    let missing = sources(&["/nonexistent/logs".into()]);
    let result = backtest::run(&rule(&[]), &missing, &Options::default(), &Watch::default());
    assert_eq!(
        result.unwrap_err().to_string(),
        "could not list /nonexistent/logs"
    );
}
