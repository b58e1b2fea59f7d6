//! Saved plans, preflight, interrupts, and delegated administrators.

use tests::{HOME, HUB, MANAGEMENT, Project, Run, Served};

use crate::project;

const RULE: &str = "rules/sign-in/console-sign-in-without-mfa.yaml";

#[test]
fn a_saved_plan_is_applied_unless_anything_changed_since() {
    let organization = Served::start();
    let project = project();
    let target = organization.argument();
    let plan = ["plan", "--org", "--out", "plan.json", &target];
    let deploy = [
        "deploy",
        "--org",
        "--no-verify",
        "--plan",
        "plan.json",
        &target,
    ];
    project
        .run(&plan)
        .expect(0)
        .says("Estimate: ")
        .says("Rule console-sign-in-without-mfa is new in 12 accounts x 3 Regions.");
    project.run(&deploy).expect(0).says("Deployed: ");
    // The fleet changed after the plan was made.
    project
        .run(&deploy)
        .expect(6)
        .says("accounts or stacks have changed since the plan was made")
        .says("nothing was changed");
    project.run(&plan).expect(0).says("Nothing to do");
    project.replace(RULE, "severity: high", "severity: critical");
    project
        .run(&deploy)
        .expect(6)
        .says("rules or organization file have changed since the plan was made");
    project
        .run(&plan)
        .expect(0)
        .says("rule     console-sign-in-without-mfa changed: severity high -> critical");
    project.run(&deploy).expect(0).says("Deployed: ");
    project.write("plan.json", "{}");
    project.run(&deploy).expect(1).says("is not a plan");
}

#[test]
fn the_preflight_reports_every_failure_with_its_fix_and_changes_nothing() {
    let organization = Served::start();
    let project = project();
    let target = organization.argument();
    project
        .run(&["doctor", "--org", &target])
        .expect(0)
        .says("ok       trusted access of StackSets")
        .says("ok       trusted access of CloudTrail")
        .says("ok       permissions: not simulated: the root user")
        .says("ok       Regions")
        .says("The simulator counted 0 mutating");
    organization.query(
        MANAGEMENT,
        HOME,
        "cloudformation",
        &[
            ("Action", "DeactivateOrganizationsAccess"),
            ("Version", "2010-05-15"),
        ],
    );
    project
        .run(&["doctor", "--org", &target])
        .expect(6)
        .says("FAILED   trusted access of StackSets")
        .says("activate-organizations-access");
    project
        .run(&["deploy", "--org", &target])
        .expect(6)
        .says("activate-organizations-access");
    assert_eq!(organization.get("calls")["mutating"], 0);
}

#[test]
fn a_target_change_that_removes_most_instances_needs_allow_delete() {
    let organization = Served::start();
    let project = project();
    let target = organization.argument();
    let deploy = ["deploy", "--org", "--no-verify", &target];
    project.run(&deploy).expect(0);
    project.replace(
        "stacksets/organization.yaml",
        "    - ou-exmp-production\n    - ou-exmp-development\n  exclude",
        "    - ou-exmp-development\n  exclude",
    );
    project
        .run(&deploy)
        .expect(6)
        .says("instances of gizmos-rules-spoke")
        .says("--allow-delete");
    project
        .run(&["deploy", "--org", "--no-verify", "--allow-delete", &target])
        .expect(0)
        .says("Deployed: ");
}

#[test]
fn a_delegated_administrator_deploys_everything_it_can_reach() {
    let organization = Served::start();
    let project = project();
    let target = organization.argument_as(HUB);
    project
        .run(&["doctor", "--org", &target])
        .expect(6)
        .says("register-delegated-administrator --account-id 333344445555");
    organization.delegate_stack_sets(HUB);
    project
        .run(&["doctor", "--org", &target])
        .expect(0)
        .says("a delegated administrator of StackSets")
        .says("access to the management account");
    // No member account may assume a role in the management account.
    project
        .run(&["deploy", "--org", "--no-verify", &target])
        .expect(3)
        .says("done       stack set gizmos-rules-spoke")
        .says("deploy once with the management account's own credentials");
    project
        .deploy(&organization)
        .expect(0)
        .says("stack gizmos-trail in 111122223333 eu-central-1");
}

/// Interrupts a deployment several times during its first operation. Nothing advances the clock, so
/// the operation doesn't end on its own.
fn interrupted(organization: &Served, project: &Project, times: usize) -> Run {
    let environment = organization.environment(MANAGEMENT, HOME);
    let running = project.start_with(&["deploy", "--org", "--no-verify"], &environment);
    running.wait_for_error_output("gizmos-bucket: creating");
    for _ in 0..times {
        running.interrupt();
        running.wait_for_error_output("Ctrl-C again");
    }
    running.finish().expect(130)
}

/// Ids and states of the log bucket's operations.
fn operations(organization: &Served) -> String {
    let list = [
        ("Action", "ListStackSetOperations"),
        ("StackSetName", "gizmos-bucket"),
    ];
    organization.query(MANAGEMENT, HOME, "cloudformation", &list)
}

#[test]
fn one_interrupt_detaches_and_the_same_command_resumes() {
    let organization = Served::start();
    let project = project();
    let run = interrupted(&organization, &project, 1)
        .says("interrupted; run the same command again to continue")
        .says("of gizmos-bucket continues on its own")
        .says("hint: Ctrl-C again within 5 seconds asks AWS to stop");
    assert!(!run.all().contains("is being stopped"), "{}", run.all());
    let before = operations(&organization);
    assert!(before.contains("<Status>RUNNING</Status>"), "{before}");
    // This run advances the clock, and waits for the operation instead of starting another.
    project
        .deploy(&organization)
        .expect(0)
        .says("gizmos-bucket: waiting for Gizmos' own operation");
    let after = operations(&organization);
    assert_eq!(after.matches("<OperationId>").count(), 1, "{after}");
    assert!(after.contains("<Status>SUCCEEDED</Status>"), "{after}");
}

#[test]
fn two_interrupts_stop_the_operation() {
    let organization = Served::start();
    let project = project();
    interrupted(&organization, &project, 2)
        .says("run the same command again to continue")
        .says("of gizmos-bucket is being stopped");
    let stopped = operations(&organization);
    assert!(stopped.contains("<Status>STOP"), "{stopped}");
    // The next deployment starts where it stopped.
    project.deploy(&organization).expect(0);
}

#[test]
fn an_operation_that_exceeds_the_time_limit_keeps_running_and_is_resumed() {
    let organization = Served::start_with(simulator::Config {
        speed: 1.0,
        ..simulator::Config::default()
    });
    let project = project();
    let environment = organization.environment(MANAGEMENT, HOME);
    project
        .run_with(
            &["deploy", "--org", "--no-verify", "--time-limit", "0"],
            &environment,
        )
        .expect(7)
        .says("still runs")
        .says("run the same command again to continue waiting");
    // This run advances the simulator's clock, and waits for the operation instead of starting
    // another.
    project
        .deploy(&organization)
        .expect(0)
        .says("waiting for Gizmos' own operation");
    let bucket = organization.query(
        MANAGEMENT,
        HOME,
        "cloudformation",
        &[
            ("Action", "ListStackSetOperations"),
            ("Version", "2010-05-15"),
            ("StackSetName", "gizmos-bucket"),
        ],
    );
    assert_eq!(bucket.matches("<OperationId>").count(), 1);
}
