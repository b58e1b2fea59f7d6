//! `LocalStack`'s CloudFormation, EventBridge, SNS and SQS take the simulator's place: every template
//! of the hub topology is deployed, and the events of a spoke's default bus become the same alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Client, HOME, HUB, Served};

use crate::committed;
use crate::reasons::Reasons;
use crate::server::Server;
use crate::stacks::Compiled;

/// If no alert arrives for so long, none is on its way.
const SILENCE: Duration = Duration::from_secs(8);

/// The difference by which `LocalStack` removes the line breaks of a template.
const ONE_LINE: &str = "object templates arrive on one line";

/// The difference by which a forwarded event loses its time.
const TIME: &str = "the hub's bus gives the event its own time";

/// Topic and text.
type Alert = (String, String);

/// An event on a default bus.
struct Sent {
    /// The rule and the test that it is of.
    name: String,
    /// The alerts that the simulator delivers for it.
    expected: Vec<Alert>,
}

#[test]
#[ignore = "needs LocalStack; `cargo xtask ci --second-opinions` runs it"]
fn localstack_delivers_the_alerts_that_the_simulator_delivers() {
    let project = committed();
    let simulator = Served::start();
    project.deploy(&simulator).expect(0);
    let compiled = Compiled::of(&project, "hub");
    let localstack = Server::localstack();
    let stacks = compiled.stacks();
    for stack in &stacks {
        stack.create(&localstack, &stack.account);
    }
    let queue = subscribe(&localstack);
    let spokes: BTreeSet<(&str, &str)> = stacks
        .iter()
        .filter(|stack| stack.name == "gizmos-rules-spoke")
        .map(|stack| (stack.account.as_str(), stack.region.as_str()))
        .collect();
    let mut sent = BTreeMap::new();
    for (name, event) in events(&project) {
        let Some((id, event)) = send(&simulator, &localstack, &spokes, name, event) else {
            continue;
        };
        sent.insert(id, event);
    }
    let arrived = receive(&localstack, &queue);
    let mut reasons = Reasons::of("localstack-differences");
    let count = arrived.values().map(Vec::len).sum::<usize>();
    let findings = differences(&sent, arrived, &mut reasons);
    let known = reasons.settle(&findings);
    assert!(count > 30, "only {count} alerts arrived");
    println!(
        "LocalStack: {} stacks, {} events, {count} alerts, {known} known differences",
        stacks.len(),
        sent.len()
    );
}

/// Subscribes a queue of the hub's account to all topics there and returns its URL.
fn subscribe(localstack: &Client) -> String {
    let input = json!({ "QueueName": "alerts" });
    let queue = localstack.call(HUB, HOME, "AmazonSQS.CreateQueue", &input);
    for topic in ["gizmos-alerts", "gizmos-notices"] {
        let form = [
            ("Action", "Subscribe"),
            ("TopicArn", &format!("arn:aws:sns:{HOME}:{HUB}:{topic}")),
            ("Protocol", "sqs"),
            ("Endpoint", &format!("arn:aws:sqs:{HOME}:{HUB}:alerts")),
        ];
        localstack.query(HUB, HOME, "sns", &form);
    }
    queue["QueueUrl"].as_str().expect("a queue").to_owned()
}

/// The sign-ins and stopped instances of the rules' tests, each once, with the name of a test that
/// has it.
fn events(project: &tests::Project) -> Vec<(String, Value)> {
    let mut seen = BTreeSet::new();
    let mut events = Vec::new();
    for rule in crate::rules(project) {
        for test in rule.tests {
            let event = test.event;
            let is_wanted = event["source"] == "aws.signin"
                || event["detail"]["eventName"] == "StopInstances"
                || event["detail-type"] == "EC2 Instance State-change Notification";
            if is_wanted && seen.insert(event.to_string()) {
                events.push((format!("{} [{}]", rule.id, test.name), event));
            }
        }
    }
    events
}

/// Lets an event happen in the simulator, and puts it on `LocalStack`'s default bus of the same
/// account and Region. Returns it with the id that its alerts carry, unless AWS would put it on none
/// of the buses that are watched.
fn send(
    simulator: &Served,
    localstack: &Client,
    spokes: &BTreeSet<(&str, &str)>,
    name: String,
    mut event: Value,
) -> Option<(String, Sent)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is_recorded = event["detail"]["eventID"].is_string();
    if is_recorded {
        // Tests share fixtures, and alerts must tell which event they are of.
        event["detail"]["eventID"] = name.as_str().into();
    }
    let body = json!({
        "account": event["account"], "region": event["region"], "event": event,
    });
    let trace = simulator.post("events", &body);
    let first = trace["hops"].get(0)?;
    let (account, region) = (text(&first["account"]), text(&first["region"]));
    if first["outcome"] != "ok" || !spokes.contains(&(account.as_str(), region.as_str())) {
        return None;
    }
    let time: jiff::Timestamp = text(&event["time"]).parse().expect("a time");
    let input = json!({ "Entries": [{
        "Source": event["source"], "DetailType": event["detail-type"], "Time": time.as_second(),
        "Resources": event["resources"], "Detail": event["detail"].to_string(),
    }]});
    let put = localstack.call(&account, &region, "AWSEvents.PutEvents", &input);
    assert_eq!(put["FailedEntryCount"], 0, "{name}: {put}");
    let own = text(&trace["event_id"]);
    let theirs = text(&put["Entries"][0]["EventId"]);
    let deliveries = trace["deliveries"].as_array().into_iter().flatten();
    let expected = deliveries
        .map(|it| {
            (
                text(&it["topic_arn"]),
                text(&it["body"]).replace(&own, &theirs),
            )
        })
        .collect();
    let id = if is_recorded { name.clone() } else { theirs };
    Some((id, Sent { name, expected }))
}

