//! Fleets of earlier and newer versions, and those of others.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Map, Value, json};
use tests::{HOME, MANAGEMENT, Project, Served, repository};

use crate::{committed_project, project};

/// A watched account of the second wave.
const MEMBER: &str = "012345678901";
/// Virtual seconds between two events.
const EVERY: u32 = 20;
/// Events that are sent, until after the deployments.
const EVENTS: u32 = 600;

/// What commit 0c1e811 compiled from its organization file and its library, with
/// `ec2-instance-state-changed` turned on.
struct Recorded {
    stack_sets: Vec<Value>,
}

impl Recorded {
    fn read() -> Recorded {
        let text = fs::read_to_string(Self::file("manifest.json")).expect("a manifest");
        let manifest: Value = serde_json::from_str(&text).expect("JSON");
        let stack_sets = manifest["stack_sets"].as_array().expect("a list").clone();
        Recorded { stack_sets }
    }

    fn file(name: &str) -> std::path::PathBuf {
        repository().join("tests/data/fleet-0c1e811").join(name)
    }

    /// Makes the same requests as that version's deployment, without its waves.
    fn deploy(&self, organization: &Served) {
        let act = |region: &str, action: &str, input: &Value| {
            organization.act(MANAGEMENT, region, "cloudformation", action, input)
        };
        for set in &self.stack_sets {
            let name = &set["name"];
            let file = set["template"].as_str().expect("a file's name");
            let template = fs::read_to_string(Self::file(file)).expect("a template");
            let pairs = |field: &str, key: &str, value: &str| -> Vec<Value> {
                let all = set[field].as_object().expect("a mapping").iter();
                all.map(|(name, content)| json!({ key: name, value: content }))
                    .collect()
            };
            let definition = json!({
                "TemplateBody": template,
                "Parameters": pairs("parameters", "ParameterKey", "ParameterValue"),
                "Tags": pairs("tags", "Key", "Value"),
                "Capabilities": set["capabilities"],
            });
            let definition = definition.as_object().expect("a mapping");
            let with = |more: Value| {
                let mut input: Map<String, Value> = definition.clone();
                input.extend(more.as_object().expect("a mapping").clone());
                Value::Object(input)
            };
            let targets = &set["targets"];
            if let Some(members) = targets["members"].as_object() {
                let on = if set["auto_deployment"] == true {
                    "true"
                } else {
                    "false"
                };
                let mut auto_deployment = json!({"Enabled": on});
                if on == "true" {
                    auto_deployment["RetainStacksOnAccountRemoval"] = json!("false");
                }
                act(
                    HOME,
                    "CreateStackSet",
                    &with(json!({
                        "StackSetName": name, "Description": set["description"],
                        "PermissionModel": "SERVICE_MANAGED", "AutoDeployment": auto_deployment,
                        "ManagedExecution": {"Active": "true"},
                    })),
                );
                let mut chosen = json!({"OrganizationalUnitIds": members["organizational_units"]});
                if let Some(only) = members["accounts"].get("only") {
                    chosen["Accounts"] = only.clone();
                    chosen["AccountFilterType"] = json!("INTERSECTION");
                }
                act(
                    HOME,
                    "CreateStackInstances",
                    &json!({
                        "StackSetName": name, "DeploymentTargets": chosen,
                        "Regions": members["regions"],
                    }),
                );
                organization.advance(2 * 3600);
            }
            for region in targets["management_regions"].as_array().expect("a list") {
                let region = region.as_str().expect("a Region");
                act(region, "CreateStack", &with(json!({"StackName": name})));
                organization.advance(600);
                let events = act(region, "DescribeStackEvents", &json!({"StackName": name}));
                let last = &events["StackEvents"][0]["ResourceStatus"];
                // AWS's documents conflict about what CloudTrail needs of a key if the bucket has
                // a Bucket Key (probe `trail-with-bucket-key`). By the stricter one, which the
                // simulator follows, that version's trail is never made.
                let expected = match name.as_str() {
                    Some("gizmos-trail") => "ROLLBACK_COMPLETE",
                    _ => "CREATE_COMPLETE",
                };
                assert_eq!(last, expected, "{events:#}");
            }
        }
    }
}

