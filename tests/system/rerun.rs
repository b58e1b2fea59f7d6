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

    // The forwarders pass everything about trails that some rule wants, so a pattern that asks for
    // less changes the hub alone.
    project.replace(
        "rules/cloudtrail/cloudtrail-tampering.yaml",
        "severity: ",
        "owner: security-team\nseverity: ",
    );
    project
        .run(&["plan", "--org", &target])
        .expect(0)
        .says("Nothing to do");
    project.replace(
        "rules/cloudtrail/cloudtrail-tampering.yaml",
        "title: ",
        "title: Look here, ",
    );
    let run = project
        .run(&["plan", "--org", "--detailed-exitcode", &target])
        .expect(2)
        .says("rule     cloudtrail-tampering changed")
        .says("update     stack set gizmos-rules-hub");
    for untouched in ["gizmos-bucket", "gizmos-topic", "gizmos-rules-spoke"] {
        assert!(
            run.stdout
                .contains(&format!("unchanged  stack set {untouched}")),
            "{untouched} is touched:\n{}",
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
