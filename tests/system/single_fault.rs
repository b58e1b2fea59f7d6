//! Nothing about the chain can be lost unseen. Each resource of hub, trail and a spoke is removed;
//! each statement of a policy is removed or denied; each attribute is removed or changed, those that
//! no template sets included: one fault at a time, in an otherwise untouched fleet. `drift` or
//! `verify` must name it, or the alarm on dead letters must ring, or the alert must arrive.

#![expect(clippy::print_stdout, reason = "the table of faults is the result")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use simulator::{LiveResource, StackOf};
use tests::{HOME, HUB, MANAGEMENT, Project, Served};

use crate::drift_truth::SPOKE;
use crate::project;

/// The address in the event's alert.
const ADDRESS: &str = "203.0.113.77";

/// How a fault was noticed, in the order in which it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Noticed {
    Drift,
    Verify,
    Alarm,
    /// It does no harm: the alert arrives as before.
    Harmless,
    Unnoticed,
}

/// What loses nothing, with the reason.
const HARMLESS: &[(&str, &str)] = &[
    (
        "KeyPolicy removed",
        "the simulator keeps the policy of a key whose template stops setting one",
    ),
    (
        "IncludeGlobalServiceEvents removed",
        "a trail of all Regions records them unless it is told otherwise",
    ),
];

/// A fault: what it does, and to which resource.
struct Fault {
    stack: StackOf,
    resource: LiveResource,
    what: String,
    deed: Deed,
}

enum Deed {
    /// Properties to set, `null` to remove; without any the resource is deleted.
    Edit(Option<Map<String, Value>>),
    /// A call of the account's administrator: service, action, input.
    Call(&'static str, &'static str, Value),
}

struct Fleet {
    organization: Served,
    project: Project,
}

impl Fleet {
    fn deployed() -> Fleet {
        let organization = Served::start();
        let project = project();
        project.remove_waves();
        let record = json!({
            "eventVersion": "1.08",
            "userIdentity": {
                "type": "IAMUser", "principalId": "AIDAEXAMPLE", "accountId": SPOKE,
                "arn": format!("arn:aws:iam::{SPOKE}:user/alice"), "userName": "alice",
            },
            "eventTime": "2026-11-23T10:00:00Z", "eventSource": "signin.amazonaws.com",
            "eventName": "ConsoleLogin", "awsRegion": "us-east-1", "sourceIPAddress": ADDRESS,
            "userAgent": "Mozilla/5.0", "requestParameters": null,
            "responseElements": {"ConsoleLogin": "Success"},
            "additionalEventData": {"MobileVersion": "No", "MFAUsed": "No"},
            "eventID": "11111111-2222-4333-8444-555555555555", "readOnly": false,
            "eventType": "AwsConsoleSignIn", "managementEvent": true, "recipientAccountId": SPOKE,
        });
        project.write("event.json", &record.to_string());
        project.deploy(&organization).expect(0);
        Fleet {
            organization,
            project,
        }
    }

    fn stacks() -> Vec<StackOf> {
        [
            (HUB, HOME, "gizmos-topic"),
            (HUB, HOME, "gizmos-rules-hub"),
            (SPOKE, "us-east-1", "gizmos-rules-spoke"),
            (MANAGEMENT, HOME, "gizmos-trail"),
        ]
        .map(|(account, region, name)| StackOf {
            account: account.to_owned(),
            region: region.to_owned(),
            name: name.to_owned(),
        })
        .into()
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for stack in Fleet::stacks() {
            let mut rules = 0;
            for resource in self.organization.resources(&stack) {
                if resource.kind == "AWS::Events::Rule" && stack.name == "gizmos-rules-hub" {
                    // Detections are all alike.
                    rules += 1;
                    if rules > 2 {
                        continue;
                    }
                }
                let deeds = edits(&resource.properties).into_iter();
                let deeds = deeds.map(|(what, edit)| (what, Deed::Edit(edit)));
                for (what, deed) in deeds.chain(calls(&resource)) {
                    let (stack, resource) = (stack.clone(), resource.clone());
                    faults.push(Fault {
                        stack,
                        resource,
                        what,
                        deed,
                    });
                }
            }
        }
        faults
    }

