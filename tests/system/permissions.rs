//! `permissions`: each command with exactly the policies that it prints, and what happens without a
//! part of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{HOME, HUB, MANAGEMENT, Project, Run, Served};

use crate::existing_trail::{make_trail, use_trail};
use crate::project;

const ROLE: &str = "gizmos-deploy";
const ACCESS_ROLE: &str = "OrganizationAccountAccessRole";
const ORGANIZATION: &str = "stacksets/organization.yaml";
const RULE: &str = "rules/sign-in/console-sign-in-without-mfa.yaml";
const ASK_IAM: &str = "iam:SimulatePrincipalPolicy";

/// A policy as `permissions --format json` prints it.
fn policies(project: &Project, command: &str) -> Vec<Value> {
    policies_of(project, command, MANAGEMENT)
}

fn policies_of(project: &Project, command: &str, account: &str) -> Vec<Value> {
    let arguments = [
        "permissions",
        command,
        "--account",
        account,
        "--format",
        "json",
    ];
    let printed = project.run(&arguments).expect(0).json();
    printed["policies"].as_array().expect("policies").clone()
}

fn is_for_access_role(policy: &Value) -> bool {
    policy["name"].as_str().expect("a name").contains("-access")
}

fn iam(organization: &Served, account: &str, form: &[(&str, &str)]) -> String {
    organization.query(account, HOME, "iam", form)
}

/// Creates the caller's role, without any policy, and returns an access key of it.
fn role(organization: &Served) -> String {
    role_in(organization, MANAGEMENT)
}

fn role_in(organization: &Served, account: &str) -> String {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
    }]});
    let create = [
        ("Action", "CreateRole"),
        ("RoleName", ROLE),
        ("AssumeRolePolicyDocument", &trust.to_string()),
    ];
    iam(organization, account, &create);
    let arn = format!("arn:aws:iam::{account}:role/{ROLE}");
    let assume = [
        ("Action", "AssumeRole"),
        ("RoleArn", arn.as_str()),
        ("RoleSessionName", "run"),
    ];
    let answer = organization.query(account, HOME, "sts", &assume);
    let (_, rest) = answer.split_once("<AccessKeyId>").expect("a key");
    rest.split('<').next().unwrap_or_default().to_owned()
}

/// Gives a role of an account these inline policies and no other.
fn give(organization: &Served, account: &str, role: &str, policies: &[&Value]) {
    let list = [("Action", "ListRolePolicies"), ("RoleName", role)];
    let listed = iam(organization, account, &list);
    for part in listed.split("<member>").skip(1) {
        let name = part.split('<').next().unwrap_or_default();
        let delete = [
            ("Action", "DeleteRolePolicy"),
            ("RoleName", role),
            ("PolicyName", name),
        ];
        iam(organization, account, &delete);
    }
    for policy in policies {
        let put = [
            ("Action", "PutRolePolicy"),
            ("RoleName", role),
            ("PolicyName", policy["name"].as_str().expect("a name")),
            ("PolicyDocument", &policy["document"].to_string()),
        ];
        iam(organization, account, &put);
    }
}

/// The ids of all accounts but the management account.
fn members(organization: &Served) -> Vec<String> {
    let state = organization.get("state");
    let accounts = state["accounts"].as_array().expect("accounts");
    let ids = accounts.iter().map(|it| it["id"].as_str().expect("an id"));
    ids.filter(|id| *id != MANAGEMENT)
        .map(str::to_owned)
        .collect()
}

/// Gives the caller and the access role of every account the policies of a command.
fn give_all(organization: &Served, policies: &[Value]) {
    let (access, own): (Vec<&Value>, Vec<&Value>) = policies
        .iter()
        .partition(|policy| is_for_access_role(policy));
    give(organization, MANAGEMENT, ROLE, &own);
    for account in &members(organization) {
        let detach = [
            ("Action", "DetachRolePolicy"),
            ("RoleName", ACCESS_ROLE),
            ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"),
        ];
        iam(organization, account, &detach);
        give(organization, account, ACCESS_ROLE, &access);
    }
}

