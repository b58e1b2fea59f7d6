use serde_json::{Value, json};

use super::rules::Rules;
use super::{Events, rule};

/// An event with nested arrays whose element combinations multiply, and a pattern that exceeds the
/// matcher's limit on it.
pub(crate) fn hostile() -> (String, Value) {
    let array = |x: usize| {
        let objects = vec![format!(r#"{{"x{x}":1,"z":1}}"#); 2_000];
        format!(r#""a":[{}]"#, objects.join(","))
    };
    let arrays: Vec<String> = (0..5).map(array).collect();
    let event = format!(r#"{{{},"source":"hostile"}}"#, arrays.join(","));
    let fields = json!({"x0": [1], "x1": [1], "x2": [1], "x3": [1], "z": [2, {"exists": false}]});
    (event, fields)
}

fn rules(events: &mut Events, patterns: &[(&str, Value)]) -> Rules {
    for (name, pattern) in patterns {
        let properties = [("EventPattern".to_owned(), pattern.clone())];
        let here = ("333344445555", "eu-central-1");
        let properties = properties.into_iter().collect();
        rule::put_rule(events, here, "default", name, properties).unwrap();
    }
    let bus = events.bus("333344445555", "eu-central-1", "default");
    bus.unwrap().rules.clone()
}

#[test]
fn event_matches_a_rule_that_exceeds_the_matchers_limit() {
    let (event, fields) = hostile();
    let mut events = Events::default();
    let mut rules = rules(
        &mut events,
        &[
            ("gives-up", json!({"a": fields})),
            ("matches", json!({"source": ["hostile"]})),
            ("misses", json!({"a": fields, "source": ["other"]})),
        ],
    );
    let ready = rules.ready();
    let matching = ready.matching(&event, &mut events.scratch).unwrap();
    let mut names: Vec<&str> = matching.iter().map(|rule| rule.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["gives-up", "matches"]);
}

#[test]
fn reading_a_rule_keeps_compiled_patterns() {
    let mut events = Events::default();
    let mut rules = rules(&mut events, &[("one", json!({"source": ["a"]}))]);
    let before = rules.ready();
    assert!(rules.get("one").is_some());
    assert!(std::sync::Arc::ptr_eq(&before, &rules.ready()));
    rules.get_mut("one");
    assert!(!std::sync::Arc::ptr_eq(&before, &rules.ready()));
}
