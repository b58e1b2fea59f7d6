//! The rule's tests and their events.

use serde_json::Value;
use syntax::{Finding, Node};

use super::MAX_WORDS;
use crate::envelope;
use crate::fields::Reader;
use crate::fixtures::{self, Fixtures, MAX_EVENT_BYTES};
use crate::model::RuleTest;

/// Most tests of one rule.
const MAX_TESTS: usize = 200;
/// Most bytes that the events of one rule's tests have together.
const MAX_TOTAL_BYTES: usize = 4 * 1024 * 1024;

/// Reads the tests; those whose event can't be had are left out, with a finding.
pub(super) fn tests(reader: &mut Reader, root: &Node, fixtures: &mut Fixtures) -> Vec<RuleTest> {
    let Some(node) = root.get("tests") else {
        return Vec::new();
    };
    let Some(items) = reader.sequence(node, "`tests`") else {
        return Vec::new();
    };
    if items.len() > MAX_TESTS {
        reader.error(
            "test::too-many",
            format!("{} tests are more than {MAX_TESTS}", items.len()),
            node.span,
        );
        return Vec::new();
    }
    let has_message = root.get("message").is_some();
    let mut tests: Vec<RuleTest> = Vec::new();
    // What the tests are meant to be, whether or not their events could be read.
    let mut expected = Vec::new();
    let mut total = 0;
    for item in items {
        let Some((test, matches)) = test(reader, item, fixtures, has_message) else {
            continue;
        };
        expected.extend(matches);
        let Some(test) = test else {
            continue;
        };
        if tests.iter().any(|other| other.name == test.name) {
            reader.findings.push(
                Finding::error(
                    "test::duplicate-name",
                    format!("two tests are named \"{}\"", test.name),
                )
                .at(test.place.clone()),
            );
        }
        total += test.event.to_string().len();
        if total > MAX_TOTAL_BYTES {
            reader.findings.push(
                Finding::error(
                    "test::too-many",
                    format!("the tests' events have more than {MAX_TOTAL_BYTES} bytes together"),
                )
                .at(test.place),
            );
            break;
        }
        tests.push(test);
    }
    let key = root
        .entry("tests")
        .map_or(node.span, |entry| entry.key_span);
    for (matches, code, word) in [
        (true, "test::no-positive", "match"),
        (false, "test::no-negative", "no_match"),
    ] {
        if !expected.contains(&matches) {
            reader.push(
                Finding::error(code, format!("no test has `expect: {word}`")).help(if matches {
                    "add an event that the rule must alert on"
                } else {
                    "add a near miss: an event that differs from a match in one field"
                }),
                key,
            );
        }
    }
    tests
}

/// The test, if its event could be had, and what it expects, if that could be read.
fn test(
    reader: &mut Reader,
    node: &Node,
    fixtures: &mut Fixtures,
    has_message: bool,
) -> Option<(Option<RuleTest>, Option<bool>)> {
    reader
        .mapping(
            node,
            "a test",
            &["name", "expect"],
            &["event", "fixture", "override", "message"],
        )
        .then_some(())?;
    let name = node
        .get("name")
        .and_then(|name| reader.short_text(name, "`name` of a test", MAX_WORDS));
    let matches = node.get("expect").and_then(|expect| {
        reader.word(expect, "`expect`", &[("match", true), ("no_match", false)])
    });
    let event = event(reader, node, fixtures);
    let message = reader.text_of(node, "message", "a test");
    if let Some(written) = node.get("message") {
        if matches == Some(false) {
            reader.error(
                "test::message",
                "an event that doesn't match has no message",
                written.span,
            );
        } else if !has_message {
            reader.error("test::message", "the rule has no message", written.span);
        }
    }
    let span = node.get("name").map_or(node.span, |name| name.span);
    let build = || {
        Some(RuleTest {
            name: name?,
            event: event?,
            matches: matches?,
            message,
            place: reader.place(span),
        })
    };
    Some((build(), matches))
}

fn event(reader: &mut Reader, node: &Node, fixtures: &mut Fixtures) -> Option<Value> {
    let (mut value, place) = match (node.get("event"), node.get("fixture")) {
        (Some(event), None) => {
            if let Some(patch) = node.entry("override") {
                reader.error(
                    "test::event",
                    "`override` changes a `fixture`, not an `event`",
                    patch.key_span,
                );
            }
            (event.to_json(), event.span)
        }
        (None, Some(fixture)) => {
            let name = reader.text(fixture, "`fixture`")?;
            match fixtures.get(name.trim()) {
                Ok(value) => (value, fixture.span),
                Err(message) => {
                    reader.error("test::fixture", message, fixture.span);
                    return None;
                }
            }
        }
        _ => {
            reader.push(
                Finding::error("test::event", "a test has either an `event` or a `fixture`")
                    .help("a fixture is a JSON file in the rules folder's `fixtures/`"),
                node.get("name").map_or(node.span, |name| name.span),
            );
            return None;
        }
    };
    if let Some(patch) = node
        .get("override")
        .filter(|_| node.get("fixture").is_some())
    {
        if patch.as_mapping().is_none() {
            reader.error(
                "rule::wrong-type",
                format!("`override` must be a mapping, not {}", patch.kind()),
                patch.span,
            );
            return None;
        }
        fixtures::merge(&mut value, &patch.to_json());
    }
    match envelope::of(&value) {
        Ok(event) if event.to_string().len() > MAX_EVENT_BYTES => {
            reader.error(
                "test::event",
                "the event is larger than 256 KB, which EventBridge doesn't take",
                place,
            );
            None
        }
        Ok(event) => Some(event),
        Err(error) => {
            reader.error("test::event", error.to_string(), place);
            None
        }
    }
}
