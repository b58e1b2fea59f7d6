//! Rules stay in the stack sets that carry them.

use std::collections::{BTreeMap, BTreeSet};

use compiler::organization::Organization;
use compiler::{Bundle, Part, Placement, compile_onto};
use proptest::prelude::*;
use rules::{Message, Rule};

use crate::support::{api_rule, bundle, example, local, templates};

/// A rule with a message of about this many bytes.
fn sized(number: usize, bytes: usize) -> Rule {
    let id = format!("rule-{number:03}");
    Rule {
        message: Some(Message {
            input_paths: [("account".to_owned(), "$.account".to_owned())].into(),
            input_template: format!(
                r#"{{"alert": "{}", "account": <account>}}"#,
                "x".repeat(bytes)
            ),
        }),
        ..api_rule(&id, "s3", &format!("Put{number}"))
    }
}

fn placement(bundle: &Bundle) -> Placement {
    let mut placement = Placement::default();
    for set in &bundle.stack_sets {
        placement.add(&set.name, &set.template);
    }
    placement
}

fn onto(rules: &[Rule], organization: &Organization, before: &Bundle) -> Bundle {
    let (bundle, diagnostics) = compile_onto(rules, organization, &templates(), &placement(before));
    assert_eq!(diagnostics, []);
    bundle.unwrap()
}

/// The detections' stack sets, by rule.
fn homes(bundle: &Bundle) -> BTreeMap<String, String> {
    let sets = bundle.stack_sets.iter();
    sets.filter(|set| matches!(set.part, Part::RulesHub | Part::RulesLocal))
        .flat_map(|set| {
            let rules = set.rules.values().flatten();
            rules.map(|rule| (rule.clone(), set.name.clone()))
        })
        .collect()
}

#[test]
fn a_rule_that_comes_or_goes_touches_one_stack_set() {
    for organization in [example(), local()] {
        let rules: Vec<Rule> = (1..60).map(|number| sized(number, 4_000)).collect();
        let before = bundle(&rules, &organization);
        assert!(homes(&before).values().collect::<BTreeSet<_>>().len() > 3);

        let mut more = rules.clone();
        more.push(sized(0, 4_000));
        let after = onto(&more, &organization, &before);
        let changed = touched(&before, &after);
        assert_eq!(changed.len(), 1, "{changed:?}");

        let after = onto(&rules[1..], &organization, &before);
        let changed = touched(&before, &after);
        assert_eq!(changed.len(), 1, "{changed:?}");
    }
}

/// Detections' stack sets that differ in anything.
fn touched(before: &Bundle, after: &Bundle) -> Vec<String> {
    let sets = after.stack_sets.iter();
    sets.filter(|set| matches!(set.part, Part::RulesHub | Part::RulesLocal))
        .filter(|set| !before.stack_sets.contains(set))
        .map(|set| set.name.clone())
        .collect()
}

#[test]
fn a_similar_id_replaces_no_other_rules_resources() {
    let rules = [api_rule("a-1b", "s3", "PutBucketAcl")];
    let before = bundle(&rules, &example());
    let mut more = rules.to_vec();
    more.push(api_rule("a1b", "s3", "DeleteBucket"));
    let after = onto(&more, &example(), &before);
    let ids = |bundle: &Bundle| {
        let hub = bundle
            .stack_sets
            .iter()
            .find(|it| it.part == Part::RulesHub);
        hub.unwrap().rules.clone()
    };
    let old = ids(&before);
    let (id, _) = old.iter().next().unwrap();
    assert_eq!(ids(&after)[id], ["a-1b"]);
    assert_eq!(ids(&after).len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is edited, each rule is in one stack set, within its limit; what moves, moves into
    /// a stack set that gives nothing; and compiling again changes nothing.
    #[test]
    fn edits_move_as_few_rules_as_possible(
        before in proptest::collection::btree_map(0_usize..60, 100_usize..7_000, 1..40),
        after in proptest::collection::btree_map(0_usize..60, 100_usize..7_000, 1..40),
    ) {
        let rules = |sizes: &BTreeMap<usize, usize>| -> Vec<Rule> {
            sizes.iter().map(|(number, bytes)| sized(*number, *bytes)).collect()
        };
        let old = bundle(&rules(&before), &example());
        let new = onto(&rules(&after), &example(), &old);
        let (old_homes, new_homes) = (homes(&old), homes(&new));
        prop_assert_eq!(new_homes.len(), after.len());
        for set in &new.stack_sets {
            prop_assert!(set.template.len() <= 51_200);
        }
        let moved: Vec<(&String, &String)> = new_homes
            .iter()
            .filter_map(|(rule, to)| Some((old_homes.get(rule).filter(|from| *from != to)?, to)))
            .collect();
        for (from, _) in &moved {
            prop_assert!(moved.iter().all(|(_, to)| to != from), "{moved:?}");
        }
        prop_assert_eq!(&onto(&rules(&after), &example(), &new), &new);
    }
}