    /// The error says why AWS refuses to do that.
    fn plant(&self, fault: &Fault) -> Result<(), String> {
        let StackOf {
            account, region, ..
        } = &fault.stack;
        match &fault.deed {
            Deed::Edit(properties) => {
                let id = &fault.resource.logical_id;
                self.organization
                    .tamper(&fault.stack, id, properties.as_ref())
            }
            Deed::Call(service, action, input) => {
                self.organization
                    .act(account, region, service, action, input);
                Ok(())
            }
        }
    }

    /// Number of alerts for the event, and of messages from the alarm.
    fn send(&self) -> (usize, usize) {
        self.organization.post("inbox/clear", &json!({}));
        let endpoint = self.organization.endpoint();
        let send = [
            "simulator",
            "send",
            "--endpoint",
            endpoint,
            "--account",
            SPOKE,
            "event.json",
        ];
        self.project.run(&send);
        self.organization.advance(900);
        let inbox = self.organization.get("inbox");
        let inbox = inbox.as_array().cloned().unwrap_or_default();
        let count = |topic: &str, text: &str| {
            let has = |it: &&Value, name: &str, text: &str| {
                it[name].as_str().is_some_and(|value| value.contains(text))
            };
            let of_topic = inbox.iter().filter(|it| has(it, "topic_arn", topic));
            of_topic.filter(|it| has(it, "body", text)).count()
        };
        (
            count(":gizmos-alerts", ADDRESS),
            count(":gizmos-dead-letter-alarms", "ALARM"),
        )
    }

    fn notice(&self, fault: &Fault, healthy: (usize, usize)) -> Noticed {
        let target = self.organization.argument();
        // What a run over all accounts finds here, this one finds sooner.
        let here = [
            "drift",
            "--org",
            "--accounts",
            &fault.stack.account,
            &target,
        ];
        let drift = self.project.run(&here);
        assert!([0, 5].contains(&drift.code), "{}", drift.all());
        if drift.code == 5 {
            return Noticed::Drift;
        }
        let verify = self.project.run(&["verify", "--org", &target]);
        assert!([0, 1].contains(&verify.code), "{}", verify.all());
        if verify.code == 1 && verify.all().contains("broken link: ") {
            return Noticed::Verify;
        }
        let (alerts, alarms) = self.send();
        if alarms > healthy.1 {
            return Noticed::Alarm;
        }
        // The event takes one way through the chain, so that it arrives proves nothing of the others.
        let loses_nothing = HARMLESS.iter().any(|(what, _)| fault.what == *what);
        if (alerts, alarms) == healthy && loses_nothing {
            Noticed::Harmless
        } else {
            println!("{}\n{}", drift.all(), verify.all());
            Noticed::Unnoticed
        }
    }

    /// Plants every `step`th fault, from `first` on, each in an untouched fleet.
    fn try_faults(&self, first: usize, step: usize) {
        let healthy = self.organization.checkpoint();
        let expected = self.send();
        assert_eq!(expected.0, 1, "the healthy fleet alerts");
        self.organization.rewind(&healthy);
        let faults = self.faults();
        let mut table: BTreeMap<String, BTreeMap<Noticed, usize>> = BTreeMap::new();
        let (mut tried, mut refused) = (0, 0);
        let mut harmless = BTreeSet::new();
        let mut unnoticed = Vec::new();
        for fault in faults.iter().skip(first).step_by(step) {
            self.organization.rewind(&healthy);
            if self.plant(fault).is_err() {
                refused += 1;
                continue;
            }
            tried += 1;
            let noticed = self.notice(fault, expected);
            println!(
                "{tried}: {noticed:?}: {} {}",
                fault.resource.logical_id, fault.what
            );
            let kind = &fault.resource.kind;
            let row = table.entry(kind.clone()).or_default();
            *row.entry(noticed).or_default() += 1;
            let id = &fault.resource.logical_id;
            match noticed {
                Noticed::Harmless => {
                    harmless.insert(format!("{kind} {id}: {}", fault.what));
                }
                Noticed::Unnoticed => {
                    println!("unnoticed: {kind} {id}: {}", fault.what);
                    unnoticed.push(format!("{kind} {id}: {}", fault.what));
                }
                _ => {}
            }
        }
        println!(
            "{tried} of {} faults tried, {refused} refused by AWS",
            faults.len()
        );
        for (kind, row) in &table {
            println!("{kind:32} {row:?}");
        }
        println!("harmless: {harmless:#?}");
        assert!(refused < tried, "{refused} refused, {tried} tried");
        assert_eq!(unnoticed, Vec::<String>::new());
    }
}

