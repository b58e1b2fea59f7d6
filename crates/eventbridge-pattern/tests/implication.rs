//! Static analysis of patterns.

#![expect(clippy::expect_used, reason = "in a test, a panic is the report")]

use eventbridge_pattern::{Event, Implication, Pattern, RedundancyReason};

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).expect("valid")
}

fn implies(narrow: &str, wide: &str) -> Implication {
    pattern(narrow).implies(&pattern(wide))
}

#[test]
fn terms_imply_wider_terms() {
    for (narrow, wide) in [
        (r#"["aws.s3"]"#, r#"["aws.s3","aws.ec2"]"#),
        (r#"["aws.s3"]"#, r#"[{"prefix":"aws."}]"#),
        (r#"["aws.s3"]"#, r#"[{"anything-but":["aws.ec2"]}]"#),
        (r#"["A"]"#, r#"[{"equals-ignore-case":"a"}]"#),
        (r#"["10.0.0.1"]"#, r#"[{"cidr":"10.0.0.0/8"}]"#),
        (r#"[{"exactly":"10.0.0.1"}]"#, r#"[{"cidr":"10.0.0.0/8"}]"#),
        (r#"[{"cidr":"10.1.0.0/16"}]"#, r#"[{"cidr":"10.0.0.0/8"}]"#),
        (r#"[{"prefix":"aws.s"}]"#, r#"[{"prefix":"aws."}]"#),
        (
            r#"[{"prefix":"aws."}]"#,
            r#"[{"prefix":{"equals-ignore-case":"AWS"}}]"#,
        ),
        (
            r#"[{"equals-ignore-case":"aws.s3"}]"#,
            r#"[{"prefix":{"equals-ignore-case":"AWS"}}]"#,
        ),
        (
            r#"[{"prefix":"aws."}]"#,
            r#"[{"anything-but":{"prefix":"x"}}]"#,
        ),
        (r#"[{"wildcard":"a*bc*d"}]"#, r#"[{"wildcard":"a*b*"}]"#),
        (r#"[{"suffix":".gif"}]"#, r#"[{"wildcard":"*.g*"}]"#),
        (
            r#"[{"anything-but":["a","b"]}]"#,
            r#"[{"anything-but":["a"]}]"#,
        ),
        (
            r#"[{"anything-but":{"prefix":"a"}}]"#,
            r#"[{"anything-but":["ab"]}]"#,
        ),
        (r#"[{"anything-but":["a"]}]"#, r#"[{"exists":true}]"#),
        (r"[1, null]", r#"[null, {"numeric":[">",0]}]"#),
        (r"[1]", r"[1.0]"),
        (
            r#"[{"numeric":[">",1,"<",2]}]"#,
            r#"[{"numeric":[">=",1]}]"#,
        ),
        (r#"[{"numeric":[">",1]}]"#, r#"[{"anything-but":1}]"#),
        (r#"[{"exists":false},"a"]"#, r#"["b","a",{"exists":false}]"#),
        (r"[0.1234567890123456789]", r#"["nothing accepts it"]"#),
    ] {
        let (narrow, wide) = (
            format!(r#"{{"a":{narrow},"b":["x"]}}"#),
            format!(r#"{{"a":{wide}}}"#),
        );
        assert_eq!(implies(&narrow, &wide), Implication::Yes, "{narrow} {wide}");
    }
}

#[test]
fn no_comes_with_an_event() {
    for (narrow, wide) in [
        (r#"{"a":["x","y"]}"#, r#"{"a":["x"]}"#),
        (r#"{"a":["x"]}"#, r#"{"a":["x"],"b":["x"]}"#),
        (
            r#"{"a":[{"prefix":"aws."}]}"#,
            r#"{"a":[{"anything-but":["aws.s3"]}]}"#,
        ),
        (
            r#"{"a":[{"anything-but":["x"]}]}"#,
            r#"{"a":[{"anything-but":["y"]}]}"#,
        ),
        (
            r#"{"a":[{"exists":true}]}"#,
            r#"{"a":[{"anything-but":1}]}"#,
        ),
        (
            r#"{"a":[{"numeric":[">=",1]}]}"#,
            r#"{"a":[{"numeric":[">",1]}]}"#,
        ),
        (
            r#"{"a":[{"cidr":"10.0.0.0/8"}]}"#,
            r#"{"a":[{"cidr":"10.1.0.0/16"}]}"#,
        ),
        (r#"{"a":["x",{"exists":false}]}"#, r#"{"a":["x"]}"#),
        (
            r#"{"a":["x","y"],"b":["x","y"]}"#,
            r#"{"$or":[{"a":["x"]},{"b":["x"]}]}"#,
        ),
        (r#"{"a":[{"equals-ignore-case":"ß"}]}"#, r#"{"a":["ß"]}"#),
        (
            r#"{"a":{"b":["x"],"c":[{"prefix":""}]},"a.b.d":[1]}"#,
            r#"{"a":{"c":["y"]}}"#,
        ),
    ] {
        let Implication::No { event } = implies(narrow, wide) else {
            panic!("{narrow} {wide}: {:?}", implies(narrow, wide));
        };
        let event = Event::parse(&event).expect("an object");
        assert_eq!(pattern(narrow).matches(&event), Ok(true));
        assert_eq!(pattern(wide).matches(&event), Ok(false));
    }
}

#[test]
fn alternatives_together_take_what_none_takes_alone() {
    let narrow = r#"{"a":["x","y"],"b":["x","y"]}"#;
    let wide = r#"{"$or":[{"a":["x"]},{"b":["x"]},{"a":["y"],"b":[{"prefix":"y"}]}]}"#;
    assert_eq!(implies(narrow, wide), Implication::Yes);
}

#[test]
fn absences_in_one_element_are_not_absences_everywhere() {
    let wide = r#"{"a":{"y":[{"exists":false}]}}"#;
    assert_ne!(
        implies(r#"{"a":{"x":[1],"y":[{"exists":false}]}}"#, wide),
        Implication::Yes
    );
    assert_eq!(
        implies(r#"{"b":["x"],"a":{"y":[{"exists":false}]}}"#, wide),
        Implication::Yes
    );
}

#[test]
fn redundant_parts_are_named_with_what_covers_them() {
    let redundant = |text: &str| {
        let parts = pattern(text).redundant_parts().into_iter();
        let shown = parts.map(|redundant| match redundant.reason {
            RedundancyReason::NeverMatches => {
                format!("{:?} {} never", redundant.path, redundant.part)
            }
            RedundancyReason::CoveredBy(cover) => {
                format!("{:?} {} by {cover}", redundant.path, redundant.part)
            }
            _ => "?".to_owned(),
        });
        shown.collect::<Vec<_>>()
    };
    assert_eq!(
        redundant(r#"{"a":["x",{"suffix":"y"},{"exists":false}],"b":[1,{"anything-but":2}]}"#),
        [r#"Some("b") 1 by {"anything-but":2}"#]
    );
    assert_eq!(redundant(r#"{"a":["x","x"]}"#), [r#"Some("a") "x" by "x""#]);
    assert_eq!(
        redundant(r#"{"a":[{"prefix":"b"},{"wildcard":"b*"}]}"#),
        [r#"Some("a") {"wildcard":"b*"} by {"prefix":"b"}"#]
    );
    assert_eq!(
        redundant(r#"{"$or":[{"a":["x"],"b":["y"]},{"a":[{"prefix":"x"}]}]}"#),
        [r#"None {"a":["x"],"b":["y"]} by {"a":[{"prefix":"x"}]}"#]
    );
    assert_eq!(
        redundant(r#"{"a":[0.1234567890123456789]}"#),
        [
            r#"None {"a":[0.1234567890123456789]} never"#,
            r#"Some("a") 0.1234567890123456789 never"#
        ]
    );
    assert_eq!(
        redundant(
            r#"{"source":["aws.s3"],"detail":{"eventName":[{"prefix":"Put"},{"prefix":"Get"}]}}"#
        ),
        [""; 0]
    );
}

#[test]
fn questions_made_to_hurt_are_answered() {
    let stars = |letter: &str| {
        let terms: Vec<String> = (0..45)
            .map(|n| format!(r#"{{"anything-but":{{"prefix":"{letter}{n}"}}}}"#))
            .collect();
        format!(
            r#"{{"a":[{}],"b":[{}]}}"#,
            terms.join(","),
            "1,2,3,4,5,6,7,8,9"
        )
    };
    let or = |value: usize| {
        let members: Vec<String> = (0..9)
            .map(|n| format!(r#""n{n}":{{"$or":[{{"a":[1,{value}]}},{{"b":[2,3]}}]}}"#))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    let texts = [
        pattern(&stars("x")),
        pattern(&stars("y")),
        pattern(&or(4)),
        pattern(&or(5)),
    ];
    for one in &texts {
        for other in &texts {
            assert!(one != other || one.implies(other).is_yes());
        }
        assert!(one.redundant_parts().len() < 2000);
    }
}
