//! Events that EventBridge would not have delivered.

use backtest::{NotDelivered, Options};
use serde_json::json;

use crate::corpus::{Logs, record, rule};

#[test]
fn read_only_calls_reach_only_rules_that_ask_for_them() {
    let logs = Logs::new();
    logs.trail(
        "a.json.gz",
        &[
            record("1", &json!({"readOnly": true, "eventName": "GetTrail"})),
            record(
                "2",
                &json!({"readOnly": "true", "eventName": "GetTrail", "eventCategory": null, "managementEvent": null}),
            ),
            record("3", &json!({})),
            // Marked read-only but named otherwise, and the other way around.
            record("4", &json!({"readOnly": true})),
            record("5", &json!({"readOnly": false, "eventName": "GetTrail"})),
        ],
    );
    let names = (
        "eventName: [StopLogging]",
        "eventName: [StopLogging, GetTrail]",
    );
    let result = logs.run(&rule(&[names]));
    assert_eq!(result.not_delivered.read_only, 2);
    assert_eq!(result.rules["trail-stopped"].alerts, 3);

    let mut both = rule(&[names, ("severity: low", "severity: low\nread_only: true")]);
    both.extend(rule(&[names, ("id: trail-stopped", "id: other-rule")]));
    let result = logs.run(&both);
    assert_eq!(result.not_delivered, NotDelivered::default());
    assert_eq!(result.rules["trail-stopped"].alerts, 5);
    assert_eq!(result.rules["other-rule"].alerts, 3);
}

#[test]
fn events_of_unwatched_regions_are_missed_and_not_delivered() {
    let logs = Logs::new();
    logs.trail(
        "a.json.gz",
        &[
            record("1", &json!({})),
            record("2", &json!({"awsRegion": "us-east-2"})),
            record(
                "3",
                &json!({"awsRegion": "us-east-2", "eventName": "AddTags"}),
            ),
        ],
    );
    let options = Options {
        watched: Some(["eu-central-1".to_owned()].into()),
        ..Options::default()
    };
    let result = logs.run_with(&rule(&[]), &options);
    assert_eq!((result.delivered, result.not_delivered.unwatched), (1, 2));
    assert_eq!(
        result.unwatched_regions,
        [("us-east-2".to_owned(), 2)].into()
    );
    let alerts = &result.rules["trail-stopped"];
    assert_eq!((alerts.alerts, alerts.missed), (1, 1));
    let result = logs.run(&rule(&[]));
    assert_eq!((result.delivered, result.not_delivered.unwatched), (3, 0));
}

#[test]
fn events_outside_the_trail_are_counted_by_reason() {
    let logs = Logs::new();
    logs.trail(
        "a.json.gz",
        &[
            record(
                "1",
                &json!({"eventCategory": "Data", "managementEvent": false, "readOnly": true}),
            ),
            record(
                "2",
                &json!({"eventCategory": null, "managementEvent": false}),
            ),
            record(
                "3",
                &json!({"eventCategory": "NetworkActivity", "eventType": "AwsVpceEvent"}),
            ),
            record(
                "4",
                &json!({"eventCategory": "Insight", "eventType": "AwsCloudTrailInsight"}),
            ),
            record("5", &json!({"requestParameters": "x".repeat(256 * 1024)})),
            record("6", &json!({"eventType": "Whatever"})),
            record("7", &json!({"awsRegion": null})),
            record("8", &json!({})),
        ],
    );
    let result = logs.run(&rule(&[]));
    let expected = NotDelivered {
        read_only: 0,
        data_events: 2,
        network_activity: 1,
        insights: 1,
        too_large: 1,
        unwatched: 0,
        unknown: 2,
    };
    assert_eq!(result.not_delivered, expected);
    assert_eq!(
        (result.delivered, result.rules["trail-stopped"].alerts),
        (1, 1)
    );

    // If another trail selects them, read-only data events are delivered to every rule.
    let options = Options {
        data_events: true,
        ..Options::default()
    };
    let result = logs.run_with(&rule(&[]), &options);
    assert_eq!(result.rules["trail-stopped"].alerts, 4);
}

#[test]
fn whole_events_of_an_archive_are_taken_as_they_are() {
    let call = cloudtrail::envelope::wrap(&record("1", &json!({}))).unwrap();
    let read = cloudtrail::envelope::wrap(&record(
        "2",
        &json!({"readOnly": true, "eventName": "GetTrail"}),
    ))
    .unwrap();
    let other = json!({
        "version": "0", "id": "3", "detail-type": "Something", "source": "aws.cloudtrail",
        "account": "012345678901", "time": "2026-11-23T10:00:00Z", "region": "eu-central-1",
        "resources": [], "detail": {"eventName": "StopLogging", "readOnly": true},
    });
    let logs = Logs::new();
    logs.write("events.jsonl", format!("{call}\n{call}\n{read}\n{other}\n"))
        .trail("a.json.gz", &[record("1", &json!({}))]);
    let result = logs.run(&rule(&[]));
    assert_eq!((result.duplicates, result.not_delivered.read_only), (2, 1));
    assert_eq!(result.rules["trail-stopped"].alerts, 2);
}

#[test]
fn rules_that_are_not_about_cloudtrail_are_marked() {
    let logs = Logs::new();
    logs.trail("a.json.gz", &[record("1", &json!({}))]);
    let result = logs.run(&rule(&[(
        "  source: [aws.cloudtrail]\n",
        "  source: [aws.cloudtrail]\n  detail-type: [x]\n",
    )]));
    let alerts = &result.rules["trail-stopped"];
    assert!(!alerts.is_about_cloudtrail && alerts.alerts == 0);
    assert!(logs.run(&rule(&[])).rules["trail-stopped"].is_about_cloudtrail);
}
