//! A run that follows another one: nothing to do, something left over, or operations still running.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_second_run_makes_no_mutating_call() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    cloud.take_calls();
    let report = deploy(&cloud, &bundle()).await;
    assert_eq!(report.outcome(), ApplyOutcome::NothingToDo);
    assert_eq!(cloud.take_calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn one_instance_that_failed_is_retried_alone() {
    let cloud = Fake::new();
    let mut bundle = bundle();
    bundle.stack_sets[4]
        .parameters
        .insert("Bus".into(), "gizmos".into());
    deploy(&cloud, &bundle).await;
    let location = Location::new("100000000002", "us-east-1");
    let mut spoke = cloud.state().sets["gizmos-rules-spoke"].clone();
    spoke.instances.get_mut(&location).unwrap().status = InstanceStatus::Outdated;
    cloud
        .state()
        .sets
        .insert("gizmos-rules-spoke".into(), spoke);
    cloud.take_calls();
    assert_eq!(deploy(&cloud, &bundle).await.outcome(), ApplyOutcome::Done);
    assert_eq!(
        cloud.take_calls(),
        ["update 1 of gizmos-rules-spoke in 1 accounts"]
    );
    assert_eq!(
        deploy(&cloud, &bundle).await.outcome(),
        ApplyOutcome::NothingToDo
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_operation_can_fail_again_and_again() {
    let cloud = Fake::new();
    fail(&cloud, "gizmos-bucket", ARCHIVE, HOME);
    for _ in 0..3 {
        let report = deploy(&cloud, &bundle()).await;
        assert_eq!(of(&report, "gizmos-bucket").failures.len(), 1);
        assert!(matches!(
            of(&report, "gizmos-trail").outcome,
            PartOutcome::Skipped { .. }
        ));
    }
    cloud.state().failing.clear();
    assert_eq!(
        deploy(&cloud, &bundle()).await.outcome(),
        ApplyOutcome::Done
    );
}

#[tokio::test(start_paused = true)]
async fn a_killed_run_is_resumed() {
    let cloud = Fake::new();
    let bundle = bundle();
    killed(&cloud, &bundle).await;
    let running = cloud.state().sets["gizmos-bucket"].operations[0].id.clone();
    assert_eq!(running, "gizmos-bucket-1");
    cloud.take_calls();
    let report = deploy(&cloud, &bundle).await;
    assert!(matches!(report.outcome(), ApplyOutcome::Done));
    let calls = cloud.take_calls();
    assert!(
        !calls.iter().any(|call| call.contains("gizmos-bucket")),
        "{calls:#?}"
    );
    assert_eq!(cloud.state().sets["gizmos-bucket"].operations.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_does_not_start_an_operation_twice() {
    let cloud = Fake::new();
    cloud.state().lose_answer = true;
    let report = deploy(&cloud, &bundle()).await;
    assert_eq!(report.outcome(), ApplyOutcome::Done);
    for set in cloud.state().sets.values() {
        assert!(set.operations.len() <= 2, "{:?}", set.operations);
    }
    assert_eq!(
        deploy(&cloud, &bundle()).await.outcome(),
        ApplyOutcome::NothingToDo
    );
}

#[tokio::test(start_paused = true)]
async fn a_concurrent_operation_is_waited_for() {
    let cloud = Fake::new();
    cloud.state().busy = 2;
    assert_eq!(
        deploy(&cloud, &bundle()).await.outcome(),
        ApplyOutcome::Done
    );
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_failed_is_replaced_by_the_next_run() {
    let cloud = Fake::new();
    let location = Location::new(MANAGEMENT, HOME);
    fail(&cloud, "gizmos-trail", MANAGEMENT, HOME);
    let report = deploy(&cloud, &bundle()).await;
    let trail = of(&report, "gizmos-trail");
    assert_eq!(trail.failures[0].status, "ROLLBACK_COMPLETE");
    assert_eq!(
        trail.failures[0].reason,
        "Rule (AWS::Events::Rule): quota of rules exceeded"
    );
    cloud.state().failing.clear();
    let again = deploy(&cloud, &bundle()).await;
    assert_eq!(of(&again, "gizmos-trail").outcome, PartOutcome::Done);
    let status = cloud.state().stacks[&(location, "gizmos-trail".to_owned())]
        .0
        .status
        .clone();
    assert_eq!(status, "CREATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_operation_is_not_resumed() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    let mut changed = bundle();
    new_spoke(&mut changed);
    cloud.state().stopping = true;
    cloud.take_calls();
    let report = deploy(&cloud, &changed).await;
    assert_eq!(report.outcome(), ApplyOutcome::Failed);
    let spoke = of(&report, "gizmos-rules-spoke");
    assert!(
        matches!(&spoke.outcome, PartOutcome::Failed { reason } if reason.contains("stopped by hand"))
    );
    assert_eq!(
        cloud.take_calls(),
        ["update 4 of gizmos-rules-spoke in 2 accounts"]
    );
    cloud.state().stopping = false;
    assert_eq!(deploy(&cloud, &changed).await.outcome(), ApplyOutcome::Done);
}

#[tokio::test(start_paused = true)]
async fn instances_missing_only_in_outdated_lists_are_not_recreated() {
    let cloud = Fake::new();
    cloud.state().lag = Duration::from_secs(20);
    let first = deploy_settled(&cloud, &bundle()).await;
    assert_eq!(first.outcome(), ApplyOutcome::Done);
    cloud.take_calls();
    assert_eq!(
        deploy_settled(&cloud, &bundle()).await.outcome(),
        ApplyOutcome::NothingToDo
    );
    assert_eq!(cloud.take_calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn instances_current_only_in_outdated_lists_are_updated() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    cloud.state().lag = Duration::from_secs(20);
    fail(&cloud, "gizmos-rules-spoke", "100000000002", "us-east-1");
    let mut changed = bundle();
    changed.stack_sets[4].template = rules_template(&[("root-used", "aws.signin")]).to_string();
    // The stack set already has its new template.
    killed(&cloud, &changed).await;
    assert_eq!(spoke_template(&cloud), changed.stack_sets[4].template);
    // The operation ends, but the lists don't show it yet.
    cloud.pause(Duration::from_mins(1)).await;
    cloud.state().failing.clear();
    let report = deploy_settled(&cloud, &changed).await;
    assert_eq!(report.outcome(), ApplyOutcome::Done);
    let all_current = cloud.state().sets["gizmos-rules-spoke"]
        .instances
        .values()
        .all(|instance| instance.status == InstanceStatus::Current);
    assert!(all_current);
}

#[tokio::test(start_paused = true)]
async fn an_inoperable_instance_and_its_stack_are_recreated() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    let location = Location::new("100000000002", "us-east-1");
    cloud
        .state()
        .break_instance("gizmos-rules-spoke", &location);
    cloud.take_calls();
    let report = deploy(&cloud, &bundle()).await;
    assert_eq!(report.outcome(), ApplyOutcome::Done, "{report:#?}");
    assert_eq!(
        cloud.take_calls(),
        [
            "delete stack arn:stack/gizmos-rules-spoke in us-east-1",
            "delete 1 of gizmos-rules-spoke in 1 accounts",
            "create 1 of gizmos-rules-spoke in 1 accounts",
        ]
    );
}
