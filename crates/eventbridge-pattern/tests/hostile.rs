//! Input made to hurt: answered, and soon.

#![expect(clippy::expect_used, reason = "in a test, a panic is the report")]

use std::time::{Duration, Instant};

use eventbridge_pattern::{Event, EventError, Limits, Pattern, PatternErrorKind, RuleSet};

fn soon<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{what} took {:?}",
        start.elapsed()
    );
    result
}

fn kind(text: &str) -> PatternErrorKind {
    Pattern::parse(text).expect_err("refused").kind
}

#[test]
fn nesting_is_bounded() {
    let deep = format!("{}[1]{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    assert_eq!(
        soon("a deep pattern", || kind(&deep)),
        PatternErrorKind::TooDeep
    );
    assert!(matches!(
        soon("a deep event", || Event::parse(&deep)),
        Err(EventError::TooDeep { .. })
    ));
    let arrays = format!(r#"{{"a":{}1{}}}"#, "[".repeat(998), "]".repeat(998));
    let pattern = Pattern::parse(r#"{"a":[1]}"#).expect("valid");
    assert!(pattern.matches(&Event::parse(&arrays).expect("within the limit")));
    let within = format!("{}[1]{}", r#"{"a":"#.repeat(330), "}".repeat(330));
    assert!(Pattern::parse(&within).is_ok());
}

#[test]
fn the_services_limits_hold() {
    let long = format!(r#"{{"a":["{}"]}}"#, "x".repeat(2040));
    assert_eq!(kind(&long), PatternErrorKind::TooLong);
    assert!(
        Pattern::parse_within(
            &long,
            &Limits {
                characters: 4096,
                ..Limits::default()
            }
        )
        .is_ok()
    );
    let or = |n: usize| {
        let members: Vec<String> = (0..n)
            .map(|i| format!(r#""n{i}":{{"$or":[{{"a":[1]}},{{"b":[1]}}]}}"#))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    assert_eq!(
        Pattern::parse(&or(9))
            .expect("512 combinations")
            .combinations(),
        512
    );
    assert_eq!(kind(&or(10)), PatternErrorKind::TooManyCombinations);
    assert_eq!(
        soon("many combinations", || kind(&or(40))),
        PatternErrorKind::TooManyCombinations
    );
    assert_eq!(
        soon("a long text of combinations", || kind(&or(20_000))),
        PatternErrorKind::TooLong
    );
    let stars = format!(r#"{{"a":[{{"wildcard":"{}"}}]}}"#, "*a".repeat(900));
    assert_eq!(
        soon("many stars", || kind(&stars)),
        PatternErrorKind::TooComplex
    );
    let mixed: Vec<String> = (0..60)
        .map(|i| format!(r#"{{"wildcard":"a{i}*b{i}*c{i}"}}"#))
        .collect();
    let mixed = format!(r#"{{"a":[{}]}}"#, mixed.join(","));
    soon("many wildcards", || Pattern::parse(&mixed).is_ok());
}

#[test]
fn errors_point_at_the_place() {
    let text = "{\n  \"source\": [\"aws.s3\"],\n  \"detail\": {\"é/~\": [{\"prefix\": 1}]}\n}";
    let error = Pattern::parse(text).expect_err("refused");
    assert_eq!(error.message, "prefix match pattern must be a string");
    assert_eq!(error.pointer, "/detail/é~1~0/0/prefix");
    assert_eq!((error.line, error.column), (3, 33));
    assert_eq!(text.get(error.offset..=error.offset), Some("1"));
}

#[test]
fn huge_arrays_stay_linear() {
    let elements: Vec<String> = (0..16_000)
        .map(|i| format!(r#"{{"x":{i},"y":{}}}"#, i + 1))
        .collect();
    let event = format!(r#"{{"a":[{}]}}"#, elements.join(","));
    let event = Event::parse(&event).expect("an object");
    let apart = Pattern::parse(r#"{"a":{"x":[{"numeric":[">=",0]}],"y":[0]}}"#).expect("valid");
    let together = Pattern::parse(r#"{"a":{"x":[15999],"y":[{"exists":true}]}}"#).expect("valid");
    let absent = Pattern::parse(r#"{"a":{"x":[{"numeric":[">=",0]}],"y":[{"exists":false}]}}"#)
        .expect("valid");
    assert!(!soon("array consistency", || apart.try_matches(&event)).expect("bounded"));
    assert!(soon("array consistency", || together.try_matches(&event)).expect("bounded"));
    assert!(!soon("array consistency", || absent.try_matches(&event)).expect("bounded"));
}

#[test]
fn repeated_arrays_are_given_up_on() {
    // Each repetition of `a` is an array of its own, so that ties multiply.
    let elements = |x: usize| {
        let objects: Vec<String> = (0..2_000)
            .map(|_| format!(r#"{{"x{x}":1,"z":1}}"#))
            .collect();
        format!(r#""a":[{}]"#, objects.join(","))
    };
    let repeated: Vec<String> = (0..5).map(elements).collect();
    let event = format!("{{{}}}", repeated.join(","));
    let pattern =
        Pattern::parse(r#"{"a":{"x0":[1],"x1":[1],"x2":[1],"x3":[1],"z":[2,{"exists":false}]}}"#)
            .expect("valid");
    let parsed = Event::parse(&event).expect("an object");
    assert_eq!(
        soon("repeated arrays", || pattern.try_matches(&parsed)),
        Err(EventError::TooMuchWork)
    );
    let set = RuleSet::builder().add(0, &pattern).build();
    assert_eq!(
        soon("repeated arrays", || set.matches(event.as_bytes())),
        Err(EventError::TooMuchWork)
    );
}