/// A project that uses everything that needs permissions in the management account.
fn full_project() -> Project {
    let project = project();
    project.remove_waves();
    project.replace(ORGANIZATION, "# artifacts: {}", "artifacts: {}");
    project.replace(ORGANIZATION, "# drift_schedule:", "drift_schedule:");
    project.add_large_rules();
    project
}

/// Everything that the permissions of `deploy` are for, up to the first command that fails.
fn cycle(project: &Project, target: &str) -> Vec<Run> {
    let change = || project.replace(RULE, "severity: high", "severity: critical");
    let commands: [&[&str]; 6] = [
        &["plan", "--org"],
        &["deploy", "--org"],
        &["deploy", "--org"],
        &["verify", "--org", "--cloudtrail"],
        &["drift", "--org"],
        &["destroy", "--org", "--confirm", "o-exampleorg1"],
    ];
    let mut runs = Vec::new();
    for (number, command) in commands.iter().enumerate() {
        if number == 2 {
            change();
        }
        let run = project.run(&[command, [target].as_slice()].concat());
        let failed = run.code != 0;
        runs.push(run);
        if failed {
            break;
        }
    }
    runs
}

/// Actions that a deployment may need on AWS, but that the cycle doesn't make on the simulator; with
/// the reason. An entry that the cycle needs is an error.
const NOT_CALLED: &[(&str, &str)] = &[
    (
        "account:ListRegions",
        "members are asked only if a watched Region needs an opt-in",
    ),
    (
        "cloudformation:DeleteChangeSet",
        "only for a change set that failed or changes nothing",
    ),
    (
        "cloudformation:DescribeStackEvents",
        "read only when a stack has failed",
    ),
    (
        "cloudformation:StopStackSetOperation",
        "only when a run is interrupted",
    ),
    ("cloudformation:UntagResource", REMOVED_TAG),
    (
        "cloudformation:UpdateStackInstances",
        "only for instances that are not current",
    ),
    ("cloudtrail:LookupEvents", "only with `--probe`"),
    ("cloudtrail:RemoveTags", REMOVED_TAG),
    ("cloudtrail:StopLogging", UNCHANGED),
    ("cloudtrail:UpdateTrail", UNCHANGED),
    ("cloudwatch:GetMetricData", "only when a canary was lost"),
    ("cloudwatch:UntagResource", REMOVED_TAG),
    ("events:UntagResource", REMOVED_TAG),
    ("iam:UntagRole", REMOVED_TAG),
    ("iam:UpdateAssumeRolePolicy", UNCHANGED),
    ("iam:UpdateRole", UNCHANGED),
    ("iam:UpdateRoleDescription", UNCHANGED),
    ("organizations:ListAccountsForParent", WITHOUT_PATHS),
    (
        "organizations:ListDelegatedAdministrators",
        "asked only by a delegated administrator",
    ),
    (
        "organizations:ListOrganizationalUnitsForParent",
        WITHOUT_PATHS,
    ),
    ("organizations:ListRoots", WITHOUT_PATHS),
    (
        "s3:GetObject",
        "calls name a version, which takes `s3:GetObjectVersion`",
    ),
    ("s3:DeleteObject", "only for objects from before versioning"),
    ("scheduler:UpdateSchedule", UNCHANGED),
    ("sns:SetSubscriptionAttributes", UNCHANGED),
    ("sns:UntagResource", REMOVED_TAG),
    ("sqs:DeleteMessage", DEAD_LETTERS),
    ("sqs:ReceiveMessage", DEAD_LETTERS),
    ("sqs:UntagQueue", REMOVED_TAG),
];

const REMOVED_TAG: &str = "only when a new version has fewer tags";
const UNCHANGED: &str = "only when a new version changes the resource";
const WITHOUT_PATHS: &str = "for endpoints whose `ListAccounts` leaves out the paths";
const DEAD_LETTERS: &str = "the management account's queue is read only when a canary was lost";

