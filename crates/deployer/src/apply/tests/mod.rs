use std::sync::Mutex;

use super::*;
use crate::fake::{ARCHIVE, Fake, HOME, HUB, MANAGEMENT, bundle, rules_template};
use crate::ports::{AccountState, InstanceStatus, Location, Pause};
use crate::progress::{ProgressEvent, Silent};
use crate::{observe, observe_settled, plan};

mod removal;
mod rerun;
mod waves;

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

/// Like `deploy`, but starts so soon after another run that the lists are outdated.
async fn deploy_settled(cloud: &Fake, bundle: &Bundle) -> ApplyReport {
    let observed = observe_settled(cloud, bundle).await.unwrap();
    apply(cloud, bundle, &plan(bundle, &observed), &Silent)
        .await
        .unwrap()
}

fn of<'a>(report: &'a ApplyReport, name: &str) -> &'a PartReport {
    report.parts.iter().find(|part| part.name == name).unwrap()
}

/// Makes every operation at one location fail.
fn fail(cloud: &Fake, name: &str, account: &str, region: &str) {
    let location = Location::new(account, region);
    cloud.state().failing.insert((name.to_owned(), location));
}

/// A run that is killed while its first operations are still running.
async fn killed(cloud: &Fake, bundle: &Bundle) {
    let observed = observe(cloud, bundle).await.unwrap();
    let plan = plan(bundle, &observed);
    let run = apply(cloud, bundle, &plan, &Silent);
    let ended = tokio::time::timeout(Duration::from_secs(20), run).await;
    assert!(ended.is_err());
}

/// The template of the spokes' stack set.
fn spoke_template(cloud: &Fake) -> String {
    cloud.state().sets["gizmos-rules-spoke"]
        .details
        .template
        .clone()
}

fn position(calls: &[String], call: &str) -> usize {
    calls
        .iter()
        .position(|found| found == call)
        .unwrap_or_else(|| panic!("no call {call:?} in {calls:#?}"))
}

#[derive(Default)]
struct Recorder(Mutex<Vec<ProgressEvent>>);

impl Progress for Recorder {
    fn report(&self, event: &ProgressEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// Deploys and returns all progress events.
async fn progress_of(cloud: &Fake, bundle: &Bundle) -> Vec<ProgressEvent> {
    let recorder = Recorder::default();
    let observed = observe(cloud, bundle).await.unwrap();
    apply(cloud, bundle, &plan(bundle, &observed), &recorder)
        .await
        .unwrap();
    recorder.0.into_inner().unwrap()
}

fn new_spoke(bundle: &mut Bundle) {
    bundle.stack_sets[4].template = r#"{"Resources": {"New": {}}}"#.into();
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

/// Topics that admit a service's rules without a role, or only alarms.
fn topics_for(bundle: &mut Bundle, service: &str) {
    bundle.stack_sets[2].template = serde_json::json!({"Resources": {"Policy": {
        "Type": "AWS::SNS::TopicInlinePolicy",
        "Properties": {"PolicyDocument": {"Statement": [{
            "Effect": "Allow", "Principal": {"Service": service}, "Action": "sns:Publish",
        }]}},
    }}})
    .to_string();
}

fn detections_for(bundle: &mut Bundle, source: &str) {
    bundle.stack_sets[3].template = rules_template(&[("ec2-stopped", source)]).to_string();
}

#[tokio::test(start_paused = true)]
async fn permission_to_publish_is_withdrawn_after_the_detections_and_granted_before_them() {
    const TOPIC: &str = "update 1 of gizmos-topic in 1 accounts";
    const RULES: &str = "update 1 of gizmos-rules-hub in 1 accounts";
    let cloud = Fake::new();
    let mut bundle = bundle();
    topics_for(&mut bundle, "cloudwatch.amazonaws.com");
    deploy(&cloud, &bundle).await;
    for (service, source, order) in [
        ("events.amazonaws.com", "aws.a", [TOPIC, RULES]),
        ("cloudwatch.amazonaws.com", "aws.b", [RULES, TOPIC]),
    ] {
        topics_for(&mut bundle, service);
        detections_for(&mut bundle, source);
        cloud.take_calls();
        let report = deploy(&cloud, &bundle).await;
        assert_eq!(report.outcome(), ApplyOutcome::Done);
        let calls = cloud.take_calls();
        let found: Vec<usize> = order.iter().map(|call| position(&calls, call)).collect();
        assert!(found.is_sorted(), "{calls:#?}");
    }

    // While the detections can't be updated, the permission stays.
    topics_for(&mut bundle, "events.amazonaws.com");
    deploy(&cloud, &bundle).await;
    topics_for(&mut bundle, "cloudwatch.amazonaws.com");
    detections_for(&mut bundle, "aws.c");
    fail(&cloud, "gizmos-rules-hub", HUB, HOME);
    let report = deploy(&cloud, &bundle).await;
    assert_eq!(
        of(&report, "gizmos-topic").outcome,
        PartOutcome::Skipped {
            reason: "gizmos-rules-hub, which it depends on, failed".to_owned()
        }
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
    assert_eq!(spoke.blocked[0].location.account, "012345678901");
}

#[tokio::test(start_paused = true)]
async fn a_plan_with_problems_changes_nothing() {
    let cloud = Fake::new();
    cloud.state().trusted = false;
    let report = deploy(&cloud, &bundle()).await;
    assert_eq!(report.outcome(), ApplyOutcome::Blocked);
    assert_eq!(cloud.take_calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn progress_reports_every_operation() {
    let cloud = Fake::new();
    let events = progress_of(&cloud, &bundle()).await;
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
