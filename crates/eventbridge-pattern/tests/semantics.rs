//! The pattern language, cell by cell, where guides and intuition mislead.

use eventbridge_pattern::{Event, Pattern};

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn cells_of_the_language() {
    let cells = [
        (
            r#"{"detail": {"p": [{"exists": false}]}}"#,
            r#"{"detail": {"p": {"x": 1}}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [{"exists": true}]}}"#,
            r#"{"detail": {"p": {"x": 1}}}"#,
            false,
        ),
        (
            r#"{"detail": {"p": [{"exists": true}]}}"#,
            r#"{"detail": {"p": null}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [{"exists": false}]}}"#,
            r#"{"detail": {"p": null}}"#,
            false,
        ),
        (
            r#"{"detail": {"p": [{"exists": false}]}}"#,
            r#"{"detail": {"p": []}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [{"exists": true}]}}"#,
            r#"{"detail": {"p": []}}"#,
            false,
        ),
        (
            r#"{"detail": {"p": [{"exists": false}]}}"#,
            r#"{"detail": {"p": {}}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": {"q": [{"exists": false}]}}}"#,
            r#"{"detail": {"p": null}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [{"anything-but": "x"}]}}"#,
            r#"{"detail": {"q": 1}}"#,
            false,
        ),
        (
            r#"{"detail": {"p": [{"anything-but": "x"}]}}"#,
            r#"{"detail": {"p": null}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [{"anything-but": "x"}]}}"#,
            r#"{"detail": {"p": ["x", "y"]}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [{"anything-but": "x"}]}}"#,
            r#"{"detail": {"p": ["x"]}}"#,
            false,
        ),
        (
            r#"{"detail": {"p": ["false"]}}"#,
            r#"{"detail": {"p": false}}"#,
            false,
        ),
        (
            r#"{"detail": {"p": [false]}}"#,
            r#"{"detail": {"p": false}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [5]}}"#,
            r#"{"detail": {"p": 5.0}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [5]}}"#,
            r#"{"detail": {"p": "5"}}"#,
            false,
        ),
        (
            r#"{"detail": {"p": [{"numeric": ["<", 7]}]}}"#,
            r#"{"detail": {"p": "5"}}"#,
            false,
        ),
        (
            r#"{"detail": {"a": {"x": [1], "y": [2]}}}"#,
            r#"{"detail": {"a": [{"x": 1, "y": 9}, {"x": 9, "y": 2}]}}"#,
            false,
        ),
        (
            r#"{"detail": {"a": {"x": [1], "y": [2]}}}"#,
            r#"{"detail": {"a": [{"x": 1, "y": 2}]}}"#,
            true,
        ),
        (
            r#"{"detail": {"a": {"x": ["k"]}}}"#,
            r#"{"detail": {"a": [{"x": [["k"]]}]}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [{"wildcard": "a*b"}]}}"#,
            r#"{"detail": {"p": "ab"}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [{"wildcard": "*Trail*"}]}}"#,
            r#"{"detail": {"p": "my-trail"}}"#,
            false,
        ),
        (
            r#"{"detail": {"p": [{"equals-ignore-case": "NO"}]}}"#,
            r#"{"detail": {"p": "No"}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [{"prefix": {"equals-ignore-case": "ab"}}]}}"#,
            r#"{"detail": {"p": "ABc"}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [{"anything-but": {"wildcard": ["*x*", "*y*"]}}]}}"#,
            r#"{"detail": {"p": "zxz"}}"#,
            false,
        ),
        (
            r#"{"detail": {"p": [{"anything-but": {"suffix": ["a", "b"]}}]}}"#,
            r#"{"detail": {"p": "zb"}}"#,
            false,
        ),
        (
            r#"{"detail": {"p": [{"cidr": "0.0.0.0/0"}]}}"#,
            r#"{"detail": {"p": "cloudformation.amazonaws.com"}}"#,
            false,
        ),
        (
            r#"{"detail": {"p": [{"cidr": "0.0.0.0/0"}]}}"#,
            r#"{"detail": {"p": "1.2.3.4"}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [{"cidr": "0.0.0.0/0"}]}}"#,
            r#"{"detail": {"p": "255.18.064.253"}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [{"cidr": "::/0"}]}}"#,
            r#"{"detail": {"p": "2001:db8::1"}}"#,
            true,
        ),
        (
            r#"{"detail": {"$or": [{"a": ["x"]}, {"b": ["y"]}]}}"#,
            r#"{"detail": {"b": "y"}}"#,
            true,
        ),
        (
            r#"{"detail": {"a": [{"prefix": "x"}], "$or": [{"a": ["xy"]}, {"b": [1]}]}}"#,
            r#"{"detail": {"a": "xz", "b": 1}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [""]}}"#,
            r#"{"detail": {"p": ""}}"#,
            true,
        ),
        (
            r#"{"detail": {"x.y": ["z"]}}"#,
            r#"{"detail": {"x.y": "z"}}"#,
            true,
        ),
        (
            r#"{"detail": {"x": {"y": ["z"]}}}"#,
            r#"{"detail": {"x.y": "z"}}"#,
            true,
        ),
        (
            r#"{"detail": {"a": [{"prefix": "x"}], "$or": [{"a": ["xy"]}, {"b": [1]}]}}"#,
            r#"{"detail": {"a": "xz"}}"#,
            false,
        ),
        (
            r#"{"detail": {"a": [{"prefix": "x"}], "$or": [{"a": ["qq"]}, {"b": [1]}]}}"#,
            r#"{"detail": {"a": "qq"}}"#,
            true,
        ),
        (
            r#"{"detail": {"$or": [{"a": [{"anything-but": "x"}]}, {"a": [{"anything-but": "y"}]}]}}"#,
            r#"{"detail": {"a": "x"}}"#,
            true,
        ),
        (
            r#"{"detail": {"a": ["x"], "b": [{"exists": false}]}}"#,
            r#"{"detail": [{"a": "x"}, {"a": "y", "b": 1}]}"#,
            true,
        ),
        (
            r#"{"detail": {"i": {"a": ["x"], "b": [{"exists": false}]}}}"#,
            r#"{"detail": {"i": [{"a": "x"}, {"a": "y", "b": 1}]}}"#,
            true,
        ),
        (
            r#"{"detail": {"i": {"a": ["x"], "b": [{"exists": false}]}}}"#,
            r#"{"detail": {"i": [{"a": "x", "b": 1}]}}"#,
            false,
        ),
        (
            r#"{"detail": {"$or": [{"a": [1]}, {"$or": [{"b": [1]}, {"c": [1]}]}]}}"#,
            r#"{"detail": {"c": 1}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [{"wildcard": "a\\*b"}]}}"#,
            r#"{"detail": {"p": "a*b"}}"#,
            true,
        ),
        (
            r#"{"detail": {"p": [12345678901234567]}}"#,
            r#"{"detail": {"p": 12345678901234567}}"#,
            true,
        ),
    ];
    for (pattern, event, expected) in cells {
        let parsed = Pattern::parse(pattern).expect(pattern);
        let event_parsed = Event::parse(event).expect(event);
        assert_eq!(
            parsed.matches(&event_parsed),
            Ok(expected),
            "{pattern} on {event}"
        );
    }
}

