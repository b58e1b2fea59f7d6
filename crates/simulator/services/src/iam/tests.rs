//! Roles and their policies.

use serde_json::json;

use crate::iam::actions::ACTIONS;
use crate::resources::Resources;
use crate::resources::tests::{ACCOUNT, location, services};
use crate::wire::Effect;

#[test]
fn a_role_update_keeps_policies_of_other_resources() {
    let mut services = services();
    let role = |action: &str| {
        json!({
            "RoleName": "r",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole",
            }]},
            "Policies": [{"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": action, "Resource": "*",
            }]}}],
        })
    };
    Resources::create(
        &mut services,
        &location("R"),
        "AWS::IAM::Role",
        &role("sns:Publish"),
    )
    .unwrap();
    let extra = json!({"PolicyName": "extra", "RoleName": "r", "PolicyDocument": {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}],
    }});
    Resources::create(
        &mut services,
        &location("E"),
        "AWS::IAM::RolePolicy",
        &extra,
    )
    .unwrap();
    Resources::update(
        &mut services,
        &location("R"),
        "AWS::IAM::Role",
        "r",
        &role("sns:Publish"),
        &role("sns:*"),
    )
    .unwrap();
    let names: Vec<&String> = services
        .iam
        .role_by_name(ACCOUNT, "r")
        .unwrap()
        .inline
        .keys()
        .collect();
    assert_eq!(names, ["extra", "own"]);
    let live = Resources::read(&services, &location("E"), "AWS::IAM::RolePolicy", "extra|r");
    assert_eq!(live, Ok(Some(extra)));
}

#[test]
fn read_only_actions_start_with_a_read_verb() {
    for action in ACTIONS {
        let verb = ["Get", "List", "Simulate"];
        let reads = verb.iter().any(|verb| action.name.starts_with(verb));
        assert_eq!(action.effect == Effect::Reads, reads, "{}", action.name);
    }
}
