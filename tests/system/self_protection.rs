//! Who may change what Gizmos deployed without an alert, and which calls there are.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};
use simulator_policy::{Context, Decision, Document, Kind, Principal, Request};
use tests::policies::policies;
use tests::repository;

use crate::{committed_project, project};

const TABLE: &str = include_str!("../data/calls-on-our-resources.yaml");
const NAMES: [&str; 2] = [
    include_str!("../../crates/rules/data/event-names.txt"),
    include_str!("../../crates/rules/data/other-event-names.txt"),
];
const DEPLOYER: &str = "arn:aws:iam::111122223333:role/gizmos-deploy";
const SSO_DEPLOYER: &str = "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_Deploy_0123456789abcdef";
const STACK_SETS: &str = "arn:aws:iam::012345678901:role/stacksets-exec-0123456789abcdef";
const STACK_SETS_ITSELF: &str = "arn:aws:iam::012345678901:role/aws-service-role/member.org.stacksets.cloudformation.amazonaws.com/AWSServiceRoleForCloudFormationStackSetsOrgMember";
const CLOUDFORMATION: Option<&str> = Some("cloudformation.amazonaws.com");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    watched: Vec<Watched>,
    harmless: Vec<Unwatched>,
    #[serde(default)]
    unrecorded: Vec<Unwatched>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Watched {
    rule: String,
    by: By,
    account: Option<String>,
    parameters: Value,
    calls: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unwatched {
    reason: String,
    calls: Vec<String>,
}

/// Who makes the call in a deployment.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum By {
    Cloudformation,
    Deployers,
    StackSets,
    Nobody,
}

impl By {
    /// The role and the service through which it calls.
    fn actors(self) -> Vec<(&'static str, Option<&'static str>)> {
        match self {
            By::Cloudformation => vec![
                (STACK_SETS, CLOUDFORMATION),
                (DEPLOYER, CLOUDFORMATION),
                (SSO_DEPLOYER, CLOUDFORMATION),
            ],
            By::Deployers => vec![
                (STACK_SETS, CLOUDFORMATION),
                (DEPLOYER, None),
                (SSO_DEPLOYER, None),
            ],
            By::StackSets => vec![(STACK_SETS_ITSELF, None)],
            By::Nobody => Vec::new(),
        }
    }
}

/// A stranger, and those who look like somebody who may.
const STRANGERS: [(&str, Option<&str>); 7] = [
    ("arn:aws:iam::012345678901:role/platform-operator", None),
    (
        "arn:aws:iam::012345678901:role/platform-operator",
        CLOUDFORMATION,
    ),
    (
        "arn:aws:iam::012345678901:role/platform-operator",
        Some("ssm.amazonaws.com"),
    ),
    ("arn:aws:iam::012345678901:role/gizmos-deploy", None),
    (
        "arn:aws:iam::012345678901:role/gizmos-deploy",
        CLOUDFORMATION,
    ),
    (STACK_SETS, None),
    (STACK_SETS, Some("ssm.amazonaws.com")),
];

fn table() -> BTreeMap<String, Service> {
    serde_yaml::from_str(TABLE).expect("the table of calls")
}

/// A record of the call, as CloudTrail writes it.
fn record(
    id: &str,
    service: &str,
    call: &str,
    watched: &Watched,
    actor: (&str, Option<&str>),
) -> Value {
    let (role, through) = actor;
    let account = role.split(':').nth(4).expect("an account");
    let name = role.rsplit('/').next().expect("a name");
    let mut identity = json!({
        "type": "AssumedRole",
        "arn": format!("arn:aws:sts::{account}:assumed-role/{name}/session"),
        "accountId": account,
        "sessionContext": {"sessionIssuer": {
            "type": "Role", "arn": role, "accountId": account, "userName": name,
        }},
    });
    if let Some(through) = through {
        identity["invokedBy"] = json!(through);
    }
    let region = if service == "iam" {
        "us-east-1"
    } else {
        "eu-central-1"
    };
    let recipient = watched.account.as_deref().unwrap_or("333344445555");
    json!({
        "eventVersion": "1.11", "userIdentity": identity, "eventTime": "2026-11-23T03:11:30Z",
        "eventSource": format!("{service}.amazonaws.com"), "eventName": call, "awsRegion": region,
        "sourceIPAddress": "198.51.100.23", "userAgent": "aws-cli/2.31.5",
        "requestParameters": watched.parameters, "responseElements": null, "requestID": id,
        "eventID": id, "readOnly": false, "eventType": "AwsApiCall", "managementEvent": true,
        "recipientAccountId": recipient, "eventCategory": "Management",
    })
}

