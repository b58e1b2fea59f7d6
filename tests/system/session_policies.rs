//! Sessions of the access role: those of `plan`, `drift` and `verify` may change nothing in another
//! account, although the role is an administrator there.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{HOME, HUB, MANAGEMENT, Project, Served};

use crate::project;

/// The sessions that a command took.
fn sessions(
    project: &Project,
    organization: &Served,
    caller: &str,
    command: &[&str],
) -> Vec<Value> {
    let all = || {
        organization
            .get("sessions")
            .as_array()
            .expect("a list")
            .clone()
    };
    let before: BTreeSet<String> = all().iter().map(ToString::to_string).collect();
    let target = organization.argument_as(caller);
    let arguments = [command, &["--org", &target]].concat();
    project.run(&arguments).expect(0);
    let mut taken = all();
    taken.retain(|it| !before.contains(&it.to_string()));
    taken
}

/// Every change that a session tries is refused by its session policy.
#[track_caller]
fn changes_nothing(organization: &Served, session: &Value) {
    let key = session["access_key_id"].as_str().expect("a key");
    let account = session["account"].as_str().expect("an account");
    let client = organization.client();
    let mut refusals = Vec::new();
    let bus = format!("arn:aws:events:{HOME}:{account}:event-bus/gizmos");
    let queue = format!("https://sqs.{HOME}.amazonaws.com/{account}/gizmos");
    for (target, input) in [
        (
            "AWSEvents.DisableRule",
            json!({"Name": "gizmos-rule", "EventBusName": bus}),
        ),
        ("AWSEvents.DeleteRule", json!({"Name": "gizmos-rule"})),
        (
            "AWSEvents.RemoveTargets",
            json!({"Rule": "gizmos-rule", "Ids": ["hub"]}),
        ),
        ("AmazonSQS.DeleteQueue", json!({"QueueUrl": queue})),
        ("TrentService.DisableKey", json!({"KeyId": "alias/gizmos"})),
    ] {
        let (_, action) = target.split_once('.').expect("an action");
        refusals.push((action, client.refusal(key, HOME, target, &input)));
    }
    let topic = format!("arn:aws:sns:{HOME}:{account}:gizmos-alerts");
    for (service, form) in [
        (
            "cloudformation",
            [
                ("Action", "DeleteStack"),
                ("StackName", "gizmos-topic"),
                ("ClientRequestToken", "a"),
            ],
        ),
        (
            "iam",
            [
                ("Action", "DeleteRolePolicy"),
                ("RoleName", "gizmos"),
                ("PolicyName", "a"),
            ],
        ),
        (
            "iam",
            [
                ("Action", "AttachRolePolicy"),
                ("RoleName", "gizmos"),
                ("PolicyArn", "arn:aws:iam::aws:policy/AWSDenyAll"),
            ],
        ),
        (
            "sns",
            [
                ("Action", "Publish"),
                ("TopicArn", &topic),
                ("Message", "forged"),
            ],
        ),
    ] {
        let [(_, action), ..] = form;
        refusals.push((action, client.query_refusal(key, HOME, service, &form)));
    }
    for (action, refusal) in refusals {
        let why = format!("{action} action");
        let is_by_session = refusal.contains("because no session policy allows the ");
        assert!(
            is_by_session && refusal.contains(&why),
            "{session:#}: {refusal}"
        );
    }
}

#[test]
fn session_policies_let_drift_and_verify_change_nothing_in_other_accounts() {
    let organization = Served::start();
    let project = project();
    project.deploy(&organization).expect(0);
    for command in [["drift"].as_slice(), &["verify"]] {
        let taken = sessions(&project, &organization, MANAGEMENT, command);
        let accounts: BTreeSet<&str> = taken
            .iter()
            .filter_map(|it| it["account"].as_str())
            .collect();
        assert!(accounts.contains(HUB) && accounts.len() > 3, "{accounts:?}");
        for session in &taken {
            changes_nothing(&organization, session);
        }
    }
    // A deployment repairs, so it has all rights of the role.
    let rule = "rules/sign-in/console-sign-in-without-mfa.yaml";
    project.replace(rule, "severity: high", "severity: critical");
    let taken = sessions(&project, &organization, MANAGEMENT, &["deploy"]);
    assert!(!taken.is_empty());
    assert!(
        taken.iter().all(|it| it["session_policy"].is_null()),
        "{taken:#?}"
    );
}

/// A delegated administrator takes the access role in the management account.
#[test]
fn session_policies_let_plan_change_nothing_in_the_management_account() {
    let organization = Served::start();
    organization.delegate_stack_sets(HUB);
    organization.create_access_role(HUB);
    let project = project();
    let access_role = format!("access_role: {}", tests::ACCESS_ROLE);
    project.replace(
        "stacksets/organization.yaml",
        "access_role: OrganizationAccountAccessRole",
        &access_role,
    );
    let deployed = sessions(&project, &organization, HUB, &["deploy", "--no-verify"]);
    assert!(deployed.iter().all(|it| it["session_policy"].is_null()));
    for command in [["plan"].as_slice(), &["doctor"], &["drift"], &["verify"]] {
        let taken = sessions(&project, &organization, HUB, command);
        let accounts: BTreeSet<&str> = taken
            .iter()
            .filter_map(|it| it["account"].as_str())
            .collect();
        assert!(accounts.contains(MANAGEMENT), "{command:?}: {accounts:?}");
        for session in &taken {
            changes_nothing(&organization, session);
        }
    }
}
