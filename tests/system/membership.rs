//! Accounts that join, move, leave or are closed, and Regions that a member hasn't enabled.

use serde_json::json;
use simulator::Config;
use tests::{HOME, MANAGEMENT, Project, Served};

use crate::project;

const ORGANIZATION: &str = "stacksets/organization.yaml";
const SPOKE: &str = "gizmos-rules-spoke";
const PRODUCTION: &str = "ou-exmp-production";
const DEVELOPMENT: &str = "ou-exmp-development";
/// A Region that every account must enable.
const OPT_IN: &str = "af-south-1";

/// Locations of the spoke's stack instances in an account, as XML.
fn instances(organization: &Served, account: &str) -> String {
    let form = [
        ("Action", "ListStackInstances"),
        ("StackSetName", SPOKE),
        ("StackInstanceAccount", account),
    ];
    organization.query(MANAGEMENT, HOME, "cloudformation", &form)
}

fn organizations(organization: &Served, action: &str, input: &serde_json::Value) {
    let target = format!("AWSOrganizationsV20161128.{action}");
    organization.call(MANAGEMENT, "us-east-1", &target, input);
}

fn is_settled(organization: &Served, project: &Project) {
    let target = organization.argument();
    project
        .run(&["plan", "--org", "--detailed-exitcode", &target])
        .expect(0);
    project
        .run(&["drift", "--org", &target])
        .expect(0)
        .says("No drift");
}

#[test]
fn an_excluded_account_that_moves_between_targets_gets_no_stack() {
    let excluded = "100000000007";
    let organization = Served::start();
    let project = project();
    project.replace(
        ORGANIZATION,
        "exclude_accounts: []",
        &format!("exclude_accounts: [\"{excluded}\"]"),
    );
    let deployed = project.deploy(&organization).expect(0);
    let moved = json!({
        "AccountId": excluded, "SourceParentId": DEVELOPMENT, "DestinationParentId": PRODUCTION,
    });
    organizations(&organization, "MoveAccount", &moved);
    let new = "123456789012";
    organization.post(
        "accounts",
        &json!({ "name": "new", "organizational_unit": PRODUCTION, "id": new }),
    );
    organization.advance(1_800);
    let found = instances(&organization, excluded);
    assert!(!found.contains("<Account>"), "{found}");

    // The new account waits for a deployment.
    deployed.says(
        "note: automatic deployment is off, because it would also deploy to excluded accounts",
    );
    let target = organization.argument();
    project
        .run(&["plan", "--org", &target])
        .expect(0)
        .says(&format!("add      3 instances: {new}"));
    project.deploy(&organization).expect(0);
    is_settled(&organization, &project);
}

#[test]
fn automatic_deployment_is_switched_off_with_the_first_excluded_account() {
    let organization = Served::start();
    let project = project();
    let on = "note: automatic deployment is on: an account that joins or moves";
    project.deploy(&organization).expect(0).says(on);
    project.replace(
        ORGANIZATION,
        "exclude_accounts: []",
        "exclude_accounts: [\"100000000007\"]",
    );
    project
        .deploy(&organization)
        .expect(0)
        .says("update     stack set gizmos-rules-spoke: auto-deployment")
        .says("remove   3 instances: 100000000007");
    is_settled(&organization, &project);
}

/// A watched Region that one account hasn't enabled.
fn with_an_opt_in_region() -> (Served, Project) {
    let organization = Served::start_with(Config {
        regions: [HOME, "us-east-1", "us-west-2", OPT_IN]
            .map(str::to_owned)
            .to_vec(),
        ..Config::default()
    });
    let project = project();
    project.replace(
        ORGANIZATION,
        "  - us-west-2\n",
        &format!("  - us-west-2\n  - {OPT_IN}\n"),
    );
    let disable = json!({
        "do": "set_region", "region": OPT_IN, "enabled": false, "account": "100000000003",
    });
    organization.post("happen", &disable);
    (organization, project)
}