/// What `gizmos match` says about the records: the ids of the rules that fire, by record.
fn fires(records: &[Value]) -> BTreeMap<String, BTreeSet<String>> {
    let project = committed_project();
    project.replace(
        "stacksets/organization.yaml",
        &format!("  - {DEPLOYER}\n"),
        &format!("  - {DEPLOYER}\n  - {SSO_DEPLOYER}\n"),
    );
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    project.write("calls.jsonl", &lines.join("\n"));
    let run = project.run(&["match", "--all-regions", "calls.jsonl", "--format", "json"]);
    let report: Value = serde_json::from_str(&run.expect(0).stdout).expect("JSON");
    let events = report["events"].as_array().expect("events");
    assert_eq!(events.len(), records.len());
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let rules = |event: &Value| {
        let fires = event["fires"].as_array().expect("rules").iter();
        fires.map(|it| text(&it["rule"])).collect()
    };
    events
        .iter()
        .map(|it| (text(&it["id"]), rules(it)))
        .collect()
}

/// Each watched call by each actor, with the record's id.
fn calls(
    table: &BTreeMap<String, Service>,
    actors: impl Fn(&Watched) -> Vec<(&'static str, Option<&'static str>)>,
) -> Vec<(String, &Watched, Value)> {
    let mut calls = Vec::new();
    for (service, entry) in table {
        for watched in &entry.watched {
            for call in &watched.calls {
                for actor in actors(watched) {
                    let (role, through) = actor;
                    let id = format!(
                        "{} {service}:{call} by {role} through {}",
                        calls.len(),
                        through.unwrap_or("nothing")
                    );
                    let record = record(&id, service, call, watched, actor);
                    calls.push((id, watched, record));
                }
            }
        }
    }
    calls
}

#[test]
fn self_protection_alerts_of_strangers_for_each_watched_call() {
    let table = table();
    let calls = calls(&table, |_| STRANGERS.to_vec());
    let records: Vec<Value> = calls.iter().map(|(_, _, record)| record.clone()).collect();
    let fires = fires(&records);
    let missed: Vec<String> = calls
        .iter()
        .filter(|(id, watched, _)| !fires[id].contains(&watched.rule))
        .map(|(id, watched, _)| format!("{id}: {} is silent", watched.rule))
        .collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    println!(
        "{} calls by {} strangers alert",
        calls.len() / STRANGERS.len(),
        STRANGERS.len()
    );
}

#[test]
fn self_protection_is_silent_for_stacksets_cloudformation_and_deployers() {
    let table = table();
    let calls = calls(&table, |watched| watched.by.actors());
    let records: Vec<Value> = calls.iter().map(|(_, _, record)| record.clone()).collect();
    let fires = fires(&records);
    let loud: Vec<String> = calls
        .iter()
        .flat_map(|(id, _, _)| {
            let ours = fires[id].iter().filter(|rule| rule.starts_with("gizmos-"));
            ours.map(move |rule| format!("{id}: {rule} alerts"))
        })
        .collect();
    assert!(loud.is_empty(), "{}", loud.join("\n"));
    println!("{} calls of deployments are silent", calls.len());
}

