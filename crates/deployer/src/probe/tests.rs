use super::*;

fn ages(days: &[u64]) -> Vec<Duration> {
    days.iter()
        .map(|days| Duration::from_hours(days * 24))
        .collect()
}

#[test]
fn probe_of_operations_needs_one_that_is_older_than_ninety_days() {
    assert_eq!(operations_seen(&ages(&[3, 120]), false).0, Some(0));
    assert_eq!(operations_seen(&ages(&[3]), false).0, None);
    assert_eq!(operations_seen(&[], false).0, None);
    assert_eq!(operations_seen(&[], true).0, Some(1));
}

#[test]
fn probe_of_sign_ins_names_regions_that_are_not_watched_and_those_that_are_closed() {
    let watched = BTreeSet::from(["us-east-1".to_owned()]);
    let some = || Ok(vec![Value::Null]);
    let closed = Err(CloudError::Invalid {
        message: "disabled".to_owned(),
    });
    let at = |region: &str, records| (region.to_owned(), records);
    let (answer, words) = sign_ins_seen(
        &[at("us-east-1", some()), at("us-west-2", closed)],
        &watched,
    );
    assert_eq!(answer, Some(0));
    assert!(
        words.contains("1 in us-east-1; us-west-2 can't be read"),
        "{words}"
    );
    let (answer, words) = sign_ins_seen(&[at("us-east-2", some())], &watched);
    assert_eq!(
        (answer, words.as_str()),
        (Some(1), "1 in us-east-2, which is not watched")
    );
    assert_eq!(
        sign_ins_seen(&[at("us-east-1", Ok(Vec::new()))], &watched).0,
        None
    );
}

/// The table and what is asked can't differ.
#[tokio::test(start_paused = true)]
async fn every_automatic_probe_is_asked_in_the_order_of_the_table() {
    use crate::fake::{Fake, bundle};
    use crate::proof::{ProofOptions, prove};
    use crate::{Scope, Silent};

    let (cloud, bundle) = (Fake::new(), bundle());
    let options = ProofOptions {
        scope: Scope::default(),
        sample: None,
        cloudtrail: false,
        secret: [7; 32],
    };
    let proof = prove(&cloud, &bundle, &options, &Silent).await.unwrap();
    let findings = ask(&cloud, &bundle, &proof, &Silent).await;
    let asked: Vec<&str> = findings.iter().map(|it| it.id).collect();
    let automatic = PROBES.iter().filter(|probe| probe.is_automatic);
    assert_eq!(asked, automatic.map(|probe| probe.id).collect::<Vec<_>>());
}
