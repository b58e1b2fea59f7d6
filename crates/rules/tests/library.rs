//! The committed rule library has no diagnostics, and no caller can silence its alerts.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use std::path::PathBuf;

use cloudtrail::hostile;
use eventbridge_pattern::Event;
use eventbridge_pattern::transformer::Reserved;
use rules::mutation::{self, Fate};
use rules::{Library, Options, Rule};
use serde_json::Value;

fn library() -> Library {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    rules::load(
        &folder,
        &Options {
            today: jiff::civil::date(2026, 11, 23),
        },
    )
}

fn render(rule: &Rule, event: &Value) -> String {
    let message = rule.message.as_ref().unwrap();
    message
        .transformer()
        .unwrap()
        .render(&event.to_string(), &Reserved::default())
        .unwrap()
}

#[test]
fn the_library_has_no_diagnostics_and_its_tests_pass() {
    let library = library();
    let diagnostics: Vec<String> = library
        .diagnostics
        .iter()
        .map(|diagnostic| format!("{diagnostic}\n{}", diagnostic.notes.join("\n")))
        .collect();
    assert!(diagnostics.is_empty(), "{}", diagnostics.join("\n"));
    assert!(library.files >= 80, "{} rules", library.files);
    assert_eq!(library.files, library.rules.len());
    for rule in &library.rules {
        for outcome in rules::run_tests(rule) {
            assert!(outcome.passed, "{}: {}", outcome.rule, outcome.test);
        }
    }
}

#[test]
fn every_rule_has_what_a_responder_needs() {
    for rule in library().rules {
        let id = &rule.id;
        assert!(rule.severity_reason.is_some(), "{id}: why that severity?");
        assert!(!rule.references.is_empty(), "{id}: no reference");
        assert!(!rule.false_positives.is_empty(), "{id}: no false positive");
        assert!(rule.runbook.is_some(), "{id}: no first steps");
        let tagged = |prefix: &str| rule.tags.iter().any(|tag| tag.starts_with(prefix));
        assert!(tagged("service."), "{id}: which service?");
        let (positive, negative): (Vec<_>, Vec<_>) =
            rule.tests.iter().partition(|test| test.matches);
        assert!(!positive.is_empty() && negative.len() >= 2, "{id}: tests");
    }
}

/// Minimum percentage of mutants that the tests must detect.
const NOTICED: usize = 95;

#[test]
fn a_changed_pattern_breaks_a_test() {
    let mut all = 0;
    let mut survivors = Vec::new();
    let mut work = mutation::MAX_WORK;
    for rule in library().rules {
        let mutants = mutation::mutants(&rule, &mut work).unwrap();
        assert!(!mutants.is_empty(), "{}", rule.id);
        all += mutants.len();
        let survived = mutants.into_iter().filter(|it| it.fate == Fate::Survived);
        survivors.extend(survived.map(|mutant| format!("{}: {}", rule.id, mutant.change)));
    }
    println!("{} of {all} changes of patterns survive", survivors.len());
    println!("{}", survivors.join("\n"));
    assert!(
        survivors.len() * 100 <= all * (100 - NOTICED),
        "{}",
        survivors.join("\n")
    );
}

#[test]
fn hostile_text_arrives_unchanged() {
    let mut variants = 0;
    for rule in library().rules {
        // Other tests differ from these mostly in the event name.
        for test in rule.tests.iter().filter(|test| test.matches).take(2) {
            for hostile in hostile::variants(&test.event, &rule.pattern) {
                variants += 1;
                let text = hostile.event.to_string();
                assert!(text.len() < 200_000, "{}: {}", rule.id, hostile.name);
                assert_eq!(
                    rule.pattern.matches(&Event::parse(&text).unwrap()),
                    Ok(true)
                );
                let Some(message) = &rule.message else {
                    continue;
                };
                let rendered = render(&rule, &hostile.event);
                let alert: Value = serde_json::from_str(&rendered).unwrap();
                let mut shown = Vec::new();
                strings(&alert, &mut shown);
                for (path, value) in &hostile.planted {
                    if message.placeholders().contains(&path.as_str()) {
                        assert!(shown.contains(value), "{}: {path} in {rendered}", rule.id);
                    }
                }
                assert_eq!(alert["rule"], rule.id.as_str());
            }
        }
    }
    assert!(variants > 100, "{variants}");
}

fn strings(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, out)),
        Value::Object(map) => map.values().for_each(|item| strings(item, out)),
        _ => {}
    }
}

#[test]
fn the_example_of_the_readme_is_a_rule_and_alerts_as_shown() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let block = |language: &str, containing: &str| {
        readme
            .split("```")
            .find_map(|block| {
                block
                    .strip_prefix(language)
                    .filter(|text| text.contains(containing))
            })
            .unwrap()
            .trim()
            .to_owned()
    };
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("fixtures")).unwrap();
    let fixture = "fixtures/iam-create-access-key.json";
    std::fs::copy(folder.join(fixture), copy.path().join(fixture)).unwrap();
    let rule = block("yaml", "version: 1");
    std::fs::write(copy.path().join("iam-login-profile-created.yaml"), rule).unwrap();
    let library = rules::load(
        copy.path(),
        &Options {
            today: jiff::civil::date(2026, 11, 23),
        },
    );
    assert_eq!(library.diagnostics, []);
    let outcomes = rules::run_tests(library.rules.first().unwrap());
    let alert = outcomes.iter().find_map(|outcome| outcome.message.clone());
    assert_eq!(alert.unwrap(), block("json", "\"alert\""));
}
