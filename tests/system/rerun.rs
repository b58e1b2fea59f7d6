//! A second run: nothing to do, or just what changed.

use tests::Served;

use crate::project;

#[test]
fn a_second_run_makes_no_mutating_call_and_an_edited_rule_touches_only_its_stack_set() {
    let organization = Served::start();
    let project = project();
    let target = organization.argument();
    let deploy = ["deploy", "--org", "--no-verify", &target];
    project.run(&deploy).expect(0).says("Deployed: ");

    project
        .run(&deploy)
        .expect(0)
        .says("Nothing to do")
        .says("The simulator counted 0 mutating and");
    project
        .run(&["plan", "--org", "--detailed-exitcode", &target])
        .expect(0);

    // A field that isn't deployed changes nothing.
    let rule = "rules/sign-in/console-sign-in-without-mfa.yaml";
    project.replace(rule, "severity: ", "owner: security-team\nseverity: ");
    project
        .run(&["plan", "--org", &target])
        .expect(0)
        .says("Nothing to do");

    // The forwarders pass every sign-in already, so this pattern's edit is the hub's business.
    project.replace(
        rule,
        "type: [IAMUser, Root]",
        "type: [IAMUser, Root, Directory]",
    );
    let plan = ["plan", "--org", "--detailed-exitcode", &target];
    let run = project
        .run(&plan)
        .expect(2)
        .says("rule     console-sign-in-without-mfa changed")
        .says("update     stack set gizmos-rules-hub");
    untouched(
        &run,
        &["gizmos-bucket", "gizmos-topic", "gizmos-rules-spoke"],
    );

    // An event that was not forwarded so far concerns the spokes too.
    project.replace(
        "rules/cloudtrail/cloudtrail-tampering.yaml",
        "- StopLogging",
        "- StopLogging\n          - DeregisterOrganizationDelegatedAdmin",
    );
    let run = project
        .run(&plan)
        .expect(2)
        .says("rule     cloudtrail-tampering changed")
        .says("update     stack set gizmos-rules-hub")
        .says("update     stack set gizmos-rules-spoke");
    untouched(&run, &["gizmos-bucket", "gizmos-topic"]);
}

#[track_caller]
fn untouched(run: &tests::Run, stack_sets: &[&str]) {
    for name in stack_sets {
        assert!(
            run.stdout.contains(&format!("unchanged  stack set {name}")),
            "{name} is touched:\n{}",
            run.stdout
        );
    }
}

#[test]
fn what_was_deployed_can_be_removed_and_the_logs_stay() {
    let organization = Served::start();
    let project = project();
    let target = organization.argument();
    project
        .run(&["deploy", "--org", "--no-verify", &target])
        .expect(0);
    project
        .run(&["destroy", "--org", &target])
        .expect(64)
        .says("not confirmed");
    project
        .run(&["destroy", "--org", &target, "--confirm", "o-exampleorg1"])
        .expect(0)
        .says("Removed: ");
    project
        .run(&["plan", "--org", "--detailed-exitcode", &target])
        .expect(2)
        .says("create     stack set gizmos-rules-spoke");
}

#[test]
fn environment_variables_are_all_that_a_real_organization_needs() {
    let organization = Served::start_with(simulator::Config {
        // No command moves this clock, so it must move by itself.
        speed: 5_000.0,
        ..simulator::Config::default()
    });
    let project = project();
    let environment = organization.environment("111122223333", "eu-central-1");
    project
        .run_with(&["deploy", "--org"], &environment)
        .expect(0)
        .says("The alert chain is healthy");
    project
        .run_with(&["deploy", "--org"], &environment)
        .expect(0)
        .says("Nothing to do");
}
