//! The scale case, with a small organization.

use std::collections::BTreeMap;

#[test]
fn every_step_does_what_it_says_with_the_least_calls() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut outcomes = Vec::new();
    let mut wasted = BTreeMap::new();
    let scale = runtime
        .block_on(campaign::scale(24, 2, &mut |step| {
            outcomes.push((step.name, step.outcome.clone()));
            for (action, calls) in &step.calls {
                if calls.least.is_some_and(|least| calls.made > least) {
                    wasted.insert((step.name, action.clone()), (calls.made, calls.least));
                }
                assert!(
                    calls.least.is_none_or(|least| calls.made >= least),
                    "{}: {action} can't be complete with {} calls",
                    step.name,
                    calls.made
                );
            }
            assert!(!step.to_string().is_empty());
            Ok(())
        }))
        .unwrap();
    let outcomes: Vec<(&str, &str)> = outcomes.iter().map(|(a, b)| (*a, b.as_str())).collect();
    assert_eq!(
        outcomes,
        [
            ("plan", "55 instances to add"),
            ("deploy", "Done"),
            ("plan again", "empty: true"),
            ("deploy again", "NothingToDo"),
            ("drift", "InSync"),
        ]
    );
    assert_eq!(scale.accounts, 24);
    assert_eq!(wasted, BTreeMap::new());
}
