//! What users of other deployers complain about, tried on ours. `crates/deployer/COMPLAINTS.md` has
//! the list, with the test for each.

use std::fs;

use serde_json::{Value, json};
use simulator::Config;
use tests::{ACCESS_ROLE, HOME, HUB, MANAGEMENT, Project, Served};

use crate::project;

const SPOKE: &str = "gizmos-rules-spoke";
const RULE: &str = "rules/cloudtrail/cloudtrail-tampering.yaml";

fn cloudformation(organization: &Served, form: &[(&str, &str)]) -> String {
    organization.query(MANAGEMENT, HOME, "cloudformation", form)
}

/// A deployed organization.
fn deployed() -> (Served, Project) {
    let organization = Served::start();
    let project = project();
    project.deploy(&organization).expect(0);
    (organization, project)
}

/// A change that concerns every account.
fn edit(project: &Project) {
    project.replace(
        RULE,
        "- StopLogging",
        "- StopLogging\n          - DeregisterOrganizationDelegatedAdmin",
    );
}

/// Texts of an element, in order.
fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!("<{name}>");
    let parts = xml.split(start.as_str()).skip(1);
    parts.filter_map(|part| part.split('<').next()).collect()
}

/// Ids of the spokes' operations, the latest first.
fn operations(organization: &Served) -> Vec<String> {
    let list = [
        ("Action", "ListStackSetOperations"),
        ("StackSetName", SPOKE),
    ];
    let list = cloudformation(organization, &list);
    let ids = elements(&list, "OperationId").into_iter();
    ids.map(str::to_owned).collect()
}

fn operation(organization: &Served, id: &str) -> String {
    let describe = [
        ("Action", "DescribeStackSetOperation"),
        ("StackSetName", SPOKE),
        ("OperationId", id),
    ];
    cloudformation(organization, &describe)
}

/// Another user's operation on the spokes of one account, which takes longer than usual or never
/// ends.
fn interfere(organization: &Served, effect: &Value) {
    let instances = json!([{
        "effect": effect, "stack_sets": [SPOKE], "times": 1,
        "accounts": ["012345678901"], "regions": [HOME],
    }]);
    organization.post("faults", &json!({ "instances": instances }));
    let update = [
        ("Action", "UpdateStackInstances"),
        ("StackSetName", SPOKE),
        ("Regions.member.1", HOME),
        ("DeploymentTargets.AccountFilterType", "INTERSECTION"),
        ("DeploymentTargets.Accounts.member.1", "012345678901"),
        (
            "DeploymentTargets.OrganizationalUnitIds.member.1",
            "ou-exmp-production",
        ),
        ("OperationId", "somebody-elses"),
    ];
    cloudformation(organization, &update);
}