fn instance(number: u32) -> String {
    format!("i-{number:017x}")
}

/// Has a member stop an instance every now and then. The state changes are events that need no trail.
fn stop_all_through(organization: &Served) {
    for number in 0..EVENTS {
        organization.post(
            "instances",
            &json!({"account": MEMBER, "region": HOME, "instance_id": instance(number)}),
        );
    }
    organization.post("inbox/clear", &json!({}));
    let schedule: Vec<Value> = (0..EVENTS)
        .map(|number| {
            json!({
                "when": {"at_second": f64::from(number * EVERY)},
                "event": {
                    "do": "call", "account": MEMBER, "region": HOME,
                    "service": "ec2", "action": "StopInstances",
                    "input": {"InstanceId": [instance(number)]},
                },
            })
        })
        .collect();
    organization.post("faults", &json!({ "schedule": schedule }));
}

/// How many alerts came about each stopped instance, in their order.
fn alerts(organization: &Served) -> Vec<usize> {
    organization.advance(u64::from(EVENTS * EVERY));
    let address = format!("{}/_simulator/inbox", organization.endpoint());
    let mut answer = ureq::get(address).call().expect("an answer");
    let body = answer.body_mut().with_config().limit(1 << 30);
    let inbox: Value = body.read_json().expect("JSON");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for delivery in inbox.as_array().expect("a list") {
        let text = delivery["body"].as_str().expect("a text");
        let message: Value = serde_json::from_str(text).expect("JSON");
        if message["rule"] == "ec2-instance-state-changed" {
            let instance = message["instance"].as_str().expect("an id");
            *counts.entry(instance.to_owned()).or_default() += 1;
        }
    }
    let count = |number| counts.get(&instance(number)).copied().unwrap_or(0);
    (0..EVENTS).map(count).collect()
}

/// The committed library in the three Regions of the recorded fleet, and with the rule about stopped
/// instances that it had turned on.
fn upgraded() -> Project {
    let project = committed_project();
    project.replace(
        "rules/ec2/ec2-instance-state-changed.yaml",
        "enabled: false",
        "enabled: true",
    );
    project.replace(
        "stacksets/organization.yaml",
        "regions: enabled",
        "regions: [eu-central-1, us-east-1, us-west-2]",
    );
    project
}

/// The first version's forwarders and those that replace them are too many at once for a bus, so
/// there is a deployment between.
#[test]
fn an_upgrade_from_the_first_version_in_waves_misses_no_event() {
    let organization = Served::start();
    Recorded::read().deploy(&organization);
    let project = upgraded();
    let target = organization.argument();
    project
        .run(&["plan", "--org", &target])
        .says("would have 32 rules with `wildcard`, and the quota is 30")
        .says("deploy once with `forward: broad`");
    project
        .run(&["deploy", "--org", &target])
        .expect(6)
        .says("would have 32 rules with `wildcard`");
    stop_all_through(&organization);
    let mut adopted = 0;
    for (forward, other) in [("broad", "exact"), ("exact", "broad")] {
        project.replace(
            "stacksets/organization.yaml",
            &format!("\nforward: {other}"),
            &format!("\nforward: {forward}"),
        );
        let plan = project.run(&["plan", "--org", &target]).expect(0).all();
        adopted += plan.matches("adopted from an earlier version").count();
        project.deploy(&organization).expect(0);
    }
    // All stack sets and stacks of the recorded fleet but the trail's.
    assert_eq!(adopted, 11);
    let alerts = alerts(&organization);
    assert!(alerts.iter().all(|count| *count > 0), "{alerts:?}");
    // Twice only while a forwarder was replaced, about which the plan warns.
    let twice = alerts.iter().filter(|count| **count > 1).count();
    assert!(twice < 10, "{alerts:?}");
    project
        .run(&["plan", "--org", "--detailed-exitcode", &target])
        .expect(0);
    // Until it was upgraded, the response of `ec2-stop-protection` lacked a permission.
    let drift = project.run(&["drift", "--org", &target]).expect(5);
    let text = drift.says("Drift: 1 difference (1 chain)").all();
    let after = text.split("aws sqs purge-queue --queue-url ").nth(1);
    let queue = after.and_then(|it| it.split(' ').next()).expect("a queue");
    organization.call(
        MEMBER,
        HOME,
        "AmazonSQS.PurgeQueue",
        &json!({ "QueueUrl": queue }),
    );
    organization.advance(120);
    project
        .run(&["drift", "--org", &target])
        .expect(0)
        .says("No drift");
}

