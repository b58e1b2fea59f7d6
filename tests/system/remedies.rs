//! Remedies of `doctor`, of a plan and of a deployment, followed as printed in the state that prints
//! them; afterward the state is gone. Those of drift and `verify` are in `drift_truth.rs` and
//! `proof.rs`.

use serde_json::json;
use simulator::Config;
use tests::{HOME, HUB, MANAGEMENT, Project, Run, Served};

use crate::project;

const SPOKE: &str = "012345678901";

/// The command fails with all texts; its remedies are followed; then it succeeds.
#[track_caller]
fn follows(organization: &Served, project: &Project, command: &[&str], code: i32, texts: &[&str]) {
    let target = organization.argument();
    let run = || project.run(&[command, &["--org", &target]].concat());
    let mut failed = run().expect(code);
    for text in texts {
        failed = failed.says(text);
    }
    follow(organization, project, &failed);
    run().expect(0);
}

fn follow(organization: &Served, project: &Project, run: &Run) {
    let remedies = run.remedies();
    assert!(!remedies.is_empty(), "{}", run.all());
    for remedy in remedies {
        organization.follow(project, &remedy);
    }
}

fn disable_trust(organization: &Served, service: &str) {
    let target = "AWSOrganizationsV20161128.DisableAWSServiceAccess";
    let input = json!({ "ServicePrincipal": service });
    organization.call(MANAGEMENT, "us-east-1", target, &input);
}

#[test]
fn remedies_of_doctor_enable_trusted_access_of_stack_sets_and_of_cloudtrail() {
    let organization = Served::start();
    let project = project();
    for (service, text) in [
        (
            "member.org.stacksets.cloudformation.amazonaws.com",
            "activate-organizations-access",
        ),
        ("cloudtrail.amazonaws.com", "enable-aws-service-access"),
    ] {
        disable_trust(&organization, service);
        follows(&organization, &project, &["doctor"], 6, &[text]);
    }
}

#[test]
fn remedies_of_doctor_register_a_delegated_administrator() {
    let organization = Served::start();
    let project = project();
    let target = organization.argument_as(HUB);
    let doctor = || project.run(&["doctor", "--org", &target]);
    let failed = doctor().expect(6).says("register-delegated-administrator");
    follow(&organization, &project, &failed);
    let after = doctor();
    assert!(
        after
            .all()
            .contains("a delegated administrator of StackSets"),
        "{}",
        after.all()
    );
}

#[test]
fn remedies_of_doctor_enable_a_region() {
    let mut config = Config {
        disabled_regions: vec!["ap-east-1".to_owned()],
        ..Config::default()
    };
    config.regions.push("ap-east-1".to_owned());
    let organization = Served::start_with(config);
    let project = project();
    let regions = "regions:\n  - eu-central-1\n";
    let with = "regions:\n  - eu-central-1\n  - ap-east-1\n";
    project.replace("stacksets/organization.yaml", regions, with);
    let target = organization.argument();
    let doctor = || project.run(&["doctor", "--org", &target]);
    let warned = doctor().says("ap-east-1 is not enabled in the management account");
    follow(&organization, &project, &warned);
    let after = doctor().expect(0).all();
    assert!(
        !after.contains("is not enabled in the management account"),
        "{after}"
    );
}

#[test]
fn remedies_of_a_plan_activate_stack_sets() {
    let organization = Served::start();
    let project = project();
    disable_trust(
        &organization,
        "member.org.stacksets.cloudformation.amazonaws.com",
    );
    let texts = [
        "StackSets has no trusted access",
        "activate-organizations-access",
    ];
    follows(&organization, &project, &["plan"], 6, &texts);
}

#[test]
fn remedies_of_a_deployment_stop_an_operation_that_never_ends() {
    let organization = Served::start();
    let project = project();
    let stuck = json!([{"stack_sets": ["gizmos-topic"], "share": 1.0, "effect": "stuck"}]);
    organization.post("faults", &json!({ "instances": stuck }));
    let target = organization.argument();
    let deploy = ["deploy", "--org", "--no-verify", &target];
    let run = project.run(&deploy).expect(7);
    let text = run.all();
    let (_, rest) = text.split_once("or stop it: ").expect("a remedy");
    let command = rest.split('`').nth(1).expect("a command");
    assert!(command.ends_with("--region eu-central-1"), "{command}");
    organization.follow(&project, &format!("`{command}`"));
    organization.post("faults", &json!({ "instances": [] }));
    project.run(&deploy).expect(0);
}

#[test]
fn remedies_of_drift_restore_a_template_and_the_scope_and_validation_of_the_trail() {
    let organization = Served::start();
    let project = project();
    project.remove_waves();
    project.deploy(&organization).expect(0);
    let target = organization.argument();
    let drift = || project.run(&["drift", "--org", &target]);
    let restores = |code: &str| {
        let mut run = drift().expect(5).says(&format!("drift[{code}]"));
        for _ in 0..3 {
            follow(&organization, &project, &run);
            run = drift();
            if run.code == 0 {
                return;
            }
        }
        panic!("{code}: {}", run.all());
    };

    let list = organization.act(SPOKE, HOME, "cloudformation", "ListStacks", &json!({}));
    let stacks = list["StackSummaries"].as_array().expect("stacks");
    let names = stacks.iter().filter_map(|it| it["StackName"].as_str());
    let spoke = names
        .clone()
        .find(|it| it.contains("gizmos-rules-spoke"))
        .expect("a spoke");
    let template = json!({"Resources": {"Other": {"Type": "AWS::SQS::Queue"}}}).to_string();
    let input = json!({"StackName": spoke, "TemplateBody": template});
    organization.act(SPOKE, HOME, "cloudformation", "UpdateStack", &input);
    organization.advance(600);
    restores("stack::template");

    let input =
        json!({"Name": "gizmos", "IsMultiRegionTrail": false, "EnableLogFileValidation": false});
    organization.call(MANAGEMENT, HOME, "CloudTrail_20131101.UpdateTrail", &input);
    drift().expect(5).says("drift[chain::trail-validation]");
    restores("chain::trail-scope");
}