/// What can be done to a resource's properties: what, and the properties to set.
fn edits(properties: &Value) -> Vec<(String, Option<Map<String, Value>>)> {
    let mut edits = vec![("deleted".to_owned(), None)];
    for (name, value) in properties.as_object().into_iter().flatten() {
        if name == "Tags" {
            continue;
        }
        let mut with = |what: String, value: Value| {
            let edit = Map::from_iter([(name.clone(), value)]);
            edits.push((what, Some(edit)));
        };
        // AWS's default, so nothing changes.
        if !(name == "State" && value == "ENABLED") {
            with(format!("{name} removed"), Value::Null);
        }
        let mut changes = Vec::new();
        changed(value, &format!("/{name}"), &mut changes);
        // One condition of a pattern is like another.
        let patterns = if name == "EventPattern" {
            3
        } else {
            usize::MAX
        };
        for (what, value) in changes.into_iter().take(patterns) {
            with(what, value);
        }
    }
    edits
}

/// Every version of a value with one change in it.
fn changed(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::Array(statements)) = map.get("Statement") {
                statements_changed(value, statements, path, found);
            }
            for (name, inner) in map {
                let mut inside = Vec::new();
                changed(inner, &format!("{path}/{name}"), &mut inside);
                for (what, inner) in inside {
                    let mut map = map.clone();
                    map.insert(name.clone(), inner);
                    found.push((what, Value::Object(map)));
                }
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                let mut inside = Vec::new();
                changed(inner, &format!("{path}/{index}"), &mut inside);
                for (what, inner) in inside {
                    let mut items = items.clone();
                    if let Some(item) = items.get_mut(index) {
                        *item = inner;
                    }
                    found.push((what, Value::Array(items)));
                }
            }
        }
        Value::Bool(flag) => found.push((format!("{path} changed"), json!(!flag))),
        Value::Number(number) => {
            let other = if *number == 60.into() { 120 } else { 60 };
            found.push((format!("{path} changed"), json!(other)));
        }
        Value::String(text) => {
            let other = match text.as_str() {
                "ENABLED" => "DISABLED".to_owned(),
                "Allow" => "Deny".to_owned(),
                arn if [HUB, SPOKE, MANAGEMENT].iter().any(|id| arn.contains(id)) => {
                    let accounts = [HUB, SPOKE, MANAGEMENT];
                    let strange = |arn: String, id: &&str| arn.replace(*id, "999999999999");
                    accounts.iter().fold(arn.to_owned(), strange)
                }
                text => format!("{text}x"),
            };
            found.push((format!("{path} changed"), json!(other)));
        }
        Value::Null => {}
    }
}

/// Each statement removed; and everything denied to everybody.
fn statements_changed(
    document: &Value,
    statements: &[Value],
    path: &str,
    found: &mut Vec<(String, Value)>,
) {
    let mut with = |what: String, statements: Vec<Value>| {
        let mut document = document.clone();
        document["Statement"] = Value::Array(statements);
        found.push((what, document));
    };
    for index in 0..statements.len() {
        let mut left = statements.to_vec();
        let removed = left.remove(index);
        with(format!("{path}: statement {index} removed"), left);
        if removed["Effect"] == "Allow" {
            let mut denied = removed;
            denied["Effect"] = json!("Deny");
            denied["Sid"] = json!("Denied");
            let all = [statements, &[denied]].concat();
            with(format!("{path}: statement {index} also denied"), all);
        }
    }
}

