//! Hostile input gets an answer. None of these tests bounds the time: one that runs away never ends.

#![expect(clippy::expect_used, reason = "in a test, a panic is the report")]

use eventbridge_pattern::{
    Event, EventError, Limits, Pattern, PatternErrorKind, RuleSet, Scratch, TooMuchWork,
};

fn kind(text: &str) -> PatternErrorKind {
    Pattern::parse(text).expect_err("refused").kind
}

#[test]
fn nesting_is_bounded() {
    let deep = format!("{}[1]{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    assert_eq!(kind(&deep), PatternErrorKind::TooDeep);
    assert!(matches!(
        Event::parse(&deep),
        Err(EventError::TooDeep { .. })
    ));
    let arrays = format!(r#"{{"a":{}1{}}}"#, "[".repeat(998), "]".repeat(998));
    let pattern = Pattern::parse(r#"{"a":[1]}"#).expect("valid");
    assert_eq!(
        pattern.matches(&Event::parse(&arrays).expect("within the limit")),
        Ok(true)
    );
    let within = format!("{}[1]{}", r#"{"a":"#.repeat(330), "}".repeat(330));
    assert!(Pattern::parse(&within).is_ok());
}

#[test]
fn the_services_limits_hold() {
    let long = format!(r#"{{"a":["{}"]}}"#, "x".repeat(2040));
    assert_eq!(kind(&long), PatternErrorKind::TooLong);
    let mut raised = Limits::default();
    raised.characters = 4096;
    assert!(Pattern::parse_within(&long, &raised).is_ok());
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
    assert_eq!(kind(&or(40)), PatternErrorKind::TooManyCombinations);
    assert_eq!(kind(&or(20_000)), PatternErrorKind::TooLong);
    let stars = format!(r#"{{"a":[{{"wildcard":"{}"}}]}}"#, "*a".repeat(900));
    assert_eq!(kind(&stars), PatternErrorKind::TooComplex);
    let mixed: Vec<String> = (0..60)
        .map(|i| format!(r#"{{"wildcard":"a{i}*b{i}*c{i}"}}"#))
        .collect();
    let mixed = format!(r#"{{"a":[{}]}}"#, mixed.join(","));
    let result = Pattern::parse(&mixed).map_err(|error| error.kind);
    assert!(matches!(result, Ok(_) | Err(PatternErrorKind::TooComplex)));
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
    assert!(!apart.matches(&event).expect("bounded"));
    assert!(together.matches(&event).expect("bounded"));
    assert!(!absent.matches(&event).expect("bounded"));
}

/// An event that repeats the array `a`, so that the ways to choose elements multiply.
fn repeated_arrays() -> String {
    let elements = |x: usize| {
        let objects: Vec<String> = (0..2_000)
            .map(|_| format!(r#"{{"x{x}":1,"z":1}}"#))
            .collect();
        format!(r#""a":[{}]"#, objects.join(","))
    };
    let repeated: Vec<String> = (0..5).map(elements).collect();
    format!(r#"{{{},"source":"hostile"}}"#, repeated.join(","))
}

/// The matcher gives up on this field list in [`repeated_arrays`].
const TOO_MUCH: &str = r#""x0":[1],"x1":[1],"x2":[1],"x3":[1],"z":[2,{"exists":false}]"#;

#[test]
fn giving_up_is_an_error_and_not_a_mismatch() {
    let event = Event::parse(&repeated_arrays()).expect("an object");
    let pattern = Pattern::parse(&format!(r#"{{"a":{{{TOO_MUCH}}}}}"#)).expect("valid");
    let result = pattern.matches(&event);
    assert_eq!(result, Err(TooMuchWork));
    assert_eq!(pattern.explain(&event), Err(TooMuchWork));
}

#[test]
fn another_alternative_decides_what_one_leaves_undecided() {
    let event = Event::parse(&repeated_arrays()).expect("an object");
    let with = |source: &str| {
        let text = format!(r#"{{"$or":[{{"a":{{{TOO_MUCH}}}}},{{"source":["{source}"]}}]}}"#);
        Pattern::parse(&text).expect("valid").matches(&event)
    };
    assert_eq!(with("hostile"), Ok(true));
    assert_eq!(with("other"), Err(TooMuchWork));
}

#[test]
fn a_set_names_what_it_leaves_undecided() {
    let patterns = [
        format!(r#"{{"a":{{{TOO_MUCH}}}}}"#),
        r#"{"source":["hostile"]}"#.to_owned(),
        format!(r#"{{"$or":[{{"a":{{{TOO_MUCH}}}}},{{"source":["hostile"]}}]}}"#),
        r#"{"source":["other"]}"#.to_owned(),
        format!(r#"{{"a":{{{TOO_MUCH}}},"source":["hostile"]}}"#),
        format!(r#"{{"a":{{{TOO_MUCH}}},"source":["other"]}}"#),
    ];
    let set = patterns
        .iter()
        .enumerate()
        .fold(RuleSet::builder(), |set, (id, text)| {
            set.add(id, &Pattern::parse(text).expect("valid"))
        })
        .build();
    let event = repeated_arrays();
    let mut scratch = Scratch::default();
    let matches = set.matches(event.as_bytes(), &mut scratch);
    let matches = matches.expect("an object");
    assert_eq!(matches.matched(), [1, 2]);
    assert_eq!(matches.undecided(), [0, 4]);
    assert_eq!(matches.possible().collect::<Vec<_>>(), [1, 2, 0, 4]);
    assert_eq!(matches.decided(), Err(TooMuchWork));
    // The next event starts afresh.
    let matches = set.matches(br#"{"source":"other"}"#, &mut scratch);
    assert_eq!(matches.expect("an object").decided(), Ok(&[3][..]));
}

#[test]
fn work_is_bounded_over_all_patterns_of_a_set() {
    let set = (2..2_002)
        .fold(RuleSet::builder(), |set, id| {
            let text = format!(r#"{{"a":{{{TOO_MUCH},"x4":[{{"anything-but":{id}}}]}}}}"#);
            set.add(id, &Pattern::parse(&text).expect("valid"))
        })
        .build();
    let event = repeated_arrays();
    let mut scratch = Scratch::default();
    let matches = set.matches(event.as_bytes(), &mut scratch);
    assert_eq!(matches.expect("an object").undecided().len(), 2_000);
}