/// A new call of AWS is in the list of event names after `cargo xtask event-names`, and then here.
#[test]
fn every_call_of_the_services_of_our_resources_is_classified_once() {
    let reads = |call: &str| {
        ["Describe", "Get", "List"]
            .iter()
            .any(|it| call.starts_with(it))
    };
    let mut faults = Vec::new();
    for (service, entry) in table() {
        let known: BTreeSet<&str> = NAMES
            .iter()
            .flat_map(|names| names.lines())
            .filter_map(|line| line.strip_prefix(&format!("{service}: ")))
            .flat_map(str::split_whitespace)
            .filter(|call| !reads(call))
            .collect();
        let watched: BTreeSet<&String> = entry.watched.iter().flat_map(|it| &it.calls).collect();
        let mut classified: Vec<&str> = watched.iter().map(|call| call.as_str()).collect();
        for unwatched in entry.harmless.iter().chain(&entry.unrecorded) {
            assert!(!unwatched.reason.is_empty());
            classified.extend(unwatched.calls.iter().map(String::as_str));
        }
        let mut seen = BTreeSet::new();
        for call in classified {
            if !seen.insert(call) {
                faults.push(format!("{service}:{call} is classified twice"));
            }
            if !known.contains(call) {
                faults.push(format!("{service}:{call} is no call of AWS"));
            }
        }
        let new = known.iter().filter(|call| !seen.contains(**call));
        faults.extend(new.map(|call| format!("{service}:{call} isn't classified")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The action and an example of the resource of a watched call, for IAM; `None` where the guardrail
/// can't be: in the management account, and where IAM's name isn't CloudTrail's.
fn guarded(service: &str, call: &str, watched: &Watched) -> Option<(String, String)> {
    let text = |field: &str| watched.parameters.get(field).and_then(Value::as_str);
    let resource = match service {
        "events" => match text("rule").or_else(|| text("name")) {
            None | Some("gizmos") => "events:eu-central-1:333344445555:event-bus/gizmos".to_owned(),
            Some(name) if text("eventBusName").is_some() => {
                format!("events:eu-central-1:333344445555:rule/gizmos/{name}")
            }
            Some(name) => format!("events:eu-central-1:012345678901:rule/{name}"),
        },
        "iam" if text("path").is_some() => "iam::012345678901:role/gizmos/helper".to_owned(),
        "iam" => match text("roleName")? {
            name if name.starts_with("StackSet-") => {
                format!("iam::012345678901:role/gizmos/{name}")
            }
            name => format!("iam::012345678901:role/{name}"),
        },
        "kms" => "kms:eu-central-1:333344445555:key/1234abcd".to_owned(),
        "monitoring" => "cloudwatch:eu-central-1:333344445555:alarm:gizmos-dead-letters".to_owned(),
        "sns" => "sns:eu-central-1:333344445555:gizmos-alerts".to_owned(),
        "sqs" => "sqs:eu-central-1:333344445555:gizmos-dead-letters".to_owned(),
        "cloudformation" if text("stackName").is_some() => {
            "cloudformation:eu-central-1:012345678901:stack/StackSet-gizmos-rules-spoke-333ba70b/1"
                .to_owned()
        }
        _ => return None,
    };
    let prefix = if service == "monitoring" {
        "cloudwatch"
    } else {
        service
    };
    Some((format!("{prefix}:{call}"), format!("arn:aws:{resource}")))
}

/// What the simulator, as IAM would, decides about a role's request.
fn guardrail_decision(policy: &Document, role: &str, action: &str, resource: &str) -> Decision {
    let context = Context::new()
        .with("aws:PrincipalArn", role)
        .with("aws:ResourceTag/managed-by", "gizmos");
    let role = Principal::Role(role.to_owned());
    policy.decide(&Request::new(role, action, resource, context))
}

/// Actions and resources.
type Requests = BTreeSet<(String, String)>;

/// What the guardrail refuses to strangers: of everything, and of the roles that
/// only StackSets may make.
fn guarded_requests() -> (Requests, Requests) {
    // IAM has other names for a bucket's settings than CloudTrail.
    let bucket = "arn:aws:s3:::gizmos-logs-o-exampleorg1-222233334444-eu-central-1";
    let mut requests: Requests = [
        "s3:DeleteBucket",
        "s3:DeleteBucketPolicy",
        "s3:PutBucketAcl",
        "s3:PutBucketLogging",
        "s3:PutBucketObjectLockConfiguration",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketRequestPayment",
        "s3:PutBucketVersioning",
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
        "s3:PutReplicationConfiguration",
    ]
    .map(|action| (action.to_owned(), bucket.to_owned()))
    .into();
    let mut roles_of_stack_sets = BTreeSet::new();
    for (service, entry) in table() {
        for watched in &entry.watched {
            for call in &watched.calls {
                match (watched.by, guarded(&service, call, watched)) {
                    (By::StackSets, Some(request)) => {
                        roles_of_stack_sets.insert(request);
                    }
                    (By::Cloudformation | By::Deployers, Some(request)) => {
                        requests.insert(request);
                    }
                    _ => {}
                }
            }
        }
    }
    // Watched for everybody, or not at all, and refused all the same.
    for (action, resource) in [
        (
            "events:CreateArchive",
            "arn:aws:events:eu-central-1:333344445555:event-bus/gizmos",
        ),
        (
            "kms:TagResource",
            "arn:aws:kms:eu-central-1:333344445555:key/1234abcd",
        ),
        (
            "kms:UntagResource",
            "arn:aws:kms:eu-central-1:333344445555:key/1234abcd",
        ),
        ("s3:DeleteObjectVersion", &format!("{bucket}/a")),
    ] {
        requests.insert((action.to_owned(), resource.to_owned()));
    }
    (requests, roles_of_stack_sets)
}

#[test]
fn guardrail_refuses_strangers_what_self_protection_watches_and_lets_deployments_pass() {
    let path = repository().join("stacksets/guardrails/protect-gizmos.json");
    let text = std::fs::read_to_string(path).expect("the guardrail");
    let policy: Value = serde_json::from_str(&text).expect("JSON");
    let length = policy.to_string().len();
    assert!(
        length <= 5_120,
        "{length} characters are more than Organizations accepts"
    );
    let policy = Document::parse(&policy, Kind::Identity).expect("a policy");

    let (requests, roles_of_stack_sets) = guarded_requests();
    assert!(requests.len() > 60, "{} requests", requests.len());
    assert!(!roles_of_stack_sets.is_empty());

    let stranger = "arn:aws:iam::012345678901:role/platform-operator";
    let impostor = "arn:aws:iam::012345678901:role/gizmos-deploy";
    let access = "arn:aws:iam::012345678901:role/OrganizationAccountAccessRole";
    let is_denied = |role: &str, (action, resource): &(String, String)| {
        matches!(
            guardrail_decision(&policy, role, action, resource),
            Decision::Deny { .. }
        )
    };
    for request in requests.iter().chain(&roles_of_stack_sets) {
        for role in [stranger, impostor] {
            assert!(is_denied(role, request), "{role} may {request:?}");
        }
        for role in [access, DEPLOYER] {
            assert!(!is_denied(role, request), "{role} may not {request:?}");
        }
    }
    for request in &requests {
        assert!(
            !is_denied(STACK_SETS, request),
            "StackSets may not {request:?}"
        );
    }
    for request in &roles_of_stack_sets {
        assert!(
            is_denied(STACK_SETS, request),
            "a stack set may {request:?}"
        );
    }
    for (action, resource) in [
        (
            "events:PutRule",
            "arn:aws:events:eu-central-1:012345678901:rule/nightly-report",
        ),
        (
            "iam:CreateRole",
            "arn:aws:iam::012345678901:role/web-server",
        ),
        (
            "sns:Subscribe",
            "arn:aws:sns:eu-central-1:012345678901:orders",
        ),
        (
            "sns:Publish",
            "arn:aws:sns:eu-central-1:333344445555:gizmos-alerts",
        ),
    ] {
        let request = (action.to_owned(), resource.to_owned());
        assert!(!is_denied(stranger, &request), "others may not {request:?}");
    }
    println!(
        "{} requests of strangers are refused",
        requests.len() + roles_of_stack_sets.len()
    );
}

/// The policy of the hub's bus, compiled with an account excluded and a rule about an application.
fn bus_policy() -> Document {
    let project = project();
    let file = "stacksets/organization.yaml";
    project.replace(
        file,
        "  exclude_accounts: []",
        "  exclude_accounts: [\"666677778888\"]",
    );
    project.run(&["compile"]).expect(0);
    let folder = project.path("target/stacksets");
    let read = |name: &str| -> Value {
        let text = std::fs::read_to_string(folder.join(name)).expect("a compiled file");
        serde_json::from_str(&text).expect("JSON")
    };
    let manifest = read("manifest.json");
    let sets = manifest["stack_sets"].as_array().expect("stack sets");
    let topic = sets
        .iter()
        .find(|set| set["name"] == "gizmos-topic")
        .expect("the hub's");
    let template = read(topic["template"].as_str().expect("a file"));
    let policies = policies(&template, &topic["parameters"]);
    let bus = policies
        .iter()
        .find(|policy| policy.name == "Bus.Policy")
        .expect("the bus's");
    Document::parse(&bus.document, Kind::Resource).expect("a policy")
}

#[test]
fn self_protection_of_the_bus_takes_events_of_watched_accounts_forwarders_and_sources_alone() {
    let policy = bus_policy();
    let takes = |account: &str, path: &str, role: &str, source: &str| {
        let context = Context::new()
            .with(
                "aws:PrincipalOrgID",
                path.split('/').next().unwrap_or_default(),
            )
            .with("aws:PrincipalOrgPaths", path)
            .with("events:source", source);
        let role = Principal::Role(format!("arn:aws:iam::{account}:role/{role}"));
        let bus = "arn:aws:events:eu-central-1:333344445555:event-bus/gizmos";
        let request = Request::new(role, "events:PutEvents", bus, context);
        matches!(policy.decide(&request), Decision::Allow { .. })
    };
    let member = "012345678901";
    let unit = "o-exampleorg1/r-exmp/ou-exmp-production/";
    let below = "o-exampleorg1/r-exmp/ou-exmp-company1/ou-exmp-production/ou-exmp-team0001/";
    assert!(takes(member, unit, "gizmos/forwarder", "aws.iam"));
    assert!(takes(member, below, "gizmos/forwarder", "gizmos.canary"));
    assert!(takes(
        "111122223333",
        "o-exampleorg1/r-exmp/",
        "gizmos/forwarder",
        "aws.iam"
    ));

    assert!(!takes(member, unit, "forwarder", "aws.iam"), "another path");
    assert!(
        !takes(member, unit, "gizmos/forwarder", "shop.orders"),
        "another source"
    );
    for path in [
        "o-exampleorg1/r-exmp/",
        "o-exampleorg1/r-exmp/ou-exmp-sandbox01/",
        "o-anotherorg/r-exmp/ou-exmp-production/",
    ] {
        assert!(
            !takes(member, path, "gizmos/forwarder", "aws.iam"),
            "{path}"
        );
    }
    assert!(
        !takes("666677778888", unit, "gizmos/forwarder", "aws.iam"),
        "excluded"
    );
}
