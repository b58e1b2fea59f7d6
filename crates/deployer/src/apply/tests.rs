use std::sync::Mutex;

use super::*;
use crate::fake::{ARCHIVE, Fake, HOME, HUB, MANAGEMENT, bundle, rules_template};
use crate::ports::{AccountState, InstanceStatus, Pause, Place};
use crate::progress::{ProgressEvent, Silent};
use crate::{observe, observe_settled, plan};

async fn deploy(cloud: &Fake, bundle: &Bundle) -> ApplyReport {
    let observed = observe(cloud, bundle).await.unwrap();
    let options = Options {
        allow_delete: true,
        ..Options::default()
    };
    apply_with(cloud, bundle, &plan(bundle, &observed), &Silent, options)
        .await
        .unwrap()
}

fn of<'a>(report: &'a ApplyReport, name: &str) -> &'a PartReport {
    report.parts.iter().find(|part| part.name == name).unwrap()
}

fn position(calls: &[String], call: &str) -> usize {
    calls
        .iter()
        .position(|found| found == call)
        .unwrap_or_else(|| panic!("no call {call:?} in {calls:#?}"))
}

#[tokio::test(start_paused = true)]
async fn parts_are_deployed_after_what_they_depend_on_and_canaries_first() {
    let cloud = Fake::new();
    let report = deploy(&cloud, &bundle()).await;
    assert_eq!(report.outcome(), ApplyOutcome::Done);
    let calls = cloud.take_calls();
    let order = [
        "create gizmos-topic",
        "create 1 of gizmos-topic in 1 accounts",
        "create gizmos-rules-hub",
        "create 1 of gizmos-rules-hub in 1 accounts",
        "create gizmos-rules-spoke",
        "create 4 of gizmos-rules-spoke in 2 accounts",
        "create 8 of gizmos-rules-spoke in 4 accounts",
        "change gizmos-rules-spoke in us-east-1",
    ];
    let found: Vec<usize> = order.iter().map(|call| position(&calls, call)).collect();
    assert!(found.is_sorted(), "{calls:#?}");
    assert!(
        position(&calls, "create 1 of gizmos-bucket in 1 accounts")
            < position(&calls, "change gizmos-trail in eu-central-1")
    );
    let summary = report.summary();
    assert_eq!((summary.changed, summary.instances_succeeded), (7, 18));
    assert_eq!(summary.instances_failed, 0);
}

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
async fn one_instance_that_failed_is_retried_alone() {
    let cloud = Fake::new();
    let mut bundle = bundle();
    bundle.stack_sets[4]
        .parameters
        .insert("Bus".into(), "gizmos".into());
    deploy(&cloud, &bundle).await;
    let place = Place::new("100000000002", "us-east-1");
    let mut spoke = cloud.state().sets["gizmos-rules-spoke"].clone();
    spoke.instances.get_mut(&place).unwrap().status = InstanceStatus::Outdated;
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
async fn a_failing_canary_stops_the_later_waves_and_is_explained() {
    let cloud = Fake::new();
    let place = Place::new("100000000006", "us-east-1");
    let key = ("gizmos-rules-spoke".to_owned(), place.clone());
    cloud.state().failing.insert(key.clone());
    let report = deploy(&cloud, &bundle()).await;
    assert_eq!(report.outcome(), ApplyOutcome::Failed);
    let spoke = of(&report, "gizmos-rules-spoke");
    assert_eq!(spoke.operations.len(), 1);
    assert_eq!(spoke.failures.len(), 1);
    assert_eq!(spoke.failures[0].place, place);
    assert_eq!(
        spoke.failures[0].events[0].reason,
        "quota of rules exceeded"
    );
    assert!(matches!(&spoke.outcome, PartOutcome::Failed { reason } if reason.contains("canary")));
    // The management account's stacks wait, everything before was done.
    let stack = report
        .parts
        .iter()
        .find(|part| part.place == Some(Place::new(MANAGEMENT, "us-east-1")));
    assert!(matches!(
        stack.unwrap().outcome,
        PartOutcome::Skipped { .. }
    ));
    assert_eq!(of(&report, "gizmos-rules-hub").outcome, PartOutcome::Done);

    // Once the cause is gone, running again does the rest, under a new operation id.
    cloud.state().failing.remove(&key);
    let again = deploy(&cloud, &bundle()).await;
    assert_eq!(again.outcome(), ApplyOutcome::Done);
    let observed = observe(&cloud, &bundle()).await.unwrap();
    assert!(plan(&bundle(), &observed).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_same_operation_can_fail_again_and_again() {
    let cloud = Fake::new();
    let key = ("gizmos-bucket".to_owned(), Place::new(ARCHIVE, HOME));
    cloud.state().failing.insert(key.clone());
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
async fn what_is_independent_of_a_failure_goes_on() {
    let cloud = Fake::new();
    let hub = Place::new(HUB, HOME);
    cloud.state().failing.insert(("gizmos-topic".into(), hub));
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
async fn a_killed_run_is_taken_up_where_it_was() {
    let cloud = Fake::new();
    let bundle = bundle();
    let observed = observe(&cloud, &bundle).await.unwrap();
    let plan_before = plan(&bundle, &observed);
    // Killed while the first operations run.
    let killed = tokio::time::timeout(
        Duration::from_secs(20),
        apply(&cloud, &bundle, &plan_before, &Silent),
    )
    .await;
    assert!(killed.is_err());
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
async fn somebody_elses_operation_is_waited_for() {
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
    let place = Place::new(MANAGEMENT, HOME);
    let key = ("gizmos-trail".to_owned(), place.clone());
    cloud.state().failing.insert(key.clone());
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
    let status = cloud.state().stacks[&(place, "gizmos-trail".to_owned())]
        .0
        .status
        .clone();
    assert_eq!(status, "CREATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_stack_set_is_left_alone() {
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
        PartOutcome::Failed { reason } if reason.contains("somebody else")));
    assert_eq!(cloud.take_calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn removal_comes_last_and_only_if_all_went_well() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    let mut smaller = bundle();
    smaller
        .stack_sets
        .retain(|set| set.name != "gizmos-rules-spoke");
    smaller.stack_sets[3].template = rules_template(&[("ec2-stopped", "aws.ec2")]).to_string();
    cloud
        .state()
        .failing
        .insert(("gizmos-rules-hub".into(), Place::new(HUB, HOME)));
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
            // The stack set must not keep a template that its instance refuses.
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
async fn a_region_or_unit_that_is_no_longer_wanted_goes_as_a_whole() {
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
async fn a_suspended_account_is_skipped_and_reported() {
    let cloud = Fake::new();
    cloud.state().accounts[3].state = AccountState::Suspended;
    let report = deploy(&cloud, &bundle()).await;
    assert_eq!(report.outcome(), ApplyOutcome::Done);
    let spoke = of(&report, "gizmos-rules-spoke");
    assert_eq!(spoke.blocked.len(), 2);
    assert_eq!(spoke.blocked[0].place.account, "012345678901");
}

#[tokio::test(start_paused = true)]
async fn destroy_goes_backwards_and_touches_only_what_is_ours() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    let mut strange = cloud.state().sets["gizmos-bucket"].clone();
    strange.details.name = "gizmos-of-somebody".into();
    strange.details.tags.clear();
    cloud
        .state()
        .sets
        .insert("gizmos-of-somebody".into(), strange);
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
    assert_eq!(left, ["gizmos-of-somebody"]);
    assert!(cloud.state().stacks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_plan_with_problems_is_not_begun() {
    let cloud = Fake::new();
    cloud.state().trusted = false;
    let report = deploy(&cloud, &bundle()).await;
    assert_eq!(report.outcome(), ApplyOutcome::Blocked);
    assert_eq!(cloud.take_calls(), [""; 0]);
}

#[derive(Default)]
struct Recorder(Mutex<Vec<ProgressEvent>>);

impl Progress for Recorder {
    fn report(&self, event: &ProgressEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// Deploys and returns everything that progress was told.
async fn told(cloud: &Fake, bundle: &Bundle) -> Vec<ProgressEvent> {
    let recorder = Recorder::default();
    let observed = observe(cloud, bundle).await.unwrap();
    apply(cloud, bundle, &plan(bundle, &observed), &recorder)
        .await
        .unwrap();
    recorder.0.into_inner().unwrap()
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
    assert_eq!(soaked(&told(&cloud, &bundle).await), 0);
    for set in &mut bundle.stack_sets {
        set.template = set
            .template
            .replacen('{', "{\"Description\": \"changed\",", 1);
    }
    assert_eq!(soaked(&told(&cloud, &bundle).await), 1);
}

#[tokio::test(start_paused = true)]
async fn progress_tells_of_every_operation() {
    let cloud = Fake::new();
    let events = told(&cloud, &bundle()).await;
    let count =
        |test: fn(&ProgressEvent) -> bool| events.iter().filter(|event| test(event)).count();
    assert_eq!(
        count(|e| matches!(e, ProgressEvent::OperationStarted { .. })),
        5
    );
    assert_eq!(
        count(|e| matches!(e, ProgressEvent::OperationFinished { .. })),
        5
    );
    assert_eq!(
        count(|e| matches!(
            e,
            ProgressEvent::StackFinished {
                succeeded: true,
                ..
            }
        )),
        3
    );
}

fn new_spoke(bundle: &mut Bundle) {
    bundle.stack_sets[4].template = r#"{"Resources": {"New": {}}}"#.into();
}

#[tokio::test(start_paused = true)]
async fn more_than_a_share_of_the_instances_is_only_removed_when_that_is_said() {
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
async fn a_failed_wave_returns_to_the_previous_template_and_the_rest_is_not_touched() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    let old = cloud.state().sets["gizmos-rules-spoke"]
        .details
        .template
        .clone();
    let mut changed = bundle();
    new_spoke(&mut changed);
    let place = Place::new("100000000006", "us-east-1");
    let key = ("gizmos-rules-spoke".to_owned(), place.clone());
    cloud.state().failing.insert(key);
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
    assert_eq!(
        cloud.state().sets["gizmos-rules-spoke"].details.template,
        old
    );
    let spoke = of(&report, "gizmos-rules-spoke");
    let PartOutcome::Failed { reason } = &spoke.outcome else {
        panic!("{:?}", spoke.outcome)
    };
    assert!(
        reason.starts_with("wave canary failed; 3 of its instances were returned"),
        "{reason}"
    );
    assert!(
        reason.ends_with("the later waves were not begun"),
        "{reason}"
    );
    // Every place that isn't as the bundle says is named: one failed, the others were left.
    assert!(spoke.failures.iter().all(|failure| failure.place == place));
    let left: usize = spoke.unfinished.iter().map(|it| it.places.len()).sum();
    assert_eq!(left, 11);
}

#[tokio::test(start_paused = true)]
async fn a_failed_wave_of_a_change_that_a_killed_run_began_stops_and_says_how_to_go_back() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    let mut changed = bundle();
    new_spoke(&mut changed);
    let place = Place::new("100000000006", "us-east-1");
    let key = ("gizmos-rules-spoke".to_owned(), place);
    cloud.state().failing.insert(key);
    let plan_before = plan(&changed, &observe(&cloud, &changed).await.unwrap());
    let killed = tokio::time::timeout(
        Duration::from_secs(20),
        apply(&cloud, &changed, &plan_before, &Silent),
    )
    .await;
    assert!(killed.is_err());
    assert_eq!(
        cloud.state().sets["gizmos-rules-spoke"].details.template,
        changed.stack_sets[4].template
    );
    let report = deploy_settled(&cloud, &changed).await;
    let spoke = of(&report, "gizmos-rules-spoke");
    let PartOutcome::Failed { reason } = &spoke.outcome else {
        panic!("{:?}", spoke.outcome)
    };
    assert!(reason.starts_with("wave canary failed"), "{reason}");
    assert!(reason.ends_with("deploy the commit before"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_somebody_stopped_is_not_gone_on_with() {
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

/// As `deploy`, by a run that follows another one too closely for the lists.
async fn deploy_settled(cloud: &Fake, bundle: &Bundle) -> ApplyReport {
    let observed = observe_settled(cloud, bundle).await.unwrap();
    apply(cloud, bundle, &plan(bundle, &observed), &Silent)
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_old_lists_still_call_missing_is_not_created_again() {
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
async fn what_old_lists_still_call_current_is_brought_into_line() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    cloud.state().lag = Duration::from_secs(20);
    let place = Place::new("100000000002", "us-east-1");
    let failing = ("gizmos-rules-spoke".to_owned(), place);
    cloud.state().failing.insert(failing.clone());
    let mut changed = bundle();
    changed.stack_sets[4].template = rules_template(&[("root-used", "aws.signin")]).to_string();
    let plan_before = plan(&changed, &observe(&cloud, &changed).await.unwrap());
    // Killed while its first operation runs: the stack set has its new template.
    let killed = tokio::time::timeout(
        Duration::from_secs(20),
        apply(&cloud, &changed, &plan_before, &Silent),
    )
    .await;
    assert!(killed.is_err());
    assert_eq!(
        cloud.state().sets["gizmos-rules-spoke"].details.template,
        changed.stack_sets[4].template
    );
    // It ends, and the lists haven't heard of it.
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
        .any(|place| place.account == moved);
    assert!(!left);
}

#[tokio::test(start_paused = true)]
async fn what_a_wave_has_created_is_not_returned_to_a_template_it_never_had() {
    let cloud = Fake::new();
    let mut first = bundle();
    if let Some(members) = &mut first.stack_sets[4].targets.members {
        members.accounts = compiler::AccountFilter::Except(vec!["100000000006".into()]);
    }
    deploy(&cloud, &first).await;
    let mut changed = bundle();
    changed.stack_sets[4].template = rules_template(&[("root-used", "aws.signin")]).to_string();
    for region in ["eu-central-1", "us-east-1"] {
        let place = Place::new("100000000006", region);
        let failing = ("gizmos-rules-spoke".to_owned(), place);
        cloud.state().failing.insert(failing);
    }
    cloud.take_calls();
    let report = deploy(&cloud, &changed).await;
    assert_eq!(report.outcome(), ApplyOutcome::Failed);
    // Of the wave's two accounts one had the rules before, and only that one returns.
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
async fn an_inoperable_instance_goes_with_its_stack_and_is_made_anew() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    let place = Place::new("100000000002", "us-east-1");
    cloud.state().break_instance("gizmos-rules-spoke", &place);
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

#[tokio::test(start_paused = true)]
async fn a_wave_after_which_the_chain_is_broken_returns_to_the_previous_template() {
    let cloud = Fake::new();
    deploy(&cloud, &bundle()).await;
    let trail = |logging| {
        Some(crate::ports::TrailStatus {
            logging,
            multi_region: true,
            organization: true,
            log_file_validation: true,
            delivery_error: None,
        })
    };
    cloud.state().trail = trail(true);
    let old = cloud.state().sets["gizmos-rules-spoke"]
        .details
        .template
        .clone();
    let mut changed = bundle();
    new_spoke(&mut changed);
    cloud.take_calls();
    // The canary wave takes a minute and soaks for ten.
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
    assert!(reason.contains("its 4 instances were returned"), "{reason}");
    assert_eq!(cloud.take_calls().len(), 2);
    assert_eq!(
        cloud.state().sets["gizmos-rules-spoke"].details.template,
        old
    );
}