#[test]
fn a_later_field_overrides_an_earlier_one_of_the_same_path() {
    let pattern = Pattern::parse(r#"{"$or":[{"a":[1]},{"b":[1]}],"a":[0]}"#).expect("valid");
    assert_eq!(pattern.overridden_paths(), ["a"]);
    let matches = |event| pattern.matches(&Event::parse(event).expect("an object"));
    assert_eq!(matches(r#"{"a":0}"#), Ok(true));
    assert_eq!(matches(r#"{"a":1}"#), Ok(false));
}

#[test]
fn paths_and_pinned_values_are_listed() {
    let pattern = Pattern::parse(
        r#"{"source":["aws.s3"],"detail":{"$or":[{"eventName":["A"]},{"eventName":["B","A"],"x":[{"exists":false}]}]}}"#,
    )
    .expect("valid");
    assert_eq!(
        pattern.field_paths(),
        ["detail.eventName", "detail.x", "source"]
    );
    assert_eq!(pattern.combinations(), 2);
    assert_eq!(
        pattern.exact_values("detail.eventName"),
        Some(vec!["A".to_owned(), "B".to_owned()])
    );
    assert_eq!(pattern.exact_values("detail.x"), None);
    assert_eq!(pattern.exact_values("nowhere"), None);
}

#[test]
fn the_canonical_text_forgets_how_a_pattern_was_written() {
    let one = Pattern::parse(r#"{"a":{"b":["y","x","x"]},"c":[1]}"#).expect("valid");
    let other = Pattern::parse(r#"{ "c": [1], "a.b": ["\u0078", "y"] }"#).expect("valid");
    assert_ne!(one.text(), other.text());
    assert_eq!(one.canonical(), other.canonical());
}
