//! Waves: canaries first, a gate after each wave, and rollback.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_update_brings_the_template_to_the_canaries_first() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    cloud.take_calls();
    let mut bundle = bundle();
    bundle.stack_sets[4].template = r#"{"Resources": {"New": {}}}"#.into();
    let report = deploy(&cloud, &bundle).await;
    assert_eq!(report.outcome(), ApplyOutcome::Done);
    assert_eq!(
        cloud.take_calls(),
        [
            "update 4 of gizmos-rules-spoke in 2 accounts",
            "update 8 of gizmos-rules-spoke in 4 accounts",
            "change gizmos-rules-spoke in eu-central-1",
            "change gizmos-rules-spoke in us-east-1",
        ]
    );
    let observed = observe(&cloud, &bundle).await.unwrap();
    assert!(plan(&bundle, &observed).summary().update == 0);
}

#[tokio::test(start_paused = true)]
async fn a_failing_canary_stops_the_later_waves_and_is_explained() {
    let cloud = Fake::new();
    let location = Location::new("100000000006", "us-east-1");
    fail(
        &cloud,
        "gizmos-rules-spoke",
        &location.account,
        &location.region,
    );
    let report = deploy(&cloud, &bundle()).await;
    assert_eq!(report.outcome(), ApplyOutcome::Failed);
    let spoke = of(&report, "gizmos-rules-spoke");
    assert_eq!(spoke.operations.len(), 1);
    assert_eq!(spoke.failures.len(), 1);
    assert_eq!(spoke.failures[0].location, location);
    assert_eq!(
        spoke.failures[0].events[0].reason,
        "quota of rules exceeded"
    );
    assert!(matches!(&spoke.outcome, PartOutcome::Failed { reason } if reason.contains("canary")));
    // The management account's stacks wait; every part before was deployed.
    let stack = report
        .parts
        .iter()
        .find(|part| part.location == Some(Location::new(MANAGEMENT, "us-east-1")));
    assert!(matches!(
        stack.unwrap().outcome,
        PartOutcome::Skipped { .. }
    ));
    assert_eq!(of(&report, "gizmos-rules-hub").outcome, PartOutcome::Done);

    // Once the cause is gone, the next run deploys the rest under a new operation id.
    cloud.state().failing.clear();
    let again = deploy(&cloud, &bundle()).await;
    assert_eq!(again.outcome(), ApplyOutcome::Done);
    let observed = observe(&cloud, &bundle()).await.unwrap();
    assert!(plan(&bundle(), &observed).is_empty());
}

