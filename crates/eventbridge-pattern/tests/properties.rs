//! What must hold for any pattern and any event.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "in a test, a panic is the report"
)]

use eventbridge_pattern::transformer::{InputTransformer, Reserved};
use eventbridge_pattern::union::{pack, single};
use eventbridge_pattern::{Event, Implication, Pattern, RuleSet, Scratch};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const NAMES: [&str; 6] = ["a", "b", "c", "source", "prefix", "a.b"];
const TEXTS: [&str; 8] = ["x", "xy", "X", "aws.s3", "10.0.0.1", "", "a*b", "ß"];

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(&TEXTS[..]).prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => text().prop_map(Value::from),
        2 => (0..4).prop_map(Value::from),
        1 => Just(json!(1.5)),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

fn term() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => scalar(),
        1 => text().prop_map(|text| json!({"prefix": text})),
        1 => text().prop_map(|text| json!({"suffix": text})),
        1 => text().prop_map(|text| json!({"equals-ignore-case": text})),
        1 => Just(json!({"wildcard": "*x*"})),
        1 => Just(json!({"cidr": "10.0.0.0/8"})),
        1 => (0..4).prop_map(|low| json!({"numeric": [">=", low]})),
        1 => any::<bool>().prop_map(|exists| json!({"exists": exists})),
        1 => text().prop_map(|text| json!({"anything-but": [text]})),
        1 => Just(json!({"anything-but": 1})),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(&NAMES[..]).prop_map(str::to_owned)
}

fn list() -> impl Strategy<Value = Value> {
    prop::collection::vec(term(), 1..3).prop_map(Value::from)
}

/// A pattern as JSON; it may be one that is refused.
fn pattern_value() -> impl Strategy<Value = Value> {
    let object = |member: BoxedStrategy<Value>| {
        prop::collection::vec((name(), member), 1..3)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    };
    let member = list().boxed().prop_recursive(
        2,
        8,
        3,
        move |inner| prop_oneof![2 => list(), 1 => object(inner)],
    );
    let plain = object(member.boxed()).boxed();
    let branches = prop::collection::vec(plain.clone(), 2..4);
    (plain, prop::option::weighted(0.4, branches)).prop_map(|(mut plain, branches)| {
        if let Some(branches) = branches {
            plain["$or"] = Value::from(branches);
        }
        plain
    })
}

fn pattern() -> impl Strategy<Value = Pattern> {
    pattern_value().prop_filter_map("refused", |value| Pattern::parse(&value.to_string()).ok())
}

fn event() -> impl Strategy<Value = String> {
    let value = scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..4)
                .prop_map(|members| members.into_iter().collect()),
        ]
    });
    prop::collection::vec((name(), value), 1..5)
        .prop_map(|members| Value::Object(members.into_iter().collect()).to_string())
}

fn matches(pattern: &Pattern, event: &Event) -> bool {
    pattern.matches(event).expect("little work")
}