/// Actions that the policies of `deploy` grant to a role, by whether it is the access role.
fn granted(policies: &[Value]) -> BTreeSet<(bool, String)> {
    let statements = policies.iter().flat_map(|policy| {
        let statements = policy["document"]["Statement"].as_array();
        let is_access = is_for_access_role(policy);
        statements
            .into_iter()
            .flatten()
            .map(move |it| (is_access, it))
    });
    statements
        .flat_map(|(is_access, statement)| {
            let actions = statement["Action"].as_array().expect("actions");
            actions
                .iter()
                .map(move |it| (is_access, it.as_str().expect("an action").to_owned()))
        })
        .collect()
}

/// The actions for which the simulator asked the policies of either role.
fn used(organization: &Served) -> BTreeSet<(bool, String)> {
    let authorized = organization.get("authorized");
    let actions = |role: &str| authorized[role].as_array().cloned().unwrap_or_default();
    [ROLE, ACCESS_ROLE]
        .into_iter()
        .flat_map(|role| actions(role).into_iter().map(move |action| (role, action)))
        .map(|(role, action)| {
            let action = action.as_str().expect("an action").to_owned();
            (role == ACCESS_ROLE, action)
        })
        .collect()
}

/// Whoever is missing an action is refused, because nothing else allows it: so each one is needed if it is
/// asked for. [`permissions_of_deploy_are_all_needed`] removes statements for real.
#[track_caller]
fn all_actions_are_used(granted: &BTreeSet<(bool, String)>, used: &BTreeSet<(bool, String)>) {
    let is_excused = |action: &str| NOT_CALLED.iter().any(|(it, _)| *it == action);
    let unused: Vec<&(bool, String)> = granted
        .difference(used)
        .filter(|(_, action)| !is_excused(action))
        .collect();
    assert!(unused.is_empty(), "granted, but not used: {unused:#?}");
    let foreign: Vec<&(bool, String)> = used.difference(granted).collect();
    assert!(foreign.is_empty(), "used, but not granted: {foreign:#?}");
    for (action, reason) in NOT_CALLED {
        assert!(!reason.is_empty(), "{action}");
        let both = [true, false].map(|access| (access, (*action).to_owned()));
        let is_needless = both
            .iter()
            .all(|it| !granted.contains(it) || used.contains(it));
        assert!(!is_needless, "{action} is used, so it needs no reason");
    }
}

fn outputs(runs: &[Run]) -> String {
    runs.iter().map(Run::all).collect()
}

/// Neither `doctor` nor any command of the cycle is refused anything.
#[track_caller]
fn cycle_is_permitted(project: &Project, target: &str) {
    project
        .run(&["doctor", "--org", target])
        .expect(0)
        .says("ok       permissions: all ");
    let runs = cycle(project, target);
    assert_eq!(runs.len(), 6, "{}", outputs(&runs));
    nothing_is_denied(&outputs(&runs));
}

#[track_caller]
fn nothing_is_denied(all: &str) {
    let is_denied = all.contains("denied") || all.contains("not authorized");
    assert!(!is_denied, "{all}");
}

/// Both topologies, because each has calls that the other doesn't make.
#[test]
fn permissions_of_deploy_are_enough_for_the_whole_cycle_and_each_action_is_used() {
    let (mut all_granted, mut all_used) = (BTreeSet::new(), BTreeSet::new());
    for topology in ["hub", "local"] {
        let organization = Served::start();
        let key = role(&organization);
        let target = organization.argument_as(&key);
        let project = full_project();
        let with = format!("topology: {topology}");
        project.replace(ORGANIZATION, "topology: hub", &with);
        let policies = policies(&project, "deploy");
        give_all(&organization, &policies);
        cycle_is_permitted(&project, &target);
        all_granted.extend(granted(&policies));
        all_used.extend(used(&organization));
    }
    all_actions_are_used(&all_granted, &all_used);
}

