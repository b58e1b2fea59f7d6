//! The scale case with a small organization.

use std::collections::BTreeSet;

#[test]
fn every_step_makes_few_redundant_calls() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut outcomes = Vec::new();
    let mut more_than_least = BTreeSet::new();
    let scale = runtime
        .block_on(campaign::scale(24, 2, &mut |step| {
            outcomes.push((step.name, step.outcome.clone()));
            for (action, calls) in &step.calls {
                if calls.least.is_some_and(|least| calls.made > least) {
                    more_than_least.insert(format!("{}: {action}", step.name));
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
    // The last outcome ends with what was settled.
    let words = |outcome: &'_ str| outcome.split(',').next().unwrap_or_default().to_owned();
    let outcomes: Vec<(&str, String)> = outcomes.iter().map(|(a, b)| (*a, words(b))).collect();
    let outcomes: Vec<(&str, &str)> = outcomes.iter().map(|(a, b)| (*a, b.as_str())).collect();
    assert_eq!(
        outcomes,
        [
            ("plan", "54 instances to add"),
            ("deploy", "Done"),
            ("plan again", "empty: true"),
            ("deploy again", "NothingToDo"),
            ("drift", "InSync"),
        ]
    );
    assert_eq!(scale.accounts, 24);
    // A deployment reads its result again. Drift detection reads its operations again, the instances
    // by drift status, and the targets that CloudFormation reports falsely. The caller's identity is
    // read once for the connection and once for the plan, Regions once for the caller and once to
    // see whether members can be asked for theirs.
    assert_eq!(
        Vec::from_iter(more_than_least),
        [
            "deploy again: account:ListRegions",
            "deploy again: sts:GetCallerIdentity",
            "deploy: account:ListRegions",
            "deploy: cloudformation:DescribeStackSet",
            "drift: account:ListRegions",
            "drift: cloudformation:ListStackInstances",
            "drift: cloudformation:ListStackSetOperations",
            "drift: events:ListTargetsByRule",
            "drift: sts:GetCallerIdentity",
            "plan again: account:ListRegions",
            "plan again: sts:GetCallerIdentity",
            "plan: account:ListRegions",
            "plan: sts:GetCallerIdentity",
        ]
    );
}
