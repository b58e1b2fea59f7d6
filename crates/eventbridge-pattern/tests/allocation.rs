//! Once warm, matching allocates nothing.

use std::alloc::System;

use eventbridge_pattern::{Pattern, RuleSet, Scratch};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PATTERNS: [&str; 9] = [
    r#"{"source":["aws.ec2"],"detail":{"eventName":[{"prefix":"Auth"}]}}"#,
    r#"{"source":["aws.ec2"],"detail":{"ip":[{"cidr":"10.0.0.0/8"},"2001:db8::1"]}}"#,
    r#"{"source":["aws.ec2"],"detail":{"n":[{"numeric":[">",1.5,"<=",1e3]}]}}"#,
    r#"{"source":["aws.ec2"],"detail":{"agent":[{"wildcard":"*cli*Linux*"}]}}"#,
    r#"{"source":["aws.ec2"],"detail":{"agent":[{"anything-but":{"wildcard":"*x*y*"}}]}}"#,
    r#"{"source":["aws.ec2"],"detail":{"eventName":[{"equals-ignore-case":"AUTHORIZE"}]}}"#,
    r#"{"detail":{"items":{"port":[{"numeric":["<=",22]}],"ranges":{"cidr":["0.0.0.0/0"]}}}}"#,
    r#"{"detail":{"items":{"port":[22],"note":[{"exists":false}]}}}"#,
    r#"{"source":[{"suffix":"2"}],"$or":[{"detail":{"n":[7]}},{"detail":{"text":["a\"b"]}}]}"#,
];

const EVENTS: [&str; 3] = [
    r#"{"source":"aws.ec2","detail":{"eventName":"authorize","ip":"10.1.2.3","n":2.75,"agent":"aws-cli/2 Linux","text":"a\"b","skipped":{"a":[1,{"b":"\\"}]}}}"#,
    r#"{"source":"aws.ec2","detail":{"ip":"2001:DB8:0::1","n":7,"items":[{"port":443,"ranges":[{"cidr":"0.0.0.0/0"}]},{"port":22,"ranges":[{"cidr":"10.0.0.0/8"},{"cidr":"0.0.0.0/0"}]}]}}"#,
    r#"{"source":"aws.s3","detail":{"items":[]}}"#,
];

#[test]
fn nothing_once_warm() {
    let set = PATTERNS
        .iter()
        .enumerate()
        .fold(RuleSet::builder(), |set, (id, text)| {
            set.add(id, &Pattern::parse(text).expect("valid"))
        })
        .build();
    let mut scratch = Scratch::default();
    let mut round = || {
        EVENTS
            .iter()
            .map(|event| {
                let matches = set.matches(event.as_bytes(), &mut scratch);
                matches.expect("an event").matched().len()
            })
            .sum::<usize>()
    };
    // Buffers that trade places get warm one after the other.
    for _ in 0..3 {
        assert_eq!(round(), 11);
    }
    let region = Region::new(ALLOCATOR);
    assert_eq!(round(), 11);
    let change = region.change();
    assert_eq!(
        (change.allocations, change.reallocations),
        (0, 0),
        "{change:?}"
    );
}