#[test]
fn permissions_of_plan_drift_and_verify_are_enough_for_these() {
    let organization = Served::start();
    let key = role(&organization);
    let target = organization.argument_as(&key);
    let project = full_project();
    project.deploy(&organization).expect(0);
    for command in ["plan", "drift", "verify"] {
        give_all(&organization, &policies(&project, command));
        let run = project.run(&[command, "--org", &target]).expect(0);
        nothing_is_denied(&run.all());
    }
    // `doctor` asks for what a deployment needs, and names what is missing.
    give_all(&organization, &policies(&project, "plan"));
    project
        .run(&["doctor", "--org", &target])
        .expect(6)
        .says("FAILED   permissions")
        .says("may not cloudformation:CreateStackSet, ")
        .says("UpdateStackSet on arn:aws:cloudformation:*:111122223333:stackset-target/gizmos-*")
        .says("other kinds of resources")
        .says("permissions deploy` prints");
}

#[test]
fn permissions_for_an_existing_trail_are_enough_and_change_nothing_of_it() {
    let organization = Served::start();
    make_trail(&organization);
    let key = role(&organization);
    let target = organization.argument_as(&key);
    let project = project();
    use_trail(&project);
    let deploy = policies(&project, "deploy");
    for (_, action) in granted(&deploy) {
        let reads = ["Describe", "Get", "List", "Lookup"].map(|verb| format!("cloudtrail:{verb}"));
        let is_read = reads.iter().any(|it| action.starts_with(it));
        assert!(is_read || !action.starts_with("cloudtrail:"), "{action}");
    }
    give_all(&organization, &deploy);
    nothing_is_denied(&project.run(&["deploy", "--org", &target]).expect(0).all());
    for command in ["plan", "drift", "verify"] {
        give_all(&organization, &policies(&project, command));
        let run = project.run(&[command, "--org", &target]).expect(0);
        nothing_is_denied(&run.all());
    }
    give_all(&organization, &policies(&project, "plan"));
    project
        .run(&["doctor", "--org", &target])
        .says("ok       existing trail: arn:aws:cloudtrail:us-east-1:111122223333:trail/audit");
    give_all(&organization, &deploy);
    nothing_is_denied(
        &project
            .run(&["destroy", "--org", "--confirm", "o-exampleorg1", &target])
            .expect(0)
            .all(),
    );
}

#[test]
fn permissions_of_deploy_are_enough_for_a_delegated_administrator() {
    let organization = Served::start();
    organization.delegate_stack_sets(HUB);
    organization.create_access_role(HUB);
    let key = role_in(&organization, HUB);
    let target = organization.argument_as(&key);
    let project = full_project();
    let access_role = format!("access_role: {}", tests::ACCESS_ROLE);
    project.replace(
        ORGANIZATION,
        "access_role: OrganizationAccountAccessRole",
        &access_role,
    );
    let administrators = format!("artifacts: {{administrators: [\"{HUB}\"]}}");
    project.replace(ORGANIZATION, "artifacts: {}", &administrators);
    let policies = policies_of(&project, "deploy", HUB);
    let named = |part: &str| -> Vec<&Value> {
        let has = |policy: &&Value| {
            let name = policy["name"].as_str().expect("a name");
            name.trim_end_matches(['-', '1', '2']) == part
        };
        policies.iter().filter(has).collect()
    };
    give(&organization, HUB, ROLE, &named("gizmos-deploy"));
    let management = named("gizmos-deploy-management");
    give(&organization, MANAGEMENT, tests::ACCESS_ROLE, &management);
    for account in members(&organization) {
        give(
            &organization,
            &account,
            tests::ACCESS_ROLE,
            &named("gizmos-deploy-access"),
        );
    }
    cycle_is_permitted(&project, &target);
}

