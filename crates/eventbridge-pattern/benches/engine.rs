//! The engine's benchmarks: reading, one pattern, many patterns. The data is generated and always
//! the same.
//!
//! `cargo bench --bench engine -- "one pattern"` runs one group.
#![expect(clippy::expect_used, reason = "in a benchmark, a panic is the report")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use eventbridge_pattern::{Event, Pattern, RuleSet, Scratch};

mod generate;

const SEED: u64 = 1;
/// Few enough to stay in a cache, so that memory is not what is measured.
const EVENTS: usize = 1000;
/// Events or patterns of one iteration. It is short enough to run undisturbed on a busy machine, and
/// each iteration takes the next ones, so that branch prediction doesn't learn them.
const BATCH: usize = 100;
const SIZES: [usize; 3] = [10, 1000, 5000];

/// By the operator that decides.
const PATTERNS: [(&str, &str); 9] = [
    ("exact", r#"{"detail":{"eventName":["StopInstances"]}}"#),
    ("prefix", r#"{"detail":{"eventName":[{"prefix":"Stop"}]}}"#),
    ("suffix", r#"{"detail":{"eventName":[{"suffix":"User"}]}}"#),
    (
        "equals-ignore-case",
        r#"{"detail":{"eventName":[{"equals-ignore-case":"stopinstances"}]}}"#,
    ),
    (
        "wildcard",
        r#"{"detail":{"userIdentity":{"arn":[{"wildcard":"arn:aws:sts::*:assumed-role/*/alice"}]}}}"#,
    ),
    (
        "anything-but",
        r#"{"detail":{"awsRegion":[{"anything-but":["eu-central-1","us-east-1"]}]}}"#,
    ),
    (
        "cidr",
        r#"{"detail":{"sourceIPAddress":[{"cidr":"10.0.0.0/8"}]}}"#,
    ),
    (
        "numeric in arrays",
        r#"{"detail":{"requestParameters":{"ipPermissions":{"items":{"fromPort":[{"numeric":["<=",22]}],"ipRanges":{"items":{"cidrIp":["0.0.0.0/0"]}}}}}}}"#,
    ),
    (
        "$or",
        r#"{"detail":{"$or":[{"errorCode":[{"exists":true}]},{"readOnly":[false]}]}}"#,
    ),
];

fn patterns(count: usize, is_broad: bool) -> Vec<Pattern> {
    generate::patterns(SEED, count, is_broad)
        .iter()
        .map(|pattern| Pattern::parse(&pattern.to_string()).expect("a valid pattern"))
        .collect()
}

fn set(patterns: &[Pattern]) -> RuleSet {
    patterns
        .iter()
        .enumerate()
        .fold(RuleSet::builder(), |set, (id, pattern)| {
            set.add(id, pattern)
        })
        .build()
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    let patterns: Vec<String> = generate::patterns(SEED, 1000, false)
        .into_iter()
        .map(|pattern| pattern.to_string())
        .collect();
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("100 patterns", |bencher| {
        let mut batches = patterns.chunks(BATCH).cycle();
        bencher.iter(|| {
            for pattern in batches.next().into_iter().flatten() {
                black_box(Pattern::parse(pattern)).expect("a valid pattern");
            }
        });
    });
    let events = generate::events(SEED, EVENTS);
    group.bench_function("100 events", |bencher| {
        let mut batches = events.chunks(BATCH).cycle();
        bencher.iter(|| {
            for event in batches.next().into_iter().flatten() {
                black_box(Event::parse(event)).expect("a valid event");
            }
        });
    });
    group.finish();
}

fn one_pattern(criterion: &mut Criterion) {
    let events: Vec<Event> = generate::events(SEED, BATCH)
        .iter()
        .map(|event| Event::parse(event).expect("a valid event"))
        .collect();
    let mut group = criterion.benchmark_group("one pattern");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, text) in PATTERNS {
        let pattern = Pattern::parse(text).expect("a valid pattern");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for event in &events {
                    black_box(pattern.matches(event)).expect("little work");
                }
            });
        });
    }
    group.finish();
}

fn matching(criterion: &mut Criterion) {
    let events = generate::events(SEED, EVENTS);
    for (name, is_broad) in [("detections", false), ("broad patterns", true)] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(BATCH as u64));
        for count in SIZES {
            let set = set(&patterns(count, is_broad));
            let mut scratch = Scratch::default();
            let mut batches = events.chunks(BATCH).cycle();
            group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
                bencher.iter(|| {
                    for event in batches.next().into_iter().flatten() {
                        let matches = set.matches(event.as_bytes(), &mut scratch);
                        black_box(matches.expect("a valid event").matched());
                    }
                });
            });
        }
        group.finish();
    }
}

fn building(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build");
    for count in SIZES {
        let patterns = patterns(count, false);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| black_box(set(&patterns)));
        });
    }
    group.finish();
}

criterion_group!(benches, parse, one_pattern, matching, building);
criterion_main!(benches);
