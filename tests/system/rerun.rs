//! A second run: nothing to do, or just what changed.

use tests::{ACCESS_ROLE, HOME, HUB, MANAGEMENT, Served};

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
    project.deploy(&organization).expect(0);
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
fn a_removal_that_was_cut_off_is_finished_by_the_next_one() {
    let organization = Served::start();
    let project = project();
    let target = organization.argument();
    project.deploy(&organization).expect(0);
    // Another owner's stack set whose name begins like ours.
    organization.query(
        MANAGEMENT,
        HOME,
        "cloudformation",
        &[
            ("Action", "CreateStackSet"),
            ("StackSetName", "gizmos-of-somebody-else"),
            ("PermissionModel", "SERVICE_MANAGED"),
            ("AutoDeployment.Enabled", "false"),
            (
                "TemplateBody",
                "{\"Resources\": {\"Queue\": {\"Type\": \"AWS::SQS::Queue\"}}}",
            ),
        ],
    );
    let removal = ["destroy", "--org", "--confirm", "o-exampleorg1"];
    // Nothing moves this clock, so the removal waits for its first operation until it is killed.
    let environment = organization.environment(MANAGEMENT, HOME);
    let running = project.start_with(&removal, &environment);
    organization.wait_for_call("cloudformation:DeleteStackInstances");
    running.kill();
    let mut again = removal.to_vec();
    again.push(&target);
    project
        .run(&again)
        .expect(0)
        .says("Log buckets and keys stay")
        .says("gizmos-logs-o-exampleorg1-222233334444-eu-central-1");
    // Once more there is nothing to remove.
    project.run(&again).expect(0);

    let left = organization.query(
        MANAGEMENT,
        HOME,
        "cloudformation",
        &[("Action", "ListStackSets"), ("Status", "ACTIVE")],
    );
    assert!(left.contains("gizmos-of-somebody-else"), "{left}");
    assert!(!left.contains("gizmos-rules-spoke"), "{left}");
    let access = organization.query(
        MANAGEMENT,
        HOME,
        "cloudformation",
        &[("Action", "DescribeOrganizationsAccess")],
    );
    assert!(access.contains("ENABLED"), "{access}");

    // The bucket is still there, so its name is taken; with another one all is deployed again.
    project.replace(
        "stacksets/organization.yaml",
        "  # bucket: example-trail-logs",
        "  bucket: example-trail-logs",
    );
    project.deploy(&organization).expect(0);
}

#[test]
fn environment_variables_are_all_that_a_real_organization_needs() {
    let organization = Served::start_with(simulator::Config {
        // Without `--simulator` no command moves this clock, so it must move by itself.
        speed: 20_000.0,
        ..simulator::Config::default()
    });
    let project = project();
    // Waves would be waited for on the real clock.
    project.remove_waves();
    let environment = organization.environment(MANAGEMENT, HOME);
    let run = |arguments: &[&str]| project.run_with(arguments, &environment);
    run(&["plan", "--org", "--detailed-exitcode"])
        .expect(2)
        .says("create     stack set gizmos-rules-spoke");
    run(&["deploy", "--org"])
        .expect(0)
        .says("The alert chain is healthy");
    run(&["plan", "--org", "--detailed-exitcode"])
        .expect(0)
        .says("Nothing to do");
}

#[test]
fn a_delegated_administrator_deploys_changes_nothing_twice_and_destroys() {
    let organization = Served::start();
    organization.delegate_stack_sets(HUB);
    organization.let_in(HUB);
    let project = project();
    let target = organization.argument_as(HUB);
    let run = |arguments: &[&str]| project.run(&[arguments, &["--org", &target]].concat());

    // Only the management account may use the role that Organizations creates. What can't be checked
    // is no drift, but it isn't proven either.
    run(&["drift", "--only", "chain"]).says("unchecked: ");
    project.replace(
        "stacksets/organization.yaml",
        "access_role: OrganizationAccountAccessRole",
        &format!("access_role: {ACCESS_ROLE}"),
    );
    run(&["plan", "--detailed-exitcode"]).expect(2);
    run(&["deploy"]).expect(0);
    run(&["plan", "--detailed-exitcode"])
        .expect(0)
        .says("Nothing to do");
    run(&["drift"]).expect(0).says("No drift");
    run(&["destroy", "--confirm", "o-exampleorg1"])
        .expect(0)
        .says("Removed: ");
    run(&["plan", "--detailed-exitcode"]).expect(2);
}