/// The caller's policies without one statement, and without the right to ask IAM, so that the
/// preflight can't report what is missing before AWS does.
fn without(policies: &[Value], statement: &Value) -> Vec<Value> {
    let mut left = policies.to_vec();
    for policy in left.iter_mut().filter(|policy| !is_for_access_role(policy)) {
        let statements = policy["document"]["Statement"]
            .as_array_mut()
            .expect("statements");
        statements.retain(|it| {
            it != statement
                && it["Action"]
                    .as_array()
                    .is_none_or(|all| all != &[json!(ASK_IAM)])
        });
    }
    left.retain(|policy| policy["document"]["Statement"] != json!([]));
    left
}

/// Removes each statement in turn. The failing command must name one of its actions.
#[test]
fn permissions_of_deploy_are_all_needed() {
    let project = full_project();
    let policies = policies(&project, "deploy");
    let statements: Vec<&Value> = policies
        .iter()
        .filter(|policy| !is_for_access_role(policy))
        .flat_map(|policy| {
            policy["document"]["Statement"]
                .as_array()
                .expect("statements")
        })
        .filter(|it| it["Sid"] != "OwnRole")
        .collect();
    assert!(statements.len() > 12, "{statements:#?}");
    std::thread::scope(|scope| {
        for statement in &statements {
            let policies = &policies;
            scope.spawn(move || {
                let organization = Served::start();
                let key = role(&organization);
                give_all(&organization, &without(policies, statement));
                let runs = cycle(&full_project(), &organization.argument_as(&key));
                let last = runs.last().expect("a run");
                let all = last.all();
                assert_ne!(
                    last.code,
                    0,
                    "not needed: {statement:#}\n{}",
                    outputs(&runs)
                );
                let actions = statement["Action"].as_array().expect("actions");
                let is_named = actions
                    .iter()
                    .filter_map(Value::as_str)
                    .any(|action| all.contains(action));
                assert!(is_named, "none is named: {statement:#}\n{all}");
            });
        }
    });
}

#[test]
fn permissions_that_are_missing_are_named_by_doctor_with_the_resource() {
    let organization = Served::start();
    let key = role(&organization);
    let target = organization.argument_as(&key);
    let project = full_project();
    let mut policies = policies(&project, "deploy");
    for policy in &mut policies {
        let statements = policy["document"]["Statement"]
            .as_array_mut()
            .expect("statements");
        statements.retain(|it| it["Sid"] != "RolesForScheduler");
    }
    give_all(&organization, &policies);
    project
        .run(&["doctor", "--org", &target])
        .expect(6)
        .says("may not iam:PassRole on arn:aws:iam::111122223333:role/gizmos/*")
        .says("(passed to scheduler.amazonaws.com)")
        .says(r#""Condition":{"StringEquals":{"iam:PassedToService":"scheduler.amazonaws.com"}}"#);
    project.deploy(&organization).expect(0);
    // Without the right to ask IAM, that is said, and everything else is checked.
    give_all(&organization, &without(&policies, &Value::Null));
    project
        .run(&["doctor", "--org", &target])
        .expect(0)
        .says(&format!("access denied for `{ASK_IAM}`"));
}

#[test]
fn permissions_are_written_to_files_and_for_delegated_administrators() {
    let project = project();
    project
        .run(&["permissions", "deploy", "--out", "policies"])
        .expect(0)
        .says("gizmos-deploy: for the role that runs `deploy`, in account 111122223333")
        .says("Wrote policies/gizmos-deploy-access.json.");
    let written = std::fs::read_to_string(project.path("policies/gizmos-deploy-access.json"));
    let document: Value = serde_json::from_str(&written.expect("a file")).expect("JSON");
    assert_eq!(document["Version"], "2012-10-17");
    project
        .run(&["permissions", "deploy", "--account", HUB])
        .expect(0)
        .says("for the role OrganizationAccountAccessRole in the management account 111122223333");
    project
        .run(&["permissions", "deploy", "--account", "hub"])
        .expect(64)
        .says("an account id has 12 digits");
}