fn matched_alone(patterns: &[Pattern], event: &str) -> BTreeSet<usize> {
    let event = Event::parse(event).expect("an object");
    (0..patterns.len())
        .filter(|index| matches(&patterns[*index], &event))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_set_agrees_with_its_patterns(
        patterns in prop::collection::vec(pattern(), 1..8),
        events in prop::collection::vec(event(), 1..6),
    ) {
        let set = patterns.iter().enumerate().fold(RuleSet::builder(), |set, (id, pattern)| set.add(id, pattern)).build();
        let mut scratch = Scratch::default();
        for event in &events {
            let together: BTreeSet<usize> = set.matches(event.as_bytes(), &mut scratch).expect("an object").decided().expect("little work").iter().copied().collect();
            let alone = matched_alone(&patterns, event);
            prop_assert_eq!(&together, &alone, "{}", event);
            // Keys near the end aren't guessed: with the end far away, all are, but the first time.
            let roomy = format!("{event}{}", " ".repeat(64));
            for _ in 0..2 {
                let again: BTreeSet<usize> = set.matches(roomy.as_bytes(), &mut scratch).expect("an object").decided().expect("little work").iter().copied().collect();
                prop_assert_eq!(&again, &alone, "{}", event);
            }
        }
    }

    #[test]
    fn an_explanation_agrees_with_the_matcher(pattern in pattern(), events in prop::collection::vec(event(), 1..8)) {
        for event in &events {
            let event = Event::parse(event).expect("an object");
            let explanation = pattern.explain(&event).expect("little work");
            prop_assert_eq!(explanation.matches, matches(&pattern, &event));
            prop_assert_eq!(explanation.matches, explanation.alternatives.iter().any(|it| it.matches));
            for alternative in &explanation.alternatives {
                let failures = alternative.failures().count();
                prop_assert!(!alternative.matches || failures == 0);
                prop_assert_eq!(alternative.is_split_over_elements, !alternative.matches && failures == 0);
                // A field stands for what a pattern of it alone says.
                for field in &alternative.fields {
                    let name = Value::from(field.path.as_str());
                    let alone = format!("{{{name}: [{}]}}", field.wanted.join(","));
                    let alone = Pattern::parse(&alone).expect("a part of a pattern is one");
                    prop_assert_eq!(field.is_satisfied, matches(&alone, &event), "{:?}", field);
                }
            }
        }
    }

    #[test]
    fn a_packed_union_is_exactly_the_union(
        patterns in prop::collection::vec(pattern(), 1..8),
        events in prop::collection::vec(event(), 1..12),
        max_chars in prop::sample::select(&[120_usize, 400, 2048][..]),
    ) {
        let inputs: Vec<&Pattern> = patterns.iter().filter(|p| p.text().chars().count() <= max_chars).collect();
        let packed = pack(&inputs, max_chars).expect("each input fits");
        let served: BTreeSet<usize> = packed.iter().flat_map(|packed| packed.members.iter().copied()).collect();
        prop_assert_eq!(served.len(), inputs.len());
        for result in &packed {
            prop_assert!(result.pattern.text().chars().count() <= max_chars);
        }
        let alone = single(&inputs, max_chars);
        prop_assert!(alone.is_some() || packed.len() != 1);
        for event in &events {
            let parsed = Event::parse(event).expect("an object");
            let one = inputs.iter().any(|pattern| matches(pattern, &parsed));
            let other = packed.iter().any(|packed| matches(&packed.pattern, &parsed));
            prop_assert_eq!(one, other, "{}", event);
            if let Some(alone) = &alone {
                prop_assert_eq!(one, matches(alone, &parsed), "{}", event);
            }
        }
        let mut reversed = inputs.clone();
        reversed.reverse();
        let again: Vec<Pattern> = pack(&reversed, max_chars).expect("each input fits").into_iter().map(|p| p.pattern).collect();
        prop_assert_eq!(packed.into_iter().map(|p| p.pattern).collect::<Vec<_>>(), again);
    }

    #[test]
    fn an_implied_pattern_matches_all_that_the_implying_one_does(
        wide in pattern(), narrow in pattern(), events in prop::collection::vec(event(), 1..12),
    ) {
        match narrow.implies(&wide) {
            Implication::Yes => {
                for event in &events {
                    let event = Event::parse(event).expect("an object");
                    prop_assert!(matches(&wide, &event) || !matches(&narrow, &event));
                }
            }
            Implication::No { event } => {
                let event = Event::parse(&event).expect("an object");
                prop_assert!(matches(&narrow, &event) && !matches(&wide, &event));
            }
            Implication::Unknown => {}
        }
        prop_assert!(narrow.implies(&narrow).is_yes());
        if wide.canonical() == narrow.canonical() {
            for event in &events {
                let event = Event::parse(event).expect("an object");
                prop_assert_eq!(matches(&wide, &event), matches(&narrow, &event));
            }
        }
    }

    #[test]
    fn the_compact_text_is_the_pattern(value in pattern_value(), events in prop::collection::vec(event(), 1..4)) {
        let spaced = serde_json::to_string_pretty(&value).expect("JSON");
        if let Ok(pattern) = Pattern::parse(&spaced) {
            let again = Pattern::parse(pattern.text()).expect("accepted before");
            prop_assert_eq!(again.text(), pattern.text());
            for event in &events {
                let event = Event::parse(event).expect("an object");
                prop_assert_eq!(matches(&again, &event), matches(&pattern, &event));
            }
        }
    }

    #[test]
    fn no_text_makes_the_parsers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".*") {
        let lossy = String::from_utf8_lossy(&bytes);
        for text in [lossy.as_ref(), &text] {
            let _refused = Pattern::parse(text).is_err();
            let _unreadable = Event::parse(text).is_err();
        }
        let _unreadable = RuleSet::default().matches(&bytes, &mut Scratch::default()).is_err();
    }

    #[test]
    fn no_broken_pattern_makes_the_parser_panic(value in pattern_value(), at in any::<prop::sample::Index>(), c in any::<char>()) {
        let mut chars: Vec<char> = value.to_string().chars().collect();
        let at = at.index(chars.len());
        chars[at] = c;
        let text: String = chars.into_iter().collect();
        if let Err(error) = Pattern::parse(&text) {
            prop_assert!(error.offset <= text.len() && text.is_char_boundary(error.offset));
            prop_assert!(error.line >= 1 && error.column >= 1);
        }
    }

    #[test]
    fn an_object_template_with_bare_placeholders_is_always_delivered(text in ".*", event in event()) {
        let paths = BTreeMap::from([
            ("x".to_owned(), "$.detail.x".to_owned()),
            ("all".to_owned(), "$".to_owned()),
            ("none".to_owned(), "$.nowhere".to_owned()),
        ]);
        let template = r#"{"x": <x>, "list": [<x>, <none>], "all": <all>, "event": <aws.events.event>, "rule": <aws.events.rule-name>}"#;
        let transformer = InputTransformer::new(&paths, template).expect("accepted");
        let reserved = Reserved { rule_name: text.clone(), ..Reserved::default() };
        let mut event: Value = serde_json::from_str(&event).expect("JSON");
        event["detail"] = json!({ "x": text });
        let body = transformer.render(&event.to_string(), &reserved).expect("deliverable");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        prop_assert_eq!(&body["x"], &Value::from(text));
        prop_assert_eq!(&body["list"][1], &Value::from(""));
        prop_assert_eq!(&body["all"], &event);
    }
}