/// Whoever deploys with an older program must not turn back what a newer one did.
#[test]
fn a_fleet_of_a_newer_format_is_left_alone_by_every_command() {
    let organization = Served::start();
    let project = project();
    project.deploy(&organization).expect(0);
    let target = organization.argument();
    let set = organization.act(
        MANAGEMENT,
        HOME,
        "cloudformation",
        "DescribeStackSet",
        &json!({"StackSetName": "gizmos-topic"}),
    );
    let mut tags = set["StackSet"]["Tags"].clone();
    for tag in tags.as_array_mut().expect("a list") {
        if tag["Key"] == "gizmos:format" {
            tag["Value"] = json!("3");
        }
    }
    organization.act(
        MANAGEMENT,
        HOME,
        "cloudformation",
        "UpdateStackSet",
        &json!({
            "StackSetName": "gizmos-topic", "UsePreviousTemplate": "true", "Tags": tags,
            "Parameters": set["StackSet"]["Parameters"],
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
        }),
    );
    organization.advance(2 * 3600);
    organization.post("calls/reset", &json!({}));
    for command in [
        &["plan", "--org", &target][..],
        &["deploy", "--org", "--allow-delete", &target],
        &["drift", "--org", &target],
        &["destroy", "--org", "--confirm", "o-exampleorg1", &target],
    ] {
        let run = project.run(command);
        assert_ne!(run.code, 0, "{command:?}");
        run.says(
            "a newer version of Gizmos deployed gizmos-topic: the fleet has format 3, and this \
             version knows formats up to 2",
        );
    }
    let calls = organization.get("calls");
    let changes: Vec<&String> = calls["by_action"]
        .as_object()
        .expect("a mapping")
        .keys()
        .filter(|action| {
            let (_, action) = action.split_once(':').expect("an action");
            ["Create", "Update", "Delete", "Execute"]
                .iter()
                .any(|verb| action.starts_with(verb))
        })
        .collect();
    assert_eq!(changes, Vec::<&String>::new());
}

/// Another team's stack set with our first tag is not ours to delete.
#[test]
fn stack_sets_of_others_with_the_ownership_tag_are_named_and_stay() {
    let organization = Served::start();
    let project = project();
    project.deploy(&organization).expect(0);
    let target = organization.argument();
    let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
    let names = ["gizmos-reports", "gizmos-rules-spoke-2"];
    for (name, tags) in [
        (names[0], json!([tag("managed-by", "gizmos")])),
        (
            names[1],
            json!([
                tag("managed-by", "gizmos"),
                tag("gizmos:part", "rules-spoke"),
                tag("gizmos:organization", "o-exampleorg1"),
                tag("gizmos:installation", "trial"),
            ]),
        ),
    ] {
        organization.act(
            MANAGEMENT,
            HOME,
            "cloudformation",
            "CreateStackSet",
            &json!({
                "StackSetName": name, "Tags": tags, "PermissionModel": "SERVICE_MANAGED",
                "AutoDeployment": {"Enabled": "false"},
                "TemplateBody": r#"{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}"#,
            }),
        );
    }
    project
        .run(&["plan", "--org", &target])
        .expect(0)
        .says("stack set gizmos-reports is left alone")
        .says("it has no tag gizmos:organization=o-exampleorg1")
        .says("stack set gizmos-rules-spoke-2 is left alone")
        .says("it has the tag gizmos:installation=trial instead of gizmos");
    project
        .run(&["deploy", "--org", "--allow-delete", &target])
        .expect(0);
    project
        .run(&["destroy", "--org", "--confirm", "o-exampleorg1", &target])
        .expect(0);
    for name in names {
        organization.act(
            MANAGEMENT,
            HOME,
            "cloudformation",
            "DescribeStackSet",
            &json!({ "StackSetName": name }),
        );
    }
}