/// Takes all alerts from the queue, by the id of their event.
fn receive(localstack: &Client, queue: &str) -> BTreeMap<String, Vec<Alert>> {
    let mut alerts: BTreeMap<String, Vec<Alert>> = BTreeMap::new();
    let mut last = Instant::now();
    while last.elapsed() < SILENCE {
        let input = json!({
            "QueueUrl": queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1,
        });
        let received = localstack.call(HUB, HOME, "AmazonSQS.ReceiveMessage", &input);
        for message in received["Messages"].as_array().into_iter().flatten() {
            last = Instant::now();
            let body: Value = serde_json::from_str(message["Body"].as_str().expect("a body"))
                .expect("a notification");
            let topic = body["TopicArn"].as_str().expect("a topic").to_owned();
            let text = body["Message"].as_str().expect("a message").to_owned();
            let alert: Value = serde_json::from_str(&text).unwrap_or_default();
            let id = alert["event_id"].as_str().unwrap_or(&text).to_owned();
            alerts.entry(id).or_default().push((topic, text));
            let input = json!({
                "QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"],
            });
            localstack.call(HUB, HOME, "AmazonSQS.DeleteMessage", &input);
        }
    }
    alerts
}

/// What arrived otherwise than in the simulator.
fn differences(
    sent: &BTreeMap<String, Sent>,
    mut arrived: BTreeMap<String, Vec<Alert>>,
    reasons: &mut Reasons,
) -> Vec<String> {
    let mut found = Vec::new();
    for (id, event) in sent {
        let mut alerts = arrived.remove(id).unwrap_or_default();
        for (topic, text) in &event.expected {
            let right = alerts
                .iter()
                .position(|(from, alert)| from == topic && is_same(text, alert, reasons));
            if let Some(right) = right {
                alerts.swap_remove(right);
            } else {
                found.push(format!("{}: missing at {topic}: {text}", event.name));
            }
        }
        let name = &event.name;
        let more = alerts.iter();
        found.extend(more.map(|(topic, text)| format!("{name}: unexpected at {topic}: {text}")));
    }
    found.extend(arrived.into_iter().flat_map(|(id, alerts)| {
        let texts = alerts.into_iter();
        texts.map(move |(topic, text)| format!("{id}: of no event, at {topic}: {text}"))
    }));
    found
}

/// Whether an alert arrived as expected, but for what has a reason.
fn is_same(expected: &str, arrived: &str, reasons: &mut Reasons) -> bool {
    if expected == arrived {
        return true;
    }
    let parse = serde_json::from_str::<Value>;
    let (Ok(mut json), Ok(theirs)) = (parse(expected), parse(arrived)) else {
        return false;
    };
    if json["time"] != theirs["time"] {
        if !reasons.explain(TIME) {
            return false;
        }
        json["time"] = theirs["time"].clone();
    }
    // Keys keep their order, so this is the whole text.
    let one_line = json.to_string();
    one_line == arrived && reasons.explain(ONE_LINE)
}

/// The differences between an expected alert and what arrived, without any reason.
fn found(expected: &str, arrived: &[&str]) -> Vec<String> {
    let alert = |text: &str| ("topic".to_owned(), text.to_owned());
    let event = Sent {
        name: "rule [test]".to_owned(),
        expected: vec![alert(expected)],
    };
    let arrived = arrived.iter().map(|text| alert(text)).collect();
    differences(
        &BTreeMap::from([("id".to_owned(), event)]),
        BTreeMap::from([("id".to_owned(), arrived)]),
        &mut Reasons::default(),
    )
}

#[test]
fn an_alert_that_is_missing_other_or_too_many_is_a_difference() {
    assert_eq!(found("{\"a\":1}", &["{\"a\":1}"]), [""; 0]);
    assert_eq!(
        found("{\"a\":1}", &["{\"a\":1}", "{\"a\":1}"]),
        ["rule [test]: unexpected at topic: {\"a\":1}"]
    );
    for other in ["{\"a\":2}", "{\"a\": 1}", "{\"a\":1,\"time\":\"now\"}"] {
        let [missing, unexpected] = [
            "rule [test]: missing at topic: {\"a\":1}".to_owned(),
            format!("rule [test]: unexpected at topic: {other}"),
        ];
        assert_eq!(found("{\"a\":1}", &[other]), [missing, unexpected]);
    }
    assert_eq!(
        found("{\"a\":1}", &[]),
        ["rule [test]: missing at topic: {\"a\":1}"]
    );
}