#[tokio::test(start_paused = true)]
async fn parts_independent_of_a_failure_are_deployed() {
    let cloud = Fake::new();
    fail(&cloud, "gizmos-topic", HUB, HOME);
    let report = deploy(&cloud, &bundle()).await;
    assert_eq!(of(&report, "gizmos-trail").outcome, PartOutcome::Done);
    for name in ["gizmos-rules-hub", "gizmos-rules-spoke"] {
        assert!(
            matches!(of(&report, name).outcome, PartOutcome::Skipped { .. }),
            "{name}"
        );
    }
    let calls = cloud.take_calls();
    assert!(
        !calls.iter().any(|call| call.contains("gizmos-rules")),
        "{calls:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_wave_soaks_when_it_changes_what_works_and_not_when_everything_is_new() {
    let cloud = Fake::new();
    let mut bundle = bundle();
    let soaked = |events: &[ProgressEvent]| {
        events
            .iter()
            .filter(|event| matches!(event, ProgressEvent::Soaking { minutes: 10, .. }))
            .count()
    };
    assert_eq!(soaked(&progress_of(&cloud, &bundle).await), 0);
    for set in &mut bundle.stack_sets {
        set.template = set
            .template
            .replacen('{', "{\"Description\": \"changed\",", 1);
    }
    assert_eq!(soaked(&progress_of(&cloud, &bundle).await), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_wave_is_rolled_back_and_later_waves_are_not_started() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    let old = spoke_template(&cloud);
    let mut changed = bundle();
    new_spoke(&mut changed);
    let location = Location::new("100000000006", "us-east-1");
    fail(
        &cloud,
        "gizmos-rules-spoke",
        &location.account,
        &location.region,
    );
    cloud.take_calls();
    let report = deploy(&cloud, &changed).await;
    assert_eq!(report.outcome(), ApplyOutcome::Failed);
    assert_eq!(
        cloud.take_calls(),
        [
            "update 4 of gizmos-rules-spoke in 2 accounts",
            "update 4 of gizmos-rules-spoke in 2 accounts",
        ]
    );
    assert_eq!(spoke_template(&cloud), old);
    let spoke = of(&report, "gizmos-rules-spoke");
    let PartOutcome::Failed { reason } = &spoke.outcome else {
        panic!("{:?}", spoke.outcome)
    };
    assert!(
        reason.starts_with("wave canary failed; 3 of its instances were rolled back"),
        "{reason}"
    );
    assert!(
        reason.ends_with("the later waves were not started"),
        "{reason}"
    );
    // Every location that doesn't match the bundle is listed: one failed, the others were left.
    assert!(
        spoke
            .failures
            .iter()
            .all(|failure| failure.location == location)
    );
    let left: usize = spoke.unfinished.iter().map(|it| it.locations.len()).sum();
    assert_eq!(left, 11);
}

#[tokio::test(start_paused = true)]
async fn a_failed_wave_after_a_killed_run_stops_and_says_how_to_roll_back() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    let mut changed = bundle();
    new_spoke(&mut changed);
    fail(&cloud, "gizmos-rules-spoke", "100000000006", "us-east-1");
    killed(&cloud, &changed).await;
    assert_eq!(spoke_template(&cloud), changed.stack_sets[4].template);
    let report = deploy_settled(&cloud, &changed).await;
    let spoke = of(&report, "gizmos-rules-spoke");
    let PartOutcome::Failed { reason } = &spoke.outcome else {
        panic!("{:?}", spoke.outcome)
    };
    assert!(reason.starts_with("wave canary failed"), "{reason}");
    assert!(reason.ends_with("deploy the previous commit"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn instances_created_by_a_failed_wave_are_not_rolled_back() {
    let cloud = Fake::new();
    let mut first = bundle();
    if let Some(members) = &mut first.stack_sets[4].targets.members {
        members.accounts = compiler::AccountFilter::Except(vec!["100000000006".into()]);
    }
    deploy(&cloud, &first).await;
    let mut changed = bundle();
    changed.stack_sets[4].template = rules_template(&[("root-used", "aws.signin")]).to_string();
    for region in ["eu-central-1", "us-east-1"] {
        fail(&cloud, "gizmos-rules-spoke", "100000000006", region);
    }
    cloud.take_calls();
    let report = deploy(&cloud, &changed).await;
    assert_eq!(report.outcome(), ApplyOutcome::Failed);
    // Of the wave's two accounts only one had the rules before, and only that one is rolled back.
    assert_eq!(
        cloud.take_calls(),
        [
            "update 2 of gizmos-rules-spoke in 1 accounts",
            "create 2 of gizmos-rules-spoke in 1 accounts",
            "update 2 of gizmos-rules-spoke in 1 accounts",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_wave_that_breaks_the_chain_is_rolled_back() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    let trail = |logging| {
        Some(crate::ports::TrailStatus {
            arn: "arn:trail".into(),
            key: None,
            bucket: None,
            selectors: crate::ports::EventSelectors::default(),
            logging,
            multi_region: true,
            global_services: true,
            organization: true,
            log_file_validation: true,
            delivery_error: None,
        })
    };
    cloud.state().trail = trail(true);
    let old = spoke_template(&cloud);
    let mut changed = bundle();
    new_spoke(&mut changed);
    cloud.take_calls();
    // The canary wave takes a minute and soaks for ten minutes.
    let breaking = async {
        tokio::time::sleep(Duration::from_mins(5)).await;
        cloud.state().trail = trail(false);
    };
    let (report, ()) = futures::join!(deploy(&cloud, &changed), breaking);
    assert_eq!(report.outcome(), ApplyOutcome::Failed);
    let PartOutcome::Failed { reason } = &of(&report, "gizmos-rules-spoke").outcome else {
        panic!("{report:#?}")
    };
    assert!(
        reason.starts_with("after wave canary the alert chain is worse than before: trail gizmos"),
        "{reason}"
    );
    assert!(
        reason.contains("its 4 instances were rolled back"),
        "{reason}"
    );
    assert_eq!(cloud.take_calls().len(), 2);
    assert_eq!(spoke_template(&cloud), old);
}
