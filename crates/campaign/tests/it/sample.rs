//! Fixed seeds, about half a minute's worth.

use campaign::{Product, campaign};

#[test]
fn every_invariant_holds_in_a_sample_of_runs() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let outcome = campaign(1, 22, threads, &Product, &|_, _| {});
    assert!(outcome.failures.is_empty(), "{outcome}");
    assert!(outcome.counts.kills >= 25, "{outcome}");
    assert!(outcome.counts.mutating > 0, "{outcome}");
    assert!(outcome.counts.tampering.len() >= 15, "{outcome}");
}

#[test]
fn a_seed_replays() {
    let once = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(campaign::run(2, &Product)).unwrap()
    };
    let (first, second) = (once(), once());
    assert_eq!(first.story, second.story);
    assert_eq!(first.counts.calls, second.counts.calls);
    assert_eq!(first.counts.virtual_seconds, second.counts.virtual_seconds);
}
