//! Events that services send more than once become one alert.

use std::fs;

use serde_json::{Value, json};
use tests::{Project, Served};

use crate::committed_project;

const MEMBER: &str = "012345678901";
const HUB: &str = "333344445555";

fn fixture(project: &Project, name: &str) -> Value {
    let path = project.path(&format!("rules/fixtures/{name}"));
    let text = fs::read_to_string(path).expect("a fixture");
    serde_json::from_str(&text).expect("JSON")
}

/// Ids of the rules that alert about an event in an account and Region.
fn alerts(project: &Project, served: &Served, at: (&str, &str), event: &Value) -> Vec<String> {
    project.write("event.json", &event.to_string());
    served.post("inbox/clear", &json!({}));
    let (account, region) = at;
    let send = ["simulator", "send", "--endpoint", served.endpoint()];
    let place = ["--account", account, "--region", region, "event.json"];
    project.run(&[&send[..], &place].concat()).expect(0);
    let inbox = served.get("inbox");
    let bodies = inbox.as_array().expect("a list").iter();
    let mut rules: Vec<String> = bodies
        .filter_map(|it| serde_json::from_str::<Value>(it["body"].as_str()?).ok())
        .filter_map(|alert| Some(alert["rule"].as_str()?.to_owned()))
        .collect();
    rules.sort();
    rules
}

#[test]
fn a_finding_alerts_once_although_it_arrives_at_the_administrator_too() {
    let served = Served::start();
    let project = committed_project();
    project.deploy(&served).expect(0);
    let finding = fixture(&project, "guardduty-finding.json");
    let sent = |at| alerts(&project, &served, at, &finding);
    assert_eq!(sent((MEMBER, "us-east-1")).len(), 0);
    assert_eq!(sent((HUB, "us-east-1")), ["guardduty-finding-high"]);

    let check = fixture(&project, "security-hub-finding.json");
    let sent = |at| alerts(&project, &served, at, &check);
    for elsewhere in [
        (MEMBER, "eu-central-1"),
        (MEMBER, "us-east-1"),
        (HUB, "us-east-1"),
    ] {
        assert_eq!(sent(elsewhere).len(), 0, "{elsewhere:?}");
    }
    assert_eq!(
        sent((HUB, "eu-central-1")),
        ["security-hub-finding-critical"]
    );
}

#[test]
fn an_event_of_aws_health_alerts_once_although_it_has_a_copy_and_pages() {
    let served = Served::start();
    let project = committed_project();
    project.deploy(&served).expect(0);
    let event = |changes: Value| {
        let mut event = fixture(&project, "health-event.json");
        for (name, value) in changes.as_object().expect("changes") {
            event["detail"][name] = value.clone();
        }
        event
    };
    let sent = |region, event| alerts(&project, &served, (MEMBER, region), &event);
    assert_eq!(
        sent("us-east-1", event(json!({}))),
        ["health-credentials-exposed"]
    );
    assert_eq!(
        sent("us-east-1", event(json!({"backupEvent": "false"}))).len(),
        1
    );
    for copy in [json!({"backupEvent": true}), json!({"backupEvent": "true"})] {
        assert_eq!(sent("us-west-2", event(copy)).len(), 0);
    }
    assert_eq!(
        sent("us-east-1", event(json!({"page": "2", "totalPages": "2"}))).len(),
        0
    );
}

#[test]
fn an_event_that_somebody_puts_on_the_bus_with_a_false_source_raises_no_alert() {
    let served = Served::start();
    let project = committed_project();
    project.deploy(&served).expect(0);
    served.post("inbox/clear", &json!({}));
    let put = |source: &str, bus: &str, detail_type: &str, detail: &Value| {
        let entry = json!({
            "Source": source, "DetailType": detail_type, "Detail": detail.to_string(), "EventBusName": bus,
        });
        served.call(
            HUB,
            "eu-central-1",
            "AWSEvents.PutEvents",
            &json!({"Entries": [entry]}),
        )
    };
    for name in [
        "root-create-user.json",
        "iam-create-access-key.json",
        "cloudtrail-stop-logging.json",
    ] {
        let record = fixture(&project, name);
        for detail_type in [
            "AWS API Call via CloudTrail",
            "AWS Console Sign In via CloudTrail",
        ] {
            for bus in ["gizmos", "default"] {
                for source in ["aws", "AWS.iam", "example.app", "aws-iam"] {
                    let answer = put(source, bus, detail_type, &record);
                    assert_eq!(answer["FailedEntryCount"], 0, "{answer:#}");
                }
                for source in ["aws.iam", "aws.partner/example.com/x"] {
                    let answer = put(source, bus, detail_type, &record);
                    assert_eq!(
                        answer["Entries"][0]["ErrorCode"],
                        "NotAuthorizedForSourceException"
                    );
                }
            }
        }
    }
    let inbox = served.get("inbox");
    assert_eq!(inbox, json!([]));
}