fn is_planned_as_not_enabled(organization: &Served, project: &Project) {
    let here = format!(
        "blocked  100000000003 {OPT_IN} (workload-3): the Region {OPT_IN} is not enabled in the \
         account"
    );
    project.deploy(organization).expect(0).says(&here);
    let found = instances(organization, "100000000003");
    assert!(
        found.contains("us-west-2") && !found.contains(OPT_IN),
        "{found}"
    );
    let target = organization.argument();
    project
        .run(&["drift", "--org", &target])
        .expect(0)
        .says(&format!("note: 1 account has not enabled {OPT_IN}"))
        .says("No drift");
}

#[test]
fn a_region_that_a_member_has_not_enabled_fails_no_wave() {
    let (organization, project) = with_an_opt_in_region();
    let access = json!({"ServicePrincipal": "account.amazonaws.com"});
    organizations(&organization, "EnableAWSServiceAccess", &access);
    is_planned_as_not_enabled(&organization, &project);

    // Nor does a new account, which has only the Regions that need no opt-in.
    let new = "123456789012";
    organization.post(
        "accounts",
        &json!({ "name": "new", "organizational_unit": PRODUCTION, "id": new }),
    );
    organization.advance(1_800);
    project.deploy(&organization).expect(0).says(&format!(
        "{new} {OPT_IN} (new): the Region {OPT_IN} is not enabled in the account"
    ));

    let enable = json!({
        "do": "set_region", "region": OPT_IN, "enabled": true, "account": "100000000003",
    });
    organization.post("happen", &enable);
    project
        .deploy(&organization)
        .expect(0)
        .says(&format!("add      1 instance: 100000000003 in {OPT_IN}"));
}

#[test]
fn without_trusted_access_a_member_is_asked_for_its_regions_by_the_access_role() {
    let (organization, project) = with_an_opt_in_region();
    is_planned_as_not_enabled(&organization, &project);
}

#[test]
fn instances_of_an_account_that_left_are_removed_and_its_stacks_are_named() {
    let organization = Served::start();
    let project = project();
    project.deploy(&organization).expect(0);
    let gone = "100000000003";
    let departure = json!({ "AccountId": gone });
    organizations(&organization, "RemoveAccountFromOrganization", &departure);
    organization.advance(1_800);
    // StackSets can't reach the account any more, so everything of it stays.
    let found = instances(&organization, gone);
    assert!(found.contains("INOPERABLE"), "{found}");

    let target = organization.argument();
    let drift = project.run(&["drift", "--org", &target]).expect(5);
    let left = format!(
        "leave    3 stacks: {gone} in {HOME}, us-east-1, us-west-2: the account has left the \
         organization"
    );
    let plan = project.run(&["plan", "--org", &target]).expect(0);

    // A rule edit at the same time fails no wave.
    project.replace(
        "rules/cloudtrail/cloudtrail-tampering.yaml",
        "- StopLogging",
        "- StopLogging\n          - DeregisterOrganizationDelegatedAdmin",
    );
    let deployed = project.deploy(&organization).expect(0);
    drift.says(&format!(
        "account {gone} has left the organization, and the stack set still has"
    ));
    plan.says(&left);
    deployed.says(&left);
    let found = instances(&organization, gone);
    assert!(!found.contains("<Account>"), "{found}");
    is_settled(&organization, &project);
}

#[test]
fn instances_of_a_closed_account_are_removed_once_it_is_no_target() {
    let organization = Served::start();
    let project = project();
    project.deploy(&organization).expect(0);
    let closed = "100000000003";
    let close = json!({"do": "set_account_state", "account": closed, "state": "CLOSED"});
    organization.post("happen", &close);
    let target = organization.argument();
    project
        .run(&["plan", "--org", &target])
        .expect(0)
        .says(&format!(
            "blocked  {closed} {HOME} (workload-3): the account is closed"
        ));
    project.replace(
        ORGANIZATION,
        "exclude_accounts: []",
        &format!("exclude_accounts: [\"{closed}\"]"),
    );
    project.deploy(&organization).expect(0).says(&format!(
        "leave    3 stacks: {closed} in {HOME}, us-east-1, us-west-2: the account is closed"
    ));
    is_settled(&organization, &project);
}
