use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::*;
use crate::Silent;
use crate::fake::{Fake, bundle};
use crate::ports::QueueMessage;

fn options() -> ProofOptions {
    ProofOptions {
        scope: Scope::default(),
        sample: None,
        cloudtrail: false,
        secret: [7; 32],
    }
}

async fn proof(cloud: &Fake, options: &ProofOptions) -> ProofReport {
    prove(cloud, &bundle(), options, &Silent).await.unwrap()
}

fn message(body: &str, sent: Duration) -> QueueMessage {
    QueueMessage {
        receipt: body.to_owned(),
        body: body.to_owned(),
        attributes: BTreeMap::new(),
        sent: Some(SystemTime::UNIX_EPOCH + sent),
    }
}

#[tokio::test(start_paused = true)]
async fn every_location_whose_canary_arrives_is_proven_up_to_the_queue() {
    let cloud = Fake::new();
    let report = proof(&cloud, &options()).await;
    assert!(report.sent > 10, "{}", report.sent);
    for row in &report.locations {
        for link in [Link::Forwarding, Link::Alerting] {
            assert_eq!(row.state(link), LinkState::Works, "{row:?}");
        }
        assert_eq!(row.state(Link::CloudTrail), LinkState::NotProven);
    }
    assert_eq!(cloud.state().messages, []);
}

#[tokio::test(start_paused = true)]
async fn a_nonce_counts_only_for_its_own_account_and_region() {
    let cloud = Fake::new();
    let wrong = Location::new("012345678901", "us-east-1");
    cloud.state().misplaced.insert(wrong.clone());
    let report = proof(&cloud, &options()).await;
    let lost = report
        .locations
        .iter()
        .filter(|row| row.state(Link::Alerting) != LinkState::Works);
    let lost: Vec<&Location> = lost.map(|row| &row.location).collect();
    assert_eq!(lost, [&wrong]);
}

#[tokio::test(start_paused = true)]
async fn messages_of_other_runs_stay_until_nobody_can_wait_for_them() {
    let cloud = Fake::new();
    cloud.state().now = Duration::from_hours(1);
    let young = message("{\"nonce\": \"of another run\"}", Duration::from_mins(55));
    let old = message("not even JSON", Duration::from_mins(20));
    cloud.state().messages = vec![young.clone(), old];
    proof(&cloud, &options()).await;
    assert_eq!(cloud.state().messages, [young]);
}

#[tokio::test(start_paused = true)]
async fn a_sample_is_as_large_as_asked_and_another_secret_chooses_others() {
    let cloud = Fake::new();
    let sample = |secret| ProofOptions {
        sample: Some(3),
        secret,
        ..options()
    };
    let locations = |report: ProofReport| -> Vec<Location> {
        report
            .locations
            .into_iter()
            .map(|row| row.location)
            .collect()
    };
    let one = locations(proof(&cloud, &sample([1; 32])).await);
    assert_eq!(one.len(), 3);
    assert_eq!(one, locations(proof(&cloud, &sample([1; 32])).await));
    let others: Vec<Vec<Location>> = [2, 3, 4]
        .map(|byte| [byte; 32])
        .map(sample)
        .into_iter()
        .map(|options| {
            futures::executor::block_on(async { locations(proof(&cloud, &options).await) })
        })
        .collect();
    assert!(others.iter().any(|other| *other != one));
}
