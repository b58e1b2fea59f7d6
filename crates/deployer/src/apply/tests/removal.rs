//! Removals come last, and remove nothing else.

use compiler::organization::ExistingTrail;

use super::*;
use crate::plan::ProblemKind;
use crate::ports::{EventSelectors, TrailStatus};

#[tokio::test(start_paused = true)]
async fn a_stack_set_without_the_tag_is_left_unchanged() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    cloud
        .state()
        .sets
        .get_mut("gizmos-bucket")
        .unwrap()
        .details
        .tags
        .clear();
    let mut bundle = bundle();
    bundle.stack_sets[0].template = r#"{"Resources": {"Other": {}}}"#.into();
    cloud.take_calls();
    let report = deploy(&cloud, &bundle).await;
    assert_eq!(report.outcome(), ApplyOutcome::Failed);
    assert!(matches!(&of(&report, "gizmos-bucket").outcome,
        PartOutcome::Failed { reason } if reason.contains("it has no tag managed-by=gizmos")));
    assert_eq!(cloud.take_calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn removals_come_last_and_only_if_nothing_failed() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    let mut smaller = bundle();
    smaller
        .stack_sets
        .retain(|set| set.name != "gizmos-rules-spoke");
    smaller.stack_sets[3].template = rules_template(&[("ec2-stopped", "aws.ec2")]).to_string();
    fail(&cloud, "gizmos-rules-hub", HUB, HOME);
    cloud.take_calls();
    let report = deploy(&cloud, &smaller).await;
    assert!(matches!(
        of(&report, "gizmos-rules-spoke").outcome,
        PartOutcome::Skipped { .. }
    ));
    assert_eq!(
        cloud.take_calls(),
        [
            "update 1 of gizmos-rules-hub in 1 accounts",
            // After the failure the stack set rolls back to the previous template.
            "update 1 of gizmos-rules-hub in 1 accounts"
        ]
    );

    cloud.state().failing.clear();
    let report = deploy(&cloud, &smaller).await;
    assert_eq!(report.outcome(), ApplyOutcome::Done);
    let calls = cloud.take_calls();
    assert!(
        position(&calls, "delete 12 of gizmos-rules-spoke in 6 accounts")
            > position(&calls, "update 1 of gizmos-rules-hub in 1 accounts")
    );
    position(&calls, "delete stack gizmos-rules-spoke in us-east-1");
    assert!(!cloud.state().sets.contains_key("gizmos-rules-spoke"));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_excluded_loses_its_instances_and_no_other() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    let mut bundle = bundle();
    if let Some(members) = &mut bundle.stack_sets[4].targets.members {
        members.accounts = compiler::AccountFilter::Except(vec!["012345678901".into()]);
    }
    cloud.take_calls();
    assert_eq!(deploy(&cloud, &bundle).await.outcome(), ApplyOutcome::Done);
    assert_eq!(
        cloud.take_calls(),
        ["delete 2 of gizmos-rules-spoke in 1 accounts"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_unwanted_region_or_unit_is_removed_as_a_whole() {
    let cloud = Fake::new();
    let mut bundle = bundle();
    let members = |bundle: &mut Bundle, units: &[&str], regions: &[&str]| {
        let members = bundle.stack_sets[4].targets.members.as_mut().unwrap();
        members.organizational_units = units.iter().map(|&unit| unit.to_owned()).collect();
        members.regions = regions.iter().map(|&region| region.to_owned()).collect();
    };
    let production = "ou-exmp-production";
    let development = "ou-exmp-development";
    members(
        &mut bundle,
        &[production, development],
        &[HOME, "us-east-1"],
    );
    deploy(&cloud, &bundle).await;
    members(&mut bundle, &[production], &[HOME]);
    cloud.take_calls();
    assert_eq!(deploy(&cloud, &bundle).await.outcome(), ApplyOutcome::Done);
    assert_eq!(
        cloud.take_calls(),
        [
            "delete 4 of gizmos-rules-spoke in 4 accounts",
            "delete 2 of gizmos-rules-spoke in 2 accounts",
        ]
    );
    assert_eq!(
        deploy(&cloud, &bundle).await.outcome(),
        ApplyOutcome::NothingToDo
    );
}

#[tokio::test(start_paused = true)]
async fn destroy_runs_in_reverse_order_and_removes_only_tagged_parts() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    let mut strange = cloud.state().sets["gizmos-bucket"].clone();
    strange.details.name = "gizmos-foreign".into();
    strange.details.tags.clear();
    cloud.state().sets.insert("gizmos-foreign".into(), strange);
    cloud.take_calls();
    let report = destroy(&cloud, &bundle(), &Silent).await.unwrap();
    assert_eq!(report.outcome(), ApplyOutcome::Done);
    let calls = cloud.take_calls();
    let order = [
        "delete gizmos-rules-spoke",
        "delete gizmos-rules-hub",
        "delete gizmos-topic",
        "delete stack gizmos-trail in eu-central-1",
        "delete gizmos-bucket",
    ];
    let found: Vec<usize> = order.iter().map(|call| position(&calls, call)).collect();
    assert!(found.is_sorted(), "{calls:#?}");
    let left: Vec<String> = cloud.state().sets.keys().cloned().collect();
    assert_eq!(left, ["gizmos-foreign"]);
    assert!(cloud.state().stacks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn removing_many_instances_requires_allow_delete() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    let mut smaller = bundle();
    smaller.stack_sets.pop();
    cloud.take_calls();
    let observed = observe(&cloud, &smaller).await.unwrap();
    let plan = plan(&smaller, &observed);
    let report = apply(&cloud, &smaller, &plan, &Silent).await.unwrap();
    assert_eq!(report.outcome(), ApplyOutcome::Blocked);
    assert_eq!(report.problems[0].kind, ProblemKind::TooManyRemovals);
    assert_eq!(cloud.take_calls(), [""; 0]);
    assert_eq!(deploy(&cloud, &smaller).await.outcome(), ApplyOutcome::Done);
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_removed_from_an_account_that_has_moved_away() {
    let cloud = Fake::new();
    let mut bundle = bundle();
    if let Some(members) = &mut bundle.stack_sets[4].targets.members {
        members.organizational_units = vec!["ou-exmp-production".into()];
    }
    deploy(&cloud, &bundle).await;
    let moved = "100000000002";
    {
        let mut state = cloud.state();
        let account = state.accounts.iter_mut().find(|it| it.id == moved).unwrap();
        account.path = vec!["r-exmp".into(), "ou-exmp-elsewhere".into()];
        let set = state.sets.get_mut("gizmos-rules-spoke").unwrap();
        for instance in set.instances.values_mut() {
            instance.organizational_unit = Some("ou-exmp-production".into());
        }
    }
    let report = deploy(&cloud, &bundle).await;
    assert_eq!(report.outcome(), ApplyOutcome::Done);
    let left = cloud.state().sets["gizmos-rules-spoke"]
        .instances
        .keys()
        .any(|location| location.account == moved);
    assert!(!left);
}

#[tokio::test(start_paused = true)]
async fn instances_in_a_disabled_region_stay_and_so_does_their_stack_set() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    cloud.state().enabled_regions = Some(vec![HOME.into()]);
    let mut smaller = bundle();
    smaller.stack_sets.pop();
    cloud.take_calls();
    let report = deploy(&cloud, &smaller).await;
    assert_eq!(report.outcome(), ApplyOutcome::Failed);
    let spoke = of(&report, "gizmos-rules-spoke");
    let PartOutcome::Failed { reason } = &spoke.outcome else {
        panic!("{:?}", spoke.outcome)
    };
    assert!(reason.contains("us-east-1 is not enabled"), "{reason}");
    assert_eq!(spoke.blocked.len(), 6);
    let left: Vec<String> = cloud.state().sets["gizmos-rules-spoke"]
        .instances
        .keys()
        .map(|location| location.region.clone())
        .collect();
    assert_eq!(left, ["us-east-1"; 6]);

    cloud.state().enabled_regions = None;
    assert_eq!(deploy(&cloud, &smaller).await.outcome(), ApplyOutcome::Done);
    assert!(!cloud.state().sets.contains_key("gizmos-rules-spoke"));
}

#[tokio::test(start_paused = true)]
async fn removing_a_unit_keeps_accounts_that_moved_out_of_it() {
    const DEVELOPMENT: &str = "ou-exmp-development";
    let cloud = Fake::new();
    let mut bundle = bundle();
    let target = |bundle: &mut Bundle, units: &[&str]| {
        let members = bundle.stack_sets[4].targets.members.as_mut().unwrap();
        members.organizational_units = units.iter().map(|&unit| unit.to_owned()).collect();
    };
    target(&mut bundle, &["ou-exmp-production", DEVELOPMENT]);
    deploy(&cloud, &bundle).await;
    let moved = "100000000002";
    {
        // The account was in development, and automatic deployment hasn't moved its instances yet.
        let mut state = cloud.state();
        let set = state.sets.get_mut("gizmos-rules-spoke").unwrap();
        for (location, instance) in &mut set.instances {
            if location.account == moved {
                instance.organizational_unit = Some(DEVELOPMENT.into());
            }
        }
    }
    target(&mut bundle, &["ou-exmp-production"]);
    assert_eq!(deploy(&cloud, &bundle).await.outcome(), ApplyOutcome::Done);
    let state = cloud.state();
    let instances = &state.sets["gizmos-rules-spoke"].instances;
    let kept = instances
        .keys()
        .filter(|location| location.account == moved);
    assert_eq!(kept.count(), 2);
    let accounts = state.accounts.iter();
    let gone = accounts.filter(|account| account.is_under(DEVELOPMENT));
    for account in gone {
        assert!(
            !instances
                .keys()
                .any(|location| location.account == account.id)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_own_trail_is_not_removed_for_one_that_stops_during_the_deployment() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    let mut adopted = bundle();
    let arn = format!("arn:aws:cloudtrail:{HOME}:{MANAGEMENT}:trail/audit");
    adopted.organization.trail = Trail::Existing(ExistingTrail { arn, bucket: None });
    let own = ["gizmos-bucket", "gizmos-trail"];
    adopted
        .stack_sets
        .retain(|set| !own.contains(&set.name.as_str()));
    let trail = |logging| {
        Some(TrailStatus {
            arn: "arn:trail".into(),
            key: None,
            bucket: None,
            selectors: EventSelectors::default(),
            logging,
            multi_region: true,
            global_services: true,
            organization: true,
            log_file_validation: true,
            delivery_error: None,
        })
    };
    cloud.state().trail = trail(false);
    cloud.take_calls();
    let report = deploy(&cloud, &adopted).await;
    for name in own {
        let PartOutcome::Skipped { reason } = &of(&report, name).outcome else {
            panic!("{report:#?}")
        };
        assert!(reason.contains("the trail is not logging"), "{reason}");
    }
    assert_eq!(cloud.take_calls(), [""; 0]);

    cloud.state().trail = trail(true);
    let report = deploy(&cloud, &adopted).await;
    assert_eq!(report.outcome(), ApplyOutcome::Done);
    let calls = cloud.take_calls();
    let last = |name: &str| calls.iter().rposition(|call| call.contains(name)).unwrap();
    assert!(last("gizmos-trail") < last("gizmos-bucket"), "{calls:?}");
}
