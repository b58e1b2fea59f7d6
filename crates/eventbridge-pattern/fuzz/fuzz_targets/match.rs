//! Any bytes as an event, against patterns of every kind and those that the input itself holds: a
//! set always agrees with matching one pattern at a time.
//!
//! The input is lines: the last one is the event, those before it are patterns.
#![no_main]

use std::cell::RefCell;
use std::sync::LazyLock;

use eventbridge_pattern::{Event, Pattern, RuleSet, Scratch};
use libfuzzer_sys::fuzz_target;

const PATTERNS: &[&str] = &[
    r#"{"a":["x","y"]}"#,
    r#"{"a":["x"],"b":[1,true,null]}"#,
    r#"{"a":[{"prefix":"x"}],"b":[{"suffix":"y"}]}"#,
    r#"{"a":["x"],"b":[{"wildcard":"*y*z"}]}"#,
    r#"{"a":{"b":["x"],"c":[{"exists":false}]}}"#,
    r#"{"a":{"b":["x"],"c":["x"]}}"#,
    r#"{"a":{"b":[{"anything-but":["x"]}],"c":{"b":[{"exists":true}]}}}"#,
    r#"{"a":[{"numeric":[">",1,"<=",5]}],"b":["x"]}"#,
    r#"{"a":[{"cidr":"10.0.0.0/8"},"::1"]}"#,
    r#"{"a":[{"equals-ignore-case":"Xß"}]}"#,
    r#"{"a":["x"],"$or":[{"b":["x"]},{"c":[false]}]}"#,
    r#"{"":["x"],"a":["x"]}"#,
    r#"{"a":{"":{"b":["x"]}}}"#,
];

static ALONE: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let parse = |text: &&str| Pattern::parse(text).expect("a pattern");
    PATTERNS.iter().map(parse).collect()
});
static TOGETHER: LazyLock<RuleSet> = LazyLock::new(|| set(&ALONE));

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

fn set(patterns: &[Pattern]) -> RuleSet {
    let add = |set: eventbridge_pattern::RuleSetBuilder, (id, pattern)| set.add(id, pattern);
    patterns
        .iter()
        .enumerate()
        .fold(RuleSet::builder(), add)
        .build()
}

fn check(patterns: &[Pattern], set: &RuleSet, event: &[u8]) {
    let judge = |event: &[u8]| {
        SCRATCH.with_borrow_mut(|scratch| {
            set.matches(event, scratch)
                .map(|matches| (matches.matched().to_vec(), matches.undecided().to_vec()))
        })
    };
    let together = judge(event);
    // With the end far away, keys are guessed from those of the event before: the first time from
    // the same event without the space, the second time always right.
    let roomy = [event, &[b' '; 64]].concat();
    for _ in 0..2 {
        let again = judge(&roomy);
        assert_eq!(again.is_ok(), together.is_ok());
        if together.is_ok() {
            assert_eq!(again, together);
        }
    }
    let Ok(event) = std::str::from_utf8(event)
        .map_err(|_| ())
        .and_then(|text| Event::parse(text).map_err(|_| ()))
    else {
        return;
    };
    let (matched, undecided) = together.expect("a set reads what `Event::parse` reads");
    for (id, pattern) in patterns.iter().enumerate() {
        // The set shares one limit among its patterns, so that it may give up where one doesn't.
        if !undecided.contains(&id) {
            assert_eq!(pattern.matches(&event), Ok(matched.contains(&id)));
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let event = lines.pop().unwrap_or_default();
    check(&ALONE, &TOGETHER, event);
    let patterns: Vec<Pattern> = lines
        .into_iter()
        .take(8)
        .filter_map(|line| Pattern::parse(std::str::from_utf8(line).ok()?).ok())
        .collect();
    if !patterns.is_empty() {
        check(&patterns, &set(&patterns), event);
    }
});