/// Removes spokes behind the deployer's back.
fn remove(organization: &Served, accounts: &[&str], regions: &[&str]) {
    let mut form: Vec<(String, String)> = [
        ("Action", "DeleteStackInstances"),
        ("StackSetName", SPOKE),
        ("RetainStacks", "false"),
        ("DeploymentTargets.AccountFilterType", "INTERSECTION"),
        (
            "DeploymentTargets.OrganizationalUnitIds.member.1",
            "ou-exmp-production",
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let numbered = |name: &str, values: &[&str]| -> Vec<(String, String)> {
        let values = values.iter().enumerate();
        values
            .map(|(index, value)| (format!("{name}.member.{}", index + 1), (*value).to_owned()))
            .collect()
    };
    form.extend(numbered("DeploymentTargets.Accounts", accounts));
    form.extend(numbered("Regions", regions));
    let form: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    cloudformation(organization, &form);
    organization.advance(3_600);
}

fn accounts_of(organization: &Served, unit: &str) -> Vec<String> {
    let state = organization.get("state");
    let accounts = state["accounts"].as_array().into_iter().flatten();
    accounts
        .filter(|it| it["ou"] == unit)
        .filter_map(|it| it["id"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn somebody_elses_operation_is_waited_for() {
    let (organization, project) = deployed();
    interfere(&organization, &json!({ "delay": 900 }));
    edit(&project);
    project
        .deploy(&organization)
        .expect(0)
        .says("waiting for another operation somebody-elses")
        .says("done       stack set gizmos-rules-spoke");
}

#[test]
fn somebody_elses_operation_that_never_ends_is_waited_for_half_an_hour() {
    let (organization, project) = deployed();
    interfere(&organization, &json!("stuck"));
    edit(&project);
    let before = operations(&organization);
    project
        .deploy(&organization)
        .expect(7)
        .says("somebody-elses");
    assert_eq!(operations(&organization), before);
}

#[test]
fn an_operation_that_is_queued_behind_another_one_is_waited_for() {
    let (organization, project) = deployed();
    // Sent while our canaries are worked on, theirs runs when our next wave is due, and longer than
    // that one soaks.
    let theirs = json!({
        "when": { "after_calls": { "calls": 2, "apis": ["cloudformation:UpdateStackSet"] } },
        "event": {
            "do": "call", "account": MANAGEMENT, "region": HOME, "service": "cloudformation",
            "action": "UpdateStackInstances",
            "input": {
                "StackSetName": SPOKE, "Regions": [HOME], "OperationId": "somebody-elses",
                "DeploymentTargets": {
                    "AccountFilterType": "INTERSECTION", "Accounts": ["012345678901"],
                    "OrganizationalUnitIds": ["ou-exmp-production"],
                },
            },
        },
    });
    let slow = json!({
        "effect": { "delay": 1_800 }, "stack_sets": [SPOKE], "times": 1,
        "accounts": ["012345678901"], "regions": [HOME],
    });
    organization.post(
        "faults",
        &json!({ "schedule": [theirs], "instances": [slow] }),
    );
    edit(&project);
    project.deploy(&organization).expect(0);
    let times = |id: &str| {
        let operation = operation(&organization, id);
        let time = |name: &str| elements(&operation, name).concat();
        (time("CreationTimestamp"), time("EndTimestamp"))
    };
    let (_, ended) = times("somebody-elses");
    let all: Vec<(String, String)> = operations(&organization)
        .iter()
        .map(|id| times(id))
        .collect();
    // Times of this form are ordered as texts are.
    let queued = all
        .iter()
        .any(|(began, finished)| *began < ended && *finished > ended);
    assert!(
        queued,
        "none waited for theirs, which ended at {ended}: {all:?}"
    );
    project
        .deploy(&organization)
        .expect(0)
        .says("Nothing to do");
}

#[test]
fn suspended_accounts_are_skipped_and_reported() {
    let (organization, project) = deployed();
    let suspend =
        json!({ "do": "set_account_state", "account": "012345678901", "state": "SUSPENDED" });
    organization.post("happen", &suspend);
    edit(&project);
    project
        .deploy(&organization)
        .says("012345678901")
        .says("the account is suspended")
        .says("done       stack set gizmos-rules-spoke")
        .expect(0);
    project
        .deploy(&organization)
        .expect(0)
        .says("Nothing to do");
}

#[test]
fn a_ragged_matrix_takes_the_fewest_operations() {
    let (organization, project) = deployed();
    let accounts = accounts_of(&organization, "ou-exmp-production");
    let [first, second, third, ..] = &accounts[..] else {
        panic!("too few accounts: {accounts:?}");
    };
    remove(&organization, &[first, third], &[HOME]);
    remove(&organization, &[second, third], &["us-east-1"]);
    let before = operations(&organization).len();
    project.deploy(&organization).expect(0);
    // One in each Region; by account it would be three.
    assert_eq!(operations(&organization).len(), before + 2);
    project
        .deploy(&organization)
        .expect(0)
        .says("Nothing to do");
}

#[test]
fn an_account_that_moves_while_an_operation_runs_keeps_its_spoke() {
    let (organization, project) = deployed();
    let [moved, ..] = &accounts_of(&organization, "ou-exmp-development")[..] else {
        panic!("no account in development");
    };
    // The first update is the hub's, the second one works on the canaries, of which it is one.
    let schedule = json!([{
        "when": { "after_calls": { "calls": 2, "apis": ["cloudformation:UpdateStackSet"] } },
        "event": { "do": "move_account", "account": moved, "to": "ou-exmp-production" },
    }]);
    organization.post("faults", &json!({ "schedule": schedule }));
    edit(&project);
    let run = project.deploy(&organization);
    assert!([0, 3, 4].contains(&run.code), "{}", run.all());
    let happened = organization.get("stats")["happened"].to_string();
    assert!(happened.contains("move_account"), "{happened}");
    // What StackSets moves by itself is settled some minutes later.
    organization.advance(3_600);
    project.deploy(&organization).expect(0);
    let target = organization.argument();
    project
        .run(&["drift", "--org", "--only", "plan,instances,stacks", &target])
        .expect(0)
        .says("No drift");
}

/// A watched Region is off in the management account.
fn with_a_region_that_is_off() -> (Served, Project) {
    let organization = Served::start_with(Config {
        regions: [HOME, "us-east-1", "us-west-2", "af-south-1"]
            .map(str::to_owned)
            .to_vec(),
        disabled_regions: vec!["af-south-1".to_owned()],
        ..Config::default()
    });
    let project = project();
    project.replace(
        "stacksets/organization.yaml",
        "  - us-west-2\n",
        "  - us-west-2\n  - af-south-1\n",
    );
    (organization, project)
}

#[test]
fn a_delegated_administrator_too_is_told_which_region_is_not_enabled() {
    let (organization, project) = with_a_region_that_is_off();
    organization.delegate_stack_sets(HUB);
    organization.let_in(HUB);
    project.replace(
        "stacksets/organization.yaml",
        "access_role: OrganizationAccountAccessRole",
        &format!("access_role: {ACCESS_ROLE}"),
    );
    let target = organization.argument_as(HUB);
    project
        .run(&["plan", "--org", "--detailed-exitcode", &target])
        .expect(2)
        .says("af-south-1 is not enabled in the management account");
}

#[test]
fn a_region_that_is_not_enabled_is_left_out_and_named() {
    let (organization, project) = with_a_region_that_is_off();
    project
        .deploy(&organization)
        .says("af-south-1 is not enabled in the management account")
        .says("aws account enable-region --region-name af-south-1")
        .says("done       stack set gizmos-rules-spoke");
    let instances = [("Action", "ListStackInstances"), ("StackSetName", SPOKE)];
    let instances = cloudformation(&organization, &instances);
    assert!(instances.contains("us-west-2") && !instances.contains("af-south-1"));
    let enable = json!({ "do": "set_region", "region": "af-south-1", "enabled": true });
    organization.post("happen", &enable);
    project.deploy(&organization).expect(0);
    let instances = [
        ("Action", "ListStackInstances"),
        ("StackSetName", SPOKE),
        ("StackInstanceRegion", "af-south-1"),
    ];
    let instances = cloudformation(&organization, &instances);
    assert!(instances.contains("CURRENT"), "{instances}");
}

#[test]
fn a_service_control_policy_that_denies_is_named_with_its_account() {
    let organization = Served::start();
    let project = project();
    let denied = "User: arn:aws:sts::012345678901:assumed-role/stacksets-exec is not authorized to \
                  perform: events:PutRule with an explicit deny in a service control policy";
    let instances = json!([{
        "accounts": ["012345678901"], "stack_sets": [SPOKE], "effect": { "fail": denied },
    }]);
    organization.post("faults", &json!({ "instances": instances }));
    let run = project
        .deploy(&organization)
        .says("012345678901")
        .says("explicit deny in a service control policy");
    assert!([3, 4].contains(&run.code), "{}", run.all());
    organization.post("faults", &json!({}));
    project.deploy(&organization).expect(0);
}

#[test]
fn throttling_slows_a_deployment_down_and_does_not_fail_it() {
    let organization = Served::start();
    let project = project();
    let buckets = json!([
        { "apis": ["cloudformation:*"], "burst": 2, "per_second": 0.5 },
        { "apis": ["organizations:*"], "burst": 2, "per_second": 0.5 },
    ]);
    organization.post("faults", &json!({ "buckets": buckets }));
    project.deploy(&organization).expect(0);
    let faults = organization.get("stats")["faults"].clone();
    let throttled = faults["throttled_by_bucket"].as_u64();
    assert!(throttled.is_some_and(|times| times > 10), "{faults}");
    project
        .deploy(&organization)
        .expect(0)
        .says("Nothing to do");
}

#[test]
fn nothing_is_rolled_out_one_account_at_a_time_by_accident() {
    let (organization, _) = deployed();
    // The last wave is everything that no other wave has named.
    let latest = operations(&organization).swap_remove(0);
    let operation = operation(&organization, &latest);
    assert_eq!(
        elements(&operation, "ConcurrencyMode"),
        ["SOFT_FAILURE_TOLERANCE"]
    );
    assert_eq!(elements(&operation, "RegionConcurrencyType"), ["PARALLEL"]);
    assert_eq!(elements(&operation, "MaxConcurrentPercentage"), ["25"]);
}

#[test]
fn an_account_that_is_excluded_loses_its_spokes_and_no_other_account_does() {
    let (organization, project) = deployed();
    let spokes = || {
        let list = [("Action", "ListStackInstances"), ("StackSetName", SPOKE)];
        let list = cloudformation(&organization, &list);
        let accounts = elements(&list, "Account");
        let excluded = accounts.iter().filter(|&&id| id == "012345678901").count();
        (accounts.len(), excluded)
    };
    let (all, one) = spokes();
    assert_eq!(one, 3);
    project.replace(
        "stacksets/organization.yaml",
        "exclude_accounts: []",
        "exclude_accounts: [\"012345678901\"]",
    );
    project.deploy(&organization).expect(0);
    assert_eq!(spokes(), (all - 3, 0));
    project.replace(
        "stacksets/organization.yaml",
        "exclude_accounts: [\"012345678901\"]",
        "exclude_accounts: []",
    );
    project.deploy(&organization).expect(0);
    assert_eq!(spokes(), (all, 3));
}

#[test]
fn a_missing_permission_is_not_called_a_missing_registration() {
    let organization = Served::start();
    organization.delegate_stack_sets(HUB);
    let iam = |form: &[(&str, &str)]| organization.query(HUB, HOME, "iam", form);
    let trust = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::333344445555:root"}, "Action": "sts:AssumeRole"}]}"#;
    iam(&[
        ("Action", "CreateRole"),
        ("RoleName", "Pipeline"),
        ("AssumeRolePolicyDocument", trust),
    ]);
    let policy = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "organizations:ListDelegatedAdministrators", "Resource": "*"}]}"#;
    iam(&[
        ("Action", "PutRolePolicy"),
        ("RoleName", "Pipeline"),
        ("PolicyName", "deploy"),
        ("PolicyDocument", policy),
    ]);
    let assume = [
        ("Action", "AssumeRole"),
        ("RoleArn", "arn:aws:iam::333344445555:role/Pipeline"),
        ("RoleSessionName", "run"),
    ];
    let answer = organization.query(HUB, HOME, "sts", &assume);
    let key = elements(&answer, "AccessKeyId").swap_remove(0).to_owned();
    project()
        .run(&["doctor", "--org", &organization.argument_as(&key)])
        .expect(6)
        .says("account 333344445555 may not list the delegated administrators")
        .says("allow the caller organizations:ListDelegatedAdministrators");
}

#[test]
fn each_complaint_of_the_table_has_a_test_that_exists() {
    let root = tests::repository();
    let table = fs::read_to_string(root.join("crates/deployer/COMPLAINTS.md")).expect("the table");
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| complaint"))
        .collect();
    assert!(rows.len() > 15, "{} rows", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, _, sources, tests, ours, _] = &cells[..] else {
            panic!("a row has other than four cells: {row}");
        };
        assert!(!sources.is_empty() && !ours.is_empty(), "{row}");
        let named: Vec<&str> = tests
            .split('`')
            .filter(|part| part.contains("::"))
            .collect();
        assert!(!named.is_empty(), "no test is named: {row}");
        for name in named {
            let (file, test) = name.split_once("::").expect("a file and a test");
            let text = fs::read_to_string(root.join(file))
                .unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(
                text.contains(&format!("fn {test}(")),
                "{file} has no test {test}"
            );
        }
    }
}
