//! A fleet of many accounts. Each of the five drift checks finds exactly the drift created for it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use simulator::Config;
use tests::{HOME, MANAGEMENT, Project, Served};

use crate::project;

/// A Region that exists but is not watched.
const ELSEWHERE: &str = "ap-southeast-2";
const WATCHED: [&str; 4] = [HOME, "us-east-1", "us-west-2", "eu-west-1"];

/// An organization of this many accounts, deployed in four Regions.
fn deployed(accounts: usize) -> (Served, Project) {
    let regions = WATCHED.iter().chain([&ELSEWHERE]);
    let organization = Served::start_with(Config {
        // The management, log archive and hub accounts always exist.
        workload_accounts: accounts - 3,
        regions: regions.map(|&region| region.to_owned()).collect(),
        ..Config::default()
    });
    let project = project();
    project.replace(
        "stacksets/organization.yaml",
        "  - us-west-2\n",
        "  - us-west-2\n  - eu-west-1\n",
    );
    project.deploy(&organization).expect(0);
    (organization, project)
}

/// The differences reported by a drift check: code, account and Region.
#[track_caller]
fn found(organization: &Served, project: &Project, more: &[&str], code: i32) -> Vec<String> {
    let target = organization.argument();
    let mut arguments = vec!["drift", "--org", "--format", "json", &target];
    arguments.extend(more);
    let report = project.run(&arguments).expect(code).json();
    assert_eq!(report["unchecked"], json!([]), "{report:#}");
    let mut found: Vec<String> = list(&report["differences"])
        .map(|it| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let location = &it["location"];
            let all = [&it["code"], &location["account"], &location["region"]].map(text);
            all.join(" ").trim_end().to_owned()
        })
        .collect();
    found.sort();
    found
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The text of the first element with this name.
#[track_caller]
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let start = xml.split_once(&format!("<{name}>"));
    let end = start.and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    end.unwrap_or_else(|| panic!("no {name} in {xml}")).0
}

/// Ids of the watched workload accounts.
fn workloads(organization: &Served) -> Vec<String> {
    let state = organization.get("state");
    let accounts: BTreeSet<String> = list(&state["accounts"])
        .filter(|it| it["ou"] == "ou-exmp-production")
        .filter_map(|it| it["id"].as_str().map(str::to_owned))
        .collect();
    accounts.into_iter().collect()
}

/// Creates drift for each check, each in a different account. Returns the expected differences.
fn plant(organization: &Served, project: &Project) -> Vec<String> {
    let accounts = workloads(organization);
    let [unexpected, changed, updated, gone, undelivered, ..] = &accounts[..] else {
        panic!("too few accounts: {accounts:?}");
    };
    let spoke = "gizmos-rules-spoke";

    // Check 1: a rule that was merged but never deployed.
    project.replace(
        "rules/sign-in/console-sign-in-without-mfa.yaml",
        "type: [IAMUser, Root]",
        "type: [IAMUser, Root, Directory]",
    );

    // Check 2: an instance created by another administrator in an unwatched Region, and a new
    // account without instances.
    organization.query(
        MANAGEMENT,
        HOME,
        "cloudformation",
        &[
            ("Action", "CreateStackInstances"),
            ("StackSetName", spoke),
            ("Regions.member.1", ELSEWHERE),
            ("DeploymentTargets.AccountFilterType", "INTERSECTION"),
            ("DeploymentTargets.Accounts.member.1", unexpected),
            (
                "DeploymentTargets.OrganizationalUnitIds.member.1",
                "ou-exmp-production",
            ),
        ],
    );
    organization.advance(600);
    let new = "123456789012";
    organization.post(
        "accounts",
        &json!({ "name": "new", "organizational_unit": "ou-exmp-production", "id": new }),
    );

    // Check 3: a disabled forwarder.
    let rules = organization.call(changed, "us-east-1", "AWSEvents.ListRules", &json!({}));
    organization.call(
        changed,
        "us-east-1",
        "AWSEvents.DisableRule",
        &json!({ "Name": rules["Rules"][0]["Name"] }),
    );

    // Check 4: a stack that was updated directly to use another bus, and one that was deleted
    // directly.
    let stacks = |account: &str, action: &str, more: &[(&str, &str)]| {
        let mut form = vec![("Action", action)];
        form.extend(more);
        organization.query(account, "us-west-2", "cloudformation", &form)
    };
    let name = element(&stacks(updated, "DescribeStacks", &[]), "StackName").to_owned();
    stacks(
        updated,
        "UpdateStack",
        &[
            ("StackName", &name),
            ("UsePreviousTemplate", "true"),
            ("Capabilities.member.1", "CAPABILITY_IAM"),
            ("Parameters.member.1.ParameterKey", "HubBusArn"),
            (
                "Parameters.member.1.ParameterValue",
                "arn:aws:events:eu-central-1:999999999999:event-bus/elsewhere",
            ),
        ],
    );
    let name = element(&stacks(gone, "DescribeStacks", &[]), "StackName").to_owned();
    stacks(gone, "DeleteStack", &[("StackName", &name)]);
    // Automatic deployment to the new account takes minutes; a stack update takes seconds.
    organization.advance(30);

    // Check 5: an event that never reached the hub.
    let stack = organization.query(
        undelivered,
        "eu-west-1",
        "cloudformation",
        &[("Action", "DescribeStacks")],
    );
    let queue = stack
        .split("<OutputKey>")
        .find(|output| output.starts_with("DeadLettersUrl"))
        .map_or("", |output| element(output, "OutputValue"));
    organization.call(
        undelivered,
        "eu-west-1",
        "AmazonSQS.SendMessage",
        &json!({ "QueueUrl": queue, "MessageBody": "{}" }),
    );

    let mut planted = vec![
        "plan::differs".to_owned(),
        format!("instance::unexpected {unexpected} {ELSEWHERE}"),
        format!("resource::modified {changed} us-east-1"),
        format!("stack::parameters {updated} us-west-2"),
        format!("stack::gone {gone} us-west-2"),
        format!("chain::dead-letters {undelivered} eu-west-1"),
    ];
    planted.extend(WATCHED.map(|region| format!("instance::missing {new} {region}")));
    planted.sort();
    planted
}

fn five_checks(accounts: usize) {
    let (organization, project) = deployed(accounts);
    assert_eq!(found(&organization, &project, &[], 0), [""; 0]);
    let planted = plant(&organization, &project);

    // Each check alone reports its own differences, and makes no mutating call.
    organization.post("calls/reset", &json!({}));
    for (check, prefix) in [
        ("plan", "plan::differs"),
        ("stacks", "stack::"),
        ("instances", "instance::"),
    ] {
        let alone = found(&organization, &project, &["--only", check], 5);
        let wanted: Vec<&String> = planted.iter().filter(|it| it.starts_with(prefix)).collect();
        let alone: Vec<&String> = alone.iter().filter(|it| it.starts_with(prefix)).collect();
        assert_eq!(alone, wanted, "--only {check}");
    }
    assert_eq!(organization.get("calls")["mutating"], 0);

    assert_eq!(found(&organization, &project, &[], 5), planted);
}

#[test]
fn each_check_finds_its_drift_in_forty_accounts_and_four_regions() {
    five_checks(40);
}

#[test]
#[ignore = "half a minute; `cargo test -p tests --test system five_hundred -- --ignored`"]
fn each_check_finds_its_drift_in_five_hundred_accounts_and_four_regions() {
    five_checks(500);
}
