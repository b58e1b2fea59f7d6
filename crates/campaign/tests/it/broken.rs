//! Deployers with one deliberate fault: each must violate exactly the invariant that covers it.

use std::time::Duration;

use aws::Aws;
use campaign::{Deployer, Invariant, Product, campaign};
use compiler::{Bundle, INSTALLATION_TAG};
use deployer::apply::{InstanceFailure, PartOutcome};
use deployer::ports::{
    AccountSelection, ConcurrencyMode, DeploymentTargets, InstanceRequest, Location, Pause,
    Preferences, RegionConcurrency, StackSets, Tolerance,
};
use deployer::{ApplyOutcome, ApplyReport, DeployError, DriftReport};
use futures::future::LocalBoxFuture;

/// Maximum seeds to try until a fault shows.
const SEEDS: u64 = 60;

/// The product's deployer, followed by one fault.
#[derive(Clone, Copy)]
enum Fault {
    /// Drops all failures and reports failed parts as done.
    HidesFailures,
    /// Drops one failure per part.
    ForgetsOne,
    /// Reports a healthy location as failed.
    BlamesTheInnocent,
    /// Starts the same work again after it succeeded.
    StartsAgain,
    /// Deletes instances of a stack set of other owners.
    TakesOverOthers,
    /// Updates a fleet that has no differences.
    AlwaysUpdates,
    /// Drops the last difference of a drift check.
    OverlooksDrift,
    /// Says nothing of use about a difference.
    KnowsNoRemedy,
    /// Waits for something that never happens.
    NeverEnds,
}

impl Deployer for Fault {
    fn deploy<'a>(
        &'a self,
        cloud: &'a Aws,
        bundle: &'a Bundle,
        allow_delete: bool,
    ) -> LocalBoxFuture<'a, Result<ApplyReport, DeployError>> {
        Box::pin(async move {
            let report = Product.deploy(cloud, bundle, allow_delete).await?;
            Ok(self.spoil(cloud, bundle, report).await)
        })
    }

    fn drift<'a>(
        &'a self,
        cloud: &'a Aws,
        bundle: &'a Bundle,
    ) -> LocalBoxFuture<'a, Result<DriftReport, DeployError>> {
        Box::pin(async move {
            let mut report = Product.drift(cloud, bundle).await?;
            match self {
                Fault::OverlooksDrift => drop(report.differences.pop()),
                Fault::KnowsNoRemedy => {
                    let all = report.differences.iter_mut();
                    all.for_each(|it| it.fix = "ask somebody".into());
                }
                _ => {}
            }
            Ok(report)
        })
    }
}

impl Fault {
    async fn spoil(self, cloud: &Aws, bundle: &Bundle, mut report: ApplyReport) -> ApplyReport {
        match self {
            Fault::HidesFailures => {
                for part in &mut report.parts {
                    part.failures.clear();
                    part.unfinished.clear();
                    part.outcome = PartOutcome::Done;
                }
            }
            Fault::ForgetsOne => {
                for part in &mut report.parts {
                    part.failures.pop();
                }
            }
            Fault::BlamesTheInnocent => {
                let hub = &bundle.organization.accounts.log_archive;
                if let Some(part) = report
                    .parts
                    .iter_mut()
                    .find(|it| it.name == "gizmos-bucket")
                    && part.outcome == PartOutcome::Unchanged
                {
                    part.failures.push(InstanceFailure {
                        location: Location::new(hub, &bundle.organization.home_region),
                        status: "failed".to_owned(),
                        reason: "an example".to_owned(),
                        events: Vec::new(),
                    });
                    part.outcome = PartOutcome::Partial;
                }
            }
            Fault::StartsAgain => {
                if report.outcome() == ApplyOutcome::Done {
                    for attempt in ["again-1", "again-2"] {
                        let request = request(bundle, "gizmos-bucket", attempt);
                        cloud.update_instances(&request).await.unwrap_or_default();
                        cloud.pause(Duration::from_hours(1)).await;
                    }
                }
            }
            Fault::TakesOverOthers => {
                for set in cloud.list_stack_sets().await.unwrap_or_default() {
                    let found = cloud.describe_stack_set(&set.name).await;
                    if let Ok(Some(found)) = found
                        && !found.tags.contains_key(INSTALLATION_TAG)
                    {
                        let request = request(bundle, &set.name, "taken-over");
                        cloud.delete_instances(&request).await.unwrap_or_default();
                        cloud.pause(Duration::from_hours(1)).await;
                    }
                }
            }
            Fault::AlwaysUpdates => {
                if report.outcome() == ApplyOutcome::NothingToDo {
                    let request = request(bundle, "gizmos-bucket", "once-more");
                    cloud.update_instances(&request).await.unwrap_or_default();
                }
            }
            Fault::OverlooksDrift | Fault::KnowsNoRemedy => {}
            Fault::NeverEnds => loop {
                cloud.pause(Duration::from_hours(12)).await;
            },
        }
        report
    }
}

fn request(bundle: &Bundle, stack_set: &str, operation_id: &str) -> InstanceRequest {
    InstanceRequest {
        stack_set: stack_set.to_owned(),
        targets: DeploymentTargets {
            organizational_units: vec![bundle.organization.root.clone()],
            accounts: AccountSelection::Intersection(vec![
                bundle.organization.accounts.log_archive.clone(),
            ]),
        },
        regions: vec![bundle.organization.home_region.clone()],
        preferences: Preferences {
            region_concurrency: RegionConcurrency::Parallel,
            failure_tolerance: Tolerance::Percentage(100),
            max_concurrent: Tolerance::Percentage(100),
            mode: ConcurrencyMode::SoftFailureTolerance,
        },
        operation_id: operation_id.to_owned(),
        retain_stacks: false,
    }
}

fn is_caught(fault: Fault, invariant: Invariant) {
    let is_caught = |seed| campaign(seed, 1, 1, &fault, &|_, _| {}).broken(invariant) > 0;
    assert!((1..=SEEDS).any(is_caught), "the fault was not detected");
}

#[test]
fn a_hidden_failure_is_detected() {
    is_caught(Fault::HidesFailures, Invariant::NoFalseSuccess);
}

#[test]
fn a_forgotten_failure_is_detected() {
    is_caught(Fault::ForgetsOne, Invariant::EqualOrNamed);
}

#[test]
fn a_false_accusation_is_detected() {
    is_caught(Fault::BlamesTheInnocent, Invariant::EqualOrNamed);
}

#[test]
fn work_that_is_started_again_is_detected() {
    is_caught(Fault::StartsAgain, Invariant::StartedOnce);
}

#[test]
fn a_changed_stack_set_of_another_owner_is_detected() {
    is_caught(Fault::TakesOverOthers, Invariant::OnlyOurs);
}

#[test]
fn an_unnecessary_update_is_detected() {
    is_caught(Fault::AlwaysUpdates, Invariant::NothingToDo);
}

#[test]
fn overlooked_drift_is_detected() {
    is_caught(Fault::OverlooksDrift, Invariant::DriftFound);
}

#[test]
fn a_difference_without_a_remedy_is_detected() {
    is_caught(Fault::KnowsNoRemedy, Invariant::Repaired);
}

#[test]
fn a_deployer_that_never_ends_is_detected() {
    is_caught(Fault::NeverEnds, Invariant::Ends);
}