/// What can be done to a resource that no template says anything about.
fn calls(resource: &LiveResource) -> Vec<(String, Deed)> {
    let id = &resource.physical_id;
    let deny = "arn:aws:iam::aws:policy/AWSDenyAll";
    let queue = |name: &str, value: &str| {
        let attributes = Map::from_iter([(name.to_owned(), json!(value))]);
        (
            "sqs",
            "SetQueueAttributes",
            json!({"QueueUrl": id, "Attributes": attributes}),
        )
    };
    let subscription = |name: &str, value: &str| {
        let input = json!({"SubscriptionArn": id, "AttributeName": name, "AttributeValue": value});
        ("sns", "SetSubscriptionAttributes", input)
    };
    let is_raw = resource.properties["RawMessageDelivery"] == true;
    let raw = if is_raw { "false" } else { "true" };
    let calls = match resource.kind.as_str() {
        "AWS::KMS::Key" => vec![
            ("kms", "DisableKey", json!({"KeyId": id})),
            (
                "kms",
                "ScheduleKeyDeletion",
                json!({"KeyId": id, "PendingWindowInDays": 7}),
            ),
        ],
        "AWS::SNS::Topic" => {
            let policy = |direction: &str| {
                let policy =
                    json!({"Statement": [{"DataDirection": direction, "Operation": {"Deny": {}}}]});
                json!({"ResourceArn": id, "DataProtectionPolicy": policy.to_string()})
            };
            let throttle = json!({"TopicArn": id, "AttributeName": "DeliveryPolicy",
                "AttributeValue": r#"{"http": {"disableSubscriptionOverrides": true}}"#});
            vec![
                ("sns", "PutDataProtectionPolicy", policy("Inbound")),
                ("sns", "PutDataProtectionPolicy", policy("Outbound")),
                ("sns", "SetTopicAttributes", throttle),
            ]
        }
        "AWS::SNS::Subscription" => vec![
            subscription("FilterPolicy", r#"{"kind": ["never"]}"#),
            subscription(
                "DeliveryPolicy",
                r#"{"throttlePolicy": {"maxReceivesPerSecond": 1}}"#,
            ),
            subscription("RawMessageDelivery", raw),
        ],
        "AWS::SQS::Queue" => vec![
            queue("MaximumMessageSize", "1024"),
            queue("DelaySeconds", "900"),
            queue("MessageRetentionPeriod", "60"),
        ],
        "AWS::IAM::Role" => {
            let nothing = json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Deny", "Action": "*", "Resource": "*"}]});
            vec![
                (
                    "iam",
                    "AttachRolePolicy",
                    json!({"RoleName": id, "PolicyArn": deny}),
                ),
                (
                    "iam",
                    "PutRolePermissionsBoundary",
                    json!({"RoleName": id, "PermissionsBoundary": deny}),
                ),
                (
                    "iam",
                    "PutRolePolicy",
                    json!({"RoleName": id, "PolicyName": "deny",
                    "PolicyDocument": nothing.to_string()}),
                ),
            ]
        }
        "AWS::CloudWatch::Alarm" => {
            vec![(
                "monitoring",
                "DisableAlarmActions",
                json!({"AlarmNames": [id]}),
            )]
        }
        "AWS::Events::EventBus" => vec![(
            "events",
            "PutRule",
            json!({"Name": "forger",
            "EventBusName": id, "State": "ENABLED", "EventPattern": r#"{"source": ["x"]}"#}),
        )],
        "AWS::CloudTrail::Trail" => vec![("cloudtrail", "StopLogging", json!({"Name": id}))],
        _ => Vec::new(),
    };
    let deeds = calls.into_iter();
    deeds
        .map(|(service, action, input)| {
            let what = format!("{service}:{action} {input}");
            (what, Deed::Call(service, action, input))
        })
        .collect()
}

#[test]
fn a_sample_of_single_faults_is_noticed() {
    Fleet::deployed().try_faults(7, 71);
}

/// When one key encrypted everything, disabling it also lost the dead letters and the alarm.
#[test]
fn the_loss_of_the_alerts_key_raises_the_alarm() {
    let fleet = Fleet::deployed();
    assert_eq!(fleet.send(), (1, 0));
    let faults = fleet.faults();
    let mut faults = faults
        .iter()
        .filter(|it| it.resource.logical_id == "AlertsKey");
    let disabled = faults.find(|it| it.what.starts_with("kms:DisableKey"));
    fleet
        .plant(disabled.expect("a fault"))
        .expect("a key to disable");
    assert_eq!(fleet.send(), (0, 1));
}

/// Takes minutes.
#[test]
#[ignore = "every fault; the sample above runs every time"]
fn every_single_fault_is_noticed() {
    Fleet::deployed().try_faults(0, 1);
}
