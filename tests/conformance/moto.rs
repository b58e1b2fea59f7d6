//! moto deploys every compiled template as an ordinary stack in the accounts and Regions it
//! targets, and its EventBridge accepts every rule.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::Client;

use crate::project;
use crate::server::Server;
use crate::stacks::{Compiled, between};

#[test]
#[ignore = "needs moto; `cargo xtask ci --second-opinions` runs it"]
fn moto_deploys_every_template_of_the_hub_topology() {
    deploy_on_moto("hub");
}

#[test]
#[ignore = "needs moto; `cargo xtask ci --second-opinions` runs it"]
fn moto_deploys_every_template_of_the_local_topology() {
    deploy_on_moto("local");
}

fn deploy_on_moto(topology: &str) {
    let project = project();
    let compiled = Compiled::of(&project, topology);
    let moto = Server::moto();
    let mut callers = BTreeMap::new();
    let mut patterns = 0;
    let stacks = compiled.stacks();
    for stack in &stacks {
        let caller = callers
            .entry(stack.account.clone())
            .or_insert_with(|| assume_role(&moto, &stack.account));
        stack.create(&moto, caller);
        patterns += accepted_rules(&moto, caller, &stack.region, &stack.template);
    }
    assert!(patterns > 0, "no rule reached moto's EventBridge");
    println!(
        "moto, {topology}: {} stacks, {patterns} event patterns",
        stacks.len()
    );
}

/// A caller of an account. moto takes the account from an assumed role.
fn assume_role(moto: &Client, account: &str) -> String {
    let role = format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole");
    let form = [
        ("Action", "AssumeRole"),
        ("RoleArn", &role),
        ("RoleSessionName", "conformance"),
    ];
    let answer = moto.query("testing", tests::HOME, "sts", &form);
    between(&answer, "<AccessKeyId>")
        .expect("an access key")
        .to_owned()
}

/// Compares a template's rules with those in moto's EventBridge, pattern by pattern.
#[track_caller]
fn accepted_rules(moto: &Client, caller: &str, region: &str, template: &str) -> usize {
    let template: Value = serde_json::from_str(template).expect("JSON");
    let resources = template["Resources"].as_object().expect("resources");
    let mut count = 0;
    for bus in ["default", "gizmos"] {
        let wanted: Vec<&Value> = resources
            .values()
            .filter(|it| it["Type"] == "AWS::Events::Rule")
            .map(|it| &it["Properties"])
            .filter(|it| (bus == "default") == it["EventBusName"].is_null())
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let input = json!({ "EventBusName": bus });
        let listed = moto.call(caller, region, "AWSEvents.ListRules", &input);
        let accepted: Vec<Value> = listed["Rules"]
            .as_array()
            .expect("rules")
            .iter()
            .filter_map(|it| it["EventPattern"].as_str())
            .filter_map(|pattern| serde_json::from_str(pattern).ok())
            .collect();
        for rule in &wanted {
            assert!(
                accepted.contains(&rule["EventPattern"]),
                "moto has no rule with {}",
                rule["EventPattern"]
            );
        }
        count += wanted.len();
    }
    count
}
